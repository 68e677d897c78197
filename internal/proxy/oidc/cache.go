package oidc

import (
	"bytes"
	"hash/maphash"
	"sync/atomic"
	"time"
)

// Cache keeps the fields of sessions, by the text of their cookies, until they don't
// count any more. It is bounded in number and bytes: what is least in the way goes.
// A reader waits for nobody.
type Cache struct {
	seed  maphash.Seed
	slots [cacheSlots]atomic.Pointer[cached]
	bytes atomic.Int64
	swept atomic.Int64 // when what doesn't count any more was last looked for, in seconds
}

// The cache's bounds. A session that is asked for by several pages a minute costs
// itself and its fields; that is some 3 KiB for most, and 45 KiB for the largest.
const (
	cacheSlots = 1 << 13
	cacheWays  = 4 // slots that a session may be in
	cacheBytes = 64 << 20
)

// cached are the fields of a session. It never changes.
type cached struct {
	client *Client
	text   []byte
	fields *Fields
}

func (e *cached) size() int64 { return int64(cap(e.text) + cap(e.fields.Lines) + 128) }

// NewCache returns a cache that has nothing.
func NewCache() *Cache { return &Cache{seed: maphash.MakeSeed()} }

// Get returns the fields of the session whose cookies have the text; nil if it has
// none that count now. The text's memory isn't kept.
func (c *Cache) Get(client *Client, text []byte, now time.Time) *Fields {
	first := c.slot(text)
	for i := range cacheWays {
		e := c.slots[first+i].Load()
		if e == nil || e.client.realm != client.realm || e.client.config.Timeout != client.config.Timeout || !bytes.Equal(e.text, text) {
			continue
		}
		if now.Before(e.fields.Until) {
			return e.fields
		}
		return nil
	}
	return nil
}

// Put keeps the fields of a session.
func (c *Cache) Put(client *Client, text []byte, f *Fields, now time.Time) {
	e := &cached{client, bytes.Clone(text), f}
	first := c.slot(text)
	victim := first + int(f.Until.UnixNano()>>10)%cacheWays
	for i := range cacheWays {
		old := c.slots[first+i].Load()
		if old == nil || !now.Before(old.fields.Until) || bytes.Equal(old.text, text) {
			victim = first + i
			break
		}
	}
	if c.bytes.Load()+e.size() > cacheBytes {
		c.sweep(now)
		if c.bytes.Load()+e.size() > cacheBytes {
			return // it does without
		}
	}
	c.bytes.Add(e.size())
	if old := c.slots[victim].Swap(e); old != nil {
		c.bytes.Add(-old.size())
	}
}

// sweep forgets what doesn't count any more, once a second at most.
func (c *Cache) sweep(now time.Time) {
	if c.swept.Swap(now.Unix()) == now.Unix() {
		return
	}
	for i := range c.slots {
		e := c.slots[i].Load()
		if e != nil && !now.Before(e.fields.Until) && c.slots[i].CompareAndSwap(e, nil) {
			c.bytes.Add(-e.size())
		}
	}
}

// slot returns the first slot that the session may be in.
func (c *Cache) slot(text []byte) int {
	// Those of several clients differ all the same: they are sealed.
	return int(maphash.Bytes(c.seed, text)%(cacheSlots/cacheWays)) * cacheWays
}
