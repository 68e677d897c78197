package storetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/store"
)

// take waits until the subscription has something and returns it.
func (b *bed) take(sub *store.Subscription) (keys []string, all bool) {
	b.t.Helper()
	for {
		changed, all := sub.Take()
		if len(changed) > 0 || all {
			for _, k := range changed {
				keys = append(keys, k.Collection+"/"+k.Key)
			}
			slices.Sort(keys)
			return keys, all
		}
		select {
		case <-sub.C:
		case <-b.ctx.Done():
			b.t.Fatal("subscription tells nothing")
		}
	}
}

func testSubscription(t *testing.T, ctx context.Context, e store.Engine) {
	b, other := newBed(t, ctx, e), newBed(t, ctx, e)
	b.put("old", widget{})
	sub := b.Subscribe("widgets")
	defer sub.Close()
	both := b.Subscribe("gadgets", "widgets")
	defer both.Close()
	if _, all := b.take(sub); !all {
		t.Error("a new subscription begins with all: it didn't")
	}
	b.take(both)

	b.put("a", widget{Count: 1})
	b.put("a", widget{Count: 2})
	b.update(func(tx *store.Tx) error {
		b.widgets.Put(tx, "b", widget{})
		b.widgets.Delete(tx, "old")
		b.gadgets.Put(tx, "g", 1)
		return nil
	})
	if got, all := b.take(sub); all || !slices.Equal(got, []string{"widgets/a", "widgets/b", "widgets/old"}) {
		t.Errorf("own commits: got %q, all %v", got, all)
	}
	if got, all := b.take(both); all || !slices.Equal(got, []string{"gadgets/g", "widgets/a", "widgets/b", "widgets/old"}) {
		t.Errorf("own commits, two collections: got %q, all %v", got, all)
	}
	if keys, all := sub.Take(); len(keys) > 0 || all {
		t.Errorf("nothing new: got %v, all %v", keys, all)
	}

	other.catchUp(b)
	other.put("c", widget{})
	if got, all := b.take(sub); all || !slices.Equal(got, []string{"widgets/c"}) {
		t.Errorf("another's commit: got %q, all %v", got, all)
	}
	sub.Close()
	b.put("d", widget{})
	if keys, all := sub.Take(); len(keys) > 0 || all {
		t.Errorf("after close: got %v, all %v", keys, all)
	}
}

// A reader that took nothing new and then finds something in a snapshot must
// be told of it later: it may have looked for it a moment too early. Here the
// change comes from another goroutine all the time.
func testSubscriptionSeesFirst(t *testing.T, ctx context.Context, e store.Engine) {
	b := newBed(t, ctx, e)
	sub := b.Subscribe("widgets")
	defer sub.Close()
	b.take(sub)
	const last = 300
	var writer sync.WaitGroup
	defer writer.Wait()
	writer.Go(func() {
		for i := 1; i <= last; i++ {
			if err := b.Update(ctx, func(tx *store.Tx) error { b.widgets.Put(tx, "a", widget{Count: i}); return nil }); err != nil {
				t.Error(err)
			}
		}
	})
	for seen := 0; seen < last; {
		before, _ := b.widgets.Get(b.Snapshot(), "a")
		keys, all := sub.Take()
		if before.Count > seen && len(keys) == 0 && !all {
			t.Fatalf("snapshot shows %d, told only up to %d", before.Count, seen)
		}
		if len(keys) > 0 {
			now, _ := b.widgets.Get(b.Snapshot(), "a")
			seen = now.Count
			continue
		}
		select {
		case <-sub.C:
		case <-ctx.Done():
			t.Fatalf("told nothing more after %d", seen)
		}
	}
}

func testTwoStores(t *testing.T, ctx context.Context, e store.Engine) {
	a, b := newBed(t, ctx, e), newBed(t, ctx, e)
	for i := range 50 {
		a.put("ping", widget{Count: i})
		b.catchUp(a)
		b.update(func(tx *store.Tx) error {
			w, _ := b.widgets.Get(tx, "ping")
			b.gadgets.Put(tx, "pong", w.Count)
			return nil
		})
		a.catchUp(b)
		if got, _ := a.gadgets.Get(a.Snapshot(), "pong"); got != i {
			t.Fatalf("got %d back, want %d", got, i)
		}
	}
}

// The view never shows a commit without those before it.
func testGap(t *testing.T, ctx context.Context, e store.Engine) {
	g := newGate(e)
	a, b := newBed(t, ctx, e), newBed(t, ctx, g)
	a.put("first", widget{})
	b.catchUp(a)
	g.set(true)
	a.put("missing", widget{})
	ended := make(chan error)
	go func() {
		ended <- b.Update(ctx, func(tx *store.Tx) error { b.widgets.Put(tx, "own", widget{}); return nil })
	}()
	// a sees b's commit, and b doesn't, behind its gap.
	for !slices.Contains(slices.Collect(maps.Keys(a.all())), "own") {
		if err := a.WaitRevision(ctx, a.Snapshot().Revision()+1); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.all(); len(got) != 1 {
		t.Errorf("behind the gap: got %v, want the first record alone", got)
	}
	select {
	case err := <-ended:
		t.Errorf("update returned before its commit is in the view: %v", err)
	default:
	}
	g.set(false)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a.all(), b.all()); diff != "" {
		t.Errorf("views differ\n%s", diff)
	}
}

// Such a commit makes no revision, so the one that the engine names is that of
// the other's record.
func testGapDelete(t *testing.T, ctx context.Context, e store.Engine) {
	g := newGate(e)
	a, b := newBed(t, ctx, e), newBed(t, ctx, g)
	a.put("first", widget{})
	b.catchUp(a)
	g.set(true)
	a.put("missing", widget{})
	b.update(func(tx *store.Tx) error { b.widgets.Delete(tx, "nothing"); return nil })
	g.set(false)
	b.catchUp(a)
	if diff := cmp.Diff(a.all(), b.all()); diff != "" {
		t.Errorf("views differ\n%s", diff)
	}
}

func testCompaction(t *testing.T, ctx context.Context, e store.Engine) {
	g := newGate(e)
	a, b := newBed(t, ctx, e), newBed(t, ctx, g)
	a.put("stays", widget{Color: "red"})
	a.put("goes", widget{Color: "red"})
	b.catchUp(a)
	sub := b.Subscribe("widgets")
	defer sub.Close()
	b.take(sub)

	g.set(true)
	for i := range 10 {
		a.put(fmt.Sprint("new", i), widget{Color: "red", Count: i})
	}
	a.update(func(tx *store.Tx) error { a.widgets.Delete(tx, "goes"); return nil })
	a.put("last", widget{})
	if err := e.(compacter).Compact(ctx, a.Snapshot().Revision()); err != nil {
		t.Fatal(err)
	}
	g.set(false)

	b.catchUp(a)
	if diff := cmp.Diff(a.all(), b.all()); diff != "" {
		t.Errorf("views differ\n%s", diff)
	}
	if got, want := b.byColor.Count(b.Snapshot(), "red"), 11; got != want {
		t.Errorf("index: got %d, want %d", got, want)
	}
	if _, all := b.take(sub); !all {
		t.Error("subscription doesn't say that all may have changed")
	}
	a.put("after", widget{})
	b.catchUp(a)
	b.put("own", widget{})
	if b.logged.count() > 2 {
		t.Errorf("logged %q, want the interruption alone", b.logged.messages)
	}
}
