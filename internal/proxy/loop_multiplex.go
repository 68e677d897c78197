//go:build linux

package proxy

import (
	"sync/atomic"
	"syscall"
	"time"
)

// loopMultiplex carries HTTP/2 on a loop. A request that has come whole, for a target
// that speaks HTTP/1.1, is the loop's (loop_multiplexed.go); any other has a goroutine,
// which shares the session under its lock (multiplexed.go).
type loopMultiplex struct {
	*multiplex
	client *loopClient

	rest      []byte         // of a frame that hasn't come whole
	changed   []*loopRequest // something has become of their streams
	delegated bool           // some requests have, or had, a goroutine
	dirty     bool           // is in loop.dirty
	lively    time.Duration  // when a request began or ended last, or some of a body went, by the loop's clock
	drained   time.Duration  // when the session's end began; negative: it hasn't
	kicked    atomic.Bool    // the loop was asked to look
	soiled    func()         // soil, for bridges
}

// multiplex begins a session on the connection, on which some of it may have come.
func (c *loopClient) multiplex(text []byte) {
	m := &loopMultiplex{client: c, lively: c.loop.now, drained: -1}
	m.multiplex = &multiplex{
		port: c.port, peer: c.peer, trace: c.trace, tls: &c.tls.session, thread: c.port.proxy.streamThread(),
		carrier: m, session: c.tls.session.begin(),
	}
	m.soiled = m.soil
	c.many, c.state = m, multiplexing
	m.wake()
	m.receive(text)
	m.soil()
}

// proceed deals with what has come.
func (m *loopMultiplex) proceed() {
	c := m.client
	for reads := 0; c.readable && c.state == multiplexing; reads++ {
		if reads == fairShare {
			c.queue()
			break
		}
		text, ok := m.read()
		if !ok {
			break
		}
		m.receive(text)
	}
	m.soil()
}

// read returns what has come; false: nothing has, or the connection is over.
func (m *loopMultiplex) read() ([]byte, bool) {
	c := m.client
	if c.tls.ended {
		c.drop()
		return nil, false
	}
	n, errno := c.receive(c.loop.buffer)
	switch {
	case errno == syscall.EAGAIN:
		return nil, false
	case n == 0 || errno != 0:
		c.drop()
		return nil, false
	}
	c.touch()
	return c.open(c.loop.buffer[:n])
}

// receive has the session take what has come, and begins the requests in it.
func (m *loopMultiplex) receive(text []byte) {
	c := m.client
	if len(m.rest) > 0 {
		m.rest = append(m.rest, text...)
		text = m.rest
	}
	now := c.loop.clock()
	m.lock.Lock()
	n, _ := m.session.Receive(text, now) // that it has ended is told by Over
	m.noteRefused(c.loop.index, now)
	begun := m.session.Begun()
	if len(begun) > 0 && !c.port.welcomes(c.born, c.maxAge, now) {
		m.session.Drain()
	}
	m.lock.Unlock()
	m.rest = append(m.rest[:0], text[n:]...)
	if len(m.rest) == 0 && cap(m.rest) > maxRecord {
		m.rest = nil
	}
	if len(begun) > 0 {
		m.lively = c.loop.now
	}
	for _, st := range begun {
		m.begin(st)
	}
	m.settle()
}

// settle has those go on whose streams have changed.
func (m *loopMultiplex) settle() {
	for len(m.changed) > 0 {
		q := m.changed[len(m.changed)-1]
		m.changed = m.changed[:len(m.changed)-1]
		q.settle()
	}
}

// soil has what is due written at the end of the loop's turn, with what else comes to
// be due in it.
func (m *loopMultiplex) soil() {
	if l := m.client.loop; !m.dirty && m.client.state == multiplexing {
		m.dirty = true
		l.dirty = append(l.dirty, m)
	}
}

// connection implements dirty.
func (m *loopMultiplex) connection() sock { return m.client }

// flush writes what is due, as far as the client takes it, and ends what is over.
func (m *loopMultiplex) flush() {
	m.dirty = false
	c := m.client
	l := c.loop
	for writes := 0; c.state == multiplexing && (len(c.unsent) == 0 || c.flush()); writes++ {
		if writes == fairShare {
			c.queue()
			return
		}
		m.lock.Lock()
		m.tally()
		sent := m.session.Sent()
		l.out = m.session.Append(l.out[:0], writeStep)
		if m.session.Sent() > sent {
			m.lively = l.now
		}
		over, fault := m.session.Over(), m.session.Err() != nil
		m.lock.Unlock()
		if len(l.out) == 0 {
			if over {
				m.end(fault)
			} else {
				m.wake()
			}
			return
		}
		c.send(l.out)
		m.settle()
	}
}

// end ends the connection of a session that is over.
func (m *loopMultiplex) end(fault bool) {
	if fault {
		m.client.end(closing)
		return
	}
	m.client.end(parting)
	m.client.advance()
}

// wake has the timer due when the session is to be looked at.
func (m *loopMultiplex) wake() {
	c := m.client
	c.loop.wheel.set(&c.timer, m.due())
}

// due returns when the session has been idle for too long, or its end is due.
func (m *loopMultiplex) due() time.Duration {
	c := m.client
	m.lock.Lock()
	attended, draining := m.session.Attended(), m.session.Draining()
	m.lock.Unlock()
	now, timeout := c.loop.now, c.port.table.Load().idleTimeout
	due := now + timeout
	if !attended {
		due = m.quiet() + timeout
	}
	switch {
	case draining && m.drained < 0:
		m.drained = now
		fallthrough
	case draining:
		due = min(due, max(now, m.drained+farewellTime))
	default:
		due = min(due, now+c.maxAge-c.loop.clock().Sub(c.born))
	}
	return due
}

// quiet returns since when nothing has happened that the client has asked for.
func (m *loopMultiplex) quiet() time.Duration {
	if c := m.client; len(c.unsent) > 0 {
		return max(m.lively, c.lively)
	}
	return m.lively
}

// expire looks at a session whose time may have come.
func (m *loopMultiplex) expire(now time.Duration) {
	c := m.client
	due := m.due()
	m.lock.Lock()
	switch {
	case !m.session.Attended() && now >= m.quiet()+c.port.table.Load().idleTimeout:
		m.session.Abandon()
		m.session.Finish()
	case m.drained >= 0 && now >= m.drained+farewellTime:
		m.session.Finish()
	case !c.port.welcomes(c.born, c.maxAge, c.loop.clock()):
		m.session.Drain()
	}
	m.lock.Unlock()
	if len(c.unsent) > 0 && now >= c.lively+c.port.table.Load().idleTimeout {
		c.drop() // the client takes nothing
		return
	}
	c.loop.wheel.set(&c.timer, max(due, now+wheelTick))
	m.soil()
}

// drain begins the session's end if no more requests are welcome.
func (m *loopMultiplex) drain() {
	c := m.client
	if !c.port.welcomes(c.born, c.maxAge, c.loop.clock()) {
		m.lock.Lock()
		m.session.Drain()
		m.lock.Unlock()
		m.soil()
	}
}

// lose gives the session up with its connection. The connection is on the books until
// the last goroutine is done with it.
func (m *loopMultiplex) lose() {
	m.lock.Lock()
	m.session.Lose()
	m.noteEnd()
	m.forgo()
	m.lock.Unlock()
	m.settle()
}

// kick implements carrierOfMany, for goroutines.
func (m *loopMultiplex) kick() {
	if m.kicked.CompareAndSwap(false, true) {
		m.client.loop.do(m.look)
	}
}

// look deals with what goroutines have had happen.
func (m *loopMultiplex) look() {
	m.kicked.Store(false)
	m.soil()
}

// touch implements carrierOfMany, for goroutines.
func (m *loopMultiplex) touch(time.Time) {
	m.client.loop.do(func() { m.lively = m.client.loop.now })
}

// ended implements carrierOfMany.
func (m *loopMultiplex) ended() {}

// drain has the sessions of HTTP/2 of a port told that nothing more is to begin on them.
func (l *loop) drain(p *port) {
	for _, s := range l.socks {
		if c, ok := s.(*loopClient); ok && c.port == p && c.state == multiplexing {
			c.many.drain()
		}
	}
}
