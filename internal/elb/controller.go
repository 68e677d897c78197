package elb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/failpoint"
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
	sub := c.s.store.Subscribe(c.s.balancers.Name(), c.s.nodes.Name(), c.s.groups.Name())
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
			switch k.Collection {
			case c.s.balancers.Name():
				c.queue.add(k.Key)
			case c.s.groups.Name(): // what is asked of its targets' health
				for _, arn := range c.s.balancersOfGroup(snap, k.Key) {
					c.queue.add(arn)
				}
			default:
				if n, ok := c.s.nodes.Get(snap, k.Key); ok {
					c.queue.add(n.LoadBalancerARN)
				}
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
		if n, ok := c.s.spokenOf(snap, id); ok {
			c.queue.add(n.LoadBalancerARN)
		}
	}
	for _, arn := range c.s.judged(snap, news, r.GoneTargets) {
		c.queue.add(arn)
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

func (c *Controller) observe(r store.Snapshot, arn string) (observed, bool) {
	b, ok := c.s.balancers.Get(r, arn)
	if !ok {
		return observed{}, false
	}
	o := observed{balancer: b, now: c.now(), verdicts: c.s.verdicts(r, b)}
	for _, n := range c.s.nodesByLB.Each(r, arn) {
		on := observedNode{Node: n}
		on.iface, _ = c.interfaces.Of(r, n.ID)
		on.heard = c.s.health.heard(n.Host)
		on.status, on.reported = c.s.health.node(n.Host, n.ID)
		on.status6, on.reported6 = c.s.health.node(n.Host, n.onHost())
		on.hostClosed6 = c.projector.closed(n.onHost())
		on.hostClosed = n.Phase == NodeClosed && c.projector.closed(n.ID) && (on.hostClosed6 || n.IPv6.Phase == "")
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
	case setGroups:
		return c.setSecurityGroups(ctx, b, st.nodes[0])
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
	case withdraw:
		return c.setWithdrawn(ctx, st.nodes[0], true)
	case restore:
		return c.setWithdrawn(ctx, st.nodes[0], false)
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
	case assignIPv6:
		return c.assignIPv6(ctx, st.nodes[0])
	case openIPv6:
		return c.openIPv6(ctx, st.nodes[0])
	case serveIPv6:
		return c.serveIPv6(ctx, st.nodes[0])
	case suspendIPv6:
		return c.endIPv6(ctx, st.nodes[0], NodeStarting)
	case retireIPv6:
		return c.endIPv6(ctx, st.nodes[0], NodeRetiring)
	case drainIPv6:
		return c.endIPv6(ctx, st.nodes[0], NodeDraining)
	case closeIPv6:
		return c.endIPv6(ctx, st.nodes[0], NodeClosed)
	case releaseIPv6:
		return c.releaseIPv6(ctx, st.nodes[0])
	case goHome:
		return c.goHome(ctx, b, st.nodes[0])
	case releaseBlocks:
		return c.releaseBlocks(ctx, b)
	}
	panic("elb: unknown step " + string(st.action))
}
