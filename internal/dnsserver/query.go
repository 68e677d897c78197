package dnsserver

import (
	"encoding/binary"

	"github.com/miekg/dns"
)

// headerSize is the length of a message's header (RFC 1035 §4.1.1).
const headerSize = 12

// Bits of the header's second word (RFC 1035 §4.1.1, RFC 4035 §3).
const (
	flagQR     = 1 << 15
	flagAA     = 1 << 10
	flagTC     = 1 << 9
	flagRD     = 1 << 8
	flagCD     = 1 << 4
	opcodeBits = 0xF << 11
)

// flagDO is the DNSSEC OK bit in the flags of an OPT record (RFC 3225 §3).
const flagDO = 1 << 15

// The UDP sizes of EDNS(0).
const (
	// plainUDPSize is the limit without EDNS (RFC 1035 §4.2.1).
	plainUDPSize = 512
	// ednsUDPSize is what we accept and the most that we send: IPv6's smallest
	// MTU of 1280 (RFC 8200 §5) less 48 for its header and UDP's, so that no
	// response is fragmented.
	ednsUDPSize = 1232
)

// query is what a packet asks. It is reused, so that reading one allocates nothing.
type query struct {
	id    uint16
	flags uint16

	question []byte // as it came, in the case that the client chose; nil when unread
	name     []byte // the question's name in lower-case wire format, in buf
	qtype    uint16
	qclass   uint16

	edns    bool
	do      bool
	version uint8
	udpSize int // the largest response that the client takes over UDP

	buf [maxName]byte
}

// drop stands beside the rcodes for a packet that gets no answer.
const drop = -1

// parse reads a packet. It returns dns.RcodeSuccess when the question can be
// looked at, the rcode to refuse it with, or drop when there is nobody to answer.
// Whatever it could read before an error is set.
func (q *query) parse(packet []byte) (rcode int) {
	q.question, q.name, q.edns, q.do, q.version, q.udpSize = nil, nil, false, false, 0, plainUDPSize
	if len(packet) < headerSize {
		return drop
	}
	q.id = binary.BigEndian.Uint16(packet)
	q.flags = binary.BigEndian.Uint16(packet[2:])
	switch {
	case q.flags&flagQR != 0:
		return drop // a response; answering it could start a loop between two servers
	case q.flags&opcodeBits != dns.OpcodeQuery<<11:
		return dns.RcodeNotImplemented
	case binary.BigEndian.Uint16(packet[4:]) != 1:
		return dns.RcodeFormatError // RFC 9619 §4
	}

	at, ok := q.parseName(packet, headerSize)
	if !ok || len(packet) < at+4 {
		return dns.RcodeFormatError
	}
	q.qtype = binary.BigEndian.Uint16(packet[at:])
	q.qclass = binary.BigEndian.Uint16(packet[at+2:])
	at += 4
	q.question = packet[headerSize:at]

	// Answer and authority are empty in all queries but IXFR (RFC 1995 §3);
	// whatever is there has to be passed over to get to the OPT record.
	others := int(binary.BigEndian.Uint16(packet[6:])) + int(binary.BigEndian.Uint16(packet[8:]))
	additional := int(binary.BigEndian.Uint16(packet[10:]))
	for i := range others + additional {
		if at, ok = q.parseRecord(packet, at, i >= others); !ok {
			return dns.RcodeFormatError
		}
	}
	if at != len(packet) {
		return dns.RcodeFormatError
	}
	if q.version != 0 {
		return dns.RcodeBadVers // RFC 6891 §6.1.3
	}
	return dns.RcodeSuccess
}

// parseName reads the question's name. A compression pointer isn't allowed: no
// name stands before it that it could point to (RFC 1035 §4.1.4).
func (q *query) parseName(packet []byte, at int) (end int, ok bool) {
	start := at
	for {
		if at >= len(packet) {
			return 0, false
		}
		length := int(packet[at])
		if length > maxLabel {
			return 0, false
		}
		at += 1 + length
		if at-start > maxName {
			return 0, false
		}
		if length == 0 {
			break
		}
	}
	q.name = q.buf[:copy(q.buf[:], packet[start:at])]
	lower(q.name)
	return at, true
}

// parseRecord passes over one record. In the additional section it takes the
// OPT record's contents.
func (q *query) parseRecord(packet []byte, at int, additional bool) (end int, ok bool) {
	owner := at
	if at, ok = skipName(packet, at); !ok || len(packet) < at+10 {
		return 0, false
	}
	rrtype := binary.BigEndian.Uint16(packet[at:])
	class := binary.BigEndian.Uint16(packet[at+2:])
	ttl := binary.BigEndian.Uint32(packet[at+4:])
	end = at + 10 + int(binary.BigEndian.Uint16(packet[at+8:]))
	if end > len(packet) {
		return 0, false
	}
	if rrtype != dns.TypeOPT {
		return end, true
	}
	// One OPT record at most, at the root, and nowhere else (RFC 6891 §6.1.1 and §6.1.2).
	if !additional || q.edns || packet[owner] != 0 {
		return 0, false
	}
	q.edns = true
	q.version = uint8(ttl >> 16)
	q.do = ttl&flagDO != 0
	// Values below 512 mean 512 (RFC 6891 §6.2.3).
	q.udpSize = min(max(int(class), plainUDPSize), ednsUDPSize)
	return end, true
}

// skipName passes over a name that may end in a compression pointer.
func skipName(packet []byte, at int) (end int, ok bool) {
	for at < len(packet) {
		switch length := int(packet[at]); {
		case length == 0:
			return at + 1, true
		case length <= maxLabel:
			at += 1 + length
		case length >= 0xC0:
			return at + 2, at+2 <= len(packet)
		default:
			return 0, false // 01 and 10 are reserved (RFC 1035 §4.1.4)
		}
	}
	return 0, false
}
