package elb

import (
	"cmp"
	"context"
	"log/slog"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store"
)

// Projector turns records into the assignment of one host, again whenever
// records change. It keeps the parts of the assignment and makes anew only
// those that a change touches.
type Projector struct {
	s    *Service
	host string
	log  *slog.Logger

	// The following belong to Run's goroutine.
	balancers map[string]balancerPart         // by ARN
	groups    map[string]snapshot.TargetGroup // by ARN, those that a part names

	out chan *snapshot.Assignment // holds the newest that wasn't taken

	mu   sync.Mutex // guards the following
	sent *snapshot.Assignment
}

// balancerPart is what one load balancer contributes.
type balancerPart struct {
	balancer snapshot.LoadBalancer
	nodes    []snapshot.Node
	groups   []string
}

// NewProjector returns the projector for a host.
func (s *Service) NewProjector(host string, log *slog.Logger) *Projector {
	return &Projector{s: s, host: host, log: log, balancers: map[string]balancerPart{}, groups: map[string]snapshot.TargetGroup{},
		out: make(chan *snapshot.Assignment, 1)}
}

// Assignments returns the channel on which the host gets its assignments, each
// whole. One that wasn't taken before the next is ready is dropped.
func (p *Projector) Assignments() <-chan *snapshot.Assignment { return p.out }

// Run projects until ctx ends.
func (p *Projector) Run(ctx context.Context) {
	sub := p.s.store.Subscribe(p.s.balancers.Name(), p.s.listeners.Name(), p.s.rules.Name(), p.s.groups.Name(), p.s.targets.Name(), p.s.nodes.Name())
	defer sub.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case <-sub.C:
		}
		keys, all := sub.Take() // before the snapshot, which then shows all that it tells of
		snap := p.s.store.Snapshot()
		if p.update(snap, keys, all) || p.sent == nil {
			p.send(snap.Revision())
		}
	}
}

// update brings the parts up to date and says whether any differs.
func (p *Projector) update(r store.Snapshot, keys []store.Key, all bool) (changed bool) {
	balancers, groups := map[string]bool{}, map[string]bool{}
	for _, k := range keys {
		switch k.Collection {
		case p.s.balancers.Name():
			balancers[k.Key] = true
		case p.s.groups.Name():
			groups[k.Key] = true
		case p.s.targets.Name():
			group, _, _ := strings.Cut(k.Key, "|")
			groups[group] = true
		case p.s.nodes.Name(), p.s.listeners.Name(), p.s.rules.Name():
			balancers[p.balancerOf(r, k)] = true
		}
	}
	if all {
		for arn := range p.s.balancers.All(r) {
			balancers[arn] = true
		}
		for arn := range p.balancers {
			balancers[arn] = true
		}
		for arn := range p.groups {
			groups[arn] = true
		}
	}
	for arn := range balancers {
		part, here := p.part(r, arn)
		old, was := p.balancers[arn]
		if here == was && reflect.DeepEqual(part, old) {
			continue
		}
		changed = true
		for _, g := range append(slices.Clone(part.groups), old.groups...) {
			groups[g] = true
		}
		if here {
			p.balancers[arn] = part
		} else {
			delete(p.balancers, arn)
		}
	}
	used := map[string]bool{}
	for _, part := range p.balancers {
		for _, g := range part.groups {
			used[g] = true
		}
	}
	for arn := range groups {
		g, ok := p.s.groups.Get(r, arn)
		if !ok || !used[arn] {
			if _, was := p.groups[arn]; was {
				delete(p.groups, arn)
				changed = true
			}
			continue
		}
		if next := p.group(r, g); !reflect.DeepEqual(p.groups[arn], next) {
			p.groups[arn] = next
			changed = true
		}
	}
	return changed
}

// balancerOf returns the load balancer that a node's, listener's or rule's record
// belongs to. A deleted node's is looked for in what was projected before; a
// deleted listener's or rule's is in its ARN.
func (p *Projector) balancerOf(r store.Snapshot, k store.Key) string {
	if k.Collection != p.s.nodes.Name() {
		parts := strings.Split(k.Key, "/") // …:listener/app/NAME/HEX/…
		if len(parts) < 4 {
			return ""
		}
		head, _, _ := strings.Cut(parts[0], ":listener")
		return head + ":loadbalancer/" + strings.Join(parts[1:4], "/")
	}
	if n, ok := p.s.nodes.Get(r, k.Key); ok {
		return n.LoadBalancerARN
	}
	for arn, part := range p.balancers {
		if slices.ContainsFunc(part.nodes, func(n snapshot.Node) bool { return n.ID == k.Key }) {
			return arn
		}
	}
	return ""
}

// part makes one load balancer's contribution; false if it has no node here.
func (p *Projector) part(r store.Snapshot, arn string) (balancerPart, bool) {
	b, ok := p.s.balancers.Get(r, arn)
	if !ok {
		return balancerPart{}, false
	}
	var part balancerPart
	for _, n := range p.s.nodesByLB.Each(r, arn) {
		phase := snapshot.NodeServing
		switch n.Phase {
		case NodeProvisioning, NodeClosed:
			continue
		case NodeDraining:
			phase = snapshot.NodeDraining
		}
		if n.Host == p.host {
			part.nodes = append(part.nodes, snapshot.Node{ID: n.ID, LoadBalancerARN: arn, Zone: n.Zone, Public: n.Public, Private: n.Private, Phase: phase})
		}
	}
	if part.nodes == nil {
		return balancerPart{}, false
	}
	part.balancer = snapshot.LoadBalancer{
		ARN: arn, Name: b.Name, ID: b.ID, DNSName: strings.ToLower(b.DNSName),
		IdleTimeout:     seconds(b.Attributes["idle_timeout.timeout_seconds"], 60),
		ClientKeepAlive: seconds(b.Attributes["client_keep_alive.seconds"], 3600),
	}
	for _, l := range p.s.listenersByLB.Each(r, arn) {
		out := snapshot.Listener{ARN: l.ARN, Port: l.Port, Protocol: snapshot.Protocol(l.Protocol)}
		for _, rule := range p.s.rulesByListener.Each(r, l.ARN) {
			out.Rules = append(out.Rules, projectRule(rule))
			for _, g := range groupsOf(rule.Actions) {
				if !slices.Contains(part.groups, g) {
					part.groups = append(part.groups, g)
				}
			}
		}
		slices.SortFunc(out.Rules, func(a, b snapshot.Rule) int {
			return cmp.Compare(cmp.Or(a.Priority, 1<<30), cmp.Or(b.Priority, 1<<30)) // 0, the default, last
		})
		part.balancer.Listeners = append(part.balancer.Listeners, out)
	}
	slices.SortFunc(part.balancer.Listeners, func(a, b snapshot.Listener) int { return cmp.Compare(a.Port, b.Port) })
	return part, true
}

func seconds(attribute string, otherwise int) time.Duration {
	n, err := strconv.Atoi(attribute)
	if err != nil {
		n = otherwise
	}
	return time.Duration(n) * time.Second
}

func projectRule(rule Rule) snapshot.Rule {
	out := snapshot.Rule{ARN: rule.ARN, Priority: rule.Priority}
	for _, c := range rule.Conditions {
		out.Conditions = append(out.Conditions, snapshot.Condition{Field: snapshot.ConditionField(c.Field), Header: c.Header, Keys: c.Keys, Values: c.Values})
	}
	for _, a := range rule.Actions {
		act := snapshot.Action{Type: snapshot.ActionType(a.Type)}
		if a.Forward != nil {
			act.Forward = new(snapshot.Forward)
			for _, g := range a.Forward.TargetGroups {
				act.Forward.TargetGroups = append(act.Forward.TargetGroups, snapshot.WeightedTargetGroup{ARN: g.ARN, Weight: g.Weight})
			}
		}
		if f := a.FixedResponse; f != nil {
			act.FixedResponse = &snapshot.FixedResponse{StatusCode: f.StatusCode, ContentType: f.ContentType, Body: f.Body}
		}
		out.Actions = append(out.Actions, act)
	}
	return out
}

func (p *Projector) group(r store.Snapshot, g TargetGroup) snapshot.TargetGroup {
	out := snapshot.TargetGroup{
		ARN: g.ARN, Protocol: snapshot.Protocol(g.Protocol), DeregistrationDelay: g.DeregistrationDelay(),
		HealthCheck: snapshot.HealthCheck{
			Enabled: true, Protocol: snapshot.Protocol(g.HealthCheck.Protocol), Port: g.HealthCheck.Port, Path: g.HealthCheck.Path,
			Interval: g.HealthCheck.Interval, Timeout: g.HealthCheck.Timeout,
			HealthyThreshold: g.HealthCheck.HealthyThreshold, UnhealthyThreshold: g.HealthCheck.UnhealthyThreshold, Matcher: g.HealthCheck.Matcher,
		},
	}
	for _, t := range p.s.targetsByGroup.Each(r, g.ARN) {
		out.Targets = append(out.Targets, snapshot.Target{Addr: t.Addr, Port: t.Port, Zone: t.Zone, Draining: !t.DrainUntil.IsZero()})
	}
	slices.SortFunc(out.Targets, func(a, b snapshot.Target) int { return a.AddrPort().Compare(b.AddrPort()) })
	return out
}

// send offers the assignment that the parts make, in place of one not yet taken.
func (p *Projector) send(revision int64) {
	a := &snapshot.Assignment{Version: snapshot.Version, Revision: revision, Host: p.host}
	for _, part := range p.balancers {
		a.LoadBalancers = append(a.LoadBalancers, part.balancer)
		a.Nodes = append(a.Nodes, part.nodes...)
	}
	for _, g := range p.groups {
		a.TargetGroups = append(a.TargetGroups, g)
	}
	slices.SortFunc(a.LoadBalancers, func(x, y snapshot.LoadBalancer) int { return cmp.Compare(x.ARN, y.ARN) })
	slices.SortFunc(a.TargetGroups, func(x, y snapshot.TargetGroup) int { return cmp.Compare(x.ARN, y.ARN) })
	slices.SortFunc(a.Nodes, func(x, y snapshot.Node) int { return cmp.Compare(x.ID, y.ID) })
	p.mu.Lock()
	p.sent = a
	p.mu.Unlock()
	select {
	case <-p.out:
	default:
	}
	p.out <- a // only Run sends, and it has just made room
}

// closed says whether the host is known not to carry the node any more: the
// newest assignment lacks it, the host has acted on that, and reports no such
// node.
func (p *Projector) closed(nodeID string) bool {
	p.mu.Lock()
	sent := p.sent
	p.mu.Unlock()
	if sent == nil || p.s.health.acknowledged(p.host) < sent.Revision {
		return false
	}
	if slices.ContainsFunc(sent.Nodes, func(n snapshot.Node) bool { return n.ID == nodeID }) {
		return false
	}
	_, still := p.s.health.node(p.host, nodeID)
	return !still
}
