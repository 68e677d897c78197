package logship

import (
	"sync"
	"sync/atomic"
)

// The sizes of chunks. The first of a queue is small, as most of many logs have a
// line now and then.
const (
	smallChunk = 4 << 10
	largeChunk = 64 << 10
)

// maxMemory is how much the lines of all logs may take.
const maxMemory = 64 << 20

// chunk is lines, each whole.
type chunk struct{ lines []byte }

// memory has the chunks that lines wait in, for all logs.
type memory struct {
	used         atomic.Int64
	small, large sync.Pool // of *chunk
}

// take returns an empty chunk with room for size bytes; nil if too much is in use.
func (m *memory) take(size int) *chunk {
	if m.used.Add(int64(size)) > maxMemory {
		m.used.Add(int64(-size))
		return nil
	}
	if pool := m.pool(size); pool != nil {
		if c, ok := pool.Get().(*chunk); ok {
			return c
		}
	}
	return &chunk{make([]byte, 0, size)}
}

// giveBack takes a chunk that nobody uses any more.
func (m *memory) giveBack(c *chunk) {
	size := cap(c.lines)
	m.used.Add(int64(-size))
	c.lines = c.lines[:0]
	if pool := m.pool(size); pool != nil {
		pool.Put(c)
	}
}

// pool returns where spare chunks of a size are; nil: they aren't kept.
func (m *memory) pool(size int) *sync.Pool {
	switch size {
	case smallChunk:
		return &m.small
	case largeChunk:
		return &m.large
	}
	return nil
}
