package elb

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store"
)

// A node of a load balancer with IPv6 has a second address. It comes to a node that
// serves, and goes from it, without the node being replaced, and lives as a node
// does: it starts, is in DNS, leaves that, serves on until nobody knows it, ends
// its connections, is closed, and only then goes back (I3, I4, I9). To its host it
// is a node of its own, which carries the same load balancer.

// NodeIPv6 is a node's IPv6 address, with a life as the node's; zero for none.
// Phase is none of NodeProvisioning.
type NodeIPv6 struct {
	Addr  netip.Addr
	Bound netip.Addr // that the host listens on, as last reported; zero before
	Phase NodePhase
	Since time.Time // of the phase
}

// ipv6Mark follows a node's ID in the name that its IPv6 address has on its host.
const ipv6Mark = "/ipv6"

// onHost is the name that the IPv6 address of a node has on its host.
func (n Node) onHost() string { return n.ID + ipv6Mark }

// second returns the node as if its IPv6 address were its only one.
func (n Node) second() Node {
	n.Phase, n.Since, n.Bound = n.IPv6.Phase, n.IPv6.Since, n.IPv6.Bound
	n.Public, n.PoolID, n.IPv6 = n.IPv6.Addr, "", NodeIPv6{}
	return n
}

// spokenOf returns the node that a host speaks of.
func (s *Service) spokenOf(r store.Reader, onHost string) (Node, bool) {
	id, second := strings.CutSuffix(onHost, ipv6Mark)
	n, ok := s.nodes.Get(r, id)
	if second {
		n = n.second()
	}
	return n, ok
}

// Answer is an address that a load balancer's name says.
type Answer struct {
	Address netip.Addr // the node's
	Bound   netip.Addr // where its host listens
}

// Answers returns what DNS is to say of a node in service.
func (n Node) Answers() (out []Answer) {
	if !n.NoPublicIPv4 {
		out = append(out, Answer{n.Address(), n.Bound})
	}
	if n.IPv6.Phase == NodeInService {
		out = append(out, Answer{n.IPv6.Addr, n.IPv6.Bound})
	}
	return out
}

// secondOnHost returns what the host of a node in a phase is to carry of its IPv6
// address.
func (n Node) secondOnHost(scheme Scheme, phase snapshot.NodePhase) *snapshot.Node {
	out := &snapshot.Node{ID: n.onHost(), LoadBalancerARN: n.LoadBalancerARN, Zone: n.Zone, Phase: phase}
	if n.IPv6.Phase == NodeDraining {
		out.Phase = snapshot.NodeDraining
	}
	if scheme == Internal {
		out.Private = n.IPv6.Addr
	} else {
		out.Public = n.IPv6.Addr
	}
	return out
}

// second returns what is observed of the node as if its IPv6 address were its only one.
func (n observedNode) second() observedNode {
	return observedNode{Node: n.Node.second(), iface: n.iface, status: n.status6, heard: n.heard, reported: n.reported6, hostClosed: n.hostClosed6}
}

// servingAll says whether the host says that the node serves on all addresses that
// it is to serve on.
func (n observedNode) servingAll() bool {
	switch n.IPv6.Phase {
	case NodeStarting, NodeInService:
		return n.serving() && n.second().serving()
	case NodeProvisioning, NodeRetiring, NodeDraining, NodeClosed:
	}
	return n.serving()
}

// planIPv6 leads the IPv6 addresses of nodes that have an interface to what the
// load balancer's IP address type says. Nodes that it is about to replace keep
// what they have.
func planIPv6(o observed, ttl time.Duration) (steps []step, again time.Duration) {
	for _, n := range o.nodes {
		do := func(a action) { steps = append(steps, step{action: a, nodes: []string{n.ID}}) }
		second := n.second()
		stays, ending := o.balancer.wants(n.Node) && n.Phase != NodeProvisioning, n.IPv6.Phase == NodeDraining || n.IPv6.Phase == NodeClosed
		switch {
		case !stays && !ending:
		case ending:
			more, wait := planEnd(o, second, ttl)
			for _, s := range more {
				do(map[action]action{closeNode: closeIPv6, release: releaseIPv6}[s.action])
			}
			again = sooner(again, wait)
		case n.IPv6.Phase == "" && n.iface.IPv6.IsValid() != o.balancer.ipv6():
			do(map[bool]action{true: assignIPv6, false: releaseIPv6}[o.balancer.ipv6()])
		case n.IPv6.Phase == "":
			if n.iface.IPv6.IsValid() {
				do(openIPv6)
			}
		case o.balancer.ipv6() && !n.iface.IPv6.IsValid(): // given back by who thought that it was unwanted; it is the same again
			do(assignIPv6)
		case o.balancer.ipv6() && n.Phase != NodeInService: // it will serve with the node, or goes with it
		case o.balancer.ipv6():
			switch in := n.IPv6.Phase == NodeInService; {
			case in && n.heard && !second.serving():
				do(suspendIPv6)
			case second.serving() && (!in || second.status.Bound != n.IPv6.Bound):
				do(serveIPv6)
			}
		case n.IPv6.Phase == NodeInService:
			do(retireIPv6)
		default: // it was never in DNS, or isn't any more
			more, wait := planRetirement(o, []observedNode{second}, ttl)
			for _, s := range more {
				do(map[action]action{closeNode: closeIPv6, drain: drainIPv6}[s.action])
			}
			again = sooner(again, wait)
		}
	}
	return steps, again
}

// assignIPv6 gives a node's interface its IPv6 address.
func (c *Controller) assignIPv6(ctx context.Context, nodeID string) error {
	iface, ok := c.interfaces.Of(c.s.store.Snapshot(), nodeID)
	if !ok {
		return nil
	}
	return c.interfaces.AssignIPv6(ctx, iface.ID, c.now())
}

// openIPv6 has the host serve on the IPv6 address that the node's interface has.
func (c *Controller) openIPv6(ctx context.Context, nodeID string) error {
	return c.changeIPv6(ctx, nodeID, func(tx *store.Tx, b LoadBalancer, n *Node) bool {
		iface, ok := c.interfaces.Of(tx, nodeID)
		if n.IPv6.Phase != "" || !b.ipv6() || !b.wants(*n) || !ok || !iface.IPv6.IsValid() {
			return false
		}
		c.gotIPv6(tx, b, n, iface)
		return true
	})
}

// gotIPv6 has a node serve on the IPv6 address of its interface.
func (c *Controller) gotIPv6(tx *store.Tx, b LoadBalancer, n *Node, iface Interface) {
	n.IPv6 = NodeIPv6{Addr: iface.IPv6, Phase: NodeStarting, Since: c.now()}
	c.s.opts.Events.Put(tx, b.ofNode(n.second(), event.AddressDrawn, c.now(), "%s in %s has %s of %s", b.Name, n.Zone, n.IPv6.Addr, n.SubnetID))
}

// serveIPv6 records that the IPv6 address serves, and where.
func (c *Controller) serveIPv6(ctx context.Context, nodeID string) error {
	return c.changeIPv6(ctx, nodeID, func(tx *store.Tx, b LoadBalancer, n *Node) bool {
		return b.ipv6() && b.wants(*n) && c.servesIPv6(tx, b, n)
	})
}

// servesIPv6 records of a node that its IPv6 address serves, if its host says so
// and nothing has ended that.
func (c *Controller) servesIPv6(tx *store.Tx, b LoadBalancer, n *Node) bool {
	status, ok := c.s.health.node(n.Host, n.onHost())
	if !ok || !status.Ready {
		return false
	}
	switch n.IPv6.Phase {
	case NodeStarting, NodeRetiring:
		n.IPv6.Phase, n.IPv6.Since, n.IPv6.Bound = NodeInService, c.now(), status.Bound
		if n.Phase == NodeInService {
			c.s.entered(tx, b, n.second(), "")
		}
	case NodeInService:
		n.IPv6.Bound = status.Bound
	case NodeProvisioning, NodeDraining, NodeClosed:
		return false
	}
	return true
}

// endIPv6 leads the IPv6 address to another phase, unless its load balancer is to
// have it after all. One whose connections are being ended goes on to its end.
func (c *Controller) endIPv6(ctx context.Context, nodeID string, to NodePhase) error {
	return c.changeIPv6(ctx, nodeID, func(tx *store.Tx, b LoadBalancer, n *Node) bool {
		from := n.IPv6.Phase
		if from != NodeDraining && to != NodeStarting && b.ipv6() {
			return false
		}
		for _, p := range before[to] {
			if p == from {
				n.IPv6.Phase, n.IPv6.Since = to, c.now()
				why := ""
				if !b.ipv6() {
					why = "the load balancer has no IPv6 addresses any more"
				}
				c.s.entered(tx, b, n.second(), why)
				return true
			}
		}
		return false
	})
}

// changeIPv6 changes a node's record, unless the node or its load balancer is gone.
func (c *Controller) changeIPv6(ctx context.Context, nodeID string, change func(tx *store.Tx, b LoadBalancer, n *Node) bool) error {
	return c.s.store.Update(ctx, func(tx *store.Tx) error {
		n, ok := c.s.nodes.Get(tx, nodeID)
		if !ok {
			return nil
		}
		b, ok := c.s.balancers.Get(tx, n.LoadBalancerARN)
		if ok && !b.Deleted && change(tx, b, &n) {
			c.s.nodes.Put(tx, nodeID, n)
		}
		return nil
	})
}

// releaseIPv6 gives back the IPv6 address of an interface whose host has closed it,
// or has never had it.
func (c *Controller) releaseIPv6(ctx context.Context, nodeID string) error {
	if iface, ok := c.interfaces.Of(c.s.store.Snapshot(), nodeID); ok {
		if err := c.interfaces.ReleaseIPv6(ctx, iface.ID); err != nil {
			return err
		}
	}
	return c.changeIPv6(ctx, nodeID, func(tx *store.Tx, b LoadBalancer, n *Node) bool {
		if n.IPv6.Phase != NodeClosed {
			return false
		}
		was := n.second()
		n.IPv6 = NodeIPv6{}
		c.s.opts.Events.Put(tx, b.ofNode(was, event.AddressReturned, c.now(), "%s in %s has given %s back to %s", b.Name, n.Zone, was.Public, n.SubnetID))
		return true
	})
}
