package testkit

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Target is an HTTP server that answers its name.
type Target struct {
	Name string
	Addr netip.AddrPort
	Stop func()
}

// StartTarget starts a target on 127.0.0.1; handler may be nil.
func StartTarget(t testing.TB, name string, handler http.Handler) *Target {
	t.Helper()
	if handler == nil {
		handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(w, "%s for %s from %s\n", name, r.Host, r.Header.Get("X-Forwarded-For"))
		})
	}
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	return &Target{Name: name, Addr: netip.MustParseAddrPort(srv.Listener.Addr().String()), Stop: srv.Close}
}

// Resolve asks the server's DNS for a name's addresses (A records), in order of
// address; none for a name that doesn't exist or has none.
func (s *Server) Resolve(t testing.TB, name string) []netip.Addr {
	t.Helper()
	return s.resolve(t, name, dns.TypeA)
}

// ResolveIPv6 is Resolve for AAAA records.
func (s *Server) ResolveIPv6(t testing.TB, name string) []netip.Addr {
	t.Helper()
	return s.resolve(t, name, dns.TypeAAAA)
}

func (s *Server) resolve(t testing.TB, name string, kind uint16) []netip.Addr {
	t.Helper()
	m := new(dns.Msg).SetQuestion(dns.Fqdn(strings.ToLower(name)), kind)
	in, _, err := (&dns.Client{Timeout: 2 * time.Second}).Exchange(m, s.DNS)
	if err != nil {
		t.Fatalf("resolve %s: %v", name, err)
	}
	var out []netip.Addr
	for _, rr := range in.Answer {
		switch a := rr.(type) {
		case *dns.A:
			addr, _ := netip.AddrFromSlice(a.A.To4())
			out = append(out, addr)
		case *dns.AAAA:
			addr, _ := netip.AddrFromSlice(a.AAAA.To16())
			out = append(out, addr)
		}
	}
	return out
}

// Eventually waits until f returns nil, and fails the test with what it last
// returned after ten seconds.
func Eventually(t testing.TB, what string, f func() error) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(5 * time.Millisecond) // between two looks, not for anything to have happened
	}
}

// FreePort returns a port that was free on all of the addresses a moment ago.
func FreePort(t testing.TB) uint16 {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return netip.MustParseAddrPort(ln.Addr().String()).Port()
}
