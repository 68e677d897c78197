package elb_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store"
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
	"subnet-a":     {ID: "subnet-a", VPCID: "vpc-1", Zone: "local-1a", FreeAddresses: 100, InternetGateway: true},
	"subnet-b":     {ID: "subnet-b", VPCID: "vpc-1", Zone: "local-1b", FreeAddresses: 100, InternetGateway: true},
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
	return "vpc-1", id == "sg-1"
}
func (network) DefaultSecurityGroup(store.Reader, string) string { return "sg-default" }
func (network) VPC(_ store.Reader, _, _, id string) bool         { return id == "vpc-1" || id == "vpc-3" }

type pools struct{}

func (pools) Pool(_ store.Reader, acct, id string) (elb.Pool, bool) {
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
	poolSize int
}

type iface struct {
	ID, NodeID, PoolID string
	Private, Public    netip.Addr
}

func newInterfaces(st *store.Store, poolSize int) *interfaces {
	i := &interfaces{st: st, records: store.NewCollection[iface](st, "iface", 1), ledger: store.NewCollection[int](st, "ledger", 1), poolSize: poolSize}
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
		made = iface{ID: "eni-" + a.String(), NodeID: s.NodeID, Private: a}
		i.records.Put(tx, made.ID, made)
		return nil
	})
	return view(made), err
}

func (i *interfaces) AssignAddress(ctx context.Context, id, poolID string, _ time.Time) (elb.Interface, error) {
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
		base, size := netip.MustParseAddr("127.64.0.0"), 1000
		if poolID != "" {
			base, size = netip.MustParseAddr("127.192.2.144"), i.poolSize
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

func view(f iface) elb.Interface {
	return elb.Interface{ID: f.ID, Private: f.Private, Public: f.Public, PoolID: f.PoolID}
}

// world is a control plane over an engine, with a host that carries what it is told.
type world struct {
	t          *testing.T
	engine     store.Engine
	st         *store.Store
	svc        *elb.Service
	interfaces *interfaces
	stop       func()

	mu    sync.Mutex // guards the following
	hold  bool       // the host acts on no assignment
	asked *snapshot.Assignment
}

// start builds a control plane. It must be called in a synctest bubble.
func start(t *testing.T, engine store.Engine, poolSize int) *world {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	w := &world{t: t, engine: engine, st: store.New(engine, "/test", log)}
	w.interfaces = newInterfaces(w.st, poolSize)
	w.svc = elb.New(w.st, tags.New(w.st), network{}, pools{}, elb.Options{
		BaseDomain: "elb.example", DNSTTL: time.Minute, AllowLoopbackTargets: true, Quotas: elb.DefaultQuotas})
	if err := w.st.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := w.svc.NewProjector("host", log)
	c := w.svc.NewController(w.interfaces, p, log)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
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
				if !hold {
					_ = c.Report(ctx, carry(a))
				}
			}
		}
	})
	w.stop = sync.OnceFunc(func() { cancel(); wg.Wait(); w.st.Close() })
	return w
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
	next := start(w.t, engine, w.interfaces.poolSize)
	synctest.Wait()
	return next
}
