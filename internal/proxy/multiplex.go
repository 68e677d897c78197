package proxy

import (
	"net/netip"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/accesslog"
	"github.com/fairlead/fairlead/internal/proxy/http2"
)

// multiplex is a client's connection on which HTTP/2 is spoken, as its requests see
// it: which shell reads and writes it is its carrier's business.
type multiplex struct {
	port   *port
	peer   netip.AddrPort
	trace  accesslog.ConnTrace
	tls    *session
	thread int // that counts for requests with a goroutine of their own

	carrier carrierOfMany

	lock    sync.Mutex // guards the following
	session *http2.Session
	held    int // by it, as of the last tally

	requests sync.WaitGroup // goroutines
}

// carrierOfMany reads and writes the connection of a multiplex.
type carrierOfMany interface {
	// kick has what is due written. The multiplex's lock is held.
	kick()

	// touch notes that a request begins or ends.
	touch(now time.Time)

	// ended is told that a request's goroutine is about to end.
	ended()
}

// kick is the carrier's. The lock is held.
func (m *multiplex) kick() { m.carrier.kick() }

// tally notes what the session holds, and ends it if it may not hold that. The lock is
// held.
func (m *multiplex) tally() {
	held := m.session.Holds()
	grown := held - m.held
	if max(grown, -grown) < tallyStep {
		return
	}
	m.held = held
	if !m.port.proxy.budget.grants(held, grown) {
		m.session.Expel("there is no memory for it")
		m.tally()
	}
}

// forgo notes that the session holds nothing any more. The lock is held.
func (m *multiplex) forgo() {
	m.port.proxy.budget.bodies.Add(-int64(m.held))
	m.held = 0
}
