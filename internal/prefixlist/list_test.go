package prefixlist_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/prefixlist"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
)

func TestEachChangeOfEntriesIsAVersion(t *testing.T) {
	r := begin(t)
	l := r.list("pl-1", 5, "192.0.2.7/24", "10.0.0.0/8") // 192.0.2.7 is masked
	if l.Version != 1 || l.State != prefixlist.CreateComplete {
		t.Errorf("created: got %+v", l)
	}
	if _, err := r.change("pl-1", entries("10.1.0.0/16"), prefixes("10.0.0.0/8")); err != nil {
		t.Fatal(err)
	}
	r.holds("pl-1", 1, "10.0.0.0/8", "192.0.2.0/24")
	r.holds("pl-1", 2, "10.1.0.0/16", "192.0.2.0/24")

	name, size := "guests", 7
	for _, m := range []prefixlist.Modify{{Name: &name}, {MaxEntries: &size}} {
		m.ID, m.Account, m.Region = "pl-1", account, region
		got, err := r.Modify(t.Context(), m, nil)
		if err != nil || got.Version != 2 || got.State != prefixlist.ModifyComplete {
			t.Errorf("neither entries nor version change: got %+v, %v", got, err)
		}
	}

	got, err := r.Restore(t.Context(), prefixlist.Restore{ID: "pl-1", Account: account, Region: region, CurrentVersion: 2, PreviousVersion: 1}, nil)
	if err != nil || got.Version != 3 || got.State != prefixlist.RestoreComplete || got.Name != "guests" || got.MaxEntries != 7 {
		t.Errorf("restored: got %+v, %v", got, err)
	}
	r.holds("pl-1", 3, "10.0.0.0/8", "192.0.2.0/24")
	if all, _ := r.Entries(r.store.Snapshot(), got, 3); all[1].Description != "of 192.0.2.7/24" {
		t.Errorf("restored: got the description %q", all[1].Description)
	}
}

func TestTheOldestVersionsGo(t *testing.T) {
	r := open(t, memstore.New(), prefixlist.Quotas{Lists: 5, Entries: 10, Versions: 3})
	r.list("pl-1", 9)
	for n := range 4 {
		if _, err := r.change("pl-1", entries(fmt.Sprintf("10.%d.0.0/16", n)), nil); err != nil {
			t.Fatal(err)
		}
	}
	l, _ := r.List(r.store.Snapshot(), account, region, "pl-1")
	if l.Version != 5 || l.Oldest != 3 {
		t.Errorf("got the versions %d to %d, want 3 to 5", l.Oldest, l.Version)
	}
	for version := int64(1); version <= 6; version++ {
		if _, ok := r.Entries(r.store.Snapshot(), l, version); ok != (version >= 3 && version <= 5) {
			t.Errorf("version %d: kept is %v", version, ok)
		}
	}
	if _, err := r.Delete(t.Context(), account, region, "pl-1", nil); err != nil {
		t.Fatal(err)
	}
	for version := range int64(6) {
		if _, ok := r.Entries(r.store.Snapshot(), l, version); ok {
			t.Errorf("version %d is there after the list", version)
		}
	}
}

// I10: each is refused for its reason, and changes nothing.
func TestWhatCreateRefuses(t *testing.T) {
	r := begin(t)
	var many []string
	for n := range 101 {
		many = append(many, fmt.Sprintf("10.%d.0.0/16", n))
	}
	for name, c := range map[string]struct {
		change func(*prefixlist.Create)
		want   prefixlist.Reason
	}{
		"no name":                          {func(c *prefixlist.Create) { c.Name = "" }, prefixlist.InvalidValue},
		"a name that is too long":          {func(c *prefixlist.Create) { c.Name = strings.Repeat("n", 256) }, prefixlist.InvalidValue},
		"the provider's name":              {func(c *prefixlist.Create) { c.Name = "com.amazonaws.local-1.s3" }, prefixlist.InvalidValue},
		"an unknown family":                {func(c *prefixlist.Create) { c.Family = "ipv4" }, prefixlist.InvalidValue},
		"no size":                          {func(c *prefixlist.Create) { c.MaxEntries = 0 }, prefixlist.InvalidValue},
		"a size beyond all":                {func(c *prefixlist.Create) { c.MaxEntries = 1001 }, prefixlist.InvalidValue},
		"more entries than fit":            {func(c *prefixlist.Create) { c.Entries = entries("10.0.0.0/8", "11.0.0.0/8", "12.0.0.0/8") }, prefixlist.TooManyEntries},
		"more entries than a call may add": {func(c *prefixlist.Create) { c.MaxEntries, c.Entries = 200, entries(many...) }, prefixlist.InvalidValue},
		"an entry twice":                   {func(c *prefixlist.Create) { c.Entries = entries("10.0.0.0/8", "10.9.0.0/8") }, prefixlist.InvalidValue},
		"an entry of IPv6":                 {func(c *prefixlist.Create) { c.Entries = entries("2001:db8::/32") }, prefixlist.InvalidValue},
		"an entry with a description that is too long": {func(c *prefixlist.Create) {
			c.Entries = []prefixlist.Entry{{CIDR: netip.MustParsePrefix("10.0.0.0/8"), Description: strings.Repeat("d", 256)}}
		}, prefixlist.InvalidValue},
	} {
		req := request("pl-1", 2)
		c.change(&req)
		before := r.store.Snapshot().Revision()
		if _, err := r.Create(t.Context(), req, nil); reasonOf(err) != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
		if r.store.Snapshot().Revision() != before {
			t.Errorf("%s: something was written", name)
		}
	}
}

func TestWhatModifyRefuses(t *testing.T) {
	r := begin(t)
	r.list("pl-1", 3, "10.0.0.0/8", "192.0.2.0/24")
	one, two, size, small, yes, name := int64(1), int64(2), 3, 1, true, "com.amazonaws.x"
	for what, c := range map[string]struct {
		in   prefixlist.Modify
		want prefixlist.Reason
	}{
		"nothing":                         {prefixlist.Modify{}, prefixlist.InvalidCombination},
		"entries without a version":       {prefixlist.Modify{Add: entries("11.0.0.0/8")}, prefixlist.MissingValue},
		"entries of another version":      {prefixlist.Modify{CurrentVersion: &two, Add: entries("11.0.0.0/8")}, prefixlist.VersionMismatch},
		"entries and size together":       {prefixlist.Modify{CurrentVersion: &one, Add: entries("11.0.0.0/8"), MaxEntries: &size}, prefixlist.InvalidCombination},
		"an entry that is there":          {prefixlist.Modify{CurrentVersion: &one, Add: entries("10.0.0.0/8")}, prefixlist.InvalidModification},
		"the removal of one that isn't":   {prefixlist.Modify{CurrentVersion: &one, Remove: prefixes("10.0.0.0/9")}, prefixlist.InvalidModification},
		"an entry to add and to remove":   {prefixlist.Modify{CurrentVersion: &one, Add: entries("10.0.0.0/8"), Remove: prefixes("10.0.0.0/8")}, prefixlist.InvalidValue},
		"more entries than fit":           {prefixlist.Modify{CurrentVersion: &one, Add: entries("11.0.0.0/8", "12.0.0.0/8")}, prefixlist.TooManyEntries},
		"less room than entries":          {prefixlist.Modify{MaxEntries: &small}, prefixlist.TooManyEntries},
		"the provider's name":             {prefixlist.Modify{Name: &name}, prefixlist.InvalidValue},
		"sync of a list with no resolver": {prefixlist.Modify{Sync: &yes}, prefixlist.InvalidCombination},
	} {
		c.in.ID, c.in.Account, c.in.Region = "pl-1", account, region
		before := r.store.Snapshot().Revision()
		if _, err := r.Modify(t.Context(), c.in, nil); reasonOf(err) != c.want {
			t.Errorf("%s: got %v, want %s", what, err, c.want)
		}
		if r.store.Snapshot().Revision() != before {
			t.Errorf("%s: something was written", what)
		}
	}
	restore := func(current, previous int64) error {
		_, err := r.Restore(t.Context(), prefixlist.Restore{ID: "pl-1", Account: account, Region: region, CurrentVersion: current, PreviousVersion: previous}, nil)
		return err
	}
	if err := restore(2, 1); reasonOf(err) != prefixlist.VersionMismatch {
		t.Errorf("restore over another version: got %v", err)
	}
	for _, previous := range []int64{-1, 0, 1, 2} {
		if err := restore(1, previous); reasonOf(err) != prefixlist.InvalidValue {
			t.Errorf("restore version %d: got %v", previous, err)
		}
	}
}

func TestAListIsItsAccountsInItsRegion(t *testing.T) { // I8
	r := begin(t)
	r.list("pl-1", 3)
	name := "mine"
	for _, who := range [][2]string{{"444455556666", region}, {account, "elsewhere-1"}} {
		for what, err := range map[string]error{
			"modify": func() error {
				_, err := r.Modify(t.Context(), prefixlist.Modify{ID: "pl-1", Account: who[0], Region: who[1], Name: &name}, nil)
				return err
			}(),
			"restore": func() error {
				_, err := r.Restore(t.Context(), prefixlist.Restore{ID: "pl-1", Account: who[0], Region: who[1]}, nil)
				return err
			}(),
			"delete": func() error { _, err := r.Delete(t.Context(), who[0], who[1], "pl-1", nil); return err }(),
		} {
			if absent, ok := errors.AsType[*prefixlist.NotFoundError](err); !ok || absent.ID != "pl-1" {
				t.Errorf("%s by %v: got %v", what, who, err)
			}
		}
		for range r.Lists(r.store.Snapshot(), who[0], who[1], "") {
			t.Errorf("%v sees the list", who)
		}
	}
}

func TestAListThatIsReferredToStays(t *testing.T) {
	r := begin(t)
	r.list("pl-1", 3)
	r.users["sg-1"] = 60
	if _, err := r.Delete(t.Context(), account, region, "pl-1", nil); reasonOf(err) != prefixlist.Dependency || !strings.Contains(err.Error(), "sg-1") {
		t.Errorf("got %v, want %s", err, prefixlist.Dependency)
	}
	delete(r.users, "sg-1")
	if _, err := r.Delete(t.Context(), account, region, "pl-1", nil); err != nil {
		t.Error(err)
	}
}

// The first ten that are in the way are named, and the list is as it was.
func TestASizeThatAReferrerCantHaveFails(t *testing.T) {
	r := begin(t)
	r.list("pl-1", 3, "10.0.0.0/8")
	for n := range 12 {
		r.users[fmt.Sprintf("sg-%02d", n)] = 10
	}
	resize := func(to int) prefixlist.List {
		t.Helper()
		l, err := r.Modify(t.Context(), prefixlist.Modify{ID: "pl-1", Account: account, Region: region, MaxEntries: &to}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l := resize(11)
	if l.State != prefixlist.ModifyFailed || l.MaxEntries != 3 || !strings.Contains(l.StateMessage, "sg-09") || strings.Contains(l.StateMessage, "sg-10") {
		t.Errorf("to 11: got %+v", l)
	}
	if l = resize(10); l.State != prefixlist.ModifyComplete || l.MaxEntries != 10 || l.StateMessage != "" {
		t.Errorf("to 10: got %+v", l)
	}
	r.users["sg-00"] = 1 // whatever holds now, less is always possible
	if l = resize(4); l.State != prefixlist.ModifyComplete || l.MaxEntries != 4 {
		t.Errorf("to 4: got %+v", l)
	}
}

func TestADryRunWritesNothing(t *testing.T) {
	r := begin(t)
	r.list("pl-1", 3, "10.0.0.0/8")
	if _, err := r.change("pl-1", entries("11.0.0.0/8"), nil); err != nil {
		t.Fatal(err)
	}
	end := errors.New("dry run")
	dry := func() error { return end }
	version, name := int64(2), "new"
	before := r.store.Snapshot().Revision()
	_, create := r.Create(t.Context(), request("pl-2", 2), dry)
	_, modify := r.Modify(t.Context(), prefixlist.Modify{ID: "pl-1", Account: account, Region: region, Name: &name, CurrentVersion: &version, Add: entries("12.0.0.0/8")}, dry)
	_, restore := r.Restore(t.Context(), prefixlist.Restore{ID: "pl-1", Account: account, Region: region, CurrentVersion: 2, PreviousVersion: 1}, dry)
	_, remove := r.Delete(t.Context(), account, region, "pl-1", dry)
	for what, err := range map[string]error{"create": create, "modify": modify, "restore": restore, "delete": remove} {
		if !errors.Is(err, end) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if r.store.Snapshot().Revision() != before {
		t.Error("something was written")
	}
}

func TestAListIsMadeOncePerToken(t *testing.T) {
	r := begin(t)
	req := request("pl-1", 2)
	req.Tags = []tags.Tag{{Key: "env", Value: "prod"}}
	req.Token = idempotency.Token{Account: account, Region: region, Action: "CreateManagedPrefixList", Client: "once", Fingerprint: "f", Time: t0}
	if _, err := r.Create(t.Context(), req, nil); err != nil {
		t.Fatal(err)
	}
	if got := r.tags.Of(r.store.Snapshot(), "pl-1"); len(got) != 1 {
		t.Errorf("tags: got %v", got)
	}
	req.ID = "pl-2"
	if l, err := r.Create(t.Context(), req, nil); err != nil || l.ID != "pl-1" {
		t.Errorf("again: got %s, %v", l.ID, err)
	}
	if _, err := r.Delete(t.Context(), account, region, "pl-1", nil); err != nil {
		t.Fatal(err)
	}
	if got := r.tags.Of(r.store.Snapshot(), "pl-1"); len(got) != 0 {
		t.Errorf("tags after the list: got %v", got)
	}
}

// Of two changes that exclude each other one is refused, whichever comes between
// the other's decision and commit.
func TestChangesThatExcludeEachOther(t *testing.T) {
	type change func(*room) error
	create := func(id string) change {
		return func(r *room) error { _, err := r.Create(r.t.Context(), request(id, 2), nil); return err }
	}
	modify := func(cidr string) change {
		return func(r *room) error {
			first := int64(1)
			_, err := r.Modify(r.t.Context(), prefixlist.Modify{ID: "pl-0", Account: account, Region: region, CurrentVersion: &first, Add: entries(cidr)}, nil)
			return err
		}
	}
	for name, pair := range map[string][2]change{
		"the last two lists of a quota": {create("pl-a"), create("pl-b")},
		"two changes of one version":    {modify("10.0.0.0/8"), modify("11.0.0.0/8")},
	} {
		for order := range 2 {
			t.Run(fmt.Sprint(name, order), func(t *testing.T) {
				shared := memstore.New()
				engine := &interrupted{Engine: shared}
				q := prefixlist.Quotas{Lists: 2, Entries: 10, Versions: 3}
				a, b := open(t, engine, q), open(t, shared, q)
				a.list("pl-0", 1)
				if err := b.store.WaitRevision(t.Context(), a.store.Snapshot().Revision()); err != nil {
					t.Fatal(err)
				}
				var between error
				engine.by = func() { between = pair[1-order](b) }
				if err := pair[order](a); err == nil {
					t.Error("the change that was interrupted: got no refusal")
				}
				if between != nil {
					t.Errorf("the change that came between: got %v", between)
				}
			})
		}
	}
}

// I2: no version outlives its list, though one was made while the list went.
func TestADeletionTakesTheNewestVersionAlong(t *testing.T) {
	shared := memstore.New()
	engine := &interrupted{Engine: shared}
	a, b := open(t, engine, prefixlist.DefaultQuotas), open(t, shared, prefixlist.DefaultQuotas)
	l := a.list("pl-1", 2)
	if err := b.store.WaitRevision(t.Context(), a.store.Snapshot().Revision()); err != nil {
		t.Fatal(err)
	}
	engine.by = func() {
		if _, err := b.change("pl-1", entries("10.0.0.0/8"), nil); err != nil {
			t.Error(err)
		}
	}
	if _, err := a.Delete(t.Context(), account, region, "pl-1", nil); err != nil {
		t.Fatal(err)
	}
	if _, ok := a.Entries(a.store.Snapshot(), l, 2); ok {
		t.Error("version 2 is there without its list")
	}
}
