package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Retries of a transaction whose records changed under it. With the longest
// pauses that is about half a second of trying.
const (
	maxAttempts = 24
	minPause    = 200 * time.Microsecond
	maxPause    = 40 * time.Millisecond
)

// Update runs f and commits what it wrote, again from the start while records
// that it read have changed meanwhile; so f must have no effect but on the Tx
// and on variables that it sets afresh each time. An error of f ends the
// transaction, nothing written. Other errors: ErrTooLarge, ErrConflict, the
// engine's, ctx's and ErrClosed, in which last three cases the commit may have
// happened.
func (s *Store) Update(ctx context.Context, f func(tx *Tx) error) error {
	pause := minPause
	for range maxAttempts {
		v := s.view.Load()
		if v == nil || s.ctx.Err() != nil {
			return s.closedError()
		}
		tx := newTx(v)
		if err := f(tx); err != nil {
			// A decision on a view that was behind is no decision: look once
			// more. The engine isn't asked: the view is current to within a
			// watch's delay.
			if tx.stale(s.view.Load()) {
				continue
			}
			return err
		}
		if tx.writes == 0 {
			return nil
		}
		err := s.commit(ctx, tx)
		if !errors.Is(err, errRetry) {
			return err
		}
		select {
		case <-time.After(time.Duration(rand.Int64N(int64(pause))) + pause/2):
		case <-ctx.Done():
			return ctx.Err()
		}
		pause = min(2*pause, maxPause)
	}
	return ErrConflict
}

var errRetry = errors.New("store: records changed")

func (s *Store) commit(ctx context.Context, tx *Tx) error {
	if err := tx.checkSize(); err != nil {
		return err
	}
	txn := tx.txn()
	s.own.begin(tx)
	defer s.own.end(tx)
	res, err := s.engine.Commit(ctx, txn)
	switch {
	case err != nil:
		return fmt.Errorf("commit: %w", err)
	case !res.Committed:
		s.waitStale(ctx, tx)
		return errRetry
	case !tx.changes():
		return nil // the revision is another's
	}
	s.own.committed(tx, res.Revision)
	s.applyOwn(res.Revision)
	return s.WaitRevision(ctx, res.Revision)
}

// waitStale gives the change that tx has met a moment to reach the view.
func (s *Store) waitStale(ctx context.Context, tx *Tx) {
	ctx, cancel := context.WithTimeout(ctx, maxPause)
	defer cancel()
	for v := s.view.Load(); !tx.stale(v); v = s.view.Load() {
		if s.WaitRevision(ctx, v.revision+1) != nil {
			return
		}
	}
}

// applyOwn brings commits of ours into the view without waiting for the watch,
// as far as they follow it without a gap; what is beyond one, the watch brings.
// Of many that return together one call applies all.
func (s *Store) applyOwn(revision int64) {
	if s.view.Load().revision >= revision {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	cur := s.view.Load()
	next := s.own.next(cur.revision)
	if len(next) == 0 {
		return
	}
	e := cur.edit()
	for _, tx := range next {
		e.next.revision++
		tx.applyTo(e, e.next.revision)
		s.announceTxLocked(tx)
	}
	s.publishLocked(e.next)
}

// commits are this store's own transactions between the call of the engine and
// their presence in the view. The watch tells of them too, often sooner than
// the engine's answer has returned: recognising them saves decoding what is
// already here as a value.
type commits struct {
	mu         sync.Mutex // guards the following
	underWay   map[*Tx]struct{}
	byRevision map[int64]*Tx // those that the engine has answered
}

func newCommits() commits {
	return commits{underWay: map[*Tx]struct{}{}, byRevision: map[int64]*Tx{}}
}

func (c *commits) begin(tx *Tx) {
	c.mu.Lock()
	c.underWay[tx] = struct{}{}
	c.mu.Unlock()
}

func (c *commits) committed(tx *Tx, revision int64) {
	c.mu.Lock()
	tx.revision = revision
	c.byRevision[revision] = tx
	c.mu.Unlock()
}

func (c *commits) end(tx *Tx) {
	c.mu.Lock()
	delete(c.underWay, tx)
	if c.byRevision[tx.revision] == tx {
		delete(c.byRevision, tx.revision)
	}
	c.mu.Unlock()
}

// next returns the answered commits that follow the revision without a gap.
func (c *commits) next(revision int64) []*Tx {
	c.mu.Lock()
	defer c.mu.Unlock()
	var txs []*Tx
	for {
		revision++
		tx := c.byRevision[revision]
		if tx == nil {
			return txs
		}
		txs = append(txs, tx)
	}
}

// find returns a transaction under way that makes exactly the changes, which
// are one revision's, or nil. It need not be the one that made them: what the
// same bytes decode to is the same.
func (c *commits) find(changes []Change) *Tx {
	c.mu.Lock()
	defer c.mu.Unlock()
	if tx := c.byRevision[changes[0].ModRevision]; tx != nil {
		return tx
	}
	for tx := range c.underWay {
		if tx.makes(changes) {
			return tx
		}
	}
	return nil
}

// makes says whether tx's operations are the changes, in the same order, which
// is that of every engine we know; another's would cost time, not truth.
func (tx *Tx) makes(changes []Change) bool {
	if len(tx.ops) != len(changes) {
		return false
	}
	for i, op := range tx.ops {
		c := &changes[i]
		if op.Key != c.Key || op.Delete != c.Deleted || !c.Deleted && !bytes.Equal(op.Value, c.Value) {
			return false
		}
	}
	return true
}
