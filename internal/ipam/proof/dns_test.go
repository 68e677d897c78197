package proof_test

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/fairlead/fairlead/internal/ipam/proof"
)

// S7: the table of the EC2 user's guide, and the CIDRs between.
func TestOwners(t *testing.T) {
	for cidr, want := range map[string][]string{
		"198.18.123.0/24": {"name.123.18.198.in-addr.arpa."},
		"198.18.12.0/22":  {"name.12.18.198.in-addr.arpa.", "name.13.18.198.in-addr.arpa.", "name.14.18.198.in-addr.arpa.", "name.15.18.198.in-addr.arpa."},
		"198.18.0.0/16":   {"name.18.198.in-addr.arpa."},
		"198.18.0.0/15":   {"name.18.198.in-addr.arpa.", "name.19.198.in-addr.arpa."},
		"192.0.2.144/31":  {"name.144.2.0.192.in-addr.arpa.", "name.145.2.0.192.in-addr.arpa."},
		"0.0.0.0/0":       {"name.in-addr.arpa."},
		"2001:db8:80::/42": {
			"name.8.0.0.8.b.d.0.1.0.0.2.ip6.arpa.", "name.9.0.0.8.b.d.0.1.0.0.2.ip6.arpa.",
			"name.a.0.0.8.b.d.0.1.0.0.2.ip6.arpa.", "name.b.0.0.8.b.d.0.1.0.0.2.ip6.arpa.",
		},
		"2001:db8::/32": {"name.8.b.d.0.1.0.0.2.ip6.arpa."},
	} {
		if got := proof.Owners("name", netip.MustParsePrefix(cidr)); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", cidr, got, want)
		}
	}
}

// The names cover the CIDR, each once, and no other.
func TestOwnersAreBoundedAndCoverTheCIDR(t *testing.T) {
	for bits := range 33 {
		cidr := netip.PrefixFrom(netip.MustParseAddr("255.255.255.255"), bits).Masked()
		owners := proof.Owners("name", cidr)
		digits := (bits + 7) / 8
		seen := map[string]bool{}
		for _, o := range owners {
			parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(o, "name."), "in-addr.arpa."), ".")
			parts = parts[:len(parts)-1]
			slices.Reverse(parts)
			for len(parts) < 4 {
				parts = append(parts, "0")
			}
			if a, err := netip.ParseAddr(strings.Join(parts, ".")); err != nil || !cidr.Contains(a) || seen[o] {
				t.Errorf("%s: %s is %v, %v: outside, or not the first of its name", cidr, o, a, err)
			}
			seen[o] = true
		}
		if want := 1 << (digits*8 - bits); len(owners) != want || want > 128 {
			t.Errorf("%s: got %d names, want %d", cidr, len(owners), want)
		}
	}
}

// resolver is a DNS server on loopback, by UDP and TCP on one port.
type resolver struct {
	addr      string
	questions atomic.Int32
}

// serve starts a resolver whose answer fills in the reply to a question; tcp
// says by what it came. An answer that is false isn't sent.
func serve(t *testing.T, answer func(q dns.Question, reply *dns.Msg, tcp bool) bool) *resolver {
	t.Helper()
	r := new(resolver)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pc, err := net.ListenPacket("udp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	r.addr = ln.Addr().String()
	for _, s := range []*dns.Server{{PacketConn: pc}, {Listener: ln}} {
		s.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
			r.questions.Add(1)
			reply := new(dns.Msg).SetReply(q)
			if answer(q.Question[0], reply, s.Listener != nil) {
				if err := w.WriteMsg(reply); err != nil {
					t.Error(err)
				}
			}
		})
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		ended := make(chan error, 1)
		go func() { ended <- s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() {
			_ = s.Shutdown()
			<-ended
		})
	}
	return r
}

// zone answers from records in presentation format.
func zone(t *testing.T, records ...string) func(dns.Question, *dns.Msg, bool) bool {
	t.Helper()
	var rrs []dns.RR
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		rrs = append(rrs, rr)
	}
	return func(q dns.Question, reply *dns.Msg, _ bool) bool {
		for _, rr := range rrs {
			// A resolver answers with the whole chain of aliases.
			if _, alias := rr.(*dns.CNAME); alias || rr.Header().Name == q.Name || len(reply.Answer) > 0 {
				reply.Answer = append(reply.Answer, rr)
			}
		}
		if len(reply.Answer) == 0 {
			reply.Rcode = dns.RcodeNameError
		}
		return true
	}
}

func tokenClaim(cidr string) proof.Claim {
	return proof.Claim{
		Account: account, CIDR: netip.MustParsePrefix(cidr), Method: proof.DNSToken, Time: now,
		TokenName: "12345678", TokenValue: "8f0cdd0e-7d5b-4b5c-9e4b-1f2d3c4b5a69",
	}
}

const value = `"8f0cdd0e-7d5b-4b5c-9e4b-1f2d3c4b5a69"`

// S7.
func TestATokenProvesControl(t *testing.T) {
	long := strings.Repeat("x", 200)
	for name, c := range map[string]struct {
		cidr    string
		records []string
		want    outcome
		text    string
	}{
		"one record of one octet": {"198.18.123.0/24", []string{"12345678.123.18.198.in-addr.arpa. 60 TXT " + value}, proven, ""},
		"beside other texts":      {"198.18.123.0/24", []string{`12345678.123.18.198.in-addr.arpa. 60 TXT "v=spf1 -all"`, "12345678.123.18.198.in-addr.arpa. 60 TXT " + value}, proven, ""},
		"in two pieces":           {"198.18.123.0/24", []string{`12345678.123.18.198.in-addr.arpa. 60 TXT "8f0cdd0e-7d5b-4b5c-" "9e4b-1f2d3c4b5a69"`}, proven, ""},
		"under an alias": {"198.18.123.0/24", []string{
			"12345678.123.18.198.in-addr.arpa. 60 CNAME token.example.net.", "token.example.net. 60 TXT " + value}, proven, ""},
		"an alias that leads to itself": {"198.18.123.0/24", []string{"12345678.123.18.198.in-addr.arpa. 60 CNAME 12345678.123.18.198.in-addr.arpa."}, unproven, "There is no TXT record"},
		"all of four":                   {"198.18.12.0/22", fourRecords("12", "13", "14", "15"), proven, ""},
		"three of four":                 {"198.18.12.0/22", fourRecords("12", "13", "15"), unproven, "There is no TXT record 12345678.14.18.198.in-addr.arpa."},
		"IPv6": {"2001:db8:80::/47", []string{
			"12345678.0.8.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 60 TXT " + value, "12345678.1.8.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 60 TXT " + value}, proven, ""},
		"none":             {"198.18.123.0/24", nil, unproven, "There is no TXT record 12345678.123.18.198.in-addr.arpa."},
		"another's value":  {"198.18.123.0/24", []string{"12345678.123.18.198.in-addr.arpa. 60 TXT " + long}, unproven, "another value"},
		"another's name":   {"198.18.123.0/24", []string{"87654321.123.18.198.in-addr.arpa. 60 TXT " + value}, unproven, "There is no TXT record"},
		"only of a part":   {"198.18.0.0/16", []string{"12345678.123.18.198.in-addr.arpa. 60 TXT " + value}, unproven, "12345678.18.198.in-addr.arpa."},
		"only of the rest": {"198.18.123.0/24", []string{"12345678.18.198.in-addr.arpa. 60 TXT " + value}, unproven, "There is no TXT record"},
	} {
		t.Run(name, func(t *testing.T) {
			d := proof.NewDNS(serve(t, zone(t, c.records...)).addr, 0)
			wantOutcome(t, d.Verify(t.Context(), tokenClaim(c.cidr)), c.want, c.text)
		})
	}
}

func fourRecords(octets ...string) (records []string) {
	for _, o := range octets {
		records = append(records, fmt.Sprintf("12345678.%s.18.198.in-addr.arpa. 60 TXT %s", o, value))
	}
	return records
}

func TestAnAnswerThatIsTooLongForUDPComesByTCP(t *testing.T) {
	whole := zone(t, "12345678.123.18.198.in-addr.arpa. 60 TXT "+value)
	r := serve(t, func(q dns.Question, reply *dns.Msg, tcp bool) bool {
		reply.Truncated = !tcp
		return !tcp || whole(q, reply, tcp)
	})
	wantOutcome(t, proof.NewDNS(r.addr, 0).Verify(t.Context(), tokenClaim("198.18.123.0/24")), proven, "")
}

func TestAResolverThatDoesNotHelp(t *testing.T) {
	c := tokenClaim("198.18.123.0/24")
	for name, x := range map[string]struct {
		answer    func(dns.Question, *dns.Msg, bool) bool
		text      string
		questions int32
	}{
		"refuses": {func(_ dns.Question, reply *dns.Msg, _ bool) bool { reply.Rcode = dns.RcodeRefused; return true }, "the resolver answers REFUSED", 1},
		"fails":   {func(_ dns.Question, reply *dns.Msg, _ bool) bool { reply.Rcode = dns.RcodeServerFailure; return true }, "the resolver answers SERVFAIL", 1},
		"is silent, and is asked twice": {
			func(dns.Question, *dns.Msg, bool) bool { return false }, "the resolver doesn't answer", 2},
		"answers something else": {func(_ dns.Question, reply *dns.Msg, _ bool) bool { reply.Question[0].Name = "other."; return true }, "doesn't answer", 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, x.answer)
			wantOutcome(t, proof.NewDNS(r.addr, 100*time.Millisecond).Verify(t.Context(), c), unproven, x.text)
			if got := r.questions.Load(); got != x.questions {
				t.Errorf("got %d questions, want %d", got, x.questions)
			}
		})
	}
	wantOutcome(t, proof.NewDNS("127.0.0.1:1", 0).Verify(t.Context(), c), unproven, "can't be looked up")
}

// A claim costs at most so many questions, and stops at the first that fails.
func TestAClaimAsksABoundedNumberOfQuestions(t *testing.T) {
	r := serve(t, func(q dns.Question, reply *dns.Msg, _ bool) bool {
		rr, err := dns.NewRR(q.Name + " 60 TXT " + value)
		reply.Answer = append(reply.Answer, rr)
		return err == nil
	})
	d := proof.NewDNS(r.addr, 0)
	wantOutcome(t, d.Verify(t.Context(), tokenClaim("198.0.0.0/9")), proven, "")
	if got := r.questions.Load(); got != 128 {
		t.Errorf("got %d questions, want 128", got)
	}
	none := serve(t, zone(t))
	wantOutcome(t, proof.NewDNS(none.addr, 0).Verify(t.Context(), tokenClaim("198.0.0.0/9")), unproven, "There is no TXT record 12345678.0.198.in-addr.arpa.")
	if got := none.questions.Load(); got > 8 {
		t.Errorf("got %d questions, want at most 8", got)
	}
}
