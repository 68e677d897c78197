package ipam_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
)

// importing has a pool of 10.0.0.0/16, and an import into it that is open.
func importing(w *world) (ipam.Pool, ipam.Import) {
	p := w.private("10.0.0.0/16")
	return p, w.beginImport(p)
}

func (w *world) beginImport(p ipam.Pool) ipam.Import {
	w.t.Helper()
	m := ipam.Import{ID: fmt.Sprint("ipam-import-", time.Now().UnixNano()), Account: account, Region: p.Locale, PoolID: p.ID, Touched: time.Now()}
	return must(w.BeginImport(w.t.Context(), m))(w.t)
}

// subnets are the first n /24s of 10.0.0.0/16.
func subnets(n int) (blocks []ipam.ImportBlock, cidrs []string) {
	for i := range n {
		c := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 0}), 24)
		blocks = append(blocks, ipam.ImportBlock{CIDR: c, Description: fmt.Sprint("row ", i), Tags: []tags.Tag{{Key: "row", Value: fmt.Sprint(i)}}})
		cidrs = append(cidrs, c.String())
	}
	return blocks, cidrs
}

func (w *world) stage(m ipam.Import, blocks []ipam.ImportBlock) []ipam.ImportConflict {
	w.t.Helper()
	return must(w.AddToImport(w.t.Context(), account, m.Region, m.ID, blocks, time.Now()))(w.t)
}

// B10, I1.
func TestAnImportShowsWhenItIsFinished(t *testing.T) {
	w := single(t)
	p, m := importing(w)
	blocks, want := subnets(200)
	if c := w.stage(m, blocks); c != nil {
		t.Fatalf("got the conflicts %v", c)
	}
	if held := w.held(p.ID); held != nil {
		t.Errorf("before the end: got %v, want nothing to show", held)
	}
	if a := must(w.draw(p.ID))(t); a.CIDR.String() != "10.0.200.0/32" {
		t.Errorf("got %s, want the first address after what is being imported", a.CIDR)
	}
	n := must(w.FinishImport(t.Context(), account, m.Region, m.ID, time.Now()))(t)
	if n != 200 {
		t.Errorf("got %d blocks, want 200", n)
	}
	if diff := cmp.Diff(append(want, "10.0.200.0/32"), w.held(p.ID)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, a := range w.Allocations(w.store.Snapshot(), p.ID, "") {
		row := strings.Split(a.CIDR.String(), ".")[2]
		if a.Holder.Type == ipam.EIP {
			continue
		}
		tg := w.tags.Of(w.store.Snapshot(), a.ID)
		if a.Description != "row "+row || len(tg) != 1 || tg[0].Value != row {
			t.Errorf("got %s with description %q and tags %v", a.CIDR, a.Description, tg)
		}
		w.release(a)
	}
	if _, err := w.FinishImport(t.Context(), account, m.Region, m.ID, time.Now()); !errors.As(err, new(*ipam.NotFoundError)) {
		t.Errorf("again: got %v, want it to be gone", err)
	}
}

func TestAnAbandonedImportLeavesNothing(t *testing.T) {
	w := single(t)
	p, m := importing(w)
	blocks, _ := subnets(100)
	w.stage(m, blocks)
	if err := w.AbandonImport(t.Context(), account, m.Region, m.ID, time.Now()); err != nil {
		t.Fatal(err)
	}
	if a := must(w.draw(p.ID))(t); a.CIDR.String() != "10.0.0.0/32" {
		t.Errorf("got %s, want the first address", a.CIDR)
	}
	if _, err := w.AddToImport(t.Context(), account, m.Region, m.ID, blocks, t0); !errors.As(err, new(*ipam.NotFoundError)) {
		t.Errorf("got %v, want it to be gone", err)
	}
}

// B10: each line that can't be is named, by the check and by the attempt.
func TestAnImportNamesItsConflicts(t *testing.T) {
	w := single(t)
	p, m := importing(w)
	known := w.allocate(p, exactly("10.0.7.0/24"))
	w.stage(w.beginImport(p), []ipam.ImportBlock{{CIDR: netip.MustParsePrefix("10.0.9.0/24")}})
	var blocks []ipam.ImportBlock
	for _, cidr := range []string{"10.0.1.0/24", "10.0.7.0/24", "10.0.7.9/32", "10.0.0.0/20", "10.1.0.0/24", "fd00::/64", "10.0.2.1/24", "10.0.9.9/32", "10.0.3.0/24"} {
		blocks = append(blocks, ipam.ImportBlock{CIDR: netip.MustParsePrefix(cidr)})
	}
	want := []string{
		"1: 10.0.7.0/24 is allocated already, as " + known.ID + " to custom",
		"2: 10.0.7.9/32 overlaps 10.0.7.0/24, which is " + known.ID + " of custom",
		"3: 10.0.0.0/20 overlaps 10.0.7.0/24, which is " + known.ID + " of custom",
		"4: 10.1.0.0/24 is in none of the pool's CIDRs",
		"5: The CIDR 'fd00::/64' does not have the address family of the pool.",
		"6: The CIDR '10.0.2.1/24' has bits set beyond its netmask.",
		"7: 10.0.9.9/32 overlaps 10.0.9.0/24, which is",
	}
	for name, got := range map[string][]ipam.ImportConflict{
		"check":   must(w.CheckImport(w.store.Snapshot(), account, p.Locale, p.ID, blocks))(t),
		"attempt": w.stage(m, blocks),
	} {
		var lines []string
		for i, c := range got {
			line := fmt.Sprintf("%d: %s", c.Block, c.Reason)
			if i == len(want)-1 {
				line, _, _ = strings.Cut(line, " ipam-pool-alloc-") // the other import's, whose id isn't known here
			}
			lines = append(lines, line)
		}
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	twice := []ipam.ImportBlock{{CIDR: netip.MustParsePrefix("10.0.4.0/24")}, {CIDR: netip.MustParsePrefix("10.0.4.0/25")}}
	if got := w.stage(m, twice); len(got) != 1 || got[0].Block != 1 {
		t.Errorf("blocks that overlap each other: got %v, want a conflict of the second", got)
	}
}

func TestABlockThatIsBeingImportedCantBeReleasedOrDeprovisioned(t *testing.T) {
	w := single(t)
	p, m := importing(w)
	blocks, _ := subnets(1)
	w.stage(m, blocks)
	c := must(w.DeprovisionCIDR(t.Context(), account, p.Region, p.ID, netip.MustParsePrefix("10.0.0.0/16"), nil))(t)
	if c.State != ipam.FailedDeprovision {
		t.Errorf("I1: got %s, want the CIDR to stay", c.State)
	}
}

// I5: wherever it is interrupted, all of it is there in the end, or nothing.
func TestAnInterruptedImportIsWholeOrGone(t *testing.T) {
	// Lost commits: two that stage, the decision, two that settle.
	for commits := range 5 {
		synctest.Test(t, func(t *testing.T) {
			e := &faulty{Engine: memstore.New()}
			w := open(t, e)
			p, m := importing(w)
			blocks, cidrs := subnets(80)
			left := commits
			e.each = func() {
				if left--; left == -1 {
					e.before.Store(true)
				}
			}
			_, staged := w.AddToImport(t.Context(), account, m.Region, m.ID, blocks, time.Now())
			var decided error
			if staged == nil {
				_, decided = w.FinishImport(t.Context(), account, m.Region, m.ID, time.Now())
			}
			time.Sleep(12 * time.Minute)
			synctest.Wait()
			var want []string
			if staged == nil && decided == nil {
				want = cidrs
			}
			if diff := cmp.Diff(want, w.held(p.ID)); diff != "" {
				t.Errorf("interrupted after %d commits, answered %v and %v (-want +got):\n%s", commits, staged, decided, diff)
			}
			if want == nil {
				if a := must(w.draw(p.ID))(t); a.CIDR.String() != "10.0.0.0/32" {
					t.Errorf("interrupted after %d commits: got %s, want the first address to be free", commits, a.CIDR)
				}
			}
			if (commits >= 3) != (staged == nil && decided == nil) {
				t.Errorf("interrupted after %d commits: got %v and %v", commits, staged, decided)
			}
		})
	}
}

// I1, I3: of a pool that goes while it is being imported to, nothing comes back.
func TestAnImportIntoAPoolThatGoesFails(t *testing.T) {
	w := single(t)
	p, m := importing(w)
	blocks, _ := subnets(10)
	w.stage(m, blocks)
	must(w.DeletePool(t.Context(), account, p.Region, p.ID, true, nil))(t)
	if _, err := w.FinishImport(t.Context(), account, m.Region, m.ID, time.Now()); !errors.Is(err, ipam.ErrPoolNotFound) {
		t.Errorf("got %v, want ErrPoolNotFound", err)
	}
	if err := w.AbandonImport(t.Context(), account, m.Region, m.ID, time.Now()); err != nil {
		t.Error(err)
	}
	if left := slices.Collect(w.Pools(w.store.Snapshot())); len(left) != 0 {
		t.Errorf("got the pools %+v, want none", left)
	}
}
