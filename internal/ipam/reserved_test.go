package ipam_test

import (
	"context"
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
)

const balancer = "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/app/shop/0123456789abcdef"

func reserveRequest(pool string, cidr string, bits int) ipam.Reserve {
	r := ipam.Reserve{
		ID: ids.New("reserved-", 33), CIDRID: ids.New("ipam-pool-cidr-", 33), AllocationID: ipam.NewAllocationID(t0),
		Account: account, Region: home, PoolID: pool, For: balancer, NetmaskLength: bits, Time: t0,
	}
	if cidr != "" {
		r.CIDR = netip.MustParsePrefix(cidr)
		r.NetmaskLength = r.CIDR.Bits()
	}
	return r
}

func nothing(*store.Tx, ipam.Reservation) error { return nil }

func (w *world) reserve(pool string, cidr string, bits int) ipam.Reservation {
	w.t.Helper()
	return must(w.Reserve(w.t.Context(), reserveRequest(pool, cidr, bits), nothing))(w.t)
}

func (w *world) unreserve(id string) error {
	return w.Unreserve(w.t.Context(), id, func(*store.Tx) error { return nil })
}

// drawFor takes an address of a reserved block, as who it is reserved for.
func (w *world) drawFor(arn, pool string) (ipam.Allocation, error) {
	h := ipam.Holder{Type: ipam.EIP, ResourceID: ids.EC2("eipalloc"), Account: account, Region: home}
	return w.Draw(w.t.Context(), ipam.Want{PoolID: pool, ReservedFor: arn, NetmaskLength: new(32), Holder: h, Time: t0}, func(*store.Tx, ipam.Allocation) error { return nil })
}

// I1, B7: what is reserved nobody else draws, of the block or of the pool.
func TestAReservedBlockIsItsHoldersAlone(t *testing.T) {
	w := single(t)
	source := w.byoipPool(w.ipam().PublicScopeID)
	w.provision(source.ID, "198.18.0.0/24")
	r := w.reserve(source.ID, "", 31)
	if r.CIDR.String() != "198.18.0.0/31" {
		t.Errorf("got %s, want the lowest", r.CIDR)
	}
	if got := must(w.draw(source.ID))(t); got.CIDR.String() != "198.18.0.2/32" {
		t.Errorf("the pool gives %s to somebody else", got.CIDR)
	}
	for _, arn := range []string{"", balancer + "0"} {
		if _, err := w.drawFor(arn, r.PoolID); !errors.Is(err, ipam.ErrPoolNotFound) {
			t.Errorf("%q draws: %v", arn, err)
		}
	}
	for _, want := range []string{"198.18.0.0/32", "198.18.0.1/32"} {
		if got := must(w.drawFor(balancer, r.PoolID))(t); got.CIDR.String() != want {
			t.Errorf("its holder draws %s, want %s", got.CIDR, want)
		}
	}
	if _, err := w.drawFor(balancer, r.PoolID); !errors.Is(err, ipam.ErrPoolExhausted) || w.HasRoom(w.store.Snapshot(), r.PoolID) {
		t.Errorf("a full block: got %v", err)
	}
	snap := w.store.Snapshot()
	if _, ok := w.VisiblePool(snap, account, r.PoolID); ok {
		t.Error("the block is visible as an IPAM pool")
	}
	for _, a := range w.Allocations(snap, source.ID, "") {
		if a.CIDR == r.CIDR && (a.Holder.ResourceID != r.PoolID || !strings.Contains(a.Description, balancer)) {
			t.Errorf("the pool doesn't tell who has the block: %+v", a)
		}
	}
	if err := w.unreserve(r.PoolID); !errors.Is(err, ipam.ErrBlockInUse) {
		t.Errorf("given back while it is in use: got %v", err)
	}
	if c := must(w.DeprovisionCIDR(t.Context(), account, home, source.ID, netip.MustParsePrefix("198.18.0.0/24"), nil))(t); c.State != ipam.FailedDeprovision {
		t.Errorf("the CIDR around it is %s", c.State)
	}
}

func TestWhatCantBeReservedIsRefused(t *testing.T) {
	w := single(t)
	source := w.byoipPool(w.ipam().PublicScopeID)
	w.provision(source.ID, "198.18.0.0/24")
	must(w.draw(source.ID))(t)
	ask := func(r ipam.Reserve) error {
		_, err := w.Reserve(t.Context(), r, nothing)
		return err
	}
	for name, c := range map[string]struct {
		r    ipam.Reserve
		want error
	}{
		"a length that is nowhere free": {reserveRequest(source.ID, "", 24), ipam.ErrPoolExhausted},
		"a pool that there isn't":       {reserveRequest("ipam-pool-0", "", 28), ipam.ErrPoolNotFound},
	} {
		if err := ask(c.r); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, cidr := range map[string]string{"a CIDR with an address in use": "198.18.0.0/28", "one outside the pool": "198.19.0.0/28", "one of IPv6": "2001:db8::/28"} {
		if err := ask(reserveRequest(source.ID, cidr, 0)); !isReason(err, ipam.InvalidValue) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	no := errors.New("no")
	if _, err := w.Reserve(t.Context(), reserveRequest(source.ID, "", 28), func(*store.Tx, ipam.Reservation) error { return no }); !errors.Is(err, no) {
		t.Errorf("a record that fails: got %v", err)
	}
	if got := w.held(source.ID); !slices.Equal(got, []string{"198.18.0.0/32"}) {
		t.Errorf("I2: held: %q", got)
	}
	other := reserveRequest(source.ID, "", 28)
	other.Account = "444455556666"
	if err := ask(other); !errors.Is(err, ipam.ErrPoolNotFound) {
		t.Errorf("I8: another account's: got %v", err)
	}
}

// I3: a block is free once what was released in it has cooled.
func TestAReservedBlockGoesWhenItsAddressesHaveCooled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, memstore.New(), func(o *ipam.Options) { o.Quarantine = time.Minute })
		source := w.byoipPool(w.ipam().PublicScopeID)
		w.provision(source.ID, "198.18.0.0/24")
		r := w.reserve(source.ID, "198.18.0.8/29", 0)
		if err := w.giveBack(must(w.drawFor(balancer, r.PoolID))(t), time.Now()); err != nil {
			t.Fatal(err)
		}
		for range 2 { // once is as good as twice
			if err := w.unreserve(r.PoolID); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.drawFor(balancer, r.PoolID); err == nil {
			t.Error("a block that goes gives an address")
		}
		if got := w.held(source.ID); !slices.Equal(got, []string{"198.18.0.8/29"}) {
			t.Errorf("before they have cooled: held %q", got)
		}
		time.Sleep(time.Minute + 3*time.Second)
		synctest.Wait()
		if got := w.held(source.ID); got != nil {
			t.Errorf("I2: then: held %q", got)
		}
		if _, ok := w.Pool(w.store.Snapshot(), r.PoolID); ok {
			t.Error("I2: the block's own record is left")
		}
		if err := w.unreserve(r.PoolID); err != nil {
			t.Errorf("once more: %v", err)
		}
		w.reserve(source.ID, "198.18.0.8/29", 0)
	})
}

// I1: two servers reserve and draw at once, and nothing is given twice.
func TestTwoServersReserveBlocksApart(t *testing.T) {
	engine := memstore.New()
	one, two := open(t, engine), open(t, engine)
	source := one.byoipPool(one.ipam().PublicScopeID)
	one.provision(source.ID, "198.18.0.0/24")
	if err := two.store.WaitRevision(context.Background(), one.store.Snapshot().Revision()); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var taken []netip.Prefix
	add := func(p netip.Prefix) {
		mu.Lock()
		defer mu.Unlock()
		for _, other := range taken {
			if other.Overlaps(p) {
				t.Errorf("%s and %s are both given", other, p)
			}
		}
		taken = append(taken, p)
	}
	var wg sync.WaitGroup
	for _, w := range []*world{one, two} {
		for range 8 {
			wg.Go(func() {
				if r, err := w.Reserve(t.Context(), reserveRequest(source.ID, "", 29), nothing); err != nil {
					t.Error(err)
				} else {
					add(r.CIDR)
				}
			})
			wg.Go(func() {
				if a, err := w.draw(source.ID); err != nil {
					t.Error(err)
				} else {
					add(a.CIDR)
				}
			})
		}
	}
	wg.Wait()
	if len(taken) != 32 {
		t.Errorf("%d are given, want 32", len(taken))
	}
}
