package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/store"
)

// RunStore checks a Store over the engines that open returns, each empty and
// closed by the test's cleanup after the store.
func RunStore(t *testing.T, open func(t *testing.T) store.Engine) {
	for _, c := range []struct {
		name string
		test func(*testing.T, context.Context, store.Engine)
	}{
		{"a writer reads its own writes", testReadYourWrites},
		{"a snapshot doesn't change", testSnapshot},
		{"an error of the function writes nothing", testFunctionError},
		{"what was read is guarded and the function runs again", testGuarded},
		{"a refusal that rests on an old state is looked at again", testStaleRefusal},
		{"a record that never stays the same is given up", testConflict},
		{"try undoes what it did alone", testTry},
		{"try that would be too large is undone", testTryTooLarge},
		{"a transaction over a limit is refused", testTooLarge},
		{"indexes follow the records", testIndexes},
		{"tallies follow the records", testTallies},
		{"packed records are as any others", testPacked},
		{"packed records of an older format are read", testPackedOlder},
		{"a packed record that can't be read is refused at start", testPackedUnreadable},
		{"packed records share keys of the engine", testPages},
		{"a page is bounded in bytes", testLargePages},
		{"pages guard what isn't there", testPagesGuardAbsence},
		{"pages hold what single records would", testPagesMirror},
		{"ranges begin where asked", testRanges},
		{"an update without writes costs no commit", testReadOnly},
		{"deleting nothing ends, whoever else writes to the engine", testDeleteNothing},
		{"records survive a restart", testRestart},
		{"a record without a new field is read", testMissingField},
		{"a record of a newer program is refused at start", testNewerAtStart},
		{"a record of a newer program stops a running store", testNewerWhileRunning},
		{"records of undeclared collections are left alone", testUndeclared},
		{"reset empties the view", testReset},
		{"close ends those who wait", testClose},
		{"a subscription tells each change once", testSubscription},
		{"a change that was seen is told of", testSubscriptionSeesFirst},
		{"two stores see each other's commits", testTwoStores},
		{"behind a gap an own commit waits", testGap},
		{"a deletion of nothing doesn't pass for another's commit", testGapDelete},
		{"a watch that fell behind compaction loads again", testCompaction},
		{"concurrent increments are all kept", testCounter},
		{"random transactions keep every invariant", testRandom},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			defer cancel()
			c.test(t, ctx, open(t))
		})
	}
}

func testReadYourWrites(t *testing.T, ctx context.Context, e store.Engine) {
	b := newBed(t, ctx, e)
	for i := range 50 {
		b.update(func(tx *store.Tx) error {
			b.widgets.Put(tx, "a", widget{Count: i})
			if got, _ := b.widgets.Get(tx, "a"); got.Count != i {
				t.Errorf("within the transaction: got %d, want %d", got.Count, i)
			}
			return nil
		})
		if got, ok := b.widgets.Get(b.Snapshot(), "a"); !ok || got.Count != i {
			t.Fatalf("after the transaction: got %d, %v, want %d", got.Count, ok, i)
		}
	}
	b.update(func(tx *store.Tx) error {
		b.widgets.Delete(tx, "a")
		if _, ok := b.widgets.Get(tx, "a"); ok {
			t.Error("within the transaction: deleted record is there")
		}
		return nil
	})
	if got, ok := b.widgets.Get(b.Snapshot(), "a"); ok {
		t.Errorf("deleted record is there: %+v", got)
	}
}

func testSnapshot(t *testing.T, ctx context.Context, e store.Engine) {
	b := newBed(t, ctx, e)
	for i := range 300 {
		b.put(fmt.Sprint(i), widget{Color: "red", Count: i})
	}
	old := b.Snapshot()
	rev := old.Revision()
	b.update(func(tx *store.Tx) error {
		for i := range 100 {
			b.widgets.Delete(tx, fmt.Sprint(i))
		}
		b.widgets.Put(tx, "299", widget{Color: "blue"})
		b.widgets.Put(tx, "new", widget{Color: "red"})
		return nil
	})
	if got := b.widgets.Len(old); got != 300 || old.Revision() != rev {
		t.Errorf("old snapshot has %d records at %d, want 300 at %d", got, old.Revision(), rev)
	}
	if got, _ := b.widgets.Get(old, "299"); got.Color != "red" {
		t.Errorf("old snapshot shows the new value %+v", got)
	}
	if got := b.byColor.Count(old, "red"); got != 300 {
		t.Errorf("old snapshot's index: got %d, want 300", got)
	}
	if got := b.byColor.Count(b.Snapshot(), "red"); got != 200 {
		t.Errorf("new snapshot's index: got %d, want 200", got)
	}
}

func testFunctionError(t *testing.T, ctx context.Context, e store.Engine) {
	b := newBed(t, ctx, e)
	refused := errors.New("refused")
	err := b.Update(ctx, func(tx *store.Tx) error { b.widgets.Put(tx, "a", widget{}); return refused })
	if !errors.Is(err, refused) {
		t.Errorf("got %v, want %v", err, refused)
	}
	if got := b.all(); len(got) != 0 {
		t.Errorf("got %v, want nothing", got)
	}
}

// I1: a decision holds only if what it rests on still does.
func testGuarded(t *testing.T, ctx context.Context, e store.Engine) {
	for _, c := range []struct {
		name string
		meet func(tx *store.Tx, other *bed) // another's change between read and commit
		want int
	}{
		{"the record read was changed", func(tx *store.Tx, o *bed) { o.widgets.Put(tx, "read", widget{Count: 7}) }, 2},
		{"the record read was deleted", func(tx *store.Tx, o *bed) { o.widgets.Delete(tx, "read") }, 2},
		{"the record found absent was made", func(tx *store.Tx, o *bed) { o.widgets.Put(tx, "absent", widget{}) }, 2},
		{"the record written unread was made", func(tx *store.Tx, o *bed) { o.widgets.Put(tx, "written", widget{}) }, 2},
		{"another record was changed", func(tx *store.Tx, o *bed) { o.widgets.Put(tx, "beside", widget{}) }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, other := newBed(t, ctx, e), newBed(t, ctx, e)
			if err := b.Reset(ctx); err != nil {
				t.Fatal(err)
			}
			b.put("read", widget{Count: 1})
			other.catchUp(b)
			runs := 0
			b.update(func(tx *store.Tx) error {
				runs++
				b.widgets.Get(tx, "read")
				b.widgets.Get(tx, "absent")
				b.widgets.Put(tx, "written", widget{Count: runs})
				if runs == 1 {
					other.update(func(tx *store.Tx) error { c.meet(tx, other); return nil })
				}
				return nil
			})
			if runs != c.want {
				t.Errorf("function ran %d times, want %d", runs, c.want)
			}
			if got, _ := b.widgets.Get(b.Snapshot(), "written"); got.Count != runs {
				t.Errorf("written by run %d, want %d", got.Count, runs)
			}
		})
	}
}

func testStaleRefusal(t *testing.T, ctx context.Context, e store.Engine) {
	b, other := newBed(t, ctx, e), newBed(t, ctx, e)
	absent := errors.New("absent")
	runs := 0
	err := b.Update(ctx, func(tx *store.Tx) error {
		if runs++; runs == 1 {
			defer func() {
				other.put("a", widget{})
				b.catchUp(other)
			}()
		}
		if _, ok := b.widgets.Get(tx, "a"); !ok {
			return absent
		}
		return nil
	})
	if err != nil || runs != 2 {
		t.Errorf("got %v after %d runs, want success after 2", err, runs)
	}
}

func testConflict(t *testing.T, ctx context.Context, e store.Engine) {
	b, other := newBed(t, ctx, e), newBed(t, ctx, e)
	err := b.Update(ctx, func(tx *store.Tx) error {
		w, _ := b.widgets.Get(tx, "a")
		other.put("a", widget{Count: w.Count + 1})
		b.widgets.Put(tx, "a", widget{Count: -1})
		return nil
	})
	if !errors.Is(err, store.ErrConflict) {
		t.Errorf("got %v, want ErrConflict", err)
	}
}

func testTry(t *testing.T, ctx context.Context, e store.Engine) {
	b := newBed(t, ctx, e)
	b.put("kept", widget{Color: "old"})
	b.put("gone", widget{Color: "old"})
	refused := errors.New("refused")
	b.update(func(tx *store.Tx) error {
		b.widgets.Put(tx, "a", widget{Color: "before"})
		err := tx.Try(func() error {
			b.widgets.Put(tx, "a", widget{Color: "within"})
			b.widgets.Put(tx, "b", widget{Color: "within"})
			b.widgets.Delete(tx, "kept")
			if err := tx.Try(func() error { b.widgets.Put(tx, "c", widget{}); return nil }); err != nil {
				t.Errorf("inner try: %v", err)
			}
			return refused
		})
		if !errors.Is(err, refused) {
			t.Errorf("got %v, want %v", err, refused)
		}
		if got, _ := b.widgets.Get(tx, "a"); got.Color != "before" {
			t.Errorf("after the undo: got %q, want what was before", got.Color)
		}
		if _, ok := b.widgets.Get(tx, "kept"); !ok {
			t.Error("after the undo: the deletion stands")
		}
		return tx.Try(func() error { b.widgets.Delete(tx, "gone"); return nil })
	})
	want := map[string]widget{"kept": {Color: "old"}, "a": {Color: "before"}}
	if diff := cmp.Diff(want, b.all()); diff != "" {
		t.Errorf("records (-want +got)\n%s", diff)
	}
}

func testTryTooLarge(t *testing.T, ctx context.Context, e store.Engine) {
	b := newBed(t, ctx, e)
	// Groups of ten, as many as there is room for.
	groups := 0
	b.update(func(tx *store.Tx) error {
		groups = 0
		for {
			err := tx.Try(func() error {
				for i := range 10 {
					b.widgets.Put(tx, fmt.Sprintf("%d/%d", groups, i), widget{})
				}
				return nil
			})
			if errors.Is(err, store.ErrTooLarge) {
				return nil
			}
			if err != nil {
				return err
			}
			groups++
		}
	})
	if want := store.MaxTxnOps / 10; groups != want || b.widgets.Len(b.Snapshot()) != 10*want {
		t.Errorf("got %d groups and %d records, want %d and %d", groups, b.widgets.Len(b.Snapshot()), want, 10*want)
	}
	// What Try refused by its size in bytes leaves room for what is small.
	big := strings.Repeat("x", store.MaxTxnBytes/3)
	b.update(func(tx *store.Tx) error {
		for i := range 4 {
			err := tx.Try(func() error { b.widgets.Put(tx, fmt.Sprint("big", i), widget{Color: big}); return nil })
			if got, want := errors.Is(err, store.ErrTooLarge), i >= 2; got != want {
				t.Errorf("record %d: got %v, want refused %v", i, err, want)
			}
		}
		return tx.Try(func() error { b.widgets.Put(tx, "small", widget{}); return nil })
	})
}

func testTooLarge(t *testing.T, ctx context.Context, e store.Engine) {
	b := newBed(t, ctx, e)
	for _, c := range []struct {
		name string
		f    func(tx *store.Tx)
		want error
	}{
		{"as many writes as allowed", func(tx *store.Tx) {
			for i := range store.MaxTxnOps {
				b.widgets.Put(tx, fmt.Sprint(i), widget{})
			}
		}, nil},
		{"one write more", func(tx *store.Tx) {
			for i := range store.MaxTxnOps + 1 {
				b.widgets.Put(tx, fmt.Sprint(i), widget{})
			}
		}, store.ErrTooLarge},
		{"one read more", func(tx *store.Tx) {
			for i := range store.MaxTxnOps {
				b.widgets.Get(tx, fmt.Sprint(i))
			}
			b.widgets.Put(tx, "x", widget{})
		}, store.ErrTooLarge},
		{"just the bytes allowed, in as many records as allowed", func(tx *store.Tx) {
			for i := range store.MaxTxnOps {
				b.widgets.Put(tx, fmt.Sprint(i), widget{Color: strings.Repeat("x", store.MaxTxnBytes/store.MaxTxnOps-200)})
			}
		}, nil},
		{"too many bytes", func(tx *store.Tx) {
			b.widgets.Put(tx, "x", widget{Color: strings.Repeat("x", store.MaxTxnBytes)})
		}, store.ErrTooLarge},
	} {
		if err := b.Update(ctx, func(tx *store.Tx) error { c.f(tx); return nil }); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}

func testIndexes(t *testing.T, ctx context.Context, e store.Engine) {
	b := newBed(t, ctx, e)
	b.put("a", widget{Color: "red", Parts: []string{"x", "y"}})
	b.put("b", widget{Color: "red", Parts: []string{"y"}})
	b.put("c", widget{Color: "blue"})
	under := func(ix *store.Index[widget], value string) (keys []string) {
		for k := range ix.Each(b.Snapshot(), value) {
			keys = append(keys, k)
		}
		if got := ix.Count(b.Snapshot(), value); got != len(keys) {
			t.Errorf("count under %q: got %d, want %d", value, got, len(keys))
		}
		if got := ix.Has(b.Snapshot(), value); got != (len(keys) > 0) {
			t.Errorf("has %q: got %v with %d records", value, got, len(keys))
		}
		return keys
	}
	check := func(when string, ix *store.Index[widget], value string, want ...string) {
		t.Helper()
		if got := under(ix, value); !slices.Equal(got, want) {
			t.Errorf("%s, under %q: got %q, want %q", when, value, got, want)
		}
	}
	check("made", b.byColor, "red", "a", "b")
	check("made", b.byColor, "re")
	check("made", b.byPart, "y", "a", "b")
	check("made", b.byPart, "x", "a")
	b.put("a", widget{Color: "blue", Parts: []string{"y", "z"}})
	check("changed", b.byColor, "red", "b")
	check("changed", b.byColor, "blue", "a", "c")
	check("changed", b.byPart, "x")
	check("changed", b.byPart, "y", "a", "b")
	check("changed", b.byPart, "z", "a")
	b.update(func(tx *store.Tx) error { b.widgets.Delete(tx, "a"); return nil })
	check("deleted", b.byColor, "blue", "c")
	check("deleted", b.byPart, "y", "b")
	check("deleted", b.byPart, "z")
}

func testRanges(t *testing.T, ctx context.Context, e store.Engine) {
	b := newBed(t, ctx, e)
	for _, k := range []string{"c", "a", "b/1", "b", "d"} {
		b.put(k, widget{Color: "red"})
	}
	var got []string
	for k := range b.widgets.From(b.Snapshot(), "b") {
		got = append(got, k)
	}
	if want := []string{"b", "b/1", "c", "d"}; !slices.Equal(got, want) {
		t.Errorf("records from b: got %q, want %q", got, want)
	}
	got = nil
	for k := range b.byColor.From(b.Snapshot(), "red", "b0") {
		if got = append(got, k); len(got) == 1 {
			break
		}
	}
	if want := []string{"c"}; !slices.Equal(got, want) {
		t.Errorf("first under red from b0: got %q, want %q", got, want)
	}
}

func testReadOnly(t *testing.T, ctx context.Context, e store.Engine) {
	b := newBed(t, ctx, e)
	b.put("a", widget{})
	before := b.Snapshot().Revision()
	b.update(func(tx *store.Tx) error {
		for i := range 2 * store.MaxTxnOps { // more than a commit could guard
			b.widgets.Get(tx, fmt.Sprint(i))
		}
		return nil
	})
	if got := b.Snapshot().Revision(); got != before {
		t.Errorf("revision went from %d to %d", before, got)
	}
}

func testDeleteNothing(t *testing.T, ctx context.Context, e store.Engine) {
	b := newBed(t, ctx, e)
	for range 3 {
		if _, err := e.Commit(ctx, store.Txn{Ops: []store.Op{put("/elsewhere/x", "y")}}); err != nil {
			t.Fatal(err)
		}
		b.update(func(tx *store.Tx) error { b.widgets.Delete(tx, "none"); return nil })
	}
	b.put("a", widget{Count: 1})
	if got, _ := b.widgets.Get(b.Snapshot(), "a"); got.Count != 1 {
		t.Errorf("got %+v", got)
	}
}

func testRestart(t *testing.T, ctx context.Context, e store.Engine) {
	b := newBed(t, ctx, e)
	want := map[string]widget{}
	for i := range 20 {
		b.update(func(tx *store.Tx) error {
			for j := range 100 {
				k, w := fmt.Sprintf("%d-%d <&>\u2028", i, j), widget{Color: fmt.Sprint(j % 7), Count: i*j - 9, Parts: []string{"<p>", ""}}
				b.widgets.Put(tx, k, w)
				want[k] = w
			}
			return nil
		})
	}
	rev := b.Snapshot().Revision()
	b.Close()
	again := newBed(t, ctx, e)
	if diff := cmp.Diff(want, again.all()); diff != "" {
		t.Errorf("records (-want +got)\n%s", diff)
	}
	if got := again.Snapshot().Revision(); got != rev {
		t.Errorf("revision: got %d, want %d", got, rev)
	}
	for color := range 7 {
		if got, want := again.byColor.Count(again.Snapshot(), fmt.Sprint(color)), b.byColor.Count(b.Snapshot(), fmt.Sprint(color)); got != want {
			t.Errorf("index under %d: got %d, want %d", color, got, want)
		}
	}
}

func testMissingField(t *testing.T, ctx context.Context, e store.Engine) {
	raw := &engine{Engine: e, t: t, ctx: ctx}
	raw.put("/test/widgets/old", `0 {"Color":"red"}`)
	raw.put("/test/widgets/more", `1 {"Color":"red","Unheard":[1],"Count":2}`)
	b := newBed(t, ctx, e)
	want := map[string]widget{"old": {Color: "red"}, "more": {Color: "red", Count: 2}}
	if diff := cmp.Diff(want, b.all()); diff != "" {
		t.Errorf("records (-want +got)\n%s", diff)
	}
}

func testNewerAtStart(t *testing.T, ctx context.Context, e store.Engine) {
	raw := &engine{Engine: e, t: t, ctx: ctx}
	for _, c := range []struct{ name, value, want string }{
		{"newer", `2 {"Color":"red"}`, "newer than this program's 1"},
		{"no version", `{"Color":"red"}`, "no version"},
		{"no JSON", `1 {"Color`, "unexpected end"},
		{"another type", `1 {"Count":"many"}`, "cannot unmarshal"},
		{"empty", ``, "no version"},
	} {
		raw.put("/test/widgets/odd", c.value)
		err := declare(t, ctx, e).Start(ctx)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "/test/widgets/odd") {
			t.Errorf("%s: got %v, want an error with the key and %q", c.name, err, c.want)
		}
	}
}

func testNewerWhileRunning(t *testing.T, ctx context.Context, e store.Engine) {
	b := newBed(t, ctx, e)
	b.put("a", widget{Color: "red"})
	(&engine{Engine: e, t: t, ctx: ctx}).put("/test/widgets/odd", `2 {"Color":"red"}`)
	select {
	case <-b.Done():
	case <-ctx.Done():
		t.Fatal("store goes on with a record missing")
	}
	err := b.Update(ctx, func(tx *store.Tx) error { b.widgets.Put(tx, "b", widget{}); return nil })
	for _, err := range []error{err, b.Err()} {
		if !errors.Is(err, store.ErrClosed) || !strings.Contains(err.Error(), "/test/widgets/odd") {
			t.Errorf("got %v, want ErrClosed and the key", err)
		}
	}
	if got, ok := b.widgets.Get(b.Snapshot(), "a"); !ok || got.Color != "red" {
		t.Errorf("last state is gone: %+v, %v", got, ok)
	}
}

func testUndeclared(t *testing.T, ctx context.Context, e store.Engine) {
	raw := &engine{Engine: e, t: t, ctx: ctx}
	raw.put("/test/future/a", `9 whatever`)
	raw.put("/test/slashless", `9 whatever`)
	b := newBed(t, ctx, e)
	b.put("a", widget{})
	raw.put("/test/future/b", `9 whatever`)
	b.put("b", widget{})
	if got := len(b.all()); got != 2 {
		t.Errorf("got %d records, want 2", got)
	}
	if kvs, _ := raw.load("/test/future/"); len(kvs) != 2 {
		t.Errorf("got %v, want two records left", kvs)
	}
}

func testReset(t *testing.T, ctx context.Context, e store.Engine) {
	b := newBed(t, ctx, e)
	for i := range 3 * store.MaxTxnOps {
		b.put(fmt.Sprint(i), widget{Color: "red"})
	}
	(&engine{Engine: e, t: t, ctx: ctx}).put("/elsewhere", "x")
	for range 2 { // the second finds nothing
		if err := b.Reset(ctx); err != nil {
			t.Fatal(err)
		}
		if got := b.widgets.Len(b.Snapshot()) + b.byColor.Count(b.Snapshot(), "red"); got != 0 {
			t.Errorf("%d records and index entries are left", got)
		}
	}
	b.put("a", widget{})
	if kvs, _ := (&engine{Engine: e, t: t, ctx: ctx}).load(""); len(kvs) != 2 {
		t.Errorf("got %v, want the new record and the one elsewhere", kvs)
	}
}

func testClose(t *testing.T, ctx context.Context, e store.Engine) {
	b := newBed(t, ctx, e)
	ended := make(chan error)
	go func() { ended <- b.WaitRevision(ctx, 1<<40) }()
	b.Close()
	if err := <-ended; !errors.Is(err, store.ErrClosed) {
		t.Errorf("wait: got %v, want ErrClosed", err)
	}
	if err := b.Update(ctx, func(*store.Tx) error { return nil }); !errors.Is(err, store.ErrClosed) {
		t.Errorf("update: got %v, want ErrClosed", err)
	}
	if err := b.Err(); !errors.Is(err, store.ErrClosed) {
		t.Errorf("err: got %v, want ErrClosed", err)
	}
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	open := newBed(t, ctx, e)
	if err := open.WaitRevision(short, 1<<40); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wait with a context: got %v, want DeadlineExceeded", err)
	}
	if err := open.Err(); err != nil {
		t.Errorf("err of a running store: %v", err)
	}
}
