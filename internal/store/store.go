package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Store is an engine with a view. Create it with New, declare collections,
// then Start.
type Store struct {
	engine Engine
	prefix string // of every key, ends in "/"
	log    *slog.Logger

	defs  map[string]*definition // by name, fixed at Start
	order []*definition          // by definition.n

	view atomic.Pointer[view] // nil before Start
	own  commits

	mu      sync.Mutex // guards changing view, and the following
	waiters []waiter
	subs    map[string]map[*Subscription]struct{} // by collection

	ctx    context.Context // ends with Close, or when the view can't go on
	cancel context.CancelCauseFunc
	done   sync.WaitGroup
}

// waiter waits for a view of at least the revision.
type waiter struct {
	revision int64
	shown    chan struct{}
}

// New returns a store that keeps its records under prefix in engine. The
// engine stays the caller's to close, after the store.
func New(engine Engine, prefix string, log *slog.Logger) *Store {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &Store{
		engine: engine,
		prefix: strings.TrimSuffix(prefix, "/") + "/",
		log:    log,
		defs:   map[string]*definition{},
		own:    newCommits(),
		subs:   map[string]map[*Subscription]struct{}{},
		ctx:    ctx,
		cancel: cancel,
	}
}

func (s *Store) declare(d *definition) {
	if s.view.Load() != nil {
		panic("store: collection " + d.name + " declared after Start")
	}
	if _, ok := s.defs[d.name]; ok || strings.Contains(d.name, "/") {
		panic("store: collection name " + d.name + " is taken or has a slash")
	}
	d.n = len(s.order)
	d.prefix = s.prefix + d.name + "/"
	s.defs[d.name] = d
	s.order = append(s.order, d)
}

// definitionOf takes a full key apart. Keys of collections that this program
// doesn't declare are another's business: nil. The key is a part of the full one,
// which it keeps in memory.
func (s *Store) definitionOf(full string) (d *definition, key string) {
	rest, ok := strings.CutPrefix(full, s.prefix)
	if !ok {
		return nil, ""
	}
	name, key, ok := strings.Cut(rest, "/")
	if !ok {
		return nil, ""
	}
	return s.defs[name], key
}

// Start loads all records and keeps the view current until Close. A record that
// can't be read fails it: going on without one could give away an address that
// somebody holds.
func (s *Store) Start(ctx context.Context) error {
	v, err := s.load(ctx)
	if err != nil {
		return err
	}
	s.view.Store(v)
	s.done.Go(s.follow)
	return nil
}

// Close ends the view. Calls that wait for it return ErrClosed.
func (s *Store) Close() {
	s.cancel(nil)
	s.done.Wait()
}

// Done is closed when the view is no longer kept current: after Close, or when
// a record arrives that can't be read, which Err then tells and which the
// process does best to end with. Update refuses from then on.
func (s *Store) Done() <-chan struct{} { return s.ctx.Done() }

// Err returns nil until Done, then ErrClosed with its cause, if it had another
// than Close.
func (s *Store) Err() error {
	if s.ctx.Err() == nil {
		return nil
	}
	return s.closedError()
}

func (s *Store) closedError() error {
	if cause := context.Cause(s.ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return fmt.Errorf("%w: %w", ErrClosed, cause)
	}
	return ErrClosed
}

// Snapshot returns the present state. It may lag behind other servers' commits,
// never behind this store's own.
func (s *Store) Snapshot() Snapshot { return Snapshot{s.view.Load()} }

// Pauses between attempts to watch an engine that doesn't let us.
const (
	minRewatch = 100 * time.Millisecond
	maxRewatch = 5 * time.Second
)

// follow keeps the view current: it watches from the view's revision on, and
// loads again when the engine has forgotten that.
func (s *Store) follow() {
	pause := minRewatch
	for {
		before := s.view.Load().revision
		err := s.engine.Watch(s.ctx, s.prefix, before, s.applyBatch)
		if s.ctx.Err() == nil && errors.Is(err, ErrCompacted) {
			err = s.reload()
		}
		var unreadable *unreadableError
		switch {
		case s.ctx.Err() != nil:
			return
		case errors.As(err, &unreadable):
			s.log.Error("store: a record can't be read, the store stops", "error", err)
			s.cancel(err)
			return
		case err == nil:
			continue
		}
		if s.view.Load().revision > before {
			pause = minRewatch
		}
		s.log.Error("store: watch interrupted, trying again", "error", err, "pause", pause)
		select {
		case <-time.After(pause):
		case <-s.ctx.Done():
			return
		}
		pause = min(2*pause, maxRewatch)
	}
}

// reload replaces the view by what the engine has now.
func (s *Store) reload() error {
	v, err := s.load(s.ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v.revision <= s.view.Load().revision {
		return nil
	}
	s.publishLocked(v)
	for _, subs := range s.subs {
		for sub := range subs {
			sub.addAllLocked()
		}
	}
	return nil
}

// applyBatch brings the watch's news into the view. Most of it is the echo of
// our own commits, which the view mostly has.
func (s *Store) applyBatch(b Batch) error {
	if b.Revision <= s.view.Load().revision {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	cur := s.view.Load()
	if b.Revision <= cur.revision {
		return nil
	}
	first := 0
	for first < len(b.Changes) && b.Changes[first].ModRevision <= cur.revision {
		first++
	}
	news := b.Changes[first:]
	e := cur.edit()
	var changed []recordKey
	for rest := news; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].ModRevision == rest[0].ModRevision {
			n++
		}
		if err := s.applyRevision(e, rest[:n], &changed); err != nil {
			return err
		}
		rest = rest[n:]
	}
	e.next.revision = b.Revision
	for _, k := range changed {
		s.announceLocked(k.def, k.key)
	}
	s.publishLocked(e.next)
	return nil
}

// applyRevision brings one revision's changes into the view under construction
// and adds the records that they change to changed.
func (s *Store) applyRevision(e *edit, changes []Change, changed *[]recordKey) error {
	if tx := s.own.find(changes); tx != nil {
		tx.applyTo(e, changes[0].ModRevision)
		for i := range tx.log {
			if tx.log[i].write != nil {
				*changed = append(*changed, tx.log[i].recordKey)
			}
		}
		return nil
	}
	var pages map[*definition][]Change
	for _, c := range changes {
		d, key := s.definitionOf(c.Key)
		switch {
		case d == nil:
			continue
		case d.pack != nil:
			if pages == nil {
				pages = map[*definition][]Change{}
			}
			pages[d] = append(pages[d], c)
			continue
		case c.Deleted:
			e.remove(d, key)
		default:
			value, err := d.decode(c.Value)
			if err != nil {
				return &unreadableError{c.Key, err}
			}
			e.set(d, row{key: strings.Clone(key), value: value, modRevision: c.ModRevision})
		}
		*changed = append(*changed, recordKey{d, strings.Clone(key)})
	}
	for d, changes := range pages {
		err := e.applyPages(d, changes, func(key string) { *changed = append(*changed, recordKey{d, key}) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) publishLocked(v *view) {
	s.view.Store(v)
	s.waiters = slices.DeleteFunc(s.waiters, func(w waiter) bool {
		if w.revision > v.revision {
			return false
		}
		close(w.shown)
		return true
	})
}

// WaitRevision returns once the view shows the revision or a later one.
func (s *Store) WaitRevision(ctx context.Context, revision int64) error {
	if s.view.Load().revision >= revision {
		return nil
	}
	w := waiter{revision: revision, shown: make(chan struct{})}
	s.mu.Lock()
	if s.view.Load().revision >= revision {
		s.mu.Unlock()
		return nil
	}
	s.waiters = append(s.waiters, w)
	s.mu.Unlock()
	select {
	case <-w.shown:
		return nil
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
	s.mu.Lock()
	s.waiters = slices.DeleteFunc(s.waiters, func(o waiter) bool { return o.shown == w.shown })
	s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.closedError()
}

// Reset deletes every record, and returns once the view is empty.
func (s *Store) Reset(ctx context.Context) error {
	rev, err := s.engine.DeletePrefix(ctx, s.prefix)
	if err != nil {
		return fmt.Errorf("delete all records: %w", err)
	}
	return s.WaitRevision(ctx, rev)
}
