package storetest

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/store"
)

// widget is the record of the tests' first collection.
type widget struct {
	Color string
	Count int
	Parts []string
}

// bed is one server's store in a test.
type bed struct {
	*store.Store
	t       *testing.T
	ctx     context.Context
	widgets *store.Collection[widget]
	gadgets *store.Collection[int]
	byColor *store.Index[widget]
	byPart  *store.Index[widget]
	bySize  *store.Tally[widget] // by how many parts they have
	parcels *store.Collection[parcel]
	byTown  *store.Index[parcel]
	logged  *records
}

// newBed starts a store over the engine and closes it with the test.
func newBed(t *testing.T, ctx context.Context, e store.Engine) *bed {
	t.Helper()
	b := declare(t, ctx, e)
	if err := b.Start(ctx); err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(b.Close)
	return b
}

// declare makes a store that isn't started.
func declare(t *testing.T, ctx context.Context, e store.Engine) *bed {
	b := &bed{t: t, ctx: ctx, logged: new(records)}
	b.Store = store.New(e, "/test", slog.New(b.logged))
	b.widgets = store.NewCollection[widget](b.Store, "widgets", 1)
	b.byColor = b.widgets.Index(func(w widget) []string { return []string{w.Color} })
	b.byPart = b.widgets.Index(func(w widget) []string { return w.Parts })
	b.bySize = b.widgets.Tally(sized)
	b.parcels = store.NewPackedCollection(b.Store, "parcels", 2, parcelPacking)
	b.byTown = b.parcels.Index(func(p parcel) []string { return []string{p.Town} })
	b.gadgets = store.NewCollection[int](b.Store, "gadgets", 1)
	return b
}

func (b *bed) update(f func(tx *store.Tx) error) {
	b.t.Helper()
	if err := b.Update(b.ctx, f); err != nil {
		b.t.Fatalf("update: %v", err)
	}
}

// persist is Update by one who tries again while others come first, as callers on
// a machine that is busy with something else must.
func (b *bed) persist(f func(tx *store.Tx) error) error {
	for {
		if err := b.Update(b.ctx, f); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

func (b *bed) put(key string, w widget) {
	b.t.Helper()
	b.update(func(tx *store.Tx) error { b.widgets.Put(tx, key, w); return nil })
}

// catchUp waits until b shows what other shows.
func (b *bed) catchUp(other *bed) {
	b.t.Helper()
	if err := b.WaitRevision(b.ctx, other.Snapshot().Revision()); err != nil {
		b.t.Fatalf("wait for the other store's commit: %v", err)
	}
}

func (b *bed) all() map[string]widget {
	got := map[string]widget{}
	for k, w := range b.widgets.All(b.Snapshot()) {
		got[k] = w
	}
	return got
}

// gate is an engine whose watches can be held up, as by a partition.
type gate struct {
	store.Engine

	mu      sync.Mutex    // guards the following
	shut    bool          // new watches wait
	changed chan struct{} // closed at each change of shut, then made anew
}

var errPartition = errors.New("partitioned")

func newGate(e store.Engine) *gate { return &gate{Engine: e, changed: make(chan struct{})} }

// set shuts the gate, which ends the watches under way, or opens it.
func (g *gate) set(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
	close(g.changed)
	g.changed = make(chan struct{})
}

func (g *gate) state() (shut bool, changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shut, g.changed
}

func (g *gate) Watch(ctx context.Context, prefix string, after int64, each func(store.Batch) error) error {
	shut, changed := g.state()
	for shut {
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
		shut, changed = g.state()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var cutter sync.WaitGroup
	defer cutter.Wait()
	ended := make(chan struct{})
	defer close(ended)
	cutter.Go(func() {
		select {
		case <-changed:
			cancel(errPartition)
		case <-ended:
		}
	})
	err := g.Engine.Watch(ctx, prefix, after, func(b store.Batch) error {
		if shut, _ := g.state(); shut {
			return errPartition
		}
		return each(b)
	})
	if cause := context.Cause(ctx); errors.Is(cause, errPartition) {
		return cause
	}
	return err
}

// records is a slog.Handler that keeps the messages.
type records struct {
	mu       sync.Mutex // guards the following
	messages []string
}

func (r *records) Enabled(context.Context, slog.Level) bool { return true }
func (r *records) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *records) WithGroup(string) slog.Handler            { return r }
func (r *records) Handle(_ context.Context, rec slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, rec.Message)
	return nil
}

func (r *records) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.messages)
}
