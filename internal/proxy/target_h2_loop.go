//go:build linux

package proxy

import (
	"io"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/http2"
	"github.com/fairlead/fairlead/internal/proxy/meter"
)

// loopMany is a targetMultiplex on a loop, for requests of the same loop.
type loopMany struct {
	targetMultiplex
	t      *loopTarget
	timer  timer
	rest   []byte // of a frame that hasn't come whole
	dirty  bool   // is in loop.dirty
	queued bool   // is in loop.ready
}

// launchOnLoop begins the request on a connection with room for it, or on a new one.
func launchOnLoop(r *bridge, now time.Time) error {
	l := r.port.proxy.loops.all[r.thread]
	p := r.endpoint.pool(l)
	for _, m := range p.many {
		if m.name != string(r.name) {
			continue
		}
		if st := m.open(r, now); st != nil {
			r.far, r.ask = &m.targetMultiplex, st
			return nil
		}
	}
	t, err := l.connect(r.endpoint, r.name)
	if err != nil {
		r.group.meter.Add(l.index, meter.TargetConnectionErrors, 1)
		return err
	}
	m := &loopMany{targetMultiplex: newTargetMultiplex(&r.forwarding, r.name, l.index, now), t: t}
	m.targetMultiplex.kick = m.soil
	m.timer = timer{slot: -1, owner: m}
	t.many = m
	p.many = append(p.many, m)
	l.wheel.set(&m.timer, l.now+connectTimeout)
	if r.ask = m.open(r, now); r.ask == nil {
		t.close()
		return errNoStream
	}
	r.far = &m.targetMultiplex
	return nil
}

// soil has what is due written at the end of the loop's turn.
func (m *loopMany) soil() {
	if l := m.t.loop; !m.dirty && !m.t.ended {
		m.dirty = true
		l.dirty = append(l.dirty, m)
	}
}

// connection implements dirty and eager.
func (m *loopMany) connection() sock { return m.t }

// ready says whether the target can be spoken to.
func (m *loopMany) ready() bool {
	return !m.t.ended && !m.t.connecting && (m.t.tls == nil || m.t.tls.ready)
}

// proceed does what can be done now.
func (m *loopMany) proceed() {
	t := m.t
	l := t.loop
	if t.connecting {
		if !t.writable {
			return
		}
		if err := socketError(t.fd); err != nil {
			m.meter.Add(l.index, meter.TargetConnectionErrors, 1)
			m.fail(err)
			return
		}
		t.connecting, t.since = false, l.now
	}
	t.flush()
	if t.tls != nil && !t.tls.ready {
		l.wheel.set(&m.timer, t.since+connectTimeout)
		if !m.shake() {
			return
		}
	}
	for reads := 0; t.readable && !t.ended; reads++ {
		if reads == fairShare {
			m.queue()
			break
		}
		m.read()
	}
	m.soil()
}

// read takes what has come, once.
func (m *loopMany) read() {
	t := m.t
	buffer := t.loop.buffer
	n, errno := t.receive(buffer)
	switch {
	case errno == syscall.EAGAIN:
	case errno != 0 || n == 0:
		t.close()
	case t.tls == nil:
		m.take(buffer[:n])
	default:
		text, err := t.open(buffer[:n])
		m.take(text)
		if err != nil {
			t.close()
		}
	}
}

// take has the session take what has come.
func (m *loopMany) take(text []byte) {
	if len(m.rest) > 0 {
		m.rest = append(m.rest, text...)
		text = m.rest
	}
	n, _ := m.receive(text, m.t.loop.clock()) // flush ends what is over
	m.rest = append(m.rest[:0], text[n:]...)
	if len(m.rest) == 0 && cap(m.rest) > maxRecord {
		m.rest = nil
	}
}

// queue has proceed called soon.
func (m *loopMany) queue() {
	if !m.queued {
		m.queued = true
		m.t.loop.ready = append(m.t.loop.ready, m)
	}
}

// again implements eager.
func (m *loopMany) again() {
	m.queued = false
	if !m.t.ended {
		m.proceed()
	}
}

// shake goes on with the handshake; true when it is over.
func (m *loopMany) shake() bool {
	t := m.t
	l := t.loop
	for in := l.buffer[:0]; ; {
		sealed, over, err := t.tls.shake(l, in, l.sealed[:0])
		l.sealed = sealed[:0]
		t.send(sealed)
		if over && err == nil {
			err = t.endpoint.agreed(t.tls.conn.ConnectionState())
		}
		switch {
		case err != nil:
			t.endpoint.distrust(err)
			m.failTLS(err)
			return false
		case over:
			// The target's settings may have come behind the handshake.
			text, err := t.open(t.tls.wire.in)
			if err != nil {
				m.failTLS(err)
				return false
			}
			m.take(text)
			return true
		}
		if in = t.read(); len(in) == 0 {
			if t.over && t.readable {
				m.failTLS(io.ErrUnexpectedEOF)
			}
			return false
		}
	}
}

func (m *loopMany) failTLS(err error) {
	m.meter.Add(m.t.loop.index, meter.TargetTLSErrors, 1)
	m.fail(&handshakeError{err})
}

// fail gives up a connection that was never there.
func (m *loopMany) fail(err error) {
	m.lose(err)
	m.t.close()
}

// flush implements dirty.
func (m *loopMany) flush() {
	m.dirty = false
	t := m.t
	l := t.loop
	for m.ready() && t.flush() {
		m.lock.Lock()
		m.tally()
		l.out = m.session.Append(l.out[:0], writeStep)
		over := m.session.Over()
		m.lock.Unlock()
		if len(l.out) == 0 {
			if over {
				t.close()
			} else if m.timer.slot < 0 {
				l.wheel.set(&m.timer, l.now+m.timeout)
			}
			return
		}
		out := l.out
		if t.tls != nil {
			out = t.tls.seal(l.out, l.sealed[:0])
			l.sealed = out[:0]
		}
		t.send(out)
	}
}

// expire implements the timer's owner.
func (m *loopMany) expire(now time.Duration) {
	l := m.t.loop
	switch {
	case m.ready() && m.idle(l.clock()):
		m.leave(false)
	case !m.ready() && now-m.t.since >= connectTimeout:
		c := meter.TargetConnectionErrors
		if !m.t.connecting {
			c = meter.TargetTLSErrors
		}
		m.meter.Add(l.index, c, 1)
		m.fail(os.ErrDeadlineExceeded)
		return
	}
	l.wheel.set(&m.timer, now+min(m.timeout, connectTimeout))
}

// spare says whether the connection, if there is one, has nothing under way.
func (m *loopMany) spare() bool {
	if m == nil {
		return true
	}
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.session.Streams() == 0
}

// leave ends the connection, with what is under way or at once.
func (m *loopMany) leave(cut bool) {
	m.finish()
	if cut {
		m.t.close()
	}
}

// closed gives the session up, if there is one, as the connection is closed.
func (m *loopMany) closed() {
	if m == nil {
		return
	}
	l, p := m.t.loop, m.endpoint.pool(m.t.loop)
	m.lose(m.failed)
	l.wheel.remove(&m.timer)
	if i := slices.Index(p.many, m); i >= 0 {
		p.many = slices.Delete(p.many, i, i+1)
	}
}

// loopBridge is a bridge on a loop.
type loopBridge struct {
	bridge
	m     *loopMultiplex // nil: it is over
	timer timer
	noted bool // is in loop.noted
	note  func()
	loop  *loop
}

// spareBridges is how many a loop keeps for later requests.
const spareBridges = 256

// bridge carries the request between its stream and one of a target's.
func (m *loopMultiplex) bridge(st *http2.Stream, t *table, head []byte, r *http1.Request, f forwarding, at *arrival, e *entry) {
	l := m.client.loop
	b := l.newBridge()
	b.m, b.launch, b.kick, b.thread, b.changed = m, launchOnLoop, m.soiled, l.index, b.note
	b.begin(f, t, m.multiplex, st, head, r, nil, at, e)
	if r.Expect100 && st.Buffered() == 0 {
		l.block = http2.AppendHead(l.block[:0], []byte(http1.Continue))
		m.lock.Lock()
		_ = st.Respond(l.block, false) // an error is the stream's end, which is told of
		m.lock.Unlock()
	}
	l.wheel.set(&b.timer, l.now+b.timeout)
	b.proceed()
}

// newBridge returns one to fill in.
func (l *loop) newBridge() *loopBridge {
	n := len(l.bridges) - 1
	if n < 0 {
		b := &loopBridge{loop: l}
		b.timer = timer{slot: -1, owner: b}
		b.note = b.tell
		return b
	}
	b := l.bridges[n]
	l.bridges = l.bridges[:n]
	return b
}

// tell is told by both sessions, on the loop.
func (b *loopBridge) tell() {
	if !b.noted {
		b.noted = true
		b.loop.noted = append(b.loop.noted, b)
	}
}

// settle has the bridges go on whose streams have changed.
func (l *loop) settle() {
	for len(l.noted) > 0 {
		b := l.noted[len(l.noted)-1]
		l.noted = l.noted[:len(l.noted)-1]
		b.noted = false
		if b.m == nil {
			b.recycle()
			continue
		}
		l.at = b.m.client
		b.proceed()
	}
}

// proceed does what can be done now.
func (b *loopBridge) proceed() {
	if b.pump(b.loop.clock()) {
		b.over()
	}
}

// expire implements the timer's owner.
func (b *loopBridge) expire(time.Duration) {
	l := b.loop
	due, over := b.bridge.expire(l.clock())
	if over {
		b.over()
		return
	}
	l.wheel.set(&b.timer, l.now+due.Sub(l.clock()))
}

// over gives the client's stream up, and what was needed for it back.
func (b *loopBridge) over() {
	m, l := b.m, b.loop
	b.endpoint.target.End()
	m.lively = l.now
	m.lock.Lock()
	if b.entry != nil {
		b.entry.Received = b.st.Received()
	}
	b.st.Release()
	m.lock.Unlock()
	b.entry.end(l.clock(), b.status, b.went)
	l.wheel.remove(&b.timer)
	m.soil()
	b.m = nil
	b.reset()
	b.recycle()
}

// recycle gives the bridge back to the loop, unless something leads to it still.
func (b *loopBridge) recycle() {
	if l := b.loop; !b.noted && len(l.bridges) < spareBridges {
		l.bridges = append(l.bridges, b)
	}
}
