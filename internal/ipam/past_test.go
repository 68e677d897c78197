package ipam_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/history"
	"github.com/fairlead/fairlead/internal/ipam"
)

// B5: each end of an allocation leaves a line.
func TestWhatEndsLeavesALineInTheHistory(t *testing.T) {
	var past *history.Service
	w := single(t, func(o *ipam.Options) { past = o.History })
	scope := w.ipam().PrivateScopeID
	p := w.pool(scope)
	w.provision(p.ID, "10.0.0.0/16")
	past.AddSource(w)
	w.release(w.allocate(p, exactly("10.0.0.0/24")))
	child := w.pool(scope, func(r *ipam.CreatePool) { r.SourcePoolID = p.ID })
	for n := range 50 { // as many as a pool may have
		w.provision(child.ID, fmt.Sprintf("10.0.%d.0/24", n))
	}
	w.allocate(child, exactly("10.0.0.0/28"))
	lines := func() string {
		var all []string
		for _, rec := range past.Covering(w.store.Snapshot(), account, netip.MustParseAddr("10.0.0.1")) {
			state := "was"
			if rec.End.IsZero() {
				state = "is"
			}
			all = append(all, fmt.Sprintf("%s %s %s", rec.CIDR, rec.Kind, state))
		}
		slices.Sort(all)
		return strings.Join(all, ", ")
	}
	if got, want := lines(), "10.0.0.0/24 custom was, 10.0.0.0/24 ipam-pool is, 10.0.0.0/28 custom is"; got != want {
		t.Errorf("while it is held: got %q, want %q", got, want)
	}
	if _, err := w.DeletePool(t.Context(), account, home, child.ID, true, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := lines(), "10.0.0.0/24 custom was, 10.0.0.0/24 ipam-pool was, 10.0.0.0/28 custom was"; got != want {
		t.Errorf("after the cascade: got %q, want %q", got, want)
	}
	if got := w.held(p.ID); len(got) != 0 {
		t.Errorf("the source pool still holds %q", got)
	}
}
