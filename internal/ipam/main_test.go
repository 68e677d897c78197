package ipam_test

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/history"
	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	account = "111122223333"
	home    = "us-east-1"
	abroad  = "eu-west-1"
)

var (
	t0       = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	testLogs = slog.New(slog.NewTextHandler(io.Discard, nil))
)

// world is one server's rooms over an engine.
type world struct {
	*ipam.Service
	store *store.Store
	tags  *tags.Service
	t     testing.TB
}

// open starts a server over the engine, with home and abroad as its regions.
func open(t testing.TB, e store.Engine, change ...func(*ipam.Options)) *world {
	t.Helper()
	o := ipam.Options{Log: testLogs, IsRegion: func(r string) bool { return r == home || r == abroad }}
	st := store.New(e, "test", testLogs)
	o.History = history.New(st, history.Options{})
	for _, c := range change {
		c(&o)
	}
	if v, ok := o.Networks.(*vpcs); ok {
		v.all, v.guard = store.NewCollection[ipam.Network](st, "vpcs", 1), store.NewCollection[int](st, "guard", 1)
	}
	if v, ok := o.VPCs.(*networks); ok {
		v.declare(st)
	}
	w := &world{store: st, tags: tags.New(st), t: t}
	w.Service = ipam.New(st, w.tags, idempotency.New(st), o)
	if err := st.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		st.Close()
	})
	return w
}

func single(t testing.TB, change ...func(*ipam.Options)) *world {
	return open(t, memstore.New(), change...)
}

// must fails the test on an error.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (w *world) ipam(change ...func(*ipam.CreateIPAM)) ipam.IPAM {
	w.t.Helper()
	return must(w.CreateIPAM(w.t.Context(), ipamRequest(change...), nil))(w.t)
}

func ipamRequest(change ...func(*ipam.CreateIPAM)) ipam.CreateIPAM {
	req := ipam.CreateIPAM{
		ID: ids.EC2("ipam"), PublicScopeID: ids.EC2("ipam-scope"), PrivateScopeID: ids.EC2("ipam-scope"),
		DiscoveryID: ids.EC2("ipam-res-disco"), DiscoveryAssociationID: ids.EC2("ipam-res-disco-assoc"),
		Account: account, Region: home, OperatingRegions: []string{abroad}, Time: t0,
	}
	for _, c := range change {
		c(&req)
	}
	return req
}

func poolRequest(scope string, change ...func(*ipam.CreatePool)) ipam.CreatePool {
	req := ipam.CreatePool{
		ID: ids.EC2("ipam-pool"), Account: account, Region: home, ScopeID: scope,
		Family: ipam.IPv4, Locale: home, Time: t0,
	}
	for _, c := range change {
		c(&req)
	}
	return req
}

func (w *world) pool(scope string, change ...func(*ipam.CreatePool)) ipam.Pool {
	w.t.Helper()
	return must(w.CreatePool(w.t.Context(), poolRequest(scope, change...), nil))(w.t)
}

func provisionRequest(pool, cidr string) ipam.ProvisionCIDR {
	req := ipam.ProvisionCIDR{
		ID: ids.New("ipam-pool-cidr-", 33), AllocationID: ipam.NewAllocationID(t0),
		Account: account, Region: home, PoolID: pool, Time: t0,
	}
	if cidr != "" {
		req.CIDR = netip.MustParsePrefix(cidr)
	}
	return req
}

func (w *world) provision(pool, cidr string) ipam.PoolCIDR {
	w.t.Helper()
	return must(w.ProvisionCIDR(w.t.Context(), provisionRequest(pool, cidr), nil))(w.t)
}

func (w *world) provisionLength(pool string, bits int) ipam.PoolCIDR {
	w.t.Helper()
	req := provisionRequest(pool, "")
	req.NetmaskLength = &bits
	return must(w.ProvisionCIDR(w.t.Context(), req, nil))(w.t)
}

// private returns a pool of a private scope with the CIDRs.
func (w *world) private(cidrs ...string) ipam.Pool {
	w.t.Helper()
	p := w.pool(w.ipam().PrivateScopeID)
	for _, c := range cidrs {
		if got := w.provision(p.ID, c); got.State != ipam.Provisioned {
			w.t.Fatalf("provision %s: %+v", c, got)
		}
	}
	return p
}

func allocateRequest(p ipam.Pool, change ...func(*ipam.Allocate)) ipam.Allocate {
	req := ipam.Allocate{ID: ipam.NewAllocationID(t0), Account: account, Region: p.Locale, PoolID: p.ID, Time: t0}
	for _, c := range change {
		c(&req)
	}
	return req
}

func length(bits int) func(*ipam.Allocate) {
	return func(r *ipam.Allocate) { r.NetmaskLength = &bits }
}

func exactly(cidr string) func(*ipam.Allocate) {
	return func(r *ipam.Allocate) { r.CIDR = netip.MustParsePrefix(cidr) }
}

func (w *world) allocate(p ipam.Pool, change ...func(*ipam.Allocate)) ipam.Allocation {
	w.t.Helper()
	return must(w.Allocate(w.t.Context(), allocateRequest(p, change...), nil))(w.t)
}

func (w *world) release(a ipam.Allocation) {
	w.t.Helper()
	if err := w.Release(w.t.Context(), account, a.Holder.Region, a.PoolID, a.CIDR, a.ID, t0, nil); err != nil {
		w.t.Fatal(err)
	}
}

// draw takes a single address for a made-up elastic IP.
func (w *world) draw(pool string) (ipam.Allocation, error) {
	h := ipam.Holder{Type: ipam.EIP, ResourceID: ids.EC2("eipalloc"), Account: account, Region: home}
	return w.Draw(w.t.Context(), ipam.Want{PoolID: pool, NetmaskLength: new(32), Holder: h, Time: t0}, func(*store.Tx, ipam.Allocation) error { return nil })
}

func (w *world) giveBack(a ipam.Allocation, now time.Time) error {
	ref := ipam.AllocationRef{PoolID: a.PoolID, ID: a.ID, CIDR: a.CIDR, Seq: a.Seq}
	return w.store.Update(w.t.Context(), func(tx *store.Tx) error { return w.Return(tx, ref, now) })
}

func (w *world) held(pool string) []string {
	var held []string
	for _, a := range w.Allocations(w.store.Snapshot(), pool, "") {
		held = append(held, a.CIDR.String())
	}
	return held
}

// provider prefixes, of RFC 5737 and RFC 3849.
func (w *world) provider(addresses, blocks []string) {
	w.t.Helper()
	parse := func(ss []string) (ps []netip.Prefix) {
		for _, s := range ss {
			ps = append(ps, netip.MustParsePrefix(s))
		}
		return ps
	}
	if err := w.EnsureProvider(w.t.Context(), home, parse(addresses), parse(blocks), t0); err != nil {
		w.t.Fatal(err)
	}
}
