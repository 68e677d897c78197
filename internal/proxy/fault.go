package proxy

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/http2"
)

// SessionFault is a reason why sessions of HTTP/2 were ended before their time.
type SessionFault struct {
	Code     string // of GOAWAY (RFC 9113 §7)
	Reason   string // "flood of PING", for one
	Sessions uint64 // that were ended by it
}

// sessionFaults counts them. The zero value is ready.
type sessionFaults struct {
	mu    sync.Mutex // guards count
	count map[http2.Fault]uint64
}

func (f *sessionFaults) add(fault http2.Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == nil {
		f.count = map[http2.Fault]uint64{}
	}
	f.count[fault]++
}

// SessionFaults returns what sessions of HTTP/2 were ended by since the start, by
// code and reason. Reasons are a few dozen.
func (p *Proxy) SessionFaults() []SessionFault {
	f := &p.sessionFaults
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]SessionFault, 0, len(f.count))
	for fault, n := range f.count {
		out = append(out, SessionFault{fault.Code.String(), fault.Reason, n})
	}
	slices.SortFunc(out, func(a, b SessionFault) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Reason, b.Reason))
	})
	return out
}

// noteRefused counts and logs the requests that the session has refused because they
// were malformed. They have no status, as their streams are reset: they count as what
// such requests are answered in HTTP/1.1. The lock is held.
func (m *multiplex) noteRefused(thread int, now time.Time) {
	refused := m.session.Refused()
	if len(refused) == 0 {
		return
	}
	const status = 400
	at := arrival{peer: m.peer, trace: m.trace, tls: m.tls, http2: true, now: now}
	for _, size := range refused {
		m.port.node.meter.ELB(thread, status)
		m.port.table.Load().unreadable(thread, &at, http1.Verdict{}, status, size, 0)
	}
}

// noteEnd counts what the session, which is over, has ended by, if that is a fault. The
// lock is held.
func (m *multiplex) noteEnd() {
	fault, ok := errors.AsType[*http2.Fault](m.session.Err())
	if !ok {
		return
	}
	m.port.proxy.sessionFaults.add(*fault)
	m.port.proxy.log.Debug("HTTP/2 session ended", "node", m.port.node.id, "port", m.port.number, "peer", m.peer, "error", fault)
}
