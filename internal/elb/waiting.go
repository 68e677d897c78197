package elb

import (
	"context"
	"errors"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/store"
)

// reasonOf tells the owner of a load balancer what it waits for; "" for what the
// owner can do nothing about.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, errDenied):
		return "No public IPv4 address is free in the pool that the load balancer draws from, and " + attrFallback + " is " + fallbackDeny
	case errors.Is(err, ErrPoolExhausted):
		return "No public IPv4 address is free in the pools that the load balancer draws from"
	case errors.Is(err, ErrSubnetFull):
		return "A subnet of the load balancer has no free IP address"
	}
	return ""
}

// explain puts the reason beside the state of a load balancer that isn't there
// yet, which has failed if only its owner can help. It is tried on all the same.
// The reason is cleared when the load balancer turns active.
func (c *Controller) explain(ctx context.Context, arn, reason string, failed bool) error {
	return c.s.store.Update(ctx, func(tx *store.Tx) error {
		b, ok := c.s.balancers.Get(tx, arn)
		if !ok || b.Deleted || b.State != Provisioning && b.State != Failed || b.Reason == reason {
			return nil
		}
		kind, is := event.BalancerWaiting, "isn't there yet"
		if b.State, b.Reason = Provisioning, reason; failed {
			b.State, kind, is = Failed, event.BalancerFailed, "has failed"
		}
		c.s.balancers.Put(tx, arn, b)
		c.s.opts.Events.Put(tx, with(b.about(kind, c.now(), "%s %s: %s", b.Name, is, reason), "reason", reason))
		return nil
	})
}
