package proxy

import (
	"errors"
	"sync"
	"time"
)

// Of HTTP/2 sessions.
const (
	// farewellTime is how long a client has to hear that it is to begin nothing more,
	// if it doesn't say that it has.
	farewellTime = time.Second
	// writeStep is how much goes to the client at once.
	writeStep = 32 << 10
)

// streamMultiplex carries HTTP/2 on the stream shell. The connection's goroutine
// reads and has the session take what comes; each stream has one while it is worked on
// (multiplexed.go), and one writes while there is something to write.
type streamMultiplex struct {
	*client
	*multiplex

	// The following are guarded by the multiplex's lock, which isn't held while
	// client.mu is taken.
	writing bool      // a goroutine is at it
	drained time.Time // when the session's end began; zero: it hasn't

	writers sync.WaitGroup // goroutines
}

// serveHTTP2 answers a connection's requests until its session is over.
func (c *client) serveHTTP2() {
	m := &streamMultiplex{client: c}
	m.multiplex = &multiplex{port: c.port, peer: c.peer, trace: c.trace, tls: &c.tls, thread: c.thread, carrier: m, session: c.tls.begin()}
	c.mu.Lock()
	c.multiplexed = true // from here on closeIfIdle wakes the reader
	c.mu.Unlock()
	c.touch(time.Now())
	err := m.extend(time.Now())
	for err == nil && m.receive() {
		err = m.read(m)
	}
	m.finish()
	if err == nil || errors.Is(err, errIdle) || errors.Is(err, errClosing) {
		m.linger()
	}
}

// receive deals with what has come; false: the session is over.
func (m *streamMultiplex) receive() bool {
	now := time.Now()
	m.lock.Lock()
	defer m.lock.Unlock()
	n, err := m.session.Receive(m.unread(), now)
	m.use(n)
	m.noteRefused(m.client.thread, now)
	if begun := m.session.Begun(); len(begun) > 0 {
		m.touch(now)
		for _, st := range begun {
			m.start(st)
		}
		if !m.client.port.welcomes(m.born, m.maxAge, now) {
			m.session.Drain()
		}
		if m.session.Draining() && m.drained.IsZero() {
			m.drained = now
			_ = m.conn.SetReadDeadline(now.Add(farewellTime)) // fails only when it is closed already
		}
	}
	m.kick()
	if len(m.unread()) > 0 {
		m.enlarge()
	} else if m.session.Streams() == 0 {
		m.stream.release()
	}
	return err == nil && !m.session.Over()
}

// extend implements waiter, while nothing comes.
func (m *streamMultiplex) extend(now time.Time) error {
	m.mu.Lock() // so that whoever wakes us isn't overridden
	defer m.mu.Unlock()
	m.lock.Lock()
	defer m.lock.Unlock()
	timeout := m.client.port.table.Load().idleTimeout
	left := timeout
	if !m.session.Attended() {
		left -= m.idleFor(now)
	}
	if left <= 0 || m.unwanted.Swap(false) && m.session.Streams() == 0 {
		m.session.Abandon()
		m.session.Finish()
		m.kick()
		return errIdle
	}
	switch {
	case !m.drained.IsZero():
	case m.client.port.welcomes(m.born, m.maxAge, now):
		left = min(left, m.maxAge-now.Sub(m.born))
	default:
		m.session.Drain()
		m.drained = now
	}
	if !m.drained.IsZero() {
		if to := farewellTime - now.Sub(m.drained); to > 0 {
			left = min(left, to)
		} else {
			m.session.Finish()
		}
	}
	m.kick()
	if m.session.Over() {
		return errClosing
	}
	return m.conn.SetReadDeadline(now.Add(left))
}

// kick implements carrierOfMany.
func (m *streamMultiplex) kick() {
	m.tally()
	if !m.writing && m.session.Pending() {
		m.writing = true
		m.writers.Go(m.write)
	}
}

// write writes what is due, as long as there is something.
func (m *streamMultiplex) write() {
	out := outBuffers.Get().(*[]byte)
	for {
		m.lock.Lock()
		sent := m.session.Sent()
		*out = m.session.Append((*out)[:0], writeStep)
		if len(*out) == 0 {
			break
		}
		if m.session.Sent() > sent {
			m.touch(time.Now())
		}
		m.lock.Unlock()
		if m.client.write(*out, m.client.port.table.Load().idleTimeout) != nil {
			m.lock.Lock()
			m.session.Lose()
			m.cut()
			break
		}
	}
	m.writing = false
	over := m.session.Over()
	m.lock.Unlock()
	if cap(*out) <= maxOutBuffer {
		outBuffers.Put(out)
	}
	if over {
		m.lookUp()
	}
}

// finish ends what is under way, says what is still to be said, and waits until
// nobody needs the connection any more.
func (m *streamMultiplex) finish() {
	m.lock.Lock()
	m.session.Lose()
	m.noteEnd()
	m.lock.Unlock()
	m.requests.Wait()
	m.lock.Lock()
	m.kick()
	m.lock.Unlock()
	m.writers.Wait()
	m.lock.Lock()
	m.forgo()
	m.lock.Unlock()
	m.stream.release()
}

// ended implements carrierOfMany.
func (m *streamMultiplex) ended() {
	m.lock.Lock()
	over := m.session.Over() && !m.writing
	m.lock.Unlock()
	if over {
		m.lookUp()
	}
}
