package elb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/store"
)

// The steps that bring nodes up, and their load balancer with them.

func (c *Controller) createNodes(ctx context.Context, b LoadBalancer, zones []ZoneSubnet) error {
	return c.s.store.Update(ctx, func(tx *store.Tx) error {
		cur, ok := c.s.balancers.Get(tx, b.ARN)
		if !ok || cur.Deleted {
			return nil
		}
		// Nodes are new keys: the load balancer's record, written anew, is what
		// keeps two controllers from making two for a zone.
		c.s.balancers.Put(tx, b.ARN, cur)
		have, homing := map[string]bool{}, map[string]bool{}
		for _, n := range c.s.nodesByLB.Each(tx, b.ARN) {
			have[n.Zone] = have[n.Zone] || cur.wants(n)
			homing[n.Zone] = homing[n.Zone] || n.Leaving && n.Phase == NodeInService && n.Generation == cur.Generation
		}
		for _, z := range zones {
			if have[z.Zone] || !slices.Contains(cur.Zones, z) {
				continue
			}
			id := ids.EC2("node")
			c.s.nodes.Put(tx, id, Node{ID: id, LoadBalancerARN: b.ARN, Zone: z.Zone, SubnetID: z.SubnetID, Host: c.projector.host,
				Generation: cur.Generation, Phase: NodeProvisioning, Since: c.now(), Homing: homing[z.Zone], NoPublicIPv4: cur.AddressType == typeWithoutPublicIPv4})
		}
		return nil
	})
}

func (c *Controller) createInterface(ctx context.Context, b LoadBalancer, nodeID string) error {
	n, ok := c.s.nodes.Get(c.s.store.Snapshot(), nodeID)
	if !ok {
		return nil
	}
	_, err := c.interfaces.Create(ctx, InterfaceSpec{
		NodeID: nodeID, Account: b.Account, Region: b.Region, SubnetID: n.SubnetID,
		Description: "ELB " + b.ID, SecurityGroups: b.SecurityGroups, Time: c.now(),
	})
	return err
}

func (c *Controller) place(ctx context.Context, b LoadBalancer, nodeIDs []string) error {
	return c.s.store.Update(ctx, func(tx *store.Tx) error {
		for _, id := range nodeIDs {
			n, ok := c.s.nodes.Get(tx, id)
			if !ok || n.Phase != NodeProvisioning {
				continue
			}
			iface, ok := c.interfaces.Of(tx, id)
			if !ok || (b.Scheme == InternetFacing && !n.NoPublicIPv4 && !iface.Public.IsValid()) {
				return fmt.Errorf("node %s has no interface with an address yet", id)
			}
			n.InterfaceID, n.Private, n.Public, n.PoolID = iface.ID, iface.Private, iface.Public, iface.PoolID
			n.Phase, n.Since, n.Homing = NodeStarting, c.now(), false
			c.s.opts.Events.Put(tx, b.drawn(n, c.now()))
			if iface.IPv6.IsValid() {
				c.gotIPv6(tx, b, &n, iface)
			}
			c.s.nodes.Put(tx, id, n)
		}
		return nil
	})
}

// serve records that the node serves, and where.
func (c *Controller) serve(ctx context.Context, nodeID string) error {
	return c.s.store.Update(ctx, func(tx *store.Tx) error {
		n, ok := c.s.nodes.Get(tx, nodeID)
		if !ok || (n.Phase != NodeStarting && n.Phase != NodeInService && n.Phase != NodeRetiring) {
			return nil
		}
		if n.Phase == NodeRetiring && !c.wanted(tx, n) {
			return nil
		}
		status, ok := c.s.health.node(n.Host, nodeID)
		if !ok || !status.Ready {
			return nil
		}
		n.Bound = status.Bound
		if n.Phase != NodeInService {
			n.Phase, n.Since = NodeInService, c.now()
			b := c.balancerOf(tx, n)
			c.s.entered(tx, b, n, "")
			c.servesIPv6(tx, b, &n)
		}
		c.s.nodes.Put(tx, nodeID, n)
		return nil
	})
}

// takeOver puts a generation in the place of those before it, in one transaction:
// DNS names the nodes of the one or of the others, never of both. It does nothing
// unless all of the generation serve.
func (c *Controller) takeOver(ctx context.Context, b LoadBalancer, nodeIDs []string) error {
	err := c.s.store.Update(ctx, func(tx *store.Tx) error {
		cur, ok := c.s.balancers.Get(tx, b.ARN)
		if !ok || cur.Deleted || cur.Generation != b.Generation {
			return nil // planned for what is no longer wanted
		}
		var named []string
		for _, id := range nodeIDs {
			n, ok := c.s.nodes.Get(tx, id)
			if !ok {
				return errNotYet
			}
			switch {
			case !cur.wants(n):
				if n.Phase == NodeInService {
					n.Phase, n.Since = NodeRetiring, c.now()
					c.s.entered(tx, cur, n, "")
				}
			case n.Phase == NodeStarting || n.Phase == NodeRetiring:
				status, ok := c.s.health.node(n.Host, id)
				if !ok || !status.Ready {
					return errNotYet
				}
				n.Phase, n.Since, n.Bound = NodeInService, c.now(), status.Bound
				c.s.entered(tx, cur, n, "")
				c.servesIPv6(tx, cur, &n)
				for _, a := range n.Answers() {
					named = append(named, a.Address.String())
				}
			}
			c.s.nodes.Put(tx, id, n)
		}
		c.moved(tx, cur, named)
		return nil
	})
	if errors.Is(err, errNotYet) {
		return nil
	}
	return err
}

// errNotYet ends a transaction that was planned on what has changed since; the
// next plan knows.
var errNotYet = errors.New("elb: not yet")

func (c *Controller) activate(ctx context.Context, b LoadBalancer) error {
	return c.s.store.Update(ctx, func(tx *store.Tx) error {
		cur, ok := c.s.balancers.Get(tx, b.ARN)
		if !ok || cur.Deleted || cur.State == Active {
			return nil
		}
		for _, z := range cur.Zones {
			if !c.zoneServes(tx, b.ARN, z.Zone) {
				return nil // a node has gone out of service meanwhile
			}
		}
		cur.State, cur.Reason = Active, ""
		c.s.balancers.Put(tx, b.ARN, cur)
		c.s.opts.Events.Put(tx, cur.about(event.BalancerActive, c.now(), "%s is active: a node in each of its %d zones serves", cur.Name, len(cur.Zones)))
		return nil
	})
}

// zoneServes says whether a node of the zone is in service, and guards it.
func (c *Controller) zoneServes(tx *store.Tx, arn, zone string) bool {
	for id, n := range c.s.nodesByLB.Each(tx, arn) {
		if n.Zone == zone && n.Phase == NodeInService {
			_, ok := c.s.nodes.Get(tx, id)
			return ok
		}
	}
	return false
}
