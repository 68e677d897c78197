package dnsserver

import (
	"fmt"
	"sync/atomic"

	"github.com/miekg/dns"
)

// Stats counts what a server did since New.
type Stats struct {
	// Responses by rcode, under the names of the IANA registry ("NOERROR",
	// "NXDOMAIN", …), UDP and TCP together. Those that never occurred are missing.
	Responses map[string]uint64
	Dropped   uint64 // packets without an answer: responses, and less than a header
	Truncated uint64 // responses sent with TC instead of records; they count in Responses too

	TCPAccepted uint64 // connections
	TCPRefused  uint64 // connections closed at once, because too many were open
}

// counters is one goroutine's share of the counts, or that of all TCP
// connections: UDP workers don't contend for one cache line.
type counters struct {
	rcodes    [dns.RcodeBadVers + 1]atomic.Uint64
	dropped   atomic.Uint64
	truncated atomic.Uint64
	_         [64]byte // keeps the next one off this one's last cache line
}

func (c *counters) rcode(rcode int) { c.rcodes[rcode].Add(1) }

// Stats returns the counts. Each is exact; they are not read at one instant.
func (s *Server) Stats() Stats {
	st := Stats{
		Responses:   make(map[string]uint64),
		TCPAccepted: s.tcpAccepted.Load(),
		TCPRefused:  s.tcpRefused.Load(),
	}
	for i := range s.counts {
		c := &s.counts[i]
		st.Dropped += c.dropped.Load()
		st.Truncated += c.truncated.Load()
		for rcode := range c.rcodes {
			if n := c.rcodes[rcode].Load(); n > 0 {
				st.Responses[rcodeName(rcode)] += n
			}
		}
	}
	return st
}

// rcodeName names an rcode. 16 is BADVERS here and BADSIG in TSIG (RFC 6895
// §2.3); a library's table can only have one of them.
func rcodeName(rcode int) string {
	if rcode == dns.RcodeBadVers {
		return "BADVERS"
	}
	if name, ok := dns.RcodeToString[rcode]; ok {
		return name
	}
	return fmt.Sprintf("RCODE%d", rcode)
}
