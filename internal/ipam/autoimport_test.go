package ipam_test

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/history"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// vpcs are VPCs in the same store, as the real ones are: guarded by one record.
type vpcs struct {
	all   *store.Collection[ipam.Network] // by VPC's id
	guard *store.Collection[int]
}

const guardKey = "guard"

func (v *vpcs) Live(r store.Reader, p ipam.Pool) iter.Seq[ipam.Network] {
	if tx, ok := r.(*store.Tx); ok {
		v.guard.Get(tx, guardKey)
	}
	return func(yield func(ipam.Network) bool) {
		for _, n := range v.all.All(r) {
			if n.Account == p.Account && n.Region == p.Locale && !yield(n) {
				return
			}
		}
	}
}

func (v *vpcs) Hold(tx *store.Tx, n ipam.Network) error {
	now, ok := v.all.Get(tx, n.VPCID)
	if !ok {
		return errors.New("the VPC is gone")
	}
	v.all.Put(tx, n.VPCID, now)
	return nil
}

func (v *vpcs) Collections() []string { return []string{v.all.Name()} }

func (v *vpcs) Account(r store.Reader, k store.Key) (string, bool) {
	n, ok := v.all.Get(r, k.Key)
	return n.Account, ok
}

// watching is a world whose pools import VPCs.
type watching struct {
	*world
	vpcs *vpcs
}

func openWatching(t testing.TB, e store.Engine, change ...func(*ipam.Options)) *watching {
	t.Helper()
	v := new(vpcs)
	w := open(t, e, append(change, func(o *ipam.Options) { o.Networks = v })...)
	return &watching{w, v}
}

func (w *watching) vpc(id, cidr string) {
	w.t.Helper()
	n := ipam.Network{VPCID: id, Account: account, Region: home, CIDR: netip.MustParsePrefix(cidr)}
	err := w.store.Update(w.t.Context(), func(tx *store.Tx) error {
		g, _ := w.vpcs.guard.Get(tx, guardKey)
		w.vpcs.guard.Put(tx, guardKey, g+1)
		w.vpcs.all.Put(tx, id, n)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *watching) deleteVPC(id string) {
	w.t.Helper()
	err := w.store.Update(w.t.Context(), func(tx *store.Tx) error {
		n, _ := w.vpcs.all.Get(tx, id)
		w.vpcs.all.Delete(tx, id)
		return w.ReturnHeld(tx, id, n.CIDR, "", time.Now())
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// holders tells who holds what in a pool: "10.0.0.0/16 vpc-1".
func (w *watching) holders(pool string) string {
	var all []string
	for _, a := range w.Allocations(w.store.Snapshot(), pool, "") {
		all = append(all, strings.TrimSpace(a.CIDR.String()+" "+a.Holder.ResourceID))
	}
	return strings.Join(all, ", ")
}

func autoImport(r *ipam.CreatePool) { r.AutoImport = true }

// The rules of what is imported (CreateIpamPool, AutoImport). Nobody draws from
// the pools here.
func TestAutoImportTakesWhatItMay(t *testing.T) {
	for _, c := range []struct {
		name  string
		given func(w *watching, pool ipam.Pool)
		want  string // in the end
	}{
		{"a VPC inside the pool", func(w *watching, p ipam.Pool) { w.vpc("vpc-1", "10.0.0.0/16") }, "10.0.0.0/16 vpc-1"},
		{"all of the pool's space", func(w *watching, p ipam.Pool) { w.vpc("vpc-1", "10.0.0.0/8") }, "10.0.0.0/8 vpc-1"},
		{"not one that is larger", func(w *watching, p ipam.Pool) { w.vpc("vpc-1", "8.0.0.0/6") }, ""},
		{"not one outside", func(w *watching, p ipam.Pool) { w.vpc("vpc-1", "192.168.0.0/16") }, ""},
		{"several", func(w *watching, p ipam.Pool) {
			w.vpc("vpc-1", "10.1.0.0/16")
			w.vpc("vpc-2", "10.2.0.0/16")
		}, "10.1.0.0/16 vpc-1, 10.2.0.0/16 vpc-2"},
		{"not one inside an allocation", func(w *watching, p ipam.Pool) {
			w.allocate(p, exactly("10.0.0.0/12"))
			w.vpc("vpc-1", "10.0.0.0/16")
		}, "10.0.0.0/12"},
		{"not one around an allocation", func(w *watching, p ipam.Pool) {
			w.allocate(p, exactly("10.0.9.0/24"))
			w.vpc("vpc-1", "10.0.0.0/16")
		}, "10.0.9.0/24"},
		{"one that was blocked, once the allocation has ended", func(w *watching, p ipam.Pool) {
			a := w.allocate(p, exactly("10.0.9.0/24"))
			w.vpc("vpc-1", "10.0.0.0/16")
			w.release(a)
		}, "10.0.0.0/16 vpc-1"},
		{"nothing whose VPC is gone", func(w *watching, p ipam.Pool) {
			w.vpc("vpc-1", "10.0.0.0/16")
			w.deleteVPC("vpc-1")
		}, ""},
		{"the next one in the same place", func(w *watching, p ipam.Pool) {
			w.vpc("vpc-1", "10.0.0.0/16")
			w.deleteVPC("vpc-1")
			w.vpc("vpc-2", "10.0.0.0/16")
		}, "10.0.0.0/16 vpc-2"},
		{"a child pool's space into the child pool", func(w *watching, p ipam.Pool) {
			child := w.pool(p.ScopeID, autoImport, func(r *ipam.CreatePool) { r.SourcePoolID = p.ID })
			w.provision(child.ID, "10.0.0.0/12")
			w.vpc("vpc-1", "10.0.0.0/16")
		}, "10.0.0.0/12 CHILD; 10.0.0.0/16 vpc-1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := openWatching(t, memstore.New())
				p := w.pool(w.ipam().PrivateScopeID, autoImport)
				w.provision(p.ID, "10.0.0.0/8")
				c.given(w, p)
				time.Sleep(3 * time.Second)
				synctest.Wait()
				got := w.holders(p.ID)
				for id := range w.PoolsOf(w.store.Snapshot(), account, home, "") {
					if id != p.ID {
						got = strings.ReplaceAll(got, id, "CHILD") + "; " + w.holders(id)
					}
				}
				if got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
			})
		})
	}
}

// Of VPCs that overlap, all there before the pool is, the largest counts, and of
// equals the one with the lowest id.
func TestOfOverlappingVPCsTheLargestIsImported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := openWatching(t, memstore.New())
		for id, cidr := range map[string]string{
			"vpc-1": "10.0.1.0/24", "vpc-2": "10.0.0.0/16", "vpc-3": "10.0.2.0/24", "vpc-5": "10.1.0.0/16", "vpc-4": "10.1.0.0/16",
		} {
			w.vpc(id, cidr)
		}
		p := w.pool(w.ipam().PrivateScopeID, autoImport)
		w.provision(p.ID, "10.0.0.0/8")
		time.Sleep(time.Second)
		synctest.Wait()
		if got, want := w.holders(p.ID), "10.0.0.0/16 vpc-2, 10.1.0.0/16 vpc-4"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// What is released cools first, for an import as for anybody.
func TestAnImportWaitsForTheQuarantine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := openWatching(t, memstore.New(), func(o *ipam.Options) { o.Quarantine = time.Minute })
		p := w.pool(w.ipam().PrivateScopeID, autoImport)
		w.provision(p.ID, "10.0.0.0/8")
		w.vpc("vpc-1", "10.0.0.0/16")
		time.Sleep(time.Second)
		w.deleteVPC("vpc-1")
		w.vpc("vpc-2", "10.0.0.0/16")
		time.Sleep(58 * time.Second)
		synctest.Wait()
		if got := w.holders(p.ID); got != "" {
			t.Errorf("before the minute is over: %q", got)
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if got, want := w.holders(p.ID), "10.0.0.0/16 vpc-2"; got != want {
			t.Errorf("after it: got %q, want %q", got, want)
		}
	})
}

// I1: whoever draws meets the VPCs, be they imported yet or not, or never to be.
func TestNobodyIsGivenTheSpaceOfALiveVPC(t *testing.T) {
	w := openWatching(t, memstore.New())
	scope := w.ipam().PrivateScopeID
	p := w.pool(scope, autoImport)
	w.provision(p.ID, "10.0.0.0/16")
	w.allocate(p, exactly("10.0.1.0/25")) // the second VPC can't be imported for it
	w.vpc("vpc-1", "10.0.0.0/24")
	w.vpc("vpc-2", "10.0.1.0/24")
	for _, want := range []string{"10.0.2.0/25", "10.0.2.128/25"} { // not the other half of the second VPC's
		if a := w.allocate(p, length(25)); a.CIDR.String() != want {
			t.Errorf("the lowest free block: got %s, want %s", a.CIDR, want)
		}
	}
	for _, cidr := range []string{"10.0.0.0/28", "10.0.1.128/28", "10.0.0.0/20"} {
		_, err := w.Allocate(t.Context(), allocateRequest(p, exactly(cidr)), nil)
		var refused *ipam.CallError
		if !errors.As(err, &refused) || refused.Reason != ipam.InvalidValue {
			t.Errorf("%s: got %v, want it refused", cidr, err)
		}
		child := w.pool(scope, func(r *ipam.CreatePool) { r.SourcePoolID = p.ID })
		if c := w.provision(child.ID, cidr); c.State != ipam.FailedProvision {
			t.Errorf("%s to a child pool: got %s, want it failed", cidr, c.State)
		}
	}
	preview := w.allocate(p, length(24), func(r *ipam.Allocate) { r.Preview = true })
	if preview.CIDR.String() != "10.0.3.0/24" {
		t.Errorf("the preview: got %s, want 10.0.3.0/24", preview.CIDR)
	}
	if got, want := w.holders(p.ID), "10.0.0.0/24 vpc-1, 10.0.1.0/25, 10.0.2.0/25, 10.0.2.128/25"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// More VPCs than one transaction imports.
func TestManyVPCsAreImported(t *testing.T) {
	w := openWatching(t, memstore.New())
	var want []string
	for n := range 100 {
		id := fmt.Sprintf("vpc-%03d", n)
		w.vpc(id, fmt.Sprintf("10.0.%d.0/24", n))
		want = append(want, fmt.Sprintf("10.0.%d.0/24 %s", n, id))
	}
	p := w.pool(w.ipam().PrivateScopeID, autoImport)
	w.provision(p.ID, "10.0.0.0/16")
	a := w.allocate(p, length(24))
	if a.CIDR.String() != "10.0.100.0/24" {
		t.Errorf("the lowest free block: got %s, want 10.0.100.0/24", a.CIDR)
	}
	want = append(want, "10.0.100.0/24")
	got := strings.Split(w.holders(p.ID), ", ")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

// B5: a VPC's allocation leaves no line in the history: the VPC has its CIDR with
// it and without.
func TestAnImportLeavesNoLineInTheHistory(t *testing.T) {
	var past *history.Service
	w := openWatching(t, memstore.New(), func(o *ipam.Options) { past = o.History })
	p := w.pool(w.ipam().PrivateScopeID, autoImport)
	w.provision(p.ID, "10.0.0.0/16")
	past.AddSource(w)
	w.vpc("vpc-1", "10.0.0.0/24")
	w.allocate(p, exactly("10.0.200.0/24")) // has the VPC imported
	w.deleteVPC("vpc-1")
	if got := past.Covering(w.store.Snapshot(), account, netip.MustParseAddr("10.0.0.1")); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
}
