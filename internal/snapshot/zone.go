package snapshot

import (
	"net/netip"
	"time"
)

// Zone is the apex of one zone that the DNS server answers for.
type Zone struct {
	Origin      string   // lower case, absolute: "elb.fairlead.test."
	NS          []string // absolute names
	Hostmaster  string   // SOA RNAME, absolute
	Serial      uint32
	TTL         time.Duration // of the records at the apex
	NegativeTTL time.Duration // SOA MINIMUM (RFC 2308 §4)
}

// Name is all that one owner name has. A Name without records is a name that
// exists and has nothing to say (NODATA, RFC 2308 §2.2).
type Name struct {
	Owner string // lower case, absolute, below the zone's origin
	TTL   time.Duration
	A     []netip.Addr // IPv4
	AAAA  []netip.Addr // IPv6
	TXT   []string     // one string a record, at most 255 bytes each
}
