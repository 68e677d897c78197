package ipam_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
)

func (w *world) publicPool() ipam.Pool {
	w.t.Helper()
	return must(w.CreatePublicPool(w.t.Context(), ipam.CreatePublicPool{
		ID: ids.EC2("ipv4pool-ec2"), Account: account, Region: home, Tags: []tags.Tag{{Key: "a", Value: "b"}}, Time: t0,
	}, nil))(w.t)
}

func publicRequest(pool, source string, bits int) ipam.ProvisionPublicCIDR {
	return ipam.ProvisionPublicCIDR{
		ID: ids.New("ipam-pool-cidr-", 33), AllocationID: ipam.NewAllocationID(t0), Account: account, Region: home,
		PoolID: pool, SourcePoolID: source, NetmaskLength: bits, Time: t0,
	}
}

func (w *world) provisionPublic(pool, source string, bits int) ipam.PoolCIDR {
	w.t.Helper()
	return must(w.ProvisionPublicCIDR(w.t.Context(), publicRequest(pool, source, bits), nil))(w.t)
}

// I1: what a public pool has, its IPAM pool gives to nobody else.
func TestAPublicPoolsCIDRIsABlockOfAnIPAMPool(t *testing.T) {
	w := single(t)
	source := w.byoipPool(w.ipam().PublicScopeID)
	w.provision(source.ID, "198.18.0.0/24")
	p := w.publicPool()
	if _, err := w.draw(p.ID); !errors.Is(err, ipam.ErrPoolExhausted) {
		t.Errorf("an empty pool gives %v", err)
	}
	taken := must(w.draw(source.ID))(t) // the IPAM pool's own elastic IP, 198.18.0.0
	if c := w.provisionPublic(p.ID, source.ID, 30); c.CIDR.String() != "198.18.0.4/30" || c.State != ipam.Provisioned {
		t.Errorf("got %+v", c)
	}
	for _, want := range []string{"198.18.0.4/32", "198.18.0.5/32", "198.18.0.6/32", "198.18.0.7/32"} {
		if a := must(w.draw(p.ID))(t); a.CIDR.String() != want || a.PoolID != p.ID {
			t.Errorf("got %s of %s, want %s", a.CIDR, a.PoolID, want)
		}
	}
	if _, err := w.draw(p.ID); !errors.Is(err, ipam.ErrPoolExhausted) {
		t.Errorf("a full pool gives %v", err)
	}
	if a := must(w.draw(source.ID))(t); a.CIDR.String() != "198.18.0.1/32" {
		t.Errorf("the IPAM pool's next: got %s", a.CIDR)
	}
	w.provisionPublic(p.ID, source.ID, 32)
	ranges := w.Ranges(w.store.Snapshot(), p.ID)
	want := []ipam.AddressRange{
		{CIDR: netip.MustParsePrefix("198.18.0.2/32"), Total: 1, Available: 1},
		{CIDR: netip.MustParsePrefix("198.18.0.4/30"), Total: 4, Available: 0},
	}
	if !slices.Equal(ranges, want) {
		t.Errorf("got %+v, want %+v", ranges, want)
	}

	in := netip.MustParsePrefix("198.18.0.4/30")
	_, err := w.DeprovisionPublicCIDR(t.Context(), account, home, p.ID, in, nil)
	refused(t, err, ipam.Dependency, "allocated addresses")
	if err := w.DeletePublicPool(t.Context(), account, home, p.ID, nil); !isReason(err, ipam.Dependency) {
		t.Errorf("delete with CIDRs: got %v", err)
	}
	for _, a := range w.Allocations(w.store.Snapshot(), p.ID, "") {
		if err := w.giveBack(a, t0); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.giveBack(taken, t0); err != nil {
		t.Fatal(err)
	}
	for _, r := range want {
		must(w.DeprovisionPublicCIDR(t.Context(), account, home, p.ID, r.CIDR, nil))(t)
	}
	_, err = w.DeprovisionPublicCIDR(t.Context(), account, home, p.ID, in, nil)
	refused(t, err, ipam.WrongState, "not provisioned")
	if got := w.held(source.ID); !slices.Equal(got, []string{"198.18.0.1/32"}) {
		t.Errorf("the IPAM pool still holds %q", got)
	}
	if err := w.DeletePublicPool(t.Context(), account, home, p.ID, nil); err != nil {
		t.Error(err)
	}
	wantAbsent(t, w.DeletePublicPool(t.Context(), account, home, p.ID, nil), ipam.NounPublicPool)
	if got := w.tags.Of(w.store.Snapshot(), p.ID); len(got) > 0 {
		t.Errorf("its tags remain: %v", got)
	}
}

func isReason(err error, want ipam.Reason) bool {
	var e *ipam.CallError
	return errors.As(err, &e) && e.Reason == want
}

func TestWhichIPAMPoolsFeedAPublicPool(t *testing.T) {
	w := single(t)
	w.provider(nil, []string{"203.0.113.0/24"})
	i := w.ipam()
	p := w.publicPool()
	good := w.byoipPool(i.PublicScopeID, func(r *ipam.CreatePool) { r.MinNetmask = new(28) })
	w.provision(good.ID, "198.18.0.0/16")
	tagged := w.byoipPool(i.PublicScopeID, func(r *ipam.CreatePool) { r.AllocationTags = []ipam.AllocationTag{{Key: "a", Value: "c"}} })
	w.provision(tagged.ID, "198.19.0.0/16")
	for name, c := range map[string]struct {
		pool ipam.Pool
		bits int
		want string
	}{
		"Amazon's":               {w.byoipPool(i.PublicScopeID, func(r *ipam.CreatePool) { r.PublicSource = ipam.Amazon }), 30, "PublicIpSource byoip"},
		"private":                {w.pool(i.PrivateScopeID), 30, "public scope"},
		"not for EC2":            {w.pool(i.PublicScopeID), 30, "AwsService ec2"},
		"IPv6":                   {w.byoipPool(i.PublicScopeID, func(r *ipam.CreatePool) { r.Family = ipam.IPv6 }), 30, "IPv4 pool"},
		"without a locale":       {w.byoipPool(i.PublicScopeID, func(r *ipam.CreatePool) { r.Locale = "" }), 30, "locale"},
		"of another region":      {w.byoipPool(i.PublicScopeID, func(r *ipam.CreatePool) { r.Locale = abroad }), 30, abroad},
		"asked for a /23":        {good, 23, "between 24 and 32"},
		"asked for a /33":        {good, 33, "between 24 and 32"},
		"asked against its rule": {good, 27, "rules"},
		"that asks other tags":   {tagged, 30, "resource tags"},
		"empty":                  {w.byoipPool(i.PublicScopeID), 30, "too big for the pool"},
	} {
		before := w.store.Snapshot().Revision()
		_, err := w.ProvisionPublicCIDR(t.Context(), publicRequest(p.ID, c.pool.ID, c.bits), nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("an IPAM pool that is %s: got %v, want %q", name, err, c.want)
		}
		if after := w.store.Snapshot().Revision(); after != before {
			t.Errorf("I10: an IPAM pool that is %s: refused, and written", name)
		}
	}
	_, err := w.ProvisionPublicCIDR(t.Context(), publicRequest("ipv4pool-ec2-0", good.ID, 30), nil)
	wantAbsent(t, err, ipam.NounPublicPool)
	_, err = w.ProvisionPublicCIDR(t.Context(), publicRequest(good.ID, good.ID, 30), nil)
	wantAbsent(t, err, ipam.NounPublicPool)
	_, err = w.ProvisionPublicCIDR(t.Context(), publicRequest(p.ID, p.ID, 30), nil)
	wantAbsent(t, err, ipam.NounPool)
	for range 50 {
		w.provisionPublic(p.ID, good.ID, 32)
	}
	_, err = w.ProvisionPublicCIDR(t.Context(), publicRequest(p.ID, good.ID, 32), nil)
	refused(t, err, ipam.OverLimit, "limited to 50")
}

// IPAM's operations don't know a public pool, nor anybody but its owner.
func TestAPublicPoolIsNoneOfIPAMs(t *testing.T) {
	w := single(t)
	i := w.ipam()
	id := w.bring(range18).PoolID
	snap := w.store.Snapshot()
	if _, ok := w.VisiblePool(snap, account, id); ok {
		t.Error("it is visible as an IPAM pool")
	}
	for got := range w.PoolsOf(snap, account, home, "") {
		t.Errorf("describe shows %s", got)
	}
	_, err := w.CreatePool(t.Context(), poolRequest(i.PublicScopeID, func(r *ipam.CreatePool) { r.SourcePoolID = id }), nil)
	wantAbsent(t, err, ipam.NounPool)
	_, err = w.Allocate(t.Context(), allocateRequest(ipam.Pool{ID: id, Locale: home}, length(28)), nil)
	wantAbsent(t, err, ipam.NounPool)
	_, err = w.DeprovisionCIDR(t.Context(), account, home, id, range18, nil)
	wantAbsent(t, err, ipam.NounPool)
	_, err = w.DeletePool(t.Context(), account, home, id, false, nil)
	wantAbsent(t, err, ipam.NounPool)
	for name, h := range map[string]ipam.Holder{
		"a VPC":           {Type: ipam.VPC, ResourceID: "vpc-0", Account: account, Region: home},
		"another account": {Type: ipam.EIP, ResourceID: "eipalloc-0", Account: "444455556666", Region: home},
		"another region":  {Type: ipam.EIP, ResourceID: "eipalloc-0", Account: account, Region: abroad},
	} {
		_, err := w.Draw(t.Context(), ipam.Want{PoolID: id, NetmaskLength: new(32), Holder: h, Time: t0}, func(*store.Tx, ipam.Allocation) error { return nil })
		if !errors.Is(err, ipam.ErrPoolNotFound) {
			t.Errorf("I8: %s draws: %v", name, err)
		}
	}
	if _, ok := w.PublicPool(snap, "444455556666", home, id); ok {
		t.Error("I8: another account sees the pool")
	}
	if _, err := w.DeprovisionPublicCIDR(t.Context(), account, home, id, range18, nil); !isReason(err, ipam.WrongState) {
		t.Errorf("a range that was brought goes by DeprovisionByoipCidr: got %v", err)
	}
}

func TestAPublicPoolsCIDRReturnsOnceItsAddressesHaveCooled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, memstore.New(), func(o *ipam.Options) { o.Quarantine = time.Minute })
		source := w.byoipPool(w.ipam().PublicScopeID)
		w.provision(source.ID, "198.18.0.0/24")
		p := w.publicPool()
		c := w.provisionPublic(p.ID, source.ID, 30)
		if err := w.giveBack(must(w.draw(p.ID))(t), time.Now()); err != nil {
			t.Fatal(err)
		}
		if c := must(w.DeprovisionPublicCIDR(t.Context(), account, home, p.ID, c.CIDR, nil))(t); c.State != ipam.PendingDeprovision {
			t.Fatalf("got %+v", c)
		}
		if got := w.Ranges(w.store.Snapshot(), p.ID); got[0].Available != 0 {
			t.Errorf("a range that leaves has %d addresses to give", got[0].Available)
		}
		_, err := w.DeprovisionPublicCIDR(t.Context(), account, home, p.ID, c.CIDR, nil)
		refused(t, err, ipam.WrongState, "being deprovisioned")
		if got := w.held(source.ID); !slices.Equal(got, []string{"198.18.0.0/30"}) {
			t.Errorf("I3: the block is free before its addresses have cooled: %q", got)
		}
		time.Sleep(time.Minute + 3*time.Second)
		synctest.Wait()
		if got := w.held(source.ID); got != nil {
			t.Errorf("the IPAM pool still holds %q", got)
		}
		if _, ok := w.PublicPool(w.store.Snapshot(), account, home, p.ID); !ok {
			t.Error("the pool went with its CIDR")
		}
	})
}

// I1: two servers draw every address of a public pool while its range is moved
// to IPAM under their hands, and nothing is given twice, by either pool.
func TestTwoServersDrawFromAPublicPoolThatMoves(t *testing.T) {
	engines(t, func(t *testing.T, e store.Engine) {
		a, b := open(t, e), open(t, e)
		target := a.byoipPool(a.ipam().PublicScopeID)
		id := a.bring(range18).PoolID
		if err := b.store.WaitRevision(t.Context(), a.store.Snapshot().Revision()); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		got := map[netip.Prefix]bool{}
		half := make(chan struct{})
		var wg sync.WaitGroup
		for _, w := range []*world{a, b} {
			for _, pool := range []string{id, id, id, id, target.ID} {
				wg.Go(func() {
					for {
						al, err := w.draw(pool)
						if errors.Is(err, ipam.ErrPoolExhausted) {
							mu.Lock()
							all := len(got) == 256
							mu.Unlock()
							if all || pool == id || t.Failed() {
								return
							}
							continue // the IPAM pool is asked until nothing could come of it any more
						}
						if err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						if got[al.CIDR] {
							t.Errorf("I1: %s given twice", al.CIDR)
						}
						if got[al.CIDR] = true; len(got) == 128 {
							close(half)
						}
						mu.Unlock()
					}
				})
			}
		}
		wg.Go(func() {
			<-half
			if _, _, err := b.MoveBYOIP(t.Context(), moveRequest(range18, target.ID), nil); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		if len(got) != 256 {
			t.Errorf("got %d addresses, want 256", len(got))
		}
		if held := a.held(target.ID); !slices.Equal(held, []string{"198.18.0.0/24"}) {
			t.Errorf("the IPAM pool holds %q", held)
		}
	})
}
