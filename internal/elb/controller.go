package elb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/failpoint"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store"
)

// Controller makes what load balancers there should be: it looks at one, plans,
// takes the steps, and looks again whenever something about it changes.
type Controller struct {
	s          *Service
	interfaces Interfaces
	projector  *Projector
	now        func() time.Time
	log        *slog.Logger

	queue *queue

	mu       sync.Mutex // guards the following
	failures map[string]int
}

// workers is how many load balancers are worked on at a time. Their steps wait
// for commits, not for a processor.
const workers = 16

// Pauses after a step that failed.
const (
	minBackoff = 50 * time.Millisecond
	maxBackoff = 30 * time.Second
)

// NewController returns the controller that places every node on the projector's host.
func (s *Service) NewController(interfaces Interfaces, p *Projector, log *slog.Logger) *Controller {
	return &Controller{s: s, interfaces: interfaces, projector: p, now: time.Now, log: log, queue: newQueue(), failures: map[string]int{}}
}

// Run works until ctx ends.
func (c *Controller) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				arn, ok := c.queue.get()
				if !ok {
					return
				}
				c.work(ctx, arn)
				c.queue.done(arn)
			}
		})
	}
	wg.Go(func() { c.follow(ctx) })
	wg.Go(func() { c.expireTargets(ctx) })
	wg.Go(func() { c.sweepInterfaces(ctx) })
	<-ctx.Done()
	c.queue.close()
	wg.Wait()
}

// follow puts the load balancers that changed into the queue.
func (c *Controller) follow(ctx context.Context) {
	sub := c.s.store.Subscribe(c.s.balancers.Name(), c.s.nodes.Name())
	defer sub.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case <-sub.C:
		}
		keys, all := sub.Take() // before the snapshot, which then shows all that it tells of
		snap := c.s.store.Snapshot()
		if all {
			for arn := range c.s.balancers.All(snap) {
				c.queue.add(arn)
			}
		}
		for _, k := range keys {
			if k.Collection == c.s.balancers.Name() {
				c.queue.add(k.Key)
			} else if n, ok := c.s.nodes.Get(snap, k.Key); ok {
				c.queue.add(n.LoadBalancerARN)
			}
		}
	}
}

// Report takes what a host reports.
func (c *Controller) Report(_ context.Context, r *snapshot.Report) error {
	if r.Version > snapshot.Version {
		return fmt.Errorf("report of host %s has format %d, newer than this program's %d", r.Host, r.Version, snapshot.Version)
	}
	news, err := c.s.health.record(r)
	if err != nil {
		return err
	}
	snap := c.s.store.Snapshot()
	c.s.tellReport(snap, news, c.now())
	for _, id := range news.decisive() {
		if n, ok := c.s.nodes.Get(snap, id); ok {
			c.queue.add(n.LoadBalancerARN)
		}
	}
	// A report may be the acknowledgement that a closed node waits for.
	for _, n := range c.s.closedByHost.Each(snap, r.Host) {
		c.queue.add(n.LoadBalancerARN)
	}
	return nil
}

// work plans for one load balancer and takes the steps.
func (c *Controller) work(ctx context.Context, arn string) {
	if ctx.Err() != nil {
		return
	}
	snap := c.s.store.Snapshot()
	o, ok := c.observe(snap, arn)
	if !ok {
		c.forget(arn)
		return
	}
	if err := c.clearListeners(ctx, arn); err != nil && ctx.Err() == nil {
		c.log.Warn("a listener is cleared away later", "load balancer", arn, "error", err)
	}
	steps, again := plan(o, c.s.opts.DNSTTL)
	for _, st := range steps {
		if err := c.take(ctx, o.balancer, st); err != nil {
			if ctx.Err() == nil {
				c.retry(ctx, arn, st, err)
			}
			return
		}
	}
	c.forget(arn)
	switch {
	case len(steps) > 0:
		c.queue.add(arn) // the next plan may go on at once
	case again > 0:
		c.queue.addAfter(arn, again)
	}
}

// forget begins the pauses of a load balancer anew.
func (c *Controller) forget(arn string) {
	c.mu.Lock()
	delete(c.failures, arn)
	c.mu.Unlock()
}

func (c *Controller) retry(ctx context.Context, arn string, st step, err error) {
	c.mu.Lock()
	c.failures[arn]++
	pause := min(maxBackoff, minBackoff<<min(c.failures[arn]-1, 16))
	c.mu.Unlock()
	c.log.Error("load balancer step failed", "load_balancer", arn, "step", string(st.action), "error", err, "again_in", pause)
	if reason := reasonOf(err); reason != "" {
		if err := c.explain(ctx, arn, reason, errors.Is(err, errDenied)); err != nil && ctx.Err() == nil {
			c.log.Error("load balancer's state not explained", "load_balancer", arn, "error", err)
		}
	}
	c.queue.addAfter(arn, pause)
}

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

func (c *Controller) observe(r store.Snapshot, arn string) (observed, bool) {
	b, ok := c.s.balancers.Get(r, arn)
	if !ok {
		return observed{}, false
	}
	o := observed{balancer: b, now: c.now()}
	for _, n := range c.s.nodesByLB.Each(r, arn) {
		on := observedNode{Node: n}
		on.iface, _ = c.interfaces.Of(r, n.ID)
		on.heard = c.s.health.heard(n.Host)
		on.status, on.reported = c.s.health.node(n.Host, n.ID)
		on.hostClosed = n.Phase == NodeClosed && c.projector.closed(n.ID)
		o.nodes = append(o.nodes, on)
	}
	o.room = len(b.away(o.nodes)) > 0 && c.s.hasRoom(r, b)
	return o, true
}

// take takes one step. The failpoints are where a crash must be harmless.
func (c *Controller) take(ctx context.Context, b LoadBalancer, st step) error {
	failpoint.Hit("elb." + string(st.action) + ".before")
	defer failpoint.Hit("elb." + string(st.action) + ".after")
	switch st.action {
	case createNodes:
		return c.createNodes(ctx, b, st.zones)
	case createInterface:
		return c.createInterface(ctx, b, st.nodes[0])
	case assignAddress:
		return c.assignAddress(ctx, b, st.nodes[0])
	case place:
		return c.place(ctx, b, st.nodes)
	case serve, rebind:
		return c.serve(ctx, st.nodes[0])
	case takeOver:
		return c.takeOver(ctx, b, st.nodes)
	case retire:
		return c.retire(ctx, st.nodes)
	case suspend:
		return c.setPhase(ctx, st.nodes[0], NodeStarting)
	case activate:
		return c.activate(ctx, b)
	case drain:
		return c.setPhase(ctx, st.nodes[0], NodeDraining)
	case closeNode:
		return c.setPhase(ctx, st.nodes[0], NodeClosed)
	case release:
		return c.release(ctx, st.nodes[0])
	case remove:
		return c.remove(ctx, b)
	case endMigration:
		return c.endMigration(ctx, b)
	case goHome:
		return c.goHome(ctx, b, st.nodes[0])
	case releaseBlocks:
		return c.releaseBlocks(ctx, b)
	}
	panic("elb: unknown step " + string(st.action))
}

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
				Generation: cur.Generation, Phase: NodeProvisioning, Since: c.now(), Homing: homing[z.Zone]})
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
			if !ok || (b.Scheme == InternetFacing && !iface.Public.IsValid()) {
				return fmt.Errorf("node %s has no interface with an address yet", id)
			}
			n.InterfaceID, n.Private, n.Public, n.PoolID = iface.ID, iface.Private, iface.Public, iface.PoolID
			n.Phase, n.Since, n.Homing = NodeStarting, c.now(), false
			c.s.nodes.Put(tx, id, n)
			c.s.opts.Events.Put(tx, b.drawn(n, c.now()))
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
			c.s.entered(tx, c.balancerOf(tx, n), n, "")
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
				named = append(named, n.Address().String())
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
