package elb

import (
	"sync"
	"time"
)

// queue hands keys to workers: a key that is added while it waits is handed out
// once, and one that is added while it is worked on is handed out again after.
type queue struct {
	mu      sync.Mutex // guards the following
	cond    *sync.Cond
	waiting []string
	dirty   map[string]bool // in waiting, or to be added when its work ends
	busy    map[string]bool
	timers  map[string]*time.Timer
	closed  bool
}

func newQueue() *queue {
	q := &queue{dirty: map[string]bool{}, busy: map[string]bool{}, timers: map[string]*time.Timer{}}
	q.cond = sync.NewCond(&q.mu)
	return q
}

func (q *queue) add(key string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.addLocked(key)
}

func (q *queue) addLocked(key string) {
	if key == "" || q.closed || q.dirty[key] {
		return
	}
	q.dirty[key] = true
	if !q.busy[key] {
		q.waiting = append(q.waiting, key)
		q.cond.Signal()
	}
}

// addAfter adds the key once d has passed, in place of an earlier such wish.
func (q *queue) addAfter(key string, d time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	if t := q.timers[key]; t != nil {
		t.Stop()
	}
	q.timers[key] = time.AfterFunc(d, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		delete(q.timers, key)
		q.addLocked(key)
	})
}

// get waits for a key; false when the queue is closed.
func (q *queue) get() (string, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 && !q.closed {
		q.cond.Wait()
	}
	if q.closed {
		return "", false
	}
	key := q.waiting[0]
	q.waiting = q.waiting[1:]
	delete(q.dirty, key)
	q.busy[key] = true
	return key, true
}

// done says that the work on a key has ended.
func (q *queue) done(key string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.busy, key)
	if q.dirty[key] {
		q.waiting = append(q.waiting, key)
		q.cond.Signal()
	}
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, t := range q.timers {
		t.Stop()
	}
	q.cond.Broadcast()
}
