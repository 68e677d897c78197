package elb

import (
	"context"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store"
)

// verdict says whether enough of the targets that a zone's nodes use are healthy
// for DNS to name them (ELB user guide, "Target group health", DNS failover).
type verdict uint8

// The verdicts. As long as it depends on targets of which nothing is known yet, as
// after a restart, what has been decided stands.
const (
	fine verdict = iota
	unsettled
	failing
)

// groupHealth is what is known of the targets that one group has registered.
type groupHealth struct {
	minimum  snapshot.Threshold
	zoneOnly bool
	targets  []zoneTarget
}

// zoneTarget is one of them.
type zoneTarget struct {
	zone    string
	healthy bool
	pending bool // it isn't known yet
}

// in says whether nodes of the zone may use the target.
func (t zoneTarget) in(zone string) bool { return t.zone == zone || t.zone == "" || t.zone == anyZone }

// judge counts one group's targets: those of the zone, or of all zones where the
// group crosses them.
func (g groupHealth) judge(zone string) verdict {
	healthy, pending, registered := 0, 0, 0
	for _, t := range g.targets {
		if g.zoneOnly && !t.in(zone) {
			continue
		}
		registered++
		switch {
		case t.healthy:
			healthy++
		case t.pending:
			pending++
		}
	}
	enough := func(n int) bool {
		return n >= g.minimum.Count && 100*n >= g.minimum.Percent*registered
	}
	switch {
	case len(g.targets) == 0, enough(healthy): // a group without targets takes nothing out of DNS
		return fine
	case enough(healthy + pending):
		return unsettled
	}
	return failing
}

// judge returns the verdict on each zone: one group is enough to lose it.
func judge(zones []ZoneSubnet, groups []groupHealth) map[string]verdict {
	out := map[string]verdict{}
	for _, z := range zones {
		for _, g := range groups {
			out[z.Zone] = max(out[z.Zone], g.judge(z.Zone))
		}
	}
	return out
}

// withdrawnEvery is how often it is looked whether a zone that DNS doesn't name can
// be named again, beside when its targets change.
const withdrawnEvery = 10 * time.Second

// planNames has DNS name the nodes of zones that are fine; all of them, if no zone
// is. Nothing is concluded from a host's silence.
func planNames(o observed) (steps []step, again time.Duration) {
	withdrawn := map[string]bool{}
	for _, n := range o.nodes {
		withdrawn[n.Zone] = withdrawn[n.Zone] || n.Withdrawn && n.Phase == NodeInService
	}
	out := map[string]bool{}
	for _, z := range o.balancer.Zones {
		v := o.verdicts[z.Zone]
		if v == failing || v == unsettled && withdrawn[z.Zone] {
			out[z.Zone] = true
		}
	}
	if len(out) == len(o.balancer.Zones) {
		clear(out)
	}
	if len(out) > 0 {
		again = withdrawnEvery
	}
	for _, n := range o.nodes {
		switch is := out[n.Zone]; {
		case n.Phase != NodeInService || !n.heard || n.Withdrawn == is:
		case is:
			steps = append(steps, step{action: withdraw, nodes: []string{n.ID}})
		default:
			steps = append(steps, step{action: restore, nodes: []string{n.ID}})
		}
	}
	return steps, again
}

// verdicts judges the zones of a load balancer; nil: all are fine. Where every
// target group crosses zones all zones are alike, so that DNS names all in any case.
func (s *Service) verdicts(r store.Reader, b LoadBalancer) map[string]verdict {
	var groups []TargetGroup
	zoneOnly := false
	seen := map[string]bool{}
	for _, rule := range s.rulesByLB.Each(r, b.ARN) {
		for _, arn := range groupsOf(rule.Actions) {
			if g, ok := s.groups.Get(r, arn); ok && !seen[arn] {
				seen[arn] = true
				groups = append(groups, g)
				zoneOnly = zoneOnly || g.zoneOnly()
			}
		}
	}
	if !zoneOnly {
		return nil
	}
	zones := zonesOf(b)
	var health []groupHealth
	for _, g := range groups {
		health = append(health, s.healthOfGroup(r, g, zones, g.threshold("dns_failover")))
	}
	return judge(b.Zones, health)
}

// healthOfGroup returns what is known of the targets that a group has registered, for a load
// balancer in the zones.
func (s *Service) healthOfGroup(r store.Reader, g TargetGroup, zones []string, minimum snapshot.Threshold) groupHealth {
	h := groupHealth{minimum: minimum, zoneOnly: g.zoneOnly()}
	regs, _ := s.targets.Get(r, g.ARN)
	for _, t := range regs.Targets {
		if !t.DrainUntil.IsZero() || !t.enabled(zones) || !s.running(r, g, t) {
			continue
		}
		st, known := s.health.target(g.ARN, t.AddrPort())
		h.targets = append(h.targets, zoneTarget{zone: t.Zone,
			healthy: known && (st.State == snapshot.TargetHealthy || st.State == snapshot.TargetUnavailable),
			pending: !known || st.State == snapshot.TargetInitial || st.State == snapshot.TargetDraining}) // draining: before it was registered again
	}
	return h
}

// zonesOf returns the zones that a load balancer is in.
func zonesOf(b LoadBalancer) (zones []string) {
	for _, z := range b.Zones {
		zones = append(zones, z.Zone)
	}
	return zones
}

// judged returns the ARNs of the load balancers about whose zones a report may
// decide: those with a group that keeps to zones, of which a target's state is new.
func (s *Service) judged(r store.Reader, news reportNews, gone []snapshot.TargetKey) (arns []string) {
	groups := map[string]bool{}
	for _, t := range news.targets {
		if !t.known || t.before.State != t.now.State {
			groups[t.now.TargetGroupARN] = true
		}
	}
	for _, k := range gone {
		groups[k.TargetGroupARN] = true
	}
	for arn := range groups {
		for _, b := range s.balancersOfGroup(r, arn) {
			if !slices.Contains(arns, b) && s.keepsToZones(r, b) {
				arns = append(arns, b)
			}
		}
	}
	return arns
}

// keepsToZones says whether one of the load balancer's target groups does.
func (s *Service) keepsToZones(r store.Reader, balancer string) bool {
	for _, rule := range s.rulesByLB.Each(r, balancer) {
		for _, arn := range groupsOf(rule.Actions) {
			if g, ok := s.groups.Get(r, arn); ok && g.zoneOnly() {
				return true
			}
		}
	}
	return false
}

// setWithdrawn has DNS name a node in service, or not.
func (c *Controller) setWithdrawn(ctx context.Context, nodeID string, withdrawn bool) error {
	return c.s.store.Update(ctx, func(tx *store.Tx) error {
		n, ok := c.s.nodes.Get(tx, nodeID)
		if !ok || n.Phase != NodeInService || n.Withdrawn == withdrawn {
			return nil
		}
		n.Withdrawn = withdrawn
		c.s.nodes.Put(tx, nodeID, n)
		kind, text := event.NodeRestored, "is in DNS again: enough of its zone's targets are healthy, or no zone's are"
		if withdrawn {
			kind, text = event.NodeWithdrawn, "is out of DNS: too few of its zone's targets are healthy"
		}
		b := c.balancerOf(tx, n)
		c.s.opts.Events.Put(tx, b.ofNode(n, kind, c.now(), "%s in %s (%s) %s", b.Name, n.Zone, n.Address(), text))
		return nil
	})
}
