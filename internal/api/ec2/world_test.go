package ec2_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	ec2api "github.com/fairlead/fairlead/internal/api/ec2"
	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/discovery"
	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/instance"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/prefixlist"
	"github.com/fairlead/fairlead/internal/prefixlist/resolver"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/vpc"
	"github.com/fairlead/fairlead/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	account  = "111122223333"
	stranger = "444455556666"
	region   = "us-east-1"
)

type geography struct{}

func (geography) Names() []string { return []string{region, "eu-central-1"} }

func (geography) Zones(r string) []string {
	switch r {
	case region:
		return []string{"us-east-1a", "us-east-1b", "us-east-1c"}
	case "eu-central-1":
		return []string{"eu-central-1a", "eu-central-1b"}
	}
	return nil
}

// noPools gives the next address from 192.0.2.144 on for each draw, or the one
// that is asked for, and takes all back.
type noPools struct {
	st    *store.Store
	given *atomic.Uint32
}

func (p noPools) Draw(ctx context.Context, w vpc.Want, record func(*store.Tx, vpc.Drawn) error) error {
	block := w.Block
	if !block.IsValid() {
		block = netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(143 + p.given.Add(1))}), 32)
	}
	return p.st.Update(ctx, func(tx *store.Tx) error {
		return record(tx, vpc.Drawn{PoolID: w.PoolID, AllocationID: w.ResourceID, Block: block, Seq: 1})
	})
}
func (noPools) DrawWithin(*store.Tx, vpc.Want) (vpc.Drawn, error) {
	return vpc.Drawn{}, vpc.ErrPoolNotFound
}
func (noPools) Return(*store.Tx, vpc.Drawn) error { return nil }
func (noPools) ProviderPool(string) string        { return "hidden" }
func (noPools) ProviderIPv6Pool(string) string    { return "hidden" }

// planning is the vpc room as the ipam room knows it.
type planning struct{ vpc *vpc.Service }

func (p *planning) CIDRs(r store.Reader, src ipam.SourceResource) ([]netip.Prefix, bool) {
	v, ok := p.vpc.VPC(r, src.Owner, src.Region, src.ID)
	return []netip.Prefix{v.CIDR}, ok
}

func (p *planning) Subnets(r store.Reader, src ipam.SourceResource) iter.Seq2[string, netip.Prefix] {
	p.vpc.VPC(r, src.Owner, src.Region, src.ID)
	return func(yield func(string, netip.Prefix) bool) {
		for id, n := range p.vpc.SubnetsOf(r, src.ID) {
			if !yield(id, n.CIDR) {
				return
			}
		}
	}
}

func (p *planning) Adopt(tx *store.Tx, subnetID string, a ipam.Allocation) error {
	return p.vpc.AdoptBlock(tx, subnetID, vpc.Drawn{PoolID: a.PoolID, AllocationID: a.ID, Block: a.CIDR, Seq: a.Seq})
}

// lists joins the prefixlist room and the vpc room, each of which needs the other.
type lists struct {
	*prefixlist.Service
	vpc *vpc.Service
}

func (l *lists) Size(r store.Reader, account, region, id string) (int, bool) {
	pl, ok := l.List(r, account, region, id)
	return pl.MaxEntries, ok
}

func (l *lists) Of(r store.Reader, listID, from string) iter.Seq[string] {
	return l.vpc.PrefixListUsers(r, listID, from)
}

func (l *lists) Full(r store.Snapshot, listID string, maxEntries int) iter.Seq[string] {
	return l.vpc.TooFullForList(r, listID, maxEntries)
}

// managers is the ipam room as the resolver room needs it. That doesn't run here:
// what resolvers do is tested where all rooms are joined.
type managers struct{ *ipam.Service }

func (m managers) IPAM(r store.Reader, account, id string) (resolver.IPAM, bool) {
	i, ok := m.Service.IPAM(r, account, id)
	return resolver.IPAM{ID: i.ID, Account: i.Account, Region: i.Region, Advanced: i.Tier == ipam.Advanced}, ok
}

func (m managers) Scope(r store.Reader, account, id string) (string, bool) {
	sc, ok := m.Service.Scope(r, account, id)
	return sc.IPAMID, ok
}

func (m managers) Pool(r store.Reader, account, id string) (string, bool) {
	p, ok := m.VisiblePool(r, account, id)
	return p.IPAMID, ok
}

func (managers) PoolCIDRs(store.Snapshot, resolver.IPAM, string) iter.Seq[resolver.PoolCIDR] {
	return func(func(resolver.PoolCIDR) bool) {}
}

// world is the API served over HTTP, as clients meet it.
type world struct {
	store     *store.Store
	vpc       *vpc.Service
	instances *instance.Service
	endpoint  string
}

// filing is the vpc room as the instance room needs it.
type filing struct{ vpc *vpc.Service }

func (f filing) Subnet(r store.Reader, account, region, id string) (vpcID, zone string, ok bool) {
	s, ok := f.vpc.Subnet(r, account, region, id)
	return s.VPCID, s.Zone, ok
}

func (f filing) VPC(r store.Reader, account, region, id string) bool {
	_, ok := f.vpc.VPC(r, account, region, id)
	return ok
}

func (filing) Zones(region string) []string { return geography{}.Zones(region) }

func newWorld(t *testing.T) *world {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	st := store.New(memstore.New(), "test", log)
	tg, idem := tags.New(st), idempotency.New(st)
	plan, pl := &planning{}, &lists{}
	pl.Service = prefixlist.New(st, tg, idem, prefixlist.Options{Users: pl})
	rooms := ec2api.Deps{
		Store: st, Tags: tg, Regions: geography{},
		VPC:         vpc.New(st, tg, idem, noPools{st, new(atomic.Uint32)}, vpc.Options{Zones: geography{}.Zones, PrefixLists: pl}),
		PrefixLists: pl.Service,
		Discovery:   discovery.New(st, tg, idem, discovery.Options{}), // its calls are tested where the rooms are joined
		IPAM:        ipam.New(st, tg, idem, ipam.Options{IsRegion: func(r string) bool { return geography{}.Zones(r) != nil }, VPCs: plan, Log: log}),
	}
	plan.vpc, pl.vpc = rooms.VPC, rooms.VPC
	rooms.Instances = instance.New(st, tg, filing{rooms.VPC})
	rooms.Resolvers = resolver.New(st, tg, idem, resolver.Options{
		Lists: pl.Service, Managers: managers{rooms.IPAM}, IsRegion: func(r string) bool { return geography{}.Zones(r) != nil }, Log: log,
	})
	if err := st.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(wire.NewServer(wire.Config{Dev: true, DevRegion: region, Log: log}, ec2api.New(rooms).Service()))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		rooms.IPAM.Run(ctx)
	}()
	t.Cleanup(func() {
		srv.Close()
		http.DefaultClient.CloseIdleConnections()
		cancel()
		<-done
		st.Close()
	})
	return &world{store: st, vpc: rooms.VPC, instances: rooms.Instances, endpoint: srv.URL}
}

func (w *world) client(account string) *wire.Client {
	return &wire.Client{Endpoint: w.endpoint, Spec: ec2api.Spec, Region: region, AccessKeyID: account, Secret: "any"}
}

// do calls an action of the account's, which must succeed.
func do[Out any](t *testing.T, w *world, action string, in any) *Out {
	t.Helper()
	out := new(Out)
	if err := w.client(account).Do(t.Context(), action, in, out); err != nil {
		t.Fatalf("%s: %v", action, err)
	}
	return out
}

// send posts a form as it is, and returns the reply. Parameters alternate
// between name and value.
func (w *world) send(t *testing.T, account, action string, params ...string) (status int, body string) {
	t.Helper()
	form := url.Values{"Action": {action}, "Version": {ec2api.Spec.Version}}
	for i := 0; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.endpoint+"/", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+account+"/20260801/"+region+"/ec2/aws4_request, SignedHeaders=host, Signature=00")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// wantCode checks that a call is refused with the code.
func (w *world) wantCode(t *testing.T, code, action string, params ...string) {
	t.Helper()
	status, body := w.send(t, account, action, params...)
	if !strings.Contains(body, "<Code>"+code+"</Code>") {
		t.Errorf("%s %v: got %d %s, want %s", action, params, status, body, code)
	}
}

func codeOf(err error) string {
	if e, ok := errors.AsType[*apierr.Error](err); ok {
		return e.Code
	}
	return ""
}
