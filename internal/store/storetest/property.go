package storetest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/store"
)

// I1: no acknowledged increment is lost, nor made twice.
func testCounter(t *testing.T, ctx context.Context, e store.Engine) {
	const callers, each = 8, 20
	beds := []*bed{newBed(t, ctx, e), newBed(t, ctx, e)}
	var wg sync.WaitGroup
	for i := range callers {
		b := beds[i%len(beds)]
		wg.Go(func() {
			last := 0
			for range each {
				now := 0
				err := b.persist(func(tx *store.Tx) error {
					n, _ := b.gadgets.Get(tx, "n")
					now = n + 1
					b.gadgets.Put(tx, "n", now)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
				if now <= last {
					t.Errorf("counted %d after %d", now, last)
				}
				last = now
			}
		})
	}
	wg.Wait()
	beds[0].catchUp(beds[1])
	if got, _ := beds[0].gadgets.Get(beds[0].Snapshot(), "n"); got != callers*each {
		t.Errorf("got %d, want %d", got, callers*each)
	}
}

// testRandom has goroutines of two stores move tokens between boxes and count
// their moves, at random, while readers look. Laws: in every snapshot all
// tokens are there, once (I1, I5); a snapshot's revision never goes back; at
// the end each box's moves are those acknowledged, and both views, a fresh
// load and the engine's content are the same.
func testRandom(t *testing.T, ctx context.Context, e store.Engine) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	const (
		boxes   = 6
		tokens  = 12
		callers = 6
		moves   = 40
	)
	beds := []*bed{newBed(t, ctx, e), newBed(t, ctx, e)}
	box := func(i int) string { return fmt.Sprintf("box-%d", i) }
	beds[0].update(func(tx *store.Tx) error {
		for i := range tokens {
			key := box(i % boxes)
			w, _ := beds[0].widgets.Get(tx, key)
			w.Parts = append(slices.Clone(w.Parts), fmt.Sprintf("token-%02d", i))
			beds[0].widgets.Put(tx, key, w)
		}
		return nil
	})
	beds[1].catchUp(beds[0])

	var acknowledged [boxes]atomic.Int64
	var wg sync.WaitGroup
	for i := range callers {
		b, rng := beds[i%len(beds)], rand.New(rand.NewPCG(seed, uint64(i)))
		wg.Go(func() {
			for n := range moves {
				from, to := rng.IntN(boxes), rng.IntN(boxes)
				if err := b.persist(func(tx *store.Tx) error { return b.move(tx, box(from), box(to), fmt.Sprintf("%d-%d", i, n)) }); err != nil {
					t.Error(err)
					return
				}
				acknowledged[from].Add(1)
				if to != from {
					acknowledged[to].Add(1)
				}
			}
		})
	}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	var readers sync.WaitGroup
	for _, b := range beds {
		readers.Go(func() {
			last := int64(0)
			for b.WaitRevision(reading, last+1) == nil {
				s := b.Snapshot()
				if s.Revision() <= last {
					t.Errorf("snapshot went back from %d to %d", last, s.Revision())
				}
				b.checkTokens(s, tokens)
				last = s.Revision()
			}
		})
	}
	wg.Wait()
	stop()
	readers.Wait()

	beds[0].catchUp(beds[1])
	beds[1].catchUp(beds[0])
	want := beds[0].all()
	if diff := cmp.Diff(want, beds[1].all()); diff != "" {
		t.Errorf("the stores' views differ\n%s", diff)
	}
	fresh := newBed(t, ctx, e)
	if diff := cmp.Diff(want, fresh.all()); diff != "" {
		t.Errorf("a fresh load differs (-view +load)\n%s", diff)
	}
	fresh.checkTokens(fresh.Snapshot(), tokens)
	for i := range boxes {
		if got, want := int64(want[box(i)].Count), acknowledged[i].Load(); got != want {
			t.Errorf("%s: %d moves stored, %d acknowledged", box(i), got, want)
		}
	}
	kvs, _ := (&engine{Engine: e, t: t, ctx: ctx}).load("/test/")
	if got, want := len(kvs), fresh.widgets.Len(fresh.Snapshot())+fresh.gadgets.Len(fresh.Snapshot()); got != want {
		t.Errorf("the engine has %d keys, the view %d", got, want)
	}
}

// move takes a token from one box, if there is one, and puts it into another;
// both count the visit. A note about it is kept, and the box's note before it
// deleted.
func (b *bed) move(tx *store.Tx, from, to, note string) error {
	source, _ := b.widgets.Get(tx, from)
	source.Count++
	token := ""
	if len(source.Parts) > 0 {
		token = source.Parts[0]
		source.Parts = source.Parts[1:]
	}
	if source.Color != "" {
		b.gadgets.Delete(tx, source.Color)
	}
	source.Color = note
	b.widgets.Put(tx, from, source)
	b.gadgets.Put(tx, note, source.Count)
	target := source
	if to != from {
		target, _ = b.widgets.Get(tx, to)
		target.Count++
	}
	if token != "" {
		target.Parts = append(slices.Clone(target.Parts), token)
	}
	b.widgets.Put(tx, to, target)
	return nil
}

func (b *bed) checkTokens(s store.Snapshot, want int) {
	in := map[string]string{}
	notes := 0
	for k, w := range b.widgets.All(s) {
		for _, token := range w.Parts {
			if in[token] != "" {
				b.t.Errorf("at %d %s is in %s and in %s", s.Revision(), token, in[token], k)
			}
			in[token] = k
			if !slices.Contains(slices.Collect(maps.Keys(maps.Collect(b.byPart.Each(s, token)))), k) {
				b.t.Errorf("at %d the index doesn't have %s in %s", s.Revision(), token, k)
			}
		}
		if w.Color != "" {
			notes++
			if n, ok := b.gadgets.Get(s, w.Color); !ok || n > w.Count {
				b.t.Errorf("at %d %s has note %s, whose record is %d, %v", s.Revision(), k, w.Color, n, ok)
			}
		}
	}
	if got, want := maps.Collect(b.bySize.Each(s, "")), b.recount(s); !maps.Equal(got, want) {
		b.t.Errorf("at %d the tally is %v, the records make %v", s.Revision(), got, want)
	}
	if len(in) != want {
		b.t.Errorf("at %d there are %d tokens, want %d", s.Revision(), len(in), want)
	}
	if got := b.gadgets.Len(s); got != notes {
		b.t.Errorf("at %d there are %d notes, want %d", s.Revision(), got, notes)
	}
}
