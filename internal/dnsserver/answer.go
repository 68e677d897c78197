package dnsserver

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/miekg/dns"
)

// maxAddresses is the most addresses in one answer, as an application load
// balancer's name gives. A name with more shows them in turns.
const maxAddresses = 8

// hinfoRdata is the synthesised answer to ANY (RFC 8482 §4.2): CPU "RFC8482", OS "".
var hinfoRdata = []byte("\x07RFC8482\x00")

// responder answers packets from a table. It has buffers of its own and belongs
// to one goroutine.
type responder struct {
	server *Server
	counts *counters
	query  query
}

// respond appends the response to a packet to b, and returns b unchanged when
// the packet deserves none.
func (r *responder) respond(b, packet []byte, overUDP bool) []byte {
	q := &r.query
	rcode := q.parse(packet)
	if rcode == drop {
		r.counts.dropped.Add(1)
		return b
	}
	limit := dns.MaxMsgSize
	if overUDP {
		limit = q.udpSize
	}
	m := message{b: b, start: len(b)}
	m.open(q)
	if rcode == dns.RcodeSuccess {
		rcode = r.answer(&m)
	}
	if m.close(rcode, limit) {
		r.counts.truncated.Add(1)
	}
	r.counts.rcode(rcode)
	return m.b
}

// answer looks the question up and writes what it finds: the algorithm of RFC
// 1034 §4.3.2 without delegations, aliases and wildcards.
func (r *responder) answer(m *message) (rcode int) {
	q := m.q
	if q.qclass != dns.ClassINET {
		return dns.RcodeRefused // CHAOS too: version.bind is nobody's business
	}
	if q.qtype == dns.TypeAXFR || q.qtype == dns.TypeIXFR {
		return dns.RcodeRefused // RFC 5936 §2.2.1
	}
	n, z := r.server.table.Load().lookup(q.name, q.qtype)
	if z == nil {
		return dns.RcodeRefused
	}
	m.flags |= flagAA
	// The origin is the end of the name that was asked, so it's in the question.
	originAt := headerSize + len(q.name) - len(z.origin)
	switch {
	case n == nil:
		rcode = dns.RcodeNameError
	case r.answerFrom(m, n, z, originAt):
		return dns.RcodeSuccess
	}
	// NXDOMAIN and NODATA carry the SOA record, whose TTL says how long they are
	// to be believed (RFC 2308 §2.1, §2.2 and §3).
	m.b = z.appendSOA(m.b, originAt, z.negativeTTL)
	m.authorities++
	return rcode
}

// answerFrom writes the records of a node that the question asks for. It reports
// false when there are none.
func (r *responder) answerFrom(m *message, n *node, z *zone, originAt int) bool {
	q := m.q
	apex := originAt == headerSize
	set := n.records.Load()
	if set == nil {
		set = &noRecords
	}
	switch q.qtype {
	case dns.TypeA:
		m.appendAddresses(set.a, sizeA, &n.turnA)
	case dns.TypeAAAA:
		m.appendAddresses(set.aaaa, sizeAAAA, &n.turnAAAA)
	case dns.TypeTXT:
		m.b = append(m.b, set.txt...)
		m.answers += set.txts
	case dns.TypeSOA:
		if apex {
			m.b = z.appendSOA(m.b, originAt, z.ttl)
			m.answers++
		}
	case dns.TypeNS:
		if apex {
			m.b = z.appendNS(m.b, originAt)
			m.answers += len(z.ns)
		}
	case dns.TypeANY:
		// One small record instead of all (RFC 8482 §4.2), if there is any at all.
		ttl := set.ttl
		if set.empty() {
			ttl = z.ttl
		}
		if apex || !set.empty() {
			m.b = appendRecord(m.b, toQuestion, dns.TypeHINFO, ttl, hinfoRdata)
			m.answers++
		}
	}
	return m.answers > 0
}

// noRecords stands for the records of an empty non-terminal.
var noRecords records

// lookup returns the node of a name, nil when there is no such name, and the
// zone that answers for it: the one with the longest origin. The type DS at an
// apex belongs to the zone above, if we have it (RFC 4035 §3.1.4.1).
func (t *table) lookup(name []byte, qtype uint16) (*node, *zone) {
	n := t.find(name)
	var own *zone
	if n != nil {
		own = n.zone.Load()
	}
	if own != nil && qtype != dns.TypeDS {
		return n, own
	}
	for suffix := parentOf(name); suffix != nil; suffix = parentOf(suffix) {
		above := t.find(suffix)
		if above == nil {
			continue
		}
		if z := above.zone.Load(); z != nil {
			return n, z
		}
	}
	return n, own
}

// message is a response that is being written. Offsets in it count from start.
type message struct {
	b     []byte
	start int
	q     *query
	flags uint16

	answers, authorities int
}

// open writes room for the header, and the question as it came (which keeps
// the letters' case, for clients that put random bits there).
func (m *message) open(q *query) {
	m.q = q
	// The opcode and RD are copied (RFC 1035 §4.1.1), CD too (RFC 4035 §3.1.6).
	m.flags = flagQR | q.flags&(opcodeBits|flagRD|flagCD)
	var header [headerSize]byte
	m.b = append(m.b, header[:]...)
	m.b = append(m.b, q.question...)
}

// close ends the message and fills in the header. It reports whether the records
// had to be left out, because the response would exceed limit bytes.
func (m *message) close(rcode, limit int) (truncated bool) {
	q := m.q
	optSize := 0
	if q.edns {
		optSize = 11
	}
	if len(m.b)-m.start+optSize > limit {
		// Clients ignore the records beside TC (RFC 2181 §9), so none is sent.
		m.b = m.b[:m.start+headerSize+len(q.question)]
		m.answers, m.authorities = 0, 0
		m.flags |= flagTC
		truncated = true
	}
	if q.edns {
		m.appendOPT(rcode)
	}
	h := m.b[m.start:]
	binary.BigEndian.PutUint16(h, q.id)
	binary.BigEndian.PutUint16(h[2:], m.flags|uint16(rcode&0xF))
	if q.question != nil {
		binary.BigEndian.PutUint16(h[4:], 1)
	}
	binary.BigEndian.PutUint16(h[6:], uint16(m.answers))
	binary.BigEndian.PutUint16(h[8:], uint16(m.authorities))
	if q.edns {
		binary.BigEndian.PutUint16(h[10:], 1)
	}
	return truncated
}

// appendOPT writes our OPT record: our size, the upper bits of the rcode,
// version 0, and DO as the client has it (RFC 6891 §6.1.3, RFC 3225 §3).
func (m *message) appendOPT(rcode int) {
	var flags uint16
	if m.q.do {
		flags = flagDO
	}
	m.b = append(m.b, 0) // the root
	m.b = binary.BigEndian.AppendUint16(m.b, dns.TypeOPT)
	m.b = binary.BigEndian.AppendUint16(m.b, ednsUDPSize)
	m.b = append(m.b, byte(rcode>>4), 0)
	m.b = binary.BigEndian.AppendUint16(m.b, flags)
	m.b = binary.BigEndian.AppendUint16(m.b, 0)
}

// appendAddresses writes the address records of a set, each size bytes long,
// from the one whose turn it is, and around the end.
func (m *message) appendAddresses(set []byte, size int, turn *atomic.Uint32) {
	count := len(set) / size
	if count == 0 {
		return
	}
	first := 0
	if count > 1 {
		first = int((turn.Add(1) - 1) % uint32(count))
	}
	m.answers = min(count, maxAddresses)
	tail := min(m.answers, count-first)
	m.b = append(m.b, set[first*size:(first+tail)*size]...)
	m.b = append(m.b, set[:(m.answers-tail)*size]...)
}
