package etcd

import (
	"context"
	"errors"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead/fairlead/internal/store"
)

// Load asks for firstPage keys and then for as many as make about pageBytes,
// by the average of the page before. Pages must be large, because etcd counts
// the rest of the range for each: with a million keys in pages of 5,000 that
// took longer than everything else.
const (
	firstPage = 5000
	maxPage   = 100_000
	pageBytes = 16 << 20
)

// Engine implements store.Engine.
type Engine struct {
	client *clientv3.Client
	txns   pb.KVClient // of client
	member *member     // nil: the cluster is elsewhere
}

// Commit implements store.Engine. After an error other than
// store.ErrTooLarge the transaction may have been applied.
func (e *Engine) Commit(ctx context.Context, t store.Txn) (store.Result, error) {
	res, err := e.txns.Txn(ctx, request(t))
	switch {
	case err == nil:
		return store.Result{Committed: res.Succeeded, Revision: res.Header.Revision}, nil
	case ctx.Err() != nil:
		err = ctx.Err() // which etcd tells in words of its own
	default:
		err = translate(rpctypes.Error(err))
	}
	return store.Result{}, fmt.Errorf("etcd transaction: %w", err)
}

// request makes etcd's message of a transaction. clientv3's own way to it
// copies every key and value three times, a quarter of the memory that a
// commit takes; this is where all commits pass.
func request(t store.Txn) *pb.TxnRequest {
	r := &pb.TxnRequest{
		Compare: make([]*pb.Compare, len(t.Guards)),
		Success: make([]*pb.RequestOp, len(t.Ops)),
	}
	guards := make([]struct {
		compare  pb.Compare
		revision pb.Compare_ModRevision
	}, len(t.Guards))
	for i, g := range t.Guards {
		m := &guards[i]
		m.revision.ModRevision = g.ModRevision
		m.compare.Key = []byte(g.Key)
		m.compare.Target = pb.Compare_MOD // and Result's zero is EQUAL
		m.compare.TargetUnion = &m.revision
		r.Compare[i] = &m.compare
	}
	puts := make([]struct {
		op  pb.RequestOp
		is  pb.RequestOp_RequestPut
		put pb.PutRequest
	}, len(t.Ops))
	for i, op := range t.Ops {
		if op.Delete {
			r.Success[i] = &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{
				RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte(op.Key)},
			}}
			continue
		}
		m := &puts[i]
		m.put.Key, m.put.Value = []byte(op.Key), op.Value
		m.is.RequestPut = &m.put
		m.op.Request = &m.is
		r.Success[i] = &m.op
	}
	return r
}

// Load implements store.Engine. It fails with store.ErrCompacted when etcd
// forgets the revision before the last page was read.
func (e *Engine) Load(ctx context.Context, prefix string, each func(store.KV) error) (int64, error) {
	key, end := span(prefix)
	revision := int64(0) // the present one; the first page tells which that is
	limit := int64(firstPage)
	for {
		page, err := e.client.Get(ctx, key, clientv3.WithRange(end), clientv3.WithLimit(limit), clientv3.WithRev(revision))
		if err != nil {
			return 0, fmt.Errorf("etcd range %s: %w", prefix, translate(err))
		}
		if revision == 0 {
			revision = page.Header.Revision
		}
		size := 0
		for _, kv := range page.Kvs {
			size += len(kv.Key) + len(kv.Value)
			if err := each(record(kv)); err != nil {
				return 0, err
			}
		}
		if !page.More {
			return revision, nil
		}
		key = string(page.Kvs[len(page.Kvs)-1].Key) + "\x00"
		limit = min(int64(pageBytes/(size/len(page.Kvs)+1))+1, maxPage)
	}
}

// Watch implements store.Engine.
func (e *Engine) Watch(ctx context.Context, prefix string, after int64, each func(store.Batch) error) error {
	key, end := span(prefix)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// A member that has lost its leader must say so rather than stay silent:
	// the client then resumes at another. No fragments: a response holds whole
	// revisions.
	responses := e.client.Watch(clientv3.WithRequireLeader(ctx), key,
		clientv3.WithRange(end), clientv3.WithRev(after+1), clientv3.WithProgressNotify())
	for r := range responses {
		if r.CompactRevision != 0 {
			return fmt.Errorf("etcd watch %s after %d, compacted at %d: %w", prefix, after, r.CompactRevision, store.ErrCompacted)
		}
		if err := r.Err(); err != nil {
			return fmt.Errorf("etcd watch %s: %w", prefix, translate(err))
		}
		if len(r.Events) == 0 && !r.IsProgressNotify() {
			continue
		}
		if err := each(batch(r)); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return fmt.Errorf("etcd watch %s: ended by the server", prefix)
}

// DeletePrefix implements store.Engine.
func (e *Engine) DeletePrefix(ctx context.Context, prefix string) (int64, error) {
	key, end := span(prefix)
	res, err := e.client.Delete(ctx, key, clientv3.WithRange(end))
	if err != nil {
		return 0, fmt.Errorf("etcd delete %s: %w", prefix, translate(err))
	}
	if res.Deleted == 0 {
		return 0, nil
	}
	return res.Header.Revision, nil
}

// Compact forgets what was before the revision: a Watch after an earlier one
// fails with store.ErrCompacted.
func (e *Engine) Compact(ctx context.Context, revision int64) error {
	if _, err := e.client.Compact(ctx, revision); err != nil {
		return fmt.Errorf("etcd compact at %d: %w", revision, translate(err))
	}
	return nil
}

// Close implements store.Engine. An embedded member writes out all that it
// has and gives its directory free.
func (e *Engine) Close() error {
	err := e.client.Close()
	if errors.Is(err, context.Canceled) {
		err = nil // how an in-process client reports that it was closed
	}
	if e.member != nil {
		err = errors.Join(err, e.member.close())
	}
	if err != nil {
		return fmt.Errorf("close etcd: %w", err)
	}
	return nil
}

// span returns the range of keys with the prefix, as etcd wants it: an empty
// key is not allowed, a NUL as the end is past every key.
func span(prefix string) (key, end string) {
	if prefix == "" {
		return "\x00", "\x00"
	}
	return prefix, clientv3.GetPrefixRangeEnd(prefix)
}

func record(kv *mvccpb.KeyValue) store.KV {
	return store.KV{Key: string(kv.Key), Value: kv.Value, ModRevision: kv.ModRevision}
}

// batch converts a response. Its header has the member's present revision,
// which may be past its events; only a progress notification promises that
// everything up to there was sent.
func batch(r clientv3.WatchResponse) store.Batch {
	if r.IsProgressNotify() {
		return store.Batch{Revision: r.Header.Revision}
	}
	b := store.Batch{
		Revision: r.Events[len(r.Events)-1].Kv.ModRevision,
		Changes:  make([]store.Change, len(r.Events)),
	}
	for i, ev := range r.Events {
		b.Changes[i] = store.Change{KV: record(ev.Kv), Deleted: ev.Type == clientv3.EventTypeDelete}
	}
	return b
}

// translate turns etcd's errors that package store knows into its own.
func translate(err error) error {
	switch {
	case errors.Is(err, rpctypes.ErrCompacted):
		return store.ErrCompacted
	case errors.Is(err, rpctypes.ErrTooManyOps), errors.Is(err, rpctypes.ErrRequestTooLarge):
		return fmt.Errorf("%w: %w", store.ErrTooLarge, err)
	}
	return err
}
