package proxy

import (
	"errors"
	"net"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/meter"
)

// streamTarget is a targetMultiplex of the stream shell: a goroutine connects and then
// reads, another one writes while there is something to write.
type streamTarget struct {
	targetMultiplex
	conn    net.Conn // guarded by the lock; nil: not yet
	closed  bool     // likewise
	writing bool     // likewise: a goroutine is at it
}

// launchOnStreams begins the request on a connection with room for it, or on a new one.
func launchOnStreams(r *bridge, now time.Time) error {
	e, name := r.endpoint, r.name
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range e.many {
		if m.name != string(name) {
			continue
		}
		if st := m.open(r, now); st != nil {
			r.far, r.ask = &m.targetMultiplex, st
			return nil
		}
	}
	m := &streamTarget{targetMultiplex: newTargetMultiplex(&r.forwarding, name, r.thread, now)}
	m.targetMultiplex.kick = m.kickWriter
	if r.ask = m.open(r, now); r.ask == nil {
		return errNoStream
	}
	r.far = &m.targetMultiplex
	e.many = append(e.many, m)
	e.proxy.wg.Go(m.run)
	return nil
}

// run connects, and reads until the session is over.
func (m *streamTarget) run() {
	defer m.forget()
	conn, err := m.endpoint.dialTarget([]byte(m.name))
	if err != nil {
		c := meter.TargetConnectionErrors
		if _, shaking := errors.AsType[*handshakeError](err); shaking {
			c = meter.TargetTLSErrors
		}
		m.meter.Add(m.thread, c, 1)
		m.lose(err)
		return
	}
	m.lock.Lock()
	m.conn = conn
	if m.closed {
		_ = conn.Close()
	}
	m.heard = time.Now()
	m.kick()
	m.lock.Unlock()

	s := newStream(conn)
	for {
		if err := s.read(m); err != nil {
			break
		}
		n, goesOn := m.receive(s.unread(), time.Now())
		s.use(n)
		if !goesOn {
			break
		}
		if len(s.unread()) > 0 {
			s.enlarge()
		}
	}
	s.release()
	m.lose(nil)
	m.close()
}

// extend implements waiter: a connection on which nothing comes is ended by the
// requests that wait for it, or by sweep.
func (m *streamTarget) extend(time.Time) error { return m.conn.SetReadDeadline(time.Time{}) }

// kickWriter implements kick.
func (m *streamTarget) kickWriter() {
	m.tally()
	if m.conn != nil && !m.writing && !m.closed && (m.session.Pending() || m.session.Over()) {
		m.writing = true
		m.endpoint.proxy.wg.Go(m.write)
	}
}

// write writes what is due, as long as there is something, and closes a connection
// whose session is over.
func (m *streamTarget) write() {
	out := outBuffers.Get().(*[]byte)
	to := stream{conn: m.conn}
	over := false
	for {
		m.lock.Lock()
		*out = m.session.Append((*out)[:0], writeStep)
		if len(*out) == 0 {
			m.writing, over = false, m.session.Over()
			m.lock.Unlock()
			break
		}
		timeout := m.timeout
		m.lock.Unlock()
		if to.write(*out, timeout) != nil {
			m.lock.Lock()
			m.writing, over = false, true
			m.session.Finish()
			m.lock.Unlock()
			break
		}
	}
	if cap(*out) <= maxOutBuffer {
		outBuffers.Put(out)
	}
	if over {
		m.close() // which ends run
	}
}

// close closes the connection, or sees to it that there is none.
func (m *streamTarget) close() {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.closed = true
	if m.conn != nil {
		_ = m.conn.Close() // nothing of value is lost with it
	}
}

// forget takes the connection out of the endpoint's.
func (m *streamTarget) forget() {
	e := m.endpoint
	e.mu.Lock()
	defer e.mu.Unlock()
	e.many = slices.DeleteFunc(e.many, func(other *streamTarget) bool { return other == m })
}

// sweepMany ends the connections of many requests that have been idle for too long.
func (e *endpoint) sweepMany(now time.Time) {
	e.mu.Lock()
	many := slices.Clone(e.many)
	e.mu.Unlock()
	for _, m := range many {
		if m.idle(now) {
			m.leave(false)
		}
	}
}

// retireMany has them end with what is under way, or at once. e.mu is held.
func (e *endpoint) retireMany(cut bool) {
	for _, m := range e.many {
		m.leave(cut)
	}
}

// leave ends the connection, with what is under way or at once.
func (m *streamTarget) leave(cut bool) {
	m.finish()
	m.lock.Lock()
	over := m.session.Over() && !m.writing && m.conn != nil
	m.lock.Unlock()
	if cut || over {
		m.close()
	}
}

// cross sends the request to a target in HTTP/2 and the response back.
func (q *multiplexed) cross(f forwarding, t *table, head []byte, at *arrival, e *entry) {
	r := &q.bridge
	r.launch, r.kick, r.thread, r.changed = launchOnStreams, q.m.kick, q.m.thread, q.signal
	r.begin(f, t, q.m, q.stream, head, &q.request, q.from.unread(), at, e)
	defer r.close(q)
	if q.request.Expect100 && len(r.kept) == 0 && q.proceed(r.timeout) != nil {
		return
	}
	timer := time.NewTimer(r.timeout)
	defer timer.Stop()
	for !r.pump(time.Now()) {
		select {
		case <-q.conn.readable:
		case <-timer.C:
			due, over := r.expire(time.Now())
			if over {
				return
			}
			timer.Reset(time.Until(due))
		}
	}
}

// signal tells of a change on either side. A lock is held.
func (q *multiplexed) signal() { signal(q.conn.readable) }

// close notes what became of the request.
func (r *bridge) close(q *multiplexed) {
	q.status, q.sent = r.status, q.sent+r.went
	q.m.lock.Lock()
	q.stream.Changed = nil
	q.m.lock.Unlock()
	r.reset()
}
