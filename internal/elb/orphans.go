package elb

import (
	"context"
	"time"

	"github.com/fairlead/fairlead/internal/event"
)

const (
	// sweepEvery is how often interfaces without a node are looked for. They come
	// from a node that went while its interface was being made by another server.
	sweepEvery = time.Hour
	// sweepRetry is when to look again for those that couldn't be released yet.
	sweepRetry = 5 * time.Second
)

// sweepInterfaces gives back, at the start and from time to time, the interfaces
// of nodes that don't exist (I2). With them it looks at every load balancer, in
// case that a change of one was missed.
func (c *Controller) sweepInterfaces(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		next := sweepEvery
		if !c.sweepOnce(ctx) {
			next = sweepRetry
		}
		timer.Reset(next)
		for arn := range c.s.balancers.All(c.s.store.Snapshot()) {
			c.queue.add(arn)
		}
	}
}

// sweepOnce says whether nothing is left to release. An interface whose node the
// host may still carry waits until the host has said that it doesn't (I3).
func (c *Controller) sweepOnce(ctx context.Context) (clean bool) {
	clean = true
	snap := c.s.store.Snapshot() // a node's record is older than its interface, so it shows both
	for id, nodeID := range c.interfaces.Owned(snap) {
		if _, ok := c.s.nodes.Get(snap, nodeID); ok {
			continue
		}
		if !c.projector.absent(nodeID) || !c.projector.absent(Node{ID: nodeID}.onHost()) {
			clean = false
			continue
		}
		// Where it was, for the log, before it is gone.
		iface, _ := c.interfaces.Of(snap, nodeID)
		if err := c.interfaces.Release(ctx, id); err != nil {
			if ctx.Err() != nil {
				return true
			}
			c.log.Error("network interface of a node that doesn't exist not released", "interface", id, "node", nodeID, "error", err)
			clean = false
			continue
		}
		c.log.Warn("network interface of a node that doesn't exist released", "interface", id, "node", nodeID,
			"private", iface.Private, "public", iface.Public, "pool", iface.PoolID)
		c.s.opts.Events.Tell(with(event.Event{Time: c.now(), Kind: event.InterfaceSwept, Resource: id, Message: "an interface was released whose node doesn't exist"},
			"node", nodeID, "private", text(iface.Private), "address", text(iface.Public), "pool", iface.PoolID))
	}
	return clean
}
