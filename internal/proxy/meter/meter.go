package meter

import "sync/atomic"

// Meter is the counts of one node of a load balancer, or of one target group on
// it. The zero value counts nothing; see New.
type Meter struct{ shards []atomic.Pointer[shard] }

// shard is what one thread counts.
type shard struct {
	counts [counters]atomic.Uint64
	times  atomic.Pointer[times] // nil: none has been observed
	_      [64]byte              // what follows in memory is another thread's
}

// New returns a meter for as many threads, which are numbered from 0.
func New(threads int) *Meter { return &Meter{shards: make([]atomic.Pointer[shard], threads)} }

func (m *Meter) shard(thread int) *shard {
	p := &m.shards[thread]
	if s := p.Load(); s != nil {
		return s
	}
	p.CompareAndSwap(nil, new(shard)) // another goroutine of the thread's may have been first
	return p.Load()
}

// Add counts n more.
func (m *Meter) Add(thread int, c Counter, n int) { m.shard(thread).counts[c].Add(uint64(n)) }

// Counts is what a meter has counted, by Counter, since it came to be.
type Counts [counters]uint64

// Counts adds the shards up. What is counted meanwhile may be in it or not.
func (m *Meter) Counts() (sum Counts) {
	for i := range m.shards {
		if s := m.shards[i].Load(); s != nil {
			for c := range sum {
				sum[c] += s.counts[c].Load()
			}
		}
	}
	return sum
}

// Add adds another meter's.
func (c *Counts) Add(other *Counts) {
	for i := range c {
		c[i] += other[i]
	}
}
