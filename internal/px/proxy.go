package px

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/px/balance"
	"github.com/fairlead/fairlead/internal/px/route"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// Options are what a Proxy needs of its surroundings.
type Options struct {
	Targets *balance.Registry // whom to send requests to; also told of by health
	Log     *slog.Logger
	// Changed is called, on any goroutine, when a node's status has changed
	// otherwise than by Apply: its connections have ended.
	Changed func()
}

// Proxy carries the traffic of one host's nodes.
type Proxy struct {
	opts  Options
	pool  *pool
	ctx   context.Context // ends with Close
	stop  context.CancelFunc
	tasks sync.WaitGroup // connections and listeners

	mu     sync.Mutex // guards the following
	nodes  map[string]*node
	tables map[string]compiled // by load balancer
}

// compiled is a load balancer's table with what it was made from.
type compiled struct {
	from  snapshot.LoadBalancer
	table *route.Table
}

// New returns a proxy without nodes.
func New(o Options) *Proxy {
	if o.Changed == nil {
		o.Changed = func() {}
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Proxy{opts: o, pool: newPool(), ctx: ctx, stop: stop, nodes: map[string]*node{}, tables: map[string]compiled{}}
	p.tasks.Go(func() { p.pool.expire(ctx) })
	return p
}

// Close ends all connections and waits for them.
func (p *Proxy) Close() {
	p.stop()
	p.mu.Lock()
	for _, n := range p.nodes {
		n.end()
	}
	p.mu.Unlock()
	p.tasks.Wait()
	p.pool.close()
}

// node is one node's listeners and connections.
type node struct {
	proxy *Proxy
	id    string
	bound netip.Addr
	turns sync.Map // target group ARN → *balance.Turns

	state listenerState // of new and of idle connections

	mu        sync.Mutex // guards the following
	listeners map[uint16]*listener
	clients   map[*client]struct{}
	leaving   bool // it is in no assignment any more
}

// nodeState is what a request at the node meets. Immutable.
type nodeState struct {
	table           *route.Table
	phase           snapshot.NodePhase
	host            []byte // for requests without one
	idleTimeout     time.Duration
	clientKeepAlive time.Duration
}

// Apply makes the proxy carry exactly the assignment's nodes, each on its
// address in bound; a node without one there isn't opened. It returns once
// listeners are open, or have failed: Status says which.
func (p *Proxy) Apply(a *snapshot.Assignment, bound map[string]netip.Addr) {
	p.opts.Targets.Apply(a.TargetGroups)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return
	}
	balancers := map[string]snapshot.LoadBalancer{}
	for _, lb := range a.LoadBalancers {
		balancers[lb.ARN] = lb
		if old, ok := p.tables[lb.ARN]; !ok || !reflect.DeepEqual(old.from, lb) {
			p.tables[lb.ARN] = compiled{lb, route.Compile(&lb)}
		}
	}
	for arn := range p.tables {
		if _, ok := balancers[arn]; !ok {
			delete(p.tables, arn)
		}
	}
	present := map[string]bool{}
	for _, n := range a.Nodes {
		addr, ok := bound[n.ID]
		lb, known := balancers[n.LoadBalancerARN]
		if !ok || !known {
			continue
		}
		present[n.ID] = true
		nd := p.nodes[n.ID]
		if nd == nil {
			nd = &node{proxy: p, id: n.ID, bound: addr, listeners: map[uint16]*listener{}, clients: map[*client]struct{}{}}
			p.nodes[n.ID] = nd
		}
		nd.state.Store(&nodeState{
			table: p.tables[lb.ARN].table, phase: n.Phase, host: []byte(cmp.Or(lb.DNSName, addr.String())),
			idleTimeout: cmp.Or(lb.IdleTimeout, time.Minute), clientKeepAlive: cmp.Or(lb.ClientKeepAlive, time.Hour),
		})
		nd.listen(lb.Listeners)
	}
	for id, nd := range p.nodes {
		if !present[id] {
			nd.end()
			if nd.gone() {
				delete(p.nodes, id)
			}
		}
	}
}

// Status returns the state of every node, those that are leaving and still have
// connections included, by ID.
func (p *Proxy) Status() []snapshot.NodeStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]snapshot.NodeStatus, 0, len(p.nodes))
	for id, nd := range p.nodes {
		if nd.gone() {
			delete(p.nodes, id)
			continue
		}
		out = append(out, nd.status())
	}
	slices.SortFunc(out, func(a, b snapshot.NodeStatus) int { return cmp.Compare(a.NodeID, b.NodeID) })
	return out
}

func (n *node) status() snapshot.NodeStatus {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := snapshot.NodeStatus{NodeID: n.id, Phase: n.state.Load().phase, Bound: n.bound, OpenConnections: len(n.clients), Ready: !n.leaving}
	if n.leaving {
		s.Phase = snapshot.NodeDraining
	}
	for port, l := range n.listeners {
		st := snapshot.ListenerStatus{ARN: l.arn, Port: port}
		if l.err != nil {
			st.Error = l.err.Error()
		}
		s.Listeners = append(s.Listeners, st)
	}
	slices.SortFunc(s.Listeners, func(a, b snapshot.ListenerStatus) int { return cmp.Compare(a.Port, b.Port) })
	return s
}

// listen opens the ports that aren't open, and closes those that aren't wanted.
func (n *node) listen(want []snapshot.Listener) {
	n.mu.Lock()
	defer n.mu.Unlock()
	wanted := map[uint16]bool{}
	for _, l := range want {
		wanted[l.Port] = true
		if old := n.listeners[l.Port]; old != nil && old.err == nil {
			old.arn = l.ARN
			continue
		}
		n.listeners[l.Port] = n.open(l)
	}
	for port, l := range n.listeners {
		if !wanted[port] {
			l.close()
			delete(n.listeners, port)
		}
	}
}

// end stops accepting and lets connections end with the response that is due.
func (n *node) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.leaving = true
	for port, l := range n.listeners {
		l.close()
		delete(n.listeners, port)
	}
	for c := range n.clients {
		c.leave()
	}
}

// gone says whether a leaving node's last connection has ended.
func (n *node) gone() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.leaving && len(n.clients) == 0
}

// enter counts a connection; false if the node is leaving.
func (n *node) enter(c *client) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.leaving {
		return false
	}
	n.clients[c] = struct{}{}
	return true
}

func (n *node) exit(c *client) {
	n.mu.Lock()
	delete(n.clients, c)
	last := len(n.clients) == 0
	n.mu.Unlock()
	if last && (n.state.Load().phase == snapshot.NodeDraining || n.isLeaving()) {
		n.proxy.opts.Changed()
	}
}

func (n *node) isLeaving() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.leaving
}

// turn returns the node's own turns at a target group.
func (n *node) turn(group string) *balance.Turns {
	if t, ok := n.turns.Load(group); ok {
		return t.(*balance.Turns)
	}
	t, _ := n.turns.LoadOrStore(group, new(balance.Turns))
	return t.(*balance.Turns)
}

// dialer opens connections to targets.
var dialer = net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}

// connectTimeout is how long a target has to accept a connection.
const connectTimeout = 10 * time.Second
