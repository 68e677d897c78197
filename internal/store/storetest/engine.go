package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/store"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// compacter is an engine that can be told to forget.
type compacter interface {
	Compact(ctx context.Context, revision int64) error
}

// Run checks the engines that open returns, each empty and closed by the
// test's cleanup.
func Run(t *testing.T, open func(t *testing.T) store.Engine) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *engine)
	}{
		{"a commit applies all operations at one new revision", testCommit},
		{"a guard that fails applies nothing", testGuards},
		{"deleting what is absent makes no revision", testDeleteAbsent},
		{"a transaction may be as large as the limits and no larger", testLimits},
		{"of concurrent commits on one guard one wins", testOneWinner},
		{"load tells keys in order, of the prefix alone", testLoadOrder},
		{"load reads many pages as of one revision", testLoadOneRevision},
		{"load ends with the error of its callee", testLoadError},
		{"watch tells every change once, in order", testWatchOrder},
		{"watch tells of whole revisions", testWatchWhole},
		{"watch ends with its context and with the error of its callee", testWatchEnd},
		{"watch of a forgotten revision says so", testWatchCompacted},
		{"delete prefix is one revision", testDeletePrefix},
		{"delete prefix of nothing is none", testDeletePrefixNothing},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			c.test(t, &engine{Engine: open(t), t: t, ctx: ctx})
		})
	}
}

// engine is an engine whose errors end the test.
type engine struct {
	store.Engine
	t   *testing.T
	ctx context.Context
}

func (e *engine) commit(t store.Txn) store.Result {
	e.t.Helper()
	r, err := e.Commit(e.ctx, t)
	if err != nil {
		e.t.Fatalf("commit: %v", err)
	}
	return r
}

// commitBeside commits on another goroutine than the test's.
func (e *engine) commitBeside(t store.Txn) {
	if _, err := e.Commit(e.ctx, t); err != nil {
		e.t.Errorf("commit: %v", err)
	}
}

func (e *engine) put(key, value string) int64 {
	e.t.Helper()
	return e.commit(store.Txn{Ops: []store.Op{put(key, value)}}).Revision
}

func put(key, value string) store.Op { return store.Op{Key: key, Value: []byte(value)} }

func (e *engine) load(prefix string) (map[string]string, int64) {
	e.t.Helper()
	got := map[string]string{}
	rev, err := e.Load(e.ctx, prefix, func(kv store.KV) error {
		got[kv.Key] = string(kv.Value)
		return nil
	})
	if err != nil {
		e.t.Fatalf("load %s: %v", prefix, err)
	}
	return got, rev
}

// watch gathers batches until one reaches the revision.
func (e *engine) watch(prefix string, after, until int64) []store.Batch {
	e.t.Helper()
	var got []store.Batch
	enough := errors.New("enough")
	err := e.Watch(e.ctx, prefix, after, func(b store.Batch) error {
		if len(b.Changes) > 0 {
			got = append(got, b)
		}
		if b.Revision >= until {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		e.t.Fatalf("watch %s: %v", prefix, err)
	}
	return got
}

func testCommit(t *testing.T, e *engine) {
	before := e.put("p/old", "x")
	got := e.commit(store.Txn{
		Guards: []store.Guard{{Key: "p/old", ModRevision: before}, {Key: "p/a"}},
		Ops:    []store.Op{put("p/a", "1"), put("p/b", ""), {Key: "p/old", Delete: true}},
	})
	if want := (store.Result{Committed: true, Revision: before + 1}); got != want {
		t.Fatalf("commit: got %+v, want %+v", got, want)
	}
	kvs, rev := e.load("p/")
	if diff := cmp.Diff(map[string]string{"p/a": "1", "p/b": ""}, kvs); diff != "" || rev != got.Revision {
		t.Errorf("load at %d, want %d (-want +got)\n%s", rev, got.Revision, diff)
	}
}

func testGuards(t *testing.T, e *engine) {
	first := e.put("p/there", "1")
	now := e.put("p/there", "2")
	e.put("p/gone", "1")
	gone := e.commit(store.Txn{Ops: []store.Op{{Key: "p/gone", Delete: true}}}).Revision
	for _, c := range []struct {
		name  string
		guard store.Guard
		want  bool
	}{
		{"an older revision", store.Guard{Key: "p/there", ModRevision: first}, false},
		{"a later revision", store.Guard{Key: "p/there", ModRevision: now + 1}, false},
		{"absence of a present key", store.Guard{Key: "p/there"}, false},
		{"presence of a deleted key", store.Guard{Key: "p/gone", ModRevision: gone}, false},
		{"the present revision", store.Guard{Key: "p/there", ModRevision: now}, true},
		{"absence of a deleted key", store.Guard{Key: "p/gone"}, true},
		{"absence of a key that never was", store.Guard{Key: "p/never"}, true},
	} {
		_, before := e.load("p/")
		got := e.commit(store.Txn{Guards: []store.Guard{{Key: "p/holds"}, c.guard}, Ops: []store.Op{put("p/x", c.name), put("p/y", c.name)}})
		want := store.Result{Committed: c.want, Revision: before}
		if c.want {
			want.Revision++
		}
		if got != want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, want)
		}
		kvs, _ := e.load("p/")
		if wrote := kvs["p/x"] == c.name || kvs["p/y"] == c.name; wrote != c.want {
			t.Errorf("%s: wrote %v, want %v", c.name, wrote, c.want)
		}
	}
}

func testDeleteAbsent(t *testing.T, e *engine) {
	before := e.put("p/a", "1")
	got := e.commit(store.Txn{Ops: []store.Op{{Key: "p/none", Delete: true}}})
	if want := (store.Result{Committed: true, Revision: before}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func testLimits(t *testing.T, e *engine) {
	txn := func(n int) store.Txn {
		var txn store.Txn
		for i := range n {
			key := fmt.Sprintf("p/%03d", i)
			txn.Guards = append(txn.Guards, store.Guard{Key: key})
			txn.Ops = append(txn.Ops, put(key, "v"))
		}
		return txn
	}
	if _, err := e.Commit(e.ctx, txn(store.MaxTxnOps+1)); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("one operation too many: got %v, want ErrTooLarge", err)
	}
	if got := e.commit(txn(store.MaxTxnOps)); !got.Committed {
		t.Error("as many operations as allowed were not committed")
	}
	if kvs, _ := e.load("p/"); len(kvs) != store.MaxTxnOps {
		t.Errorf("got %d keys, want %d", len(kvs), store.MaxTxnOps)
	}
	big := bytes.Repeat([]byte("x"), store.MaxTxnBytes-64)
	if got := e.commit(store.Txn{Ops: []store.Op{{Key: "p/big", Value: big}}}); !got.Committed {
		t.Error("as many bytes as allowed were not committed")
	}
}

// I1: a read-check-write that was acknowledged is not lost.
func testOneWinner(t *testing.T, e *engine) {
	const writers, each = 8, 25
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for done := 0; done < each; {
				var n int
				var rev int64
				_, err := e.Load(e.ctx, "p/n", func(kv store.KV) error {
					n, _ = strconv.Atoi(string(kv.Value))
					rev = kv.ModRevision
					return nil
				})
				var r store.Result
				if err == nil {
					r, err = e.Commit(e.ctx, store.Txn{
						Guards: []store.Guard{{Key: "p/n", ModRevision: rev}},
						Ops:    []store.Op{put("p/n", strconv.Itoa(n+1))},
					})
				}
				if err != nil {
					t.Error(err)
					return
				}
				if r.Committed {
					done++
				}
			}
		})
	}
	wg.Wait()
	kvs, _ := e.load("p/")
	if got, want := kvs["p/n"], strconv.Itoa(writers*each); got != want {
		t.Errorf("counter: got %s, want %s", got, want)
	}
}

func testLoadOrder(t *testing.T, e *engine) {
	for _, k := range []string{"p/b", "p/a", "p0", "o/z", "p", "p/a/x", "p/\xff"} {
		e.put(k, k)
	}
	want := []string{"p/a", "p/a/x", "p/b", "p/\xff"}
	var got []string
	if _, err := e.Load(e.ctx, "p/", func(kv store.KV) error {
		if string(kv.Value) != kv.Key || kv.ModRevision == 0 {
			t.Errorf("got %+v", kv)
		}
		got = append(got, kv.Key)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if all, _ := e.load(""); len(all) != 7 {
		t.Errorf("empty prefix: got %d keys, want 7", len(all))
	}
}

// The keys hold one number, changed everywhere at once, while they are loaded:
// a torn load shows two.
func testLoadOneRevision(t *testing.T, e *engine) {
	const keys = 12_000 // more than an engine's page
	for i := 0; i < keys; i += store.MaxTxnOps {
		var txn store.Txn
		for j := i; j < min(i+store.MaxTxnOps, keys); j++ {
			txn.Ops = append(txn.Ops, put(fmt.Sprintf("p/%05d", j), "0"))
		}
		e.commit(txn)
	}
	n := 0
	first, last := "", ""
	loaded, err := e.Load(e.ctx, "p/", func(kv store.KV) error {
		if n++; n%500 == 0 {
			e.commit(store.Txn{Ops: []store.Op{put("p/00000", strconv.Itoa(n)), put(fmt.Sprintf("p/%05d", keys-1), strconv.Itoa(n))}})
		}
		switch kv.Key {
		case "p/00000":
			first = string(kv.Value)
		case fmt.Sprintf("p/%05d", keys-1):
			last = string(kv.Value)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n != keys || first != "0" || last != "0" {
		t.Errorf("got %d keys, the first %q, the last %q; want %d, all \"0\"", n, first, last, keys)
	}
	if _, now := e.load("p/"); now != loaded+keys/500 {
		t.Errorf("loaded at %d, now %d, want %d commits between", loaded, now, keys/500)
	}
}

func testLoadError(t *testing.T, e *engine) {
	e.put("p/a", "1")
	e.put("p/b", "1")
	stop, n := errors.New("stop"), 0
	_, err := e.Load(e.ctx, "p/", func(store.KV) error { n++; return stop })
	if !errors.Is(err, stop) || n != 1 {
		t.Errorf("got %v after %d keys, want %v after one", err, n, stop)
	}
}

func testWatchOrder(t *testing.T, e *engine) {
	e.put("p/before", "x")
	after := e.put("p/gone", "x")
	e.put("p/a", "1")
	e.put("q/a", "another prefix")
	e.commit(store.Txn{Ops: []store.Op{{Key: "p/gone", Delete: true}, put("p/b", "1")}})
	// The rest is committed while the watch is on.
	var live sync.WaitGroup
	live.Go(func() {
		e.commitBeside(store.Txn{Ops: []store.Op{put("p/a", "2")}})
		e.commitBeside(store.Txn{Ops: []store.Op{put("p/end", "")}})
	})
	batches := e.watch("p/", after, after+5)
	live.Wait()
	type change struct {
		At      int64
		Key     string
		Value   string
		Deleted bool
	}
	var got []change
	for _, b := range batches {
		for _, c := range b.Changes {
			got = append(got, change{c.ModRevision - after, c.Key, string(c.Value), c.Deleted})
		}
		if last := b.Changes[len(b.Changes)-1].ModRevision; b.Revision != last {
			t.Errorf("batch says %d, its last change %d", b.Revision, last)
		}
	}
	want := []change{
		{1, "p/a", "1", false},
		{3, "p/gone", "", true},
		{3, "p/b", "1", false},
		{4, "p/a", "2", false},
		{5, "p/end", "", false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got)\n%s", diff)
	}
}

// I5: a transaction is seen wholly or not at all.
func testWatchWhole(t *testing.T, e *engine) {
	const commits = 150
	start := e.put("p/start", "")
	var writer sync.WaitGroup
	defer writer.Wait()
	writer.Go(func() {
		for i := range commits {
			var txn store.Txn
			for j := range store.MaxTxnOps {
				txn.Ops = append(txn.Ops, put(fmt.Sprintf("p/%03d", j), strconv.Itoa(i)))
			}
			e.commitBeside(txn)
		}
	})
	seen := map[int64]int{}
	for _, b := range e.watch("p/", start, start+commits) {
		in := map[int64]int{}
		for _, c := range b.Changes {
			in[c.ModRevision]++
		}
		for rev := range in {
			if seen[rev] != 0 {
				t.Errorf("revision %d came in two batches", rev)
			}
		}
		maps.Copy(seen, in)
	}
	for i := range int64(commits) {
		if got := seen[start+1+i]; got != store.MaxTxnOps {
			t.Errorf("revision %d: got %d changes, want %d", start+1+i, got, store.MaxTxnOps)
		}
	}
}

func testWatchEnd(t *testing.T, e *engine) {
	rev := e.put("p/a", "1")
	ctx, cancel := context.WithCancel(e.ctx)
	err := e.Watch(ctx, "p/", rev-1, func(store.Batch) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("context ended: got %v, want %v", err, context.Canceled)
	}
	stop := errors.New("stop")
	err = e.Watch(e.ctx, "p/", rev-1, func(store.Batch) error { return stop })
	if !errors.Is(err, stop) {
		t.Errorf("callee failed: got %v, want %v", err, stop)
	}
}

func testWatchCompacted(t *testing.T, e *engine) {
	old := e.put("p/a", "1")
	e.put("p/a", "2")
	now := e.put("p/a", "3")
	if err := e.Engine.(compacter).Compact(e.ctx, now); err != nil {
		t.Fatal(err)
	}
	err := e.Watch(e.ctx, "p/", old, func(store.Batch) error { return nil })
	if !errors.Is(err, store.ErrCompacted) {
		t.Errorf("watch after %d, compacted at %d: got %v, want ErrCompacted", old, now, err)
	}
	if got := e.watch("p/", now-1, now); len(got) != 1 || string(got[0].Changes[0].Value) != "3" {
		t.Errorf("watch of what is kept: got %+v", got)
	}
}

func testDeletePrefix(t *testing.T, e *engine) {
	for i := range 3 {
		var txn store.Txn
		for j := range store.MaxTxnOps {
			txn.Ops = append(txn.Ops, put(fmt.Sprintf("p/%d/%d", i, j), ""))
		}
		e.commit(txn)
	}
	before := e.put("q/stays", "")
	rev, err := e.DeletePrefix(e.ctx, "p/")
	if err != nil || rev != before+1 {
		t.Fatalf("got %d, %v, want %d", rev, err, before+1)
	}
	if got, _ := e.load(""); len(got) != 1 {
		t.Errorf("left: %v, want q/stays alone", got)
	}
	got := e.watch("p/", before, rev)
	if len(got) != 1 || len(got[0].Changes) != 3*store.MaxTxnOps || !got[0].Changes[0].Deleted {
		t.Errorf("watch tells of %d batches, want one with %d deletions", len(got), 3*store.MaxTxnOps)
	}
}

func testDeletePrefixNothing(t *testing.T, e *engine) {
	before := e.put("q/a", "")
	rev, err := e.DeletePrefix(e.ctx, "p/")
	if err != nil || rev != 0 {
		t.Errorf("got %d, %v, want 0", rev, err)
	}
	if _, now := e.load(""); now != before {
		t.Errorf("engine went from %d to %d", before, now)
	}
}
