package proxy

import (
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/meter"
)

// What a host takes on, unless its options say otherwise.
const (
	defaultHeadTimeout = time.Minute
	defaultMemory      = 256 << 20
	spareDescriptors   = 512 // for all that isn't a client's or a target's connection
)

// shedAfter is how long a client may hold a connection up, or idle on one, while
// there are hardly any left; shedPause how often that is looked into.
const (
	shedAfter = 5 * time.Second
	shedPause = time.Second
)

// budget bounds what clients can take of a host. What is open goes on: it is new
// connections that are refused, and before it comes to that the slowest clients
// are ended, and those that have asked for nothing in a while.
type budget struct {
	most  int64 // connections of clients
	open  atomic.Int64
	nodes atomic.Int64 // that share it
	shed  atomic.Int64 // when that was last looked into, nanoseconds since the epoch

	sheds chan struct{} // has the stream shell look

	memory int64        // that sessions of HTTP/2 may hold heads and bodies in
	bodies atomic.Int64 // that they do
}

// tallyStep is how much more or less a session may hold before that is noted, so that
// small requests don't have all threads write to the same memory.
const tallyStep = 4 << 10

// grants notes that a session of HTTP/2 holds so much more, or less, than before; false
// if it may not. None may hold more than what is left for all others: so there is always
// something left, and it is who holds most that is refused, not who comes last.
func (b *budget) grants(held, grown int) bool {
	left := b.memory - b.bodies.Add(int64(grown))
	return grown <= 0 || int64(held) <= left
}

// share is how many connections one node may have: half of them, so that no load
// balancer takes all that the host has; or as many as all others, if it is alone.
func (b *budget) share() int64 {
	if b.nodes.Load() < 2 {
		return b.most
	}
	return max(1, b.most/2)
}

// take puts one more connection of the node on the books; false if there may not
// be one.
func (p *Proxy) take(n *node) bool {
	b := &p.budget
	all, own, share := b.open.Add(1), n.open.Add(1), b.share()
	if all > b.most-b.most/8 || own > share-share/8 {
		p.shed()
	}
	if all > b.most || own > share {
		b.open.Add(-1)
		n.open.Add(-1)
		n.meter.Add(p.streamThread(), meter.RejectedConnections, 1)
		return false
	}
	n.meter.Add(p.streamThread(), meter.NewConnections, 1)
	return true
}

// shed ends the clients that hold most up for least.
func (p *Proxy) shed() {
	now, last := time.Now().UnixNano(), p.budget.shed.Load()
	if now-last < int64(shedPause) || !p.budget.shed.CompareAndSwap(last, now) {
		return
	}
	p.log.Warn("hardly any connections are left: slow and idle clients are ended", "open", p.budget.open.Load(), "most", p.budget.most)
	p.loops.each((*loop).shed)
	select {
	case p.budget.sheds <- struct{}{}:
	default: // it is about to
	}
}
