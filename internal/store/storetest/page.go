package storetest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/store"
)

// keys returns how many keys the engine has for the parcels.
func (b *bed) keys(e store.Engine) int {
	kvs, _ := (&engine{Engine: e, t: b.t, ctx: b.ctx}).load("/test/parcels/")
	return len(kvs)
}

// Packed records share keys of the engine, however they came and went.
func testPages(t *testing.T, ctx context.Context, e store.Engine) {
	b := newBed(t, ctx, e)
	put := func(n int) {
		b.update(func(tx *store.Tx) error {
			b.parcels.Put(tx, fmt.Sprintf("elm/%04d", n), parcel{Street: "elm"})
			return nil
		})
	}
	const n = 320
	for i := range n {
		put(i)
	}
	if got := b.keys(e); got > n/32+1 {
		t.Errorf("%d records put in order have %d keys, want full pages", n, got)
	}
	for _, i := range rand.Perm(n) {
		put(n + i)
	}
	if got := b.keys(e); got > n/32+1+n/16 {
		t.Errorf("with %d put at random: %d keys, want pages half full or better", n, got)
	}
	for first := 0; first < 2*n; first += 100 {
		b.update(func(tx *store.Tx) error {
			for i := first; i < min(first+100, 2*n); i++ {
				b.parcels.Delete(tx, fmt.Sprintf("elm/%04d", i))
			}
			return nil
		})
	}
	if got := b.keys(e); got != 0 {
		t.Errorf("with all deleted: %d keys", got)
	}
	b.update(func(tx *store.Tx) error { b.parcels.Delete(tx, "elm/0001"); return nil })
	put(7)
	if got := maps.Collect(newBed(t, ctx, e).parcels.All(b.Snapshot())); len(got) != 1 {
		t.Errorf("got %v, want one record", got)
	}
}

// A page is bounded in bytes too, and by what a commit may have of operations.
func testLargePages(t *testing.T, ctx context.Context, e store.Engine) {
	b := newBed(t, ctx, e)
	long := strings.Repeat("x", 1000)
	for _, width := range []string{"%03d", "%03d-b", "%03d-c"} {
		b.update(func(tx *store.Tx) error {
			for n := range store.MaxTxnOps {
				key := fmt.Sprintf("elm/"+width, n)
				b.parcels.Put(tx, key, parcel{Street: "elm", Note: long})
			}
			return nil
		})
	}
	if got, least := b.keys(e), 3*store.MaxTxnOps/8; got < least {
		t.Errorf("%d records of %d bytes have %d keys, want at least %d", 3*store.MaxTxnOps, len(long), got, least)
	}
	if got := b.parcels.Len(newBed(t, ctx, e).Snapshot()); got != 3*store.MaxTxnOps {
		t.Errorf("%d records after a restart, want %d", got, 3*store.MaxTxnOps)
	}
}

// I1: who finds no record at a key and puts one has the key alone, whatever
// becomes of the pages around it.
func testPagesGuardAbsence(t *testing.T, ctx context.Context, e store.Engine) {
	const callers, keys = 8, 60
	beds := []*bed{newBed(t, ctx, e), newBed(t, ctx, e)}
	var mu sync.Mutex
	claims := map[string][]string{}
	order := rand.Perm(keys)
	all := make([]sync.WaitGroup, keys) // have looked at the key once
	for n := range all {
		all[n].Add(callers)
	}
	var wg sync.WaitGroup
	for i := range callers {
		b, who := beds[i%len(beds)], fmt.Sprint(i)
		wg.Go(func() {
			for _, n := range order {
				key, claimed, looked := fmt.Sprintf("elm/%03d", n), false, false
				err := b.persist(func(tx *store.Tx) error {
					if n%7 == 3 { // pages come and go
						b.parcels.Delete(tx, fmt.Sprintf("elm/%03d-x", n))
					} else if n%7 == 0 {
						b.parcels.Put(tx, fmt.Sprintf("elm/%03d-x", n+3), parcel{Street: "elm"})
					}
					_, taken := b.parcels.Get(tx, key)
					if !looked {
						looked = true
						all[n].Done()
						all[n].Wait()
					}
					if claimed = !taken; taken {
						return nil
					}
					b.parcels.Put(tx, key, parcel{Street: "elm", Town: who})
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
				if claimed {
					mu.Lock()
					claims[key] = append(claims[key], who)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	for n := range keys {
		key := fmt.Sprintf("elm/%03d", n)
		if got, _ := beds[0].parcels.Get(beds[0].Snapshot(), key); len(claims[key]) != 1 || claims[key][0] != got.Town {
			t.Errorf("%s is claimed by %v, and its record says %q", key, claims[key], got.Town)
		}
	}
}

// testPagesMirror has two stores do the same to a packed collection and to one
// that isn't, at random. Law: in every snapshot the two are the same, and so they
// are after a restart.
func testPagesMirror(t *testing.T, ctx context.Context, e store.Engine) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	const callers, rounds, streets, numbers = 4, 60, 3, 150
	beds := []*bed{newBed(t, ctx, e), newBed(t, ctx, e)}
	var wg sync.WaitGroup
	for i := range callers {
		b, rng := beds[i%len(beds)], rand.New(rand.NewPCG(seed, uint64(i)))
		wg.Go(func() {
			for range rounds {
				street, first, n := rng.IntN(streets), rng.IntN(numbers), 1+rng.IntN(40)
				clear, step := rng.IntN(3) == 0, 1+rng.IntN(2)
				err := b.persist(func(tx *store.Tx) error {
					for k := range n {
						key := fmt.Sprintf("street-%d/%03d", street, first+k*step)
						if clear {
							b.parcels.Delete(tx, key)
							b.widgets.Delete(tx, key)
							continue
						}
						note := fmt.Sprint(rng.IntN(1000))
						b.parcels.Put(tx, key, parcel{Street: fmt.Sprintf("street-%d", street), Town: note})
						b.widgets.Put(tx, key, widget{Color: note})
					}
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	var readers sync.WaitGroup
	for _, b := range beds {
		readers.Go(func() {
			for last := int64(0); b.WaitRevision(reading, last+1) == nil; {
				s := b.Snapshot()
				b.checkMirror(s)
				last = s.Revision()
			}
		})
	}
	wg.Wait()
	stop()
	readers.Wait()
	beds[0].catchUp(beds[1])
	beds[1].catchUp(beds[0])
	fresh := newBed(t, ctx, e)
	fresh.checkMirror(fresh.Snapshot())
	for _, b := range beds {
		if diff := cmp.Diff(fresh.all(), b.all()); diff != "" {
			t.Errorf("a view differs from a fresh load\n%s", diff)
		}
	}
}

func (b *bed) checkMirror(s store.Snapshot) {
	got, want := map[string]string{}, map[string]string{}
	last := ""
	for key, p := range b.parcels.All(s) {
		if key <= last {
			b.t.Errorf("at %d %s comes after %s", s.Revision(), key, last)
		}
		got[key], last = p.Town, key
		found := false
		for k := range b.byTown.Each(s, p.Town) {
			found = found || k == key
		}
		if !found {
			b.t.Errorf("at %d the index doesn't have %s", s.Revision(), key)
		}
	}
	for key, w := range b.widgets.All(s) {
		want[key] = w.Color
	}
	if !maps.Equal(got, want) {
		b.t.Errorf("at %d (-want +got)\n%s", s.Revision(), cmp.Diff(want, got))
	}
}
