package resolver_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/prefixlist"
	"github.com/fairlead/fairlead/internal/prefixlist/resolver"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// Each change of what the rules select is a version, and the list has it.
func TestAListFollowsAPool(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.provision(pool, "10.0.0.0/16")
		res := w.resolver(ofPools())
		if res.Status != resolver.Pending || res.Version != 0 || res.ToldState() != "create-complete" {
			t.Errorf("created: got %+v", res)
		}
		list := w.list(5)
		target := w.target(res, list)
		w.selects(res, 1, "10.0.0.0/16")
		w.holds(list, "10.0.0.0/16")
		w.provision(pool, "10.1.0.0/16")
		w.selects(res, 2, "10.0.0.0/16", "10.1.0.0/16")
		w.holds(list, "10.0.0.0/16", "10.1.0.0/16")
		w.deprovision("10.0.0.0/16") // of a record that is gone nobody knows whose it was
		w.selects(res, 3, "10.1.0.0/16")
		w.holds(list, "10.1.0.0/16")
		if got := w.nowTarget(target); got.State != resolver.SyncComplete || got.Synced != 3 {
			t.Errorf("the target: got %+v", got)
		}
		if _, err := w.Modify(t.Context(), resolver.Modify{ID: res.ID, Account: account, Region: home, Rules: []resolver.Rule{static("192.0.2.0/24")}}, nil); err != nil {
			t.Fatal(err)
		}
		w.selects(res, 4, "192.0.2.0/24")
		w.holds(list, "192.0.2.0/24")
		if w.now(res).ToldState() != "modify-complete" {
			t.Errorf("modified: got %s", w.now(res).ToldState())
		}
		before := w.store.Snapshot().Revision()
		w.provision(pool, "10.2.0.0/16") // which no rule selects any more
		if w.settle(); w.store.Snapshot().Revision() != before+1 {
			t.Error("a change that concerns no rule made a record")
		}
	})
}

// A change is seen at once after a rest, and any number within a second as one.
func TestChangesInASecondAreOneVersion(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		res := w.resolver(ofPools())
		w.settle()
		w.provision(pool, "10.0.0.0/16")
		synctest.Wait()
		if got := w.now(res).Version; got != 2 {
			t.Errorf("at once: got version %d, want 2", got)
		}
		for n := range 20 {
			w.provision(pool, fmt.Sprintf("10.%d.0.0/16", n+1))
			synctest.Wait()
		}
		if got := w.now(res).Version; got != 2 {
			t.Errorf("within a second: got version %d, want 2", got)
		}
		w.settle()
		if got := w.now(res).Version; got != 3 {
			t.Errorf("after it: got version %d, want 3", got)
		}
	})
}

func TestATargetHasTheVersionItNames(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.provision(pool, "10.0.0.0/16")
		res := w.resolver(ofPools())
		list := w.list(5)
		req := w.aimed(res, list)
		req.Track = false // the newest: the first, which isn't made yet
		target := must(w.CreateTarget(t.Context(), req, nil))(t)
		w.settle()
		w.provision(pool, "10.1.0.0/16")
		w.selects(res, 2, "10.0.0.0/16", "10.1.0.0/16")
		if got := w.nowTarget(target); got.Desired != 1 || got.Synced != 1 || got.State != resolver.SyncComplete {
			t.Errorf("bound to the first: got %+v", got)
		}
		w.holds(list, "10.0.0.0/16")
		modify := func(track *bool, desired *int64) error {
			_, err := w.ModifyTarget(t.Context(), resolver.ModifyTarget{ID: target.ID, Account: account, Region: home, Track: track, Desired: desired}, nil)
			w.settle()
			return err
		}
		yes, no, one, two, three := true, false, int64(1), int64(2), int64(3)
		for _, c := range []struct {
			name    string
			track   *bool
			desired *int64
			refused string
			want    int64 // synced
		}{
			{"to the newest, whichever that is", &yes, nil, "", 2},
			{"to an earlier one", nil, &one, "", 1},
			{"to the newest that there is", &no, nil, "", 2},
			{"to one by name", &no, &one, "", 1},
			{"to one that isn't there", nil, &three, "InvalidParameterValue", 1},
			{"to two at once", &yes, &two, "InvalidParameterCombination", 1},
			{"nothing", nil, nil, "InvalidParameterCombination", 1},
		} {
			if err := modify(c.track, c.desired); reasonOf(err) != c.refused {
				t.Errorf("%s: got %v, want %q", c.name, err, c.refused)
			}
			if got := w.nowTarget(target).Synced; got != c.want {
				t.Errorf("%s: got version %d, want %d", c.name, got, c.want)
			}
		}
		w.holds(list, "10.0.0.0/16")
	})
}

// While a list is a target's its entries aren't its owner's to change, unless the
// owner says so; then they stay as they are until that is taken back.
func TestTheOwnerTakesAListBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.provision(pool, "10.0.0.0/16")
		res := w.resolver(ofPools())
		list := w.list(5)
		target := w.target(res, list)
		w.settle()
		modify := func(m prefixlist.Modify) error {
			m.ID, m.Account, m.Region = list, account, abroad
			_, err := w.lists.Modify(t.Context(), m, nil)
			w.settle()
			return err
		}
		on, off, two := true, false, int64(2)
		add := prefixlist.Modify{CurrentVersion: &two, Add: []prefixlist.Entry{{CIDR: prefixes([]string{"203.0.113.0/24"})[0], Description: "mine"}}}
		if err := modify(add); reasonOf(err) != "list: OperationNotPermitted" {
			t.Errorf("an entry of the owner's: got %v", err)
		}
		if _, err := w.lists.Restore(t.Context(), prefixlist.Restore{ID: list, Account: account, Region: abroad, CurrentVersion: 2, PreviousVersion: 1}, nil); reasonOf(err) != "list: OperationNotPermitted" {
			t.Errorf("a restoration: got %v", err)
		}
		if err := modify(prefixlist.Modify{Sync: &off}); err != nil {
			t.Fatal(err)
		}
		if err := modify(add); err != nil {
			t.Error(err)
		}
		w.provision(pool, "10.1.0.0/16")
		w.settle()
		w.holds(list, "10.0.0.0/16", "203.0.113.0/24")
		if got := w.nowTarget(target); got.Synced != 1 || !strings.Contains(got.StateMessage, "IpamPrefixListResolverSyncEnabled") {
			t.Errorf("meanwhile: got %+v", got)
		}
		if err := modify(prefixlist.Modify{Sync: &on}); err != nil {
			t.Fatal(err)
		}
		w.holds(list, "10.0.0.0/16", "10.1.0.0/16")
		if got := w.nowTarget(target); got.Synced != 2 || got.State != resolver.SyncComplete || got.StateMessage != "" {
			t.Errorf("again: got %+v", got)
		}
		if _, err := w.DeleteTarget(t.Context(), account, home, target.ID, nil); err != nil {
			t.Fatal(err)
		}
		w.provision(pool, "10.2.0.0/16")
		w.settle()
		w.holds(list, "10.0.0.0/16", "10.1.0.0/16")
		if l, _ := w.lists.List(w.store.Snapshot(), account, abroad, list); l.TargetID != "" || l.Sync {
			t.Errorf("without a target: got %+v", l)
		}
	})
}

func TestATargetSaysWhyItsListIsBehind(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.provision(pool, "10.0.0.0/16", "10.1.0.0/16")
		res := w.resolver(ofPools())
		list := w.list(1)
		target := w.target(res, list)
		w.settle()
		if got := w.nowTarget(target); got.State != resolver.SyncFailed || !strings.Contains(got.StateMessage, "2 entries") || got.Synced != 0 {
			t.Errorf("a list that is too small: got %+v", got)
		}
		size := 2
		must(w.lists.Modify(t.Context(), prefixlist.Modify{ID: list, Account: account, Region: abroad, MaxEntries: &size}, nil))(t)
		w.settle()
		if got := w.nowTarget(target); got.State != resolver.SyncComplete || got.StateMessage != "" {
			t.Errorf("when it is large enough: got %+v", got)
		}
		must(w.lists.Delete(t.Context(), account, abroad, list, nil))(t)
		w.settle()
		if got := w.nowTarget(target); got.State != resolver.SyncFailed || !strings.Contains(got.StateMessage, "does not exist") {
			t.Errorf("a list that is gone: got %+v", got)
		}
		must(w.DeleteTarget(t.Context(), account, home, target.ID, nil))(t)
	})
}

func TestMoreThanAVersionMayHaveIsAFailure(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		res := w.resolver(ofPools())
		w.settle()
		for n := range 1001 {
			w.provision(pool, fmt.Sprintf("10.%d.%d.0/24", n/256, n%256))
		}
		w.settle()
		if got := w.now(res); got.Status != resolver.Failure || !strings.Contains(got.StatusMessage, "1000") {
			t.Errorf("1001: got %s, %s", got.Status, got.StatusMessage)
		}
		if v, ok := w.Version(w.store.Snapshot(), res, w.now(res).Version); !ok || len(v.CIDRs) > 1000 {
			t.Errorf("the last version has %d CIDRs", len(v.CIDRs))
		}
		w.deprovision("10.0.0.0/24")
		w.settle()
		if got := w.now(res); got.Status != resolver.Success || got.StatusMessage != "" {
			t.Errorf("1000: got %s, %s", got.Status, got.StatusMessage)
		}
		if v, _ := w.Version(w.store.Snapshot(), res, w.now(res).Version); len(v.CIDRs) != 1000 {
			t.Errorf("1000: got %d CIDRs", len(v.CIDRs))
		}
	})
}

// The newest ten are kept, younger ones than a week up to sixty, and those that
// targets name.
func TestVersionsAreForgotten(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		res := w.resolver(ofPools())
		list := w.list(5)
		req := w.aimed(res, list)
		req.Track = false
		must(w.CreateTarget(t.Context(), req, nil))(t) // names version 1
		w.settle()
		kept := func() (all []int64) {
			for _, v := range w.Versions(w.store.Snapshot(), res) {
				all = append(all, v.Number)
			}
			return all
		}
		span := func(from, to int64) (all []int64) {
			for n := from; n <= to; n++ {
				all = append(all, n)
			}
			return all
		}
		for n := range 70 {
			if n%2 == 0 {
				w.provision(pool, "10.0.0.0/16")
			} else {
				w.deprovision("10.0.0.0/16")
			}
			w.settle()
		}
		if got, want := kept(), slices.Concat(span(1, 1), span(12, 71)); !slices.Equal(got, want) {
			t.Errorf("in the first days: got %v, want %v", got, want)
		}
		time.Sleep(7*24*time.Hour + 2*time.Hour)
		synctest.Wait()
		if got, want := kept(), slices.Concat(span(1, 1), span(62, 71)); !slices.Equal(got, want) {
			t.Errorf("after a week: got %v, want %v", got, want)
		}
	})
}

// I5: what a server hasn't got to do the next one does, and two do nothing twice.
func TestAnotherServerCarriesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := memstore.New()
		first := open(t, engine)
		first.provision(pool, "10.0.0.0/16")
		res := first.resolver(ofPools())
		list := first.list(5)
		target := first.target(res, list)
		first.settle()
		first.stop()

		second := open(t, engine)
		second.settle()
		before := second.store.Snapshot().Revision()
		second.settle()
		if second.store.Snapshot().Revision() != before {
			t.Error("a start alone changed something")
		}
		third := open(t, engine)
		second.provision(pool, "10.1.0.0/16")
		second.selects(res, 2, "10.0.0.0/16", "10.1.0.0/16")
		third.selects(res, 2, "10.0.0.0/16", "10.1.0.0/16")
		third.holds(list, "10.0.0.0/16", "10.1.0.0/16")
		if l, _ := third.lists.List(third.store.Snapshot(), account, abroad, list); l.Version != 3 {
			t.Errorf("the list has version %d, want 3", l.Version)
		}
		if got := third.nowTarget(target); got.Synced != 2 {
			t.Errorf("the target: got %+v", got)
		}
	})
}

func TestARestartCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := memstore.New()
		first := open(t, engine)
		res := first.resolver(ofPools())
		list := first.list(5)
		first.target(res, list)
		first.settle()
		first.provision(pool, "10.0.0.0/16")
		first.stop() // whether or not it was seen

		second := open(t, engine)
		second.selects(res, 2, "10.0.0.0/16")
		second.holds(list, "10.0.0.0/16")
	})
}

func TestWhatTargetsRefuse(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		res := w.resolver()
		taken := w.list(5)
		first := w.target(res, taken)
		six := must(w.lists.Create(t.Context(), prefixlist.Create{ID: "pl-6", Account: account, Region: abroad, Name: "six", Family: prefixlist.IPv6, MaxEntries: 1, Time: time.Now()}, nil))(t)
		one := int64(1)
		w.settle()
		for name, c := range map[string]struct {
			change func(*resolver.CreateTarget)
			want   string
		}{
			"an unknown resolver":         {func(r *resolver.CreateTarget) { r.ResolverID = "resolver-9" }, "ipam-prefix-list-resolver"},
			"another account's resolver":  {func(r *resolver.CreateTarget) { r.Account = stranger }, "ipam-prefix-list-resolver"}, // I8
			"an unknown region":           {func(r *resolver.CreateTarget) { r.ListRegion = "mars-1" }, "InvalidParameterValue"},
			"a list that another has":     {func(r *resolver.CreateTarget) { r.ListID = taken }, "list: InvalidParameterValue"},
			"a list of another family":    {func(r *resolver.CreateTarget) { r.ListID = six.ID }, "list: InvalidParameterValue"},
			"the newest and another":      {func(r *resolver.CreateTarget) { r.Desired = &one }, "InvalidParameterCombination"},
			"a version that there isn't":  {func(r *resolver.CreateTarget) { r.Track, r.Desired = false, new(int64(2)) }, "InvalidParameterValue"},
			"a list of the region abroad": {func(r *resolver.CreateTarget) { r.ListRegion = home }, ""},
		} {
			req := w.aimed(res, w.list(5))
			c.change(&req)
			w.settle()
			before := w.store.Snapshot().Revision()
			_, err := w.CreateTarget(t.Context(), req, nil)
			if absent, ok := errors.AsType[*prefixlist.NotFoundError](err); c.want == "" && (!ok || absent.ID != req.ListID) || reasonOf(err) != c.want {
				t.Errorf("%s: got %v, want %s", name, err, c.want)
			}
			if w.settle(); w.store.Snapshot().Revision() != before {
				t.Errorf("%s: something was written", name)
			}
		}
		if _, err := w.Delete(t.Context(), account, home, res.ID, nil); reasonOf(err) != "DependencyViolation" {
			t.Errorf("delete a resolver with a target: got %v", err)
		}
		must(w.DeleteTarget(t.Context(), account, home, first.ID, nil))(t)
		must(w.Delete(t.Context(), account, home, res.ID, nil))(t)
		for range w.Versions(w.store.Snapshot(), res) {
			t.Error("I2: a version outlives its resolver")
		}
		if n := w.Count(w.store.Snapshot(), manager); n != 0 {
			t.Errorf("the IPAM has %d resolvers, want 0", n)
		}
	})
}

func TestQuotasOfResolversAndTargets(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var res resolver.Resolver
		for range 10 {
			res = w.resolver()
		}
		if _, err := w.Create(t.Context(), w.request(), nil); reasonOf(err) != "ResourceLimitExceeded" {
			t.Errorf("an eleventh resolver: got %v", err)
		}
		for range 50 {
			w.target(res, w.list(1))
		}
		if _, err := w.CreateTarget(t.Context(), w.aimed(res, w.list(1)), nil); reasonOf(err) != "ResourceLimitExceeded" {
			t.Errorf("a 51st target: got %v", err)
		}
		w.tier = "free"
		must(w.Delete(t.Context(), account, home, w.firstUnused(res), nil))(t)
		if _, err := w.Create(t.Context(), w.request(), nil); reasonOf(err) != "UnsupportedOperation" {
			t.Errorf("in the free tier: got %v", err)
		}
	})
}

func (w *world) firstUnused(used resolver.Resolver) string {
	for id := range w.Resolvers(w.store.Snapshot(), account, home, "") {
		if id != used.ID {
			return id
		}
	}
	return ""
}

func TestDryRunsAndTokens(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		res := w.resolver()
		target := w.target(res, w.list(5))
		w.settle()
		end := errors.New("dry run")
		dry := func() error { return end }
		text, yes := "new", true
		before := w.store.Snapshot().Revision()
		_, create := w.Create(t.Context(), w.request(), dry)
		_, modify := w.Modify(t.Context(), resolver.Modify{ID: res.ID, Account: account, Region: home, Description: &text}, dry)
		_, turn := w.ModifyTarget(t.Context(), resolver.ModifyTarget{ID: target.ID, Account: account, Region: home, Track: &yes}, dry)
		_, remove := w.DeleteTarget(t.Context(), account, home, target.ID, dry)
		for what, err := range map[string]error{"create": create, "modify": modify, "modify target": turn, "delete target": remove} {
			if !errors.Is(err, end) {
				t.Errorf("%s: got %v", what, err)
			}
		}
		if w.store.Snapshot().Revision() != before {
			t.Error("something was written")
		}
		req := w.request()
		req.Token.Account, req.Token.Client, req.Token.Time = account, "once", time.Now()
		made := must(w.Create(t.Context(), req, nil))(t)
		req.ID = "resolver-again"
		if again := must(w.Create(t.Context(), req, nil))(t); again.ID != made.ID {
			t.Errorf("again: got %s, want %s", again.ID, made.ID)
		}
	})
}
