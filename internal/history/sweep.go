package history

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

const (
	// checkEvery is how often Run looks whether there are too many records: what
	// comes in between is beyond Options.Max for so long.
	checkEvery = 10 * time.Second
	// expireEvery is how often it looks for records that are too old.
	expireEvery = time.Hour
)

// Run deletes records that are too old or too many, until ctx ends.
func (s *Service) Run(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	var expired time.Time // when it was last looked
	for {
		now := time.Now()
		if now.Sub(expired) >= expireEvery || s.closed.Len(s.store.Snapshot()) > s.opts.Max {
			expired = now
			if err := s.Sweep(ctx, now); err != nil && ctx.Err() == nil {
				log.Warn("history: sweep", "error", err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Sweep deletes the records that ended longer ago than the retention, and of
// the rest the oldest tenth and more when there are too many.
func (s *Service) Sweep(ctx context.Context, now time.Time) error {
	snap := s.store.Snapshot()
	oldest := now.Add(-s.opts.Retention)
	if n := s.closed.Len(snap); n > s.opts.Max {
		ends := make([]time.Time, 0, n)
		for _, rec := range s.closed.All(snap) {
			ends = append(ends, rec.End)
		}
		slices.SortFunc(ends, time.Time.Compare)
		// Some room, so that the next record isn't one too many again.
		if cut := ends[n-s.opts.Max*9/10]; cut.After(oldest) {
			oldest = cut
		}
	}
	var due []string
	for key, rec := range s.closed.All(snap) {
		if rec.End.Before(oldest) {
			due = append(due, key)
		}
	}
	for chunk := range slices.Chunk(due, store.MaxTxnOps) {
		err := s.store.Update(ctx, func(tx *store.Tx) error {
			for _, key := range chunk {
				s.closed.Delete(tx, key) // a record never changes
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("delete %d records of the history: %w", len(due), err)
		}
	}
	return nil
}
