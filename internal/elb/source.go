package elb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/store"
)

// Source is where a public address is drawn from.
type Source struct {
	PoolID      string // "": the provider's
	BlockID     string // a block reserved in the pool for ReservedFor; "" for none
	ReservedFor string // ARN
}

// fallback returns what the load balancer does when its pool gives no address.
func (b LoadBalancer) fallback() string {
	if v := b.Attributes[attrFallback]; v != "" {
		return v
	}
	return fallbackAllow
}

// sources returns where a node's address may come from, to be tried in order: the
// load balancer's block; its pool, or if it was given none, those of its account's
// policy; the provider's. One that denies the fallback stays within its block, or
// its pools; a node that is to bring an address home takes none that isn't.
func (s *Service) sources(r store.Reader, b LoadBalancer, n Node) []Source {
	var from []Source
	if k := b.Block; k != nil {
		from = append(from, Source{PoolID: k.PoolID, BlockID: k.ID, ReservedFor: b.ARN})
		if b.fallback() == fallbackDeny {
			return from
		}
	}
	if b.PoolID != "" {
		from = append(from, Source{PoolID: b.PoolID})
	} else {
		for _, id := range s.pools.PolicyPools(r, b.Account, b.Region) {
			from = append(from, Source{PoolID: id})
		}
	}
	if b.fallback() == fallbackDeny && len(from) > 0 || n.Homing {
		return from
	}
	return append(from, Source{})
}

func (f Source) String() string {
	if f.BlockID != "" {
		return "its block in " + f.PoolID
	}
	return source(f.PoolID)
}

// assignAddress draws a node's address from the first of its sources that gives
// one (S2, I6).
func (c *Controller) assignAddress(ctx context.Context, b LoadBalancer, nodeID string) error {
	snap := c.s.store.Snapshot()
	iface, ok := c.interfaces.Of(snap, nodeID)
	if !ok {
		return fmt.Errorf("node %s has no interface", nodeID)
	}
	n, _ := c.s.nodes.Get(snap, nodeID)
	from := c.s.sources(snap, b, n)
	var why error
	for i, f := range from {
		got, err := c.interfaces.AssignAddress(ctx, iface.ID, f, c.now())
		switch {
		case err == nil:
			c.log.Info("address drawn", "load_balancer", b.ID, "node", nodeID, "address", got.Public, "from", f.String())
			return nil
		case !errors.Is(err, ErrPoolExhausted) && !errors.Is(err, ErrPoolUnavailable):
			return err
		}
		why = err
		if i+1 < len(from) {
			c.tellFallback(b, n, f, from[i+1], err)
		}
	}
	if b.fallback() == fallbackDeny && from[0].PoolID != "" {
		return c.denied(b, n, from[len(from)-1], why)
	}
	return why
}

// tellFallback tells that a source gave no address, and which is asked next.
func (c *Controller) tellFallback(b LoadBalancer, n Node, from, next Source, why error) {
	c.log.Warn("falling back to "+fallingTo(next), "load_balancer", b.ID, "node", n.ID, "pool", from.PoolID, "reason", why, "next", next.PoolID)
	n.PoolID = from.PoolID
	c.s.opts.Events.Tell(with(b.ofNode(n, event.AddressFallback, c.now(), "%s in %s falls back to %s: %s gave none, because the %s", b.Name, n.Zone, next, from, why), "next", next.PoolID))
}

func fallingTo(next Source) string {
	if next.PoolID == "" {
		return "the provider's pool"
	}
	return "the next pool"
}

// denied tells, once for as long as it lasts, that a node goes without an address.
func (c *Controller) denied(b LoadBalancer, n Node, from Source, why error) error {
	c.mu.Lock()
	first := c.failures[b.ARN] == 0
	c.mu.Unlock()
	if first {
		n.PoolID = from.PoolID
		c.s.opts.Events.Tell(b.ofNode(n, event.AddressDenied, c.now(), "%s in %s gets no address: %s gave none, because the %s, and %s is %s", b.Name, n.Zone, from, why, attrFallback, fallbackDeny))
	}
	return fmt.Errorf("%w: %w", errDenied, why)
}

// errDenied says that a pool gave no address and that no other may be asked.
var errDenied = errors.New("the fallback is denied")

// returnEvery is how often a load balancer that has fallen back looks whether its
// pool has room again.
const returnEvery = 10 * time.Second

// away returns the nodes of a load balancer whose addresses are to come home: in
// service, and not from its pool.
func (b LoadBalancer) away(nodes []observedNode) []observedNode {
	if b.fallback() != fallbackReturn || b.Deleted || b.State != Active || b.Migration.underWay() {
		return nil
	}
	var out []observedNode
	for _, n := range nodes {
		switch {
		case n.Homing || n.Leaving:
			return nil // one after the other
		case b.wants(n.Node) && n.Phase == NodeInService && b.offPool(n.Node):
			out = append(out, n)
		}
	}
	return out
}

// hasRoom says whether a load balancer's block or pool has an address left.
func (s *Service) hasRoom(r store.Reader, b LoadBalancer) bool {
	return b.Block != nil && s.pools.HasRoom(r, b.Block.ID) || s.pools.HasRoom(r, b.PoolID)
}

// goHome has another node, with an address of the pool, take a node's place.
func (c *Controller) goHome(ctx context.Context, b LoadBalancer, nodeID string) error {
	return c.s.store.Update(ctx, func(tx *store.Tx) error {
		cur, ok := c.s.balancers.Get(tx, b.ARN)
		n, there := c.s.nodes.Get(tx, nodeID)
		if !ok || !there || n.Phase != NodeInService || !cur.wants(n) || cur.Generation != b.Generation || cur.fallback() != fallbackReturn {
			return nil
		}
		n.Leaving = true
		c.s.nodes.Put(tx, nodeID, n)
		c.s.opts.Events.Put(tx, cur.ofNode(n, event.AddressReturning, c.now(), "%s in %s leaves %s for an address of %s, which has room again", cur.Name, n.Zone, n.Public, source(cur.PoolID)))
		return nil
	})
}
