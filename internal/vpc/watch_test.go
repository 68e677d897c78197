package vpc_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/vpc"
)

// watched is a room that writes down what it is told of, in the transactions
// that tell it.
type watched struct {
	*vpc.Service
	st   *store.Store
	told *store.Collection[vpc.Ended]
	fail error // of the next telling
}

func newWatched(t *testing.T) *watched {
	t.Helper()
	w := &watched{st: store.New(memstore.New(), "test", slog.New(slog.DiscardHandler))}
	w.told = store.NewCollection[vpc.Ended](w.st, "told", 1)
	pools := &fakePools{st: w.st, taken: store.NewCollection[vpc.Drawn](w.st, "taken", 1)}
	w.Service = vpc.New(w.st, tags.New(w.st), idempotency.New(w.st), pools, vpc.Options{
		Zones: func(string) []string { return []string{"local-1a"} },
		Ended: func(tx *store.Tx, e vpc.Ended) error {
			w.told.Put(tx, e.ID+" "+e.CIDR.String(), e)
			return w.fail
		},
	})
	if err := w.st.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.st.Close)
	return w
}

func (w *watched) lines() string {
	var all []string
	for _, e := range w.told.All(w.st.Snapshot()) {
		all = append(all, fmt.Sprintf("%s %s of %s since %s", e.Kind, e.CIDR, e.VPCID, e.Since.Format(time.TimeOnly)))
	}
	slices.Sort(all)
	return strings.Join(all, "; ")
}

// B5: with each resource that goes, its CIDR is told of, or it stays.
func TestWhatEndsIsToldOf(t *testing.T) {
	w := newWatched(t)
	ctx := t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.CreateVPC(ctx, vpc.VPCSpec{ID: "vpc-1", Account: account, Region: reg, CIDR: netip.MustParsePrefix("10.0.0.0/16"), Time: now})
	check(err)
	_, err = w.CreateSubnet(ctx, vpc.SubnetSpec{ID: "subnet-1", Account: account, Region: reg, VPCID: "vpc-1", CIDR: netip.MustParsePrefix("10.0.0.0/24"), Time: now.Add(time.Minute)})
	check(err)
	i, err := w.CreateServiceInterface(ctx, vpc.InterfaceSpec{Account: account, Region: reg, SubnetID: "subnet-1", Owner: "node", Time: now.Add(time.Hour)})
	check(err)
	if got := w.lines(); got != "" {
		t.Errorf("before anything ends: %q", got)
	}
	check(w.ReleaseServiceInterface(ctx, i.ID))
	check(w.ReleaseServiceInterface(ctx, i.ID)) // again, which is no end
	check(w.DeleteSubnet(ctx, account, reg, "subnet-1"))
	want := "network-interface 10.0.0.4/32 of vpc-1 since 13:00:00; subnet 10.0.0.0/24 of vpc-1 since 12:01:00"
	if got := w.lines(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	w.fail = errors.New("no")
	if err := w.DeleteVPC(ctx, account, reg, "vpc-1"); !errors.Is(err, w.fail) {
		t.Errorf("the telling fails: got %v, want its error", err)
	}
	if _, ok := w.VPC(w.st.Snapshot(), account, reg, "vpc-1"); !ok || w.lines() != want {
		t.Errorf("and the VPC is gone, or %q was told", w.lines())
	}
	w.fail = nil
	check(w.DeleteVPC(ctx, account, reg, "vpc-1"))
	if got := w.lines(); got != want+"; vpc 10.0.0.0/16 of vpc-1 since 12:00:00" {
		t.Errorf("got %q", got)
	}
}

// A deletion that has judged a VPC's content begins again if somebody holds the
// VPC meanwhile.
func TestAVPCThatIsHeldIsntDeletedUnnoticed(t *testing.T) {
	w := newWatched(t)
	v := vpc.VPCSpec{ID: "vpc-1", Account: account, Region: reg, CIDR: netip.MustParsePrefix("10.0.0.0/16"), Time: now}
	if _, err := w.CreateVPC(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	runs := 0
	err := w.st.Update(t.Context(), func(tx *store.Tx) error { // which reads the VPC as a deletion does
		runs++
		w.VPC(tx, account, reg, "vpc-1")
		w.told.Put(tx, "x", vpc.Ended{})
		if runs == 1 {
			return w.st.Update(t.Context(), func(tx *store.Tx) error { return w.HoldVPC(tx, account, reg, "vpc-1") })
		}
		return nil
	})
	if err != nil || runs != 2 {
		t.Errorf("got %v after %d runs, want 2 runs", err, runs)
	}
	if err := w.st.Update(t.Context(), func(tx *store.Tx) error { return w.HoldVPC(tx, account, reg, "vpc-2") }); err == nil {
		t.Error("a VPC that isn't there was held")
	}
}
