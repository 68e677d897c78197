package event

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"path"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/store"
)

// Event is one decision. Once it is in the log it never changes.
type Event struct {
	Seq      uint64            `json:"seq"` // its place in the log, from 1
	Time     time.Time         `json:"time"`
	Kind     Kind              `json:"kind"`
	Account  string            `json:"account,omitempty"` // whose resource it is about; "": nobody's
	Region   string            `json:"region,omitempty"`
	Resource string            `json:"resource,omitempty"` // ARN or id
	OffPool  bool              `json:"off_pool,omitempty"` // the address isn't from the pool that was asked for
	Message  string            `json:"message"`            // a sentence, with the reason
	Details  map[string]string `json:"details,omitempty"`  // see Kind
}

// Options say how much is kept.
type Options struct {
	Max    int           // events; 0: DefaultMax
	MaxAge time.Duration // 0: DefaultMaxAge
	Log    *slog.Logger
}

// Defaults of Options. An event takes some 700 bytes of memory.
const (
	DefaultMax    = 50_000
	DefaultMaxAge = 90 * 24 * time.Hour
)

// Log keeps events in order.
type Log struct {
	store   *store.Store
	opts    Options
	events  *store.Collection[Event]  // by sequence number
	pending *store.Collection[Event]  // by time and chance, without a number yet
	head    *store.Collection[uint64] // the last number, under one key

	told    chan Event
	dropped atomic.Int64
	n       atomic.Uint32 // keeps in order what is written at one instant
}

// New declares the room's collections in st.
func New(st *store.Store, o Options) *Log {
	o.Max = cmp.Or(o.Max, DefaultMax)
	o.MaxAge = cmp.Or(o.MaxAge, DefaultMaxAge)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Log{
		store: st, opts: o,
		events:  store.NewCollection[Event](st, "event", 1),
		pending: store.NewCollection[Event](st, "event-pending", 1),
		head:    store.NewCollection[uint64](st, "event-head", 1),
		told:    make(chan Event, queued),
	}
}

// Put writes an event as a part of tx.
func (l *Log) Put(tx *store.Tx, e Event) {
	if l == nil {
		return
	}
	key := fmt.Sprintf("%016x%08x%s", e.Time.UnixNano(), l.n.Add(1), ids.New("", 8))
	e.Time = e.Time.UTC().Round(0)
	l.pending.Put(tx, key, e)
}

// Tell hands over an event that is no transaction's. It doesn't wait: what there
// is no room for is counted, and an event tells the count.
func (l *Log) Tell(e Event) {
	if l == nil {
		return
	}
	e.Time = e.Time.UTC().Round(0)
	select {
	case l.told <- e:
	default:
		l.dropped.Add(1)
	}
}

// Filter chooses events; a zero member chooses all.
type Filter struct {
	Account  string // and nobody's, if Nobodys
	Nobodys  bool
	Kind     string // may have * and ?: address.*
	Resource string // ARN, id, a load balancer's name, or what a detail is: an address, a pool, a node
	Since    time.Time
}

// Check says what is wrong with the filter.
func (f Filter) Check() error {
	_, err := path.Match(f.Kind, "")
	return err
}

// Admits says whether the filter chooses an event.
func (f Filter) Admits(e Event) bool {
	switch {
	case f.Account != "" && e.Account != f.Account && (e.Account != "" || !f.Nobodys):
		return false
	case e.Time.Before(f.Since), f.Resource != "" && !e.about(f.Resource):
		return false
	case f.Kind == "":
		return true
	}
	ok, _ := path.Match(f.Kind, string(e.Kind))
	return ok
}

func (e Event) about(name string) bool {
	if strings.Contains("/"+e.Resource+"/", "/"+name+"/") {
		return true
	}
	for _, value := range e.Details {
		if value == name {
			return true
		}
	}
	return e.Resource == name
}

// After yields the events with a number above seq, in order.
func (l *Log) After(r store.Reader, seq uint64) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for _, e := range l.events.From(r, seqKey(seq+1)) {
			if !yield(e) {
				return
			}
		}
	}
}

// First returns the number of the oldest event that is kept, 0 if there is none.
func (l *Log) First(r store.Reader) uint64 {
	for e := range l.After(r, 0) {
		return e.Seq
	}
	return 0
}

// Head returns the number of the latest event, 0 if there was never one.
func (l *Log) Head(r store.Reader) uint64 {
	n, _ := l.head.Get(r, headKey)
	return n
}

// Latest returns the number after which the filter chooses n events and no more.
func (l *Log) Latest(r store.Reader, f Filter, n int) uint64 {
	chosen := 0
	for e := range l.After(r, 0) {
		if f.Admits(e) {
			chosen++
		}
	}
	before := uint64(0)
	for e := range l.After(r, 0) {
		if chosen <= n {
			break
		}
		if f.Admits(e) {
			chosen--
			before = e.Seq
		}
	}
	return before
}

// Follow returns a subscription that wakes its reader when there may be more.
func (l *Log) Follow() *store.Subscription { return l.store.Subscribe(l.events.Name()) }

const headKey = "last"

func seqKey(n uint64) string { return fmt.Sprintf("%016x", n) }

// Run gives events their numbers, and forgets the old ones, until ctx ends.
func (l *Log) Run(ctx context.Context) {
	sub := l.store.Subscribe(l.pending.Name())
	defer sub.Close()
	old := time.NewTicker(expireEvery)
	defer old.Stop()
	for {
		var direct []Event
		select {
		case <-ctx.Done():
			return
		case <-sub.C:
			sub.Take()
		case e := <-l.told:
			direct = append(direct, e)
		case now := <-old.C:
			if err := l.expire(ctx, now); err != nil && ctx.Err() == nil {
				l.opts.Log.Warn("old events are forgotten later", "error", err)
			}
			continue
		}
		for more := true; more && ctx.Err() == nil; {
			var err error
			direct = l.gather(direct)
			more, err = l.move(ctx, direct)
			if err != nil && ctx.Err() == nil {
				l.opts.Log.Warn("events are written later", "error", err)
			}
			pause := pauseAfter
			if err != nil {
				more, pause = true, pauseAfterError
			} else {
				direct = nil
			}
			select {
			case <-time.After(pause): // what happens meanwhile goes with the next
			case <-ctx.Done():
			}
		}
	}
}

const (
	queued      = 4096 // events handed over and not yet written
	batch       = 40   // events in a transaction, each up to three of its records
	expireEvery = time.Hour

	pauseAfter      = 5 * time.Millisecond
	pauseAfterError = time.Second
)

// gather adds what was handed over, and the word of what there was no room for.
func (l *Log) gather(direct []Event) []Event {
	for len(direct) < batch {
		select {
		case e := <-l.told:
			direct = append(direct, e)
			continue
		default:
		}
		if n := l.dropped.Swap(0); n > 0 {
			count := strconv.FormatInt(n, 10)
			direct = append(direct, Event{Time: time.Now().UTC().Round(0), Kind: Dropped, Message: count + " events came too fast to be kept", Details: map[string]string{"count": count}})
		}
		return direct
	}
	return direct
}

// move gives numbers to pending events and to those handed over, and removes as
// many of the oldest as there are too many. more says that there is more to move.
func (l *Log) move(ctx context.Context, direct []Event) (more bool, err error) {
	err = l.store.Update(ctx, func(tx *store.Tx) error {
		var keys []string
		more = len(l.told) > 0
		for key := range l.pending.All(tx) {
			if len(keys)+len(direct) >= batch {
				more = true
				break
			}
			keys = append(keys, key)
		}
		last, _ := l.head.Get(tx, headKey)
		first := last
		put := func(e Event) {
			last++
			e.Seq = last
			l.events.Put(tx, seqKey(last), e)
		}
		for _, key := range keys {
			if e, ok := l.pending.Get(tx, key); ok { // else another server has moved it
				l.pending.Delete(tx, key)
				put(e)
			}
		}
		for _, e := range direct {
			put(e)
		}
		if last == first {
			return nil
		}
		l.head.Put(tx, headKey, last)
		added := int(last - first)
		excess := min(l.events.Len(tx)+added-l.opts.Max, added)
		for key := range l.events.All(tx) {
			if excess--; excess < 0 {
				break
			}
			l.events.Delete(tx, key)
		}
		return nil
	})
	return more, err
}

// expire removes the events that are too old, and those beyond a bound that has
// been lowered.
func (l *Log) expire(ctx context.Context, now time.Time) error {
	snap := l.store.Snapshot()
	excess := l.events.Len(snap) - l.opts.Max
	var due []string
	for key, e := range l.events.All(snap) {
		if excess--; excess < 0 && now.Sub(e.Time) <= l.opts.MaxAge {
			break
		}
		due = append(due, key)
	}
	for len(due) > 0 {
		n := min(len(due), store.MaxTxnOps)
		err := l.store.Update(ctx, func(tx *store.Tx) error {
			for _, key := range due[:n] {
				l.events.Delete(tx, key)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("forget %d events: %w", len(due), err)
		}
		due = due[n:]
	}
	return nil
}
