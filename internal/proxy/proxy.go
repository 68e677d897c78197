package proxy

import (
	"cmp"
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/balance"
	"github.com/fairlead/fairlead/internal/proxy/jwks"
	"github.com/fairlead/fairlead/internal/proxy/oidc"
	"github.com/fairlead/fairlead/internal/proxy/oidc/provider"
	"github.com/fairlead/fairlead/internal/proxy/outbound"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// connectTimeout is how long a connection to a target, and its TLS handshake,
// may take (ALB user guide: 10 seconds).
const connectTimeout = 10 * time.Second

// closeGrace is how long requests under way at a node or listener that has been
// removed may go on. Nodes drain before they are removed; this is for what even
// then doesn't end.
const closeGrace = 5 * time.Minute

// sweepInterval is how often idle connections to targets are looked through.
const sweepInterval = time.Second

// Options is how a proxy runs. The zero value is ready.
type Options struct {
	Log *slog.Logger // slog.Default when nil

	// Dial connects to a target; nil: TCP.
	Dial func(ctx context.Context, target netip.AddrPort) (net.Conn, error)

	// Loops is how many event loops carry connections in the clear; 0: one for each
	// CPU that the process may use. With less, with a Dial, and where there is no
	// epoll, each connection has a goroutine.
	Loops int

	// OpenKey decrypts a key in an assignment: a certificate's, to PKCS #8, by its
	// ARN, and a load balancer's for cookies and tickets, by its CookieSubject. nil: this host
	// can serve no HTTPS listener, and no rule that clients stay by.
	OpenKey func(subject string, sealed []byte) ([]byte, error)

	// TargetRoots are believed where the certificates of targets are verified; nil:
	// those of the system.
	TargetRoots *x509.CertPool

	// Providers is how those are reached who authenticate clients.
	Providers outbound.Options

	// MaxConnections is how many clients may be connected at a time; 0: half of the
	// descriptors that the process may have, as each may need one to a target. Of
	// several nodes none gets more than half of them.
	MaxConnections int

	// Memory bounds what loops hold of requests that haven't come whole and of
	// responses that haven't gone, in bytes, and as much again what sessions of
	// HTTP/2 hold of heads and bodies; 0: 256 MiB.
	Memory int

	// HeadTimeout is how long the head of a request may take, first byte to last,
	// however steadily it comes; 0: a minute. A longer idle timeout counts instead.
	HeadTimeout time.Duration

	// Logs opens a log of a node that the assignment wants kept; nil: none is. It
	// may be asked for one again.
	Logs func(b *snapshot.LoadBalancer, n *snapshot.Node, kind LogKind) Lines

	// Changed is called when what NodeStatus returns of a node may have changed in
	// ways that others wait for: Apply or Retry has planned it anew, or it drains or
	// closes and has lost its last connection. It must not block, or call the proxy.
	Changed func(nodeID string)

	// TargetChanged is called when what Anomaly returns of a target has changed. It
	// must not block, or call the proxy.
	TargetChanged func(targetGroupARN string, target netip.AddrPort)
}

// Proxy carries the nodes of one host.
type Proxy struct {
	log     *slog.Logger
	dial    func(context.Context, netip.AddrPort) (net.Conn, error)
	openKey func(subject string, sealed []byte) ([]byte, error)
	changed func(nodeID string)
	openLog func(b *snapshot.LoadBalancer, n *snapshot.Node, kind LogKind) Lines

	targetChanged func(targetGroupARN string, target netip.AddrPort)

	targetRoots *x509.CertPool
	providers   *http.Client // for who authenticates clients
	keys        *jwks.Fetcher

	sessions  *oidc.Cache         // of clients that have logged in
	refreshes *provider.Refreshes // of their sessions

	registry *balance.Registry
	checks   checkLogs
	dates    dates
	loops    *loops // nil: none
	budget   budget

	headTimeout time.Duration

	planned atomic.Uint64 // load balancers, each time

	sessionFaults sessionFaults

	applying     sync.Mutex // held during Apply, Retry and Close; taken before mu; guards the following
	applied      *snapshot.Assignment
	balancers    map[string]*balancer       // by ARN
	certificates map[string]*certificate    // by ARN
	trusts       map[string]*trust          // by ARN
	users        map[string]map[string]bool // ARN of a target group or certificate → ARNs of the load balancers that use it
	failing      map[string]string          // IDs of nodes that Retry is for → their load balancers' ARNs

	mu      sync.Mutex              // guards the following; applying is held too when nodes or groups change
	nodes   map[string]*node        // of the assignment, by ID
	closing []*node                 // removed, with connections left
	groups  map[string]*targetGroup // by ARN
	leaving []balance.Key           // targets of no target group any more, with requests under way
	closed  bool

	cancel context.CancelFunc // ends the sweeper and dials
	ctx    context.Context
	wg     sync.WaitGroup // every goroutine of the proxy
}

// New returns a proxy that carries nothing yet. Close it in the end.
func New(o Options) *Proxy {
	p := &Proxy{
		log:          o.Log,
		dial:         o.Dial,
		openKey:      o.OpenKey,
		changed:      o.Changed,
		openLog:      o.Logs,
		targetRoots:  o.TargetRoots,
		providers:    outbound.New(o.Providers),
		sessions:     oidc.NewCache(),
		refreshes:    provider.NewRefreshes(),
		registry:     balance.NewRegistry(),
		checks:       checkLogs{nodes: map[string]map[string]*logs{}},
		balancers:    map[string]*balancer{},
		certificates: map[string]*certificate{},
		trusts:       map[string]*trust{},
		users:        map[string]map[string]bool{},
		failing:      map[string]string{},
		nodes:        map[string]*node{},
		groups:       map[string]*targetGroup{},
	}
	if p.log == nil {
		p.log = slog.Default()
	}
	p.keys = jwks.New(p.providers, p.log)
	if p.dial == nil {
		p.dial = dialTCP
	}
	if p.changed == nil {
		p.changed = func(string) {}
	}
	if p.targetChanged = o.TargetChanged; p.targetChanged == nil {
		p.targetChanged = func(string, netip.AddrPort) {}
	}
	p.headTimeout = cmp.Or(o.HeadTimeout, defaultHeadTimeout)
	p.budget.most = int64(o.MaxConnections)
	if o.MaxConnections <= 0 {
		p.budget.most = max(64, (mostDescriptors()-spareDescriptors)/2)
	}
	o.Memory = cmp.Or(o.Memory, defaultMemory)
	p.budget.memory = int64(o.Memory)
	p.budget.sheds = make(chan struct{}, 1)
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.startLoops(o)
	p.wg.Go(p.sweep)
	return p
}

// dialTCP connects without keep-alive probes: the idle timeout ends a silent
// connection sooner than they would.
func dialTCP(ctx context.Context, target netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{KeepAlive: -1}
	return d.DialContext(ctx, "tcp", target.String())
}

// SetHealth tells a target's health. Targets that no applied assignment names
// are ignored. A target begins as snapshot.TargetInitial.
func (p *Proxy) SetHealth(targetGroupARN string, target netip.AddrPort, state snapshot.TargetState) {
	if t := p.registry.Lookup(balance.Key{Group: targetGroupARN, Addr: target}); t != nil {
		t.SetEligible(state == snapshot.TargetHealthy || state == snapshot.TargetUnavailable, time.Now())
	}
}

// InFlight returns how many requests are under way to a target.
func (p *Proxy) InFlight(targetGroupARN string, target netip.AddrPort) int {
	if t := p.registry.Lookup(balance.Key{Group: targetGroupARN, Addr: target}); t != nil {
		return t.InFlight()
	}
	return 0
}

// Anomaly says whether requests fail at a target markedly more often than at its
// peers, and whether it gets fewer for it.
func (p *Proxy) Anomaly(targetGroupARN string, target netip.AddrPort) (anomalous, mitigated bool) {
	if t := p.registry.Lookup(balance.Key{Group: targetGroupARN, Addr: target}); t != nil {
		return t.Anomalous(), t.Mitigated()
	}
	return false, false
}

// Status returns the nodes that have been given to Apply with an address, and
// those that were removed since and still have sockets open, by ID.
func (p *Proxy) Status() []snapshot.NodeStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]snapshot.NodeStatus, 0, len(p.nodes)+len(p.closing))
	for _, n := range p.nodes {
		out = append(out, n.status())
	}
	for _, n := range p.closing {
		if p.nodes[n.id] == nil && n.open.Load() > 0 {
			out = append(out, n.closingStatus())
		}
	}
	slices.SortFunc(out, func(a, b snapshot.NodeStatus) int { return strings.Compare(a.NodeID, b.NodeID) })
	return slices.CompactFunc(out, func(a, b snapshot.NodeStatus) bool { return a.NodeID == b.NodeID })
}

// NodeStatus returns what Status does of one node; false if that isn't in it.
func (p *Proxy) NodeStatus(id string) (snapshot.NodeStatus, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := p.nodes[id]; n != nil {
		return n.status(), true
	}
	for _, n := range p.closing {
		if n.id == id && n.open.Load() > 0 {
			return n.closingStatus(), true
		}
	}
	return snapshot.NodeStatus{}, false
}

// Planned returns how many load balancers have been compiled since the start, one
// that was compiled again counting again: what changes have cost.
func (p *Proxy) Planned() uint64 { return p.planned.Load() }

// Close stops accepting and closes idle connections at once. Requests under way
// are finished until ctx ends, then cut off. It returns when every goroutine has
// ended. The proxy can't be used afterwards.
func (p *Proxy) Close(ctx context.Context) {
	p.applying.Lock()
	defer p.applying.Unlock()
	p.mu.Lock()
	p.closed = true
	var ports []*port
	for _, n := range p.nodes {
		ports = append(ports, n.retire()...)
		p.closing = append(p.closing, n)
	}
	p.nodes = map[string]*node{}
	closing := slices.Clone(p.closing)
	endpoints := p.endpoints()
	p.mu.Unlock()
	for _, port := range ports {
		port.close()
	}

	stop := context.AfterFunc(ctx, func() {
		for _, n := range closing {
			for _, port := range n.former {
				port.cut()
			}
		}
		for _, e := range endpoints {
			e.retire(true) // who waits for a target sees at once that it is over
		}
		p.cancel() // ends dials too
	})
	for _, n := range closing {
		n.conns.Wait()
	}
	stop()
	p.cancel()
	for _, e := range endpoints {
		e.retire(false)
	}
	p.loops.stop()
	p.wg.Wait()
	p.keys.Close()
	p.providers.CloseIdleConnections()
}

// sweep closes what has been idle or closing for too long, or is in the way, has it looked at how
// requests end, and tickets sealed with the keys of the time, until Close.
func (p *Proxy) sweep() {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	observe := time.NewTicker(balance.ObserveInterval)
	defer observe.Stop()
	epoch := ticketEpochAt(time.Now())
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-p.budget.sheds:
			p.shedStreams(time.Now())
		case <-observe.C:
			for _, k := range p.registry.Observe() {
				p.targetChanged(k.Group, k.Addr)
			}
		case now := <-tick.C:
			endpoints, former := p.sweepable()
			for _, e := range endpoints {
				e.sweep(now)
			}
			for _, port := range former {
				if port.overdue(now) {
					port.cut()
				}
			}
			if next := ticketEpochAt(now); next != epoch && p.renewTickets(now) {
				epoch = next
			}
		}
	}
}

// sweepable returns what there is to look through, and forgets removed nodes and
// ports without connections.
func (p *Proxy) sweepable() (endpoints []*endpoint, former []*port) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closing = slices.DeleteFunc(p.closing, func(n *node) bool { return n.open.Load() == 0 })
	}
	for _, n := range p.nodes {
		n.former = slices.DeleteFunc(n.former, (*port).empty)
		former = append(former, n.former...)
	}
	for _, n := range p.closing {
		former = append(former, n.former...)
	}
	p.forgetTargets()
	return p.endpoints(), former
}

// endpoints returns those of all target groups. p.mu is held.
func (p *Proxy) endpoints() []*endpoint {
	var out []*endpoint
	for _, g := range p.groups {
		out = append(out, g.endpoints...)
	}
	return out
}
