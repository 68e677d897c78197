package tags_test

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T) (*tags.Service, *store.Store) {
	t.Helper()
	st := store.New(memstore.New(), "/test", slog.New(slog.DiscardHandler))
	s := tags.New(st)
	if err := st.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(st.Close)
	return s, st
}

func numbered(from, to int) (out []tags.Tag) {
	for i := from; i < to; i++ {
		out = append(out, tags.Tag{Key: fmt.Sprintf("%02d", i), Value: "v"})
	}
	return out
}

func TestTagsAreMergedByKey(t *testing.T) {
	for name, c := range map[string]struct {
		put  [][]tags.Tag
		want []tags.Tag
		err  error
	}{
		"no tags make no record":                      {put: [][]tags.Tag{nil}},
		"they are in the order of their keys":         {put: [][]tags.Tag{{{Key: "b"}, {Key: "a", Value: "1"}}}, want: []tags.Tag{{Key: "a", Value: "1"}, {Key: "b"}}},
		"a key that is there gets the new value":      {put: [][]tags.Tag{{{Key: "a", Value: "1"}, {Key: "b"}}, {{Key: "a", Value: "2"}}}, want: []tags.Tag{{Key: "a", Value: "2"}, {Key: "b"}}},
		"keys differ by case":                         {put: [][]tags.Tag{{{Key: "a"}, {Key: "A"}}}, want: []tags.Tag{{Key: "A"}, {Key: "a"}}},
		"as many as there may be":                     {put: [][]tags.Tag{numbered(0, 30), numbered(30, 50)}, want: numbered(0, 50)},
		"one more than there may be changes nothing":  {put: [][]tags.Tag{numbered(0, 50), numbered(50, 51)}, want: numbered(0, 50), err: tags.ErrTooMany},
		"of as many as there may be, one is replaced": {put: [][]tags.Tag{numbered(0, 50), {{Key: "07", Value: "v"}}}, want: numbered(0, 50)},
	} {
		t.Run(name, func(t *testing.T) {
			s, st := start(t)
			var err error
			for _, p := range c.put {
				err = st.Update(t.Context(), func(tx *store.Tx) error {
					return s.Put(tx, tags.Set{Account: "111122223333", Region: "local-1", Resource: "vpc-1", Type: "vpc", Tags: p})
				})
			}
			if !errors.Is(err, c.err) {
				t.Errorf("got error %v, want %v", err, c.err)
			}
			if diff := cmp.Diff(c.want, s.Of(st.Snapshot(), "vpc-1")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTagsAreListedForTheirAccountAndRegionAlone(t *testing.T) {
	s, st := start(t)
	err := st.Update(t.Context(), func(tx *store.Tx) error {
		for _, set := range []tags.Set{
			{Account: "1", Region: "a", Resource: "vpc-3"}, {Account: "1", Region: "a", Resource: "vpc-1"}, {Account: "1", Region: "a", Resource: "vpc-2"},
			{Account: "1", Region: "b", Resource: "vpc-4"}, {Account: "2", Region: "a", Resource: "vpc-5"}, {Account: "1", Region: "", Resource: "ipam-1"},
		} {
			set.Tags = numbered(0, 2)
			if err := s.Put(tx, set); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	list := func(account, region, from string) (out []string) {
		for id := range s.Each(st.Snapshot(), account, region, from) {
			out = append(out, id)
		}
		return out
	}
	for name, c := range map[string]struct {
		account, region, from string
		want                  []string
	}{
		"all of a region, by resource": {"1", "a", "", []string{"vpc-1", "vpc-2", "vpc-3"}},
		"from a resource on":           {"1", "a", "vpc-2", []string{"vpc-2", "vpc-3"}},
		"another account's":            {"2", "a", "", []string{"vpc-5"}},
		"those of no region":           {"1", "", "", []string{"ipam-1"}},
		"nobody's":                     {"3", "a", "", nil},
	} {
		if diff := cmp.Diff(c.want, list(c.account, c.region, c.from)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}

	// The last tag's removal, as the resource's, takes it off the list.
	err = st.Update(t.Context(), func(tx *store.Tx) error {
		s.Remove(tx, "vpc-1", func(t tags.Tag) bool { return true })
		s.Remove(tx, "vpc-2", func(t tags.Tag) bool { return t.Key == "00" })
		s.Remove(tx, "vpc-9", func(t tags.Tag) bool { return true })
		s.Clear(tx, "vpc-3")
		s.Clear(tx, "vpc-9")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"vpc-2"}, list("1", "a", "")); diff != "" {
		t.Errorf("after removal (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(numbered(1, 2), s.Of(st.Snapshot(), "vpc-2")); diff != "" {
		t.Errorf("of vpc-2 (-want +got):\n%s", diff)
	}
}

// Records are shared with readers: a change must not show in an older snapshot.
func TestASnapshotKeepsItsTags(t *testing.T) {
	s, st := start(t)
	change := func(f func(tx *store.Tx) error) {
		t.Helper()
		if err := st.Update(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	put := func(tg ...tags.Tag) func(tx *store.Tx) error {
		return func(tx *store.Tx) error { return s.Put(tx, tags.Set{Resource: "vpc-1", Tags: tg}) }
	}
	change(put(numbered(0, 3)...))
	before := st.Snapshot()
	change(put(tags.Tag{Key: "00", Value: "new"}))
	between := st.Snapshot()
	change(func(tx *store.Tx) error {
		s.Remove(tx, "vpc-1", func(t tags.Tag) bool { return t.Key == "01" })
		return nil
	})
	if diff := cmp.Diff(numbered(0, 3), s.Of(before, "vpc-1")); diff != "" {
		t.Errorf("the oldest snapshot (-want +got):\n%s", diff)
	}
	want := append([]tags.Tag{{Key: "00", Value: "new"}}, numbered(1, 3)...)
	if diff := cmp.Diff(want, s.Of(between, "vpc-1")); diff != "" {
		t.Errorf("the one before the removal (-want +got):\n%s", diff)
	}
}
