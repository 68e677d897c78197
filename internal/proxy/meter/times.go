package meter

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Of the buckets that durations are counted in: eight for each doubling, so that a
// percentile is known to an eighth.
const (
	subBits = 3
	buckets = (32-subBits)<<subBits + 1<<subBits
)

// times counts durations by bucket, from a microsecond to more than an hour.
type times struct {
	counts [buckets]atomic.Uint64
	sum    atomic.Int64 // nanoseconds
}

// bucketOf returns the bucket of a number of microseconds: the numbers below eight
// have one each, from there on the highest four bits tell.
func bucketOf(micros uint32) int {
	if micros < 1<<subBits {
		return int(micros)
	}
	shift := bits.Len32(micros) - subBits - 1
	return shift<<subBits + int(micros>>shift)
}

// below returns the number of microseconds that all of a bucket are less than.
func below(bucket int) uint64 {
	if bucket < 1<<subBits {
		return uint64(bucket) + 1
	}
	shift := bucket>>subBits - 1
	return (uint64(bucket&(1<<subBits-1)) + 1<<subBits + 1) << shift
}

// Observe counts how long something took: TargetResponseTime of a target group,
// ELBAuthLatency of a node.
func (m *Meter) Observe(thread int, d time.Duration) {
	s := m.shard(thread)
	t := s.times.Load()
	if t == nil {
		s.times.CompareAndSwap(nil, new(times))
		t = s.times.Load()
	}
	micros := min(max(d, 0)/time.Microsecond, 1<<32-1)
	t.counts[bucketOf(uint32(micros))].Add(1)
	t.sum.Add(int64(d))
}

// Times are durations, counted.
type Times struct {
	counts [buckets]uint64
	Count  uint64
	Sum    time.Duration
}

// Times adds the shards up.
func (m *Meter) Times() (sum Times) {
	for i := range m.shards {
		s := m.shards[i].Load()
		if s == nil {
			continue
		}
		t := s.times.Load()
		if t == nil {
			continue
		}
		for b := range sum.counts {
			n := t.counts[b].Load()
			sum.counts[b] += n
			sum.Count += n
		}
		sum.Sum += time.Duration(t.sum.Load())
	}
	return sum
}

// Add adds others.
func (t *Times) Add(other *Times) {
	for b := range t.counts {
		t.counts[b] += other.counts[b]
	}
	t.Count += other.Count
	t.Sum += other.Sum
}

// Percentile returns what the share p of them, 0 to 1, took at most, to an eighth.
func (t *Times) Percentile(p float64) time.Duration {
	rank, seen := uint64(p*float64(t.Count)), uint64(0)
	for b, n := range t.counts {
		if seen += n; n > 0 && seen >= max(rank, 1) {
			return time.Duration(below(b)) * time.Microsecond
		}
	}
	return 0
}

// AtMost returns how many took no longer, to an eighth.
func (t *Times) AtMost(d time.Duration) (n uint64) {
	for b := range t.counts {
		if time.Duration(below(b)-1)*time.Microsecond > d {
			break
		}
		n += t.counts[b]
	}
	return n
}
