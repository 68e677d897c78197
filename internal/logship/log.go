package logship

import (
	"sync"
	"sync/atomic"
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
	mu   sync.Mutex
	full []*chunk // no line found room in these any more
	last *chunk   // nil: there are no lines
	_    [64]byte // what follows in memory is another thread's
}

// maxFull is how many chunks of one thread's lines may be full, some MiB in all.
const maxFull = 16

// Line takes a line with its end, and keeps nothing of the slice. It never waits:
// if there is no room the line is lost, and counted. Threads are numbered from 0;
// those that have a number each don't meet here.
func (l *Log) Line(thread int, line []byte) {
	q := &l.queues[thread%len(l.queues)]
	q.mu.Lock()
	fits := q.makeRoom(&l.shipper.memory, len(line))
	if fits {
		q.last.lines = append(q.last.lines, line...)
	}
	many := len(q.full) > 1
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

// makeRoom has the last chunk have room for n bytes; false if it can't.
func (q *queue) makeRoom(m *memory, n int) bool {
	size := smallChunk
	if q.last != nil {
		if cap(q.last.lines)-len(q.last.lines) >= n {
			return true
		}
		if len(q.full) == maxFull {
			return false
		}
		size = largeChunk
	}
	c := m.take(max(size, n))
	if c == nil {
		return false
	}
	if q.last != nil {
		q.full = append(q.full, q.last)
	}
	q.last = c
	return true
}

// take returns what waits in the queue, and leaves it empty.
func (q *queue) take() []*chunk {
	q.mu.Lock()
	defer q.mu.Unlock()
	chunks := q.full
	if q.last != nil {
		chunks = append(chunks, q.last)
	}
	q.full, q.last = nil, nil
	return chunks
}
