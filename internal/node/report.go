package node

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// touched is what may differ from what was reported.
type touched struct {
	nodes   map[string]bool
	targets map[snapshot.TargetKey]bool
}

func nothingTouched() touched {
	return touched{nodes: map[string]bool{}, targets: map[snapshot.TargetKey]bool{}}
}

// nodeChanged has a report sent soon that looks at the node.
func (a *Agent) nodeChanged(id string) {
	a.mu.Lock()
	a.touched.nodes[id] = true
	a.mu.Unlock()
	a.poke()
}

// targetChanged has a report sent soon that looks at the target.
func (a *Agent) targetChanged(group string, at netip.AddrPort) {
	a.mu.Lock()
	a.touched.targets[snapshot.TargetKey{TargetGroupARN: group, Addr: at}] = true
	a.mu.Unlock()
	a.poke()
}

// Report returns what the agent would report now to who knows nothing.
func (a *Agent) Report() *snapshot.Report {
	r, failures := a.begin()
	if a.proxy == nil {
		return r
	}
	r.Nodes = a.proxy.Status()
	for _, f := range failures {
		r.Nodes = append(r.Nodes, f.status())
	}
	slices.SortStableFunc(r.Nodes, func(x, y snapshot.NodeStatus) int { return strings.Compare(x.NodeID, y.NodeID) })
	r.Targets = a.prober.Status()
	for i := range r.Targets {
		a.count(&r.Targets[i])
	}
	return r
}

// begin makes a report with nothing in it, and returns the nodes that couldn't be
// attached.
func (a *Agent) begin() (*snapshot.Report, map[string]failure) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := &snapshot.Report{Version: snapshot.Version, Host: a.o.Host}
	if a.applied != nil {
		r.Revision = a.saved
	}
	return r, maps.Clone(a.failures)
}

// count fills in what the prober doesn't know.
func (a *Agent) count(t *snapshot.TargetStatus) {
	at := netip.AddrPortFrom(t.Addr, t.Port)
	t.InFlight = a.proxy.InFlight(t.TargetGroupARN, at)
	t.Anomalous, t.Mitigated = a.proxy.Anomaly(t.TargetGroupARN, at)
}

// status is the status of a node that isn't carried at all.
func (f failure) status() snapshot.NodeStatus {
	return snapshot.NodeStatus{NodeID: f.node.ID, Phase: f.node.Phase, Error: f.err.Error()}
}

// reporter sends an agent's reports, each with what the control plane doesn't know
// from those before.
type reporter struct {
	agent   *Agent
	told    bool // the following is what the control plane knows
	nodes   map[string]snapshot.NodeStatus
	targets map[snapshot.TargetKey]snapshot.TargetStatus
}

// deliver sends a report: a whole one if the control plane may not have all of
// the former ones, else one of what has changed. counts looks at every node and
// target, as counts change without a word; otherwise only at those that were
// touched.
func (p *reporter) deliver(ctx context.Context, counts bool) error {
	a := p.agent
	a.mu.Lock()
	touched := a.touched
	a.touched = nothingTouched()
	a.mu.Unlock()

	var r *snapshot.Report
	switch {
	case !p.told:
		p.nodes, p.targets = map[string]snapshot.NodeStatus{}, map[snapshot.TargetKey]snapshot.TargetStatus{}
		r = a.Report()
	case counts:
		r = p.since(a.Report())
	default:
		r = p.of(touched)
	}
	p.told = false
	if err := a.o.ControlPlane.Report(ctx, r); err != nil {
		return err
	}
	p.told = true
	p.take(r)
	return nil
}

// take remembers what a report has told.
func (p *reporter) take(r *snapshot.Report) {
	for _, n := range r.Nodes {
		p.nodes[n.NodeID] = n
	}
	for _, t := range r.Targets {
		p.targets[t.Key()] = t
	}
	for _, id := range r.GoneNodes {
		delete(p.nodes, id)
	}
	for _, k := range r.GoneTargets {
		delete(p.targets, k)
	}
}

// since makes of a whole report a partial one.
func (p *reporter) since(r *snapshot.Report) *snapshot.Report {
	r.Partial = true
	nodes, targets := map[string]bool{}, map[snapshot.TargetKey]bool{}
	r.Nodes = slices.DeleteFunc(r.Nodes, func(n snapshot.NodeStatus) bool {
		nodes[n.NodeID] = true
		return p.nodes[n.NodeID].Equal(n)
	})
	r.Targets = slices.DeleteFunc(r.Targets, func(t snapshot.TargetStatus) bool {
		targets[t.Key()] = true
		return p.targets[t.Key()] == t
	})
	for id := range p.nodes {
		if !nodes[id] {
			r.GoneNodes = append(r.GoneNodes, id)
		}
	}
	for k := range p.targets {
		if !targets[k] {
			r.GoneTargets = append(r.GoneTargets, k)
		}
	}
	return r
}

// of makes a partial report of what was touched.
func (p *reporter) of(t touched) *snapshot.Report {
	a := p.agent
	r, failures := a.begin()
	r.Partial = true
	for id := range t.nodes {
		s, ok := a.proxy.NodeStatus(id)
		if f, failed := failures[id]; failed && !ok {
			s, ok = f.status(), true
		}
		switch old, was := p.nodes[id]; {
		case ok && !old.Equal(s):
			r.Nodes = append(r.Nodes, s)
		case !ok && was:
			r.GoneNodes = append(r.GoneNodes, id)
		}
	}
	for k := range t.targets {
		s, ok := a.prober.Target(k)
		if ok {
			a.count(&s)
		}
		switch old, was := p.targets[k]; {
		case ok && old != s:
			r.Targets = append(r.Targets, s)
		case !ok && was:
			r.GoneTargets = append(r.GoneTargets, k)
		}
	}
	slices.SortFunc(r.Nodes, func(x, y snapshot.NodeStatus) int { return strings.Compare(x.NodeID, y.NodeID) })
	slices.SortFunc(r.Targets, func(x, y snapshot.TargetStatus) int { return x.Key().Compare(y.Key()) })
	return r
}
