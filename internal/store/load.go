package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/google/btree"
)

const (
	// loadBatch records are decoded by one goroutine at a time.
	loadBatch = 256
	// loadAttempts bounds how often a load begins anew because the engine forgot
	// the revision that it was reading.
	loadAttempts = 3
)

// unreadableError says that a record can't be decoded.
type unreadableError struct {
	key string
	err error
}

func (e *unreadableError) Error() string { return fmt.Sprintf("record %s: %v", e.key, e.err) }
func (e *unreadableError) Unwrap() error { return e.err }

func (s *Store) load(ctx context.Context) (*view, error) {
	var v *view
	err := ErrCompacted
	for n := 0; n < loadAttempts && errors.Is(err, ErrCompacted); n++ {
		v, err = s.loadOnce(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("load records: %w", err)
	}
	return v, nil
}

// loadOnce makes a view of all records. Decoding is most of the work, so it is
// spread over the processors while the engine reads on.
func (s *Store) loadOnce(ctx context.Context) (*view, error) {
	l := &loader{store: s, batches: make(chan batch, runtime.GOMAXPROCS(0))}
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(l.work)
	}
	var b batch
	rev, err := s.engine.Load(ctx, s.prefix, func(kv KV) error {
		if b.kvs == nil {
			b.kvs = make([]KV, 0, loadBatch)
		}
		b.kvs = append(b.kvs, kv)
		if len(b.kvs) < loadBatch {
			return nil
		}
		l.batches <- b
		b = batch{n: b.n + 1}
		return l.failure()
	})
	if err == nil && len(b.kvs) > 0 {
		l.batches <- b
	}
	close(l.batches)
	workers.Wait()
	if err = errors.Join(err, l.err); err != nil {
		return nil, err
	}
	return &view{revision: rev, tables: l.tables()}, nil
}

// batch is some of the engine's records, in its order, as the batches are.
type batch struct {
	n   int
	kvs []KV
}

// run is decoded records of one collection, in order, and what they have in its
// indexes and tallies.
type run struct {
	def     *definition
	rows    []row
	pages   []page           // of a packed collection
	entries [][]indexEntry   // by index
	counts  []map[string]int // by tally
}

// newRun returns a run that about n records will be added to.
func newRun(d *definition, n int) run {
	r := run{def: d, rows: make([]row, 0, n), entries: make([][]indexEntry, d.indexes), counts: make([]map[string]int, d.tallies)}
	for i := range r.counts {
		r.counts[i] = map[string]int{}
	}
	return r
}

func (r *run) add(rw row) {
	r.rows = append(r.rows, rw)
	v := r.def.values(rw)
	for i, under := range v.indexes {
		for _, value := range under {
			r.entries[i] = append(r.entries[i], indexEntry{value, rw.key})
		}
	}
	for i, value := range v.tallies {
		if value != "" {
			r.counts[i][value]++
		}
	}
}

type loader struct {
	store   *Store
	batches chan batch

	mu      sync.Mutex // guards the following
	decoded [][]run    // by batch.n
	err     error
}

func (l *loader) work() {
	for b := range l.batches {
		if l.failure() != nil {
			continue // Load is about to notice
		}
		runs, err := l.decode(b.kvs)
		l.mu.Lock()
		if l.err == nil {
			l.err = err
		}
		for len(l.decoded) <= b.n {
			l.decoded = append(l.decoded, nil)
		}
		l.decoded[b.n] = runs
		l.mu.Unlock()
	}
}

func (l *loader) decode(kvs []KV) ([]run, error) {
	n, size := 0, 0
	for _, kv := range kvs {
		switch d, key := l.store.definitionOf(kv.Key); {
		case d == nil:
		case d.pack == nil:
			size += len(key)
		default:
			// A record of an older format takes no more than this.
			if _, body, err := formatOf(d.pack.version, kv.Value); err == nil {
				records, bytes := d.pack.room(key, body)
				n, size = n+records, size+bytes
			}
			size += len(key)
		}
	}
	var runs []run
	in := newHold(n, size)
	for _, kv := range kvs {
		d, key := l.store.definitionOf(kv.Key)
		if d == nil {
			continue
		}
		if len(runs) == 0 || runs[len(runs)-1].def != d {
			runs = append(runs, newRun(d, len(kvs)))
		}
		r := &runs[len(runs)-1]
		key = in.string(key)
		if d.pack == nil {
			value, err := d.decode(kv.Value)
			if err != nil {
				return nil, &unreadableError{kv.Key, err}
			}
			r.add(row{key: key, value: value, modRevision: kv.ModRevision})
			continue
		}
		rows, err := d.pack.rows(key, kv, in)
		if err != nil {
			return nil, &unreadableError{kv.Key, err}
		}
		r.pages = append(r.pages, page{key, kv.ModRevision, len(kv.Value)})
		for _, rw := range rows {
			r.add(rw)
		}
	}
	return runs, nil
}

func (l *loader) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// tables makes the tables of all that was decoded, their trees side by side.
func (l *loader) tables() []*table {
	byDefinition := make([][]run, len(l.store.order))
	for _, runs := range l.decoded {
		for _, r := range runs {
			byDefinition[r.def.n] = append(byDefinition[r.def.n], r)
		}
	}
	l.decoded = nil
	tables := make([]*table, len(l.store.order))
	parts := make(chan func())
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for part := range parts {
				part()
			}
		})
	}
	for n, d := range l.store.order {
		t, runs := newTable(d), byDefinition[n]
		tables[n] = t
		parts <- func() { plant(t.rows, gather(runs, func(r run) []row { return r.rows })) }
		if t.pages != nil {
			parts <- func() { plant(t.pages, gather(runs, func(r run) []page { return r.pages })) }
		}
		for i, tree := range t.indexes {
			parts <- func() {
				entries := gather(runs, func(r run) []indexEntry { return r.entries[i] })
				slices.SortFunc(entries, indexEntry.compare)
				plant(tree, entries)
			}
		}
		for i, tree := range t.tallies {
			for _, r := range runs {
				for value, count := range r.counts[i] {
					e, _ := tree.Get(tallyEntry{value: value})
					tree.ReplaceOrInsert(tallyEntry{value, e.count + count})
				}
			}
		}
	}
	close(parts)
	workers.Wait()
	return tables
}

// gather returns what all runs have of something.
func gather[T any](runs []run, of func(run) []T) []T {
	n := 0
	for _, r := range runs {
		n += len(of(r))
	}
	all := make([]T, 0, n)
	for _, r := range runs {
		all = append(all, of(r)...)
	}
	return all
}

// plant fills an empty tree with items in their order. A B-tree splits a full
// node in the middle, so that nodes filled in order would stay half empty for
// good. So every second item goes first, and the others then fill the nodes up:
// between 31 items in a leaf there is room for 32.
func plant[T any](t *btree.BTreeG[T], sorted []T) {
	for first := range 2 {
		for i := first; i < len(sorted); i += 2 {
			t.ReplaceOrInsert(sorted[i])
		}
	}
}
