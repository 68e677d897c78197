package elb

import (
	"context"
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
	for key, t := range c.s.targetsDraining.Each(c.s.store.Snapshot(), draining) {
		if wait := t.DrainUntil.Sub(now); wait > 0 {
			if next == 0 || wait < next {
				next = wait
			}
			continue
		}
		err := c.s.store.Update(ctx, func(tx *store.Tx) error {
			if t, ok := c.s.targets.Get(tx, key); ok && !t.DrainUntil.IsZero() && !t.DrainUntil.After(now) {
				c.s.targets.Delete(tx, key)
			}
			return nil
		})
		if err != nil {
			return next, err
		}
	}
	return next, nil
}
