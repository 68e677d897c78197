package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
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
	l := &loader{store: s, batches: make(chan []KV, runtime.GOMAXPROCS(0))}
	l.edit = &edit{next: &view{}}
	for _, d := range s.order {
		l.edit.next.tables = append(l.edit.next.tables, newTable(len(d.indexKeys)))
		l.edit.owned = append(l.edit.owned, true) // nobody else has seen it
	}
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(l.work)
	}
	var batch []KV
	rev, err := s.engine.Load(ctx, s.prefix, func(kv KV) error {
		if batch == nil {
			batch = make([]KV, 0, loadBatch)
		}
		batch = append(batch, kv)
		if len(batch) < loadBatch {
			return nil
		}
		l.batches <- batch
		batch = nil
		return l.failure()
	})
	if err == nil && len(batch) > 0 {
		l.batches <- batch
	}
	close(l.batches)
	workers.Wait()
	if err = errors.Join(err, l.err); err != nil {
		return nil, err
	}
	l.edit.next.revision = rev
	return l.edit.next, nil
}

type loader struct {
	store   *Store
	batches chan []KV

	mu   sync.Mutex // guards the following
	edit *edit
	err  error
}

// work decodes batches and puts them into the view. Which comes first doesn't
// matter, a key being in one only.
func (l *loader) work() {
	type record struct {
		def *definition
		row row
	}
	records := make([]record, 0, loadBatch)
	for batch := range l.batches {
		if l.failure() != nil {
			continue // Load is about to notice
		}
		records = records[:0]
		var failed error
		for _, kv := range batch {
			d, key := l.store.definitionOf(kv.Key)
			if d == nil {
				continue
			}
			value, err := d.decode(kv.Value)
			if err != nil {
				failed = &unreadableError{kv.Key, err}
				break
			}
			records = append(records, record{d, row{key: key, value: value, modRevision: kv.ModRevision}})
		}
		l.mu.Lock()
		if l.err == nil {
			l.err = failed
		}
		for _, r := range records {
			l.edit.set(r.def, r.row)
		}
		l.mu.Unlock()
	}
}

func (l *loader) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}
