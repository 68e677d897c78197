package proxy

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/meter"
	"github.com/fairlead/fairlead/internal/proxy/route"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// Measurement is what one node of a load balancer has counted since it came to be
// on this host.
type Measurement struct {
	LoadBalancerARN string
	NodeID          string
	Zone            string

	ActiveConnections int
	Counts            meter.Counts // those of its target groups added
	Logins            meter.Times  // that providers were asked about: ELBAuthLatency
	Groups            []GroupMeasurement
}

// GroupMeasurement is what a node has counted of one target group.
type GroupMeasurement struct {
	ARN           string
	Counts        meter.Counts
	ResponseTimes meter.Times // from a request's dispatch to the head of its response
}

// Merge adds what another node has counted, as of two of one load balancer in one
// zone while it moves.
func (m *Measurement) Merge(other *Measurement) {
	m.ActiveConnections += other.ActiveConnections
	m.Counts.Add(&other.Counts)
	m.Logins.Add(&other.Logins)
	for _, g := range other.Groups {
		i := slices.IndexFunc(m.Groups, func(own GroupMeasurement) bool { return own.ARN == g.ARN })
		if i < 0 {
			m.Groups = append(m.Groups, g)
			continue
		}
		m.Groups[i].Counts.Add(&g.Counts)
		m.Groups[i].ResponseTimes.Add(&g.ResponseTimes)
	}
}

// Measurements returns what has been counted, by node.
func (p *Proxy) Measurements() []Measurement {
	p.mu.Lock()
	nodes := make([]*node, 0, len(p.nodes))
	for _, n := range p.nodes {
		nodes = append(nodes, n)
	}
	p.mu.Unlock()
	slices.SortFunc(nodes, func(a, b *node) int { return strings.Compare(a.id, b.id) })
	out := make([]Measurement, 0, len(nodes))
	for _, n := range nodes {
		out = append(out, n.measure())
	}
	return out
}

func (n *node) measure() Measurement {
	m := Measurement{
		LoadBalancerARN: n.balancer, NodeID: n.id, Zone: n.zone,
		ActiveConnections: int(n.open.Load()), Counts: n.meter.Counts(), Logins: n.meter.Times(),
	}
	for arn, g := range *n.groups.Load() {
		group := GroupMeasurement{ARN: arn, Counts: g.Counts(), ResponseTimes: g.Times()}
		m.Counts.Add(&group.Counts)
		m.Groups = append(m.Groups, group)
	}
	slices.SortFunc(m.Groups, func(a, b GroupMeasurement) int { return strings.Compare(a.ARN, b.ARN) })
	return m
}

// threads returns how many threads count: the loops and, as one, all goroutines of
// the stream shell.
func (p *Proxy) threads() int { return p.loops.count() + 1 }

// streamThread is the number of the stream shell's.
func (p *Proxy) streamThread() int { return p.loops.count() }

// countRequest counts a request whose rule is known; a nil rule is none.
func (n *node) countRequest(thread int, rule *route.Rule, r *http1.Request, peer netip.Addr) {
	n.countVerdict(thread, r)
	if r.Drops > 0 {
		n.meter.Add(thread, meter.DroppedFields, 1)
	}
	if r.Odd > 0 {
		n.meter.Add(thread, meter.ForwardedFields, 1)
	}
	if rule != nil && rule.Evaluated > 0 {
		n.meter.Add(thread, meter.RuleEvaluations, rule.Evaluated)
	}
	if peer.Is6() {
		n.meter.Add(thread, meter.IPv6Requests, 1)
	}
}

// countForward counts a request that goes to a target.
func (n *node) countForward(thread int, f *forwarding) {
	g := f.group
	g.meter.Add(thread, meter.Requests, 1)
	if g.version == snapshot.GRPC {
		g.meter.Add(thread, meter.GRPCRequests, 1)
	}
	if g.balance.FailsOpen() {
		g.meter.Add(thread, meter.UnhealthyRouting, 1)
	}
	if g.places == nil || f.stay.stayed {
		return
	}
	if g.stay.Cookie == "" {
		n.meter.Add(thread, meter.NonSticky, 1)
	} else {
		n.meter.Add(thread, meter.AppNonSticky, 1)
	}
}

// countVerdict counts a request that doesn't comply with the RFCs.
func (n *node) countVerdict(thread int, r *http1.Request) {
	if r.Verdict.Tier > http1.Compliant {
		n.meter.Add(thread, meter.NonCompliant, 1)
	}
}

// countAnswer counts a response of our own to a request that met the rule, whose
// guard has decided.
func (n *node) countAnswer(thread int, rule *route.Rule, d *ruling, status int) {
	if rule != nil && d.verdict == passes {
		switch rule.Action.Kind {
		case route.Fixed:
			n.meter.Add(thread, meter.FixedResponses, 1)
		case route.Redirect:
			if status == 507 {
				n.meter.Add(thread, meter.RedirectsTooLong, 1)
			} else {
				n.meter.Add(thread, meter.Redirects, 1)
			}
		case route.Forward, route.Unsupported:
		}
	}
	n.meter.ELB(thread, status)
}

// countBytes counts what a client has sent or was sent.
func (n *node) countBytes(thread int, peer netip.Addr, bytes int) {
	n.meter.Add(thread, meter.Bytes, bytes)
	if peer.Is6() {
		n.meter.Add(thread, meter.IPv6Bytes, bytes)
	}
}
