package ipam

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/failpoint"
	"github.com/fairlead/fairlead/internal/store"
)

const (
	// sweepEvery is how often Run looks for what is due: the most that a
	// quarantine lasts longer than it should.
	sweepEvery = time.Second

	// forgetAfter is how long an idle pool's index is kept. It is made again from
	// the pool's allocations at the next use.
	forgetAfter = 10 * time.Minute
)

// Run frees blocks whose quarantine is over, carries on deletions that a
// crash interrupted, and imports what is to be imported, until ctx ends. Then it refuses new requests and returns
// when those under way are done. Several servers may run it at once: a step that two take
// fails for one of them.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	var beside sync.WaitGroup
	beside.Go(func() { s.warm(ctx) })
	if s.opts.Networks != nil {
		beside.Go(func() { s.runImports(ctx) })
	}
	for {
		if err := s.sweep(ctx, time.Now()); err != nil && ctx.Err() == nil {
			s.opts.Log.Error("ipam: sweep", "error", err)
		}
		s.feed.distribute()
		s.forgetIdle(time.Now())
		select {
		case <-tick.C:
		case <-ctx.Done():
			beside.Wait()
			s.close()
			return
		}
	}
}

func (s *Service) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.busy.Wait()
	s.cancel()
	s.feed.sub.Close()
}

// sweep does all that is due, and returns what went wrong with any of it.
func (s *Service) sweep(ctx context.Context, now time.Time) error {
	snap := s.store.Snapshot()
	errs := []error{s.free(ctx, snap, now), s.sweepImports(ctx, snap, now), s.sweepNotices(ctx, snap, now), s.refill(ctx, snap, now)}
	for _, c := range s.cidrsLeaving.Each(snap, leaving) {
		errs = append(errs, s.finishCIDR(ctx, c))
	}
	for id := range s.ipamsLeaving.Each(snap, leaving) {
		errs = append(errs, s.finishIPAM(ctx, id))
	}
	for id, p := range s.poolsLeaving.Each(snap, leaving) {
		source, _ := s.pools.Get(snap, p.SourcePoolID)
		if source.State != DeleteInProgress { // else it goes with its source
			errs = append(errs, s.finishPool(ctx, id))
		}
	}
	return errors.Join(errs...)
}

// free deletes the blocks that have cooled down.
func (s *Service) free(ctx context.Context, snap store.Snapshot, now time.Time) error {
	var due []AllocationRef
	for _, a := range s.allocsCooling.Each(snap, leaving) {
		if !a.Until.After(now) {
			due = append(due, a.ref())
		}
	}
	if len(due) == 0 {
		return nil
	}
	for rest := due; len(rest) > 0; {
		n := min(len(rest), store.MaxTxnOps)
		err := s.store.Update(ctx, func(tx *store.Tx) error {
			for _, ref := range rest[:n] {
				key := blockKey(ref.PoolID, ref.CIDR.Addr())
				if a, _ := s.allocs.Get(tx, key); a.ref() == ref && a.State == Cooling {
					s.allocs.Delete(tx, key)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		failpoint.Hit("ipam.freed")
		rest = rest[n:]
	}
	s.opts.Log.LogAttrs(ctx, slog.LevelDebug, "ipam: quarantine over", slog.Int("blocks", len(due)))
	return nil
}

// finishCIDR takes the next step with a CIDR that waits for blocks to cool.
func (s *Service) finishCIDR(ctx context.Context, c PoolCIDR) error {
	return s.submit(ctx, c.PoolID, func(t *turn) error {
		now, ok := s.cidrs.Get(t.tx, c.ID)
		if !ok || now.State != PendingDeprovision || !t.exists {
			return nil
		}
		_, err := s.deprovision(t, t.pool, now)
		return err
	})
}

// forgetIdle drops the indexes of pools that nobody has used for a while.
func (s *Service) forgetIdle(now time.Time) {
	r := s.store.Snapshot()
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, wr := range s.writers {
		if !wr.running && now.Sub(wr.used) > forgetAfter && !s.large(r, id) {
			delete(s.writers, id)
			s.feed.remove(id)
		}
	}
}
