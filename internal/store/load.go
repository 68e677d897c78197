package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
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

// run is decoded records of one collection, in order.
type run struct {
	def  *definition
	rows []row
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
	var runs []run
	rows := make([]row, 0, len(kvs))
	first := 0 // of the present run
	for _, kv := range kvs {
		d, key := l.store.definitionOf(kv.Key)
		if d == nil {
			continue
		}
		value, err := d.decode(key, kv.Value)
		if err != nil {
			return nil, &unreadableError{kv.Key, err}
		}
		if len(runs) == 0 || runs[len(runs)-1].def != d {
			first = len(rows)
			runs = append(runs, run{def: d})
		}
		rows = append(rows, row{key: key, value: value, modRevision: kv.ModRevision})
		runs[len(runs)-1].rows = rows[first:]
	}
	return runs, nil
}

func (l *loader) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// tables makes the tables of all that was decoded.
func (l *loader) tables() []*table {
	rows := make([][][]row, len(l.store.order))
	for _, runs := range l.decoded {
		for _, r := range runs {
			rows[r.def.n] = append(rows[r.def.n], r.rows)
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
		t := newTable(d)
		tables[n] = t
		parts <- func() { plant(t.rows, rows[n]) }
		for i, keys := range d.indexKeys {
			parts <- func() { plant(t.indexes[i], [][]indexEntry{entries(rows[n], keys)}) }
		}
		for i, key := range d.tallyKeys {
			parts <- func() { plant(t.tallies[i], [][]tallyEntry{counts(rows[n], key)}) }
		}
	}
	close(parts)
	workers.Wait()
	return tables
}

// entries returns an index's entries of the rows, in order.
func entries(runs [][]row, keys func(row) []string) []indexEntry {
	var all []indexEntry
	for _, rows := range runs {
		for _, rw := range rows {
			for _, k := range keys(rw) {
				all = append(all, indexEntry{k, rw.key})
			}
		}
	}
	slices.SortFunc(all, indexEntry.compare)
	return all
}

// counts returns a tally's entries of the rows, in order.
func counts(runs [][]row, key func(row) string) []tallyEntry {
	byValue := map[string]int{}
	for _, rows := range runs {
		for _, rw := range rows {
			if k := key(rw); k != "" {
				byValue[k]++
			}
		}
	}
	all := make([]tallyEntry, 0, len(byValue))
	for _, k := range slices.Sorted(maps.Keys(byValue)) {
		all = append(all, tallyEntry{k, byValue[k]})
	}
	return all
}

// plant fills an empty tree with items in their order. A B-tree splits a full
// node in the middle, so that nodes filled in order would stay half empty for
// good. So every second item goes first, and the others then fill the nodes up:
// between 31 items in a leaf there is room for 32.
func plant[T any](t *btree.BTreeG[T], sorted [][]T) {
	for first := range 2 {
		n := 0
		for _, items := range sorted {
			for _, item := range items {
				if n%2 == first {
					t.ReplaceOrInsert(item)
				}
				n++
			}
		}
	}
}
