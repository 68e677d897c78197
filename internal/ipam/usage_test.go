package ipam_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/ipam"
)

func (w *world) usage(pool string) ipam.Usage {
	w.t.Helper()
	for u := range w.Pools(w.store.Snapshot()) {
		if u.Pool.ID == pool {
			return u
		}
	}
	w.t.Fatalf("there is no pool %s", pool)
	return ipam.Usage{}
}

// wantUsage compares in one line what a pool's usage should be.
func (w *world) wantUsage(when, pool, want string) {
	w.t.Helper()
	u := w.usage(pool)
	if got := fmt.Sprintf("%v of %v, %v pooled, %d held, %d cooling", u.Taken, u.Total, u.Pooled, u.Blocks, u.Cooling); got != want {
		w.t.Errorf("%s: got  %s\nwant %s", when, got, want)
	}
}

func TestUsageCountsAddresses(t *testing.T) {
	w := single(t, func(o *ipam.Options) { o.Quarantine = time.Hour })
	p := w.private("10.0.0.0/24", "10.0.4.0/24")
	w.wantUsage("empty", p.ID, "0 of 512, 0 pooled, 0 held, 0 cooling")
	a := w.allocate(p, length(25))
	w.allocate(p, length(32))
	w.wantUsage("two blocks", p.ID, "129 of 512, 0 pooled, 2 held, 0 cooling")
	child := w.pool(p.ScopeID, func(r *ipam.CreatePool) { r.SourcePoolID = p.ID })
	w.provision(child.ID, "10.0.4.0/26")
	w.wantUsage("a child", p.ID, "193 of 512, 64 pooled, 3 held, 0 cooling")
	w.wantUsage("the child's own", child.ID, "0 of 64, 0 pooled, 0 held, 0 cooling")
	w.release(a)
	w.wantUsage("one released", p.ID, "193 of 512, 64 pooled, 2 held, 1 cooling")
}

// What cools in a CIDR that is being deprovisioned is no more the pool's than the CIDR.
func TestUsageLeavesOutWhatIsDeprovisioned(t *testing.T) {
	w := single(t, func(o *ipam.Options) { o.Quarantine = time.Hour })
	p := w.private("10.0.0.0/24", "10.0.4.0/24")
	w.release(w.allocate(p, exactly("10.0.4.0/28")))
	w.allocate(p, length(32))
	if _, err := w.DeprovisionCIDR(t.Context(), account, home, p.ID, netip.MustParsePrefix("10.0.4.0/24"), nil); err != nil {
		t.Fatal(err)
	}
	w.wantUsage("deprovisioning", p.ID, "1 of 256, 0 pooled, 1 held, 0 cooling")
}

// The usage that is kept with every change is what a recount finds.
func TestUsageIsWhatARecountFinds(t *testing.T) {
	w := single(t)
	p := w.private("10.0.0.0/22")
	rng := rand.New(rand.NewPCG(7, 7))
	var mine []ipam.Allocation
	for range 300 {
		if n := len(mine); n > 0 && rng.IntN(3) == 0 {
			i := rng.IntN(n)
			w.release(mine[i])
			mine[i] = mine[n-1]
			mine = mine[:n-1]
		} else if a, err := w.Allocate(t.Context(), allocateRequest(p, length(26+rng.IntN(7))), nil); err == nil {
			mine = append(mine, a)
		}
		taken := 0
		for _, a := range w.Allocations(w.store.Snapshot(), p.ID, "") {
			taken += 1 << (32 - a.CIDR.Bits())
		}
		w.wantUsage("in between", p.ID, fmt.Sprintf("%d of 1024, 0 pooled, %d held, 0 cooling", taken, len(mine)))
	}
}
