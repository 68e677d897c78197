package elb

import (
	"context"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/failpoint"
	"github.com/fairlead/fairlead/internal/store"
)

// The steps that take nodes out of DNS and then away, and what is left of their
// load balancer in the end.

// retire takes nodes out of DNS that serve on.
func (c *Controller) retire(ctx context.Context, nodeIDs []string) error {
	for _, id := range nodeIDs {
		if err := c.setPhase(ctx, id, NodeRetiring); err != nil {
			return err
		}
	}
	return nil
}

// balancerOf returns a node's load balancer as it was when tx began: what only
// an event says of it needs no guard.
func (c *Controller) balancerOf(tx *store.Tx, n Node) LoadBalancer {
	b, _ := c.s.balancers.Get(tx.Snapshot(), n.LoadBalancerARN)
	return b
}

// before says which phases a node may enter another from.
var before = map[NodePhase][]NodePhase{
	NodeStarting: {NodeInService},
	NodeRetiring: {NodeInService},
	NodeDraining: {NodeInService, NodeRetiring},
	NodeClosed:   {NodeProvisioning, NodeStarting, NodeRetiring, NodeDraining},
}

func (c *Controller) setPhase(ctx context.Context, nodeID string, to NodePhase) error {
	return c.s.store.Update(ctx, func(tx *store.Tx) error {
		n, ok := c.s.nodes.Get(tx, nodeID)
		if !ok {
			return nil
		}
		for _, from := range before[to] {
			if n.Phase == from {
				if to != NodeStarting && c.wanted(tx, n) {
					return nil // planned when it wasn't: a migration has been cancelled since
				}
				n.Phase, n.Since = to, c.now()
				c.s.nodes.Put(tx, nodeID, n)
				c.s.entered(tx, c.balancerOf(tx, n), n, "")
				return nil
			}
		}
		return nil
	})
}

func (c *Controller) release(ctx context.Context, nodeID string) error {
	snap := c.s.store.Snapshot()
	if _, ok := c.s.nodes.Get(snap, nodeID); !ok {
		return nil
	}
	if iface, ok := c.interfaces.Of(snap, nodeID); ok {
		if err := c.interfaces.Release(ctx, iface.ID); err != nil {
			return err
		}
		c.log.Info("interface given back", "node", nodeID, "interface", iface.ID, "private", iface.Private, "public", iface.Public, "pool", iface.PoolID)
	}
	failpoint.Hit("elb.release.between")
	return c.s.store.Update(ctx, func(tx *store.Tx) error {
		n, ok := c.s.nodes.Get(tx, nodeID)
		if !ok {
			return nil
		}
		c.s.nodes.Delete(tx, nodeID)
		if n.InterfaceID != "" { // else it had none to tell of
			b := c.balancerOf(tx, n)
			c.s.opts.Events.Put(tx, b.ofNode(n, event.AddressReturned, c.now(), "%s in %s has given %s back to %s", b.Name, n.Zone, n.Address(), n.origin()))
		}
		return nil
	})
}

// remove clears a load balancer's listeners away, and then its record.
func (c *Controller) remove(ctx context.Context, b LoadBalancer) error {
	for _, l := range c.s.listenersByLB.Each(c.s.store.Snapshot(), b.ARN) {
		err := c.s.store.Update(ctx, func(tx *store.Tx) error {
			if l, ok := c.s.listeners.Get(tx, l.ARN); ok && !l.Deleted {
				l.Deleted = true
				c.s.listeners.Put(tx, l.ARN, l)
				c.s.ports.Delete(tx, portKey(l))
				c.s.tags.Clear(tx, l.ARN)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if err := c.clearListeners(ctx, b.ARN); err != nil {
		return err
	}
	failpoint.Hit("elb.remove.between")
	return c.s.store.Update(ctx, func(tx *store.Tx) error {
		if _, ok := c.s.balancers.Get(tx, b.ARN); ok {
			c.s.balancers.Delete(tx, b.ARN)
			c.s.opts.Events.Put(tx, b.about(event.BalancerRemoved, c.now(), "%s is gone, and its addresses with it", b.Name))
		}
		return nil
	})
}

// clearListeners ends the deletions of a load balancer's listeners.
func (c *Controller) clearListeners(ctx context.Context, arn string) error {
	for l := range c.s.listenersLeaving.Each(c.s.store.Snapshot(), arn) {
		if err := c.s.clearListener(ctx, l); err != nil {
			return err
		}
	}
	return nil
}
