//go:build linux

package proxy

import (
	"errors"
	"slices"
	"syscall"
	"time"
)

// loopTarget is a connection to a target on a loop.
type loopTarget struct {
	loop     *loop
	endpoint *endpoint
	x        *loopExchange // nil while idle
	tunnel   *loopTunnel   // after a protocol change
	many     *loopMany     // of HTTP/2, which has no x
	timer    timer         // while idle: when it is closed
	place    int           // in the pool, while idle

	tls    *channel      // nil: in the clear
	name   string        // with tls, that it asked the target for; "": of one that asks for none, or for the same always
	unsent []byte        // with tls, or of a tunnel: what the target hasn't taken yet
	since  time.Duration // when the connection, or its handshake, was begun

	edge
	connecting bool
	reused     bool // it has answered a request before
	broken     bool // it takes no more, but may still have something to say
	ended      bool // closed by us
}

// loopPool is an endpoint's idle connections on one loop, the one used last at the
// end. It is the loop's.
type loopPool struct {
	idle []*loopTarget
	many []*loopMany // connections of HTTP/2, idle or not
}

// pool returns the endpoint's connections on a loop.
func (e *endpoint) pool(l *loop) *loopPool { return &e.pools[l.index] }

// takeIdle returns the idle connection for the name that was used last, nil if there
// is none. One that the target has closed isn't there any more, as that is told.
func (l *loop) takeIdle(e *endpoint, name []byte) *loopTarget {
	p := e.pool(l)
	i := len(p.idle) - 1
	for last := max(0, i-maxLooked); i >= last && p.idle[i].name != string(name); i-- {
	}
	if i < 0 || p.idle[i].name != string(name) {
		return nil
	}
	t := p.idle[i]
	p.remove(i)
	l.wheel.remove(&t.timer)
	t.reused = true
	return t
}

// remove takes out the connection at a place.
func (p *loopPool) remove(place int) {
	copy(p.idle[place:], p.idle[place+1:])
	last := len(p.idle) - 1
	p.idle[last] = nil
	p.idle = p.idle[:last]
	for i := place; i < last; i++ {
		p.idle[i].place = i
	}
}

// connect begins a connection to a target, which is asked for the name.
func (l *loop) connect(e *endpoint, name []byte) (*loopTarget, error) {
	fd, connected, err := dialFD(e.key.Addr)
	if (errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)) && l.reclaim() {
		fd, connected, err = dialFD(e.key.Addr)
	}
	if err != nil {
		return nil, err
	}
	t := &loopTarget{loop: l, endpoint: e, edge: edge{fd: fd, writable: connected}, connecting: !connected, since: l.now}
	if e.tls != nil {
		t.tls, t.name = newTargetChannel(e.config(name), e.key.Addr), string(name)
	}
	t.timer = timer{slot: -1, owner: t}
	if err := l.add(fd, t); err != nil {
		sysClose(fd)
		return nil, err
	}
	return t, nil
}

// reclaim closes the idle connections to targets, as there are no descriptors
// left; it returns whether there were any.
func (l *loop) reclaim() bool {
	n := 0
	for _, s := range l.socks {
		if t, ok := s.(*loopTarget); ok && t.x == nil && t.tunnel == nil && t.many.spare() {
			t.close()
			n++
		}
	}
	return n > 0
}

// happened implements sock.
func (t *loopTarget) happened(events uint32) {
	t.told(events)
	switch {
	case t.many != nil:
		t.many.proceed()
	case t.x != nil:
		t.x.front.proceed()
	case t.tunnel != nil:
		t.broken = t.broken || events&syscall.EPOLLERR != 0
		t.tunnel.client.proceed()
	case t.readable && !t.quiet():
		t.close() // the target has closed it, or says what nobody has asked for
	}
}

// quiet says whether an idle connection is fit for another request: nothing has
// come, or nothing but messages of TLS, which are read.
func (t *loopTarget) quiet() bool {
	if !t.readable {
		return true
	}
	if t.tls == nil {
		return sysPeek(t.fd) == quiet
	}
	for {
		n, errno := t.receive(t.loop.buffer)
		switch {
		case errno == syscall.EAGAIN:
			return true
		case n == 0 || errno != 0:
			return false
		}
		if text, err := t.open(t.loop.buffer[:n]); err != nil || len(text) > 0 || len(t.unsent) > 0 {
			return false
		}
	}
}

// keep puts the connection back for the next request.
func (t *loopTarget) keep(idleTimeout time.Duration) {
	l, e := t.loop, t.endpoint
	p := e.pool(l)
	t.x = nil
	if e.retired.Load() || !t.quiet() {
		t.close()
		return
	}
	if len(p.idle) == maxIdlePerTarget {
		p.idle[0].close()
	}
	t.readable, t.over = false, false
	t.place = len(p.idle)
	p.idle = append(p.idle, t)
	l.wheel.set(&t.timer, l.now+idleTimeout)
}

// expire implements the timer's owner.
func (t *loopTarget) expire(time.Duration) { t.close() }

// close closes the connection, whatever it is up to.
func (t *loopTarget) close() {
	if t.ended {
		return
	}
	t.ended = true
	t.many.closed()
	t.tls.release()
	l := t.loop
	l.wheel.remove(&t.timer)
	if p := t.endpoint.pool(l); t.x == nil && t.place < len(p.idle) && p.idle[t.place] == t {
		p.remove(t.place)
	}
	t.x = nil
	l.close(t.fd)
}

// drop implements sock.
func (t *loopTarget) drop() {
	if x := t.x; x != nil {
		x.front.drop() // which closes the target's connection too
		return
	}
	if u := t.tunnel; u != nil {
		u.client.drop() // likewise
		return
	}
	t.close()
}

// retire closes the idle connections to an endpoint that no assignment names any
// more. cut ends requests under way and tunnels too.
func (l *loop) retire(e *endpoint, cut bool) {
	for p := e.pool(l); len(p.idle) > 0; {
		p.idle[len(p.idle)-1].close()
	}
	for _, m := range slices.Clone(e.pool(l).many) {
		m.leave(cut)
	}
	if !cut {
		return
	}
	for _, s := range l.socks {
		t, ok := s.(*loopTarget)
		switch {
		case !ok || t.endpoint != e:
		case t.x != nil:
			t.x.lost(errCut)
		case t.tunnel != nil:
			t.tunnel.reset()
		}
	}
}
