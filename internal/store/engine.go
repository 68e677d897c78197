package store

import (
	"context"
	"errors"
)

// Limits of one transaction, which etcd's servers enforce by default:
// --max-txn-ops counts guards and operations apart, --max-request-bytes the
// whole request. Some room is left for the envelope.
const (
	MaxTxnOps   = 128
	MaxTxnBytes = 1536*1024 - 16*1024
)

// ErrCompacted says that a watch asked for changes that the engine has
// forgotten: load again.
var ErrCompacted = errors.New("store: revision compacted")

// Engine stores bytes under keys. storetest.Run says exactly what is expected.
type Engine interface {
	// Commit applies all of t's operations at one new revision if every guard
	// holds, else none. A Txn has at most MaxTxnOps guards and as many
	// operations, each on another key.
	Commit(ctx context.Context, t Txn) (Result, error)

	// Load calls each for every key with the prefix, in ascending order, all as
	// of one revision, which it returns. ErrCompacted if the engine forgets that
	// before the end.
	Load(ctx context.Context, prefix string, each func(KV) error) (revision int64, err error)

	// Watch calls each, in order of revision, with every change under the prefix
	// after the revision, until ctx ends (its error), the engine can't go on, or
	// each fails (its error). A batch holds whole revisions only; one without
	// changes says that there were none up to its revision. ErrCompacted if the
	// engine has forgotten what came after the revision.
	Watch(ctx context.Context, prefix string, after int64, each func(Batch) error) error

	// DeletePrefix deletes every key with the prefix at one revision, which it
	// returns; 0 if there was none.
	DeletePrefix(ctx context.Context, prefix string) (revision int64, err error)

	// Close releases the engine. Stores over it are closed before.
	Close() error
}

// KV is one key's present value.
type KV struct {
	Key         string
	Value       []byte
	ModRevision int64 // of the last change to the key
}

// Txn is a guarded set of operations.
type Txn struct {
	Guards []Guard
	Ops    []Op
}

// Guard holds while the key's last change was at ModRevision; 0: while the key is absent.
type Guard struct {
	Key         string
	ModRevision int64
}

// Op puts Value, which nobody changes afterwards, or deletes the key. Deleting
// an absent key is no change and makes no revision.
type Op struct {
	Key    string
	Value  []byte
	Delete bool
}

// Result is the outcome of a Commit that reached the engine.
type Result struct {
	Committed bool
	Revision  int64 // the engine's after the commit, or its present one when a guard failed
}

// Batch is the changes of one or more whole revisions.
type Batch struct {
	Revision int64 // of the last change in it
	Changes  []Change
}

// Change is one key's new value.
type Change struct {
	KV
	Deleted bool
}
