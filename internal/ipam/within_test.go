package ipam_test

import (
	"errors"
	"net/netip"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

func (w *world) drawWithin(pool string) (a ipam.Allocation, err error) {
	err = w.store.Update(w.t.Context(), func(tx *store.Tx) error {
		a, err = w.DrawWithin(tx, want(pool, "vpc-1", 28))
		return err
	})
	return a, err
}

func want(pool, resource string, bits int) ipam.Want {
	return ipam.Want{
		PoolID: pool, NetmaskLength: &bits, Time: t0,
		Holder: ipam.Holder{Type: ipam.VPC, ResourceID: resource, Account: account, Region: home},
	}
}

func TestABlockOfASecondPoolIsDrawnInTheSameTransaction(t *testing.T) {
	w := single(t)
	first := w.private("10.0.0.0/16")
	second := w.pool(first.ScopeID)
	w.provision(second.ID, "172.16.0.0/16")
	boom := errors.New("no")
	for _, fails := range []bool{true, false} {
		_, err := w.Draw(t.Context(), want(first.ID, "vpc-1", 24), func(tx *store.Tx, _ ipam.Allocation) error {
			a, err := w.DrawWithin(tx, want(second.ID, "vpc-1", 24))
			if got := a.CIDR.String(); got != "172.16.0.0/24" {
				t.Errorf("got %s, %v, want the lowest block", got, err)
			}
			if fails {
				return boom
			}
			return err
		})
		n := 1
		if fails {
			n = 0
		}
		if errors.Is(err, boom) != fails || len(w.held(first.ID)) != n || len(w.held(second.ID)) != n {
			t.Errorf("I2: fails %v: got %v, held %v and %v", fails, err, w.held(first.ID), w.held(second.ID))
		}
	}
}

func TestDrawWithinRefuses(t *testing.T) {
	w := single(t)
	p := w.private("10.0.0.0/27")
	for name, c := range map[string]struct {
		want ipam.Want
		err  error
	}{
		"a pool that isn't":                 {want("ipam-pool-00000000000000000", "vpc-1", 28), ipam.ErrPoolNotFound},
		"a block that is too big":           {want(p.ID, "vpc-1", 24), ipam.ErrPoolExhausted},
		"another account's pool (I8)":       {func() ipam.Want { k := want(p.ID, "vpc-1", 28); k.Holder.Account = "444455556666"; return k }(), ipam.ErrPoolNotFound},
		"a pool of another locale":          {func() ipam.Want { k := want(p.ID, "vpc-1", 28); k.Holder.Region = abroad; return k }(), ipam.ErrPoolNotFound},
		"a second block in one transaction": {want(p.ID, "vpc-1", 28), store.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			err := w.store.Update(t.Context(), func(tx *store.Tx) error {
				if errors.Is(c.err, store.ErrTooLarge) {
					if _, err := w.DrawWithin(tx, c.want); err != nil {
						return err
					}
				}
				_, err := w.DrawWithin(tx, c.want)
				return err
			})
			if !errors.Is(err, c.err) || len(w.held(p.ID)) != 0 {
				t.Errorf("got %v, want %v; held %v", err, c.err, w.held(p.ID))
			}
		})
	}
}

// I1 and I3: two servers fill a pool at once, half of it past the writers.
func TestDrawingWithinRacesWithTheWriters(t *testing.T) {
	e := memstore.New()
	a, b := open(t, e), open(t, e)
	p := a.private("10.0.0.0/22") // 64 blocks
	if err := b.store.WaitRevision(t.Context(), a.store.Snapshot().Revision()); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	got := map[netip.Prefix]bool{}
	var wg sync.WaitGroup
	fill := func(draw func() (ipam.Allocation, error)) {
		wg.Go(func() {
			for {
				al, err := draw()
				if errors.Is(err, ipam.ErrPoolExhausted) {
					return
				}
				if errors.Is(err, store.ErrConflict) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if got[al.CIDR] {
					t.Errorf("%s was given twice", al.CIDR)
				}
				got[al.CIDR] = true
				mu.Unlock()
			}
		})
	}
	for _, w := range []*world{a, b} {
		for range 3 {
			fill(func() (ipam.Allocation, error) { return w.drawWithin(p.ID) })
			fill(func() (ipam.Allocation, error) {
				return w.Draw(t.Context(), want(p.ID, "vpc-2", 28), func(*store.Tx, ipam.Allocation) error { return nil })
			})
		}
	}
	wg.Wait()
	if len(got) != 64 {
		t.Errorf("got %d blocks, want all 64", len(got))
	}
}
