package px

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"
)

// pool keeps connections to targets between requests, the one used last first:
// the others may go idle and be closed.
type pool struct {
	mu     sync.Mutex // guards the following
	idle   map[netip.AddrPort][]*target
	closed bool
}

// target is a connection to a target.
type target struct {
	net.Conn
	addr   netip.AddrPort
	in     *buffer
	reused bool      // it has carried a request before
	since  time.Time // when it went idle
}

// maxIdlePerTarget bounds what is kept for one target.
const maxIdlePerTarget = 512

// idleTargetTime is how long a connection is kept for the next request.
const idleTargetTime = 60 * time.Second

func newPool() *pool { return &pool{idle: map[netip.AddrPort][]*target{}} }

// take returns an idle connection to the target, or nil.
func (p *pool) take(addr netip.AddrPort) *target {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.idle[addr]
	if len(list) == 0 {
		return nil
	}
	t := list[len(list)-1]
	list[len(list)-1] = nil
	p.idle[addr] = list[:len(list)-1]
	t.reused = true
	return t
}

// dial opens a new connection to the target.
func (p *pool) dial(ctx context.Context, addr netip.AddrPort) (*target, error) {
	conn, err := dialer.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return nil, err
	}
	return &target{Conn: conn, addr: addr, in: getBuffer()}, nil
}

// put keeps a connection whose response has been read whole.
func (p *pool) put(t *target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || t.in.len() > 0 || len(p.idle[t.addr]) >= maxIdlePerTarget {
		t.drop()
		return
	}
	t.since = time.Now()
	p.idle[t.addr] = append(p.idle[t.addr], t)
}

// drop closes a connection for good.
func (t *target) drop() {
	_ = t.Close()
	if t.in != nil {
		putBuffer(t.in)
		t.in = nil
	}
}

// expire closes connections that have been idle for too long, until ctx ends.
func (p *pool) expire(ctx context.Context) {
	tick := time.NewTicker(idleTargetTime / 6)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			p.expireBefore(now.Add(-idleTargetTime))
		}
	}
}

func (p *pool) expireBefore(limit time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for addr, list := range p.idle {
		n := 0
		for n < len(list) && list[n].since.Before(limit) {
			list[n].drop()
			n++
		}
		if n == len(list) {
			delete(p.idle, addr)
		} else if n > 0 {
			p.idle[addr] = append([]*target(nil), list[n:]...)
		}
	}
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, list := range p.idle {
		for _, t := range list {
			t.drop()
		}
	}
	clear(p.idle)
}
