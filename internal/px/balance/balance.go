// Package balance chooses a target for each request. What it remembers (who is
// eligible, in-flight counts, whose turn it is) outlives routing tables: a
// change of rules resets nothing.
//
// Registry.Apply takes the target groups of an assignment and Registry.Health
// what probing finds; both make a new list of eligible targets, which Pick reads
// without a lock. No I/O, no clock, no goroutine. Start reading at Registry.
package balance

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// Registry is the target groups of one host. The zero Registry is empty and
// ready; it is safe for concurrent use.
type Registry struct {
	mu     sync.Mutex // guards changes
	groups atomic.Pointer[map[string]*Group]
}

// Group is one target group.
type Group struct {
	Protocol snapshot.Protocol

	targets map[netip.AddrPort]*Target // guarded by the registry's mu

	eligible atomic.Pointer[[]*Target]
}

// Target is one target of a group; it stays the same while it is registered.
type Target struct {
	Addr     netip.AddrPort
	InFlight atomic.Int64 // requests under way

	// Guarded by the registry's mu.
	draining bool
	healthy  bool
}

// Group returns the target group; nil if the registry has none of the name.
func (r *Registry) Group(arn string) *Group {
	if m := r.groups.Load(); m != nil {
		return (*m)[arn]
	}
	return nil
}

// Apply makes the registry have exactly the groups, with exactly their targets.
// A target that stays keeps its counts and its health.
func (r *Registry) Apply(groups []snapshot.TargetGroup) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.groups.Load()
	next := make(map[string]*Group, len(groups))
	for _, g := range groups {
		out := &Group{}
		if old != nil && (*old)[g.ARN] != nil {
			out = (*old)[g.ARN]
		}
		out.Protocol = g.Protocol
		out.apply(g.Targets)
		next[g.ARN] = out
	}
	r.groups.Store(&next)
}

func (g *Group) apply(targets []snapshot.Target) {
	kept := make(map[netip.AddrPort]*Target, len(targets))
	for _, t := range targets {
		out := g.targets[t.AddrPort()]
		if out == nil {
			out = &Target{Addr: t.AddrPort()}
		}
		out.draining = t.Draining
		kept[t.AddrPort()] = out
	}
	g.targets = kept
	g.choose(targets)
}

// choose lists whom requests may go to: the healthy; if there is none, all that
// don't drain, because a wrong verdict on all of them is likelier than that
// none would answer (fail open).
func (g *Group) choose(order []snapshot.Target) {
	var healthy, all []*Target
	for _, t := range order {
		out := g.targets[t.AddrPort()]
		if out.draining {
			continue
		}
		all = append(all, out)
		if out.healthy {
			healthy = append(healthy, out)
		}
	}
	if healthy != nil {
		all = healthy
	}
	g.eligible.Store(&all)
}

// Health says which of a group's targets are healthy, given the group as it was
// applied.
func (r *Registry) Health(g snapshot.TargetGroup, healthy func(netip.AddrPort) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.groups.Load()
	if m == nil || (*m)[g.ARN] == nil {
		return
	}
	group := (*m)[g.ARN]
	var present []snapshot.Target
	for _, t := range g.Targets {
		if out := group.targets[t.AddrPort()]; out != nil {
			out.healthy = healthy(t.AddrPort())
			present = append(present, t)
		}
	}
	group.choose(present)
}

// InFlight returns how many requests are under way to the target.
func (r *Registry) InFlight(arn string, addr netip.AddrPort) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.groups.Load(); m != nil && (*m)[arn] != nil {
		if t := (*m)[arn].targets[addr]; t != nil {
			return int(t.InFlight.Load())
		}
	}
	return 0
}

// Turns is whose turn it is at one node: nodes take turns independently.
type Turns struct {
	n atomic.Uint64
}

// Next returns a number that is larger by one each time.
func (t *Turns) Next() uint64 { return t.n.Add(1) - 1 }

// Pick returns the target whose turn it is, other than not if there is another;
// nil if the group has none (round robin).
func (g *Group) Pick(t *Turns, not *Target) *Target {
	p := g.eligible.Load()
	if p == nil || len(*p) == 0 {
		return nil
	}
	list := *p
	target := list[t.Next()%uint64(len(list))]
	if target == not {
		target = list[t.Next()%uint64(len(list))]
	}
	return target
}
