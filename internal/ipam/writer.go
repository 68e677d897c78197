package ipam

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/fairlead/fairlead/internal/failpoint"
	"github.com/fairlead/fairlead/internal/store"
)

// writer commits what is asked of one pool. Its goroutine runs while the queue
// holds something.
type writer struct {
	pool  string
	index index // the goroutine's

	// Guarded by Service.mu.
	queue   []*work
	running bool
	used    time.Time // when the queue was last empty
}

// work is one request in a pool's queue.
type work struct {
	ctx context.Context
	// do makes the request's part of the transaction. It may run several times,
	// the last of which counts, and has no effect but on the turn and on
	// variables that its caller reads after do's error is known.
	do   func(t *turn) error
	err  error         // of the last run, then of the commit
	done chan struct{} // closed when err is final
}

// submit has the pool's writer do something and waits for the commit. When
// ctx ends first, it may still happen.
func (s *Service) submit(ctx context.Context, pool string, do func(t *turn) error) error {
	w := &work{ctx: ctx, do: do, done: make(chan struct{})}
	if err := s.enqueue(pool, w); err != nil {
		return err
	}
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enqueue needs no bound of its own: each caller has one request in a queue.
func (s *Service) enqueue(pool string, w *work) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	wr := s.writers[pool]
	if wr == nil {
		wr = &writer{pool: pool}
		s.writers[pool] = wr
		s.feed.add(pool, &wr.index)
	}
	wr.queue = append(wr.queue, w)
	if !wr.running {
		wr.running = true
		s.busy.Go(func() { s.write(wr) })
	}
	return nil
}

// next returns what has queued up behind rest. With nothing to do the writer
// stops running.
func (s *Service) next(wr *writer, rest []*work) []*work {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch := append(rest, wr.queue...)
	wr.queue = nil
	if len(batch) == 0 {
		wr.running = false
		wr.used = time.Now()
	}
	return batch
}

func (s *Service) write(wr *writer) {
	var rest []*work
	for {
		batch := s.next(wr, rest)
		if len(batch) == 0 {
			return
		}
		n, err := s.commit(wr, batch)
		for _, w := range batch[:n] {
			if err != nil {
				w.err = err
			}
			close(w.done)
		}
		rest = batch[n:]
		s.gather(wr, n)
	}
}

// gatherings is how often a writer lets others run before it goes on with what
// there is. In BenchmarkAllocate64 a commit carries 42 allocations with 16, 50
// with 100 and 58 with 500, which a caller that doesn't return would wait for.
const gatherings = 300

// gather lets those who have just been answered ask again before the next
// commit begins, rather than have them wait for two.
func (s *Service) gather(wr *writer, answered int) {
	queued := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(wr.queue)
	}
	all := queued() + answered
	for n := 0; n < gatherings && queued() < all; n++ {
		runtime.Gosched()
	}
}

// maxBehind bounds how often a commit is begun again because the index was
// ahead of its transaction.
const maxBehind = 20

// commit does the first n of the batch, as many as one transaction holds. err
// is that of the whole commit.
func (s *Service) commit(wr *writer, batch []*work) (n int, err error) {
	for range maxBehind {
		var t *turn // of the last attempt
		err = s.store.Update(s.ctx, func(tx *store.Tx) error {
			if t != nil {
				s.feed.spoil(&wr.index, wr.pool, t.granted)
				t = nil
			}
			next, err := s.newTurn(tx, wr)
			if err != nil {
				return err
			}
			t = next
			if err = t.meetNetworks(); err != nil {
				return err
			}
			if err = t.meetSubnets(); err != nil {
				return err
			}
			n, err = t.run(batch)
			failpoint.Hit("ipam.commit")
			return err
		})
		failpoint.Hit("ipam.committed")
		if err != nil && t != nil {
			s.feed.spoil(&wr.index, wr.pool, t.granted)
		}
		if !errors.Is(err, errBehind) {
			break
		}
	}
	if errors.Is(err, errBehind) {
		err = store.ErrConflict
	}
	if err != nil {
		// Nobody's request alone is to blame; those after n would fare the same.
		return len(batch), fmt.Errorf("commit to pool %s: %w", wr.pool, err)
	}
	return n, nil
}

// run does works in order until one no longer fits into the transaction, and
// returns how many it has done.
func (t *turn) run(batch []*work) (int, error) {
	if t.imported || t.adopted {
		return 0, nil
	}
	for i, w := range batch {
		if w.err = w.ctx.Err(); w.err != nil {
			continue
		}
		before := *t
		w.err = t.tx.Try(func() error { return w.do(t) })
		switch {
		case w.err == nil:
			t.settle(len(before.granted))
			if t.cidrsChanged() {
				return i + 1, nil
			}
			continue
		case errors.Is(w.err, errBehind):
			return 0, w.err
		}
		*t = before
		if errors.Is(w.err, store.ErrTooLarge) && i > 0 {
			return i, nil
		}
	}
	return len(batch), nil
}
