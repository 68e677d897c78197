package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/store"
)

// parcel is the record of the tests' packed collection, whose keys are STREET/NUMBER.
type parcel struct {
	Street string `json:"-"` // the key's
	Town   string
	Note   string
}

var parcelPacking = store.Packing[parcel]{
	Pack: func(b []byte, p parcel) []byte { return append(b, p.Town+"|"+p.Note...) },
	Unpack: func(key, data string) (p parcel, err error) {
		var ok bool
		if p.Street, _, ok = strings.Cut(key, "/"); !ok {
			return p, errors.New("parcel without a street")
		}
		if p.Town, p.Note, ok = strings.Cut(data, "|"); !ok {
			return p, errors.New("parcel without a bar")
		}
		return p, nil
	},
}

func testPacked(t *testing.T, ctx context.Context, e store.Engine) {
	b := newBed(t, ctx, e)
	other := newBed(t, ctx, e)
	want := map[string]parcel{}
	for n := range 40 {
		b.update(func(tx *store.Tx) error {
			key, p := fmt.Sprintf("elm/%02d", n), parcel{Street: "elm", Town: fmt.Sprint(n % 3), Note: strings.Repeat("long ", 10*n)}
			want[key] = p
			b.parcels.Put(tx, key, p)
			if got, ok := b.parcels.Get(tx, key); !ok || got != p {
				t.Errorf("within the transaction: got %+v, %v, want %+v", got, ok, p)
			}
			return nil
		})
	}
	b.update(func(tx *store.Tx) error { b.parcels.Delete(tx, "elm/07"); return nil })
	delete(want, "elm/07")
	other.catchUp(b)
	b.Close()
	for name, s := range map[string]*bed{"its own": b, "another": other, "restarted": newBed(t, ctx, e)} {
		if diff := cmp.Diff(want, maps.Collect(s.parcels.All(s.Snapshot()))); diff != "" {
			t.Errorf("%s store (-want +got)\n%s", name, diff)
		}
		if got := s.byTown.Count(s.Snapshot(), "1"); got != 12 {
			t.Errorf("%s store: the index has %d, want 12", name, got)
		}
	}
}

func testPackedOlder(t *testing.T, ctx context.Context, e store.Engine) {
	raw := &engine{Engine: e, t: t, ctx: ctx}
	raw.put("/test/parcels/elm/1", `1 {"Town":"north","Note":"old"}`)
	b := newBed(t, ctx, e)
	if got, _ := b.parcels.Get(b.Snapshot(), "elm/1"); got != (parcel{"elm", "north", "old"}) {
		t.Errorf("got %+v", got)
	}
	raw.put("/test/parcels/elm/2", `1 {"Town":"south","Note":"from an older server"}`)
	b.put("x", widget{}) // after it
	if got, _ := b.parcels.Get(b.Snapshot(), "elm/2"); got.Town != "south" {
		t.Errorf("while running: got %+v", got)
	}
}

func testPackedUnreadable(t *testing.T, ctx context.Context, e store.Engine) {
	raw := &engine{Engine: e, t: t, ctx: ctx}
	for _, c := range []struct{ name, value, want string }{
		{"newer", "3 north|", "newer than this program's 2"},
		{"no form of the packing's", "2 \x011\x05north", "without a bar"},
		{"cut short", "2 \x011\x05nort", "within a record"},
		{"a length beyond all", "2 \x011\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01|", "within a record"},
		{"not in order", "2 \x012\x01|\x011\x01|", "order of key"},
		{"twice", "2 \x011\x01|\x011\x01|", "order of key"},
		{"before its page", "2 \x010\x01|", "order of key"},
		{"older, no JSON", "1 north|", "invalid character"},
		{"empty", "", "no version"},
	} {
		raw.put("/test/parcels/elm/1", c.value)
		err := declare(t, ctx, e).Start(ctx)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "/test/parcels/elm/1") {
			t.Errorf("%s: got %v, want an error with the key and %q", c.name, err, c.want)
		}
	}
}

// sized is how widgets are tallied: those without parts aren't.
func sized(w widget) string {
	if len(w.Parts) == 0 {
		return ""
	}
	return fmt.Sprintf("%d parts", len(w.Parts))
}

// recount counts the widgets as their tally should.
func (b *bed) recount(s store.Snapshot) map[string]int {
	counts := map[string]int{}
	for _, w := range b.widgets.All(s) {
		if value := sized(w); value != "" {
			counts[value]++
		}
	}
	return counts
}

func testTallies(t *testing.T, ctx context.Context, e store.Engine) {
	b := newBed(t, ctx, e)
	check := func(when string, s *bed, want map[string]int) {
		t.Helper()
		if got := maps.Collect(s.bySize.Each(s.Snapshot(), "")); !maps.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", when, got, want)
		}
	}
	check("empty", b, map[string]int{})
	for n := range 10 {
		b.put(fmt.Sprint(n), widget{Parts: make([]string, n%3)})
	}
	check("made", b, map[string]int{"1 parts": 3, "2 parts": 3})
	b.put("1", widget{Parts: []string{"a"}, Count: 7}) // nothing that counts has changed
	b.put("2", widget{Parts: []string{"a", "b", "c"}})
	b.put("4", widget{})
	b.put("0", widget{Parts: []string{"a"}})
	check("changed", b, map[string]int{"1 parts": 3, "2 parts": 2, "3 parts": 1})
	b.update(func(tx *store.Tx) error { b.widgets.Delete(tx, "2"); return nil })
	want := map[string]int{"1 parts": 3, "2 parts": 2}
	check("deleted", b, want)
	check("restarted", newBed(t, ctx, e), want)
	var some []string
	for value := range b.bySize.Each(b.Snapshot(), "2") {
		some = append(some, value)
	}
	if !slices.Equal(some, []string{"2 parts"}) {
		t.Errorf("with the prefix 2: got %q", some)
	}
}
