package ipam_test

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/etcd"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// engines has each concurrency test run on what is real and on what is fast.
func engines(t *testing.T, f func(t *testing.T, e store.Engine)) {
	t.Run("memstore", func(t *testing.T) { f(t, memstore.New()) })
	t.Run("etcd", func(t *testing.T) {
		if testing.Short() {
			t.Skip("needs a disk")
		}
		f(t, openEtcd(t))
	})
}

func openEtcd(t testing.TB) store.Engine {
	t.Helper()
	e, err := etcd.Open(t.Context(), etcd.Options{Dir: t.TempDir(), Log: testLogs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// I1 and I3: two servers fill a pool at once. Every address is given once, none is
// skipped, and each server hands out ascending addresses.
func TestTwoServersNeverGiveTheSameAddress(t *testing.T) {
	engines(t, func(t *testing.T, e store.Engine) {
		a, b := open(t, e), open(t, e)
		p := a.private("10.0.0.0/23")
		if err := b.store.WaitRevision(t.Context(), a.store.Snapshot().Revision()); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		got := map[netip.Prefix]string{}
		var wg sync.WaitGroup
		for _, w := range []*world{a, b} {
			for range 16 {
				wg.Go(func() {
					for {
						al, err := w.draw(p.ID)
						if errors.Is(err, ipam.ErrPoolExhausted) {
							return
						}
						if err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						if other, twice := got[al.CIDR]; twice {
							t.Errorf("%s given to %s and to %s", al.CIDR, other, al.ID)
						}
						got[al.CIDR] = al.ID
						mu.Unlock()
					}
				})
			}
		}
		wg.Wait()
		if len(got) != 512 {
			t.Errorf("%d of 512 addresses given", len(got))
		}
	})
}

// I1: blocks of many lengths, named and not, taken and released at two servers:
// what is held never overlaps, and what is acknowledged is held.
func TestTwoServersNeverGiveOverlappingBlocks(t *testing.T) {
	engines(t, func(t *testing.T, e store.Engine) {
		a, b := open(t, e), open(t, e)
		p := a.private("10.0.0.0/24", "10.0.2.0/24")
		if err := b.store.WaitRevision(t.Context(), a.store.Snapshot().Revision()); err != nil {
			t.Fatal(err)
		}
		var owners [1024]atomic.Int32 // by address: how many hold it now
		change := func(c netip.Prefix, by int32) {
			first := c.Addr().As4()
			n := int(first[2])*256 + int(first[3])
			for i := range 1 << (32 - c.Bits()) {
				if now := owners[n+i].Add(by); now != 0 && now != 1 {
					t.Errorf("address %d of %s has %d holders", i, c, now)
				}
			}
		}
		var wg sync.WaitGroup
		for n := range 8 {
			w := []*world{a, b}[n%2]
			wg.Go(func() {
				var mine []ipam.Allocation
				for i := range 60 {
					req := allocateRequest(p, length(26+(i+n)%7))
					if i%3 == 0 {
						c := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i * n)}), 26+i%7).Masked()
						req = allocateRequest(p, func(r *ipam.Allocate) { r.CIDR = c })
					}
					al, err := w.Allocate(t.Context(), req, nil)
					var refused *ipam.CallError
					switch {
					case err == nil:
						change(al.CIDR, 1)
						mine = append(mine, al)
					case !errors.Is(err, ipam.ErrPoolExhausted) && !errors.As(err, &refused):
						t.Error(err)
					}
					if len(mine) > 4 {
						change(mine[0].CIDR, -1)
						if err := w.Release(t.Context(), account, home, p.ID, mine[0].CIDR, mine[0].ID, t0, nil); err != nil {
							t.Error(err)
						}
						mine = slices.Delete(mine, 0, 1)
					}
				}
			})
		}
		wg.Wait()
		for _, w := range []*world{a, b} {
			if err := w.store.WaitRevision(t.Context(), max(a.store.Snapshot().Revision(), b.store.Snapshot().Revision())); err != nil {
				t.Fatal(err)
			}
		}
		if x, y := a.held(p.ID), b.held(p.ID); !slices.Equal(x, y) {
			t.Errorf("the servers differ:\n%v\n%v", x, y)
		}
	})
}

// I1: a CIDR is deprovisioned at one server while another allocates in it.
func TestDeprovisioningRacesWithAllocation(t *testing.T) {
	engines(t, func(t *testing.T, e store.Engine) {
		a, b := open(t, e), open(t, e)
		p := a.private()
		for range 20 {
			c := a.provision(p.ID, "10.0.0.0/24")
			if err := b.store.WaitRevision(t.Context(), a.store.Snapshot().Revision()); err != nil {
				t.Fatal(err)
			}
			var al ipam.Allocation
			var drawn error
			var wg sync.WaitGroup
			wg.Go(func() { al, drawn = b.draw(p.ID) })
			out, err := a.DeprovisionCIDR(t.Context(), account, home, p.ID, c.CIDR, nil)
			wg.Wait()
			if err != nil {
				t.Fatal(err)
			}
			if refused := out.State == ipam.FailedDeprovision; refused != (drawn == nil) {
				t.Fatalf("deprovision: %s; draw: %v", out.State, drawn)
			}
			if drawn == nil {
				if err := b.giveBack(al, t0); err != nil {
					t.Fatal(err)
				}
				if err := a.store.WaitRevision(t.Context(), b.store.Snapshot().Revision()); err != nil {
					t.Fatal(err)
				}
				if _, err := a.DeprovisionCIDR(t.Context(), account, home, p.ID, c.CIDR, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
