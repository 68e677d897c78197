// Package memstore is a store.Engine in memory, for unit tests: nothing is
// durable, everything else is as storetest says. Its waiting is on channels
// alone, so that it works inside a synctest bubble.
//
// An Engine is safe for concurrent use.
package memstore

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/fairlead/fairlead/internal/store"
)

// Engine implements store.Engine. The zero value is not ready; use New.
type Engine struct {
	mu        sync.Mutex // guards the following
	revision  int64
	compacted int64 // history up to here is forgotten
	kvs       map[string]store.KV
	log       []store.Batch // one a revision after compacted, in order
	changed   chan struct{} // closed at each commit, then made anew
}

// New returns an empty engine at revision 1, as etcd begins.
func New() *Engine {
	return &Engine{revision: 1, kvs: map[string]store.KV{}, changed: make(chan struct{})}
}

// Commit implements store.Engine.
func (e *Engine) Commit(ctx context.Context, t store.Txn) (store.Result, error) {
	if err := ctx.Err(); err != nil {
		return store.Result{}, err
	}
	if len(t.Guards) > store.MaxTxnOps || len(t.Ops) > store.MaxTxnOps {
		return store.Result{}, fmt.Errorf("commit of %d guards, %d operations: %w", len(t.Guards), len(t.Ops), store.ErrTooLarge)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, g := range t.Guards {
		if e.kvs[g.Key].ModRevision != g.ModRevision {
			return store.Result{Revision: e.revision}, nil
		}
	}
	b := store.Batch{Revision: e.revision + 1}
	for _, op := range t.Ops {
		if _, had := e.kvs[op.Key]; op.Delete && !had {
			continue
		}
		kv := store.KV{Key: op.Key, Value: slices.Clone(op.Value), ModRevision: b.Revision}
		b.Changes = append(b.Changes, store.Change{KV: kv, Deleted: op.Delete})
	}
	e.applyLocked(b)
	return store.Result{Committed: true, Revision: e.revision}, nil
}

// applyLocked makes b's changes the newest revision; with none there is no new one.
func (e *Engine) applyLocked(b store.Batch) {
	if len(b.Changes) == 0 {
		return
	}
	for _, c := range b.Changes {
		if c.Deleted {
			delete(e.kvs, c.Key)
		} else {
			e.kvs[c.Key] = c.KV
		}
	}
	e.revision = b.Revision
	e.log = append(e.log, b)
	close(e.changed)
	e.changed = make(chan struct{})
}

// Load implements store.Engine.
func (e *Engine) Load(ctx context.Context, prefix string, each func(store.KV) error) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	e.mu.Lock()
	var kvs []store.KV
	for k, kv := range e.kvs {
		if strings.HasPrefix(k, prefix) {
			kvs = append(kvs, kv)
		}
	}
	rev := e.revision
	e.mu.Unlock()
	sort.Slice(kvs, func(i, j int) bool { return kvs[i].Key < kvs[j].Key })
	for _, kv := range kvs {
		if err := each(kv); err != nil {
			return 0, err
		}
	}
	return rev, nil
}

// Watch implements store.Engine.
func (e *Engine) Watch(ctx context.Context, prefix string, after int64, each func(store.Batch) error) error {
	for {
		news, changed, err := e.since(after)
		if err != nil {
			return err
		}
		for _, b := range news {
			after = b.Revision
			var mine []store.Change
			for _, c := range b.Changes {
				if strings.HasPrefix(c.Key, prefix) {
					mine = append(mine, c)
				}
			}
			if len(mine) == 0 {
				continue
			}
			if err := each(store.Batch{Revision: b.Revision, Changes: mine}); err != nil {
				return err
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// since returns what was committed after the revision, and a channel that is
// closed when there is more.
func (e *Engine) since(after int64) (news []store.Batch, changed <-chan struct{}, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if after+1 < e.compacted {
		return nil, nil, fmt.Errorf("watch after %d, compacted at %d: %w", after, e.compacted, store.ErrCompacted)
	}
	first := sort.Search(len(e.log), func(i int) bool { return e.log[i].Revision > after })
	return e.log[first:len(e.log):len(e.log)], e.changed, nil
}

// DeletePrefix implements store.Engine.
func (e *Engine) DeletePrefix(ctx context.Context, prefix string) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	b := store.Batch{Revision: e.revision + 1}
	for k := range e.kvs {
		if strings.HasPrefix(k, prefix) {
			b.Changes = append(b.Changes, store.Change{KV: store.KV{Key: k, ModRevision: b.Revision}, Deleted: true})
		}
	}
	if len(b.Changes) == 0 {
		return 0, nil
	}
	e.applyLocked(b)
	return e.revision, nil
}

// Compact forgets what was before the revision: a Watch after an earlier one
// fails with store.ErrCompacted.
func (e *Engine) Compact(_ context.Context, revision int64) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if revision > e.revision || revision <= e.compacted {
		return fmt.Errorf("compact at %d: history is from %d to %d", revision, e.compacted, e.revision)
	}
	e.compacted = revision
	e.log = slices.DeleteFunc(slices.Clone(e.log), func(b store.Batch) bool { return b.Revision < revision })
	return nil
}

// Close implements store.Engine.
func (e *Engine) Close() error { return nil }
