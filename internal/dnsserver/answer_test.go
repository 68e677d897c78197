package dnsserver_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/fairlead/fairlead/internal/dnsserver"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// S1: the name of a load balancer answers its nodes' addresses, and what it does
// not have is denied in the way that resolvers keep for the right time.
func TestAnswers(t *testing.T) {
	s := answered()
	tests := []struct {
		name      string
		owner     string
		qtype     uint16
		qclass    uint16 // 0: IN
		rcode     int
		answer    []string
		authority []string
	}{
		{name: "an A record is answered with the name's TTL",
			owner: "one.elb.fairlead.test.", qtype: dns.TypeA,
			answer: []string{"one.elb.fairlead.test. 60 IN A 192.0.2.144"}},
		{name: "an AAAA record of a dual-stack name",
			owner: "dual.elb.fairlead.test.", qtype: dns.TypeAAAA,
			answer: []string{"dual.elb.fairlead.test. 60 IN AAAA 2001:db8::145"}},
		{name: "the dualstack prefix is a name like any other",
			owner: "dualstack.dual.elb.fairlead.test.", qtype: dns.TypeA,
			answer: []string{"dualstack.dual.elb.fairlead.test. 60 IN A 192.0.2.145"}},
		{name: "each text is a record of its own",
			owner: "text.elb.fairlead.test.", qtype: dns.TypeTXT,
			answer: []string{
				`text.elb.fairlead.test. 60 IN TXT "a \"quoted\" word"`,
				`text.elb.fairlead.test. 60 IN TXT "bound to 127.128.0.1"`,
			}},
		{name: "the case of the question is kept",
			owner: "oNe.ELB.fairLEAD.tEsT.", qtype: dns.TypeA,
			answer: []string{"oNe.ELB.fairLEAD.tEsT. 60 IN A 192.0.2.144"}},
		{name: "the zone with the longest origin answers, and the one above for the rest",
			owner: "www.fairlead.test.", qtype: dns.TypeA,
			answer: []string{"www.fairlead.test. 60 IN A 198.51.100.1"}},

		{name: "SOA at the apex, with its whole TTL",
			owner: "fairlead.test.", qtype: dns.TypeSOA,
			answer: []string{strings.Replace(parentSOA, " 300 ", " 3600 ", 1)}},
		{name: "NS at the apex, in and out of the zone",
			owner: "fairlead.test.", qtype: dns.TypeNS,
			answer: []string{
				"fairlead.test. 3600 IN NS ns.elsewhere.example.",
				"fairlead.test. 3600 IN NS ns1.fairlead.test.",
			}},
		{name: "NS at the apex of a zone below another",
			owner: "elb.fairlead.test.", qtype: dns.TypeNS,
			answer: []string{"elb.fairlead.test. 30 IN NS ns1.elb.fairlead.test."}},
		{name: "SOA below the apex is NODATA",
			owner: "one.elb.fairlead.test.", qtype: dns.TypeSOA, authority: []string{childSOA}},
		{name: "NS below the apex is NODATA",
			owner: "one.elb.fairlead.test.", qtype: dns.TypeNS, authority: []string{childSOA}},

		{name: "NODATA for a type that the name hasn't got",
			owner: "one.elb.fairlead.test.", qtype: dns.TypeAAAA, authority: []string{childSOA}},
		{name: "NODATA for A on an IPv6-only name",
			owner: "six.elb.fairlead.test.", qtype: dns.TypeA, authority: []string{childSOA}},
		{name: "NODATA for a name without records",
			owner: "none.elb.fairlead.test.", qtype: dns.TypeA, authority: []string{childSOA}},
		{name: "NODATA for an empty non-terminal",
			owner: "deep.way.elb.fairlead.test.", qtype: dns.TypeA, authority: []string{childSOA}},
		{name: "NODATA for an empty non-terminal with only another below it",
			owner: "way.elb.fairlead.test.", qtype: dns.TypeTXT, authority: []string{childSOA}},
		{name: "NODATA for an apex without addresses",
			owner: "fairlead.test.", qtype: dns.TypeA, authority: []string{parentSOA}},
		{name: "NODATA for a type that nobody knows",
			owner: "one.elb.fairlead.test.", qtype: 65280, authority: []string{childSOA}},
		{name: "the DS of a zone belongs to the one above",
			owner: "elb.fairlead.test.", qtype: dns.TypeDS, authority: []string{parentSOA}},
		{name: "the DS of the topmost zone is its own to deny",
			owner: "fairlead.test.", qtype: dns.TypeDS, authority: []string{parentSOA}},

		{name: "NXDOMAIN below the longest origin",
			owner: "gone.elb.fairlead.test.", qtype: dns.TypeA,
			rcode: dns.RcodeNameError, authority: []string{childSOA}},
		{name: "NXDOMAIN below a name that has addresses",
			owner: "x.y.one.elb.fairlead.test.", qtype: dns.TypeA,
			rcode: dns.RcodeNameError, authority: []string{childSOA}},
		{name: "NXDOMAIN in the zone above",
			owner: "elbe.fairlead.test.", qtype: dns.TypeA,
			rcode: dns.RcodeNameError, authority: []string{parentSOA}},
		{name: "ANY of a name that isn't there is NXDOMAIN",
			owner: "gone.elb.fairlead.test.", qtype: dns.TypeANY,
			rcode: dns.RcodeNameError, authority: []string{childSOA}},

		{name: "ANY is one HINFO record",
			owner: "dual.elb.fairlead.test.", qtype: dns.TypeANY,
			answer: []string{`dual.elb.fairlead.test. 60 IN HINFO "RFC8482" ""`}},
		{name: "ANY at the apex is one HINFO record",
			owner: "elb.fairlead.test.", qtype: dns.TypeANY,
			answer: []string{`elb.fairlead.test. 30 IN HINFO "RFC8482" ""`}},
		{name: "ANY of a name without records is NODATA",
			owner: "none.elb.fairlead.test.", qtype: dns.TypeANY, authority: []string{childSOA}},

		{name: "a foreign name is refused",
			owner: "www.example.org.", qtype: dns.TypeA, rcode: dns.RcodeRefused},
		{name: "the root is refused", owner: ".", qtype: dns.TypeNS, rcode: dns.RcodeRefused},
		{name: "a name above every zone is refused", owner: "test.", qtype: dns.TypeA, rcode: dns.RcodeRefused},
		{name: "a name that was put outside the zones is refused",
			owner: "apex.elsewhere.example.", qtype: dns.TypeA, rcode: dns.RcodeRefused},
		{name: "AXFR is refused", owner: "elb.fairlead.test.", qtype: dns.TypeAXFR, rcode: dns.RcodeRefused},
		{name: "IXFR is refused", owner: "elb.fairlead.test.", qtype: dns.TypeIXFR, rcode: dns.RcodeRefused},
		{name: "CHAOS version.bind is refused",
			owner: "version.bind.", qtype: dns.TypeTXT, qclass: dns.ClassCHAOS, rcode: dns.RcodeRefused},
		{name: "our name in another class is refused",
			owner: "one.elb.fairlead.test.", qtype: dns.TypeA, qclass: dns.ClassHESIOD, rcode: dns.RcodeRefused},
		{name: "our name in any class is refused",
			owner: "one.elb.fairlead.test.", qtype: dns.TypeA, qclass: dns.ClassANY, rcode: dns.RcodeRefused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, overUDP := range []bool{true, false} {
				q := question(tt.owner, tt.qtype)
				if tt.qclass != 0 {
					q.Question[0].Qclass = tt.qclass
				}
				got := ask(t, s, q, overUDP)
				if got.Rcode != tt.rcode {
					t.Errorf("%v: got rcode %s, want %s", q.Question, dns.RcodeToString[got.Rcode], dns.RcodeToString[tt.rcode])
				}
				if diff := cmp.Diff(tt.answer, lines(got.Answer)); diff != "" {
					t.Errorf("%v: answer (-want +got):\n%s", q.Question, diff)
				}
				if diff := cmp.Diff(tt.authority, lines(got.Ns)); diff != "" {
					t.Errorf("%v: authority (-want +got):\n%s", q.Question, diff)
				}
				if len(got.Extra) != 0 {
					t.Errorf("%v: got additional records %v, want none", q.Question, got.Extra)
				}
				if want := tt.rcode != dns.RcodeRefused; got.Authoritative != want {
					t.Errorf("%v: got AA %v, want %v", q.Question, got.Authoritative, want)
				}
				if !got.Response || got.RecursionAvailable || got.Truncated || got.AuthenticatedData || got.Zero {
					t.Errorf("%v: got flags %v", q.Question, got.MsgHdr)
				}
				if got.Id != q.Id || got.RecursionDesired != q.RecursionDesired {
					t.Errorf("%v: got id %d RD %v, want %d %v", q.Question, got.Id, got.RecursionDesired, q.Id, q.RecursionDesired)
				}
				if diff := cmp.Diff(q.Question, got.Question); diff != "" {
					t.Errorf("question (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// S1: every address of a name comes first in its turn, for A and AAAA alike,
// although clients ask for both in pairs.
func TestAddressesRotate(t *testing.T) {
	s := answered()
	s.Put(name("lb.elb.fairlead.test.",
		"192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"))
	for i, want := range []struct{ a, aaaa string }{
		{"192.0.2.1 192.0.2.2", "2001:db8::1 2001:db8::2"},
		{"192.0.2.2 192.0.2.1", "2001:db8::2 2001:db8::1"},
		{"192.0.2.1 192.0.2.2", "2001:db8::1 2001:db8::2"},
	} {
		a := ask(t, s, question("lb.elb.fairlead.test.", dns.TypeA), true)
		aaaa := ask(t, s, question("lb.elb.fairlead.test.", dns.TypeAAAA), true)
		if got := strings.Join(addresses(a.Answer), " "); got != want.a {
			t.Errorf("answer %d: got A %s, want %s", i, got, want.a)
		}
		if got := strings.Join(addresses(aaaa.Answer), " "); got != want.aaaa {
			t.Errorf("answer %d: got AAAA %s, want %s", i, got, want.aaaa)
		}
	}
}

func TestAnswerHoldsAtMostEightAddressesAndShowsAllInTurns(t *testing.T) {
	const held, most = 11, 8
	for _, family := range []struct {
		qtype  uint16
		format string
	}{{dns.TypeA, "192.0.2.%d"}, {dns.TypeAAAA, "2001:db8::%d"}} {
		s := answered()
		var data []string
		for i := range held {
			data = append(data, fmt.Sprintf(family.format, i+1))
		}
		s.Put(name("big.elb.fairlead.test.", data...))
		for turn := range 2 * held {
			got := addresses(ask(t, s, question("big.elb.fairlead.test.", family.qtype), true).Answer)
			var want []string
			for i := range most {
				want = append(want, data[(turn+i)%held])
			}
			if !slices.Equal(got, want) {
				t.Errorf("turn %d: got %v, want %v", turn, got, want)
			}
		}
	}
}

// I4: an update takes effect with the next query, and doesn't set the turns back.
func TestUpdates(t *testing.T) {
	const owner = "lb.elb.fairlead.test."
	s := answered()
	got := func(owner string) string {
		m := ask(t, s, question(owner, dns.TypeA), true)
		return strings.TrimSpace(dns.RcodeToString[m.Rcode] + " " + strings.Join(addresses(m.Answer), " "))
	}
	remove := func(owner string) func() { return func() { s.Remove(owner) } }
	put := func(owner string, data ...string) func() {
		return func() { s.Put(name(owner, data...)) }
	}
	steps := []struct {
		name string
		do   func()
		ask  string
		want string
	}{
		{"nothing yet", func() {}, owner, "NXDOMAIN"},
		{"put", put(owner, "192.0.2.1", "192.0.2.2"), owner, "NOERROR 192.0.2.1 192.0.2.2"},
		{"a further address goes on with the turns", put(owner, "192.0.2.1", "192.0.2.2", "192.0.2.3"), owner, "NOERROR 192.0.2.2 192.0.2.3 192.0.2.1"},
		{"an address leaves", put(owner, "192.0.2.3"), owner, "NOERROR 192.0.2.3"},
		{"all addresses leave", put(owner), owner, "NOERROR"},
		{"a name below", put("sub."+owner, "192.0.2.7"), "sub." + owner, "NOERROR 192.0.2.7"},
		{"removed, but a name below remains", remove(owner), owner, "NOERROR"},
		{"an empty non-terminal can't be removed", remove(owner), owner, "NOERROR"},
		{"the name below is removed, and so is what it held up", remove("sub." + owner), owner, "NXDOMAIN"},
		{"removing what isn't there changes nothing", remove(owner), "one.elb.fairlead.test.", "NOERROR 192.0.2.144"},
		{"an owner in capitals is the same name", put("ONE.elb.fairlead.test.", "192.0.2.8"), "one.elb.fairlead.test.", "NOERROR 192.0.2.8"},
		{"records at an apex", put("elb.fairlead.test.", "192.0.2.9"), "elb.fairlead.test.", "NOERROR 192.0.2.9"},
		{"an apex stays when its records go", remove("elb.fairlead.test."), "elb.fairlead.test.", "NOERROR"},
		{"a name outside the zones", func() {}, "apex.elsewhere.example.", "REFUSED"},
		{"its zone comes later", func() { s.SetZone(snapshot.Zone{Origin: "elsewhere.example.", Hostmaster: "."}) }, "apex.elsewhere.example.", "NOERROR 203.0.113.1"},
		{"reset", func() { s.Reset([]snapshot.Zone{childZone}, []snapshot.Name{name(owner, "192.0.2.5")}) }, owner, "NOERROR 192.0.2.5"},
		{"reset forgot the other names", func() {}, "one.elb.fairlead.test.", "NXDOMAIN"},
		{"reset forgot the other zones", func() {}, "www.fairlead.test.", "REFUSED"},
	}
	for _, step := range steps {
		step.do()
		if got := got(step.ask); got != step.want {
			t.Errorf("%s: %s: got %q, want %q", step.name, step.ask, got, step.want)
		}
	}
}

func TestSetZoneReplacesTheApex(t *testing.T) {
	s := answered()
	z := childZone
	z.Serial, z.NS = 43, nil
	s.SetZone(z)
	got := lines(ask(t, s, question("elb.fairlead.test.", dns.TypeSOA), true).Answer)
	// Without name servers the origin stands in for the primary.
	want := []string{"elb.fairlead.test. 30 IN SOA elb.fairlead.test. hostmaster.elb.fairlead.test. 43 3600 600 1209600 60"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("SOA (-want +got):\n%s", diff)
	}
	if got := ask(t, s, question("elb.fairlead.test.", dns.TypeNS), true); len(got.Answer) != 0 || len(got.Ns) != 1 {
		t.Errorf("got %v, want NODATA", got)
	}
	if got := ask(t, s, question("one.elb.fairlead.test.", dns.TypeA), true); len(got.Answer) != 1 {
		t.Errorf("got %v, want the name's address", got)
	}
}

// I10: what has no wire format is left out and said so; the rest applies.
func TestUnusableDataIsLeftOut(t *testing.T) {
	var log strings.Builder
	s := dnsserver.New(dnsserver.Options{Log: textLogger(&log)})
	s.SetZone(childZone)
	long := strings.Repeat("x", 64) + ".elb.fairlead.test."
	tests := []struct {
		name string
		do   func()
		log  string
		ask  string
		want []string
	}{
		{"a label of 64 bytes", func() { s.Put(name(long, "192.0.2.1")) }, "absolute domain name", "elb.fairlead.test.", nil},
		{"a relative name", func() { s.Put(name("lb.elb.fairlead.test", "192.0.2.1")) }, "absolute domain name", "lb.elb.fairlead.test.", nil},
		{"removing a relative name", func() { s.Remove("") }, "absolute domain name", "lb.elb.fairlead.test.", nil},
		{"a zone without a hostmaster", func() { s.SetZone(snapshot.Zone{Origin: "fairlead.test."}) }, "hostmaster", "lb.elb.fairlead.test.", nil},
		{"an IPv6 address among the IPv4", func() {
			n := name("lb.elb.fairlead.test.", "192.0.2.1")
			n.A = append(n.A, name("", "2001:db8::1").AAAA...)
			s.Put(n)
		}, "not an IPv4 address", "lb.elb.fairlead.test.", []string{"lb.elb.fairlead.test. 60 IN A 192.0.2.1"}},
		{"an IPv4 address among the IPv6", func() {
			n := name("lb.elb.fairlead.test.", "192.0.2.2")
			n.AAAA = n.A
			s.Put(n)
		}, "not an IPv6 address", "lb.elb.fairlead.test.", []string{"lb.elb.fairlead.test. 60 IN A 192.0.2.2"}},
		{"a text of 256 bytes", func() {
			s.Put(name("lb.elb.fairlead.test.", "192.0.2.3", strings.Repeat("x", 256)))
		}, "TXT record of 256 bytes", "lb.elb.fairlead.test.", []string{"lb.elb.fairlead.test. 60 IN A 192.0.2.3"}},
	}
	for _, tt := range tests {
		log.Reset()
		tt.do()
		if !strings.Contains(log.String(), tt.log) {
			t.Errorf("%s: got log %q, want %q in it", tt.name, log.String(), tt.log)
		}
		got := lines(ask(t, s, question(tt.ask, dns.TypeA), true).Answer)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: answer (-want +got):\n%s", tt.name, diff)
		}
	}
}
