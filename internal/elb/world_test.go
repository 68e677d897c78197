package elb_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
)

const (
	account = "111122223333"
	region  = "local-1"
	pool    = "ipam-pool-0a1b2c3d4e5f60718"
)

// network is one VPC with a subnet per zone.
type network struct{}

var subnets = map[string]elb.Subnet{
	"subnet-a":     {ID: "subnet-a", VPCID: "vpc-1", Zone: "local-1a", FreeAddresses: 100, InternetGateway: true, IPv6: true},
	"subnet-b":     {ID: "subnet-b", VPCID: "vpc-1", Zone: "local-1b", FreeAddresses: 100, InternetGateway: true, IPv6: true},
	"subnet-c":     {ID: "subnet-c", VPCID: "vpc-1", Zone: "local-1c", FreeAddresses: 100, InternetGateway: true},
	"subnet-a2":    {ID: "subnet-a2", VPCID: "vpc-1", Zone: "local-1a", FreeAddresses: 100, InternetGateway: true},
	"subnet-full":  {ID: "subnet-full", VPCID: "vpc-1", Zone: "local-1b", FreeAddresses: 7, InternetGateway: true},
	"subnet-noigw": {ID: "subnet-noigw", VPCID: "vpc-2", Zone: "local-1a", FreeAddresses: 100},
	"subnet-other": {ID: "subnet-other", VPCID: "vpc-3", Zone: "local-1b", FreeAddresses: 100, InternetGateway: true},
}

func (network) Subnet(_ store.Reader, acct, _, id string) (elb.Subnet, bool) {
	s, ok := subnets[id]
	return s, ok && acct == account
}
func (network) SecurityGroup(_ store.Reader, _, _, id string) (string, bool) {
	return "vpc-1", id == "sg-1" || id == "sg-2"
}
func (network) DefaultSecurityGroup(store.Reader, string) string { return "sg-default" }
func (network) Use(*store.Tx, []string, []string)                {}
func (network) VPC(_ store.Reader, _, _, id string) bool         { return id == "vpc-1" || id == "vpc-3" }

// pools has one pool of an account's, whose addresses are the interfaces' matter,
// and the blocks that are reserved in it, as records.
type pools struct {
	policy []string
	st     *store.Store
	blocks *store.Collection[elb.Block]
	room   atomic.Bool
}

func newPools(st *store.Store) *pools {
	return &pools{st: st, blocks: store.NewCollection[elb.Block](st, "block", 1)}
}

func (p *pools) HasRoom(store.Reader, string) bool { return p.room.Load() }

func (p *pools) Reserve(ctx context.Context, spec elb.BlockSpec, record func(tx *store.Tx, k elb.Block) error) error {
	return p.st.Update(ctx, func(tx *store.Tx) error {
		k := elb.Block{ID: spec.ID, PoolID: spec.PoolID, CIDR: spec.CIDR}
		if !k.CIDR.IsValid() {
			k.CIDR = netip.PrefixFrom(netip.MustParseAddr("127.192.2.160"), spec.NetmaskLength)
		}
		for range p.blocks.All(tx) {
			return elb.ErrPoolExhausted // there is room for one
		}
		p.blocks.Put(tx, k.ID, k)
		return record(tx, k)
	})
}

func (p *pools) Unreserve(ctx context.Context, id string, record func(tx *store.Tx) error) error {
	return p.st.Update(ctx, func(tx *store.Tx) error {
		p.blocks.Delete(tx, id)
		return record(tx)
	})
}

func (p *pools) PolicyPools(store.Reader, string, string) []string { return p.policy }

func (*pools) Pool(_ store.Reader, acct, id string) (elb.Pool, bool) {
	switch id {
	case pool:
		return elb.Pool{Locale: region, IPv4: true, Public: true, EC2: true}, acct == account
	case "ipam-pool-far":
		return elb.Pool{Locale: "other-1", IPv4: true, Public: true, EC2: true}, true
	case "ipam-pool-private":
		return elb.Pool{Locale: region, IPv4: true, EC2: true}, true
	case "ipam-pool-six":
		return elb.Pool{Locale: region, Public: true, EC2: true}, true
	}
	return elb.Pool{}, false
}

// interfaces keeps network interfaces as records, with the pool's free addresses
// given by how many the test allows.
type interfaces struct {
	st       *store.Store
	records  *store.Collection[iface]
	byNode   *store.Index[iface]
	ledger   *store.Collection[int]
	poolSize atomic.Int64 // addresses that the pool has
	provider atomic.Int64 // addresses that the provider has
}

type iface struct {
	ID, NodeID, PoolID string
	Private, Public    netip.Addr
	IPv6               netip.Addr
	Groups             []string
}

func newInterfaces(st *store.Store, poolSize int) *interfaces {
	i := &interfaces{st: st, records: store.NewCollection[iface](st, "iface", 1), ledger: store.NewCollection[int](st, "ledger", 1)}
	i.poolSize.Store(int64(poolSize))
	i.provider.Store(1000)
	i.byNode = i.records.Index(func(r iface) []string { return []string{r.NodeID} })
	return i
}

func (i *interfaces) lowest(tx *store.Tx, base netip.Addr, limit int, of func(iface) netip.Addr) (netip.Addr, bool) {
	n, _ := i.ledger.Get(tx, "guard")
	i.ledger.Put(tx, "guard", n+1)
	taken := map[netip.Addr]bool{}
	for _, r := range i.records.All(tx) {
		taken[of(r)] = true
	}
	a := base
	for range limit {
		if !taken[a] {
			return a, true
		}
		a = a.Next()
	}
	return netip.Addr{}, false
}

func (i *interfaces) Create(ctx context.Context, s elb.InterfaceSpec) (elb.Interface, error) {
	var made iface
	err := i.st.Update(ctx, func(tx *store.Tx) error {
		for _, old := range i.byNode.Each(tx, s.NodeID) {
			made = old
			return nil
		}
		a, _ := i.lowest(tx, netip.MustParseAddr("10.0.0.4"), 200, func(r iface) netip.Addr { return r.Private })
		made = iface{ID: "eni-" + a.String(), NodeID: s.NodeID, Private: a, Groups: s.SecurityGroups}
		i.records.Put(tx, made.ID, made)
		return nil
	})
	return view(made), err
}

func (i *interfaces) AssignAddress(ctx context.Context, id string, from elb.Source, _ time.Time) (elb.Interface, error) {
	poolID := from.PoolID
	var got iface
	err := i.st.Update(ctx, func(tx *store.Tx) error {
		r, ok := i.records.Get(tx, id)
		if !ok {
			return fmt.Errorf("no interface %s", id)
		}
		got = r
		if r.Public.IsValid() {
			return nil
		}
		base, size := netip.MustParseAddr("127.64.0.0"), int(i.provider.Load())
		if poolID != "" {
			base, size = netip.MustParseAddr("127.192.2.144"), int(i.poolSize.Load())
			if poolID != pool {
				base = netip.MustParseAddr("127.193.2.144")
			}
			if from.BlockID != "" {
				base, size = netip.MustParseAddr("127.192.2.160"), 2
			}
		}
		a, ok := i.lowest(tx, base, size, func(r iface) netip.Addr { return r.Public })
		if !ok {
			return elb.ErrPoolExhausted
		}
		got.Public, got.PoolID = a, poolID
		i.records.Put(tx, id, got)
		return nil
	})
	return view(got), err
}

func (i *interfaces) AssignIPv6(ctx context.Context, id string, _ time.Time) error {
	return i.st.Update(ctx, func(tx *store.Tx) error {
		r, ok := i.records.Get(tx, id)
		if !ok {
			return fmt.Errorf("no interface %s", id)
		}
		host := r.Private.As4()[3]
		r.IPv6 = netip.MustParseAddr(fmt.Sprintf("fdfa:1ead::%x", host))
		i.records.Put(tx, id, r)
		return nil
	})
}

func (i *interfaces) ReleaseIPv6(ctx context.Context, id string) error {
	return i.st.Update(ctx, func(tx *store.Tx) error {
		r, ok := i.records.Get(tx, id)
		if ok && r.IPv6.IsValid() {
			r.IPv6 = netip.Addr{}
			i.records.Put(tx, id, r)
		}
		return nil
	})
}

func (i *interfaces) SetSecurityGroups(ctx context.Context, id string, groups []string) error {
	return i.st.Update(ctx, func(tx *store.Tx) error {
		r, _ := i.records.Get(tx, id)
		r.Groups = groups
		i.records.Put(tx, id, r)
		return nil
	})
}

func (i *interfaces) Release(ctx context.Context, id string) error {
	return i.st.Update(ctx, func(tx *store.Tx) error {
		i.records.Delete(tx, id)
		return nil
	})
}

func (i *interfaces) Of(r store.Reader, nodeID string) (elb.Interface, bool) {
	for _, f := range i.byNode.Each(r, nodeID) {
		return view(f), true
	}
	return elb.Interface{}, false
}

func (i *interfaces) Owned(r store.Reader) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for id, f := range i.records.All(r) {
			if !yield(id, f.NodeID) {
				return
			}
		}
	}
}

func view(f iface) elb.Interface {
	return elb.Interface{ID: f.ID, Private: f.Private, Public: f.Public, PoolID: f.PoolID, IPv6: f.IPv6, SecurityGroups: f.Groups}
}

// instances are records by id, all of one account.
type instances struct {
	records *store.Collection[elb.Instance]
}

func (i instances) Instance(r store.Reader, _, _, id string) (elb.Instance, bool) {
	return i.records.Get(r, id)
}
func (i instances) Collection() string { return i.records.Name() }
func (instances) ID(key string) string { return key }

// world is a control plane over an engine, with a host that carries what it is told.
type world struct {
	t            *testing.T
	engine       store.Engine
	st           *store.Store
	svc          *elb.Service
	interfaces   *interfaces
	pools        *pools
	certificates certificates
	trustStores  trustStores
	instances    instances
	controller   *elb.Controller
	events       *event.Log
	log          *logs
	tries        *tries
	stop         func()

	mu    sync.Mutex // guards the following
	hold  bool       // the host acts on no assignment
	asked *snapshot.Assignment
}

// logs keeps what was logged.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(b []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.text.Write(b) }
func (l *logs) String() string              { l.mu.Lock(); defer l.mu.Unlock(); return l.text.String() }

// start builds a control plane. It must be called in a synctest bubble.
func start(t *testing.T, engine store.Engine, poolSize int) *world {
	t.Helper()
	return startWith(t, engine, poolSize, false)
}

// startHolding is start with a host that says nothing until it is told to.
func startHolding(t *testing.T, engine store.Engine, poolSize int) *world {
	t.Helper()
	return startWith(t, engine, poolSize, true)
}

func startWith(t *testing.T, engine store.Engine, poolSize int, hold bool) *world {
	t.Helper()
	kept := new(logs)
	log := slog.New(slog.NewTextHandler(kept, nil))
	w := &world{t: t, engine: engine, hold: hold, st: store.New(engine, "/test", log), log: kept, tries: new(tries)}
	w.pools = newPools(w.st)
	w.interfaces = newInterfaces(w.st, poolSize)
	w.certificates = newCertificates(w.st)
	w.trustStores = newTrustStores(w.st)
	w.instances = instances{store.NewCollection[elb.Instance](w.st, "instance", 1)}
	w.events = event.New(w.st, event.Options{Log: log})
	w.svc = elb.New(w.st, tags.New(w.st), network{}, w.pools, elb.Options{
		BaseDomain: "elb.example", DNSTTL: time.Minute, AllowLoopbackTargets: true, Quotas: elb.DefaultQuotas, Certificates: w.certificates, TrustStores: w.trustStores, Instances: w.instances, Events: w.events, Seal: seal, TryLog: w.tries.try})
	if err := w.st.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := w.svc.NewProjector("host", log)
	c := w.svc.NewController(w.interfaces, p, log)
	w.controller = c
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { w.events.Run(ctx) })
	wg.Go(func() { p.Run(ctx) })
	wg.Go(func() { c.Run(ctx) })
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case a := <-p.Assignments():
				w.mu.Lock()
				w.asked = a
				hold := w.hold
				w.mu.Unlock()
				if err := acceptable(a); err != nil {
					t.Errorf("the host refuses assignment %d: %v", a.Revision, err)
					continue
				}
				if !hold {
					_ = c.Report(ctx, carry(a))
				}
			}
		}
	})
	w.stop = sync.OnceFunc(func() { cancel(); wg.Wait(); w.st.Close() })
	return w
}

// acceptable says why a host would refuse an assignment, whole.
func acceptable(a *snapshot.Assignment) error {
	groups, balancers := map[string]bool{}, map[string]bool{}
	for _, g := range a.TargetGroups {
		groups[g.ARN] = true
	}
	for _, b := range a.LoadBalancers {
		balancers[b.ARN] = true
		for _, l := range b.Listeners {
			if n := len(l.Rules); n == 0 || l.Rules[n-1].Priority != 0 {
				return fmt.Errorf("listener %s has no default rule at the end", l.ARN)
			}
			for _, r := range l.Rules {
				for _, act := range r.Actions {
					if act.Forward == nil {
						continue
					}
					for _, g := range act.Forward.TargetGroups {
						if !groups[g.ARN] {
							return fmt.Errorf("rule %s names %s, which isn't there", r.ARN, g.ARN)
						}
					}
				}
			}
		}
	}
	for _, n := range a.Nodes {
		if !balancers[n.LoadBalancerARN] {
			return fmt.Errorf("node %s is of %s, which isn't there", n.ID, n.LoadBalancerARN)
		}
	}
	return nil
}

// holding stops the host from acting on assignments, or has it go on.
func (w *world) holding(hold bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hold = hold
}

// newest is the assignment that the host was given last.
func (w *world) newest() *snapshot.Assignment {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked
}

// report has the host act on the newest assignment and say what carry does,
// changed by change, which may be nil.
func (w *world) report(change func(*snapshot.Report)) {
	w.t.Helper()
	synctest.Wait()
	r := carry(w.newest())
	if change != nil {
		change(r)
	}
	if err := w.controller.Report(w.t.Context(), r); err != nil {
		w.t.Error(err)
	}
	synctest.Wait()
}

// carry is the report of a host on which all goes well at once.
func carry(a *snapshot.Assignment) *snapshot.Report {
	r := &snapshot.Report{Version: snapshot.Version, Host: a.Host, Revision: a.Revision}
	for _, n := range a.Nodes {
		r.Nodes = append(r.Nodes, snapshot.NodeStatus{NodeID: n.ID, Phase: n.Phase, Ready: true, Bound: n.Address()})
	}
	return r
}

func (w *world) nodes(arn string) (nodes []elb.Node) {
	for _, n := range w.svc.Nodes(w.st.Snapshot(), arn) {
		nodes = append(nodes, n)
	}
	return nodes
}

func shop(subnets ...string) elb.CreateLoadBalancer {
	return elb.CreateLoadBalancer{Account: account, Region: region, Name: "shop", Subnets: subnets, Scheme: elb.InternetFacing,
		AddressType: "ipv4", PoolID: pool, Hex: "0123456789abcdef", Digits: "123456789", Time: time.Now()}
}

// room is the service alone, with nothing that acts on its records.
func room(t *testing.T, quotas elb.Quotas) (*elb.Service, *store.Store) {
	t.Helper()
	return roomOver(t, memstore.New(), quotas)
}

// roomOver is one of several servers that share an engine.
func roomOver(t *testing.T, engine store.Engine, quotas elb.Quotas) (*elb.Service, *store.Store) {
	t.Helper()
	st := store.New(engine, "/test", slog.New(slog.DiscardHandler))
	svc := elb.New(st, tags.New(st), network{}, newPools(st), elb.Options{BaseDomain: "elb.example", DNSTTL: time.Minute, AllowLoopbackTargets: true, Quotas: quotas, Seal: seal})
	if err := st.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(st.Close)
	return svc, st
}

// crossing is an engine on which two transactions can be made to cross: both are
// decided before either is committed.
type crossing struct {
	store.Engine
	left atomic.Int32 // commits that are still to wait for each other
	met  sync.WaitGroup
}

func (c *crossing) Commit(ctx context.Context, t store.Txn) (store.Result, error) {
	if c.left.Add(-1) >= 0 {
		c.met.Done()
		c.met.Wait()
	}
	return c.Engine.Commit(ctx, t)
}

// servers are two control planes that share an engine.
type servers struct {
	t      *testing.T
	engine *crossing
	svc    [2]*elb.Service
	st     [2]*store.Store
}

func twoServers(t *testing.T, quotas elb.Quotas) *servers {
	t.Helper()
	s := &servers{t: t, engine: &crossing{Engine: memstore.New()}}
	for i := range s.svc {
		s.svc[i], s.st[i] = roomOver(t, s.engine, quotas)
	}
	return s
}

// cross makes the call on both servers, so that neither sees the other's work
// when it decides, and says how the two ended.
func (s *servers) cross(call func(i int, svc *elb.Service) error) map[elb.Kind]int {
	s.t.Helper()
	s.settle()
	s.engine.met.Add(2)
	s.engine.left.Store(2)
	var errs [2]error
	var wg sync.WaitGroup
	for i, svc := range s.svc {
		wg.Go(func() { errs[i] = call(i, svc) })
	}
	wg.Wait()
	s.settle()
	return map[elb.Kind]int{kind(s.t, errs[0]): 1, kind(s.t, errs[1]): 1}
}

// settle returns when both servers know all that either has done.
func (s *servers) settle() {
	s.t.Helper()
	for _, st := range s.st {
		if err := st.WaitRevision(s.t.Context(), max(s.st[0].Snapshot().Revision(), s.st[1].Snapshot().Revision())); err != nil {
			s.t.Fatal(err)
		}
	}
}

// group makes a target group.
func group(t *testing.T, svc *elb.Service, name string) elb.TargetGroup {
	t.Helper()
	g, err := svc.CreateTargetGroup(t.Context(), elb.CreateTargetGroup{Account: account, Region: region, Name: name, TargetType: "ip",
		Protocol: "HTTP", Port: 80, VPCID: "vpc-1", Hex: fmt.Sprintf("%016x", len(name))})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func forward(arns ...string) []elb.Action {
	f := new(elb.Forward)
	for _, arn := range arns {
		f.TargetGroups = append(f.TargetGroups, elb.WeightedTargetGroup{ARN: arn, Weight: 1})
	}
	return []elb.Action{{Type: "forward", Forward: f}}
}

func listener(balancer string, port int, actions []elb.Action) elb.CreateListener {
	return elb.CreateListener{Account: account, Region: region, LoadBalancerARN: balancer, Protocol: "HTTP", Port: port, Actions: actions,
		ListenerHex: fmt.Sprintf("%016x", port), RuleHex: fmt.Sprintf("%016x", port)}
}

func open(t *testing.T, svc *elb.Service, c elb.CreateListener) elb.Listener {
	t.Helper()
	l, _, err := svc.CreateListener(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// kind is that of an error of the room's, "" for none.
func kind(t *testing.T, err error) elb.Kind {
	t.Helper()
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*elb.Error](err)
	if !ok {
		t.Fatalf("got %v, want an error of the room's", err)
	}
	return e.Kind
}

// subnetsOf sets the subnets of a load balancer.
func subnetsOf(b elb.LoadBalancer, subnets ...string) elb.SetSubnets {
	return elb.SetSubnets{Account: account, Region: region, ARN: b.ARN, Subnets: subnets, Time: time.Now()}
}

func (w *world) create(c elb.CreateLoadBalancer) elb.LoadBalancer {
	w.t.Helper()
	b, err := w.svc.CreateLoadBalancer(w.t.Context(), c)
	if err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
	return b
}

// killable is an engine whose process can die: from then on nothing is written.
type killable struct {
	store.Engine
	mu   sync.Mutex // guards dead
	dead bool
}

func (k *killable) kill() { k.mu.Lock(); defer k.mu.Unlock(); k.dead = true }

var errDead = errors.New("the process is dead")

func (k *killable) Commit(ctx context.Context, t store.Txn) (store.Result, error) {
	k.mu.Lock()
	dead := k.dead
	k.mu.Unlock()
	if dead {
		return store.Result{}, errDead
	}
	return k.Engine.Commit(ctx, t)
}

// restartIfDead starts the control plane anew over what the dead one had written.
func (w *world) restartIfDead(engine *killable) *world {
	engine.mu.Lock()
	dead := engine.dead
	engine.mu.Unlock()
	if !dead {
		return w
	}
	w.stop()
	engine.mu.Lock()
	engine.dead = false
	engine.mu.Unlock()
	next := start(w.t, engine, int(w.interfaces.poolSize.Load()))
	synctest.Wait()
	return next
}
