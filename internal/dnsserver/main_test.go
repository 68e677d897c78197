package dnsserver_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/dnsserver"
	"github.com/fairlead/fairlead/internal/snapshot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	parentZone = snapshot.Zone{
		Origin:      "fairlead.test.",
		NS:          []string{"ns1.fairlead.test.", "ns.elsewhere.example."},
		Hostmaster:  "admin.fairlead.test.",
		Serial:      7,
		TTL:         time.Hour,
		NegativeTTL: 5 * time.Minute,
	}
	childZone = snapshot.Zone{
		Origin:      "elb.fairlead.test.",
		NS:          []string{"ns1.elb.fairlead.test."},
		Hostmaster:  "hostmaster.elb.fairlead.test.",
		Serial:      42,
		TTL:         30 * time.Second,
		NegativeTTL: time.Minute,
	}
)

// The SOA records of negative answers: their TTL is the smaller of the record's
// own and its MINIMUM.
const (
	parentSOA = "fairlead.test. 300 IN SOA ns1.fairlead.test. admin.fairlead.test. 7 3600 600 1209600 300"
	childSOA  = "elb.fairlead.test. 30 IN SOA ns1.elb.fairlead.test. hostmaster.elb.fairlead.test. 42 3600 600 1209600 60"
)

// name makes a name with a TTL of 60 s from addresses and texts.
func name(owner string, data ...string) snapshot.Name {
	n := snapshot.Name{Owner: owner, TTL: time.Minute}
	for _, d := range data {
		addr, err := netip.ParseAddr(d)
		switch {
		case err != nil:
			n.TXT = append(n.TXT, d)
		case addr.Is4():
			n.A = append(n.A, addr)
		default:
			n.AAAA = append(n.AAAA, addr)
		}
	}
	return n
}

// answered is a server with the zones above and names in both.
func answered() *dnsserver.Server {
	s := dnsserver.New(dnsserver.Options{UDPWorkers: 2})
	s.Reset([]snapshot.Zone{parentZone, childZone}, []snapshot.Name{
		name("one.elb.fairlead.test.", "192.0.2.144"),
		name("dual.elb.fairlead.test.", "192.0.2.145", "2001:db8::145"),
		name("dualstack.dual.elb.fairlead.test.", "192.0.2.145", "2001:db8::145"),
		name("six.elb.fairlead.test.", "2001:db8::6"),
		name("none.elb.fairlead.test."),
		name("text.elb.fairlead.test.", "bound to 127.128.0.1", "a \"quoted\" word"),
		name("a.deep.way.elb.fairlead.test.", "192.0.2.9"),
		name("www.fairlead.test.", "198.51.100.1"),
		name("apex.elsewhere.example.", "203.0.113.1"), // in no zone
	})
	return s
}

// ask packs a query, has it answered and unpacks the response.
func ask(t *testing.T, s *dnsserver.Server, q *dns.Msg, overUDP bool) *dns.Msg {
	t.Helper()
	packet, err := q.Pack()
	if err != nil {
		t.Fatalf("pack %v: %v", q, err)
	}
	return unpack(t, s.Respond(packet, overUDP))
}

func unpack(t *testing.T, response []byte) *dns.Msg {
	t.Helper()
	if response == nil {
		t.Fatal("got no response")
	}
	m := new(dns.Msg)
	if err := m.Unpack(response); err != nil {
		t.Fatalf("response % x doesn't unpack: %v", response, err)
	}
	return m
}

func question(owner string, qtype uint16) *dns.Msg {
	return new(dns.Msg).SetQuestion(owner, qtype)
}

// lines renders records in presentation format with single blanks, sorted.
func lines(rrs []dns.RR) []string {
	var out []string
	for _, rr := range rrs {
		out = append(out, strings.Join(strings.Fields(rr.String()), " "))
	}
	slices.Sort(out)
	return out
}

// addresses returns the addresses of an answer in their order.
func addresses(rrs []dns.RR) []string {
	var out []string
	for _, rr := range rrs {
		switch rr := rr.(type) {
		case *dns.A:
			out = append(out, rr.A.String())
		case *dns.AAAA:
			out = append(out, rr.AAAA.String())
		}
	}
	return out
}
