package ipam_test

import (
	"errors"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// drawThat takes a certain address for an elastic IP of the account's, out of
// the pool, or out of whichever has it.
func (w *world) drawThat(account, pool, address string) (ipam.Allocation, error) {
	h := ipam.Holder{Type: ipam.EIP, ResourceID: ids.EC2("eipalloc"), Account: account, Region: home}
	want := ipam.Want{PoolID: pool, CIDR: netip.MustParsePrefix(address + "/32"), Holder: h, Time: t0}
	return w.Draw(w.t.Context(), want, func(*store.Tx, ipam.Allocation) error { return nil })
}

func cooling(o *ipam.Options) { o.Quarantine = time.Minute }

func TestAnAddressIsFoundInThePoolThatHasIt(t *testing.T) {
	w := single(t)
	w.provider([]string{"198.51.100.0/28"}, []string{"203.0.113.0/24"})
	i := w.ipam()
	forEC2 := func(r *ipam.CreatePool) { r.AWSService = ipam.ServiceEC2 }
	top := w.pool(i.PublicScopeID, forEC2)
	w.provision(top.ID, "192.0.2.0/24")
	child := w.pool(i.PublicScopeID, func(r *ipam.CreatePool) { r.SourcePoolID = top.ID })
	w.provision(child.ID, "192.0.2.128/25")
	carved := w.pool(i.PublicScopeID, forEC2, func(r *ipam.CreatePool) { r.PublicSource = ipam.Amazon })
	w.provisionLength(carved.ID, 29)

	for _, c := range []struct {
		name, account, address, want string // want "": nobody's
	}{
		{"in a top-level pool", account, "192.0.2.7", top.ID},
		{"in a child, which took it from its source", account, "192.0.2.144", child.ID},
		{"in a block carved from the provider's", account, "203.0.113.5", carved.ID},
		{"in the provider's blocks beyond it", account, "203.0.113.77", ""},
		{"in the provider's pool, never released", account, "198.51.100.3", ""},
		{"in another account's pool (I8)", "444455556666", "192.0.2.8", ""},
		{"in no pool", account, "233.252.0.1", ""},
	} {
		a, err := w.drawThat(c.account, "", c.address)
		switch {
		case c.want == "" && !errors.Is(err, ipam.ErrNotHad):
			t.Errorf("%s: got %+v, %v; want ErrNotHad", c.name, a, err)
		case c.want != "" && (err != nil || a.PoolID != c.want):
			t.Errorf("%s: got %+v, %v; want it out of %s", c.name, a, err, c.want)
		}
	}
}

// A quarantine keeps an address from others, not from the account that had it.
func TestAnAddressThatCoolsGoesBackToItsAccountOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := single(t, cooling)
		w.provider([]string{"198.51.100.0/30"}, nil)
		provider := w.ProviderPool(home)
		old := must(w.draw(provider))(t)
		if err := w.giveBack(old, time.Now()); err != nil {
			t.Fatal(err)
		}

		if _, err := w.drawThat("444455556666", "", "198.51.100.0"); !errors.Is(err, ipam.ErrNotHad) {
			t.Errorf("another account: got %v, want ErrNotHad", err)
		}
		if _, err := w.drawThat("444455556666", provider, "198.51.100.0"); err == nil {
			t.Error("another account, by the pool: got the address")
		}
		if a := must(w.draw(provider))(t); a.CIDR == old.CIDR {
			t.Errorf("the next address is the one that cools (I3)")
		}
		back, err := w.drawThat(account, "", "198.51.100.0")
		if err != nil || back.CIDR != old.CIDR || back.PoolID != provider || back.Seq <= old.Seq {
			t.Errorf("its account: got %+v, %v; want the address again, with a later number", back, err)
		}
		if _, err := w.drawThat(account, "", "198.51.100.0"); err == nil {
			t.Error("got an address that is held (I1)")
		}
		if err := w.giveBack(old, time.Now()); !errors.Is(err, ipam.ErrStale) {
			t.Errorf("return of the allocation before: got %v, want ErrStale", err)
		}
		time.Sleep(2 * time.Minute) // the sweep must leave what is held again
		if a, ok := w.Allocation(w.store.Snapshot(), back.ID); !ok || a.CIDR != back.CIDR {
			t.Errorf("after the quarantine: got %+v, %v; want the address held", a, ok)
		}
		if err := w.giveBack(back, time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if _, err := w.drawThat(account, "", "198.51.100.0"); !errors.Is(err, ipam.ErrNotHad) {
			t.Errorf("after the quarantine: got %v, want ErrNotHad", err)
		}
		if a := must(w.draw(provider))(t); a.CIDR != old.CIDR {
			t.Errorf("after the quarantine: got %s, want %s as the lowest free again", a.CIDR, old.CIDR)
		}
	})
}

// I1: an address that cools goes to one of those who want it back, whichever
// server they ask.
func TestAnAddressIsRecoveredOnce(t *testing.T) {
	engine := memstore.New()
	servers := []*world{open(t, engine, cooling), open(t, engine, cooling)}
	servers[0].provider([]string{"198.51.100.0/30"}, nil)
	old := must(servers[0].draw(servers[0].ProviderPool(home)))(t)
	if err := servers[0].giveBack(old, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := servers[1].store.WaitRevision(t.Context(), servers[0].store.Snapshot().Revision()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	errs := make([]error, 16)
	for n := range errs {
		wg.Go(func() { _, errs[n] = servers[n%2].drawThat(account, "", "198.51.100.0") })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		}
	}
	if won != 1 {
		t.Errorf("%d got the address, want 1: %v", won, errs)
	}
}
