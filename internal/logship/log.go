package logship

import (
	"sync"
	"sync/atomic"
)

// Of what waits in memory: how much of one thread's lines has the writer come at
// once, and how much there is room for.
const (
	wakeAt = 64 << 10
	room   = 1 << 20
	keep   = 4 * wakeAt // of the memory of a queue, once it is empty
)

// Log takes the lines of one destination.
type Log struct {
	to      Destination
	shipper *Shipper
	queues  []queue
	waiting atomic.Bool // it is in shipper.waiting

	file *spoolFile // nil: none is open; the writer's
}

// queue is the lines of one thread.
type queue struct {
	mu    sync.Mutex
	lines []byte
	_     [64]byte // what follows in memory is another thread's
}

// Line takes a line with its end, and keeps nothing of the slice. It never waits:
// if there is no room the line is lost, and counted. Threads are numbered from 0;
// those that have a number each don't meet here.
func (l *Log) Line(thread int, line []byte) {
	q := &l.queues[thread%len(l.queues)]
	q.mu.Lock()
	fits := len(q.lines)+len(line) <= room
	if fits {
		q.lines = append(q.lines, line...)
	}
	many := len(q.lines) >= wakeAt
	q.mu.Unlock()
	if !fits {
		l.shipper.dropped.Add(1)
	}
	if !l.waiting.Load() && l.waiting.CompareAndSwap(false, true) {
		l.shipper.wait(l)
	}
	if many {
		l.shipper.hurry()
	}
}

// take returns what waits in a queue, and leaves an empty one in its place.
func (q *queue) take(empty []byte) []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines := q.lines
	q.lines = empty[:0]
	return lines
}
