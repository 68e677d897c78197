package proxy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/fairlead/fairlead/internal/proxy/balance"
	"github.com/fairlead/fairlead/internal/proxy/route"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// errClosed is returned by Apply after Close.
var errClosed = errors.New("proxy: closed")

// Apply makes the proxy carry an assignment in place of the former one. bound
// tells where each node listens; nodes without an entry are not carried.
//
// It applies wholly or, with an error, not at all. Listeners that stay keep
// their sockets and connections; requests under way go on by the former rules.
// Listeners that are gone stop accepting, finish what is under way and close. A
// port that can't be opened is not an error: it is told in Status, and tried
// again by the next Apply.
func (p *Proxy) Apply(a *snapshot.Assignment, bound map[string]netip.Addr) error {
	p.applying.Lock()
	defer p.applying.Unlock()
	pl, err := p.plan(a, bound)
	if err != nil {
		return fmt.Errorf("apply assignment %d: %w", a.Revision, err)
	}

	// New sockets first, so that a node's ports are all open when it is told to
	// be ready. No request sees them before start.
	opened := map[*nodePlan]map[uint16]*port{}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return fmt.Errorf("apply assignment %d: %w", a.Revision, errClosed)
	}
	var gone []*port
	for id, n := range p.nodes {
		// A node that is gone, or is bound elsewhere now, is closed as a whole.
		if next := pl.nodes[id]; next == nil || next.bound != n.bound {
			gone = append(gone, n.retire()...)
			delete(p.nodes, id)
			p.closing = append(p.closing, n)
			continue
		}
		for number, port := range n.ports {
			if pl.nodes[id].tables[number] == nil && port != nil {
				gone = append(gone, port)
				n.former = append(n.former, port)
				delete(n.ports, number)
			}
		}
	}
	p.mu.Unlock()
	for _, port := range gone { // before anything new is bound in its place
		port.close()
	}
	for id, np := range pl.nodes {
		opened[np] = p.open(id, np)
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	for id, np := range pl.nodes {
		n := np.node
		p.nodes[id] = n
		n.phase = np.phase
		n.draining.Store(np.phase == snapshot.NodeDraining)
		n.states = np.states
		for number, t := range np.tables {
			if port := n.ports[number]; port != nil {
				port.table.Store(t)
			}
		}
		for number := range n.ports {
			if np.tables[number] == nil {
				delete(n.ports, number)
			}
		}
		for number, port := range opened[np] {
			n.ports[number] = port
			if port != nil {
				port.start()
			}
		}
	}
	p.swapEndpoints(pl)
	p.certificates, p.secured = pl.certificates, pl.secured
	p.tellUnspoken(a.TargetGroups)
	return nil
}

// tellUnspoken logs the target groups, each once while it is there, whose
// protocol version we don't speak: requests for them are answered 501. To speak
// another version could mean to lose what their targets rely on. p.mu is held.
func (p *Proxy) tellUnspoken(groups []snapshot.TargetGroup) {
	unspoken := map[string]bool{}
	for _, g := range groups {
		if g.ProtocolVersion == snapshot.HTTP1 {
			continue
		}
		if unspoken[g.ARN] = true; !p.unspoken[g.ARN] {
			p.log.Warn("requests for the target group are answered 501: its protocol version is not spoken to targets (use one with HTTP1)",
				"target group", g.ARN, "protocol version", g.ProtocolVersion)
		}
	}
	p.unspoken = unspoken
}

// open opens the ports of a node that aren't open yet. It returns them, nil for
// those that failed, and notes why in the plan.
func (p *Proxy) open(id string, np *nodePlan) map[uint16]*port {
	p.mu.Lock()
	np.node = p.nodes[id]
	if np.node == nil {
		np.node = &node{id: id, bound: np.bound, ports: map[uint16]*port{}}
	}
	var missing []uint16
	for number := range np.tables {
		if np.node.ports[number] == nil {
			missing = append(missing, number)
		}
	}
	p.mu.Unlock()
	out := map[uint16]*port{}
	for _, number := range missing {
		port, err := p.openPort(np.node, number, np.tables[number])
		out[number] = port
		if err != nil {
			i := slices.IndexFunc(np.states, func(s snapshot.ListenerStatus) bool { return s.Port == number })
			np.states[i].Error = err.Error()
		}
	}
	return out
}

// swapEndpoints takes over the endpoints of a plan. p.mu is held.
func (p *Proxy) swapEndpoints(pl *plan) {
	for k, e := range p.endpoints {
		if pl.endpoints[k] == nil {
			// A target that its target group doesn't have any more has had its
			// deregistration delay: what is still under way to it is cut. With
			// a target group that is gone altogether it is finished.
			e.retire(pl.groups[k.Group] && !pl.targets[k.Key])
		}
	}
	p.endpoints = pl.endpoints
	p.registry.Retain(
		func(k balance.Key) bool {
			return pl.endpoints[endpointKey{k, false}] != nil || pl.endpoints[endpointKey{k, true}] != nil
		},
		func(k balance.CursorKey) bool { return pl.cursors[k] },
	)
}

// plan is an assignment, compiled.
type plan struct {
	nodes     map[string]*nodePlan
	endpoints map[endpointKey]*endpoint
	groups    map[string]bool      // ARNs of target groups
	targets   map[balance.Key]bool // of target groups, whether a rule names these or not
	cursors   map[balance.CursorKey]bool

	certificates map[string]*certificate // by ARN
	broken       map[string]error        // certificates that can't be served
	secured      map[string]*secure      // by listener ARN
}

// nodePlan is one node's part.
type nodePlan struct {
	bound  netip.Addr
	phase  snapshot.NodePhase
	tables map[uint16]*table // of the listeners that can be served
	states []snapshot.ListenerStatus
	node   *node // that it becomes
}

// plan compiles an assignment and changes nothing, but that the registry learns
// of new targets.
func (p *Proxy) plan(a *snapshot.Assignment, bound map[string]netip.Addr) (*plan, error) {
	pl := &plan{
		nodes:     map[string]*nodePlan{},
		endpoints: map[endpointKey]*endpoint{},
		groups:    map[string]bool{},
		targets:   map[balance.Key]bool{},
		cursors:   map[balance.CursorKey]bool{},

		certificates: map[string]*certificate{},
		broken:       map[string]error{},
		secured:      map[string]*secure{},
	}
	p.planCertificates(pl, a.Certificates)
	groups := make(map[string]*snapshot.TargetGroup, len(a.TargetGroups))
	for i := range a.TargetGroups {
		g := &a.TargetGroups[i]
		groups[g.ARN], pl.groups[g.ARN] = g, true
		for _, t := range g.Targets {
			pl.targets[balance.Key{Group: g.ARN, Addr: t.AddrPort()}] = true
		}
	}
	balancers := make(map[string]*compiled, len(a.LoadBalancers))
	for i := range a.LoadBalancers {
		c, err := compile(&a.LoadBalancers[i], groups)
		if err != nil {
			return nil, err
		}
		balancers[c.ARN] = c
	}
	for _, n := range a.Nodes {
		c := balancers[n.LoadBalancerARN]
		if c == nil {
			return nil, fmt.Errorf("node %s: load balancer %s is not in the assignment", n.ID, n.LoadBalancerARN)
		}
		if pl.nodes[n.ID] != nil {
			return nil, fmt.Errorf("node %s is in the assignment twice", n.ID)
		}
		if addr, ok := bound[n.ID]; ok {
			pl.nodes[n.ID] = p.planNode(pl, n, addr, c)
		}
	}
	return pl, nil
}

// compiled is a load balancer with its rules compiled, once for all its nodes.
type compiled struct {
	*snapshot.LoadBalancer
	rules  []*route.Table          // beside Listeners
	groups []*snapshot.TargetGroup // by route.Share.Group
}

func compile(lb *snapshot.LoadBalancer, groups map[string]*snapshot.TargetGroup) (*compiled, error) {
	c := &compiled{LoadBalancer: lb}
	number := map[string]int{}
	for _, l := range lb.Listeners {
		t, err := route.Compile(l, func(arn string) (int, bool) {
			if n, ok := number[arn]; ok {
				return n, true
			}
			g := groups[arn]
			if g == nil {
				return 0, false
			}
			number[arn] = len(c.groups)
			c.groups = append(c.groups, g)
			return number[arn], true
		})
		if err != nil {
			return nil, fmt.Errorf("load balancer %s, port %d: %w", lb.ARN, l.Port, err)
		}
		c.rules = append(c.rules, t)
	}
	return c, nil
}

func (p *Proxy) planNode(pl *plan, n snapshot.Node, bound netip.Addr, c *compiled) *nodePlan {
	np := &nodePlan{bound: bound, phase: n.Phase, tables: map[uint16]*table{}}
	groups := make([]*group, len(c.groups))
	for i, g := range c.groups {
		groups[i] = p.planGroup(pl, n.ID, g)
	}
	host := []byte(c.DNSName)
	if len(host) == 0 { // an assignment from before names were in it
		host = []byte(n.Address().String())
	}
	for i, l := range c.Listeners {
		state := snapshot.ListenerStatus{ARN: l.ARN, Port: l.Port}
		var secure *secure
		if l.Protocol == snapshot.HTTPS {
			var err error
			if secure, err = p.planTLS(pl, &l); err != nil {
				state.Error = err.Error()
				np.states = append(np.states, state)
				continue
			}
		}
		t := &table{
			rules: c.rules[i], groups: groups, port: l.Port, host: host, tls: secure,
			idleTimeout: c.IdleTimeout, clientKeepAlive: c.ClientKeepAlive,
		}
		for _, r := range l.Rules {
			t.cursors = append(t.cursors, p.cursor(pl, n.ID, r.ARN))
		}
		np.tables[l.Port] = t
		np.states = append(np.states, state)
	}
	return np
}

// planGroup makes a node's view of a target group.
func (p *Proxy) planGroup(pl *plan, nodeID string, g *snapshot.TargetGroup) *group {
	out := &group{version: g.ProtocolVersion}
	targets := make([]*balance.Target, len(g.Targets))
	draining := make([]bool, len(g.Targets))
	for i, t := range g.Targets {
		k := endpointKey{balance.Key{Group: g.ARN, Addr: t.AddrPort()}, g.Protocol == snapshot.HTTPS}
		e := pl.endpoints[k]
		if e == nil {
			if e = p.endpoint(k); e == nil {
				e = p.newEndpoint(k)
			}
			pl.endpoints[k] = e
		}
		targets[i], draining[i] = e.target, t.Draining
		out.endpoints = append(out.endpoints, e)
	}
	out.balance = balance.NewGroup(p.registry, targets, draining, p.cursor(pl, nodeID, g.ARN))
	return out
}

// endpoint returns the endpoint that is there already, nil if there is none.
func (p *Proxy) endpoint(k endpointKey) *endpoint {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.endpoints[k]
}

func (p *Proxy) cursor(pl *plan, nodeID, arn string) *atomic.Uint64 {
	k := balance.CursorKey{Node: nodeID, ARN: arn}
	pl.cursors[k] = true
	return p.registry.Cursor(k)
}
