package proxy

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/fairlead/fairlead/internal/proxy/balance"
	"github.com/fairlead/fairlead/internal/proxy/meter"
	"github.com/fairlead/fairlead/internal/proxy/route"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// balancer is a load balancer with its rules compiled, once for all its nodes. It
// never changes.
type balancer struct {
	from    *snapshot.LoadBalancer
	nodes   []*snapshot.Node
	rules   []*route.Table     // beside from.Listeners
	groups  []string           // ARNs of target groups, by route.Share.Group
	edits   []edits            // beside from.Listeners
	guards  [][]guard          // beside from.Listeners, by route.Rule.Index
	sticky  *sticky            // nil: no client can be kept with one
	secured map[string]*secure // by ARN, of the HTTPS listeners that can be served
}

// uses are the ARNs of the target groups, certificates and trust stores that a change of the
// load balancer's parts may come from. A nil balancer uses none.
func (b *balancer) uses() iter.Seq[string] {
	return func(yield func(string) bool) {
		if b == nil {
			return
		}
		for _, g := range b.groups {
			if !yield(g) {
				return
			}
		}
		for _, l := range b.from.Listeners {
			if l.TLS == nil {
				continue
			}
			if m := l.TLS.Mutual; m != nil && m.TrustStore != "" && !yield(m.TrustStore) {
				return
			}
			for _, c := range l.TLS.Certificates {
				if !yield(c) {
					return
				}
			}
		}
	}
}

// targetGroup is a target group with the endpoints of its targets. It never
// changes; the endpoints do.
type targetGroup struct {
	from      *snapshot.TargetGroup
	endpoints []*endpoint // beside from.Targets, as the following
	targets   []*balance.Target
	byAddr    map[netip.AddrPort]*endpoint
	places    map[targetRef]int // in the above, by what cookies call them; nil where clients don't stay
	config    balance.Config
	sets      map[string]*balance.Set // by the zone of the nodes that use it, "" for all; guarded by Proxy.applying
}

// has says whether the endpoint is the target group's. A nil group has none.
func (g *targetGroup) has(e *endpoint) bool { return g != nil && g.byAddr[e.key.Addr] == e }

// names says whether the target group has a target at the address.
func (g *targetGroup) names(at netip.AddrPort) bool { return g != nil && g.byAddr[at] != nil }

// plan is what changes of an assignment come to, compiled. Nil values are of what
// is gone.
type plan struct {
	proxy        *Proxy
	bound        Bound
	groups       map[string]*targetGroup // by ARN
	certificates map[string]*certificate // by ARN
	trusts       map[string]*trust       // by ARN
	balancers    map[string]*balancer    // by ARN: those that change, and those whose parts do
	nodes        map[string]*nodePlan    // by ID, of the balancers above
	unbound      map[string]string       // IDs of nodes that have no address → their load balancers' ARNs
}

// nodePlan is one node's part.
type nodePlan struct {
	balancer string // ARN
	bound    netip.Addr
	phase    snapshot.NodePhase
	tables   map[uint16]*table // of the listeners that can be served
	states   []snapshot.ListenerStatus
	zone     string
	cursors  map[string]*atomic.Uint64
	meters   map[string]*meter.Meter // of target groups, by ARN
	logs     *logs                   // nil: nothing is logged
	node     *node                   // that it becomes
}

// plan compiles changes and changes nothing itself, but that the registry learns
// of new targets. The load balancers named beside them are planned too.
func (p *Proxy) plan(changes snapshot.Changes, balancers []string, bound Bound) (*plan, error) {
	pl := &plan{
		proxy: p, bound: bound,
		groups:       map[string]*targetGroup{},
		certificates: map[string]*certificate{},
		trusts:       map[string]*trust{},
		balancers:    map[string]*balancer{},
		nodes:        map[string]*nodePlan{},
		unbound:      map[string]string{},
	}
	affected := map[string]*balancer{} // with what they become filled in bit by bit
	touch := func(arn string) *balancer {
		b := affected[arn]
		if b == nil {
			b = new(balancer)
			if old := p.balancers[arn]; old != nil {
				b.from, b.nodes = old.from, slices.Clone(old.nodes)
			}
			affected[arn] = b
		}
		return b
	}
	touchUsers := func(arn string) {
		for user := range p.users[arn] {
			touch(user)
		}
	}
	for _, arn := range balancers {
		touch(arn)
	}
	for _, c := range changes.TargetGroups {
		if c.New == nil {
			pl.groups[c.Old.ARN] = nil
			touchUsers(c.Old.ARN)
			continue
		}
		pl.groups[c.New.ARN] = p.planGroup(c.New)
		touchUsers(c.New.ARN)
	}
	for _, c := range changes.Certificates {
		if c.New == nil {
			pl.certificates[c.Old.ARN] = nil
			touchUsers(c.Old.ARN)
			continue
		}
		pl.certificates[c.New.ARN] = p.openCertificate(c.New)
		touchUsers(c.New.ARN)
	}
	for _, c := range changes.TrustStores {
		if c.New == nil {
			pl.trusts[c.Old.ARN] = nil
			touchUsers(c.Old.ARN)
			continue
		}
		pl.trusts[c.New.ARN] = pl.proxy.openTrust(c.New)
		touchUsers(c.New.ARN)
	}
	for _, c := range changes.LoadBalancers {
		if c.New == nil {
			touch(c.Old.ARN).from = nil
			continue
		}
		touch(c.New.ARN).from = c.New
	}
	for _, c := range changes.Nodes {
		if c.Old != nil {
			b := touch(c.Old.LoadBalancerARN)
			b.nodes = slices.DeleteFunc(b.nodes, func(n *snapshot.Node) bool { return n.ID == c.Old.ID })
			pl.nodes[c.Old.ID] = nil
		}
	}
	for _, c := range changes.Nodes {
		if c.New != nil {
			b := touch(c.New.LoadBalancerARN)
			b.nodes = append(b.nodes, c.New)
		}
	}
	for arn, b := range affected {
		if err := pl.planBalancer(arn, b); err != nil {
			return nil, err
		}
	}
	return pl, nil
}

// planBalancer compiles a load balancer and its nodes.
func (pl *plan) planBalancer(arn string, b *balancer) error {
	if b.from == nil {
		if len(b.nodes) > 0 {
			return fmt.Errorf("node %s: load balancer %s is not in the assignment", b.nodes[0].ID, arn)
		}
		pl.balancers[arn] = nil
		return nil
	}
	if old := pl.proxy.balancers[arn]; old != nil && old.from == b.from && !slices.ContainsFunc(old.groups, pl.lost) {
		b.rules, b.groups, b.edits, b.guards, b.sticky = old.rules, old.groups, old.edits, old.guards, old.sticky
	} else if err := pl.compile(b); err != nil {
		return err
	}
	b.secured = map[string]*secure{}
	pl.balancers[arn] = b
	for _, g := range b.groups {
		if b.sticky == nil && pl.group(g).from.Stickiness.Duration > 0 {
			pl.proxy.log.Warn("clients don't stay with their targets: there is no key for cookies that this host can open", "load balancer", arn, "target group", g)
		}
	}
	for _, n := range b.nodes {
		if at, ok := pl.bound(n.ID); ok {
			pl.nodes[n.ID] = pl.planNode(n, at, b)
		} else {
			pl.nodes[n.ID] = nil
			pl.unbound[n.ID] = arn
		}
	}
	return nil
}

// group returns a target group as it will be, nil if there is none.
func (pl *plan) group(arn string) *targetGroup {
	if g, changes := pl.groups[arn]; changes {
		return g
	}
	return pl.proxy.groups[arn]
}

func (pl *plan) lost(group string) bool { return pl.group(group) == nil }

// certificate returns a certificate as it will be, nil if there is none.
func (pl *plan) certificate(arn string) *certificate {
	if c, changes := pl.certificates[arn]; changes {
		return c
	}
	return pl.proxy.certificates[arn]
}

func (pl *plan) compile(b *balancer) error {
	var unsticky error
	b.sticky, unsticky = pl.proxy.openSticky(b.from)
	number := map[string]int{}
	for _, l := range b.from.Listeners {
		t, err := route.Compile(l, func(arn string) (int, bool) {
			if n, ok := number[arn]; ok {
				return n, true
			}
			if pl.lost(arn) {
				return 0, false
			}
			number[arn] = len(b.groups)
			b.groups = append(b.groups, arn)
			return number[arn], true
		})
		if err != nil {
			return fmt.Errorf("load balancer %s, port %d: %w", b.from.ARN, l.Port, err)
		}
		for rule, why := range t.Unsupported(unsticky) {
			pl.proxy.log.Warn("requests that meet the rule are answered 501", "rule", rule, "reason", why)
		}
		b.rules = append(b.rules, t)
		b.edits = append(b.edits, compileEdits(b.from, &l))
		b.guards = append(b.guards, pl.proxy.compileGuards(b.from, t))
	}
	return nil
}

func (pl *plan) planNode(n *snapshot.Node, bound netip.Addr, b *balancer) *nodePlan {
	np := &nodePlan{
		balancer: b.from.ARN, bound: bound, phase: n.Phase, zone: n.Zone,
		tables: map[uint16]*table{}, cursors: map[string]*atomic.Uint64{}, meters: map[string]*meter.Meter{},
	}
	cursor := pl.proxy.cursors(n.ID, np)
	pl.proxy.meters(n.ID, np, b.groups)
	np.logs = pl.proxy.openLogs(b.from, n)
	groups := make([]*group, len(b.groups))
	for i, arn := range b.groups {
		g := pl.group(arn)
		groups[i] = &group{
			version: g.from.ProtocolVersion, secure: g.from.Protocol == snapshot.HTTPS, endpoints: g.endpoints, meter: np.meters[arn],
			balance: balance.NewGroup(g.set(n.Zone), cursor(arn)),
		}
		if b.sticky != nil {
			groups[i].stay, groups[i].places = g.from.Stickiness, g.places
		}
	}
	host := []byte(b.from.DNSName)
	if len(host) == 0 { // an assignment from before names were in it
		host = []byte(n.Address().String())
	}
	for i, l := range b.from.Listeners {
		state := snapshot.ListenerStatus{ARN: l.ARN, Port: l.Port}
		var secure *secure
		if l.Protocol == snapshot.HTTPS {
			var err error
			if secure, err = pl.planTLS(b, &l); err != nil {
				state.Error = err.Error()
				np.states = append(np.states, state)
				continue
			}
			if why := secure.closed(); why != nil {
				state.Error = why.Error()
			}
		}
		t := &table{
			rules: b.rules[i], guards: b.guards[i], callback: callbackOf(b.guards[i]), groups: groups, port: l.Port, host: host, tls: secure, sticky: b.sticky, edits: b.edits[i], policy: policyOf(b.from), logs: np.logs,
			idleTimeout: b.from.IdleTimeout, clientKeepAlive: b.from.ClientKeepAlive,
		}
		for _, r := range l.Rules {
			t.cursors = append(t.cursors, cursor(r.ARN))
		}
		np.tables[l.Port] = t
		np.states = append(np.states, state)
	}
	return np
}

// cursors returns the places of round robin of a node, by the ARN of the target
// group, or of the rule, that it goes round in: those that it has, new ones
// where it has none. The plan keeps those that it asks for.
func (p *Proxy) cursors(nodeID string, np *nodePlan) func(arn string) *atomic.Uint64 {
	var old map[string]*atomic.Uint64
	if n := p.nodes[nodeID]; n != nil {
		old = n.cursors
	}
	return func(arn string) *atomic.Uint64 {
		c := np.cursors[arn]
		if c == nil {
			if c = old[arn]; c == nil {
				c = new(atomic.Uint64)
			}
			np.cursors[arn] = c
		}
		return c
	}
}

// meters gives the plan the meters of a node's target groups: those that it has,
// new ones where it has none.
func (p *Proxy) meters(nodeID string, np *nodePlan, groups []string) {
	var old map[string]*meter.Meter
	if n := p.nodes[nodeID]; n != nil {
		old = *n.groups.Load()
	}
	for _, arn := range groups {
		if np.meters[arn] = old[arn]; np.meters[arn] == nil {
			np.meters[arn] = meter.New(p.threads())
		}
	}
}

// planGroup makes the endpoints of a target group: those that are there already
// where the target stays, and is spoken to as before.
func (p *Proxy) planGroup(g *snapshot.TargetGroup) *targetGroup {
	old := p.groups[g.ARN]
	out := &targetGroup{from: g, byAddr: make(map[netip.AddrPort]*endpoint, len(g.Targets)), config: planBalance(g.Balancing), sets: map[string]*balance.Set{}}
	if g.Stickiness.Duration > 0 {
		out.places = make(map[targetRef]int, len(g.Targets))
	}
	first := old == nil || !slices.ContainsFunc(old.from.Targets, func(t snapshot.Target) bool { return !t.Draining })
	for i, t := range g.Targets {
		k := endpointKey{balance.Key{Group: g.ARN, Addr: t.AddrPort()}, g.Protocol == snapshot.HTTPS, g.TLS, g.ProtocolVersion != snapshot.HTTP1}
		var e *endpoint
		if old != nil {
			e = old.byAddr[k.Addr]
		}
		if e == nil || e.key != k {
			e = p.newEndpoint(k, first)
		}
		out.byAddr[k.Addr] = e
		out.endpoints, out.targets = append(out.endpoints, e), append(out.targets, e.target)
		if out.places != nil {
			out.places[e.ref] = i
		}
	}
	return out
}

// planBalance is how a target group's requests are shared out.
func planBalance(b snapshot.Balancing) balance.Config {
	c := balance.Config{Mitigation: b.AnomalyMitigation, SlowStart: b.SlowStart, Healthy: balance.Threshold(b.MinimumHealthy)}
	switch b.Algorithm {
	case snapshot.LeastOutstanding:
		c.Algorithm = balance.LeastOutstanding
	case snapshot.WeightedRandom:
		c.Algorithm = balance.WeightedRandom
	case snapshot.RoundRobin:
	}
	return c
}

// set returns what the nodes of a zone choose from: the targets that don't drain,
// and, where the group doesn't cross zones, aren't in another one.
func (g *targetGroup) set(zone string) *balance.Set {
	if !g.from.Balancing.ZoneOnly {
		zone = ""
	}
	s := g.sets[zone]
	if s == nil {
		usable := make([]bool, len(g.targets))
		for i, t := range g.from.Targets {
			usable[i] = !t.Draining && (zone == "" || t.Zone == zone || t.Zone == "" || t.Zone == snapshot.AnyZone)
		}
		s = balance.NewSet(g.targets, usable, g.config)
		g.sets[zone] = s
	}
	return s
}
