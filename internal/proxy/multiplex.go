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
