package dnsserver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/miekg/dns"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// The SOA timers that secondaries would use (RFC 1035 §3.3.13), within the
// ranges of RFC 1912 §2.2. This server has no secondaries of its own.
const (
	soaRefresh = 1 * time.Hour
	soaRetry   = 10 * time.Minute
	soaExpire  = 14 * 24 * time.Hour
)

// Sizes of a packed record whose owner is a compression pointer.
const (
	recordHead = 12 // owner, type, class, TTL, RDLENGTH
	sizeA      = recordHead + 4
	sizeAAAA   = recordHead + 16
)

// Labels and names as RFC 1035 §2.3.4 bounds them.
const (
	maxLabel = 63
	maxName  = 255
)

// toQuestion is a compression pointer to the question's name, the first thing
// after the header (RFC 1035 §4.1.4).
const toQuestion = 0xC000 | headerSize

// records is what one name answers with: RRsets packed with toQuestion as their
// owner, which is right in every answer, for an answer's owner is what was asked.
type records struct {
	ttl     uint32 // seconds
	a, aaaa []byte // records of sizeA and sizeAAAA
	txt     []byte
	txts    int
}

func (r *records) empty() bool { return len(r.a)+len(r.aaaa)+r.txts == 0 }

// zone is one apex.
type zone struct {
	origin      []byte // lower-case wire format
	ttl         uint32 // seconds
	negativeTTL uint32 // min(ttl, SOA MINIMUM)
	minimum     uint32
	serial      uint32
	mname       rdataName
	rname       rdataName
	ns          []rdataName
}

// rdataName is a name inside a zone's record. When it lies in the zone, its end
// is a pointer to the origin within the question, known only in the answer.
type rdataName struct {
	head   []byte // the labels before the origin, or the whole name
	inZone bool
}

// packRecords returns what a name answers with. It leaves out, and reports,
// records that have no wire format; the rest of the name is good all the same.
func packRecords(n snapshot.Name) (*records, error) {
	var errs []error
	r := &records{ttl: seconds(n.TTL)}
	for _, addr := range n.A {
		if !addr.Is4() {
			errs = append(errs, fmt.Errorf("A record %v is not an IPv4 address", addr)) //nolint:staticcheck // a record type, not a sentence
			continue
		}
		b := addr.As4()
		r.a = appendRecord(r.a, toQuestion, dns.TypeA, r.ttl, b[:])
	}
	for _, addr := range n.AAAA {
		if !addr.Is6() {
			errs = append(errs, fmt.Errorf("AAAA record %v is not an IPv6 address", addr))
			continue
		}
		b := addr.As16()
		r.aaaa = appendRecord(r.aaaa, toQuestion, dns.TypeAAAA, r.ttl, b[:])
	}
	for _, text := range n.TXT {
		// A character-string's length is one octet (RFC 1035 §3.3).
		if len(text) > math.MaxUint8 {
			errs = append(errs, fmt.Errorf("TXT record of %d bytes, at most %d", len(text), math.MaxUint8))
			continue
		}
		r.txt = appendRecord(r.txt, toQuestion, dns.TypeTXT, r.ttl, append([]byte{byte(len(text))}, text...))
		r.txts++
	}
	return r, errors.Join(errs...)
}

// packZone returns a zone, whole or not at all. The primary of the SOA record
// (MNAME) is the first name server, or the origin where there is none.
func packZone(z snapshot.Zone) (*zone, error) {
	origin, err := packName(z.Origin)
	if err != nil {
		return nil, fmt.Errorf("origin: %w", err)
	}
	packed := &zone{
		origin:  origin,
		ttl:     seconds(z.TTL),
		minimum: seconds(z.NegativeTTL),
		serial:  z.Serial,
		mname:   rdataName{inZone: true},
	}
	packed.negativeTTL = min(packed.ttl, packed.minimum) // RFC 2308 §3
	if packed.rname, err = packRdataName(z.Hostmaster, origin); err != nil {
		return nil, fmt.Errorf("hostmaster: %w", err)
	}
	for i, ns := range z.NS {
		name, err := packRdataName(ns, origin)
		if err != nil {
			return nil, fmt.Errorf("name server %d: %w", i, err)
		}
		packed.ns = append(packed.ns, name)
	}
	if len(packed.ns) > 0 {
		packed.mname = packed.ns[0]
	}
	return packed, nil
}

// appendSOA writes the zone's SOA record. originAt is where its origin stands in
// the message.
func (z *zone) appendSOA(b []byte, originAt int, ttl uint32) []byte {
	b = appendRecordHead(b, pointer(originAt), dns.TypeSOA, ttl)
	rdata := len(b)
	b = z.mname.append(b, originAt)
	b = z.rname.append(b, originAt)
	for _, v := range [...]uint32{z.serial, seconds(soaRefresh), seconds(soaRetry), seconds(soaExpire), z.minimum} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return setLength(b, rdata)
}

// appendNS writes the zone's name servers.
func (z *zone) appendNS(b []byte, originAt int) []byte {
	for _, ns := range z.ns {
		b = appendRecordHead(b, pointer(originAt), dns.TypeNS, z.ttl)
		rdata := len(b)
		b = setLength(ns.append(b, originAt), rdata)
	}
	return b
}

func (n rdataName) append(b []byte, originAt int) []byte {
	b = append(b, n.head...)
	if n.inZone {
		b = binary.BigEndian.AppendUint16(b, pointer(originAt))
	}
	return b
}

// packRdataName packs a name that stands in a record of the zone at origin.
func packRdataName(s string, origin []byte) (rdataName, error) {
	name, err := packName(s)
	if err != nil {
		return rdataName{}, err
	}
	for at := 0; ; at += 1 + int(name[at]) {
		if string(name[at:]) == string(origin) {
			return rdataName{head: name[:at], inZone: true}, nil
		}
		if name[at] == 0 {
			return rdataName{head: name}, nil
		}
	}
}

// packName returns a name in lower-case wire format.
func packName(s string) ([]byte, error) {
	if _, ok := dns.IsDomainName(s); !ok || !dns.IsFqdn(s) {
		return nil, fmt.Errorf("%q is not an absolute domain name", s)
	}
	var buf [maxName]byte
	end, err := dns.PackDomainName(s, buf[:], 0, nil, false)
	if err != nil {
		return nil, fmt.Errorf("domain name %q: %w", s, err)
	}
	name := append([]byte(nil), buf[:end]...)
	lower(name)
	return name, nil
}

// lower folds ASCII letters (RFC 4343 §3). It may run over a name in wire
// format, for a length octet is at most 63 and every letter is larger.
func lower(name []byte) {
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			name[i] = c + 'a' - 'A'
		}
	}
}

// appendRecord writes a record of class IN.
func appendRecord(b []byte, owner, rrtype uint16, ttl uint32, rdata []byte) []byte {
	b = appendRecordHead(b, owner, rrtype, ttl)
	at := len(b)
	return setLength(append(b, rdata...), at)
}

// appendRecordHead writes all of a record before its RDATA; setLength completes it.
func appendRecordHead(b []byte, owner, rrtype uint16, ttl uint32) []byte {
	b = binary.BigEndian.AppendUint16(b, owner)
	b = binary.BigEndian.AppendUint16(b, rrtype)
	b = binary.BigEndian.AppendUint16(b, dns.ClassINET)
	b = binary.BigEndian.AppendUint32(b, ttl)
	return binary.BigEndian.AppendUint16(b, 0)
}

// setLength sets RDLENGTH for RDATA that runs from rdata to the end of b.
func setLength(b []byte, rdata int) []byte {
	binary.BigEndian.PutUint16(b[rdata-2:], uint16(len(b)-rdata))
	return b
}

// pointer is a compression pointer to an offset in the message.
func pointer(at int) uint16 { return 0xC000 | uint16(at) }

// seconds is a TTL on the wire: 31 bits (RFC 2181 §8). A fraction of a second is
// dropped, never added: an address must not be kept for longer than was said (I4).
func seconds(d time.Duration) uint32 {
	return uint32(min(max(d/time.Second, 0), math.MaxInt32))
}
