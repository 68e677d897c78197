package elb

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// expireTargets forgets deregistered targets when their delay has ended.
func (c *Controller) expireTargets(ctx context.Context) {
	sub := c.s.store.Subscribe(c.s.targets.Name())
	defer sub.Close()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-sub.C:
			sub.Take()
		case <-timer.C:
		}
		next, err := c.expireDue(ctx)
		if err != nil && ctx.Err() == nil {
			c.log.Error("forgetting deregistered targets failed", "error", err)
			next = time.Second
		}
		if next > 0 {
			timer.Reset(next)
		}
	}
}

// expireDue forgets the targets that are due and returns how long until the next
// is; 0 if none waits.
func (c *Controller) expireDue(ctx context.Context) (next time.Duration, err error) {
	now := c.now()
	due := func(t Target) bool { return !t.DrainUntil.IsZero() && !t.DrainUntil.After(now) }
	for group, regs := range c.s.targetsDraining.Each(c.s.store.Snapshot(), draining) {
		for _, t := range regs.Targets {
			if wait := t.DrainUntil.Sub(now); wait > 0 && (next == 0 || wait < next) {
				next = wait
			}
		}
		if !slices.ContainsFunc(regs.Targets, due) {
			continue
		}
		err := c.s.store.Update(ctx, func(tx *store.Tx) error {
			// Read again: one may have been registered anew, or the group be gone.
			regs, ok := c.s.targets.Get(tx, group)
			if ok && slices.ContainsFunc(regs.Targets, due) {
				regs = regs.clone()
				regs.remove(due)
				c.s.targets.Put(tx, group, regs)
			}
			return nil
		})
		if err != nil {
			return next, fmt.Errorf("forget targets of %s: %w", group, err)
		}
	}
	return next, nil
}
