package storetest

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// ErrLost is what a Rough engine answers when it has lost a connection.
var ErrLost = errors.New("storetest: connection lost")

// Day is how bad a Rough engine's day is. The zero value is a calm one.
type Day struct {
	Slow      time.Duration // the most that a commit takes, each way
	Late      time.Duration // the most that a watch's news take
	Conflicts float64       // the share of commits that are told of a conflict
	Lost      float64       // the share of commits whose answer is lost
}

// Rough is one server's engine on a bad day: its commits take their time, meet
// conflicts that aren't there, lose their answers before or after they happen,
// and it hears late of what others do. All of that an Engine may do. It waits by
// timers alone, so that it works inside a synctest bubble.
//
// A Rough is safe for concurrent use.
type Rough struct {
	store.Engine
	day atomic.Pointer[Day]

	commits sync.RWMutex // held for reading while one is made
	killed  bool         // guarded by commits
}

// NewRough returns a rough engine over another.
func NewRough(e store.Engine, d Day) *Rough {
	r := &Rough{Engine: e}
	r.Set(d)
	return r
}

// Set changes the day, for what begins from now on.
func (e *Rough) Set(d Day) { e.day.Store(&d) }

// Kill ends the server: of its commits under way each has happened or never will,
// and there will be no others. It returns when that is so.
func (e *Rough) Kill() {
	e.commits.Lock()
	defer e.commits.Unlock()
	e.killed = true
}

// Commit implements store.Engine.
func (e *Rough) Commit(ctx context.Context, t store.Txn) (store.Result, error) {
	d := e.day.Load()
	pause(ctx, d.Slow)
	r, err := e.commit(ctx, t, d)
	pause(ctx, d.Slow)
	return r, err
}

func (e *Rough) commit(ctx context.Context, t store.Txn, d *Day) (store.Result, error) {
	e.commits.RLock()
	defer e.commits.RUnlock()
	fate := rand.Float64()
	switch {
	case e.killed, fate < d.Lost/2:
		return store.Result{}, ErrLost
	case fate > 1-d.Conflicts:
		return store.Result{}, nil // revision 0: there is nothing to wait for
	}
	r, err := e.Engine.Commit(ctx, t)
	if err == nil && fate < d.Lost {
		return store.Result{}, ErrLost
	}
	return r, err
}

// Watch implements store.Engine.
func (e *Rough) Watch(ctx context.Context, prefix string, after int64, each func(store.Batch) error) error {
	return e.Engine.Watch(ctx, prefix, after, func(b store.Batch) error {
		pause(ctx, e.day.Load().Late)
		if err := ctx.Err(); err != nil {
			return err
		}
		return each(b)
	})
}

func pause(ctx context.Context, most time.Duration) {
	if most <= 0 {
		return
	}
	select {
	case <-time.After(rand.N(most)):
	case <-ctx.Done():
	}
}
