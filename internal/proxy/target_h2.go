package proxy

import (
	"errors"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/http2"
	"github.com/fairlead/fairlead/internal/proxy/meter"
)

// targetMultiplex is a connection to a target on which HTTP/2 is spoken, as the
// requests on it see it: which shell reads and writes it is its carrier's business. It
// is there before it is made: what is asked meanwhile goes first.
type targetMultiplex struct {
	endpoint *endpoint
	name     string // that it asked the target for; "": of one that asks for none, or for the same always
	meter    *meter.Meter
	thread   int // that counts what becomes of it

	// kick has what is due written. The lock is held.
	kick func()

	// lock guards the following. It is taken after a client's, never before.
	lock    sync.Mutex
	session *http2.Session
	failed  error     // why there is no connection; nil: there is, or may be
	heard   time.Time // when the target said something last
	lively  time.Time // when a request began or ended last
	timeout time.Duration
	held    int // of bodies, as of the last tally
}

// newTargetMultiplex returns one whose carrier is still to come, for a request that
// goes where f says.
func newTargetMultiplex(f *forwarding, name []byte, thread int, now time.Time) targetMultiplex {
	e := f.endpoint
	return targetMultiplex{
		endpoint: e, name: string(name), meter: f.group.meter, thread: thread, heard: now, lively: now,
		session: http2.NewClientSession(e.streams()),
	}
}

// errNoStream says that a session which nobody has used takes no request.
var errNoStream = errors.New("no stream on a new connection")

// streams returns how many requests the target takes on a connection, as it has said
// last: there is no need to find out with each connection anew.
func (e *endpoint) streams() int {
	if n := e.capacity.Load(); n > 0 {
		return int(n)
	}
	return http2.DefaultCapacity
}

// open begins a request; nil if the session takes none now. m.lock isn't held.
func (m *targetMultiplex) open(r *bridge, now time.Time) *http2.Stream {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.openLocked(r, now)
}

func (m *targetMultiplex) openLocked(r *bridge, now time.Time) *http2.Stream {
	if m.failed != nil || !m.session.Vacant() {
		return nil
	}
	if m.session.Streams() == 0 {
		m.heard = now // it had nothing to say
	}
	m.lively, m.timeout = now, r.timeout
	r.reused = m.session.Requests() > 0
	return m.session.Open(r.block, r.bare, r.isHead)
}

// receive has the session take what has come, and returns how much of it that was;
// false: the session is over.
func (m *targetMultiplex) receive(in []byte, now time.Time) (int, bool) {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.heard = now
	n, err := m.session.Receive(in, now)
	if m.session.Settled() {
		m.endpoint.capacity.Store(int64(max(1, m.session.Capacity())))
	}
	if err != nil {
		p := m.endpoint.proxy
		p.log.Debug("HTTP/2 session with a target ended", "target group", m.endpoint.key.Group, "target", m.endpoint.key.Addr, "error", err)
	}
	m.kick()
	return n, err == nil && !m.session.Over()
}

// tally notes what the session holds, and ends it if that grows beyond what all of
// them may hold. The lock is held.
func (m *targetMultiplex) tally() {
	held := m.session.Holds()
	grown := held - m.held
	if grown == 0 {
		return
	}
	m.held = held
	b := &m.endpoint.proxy.budget
	if b.bodies.Add(int64(grown)) > b.memory && grown > 0 {
		m.session.Expel("there is no memory for it")
		m.tally()
	}
}

// lose gives the session up with its connection; err is why there never was one, nil:
// there was.
func (m *targetMultiplex) lose(err error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.failed = err
	m.session.Finish()
	m.session.Lose()
	m.endpoint.proxy.budget.bodies.Add(-int64(m.held))
	m.held = 0
}

// idle says whether nothing has been asked for so long that the connection is to end,
// or nothing ever will be.
func (m *targetMultiplex) idle(now time.Time) bool {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.session.Streams() == 0 && (!m.session.Usable() || now.Sub(m.lively) >= m.timeout)
}

// finish has the connection end with what is under way.
func (m *targetMultiplex) finish() {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.session.Finish()
	m.kick()
}
