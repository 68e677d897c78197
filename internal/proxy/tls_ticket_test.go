package proxy_test

import (
	"crypto/tls"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// album is the cache of a client that shows the first ticket it was given again and
// again.
type album struct{ first *tls.ClientSessionState }

func (a *album) Get(string) (*tls.ClientSessionState, bool) { return a.first, a.first != nil }

func (a *album) Put(_ string, s *tls.ClientSessionState) {
	if a.first == nil {
		a.first = s
	}
}

// visit makes a request on a connection of its own, and says whether that went on
// with the session that the album has.
func (w *secureWorld) visit(a *album, version uint16) bool {
	w.t.Helper()
	return w.visitAs("shop.example", a, version)
}

func (w *secureWorld) visitAs(name string, a *album, version uint16) bool {
	w.t.Helper()
	cfg := w.trusting(name)
	cfg.ClientSessionCache, cfg.MinVersion, cfg.MaxVersion = a, version, version
	conn, err := tls.Dial("tcp", w.address(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
		w.t.Fatal(err)
	}
	if b, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 200") { // tickets come before it
		w.t.Fatalf("got %q, %v", b, err)
	}
	return conn.ConnectionState().DidResume
}

// The nodes of a load balancer share the keys of its tickets, which change without
// anybody's doing.
func TestClientsGoOnWithSessionsAtOtherNodes(t *testing.T) {
	root := issuer.New(t, "Root")
	shop := root.Issue("shop.example")
	begun := time.Unix(20_000*86400+3600, 0) // within an epoch
	host := func(change func(*secureWorld)) *secureWorld {
		w := newSecureWorldFor(t, root)
		w.lb().CookieKey = []byte("\x07" + strings.Repeat("k", 32))
		w.certify("arn:1", shop)
		change(w)
		w.apply()
		w.proxy.RenewTickets(begun)
		return w
	}
	as := func(*secureWorld) {}
	for _, c := range []struct {
		name     string
		other    func(*secureWorld) // how the other host's assignment differs
		from, at time.Duration      // since begun: when the ticket is made, and when it is shown
		want     bool
	}{
		{name: "another node", other: as, want: true},
		{name: "whose certificate is a new one", other: func(w *secureWorld) { w.certify("arn:1", root.Issue("shop.example")) }, want: true},
		{name: "in the next epoch", other: as, at: 12 * time.Hour, want: true},
		{name: "in the one after it", other: as, at: 24 * time.Hour},
		{name: "whose clock is behind", other: as, from: 12 * time.Hour, want: true},
		{name: "whose clock is far behind", other: as, from: 24 * time.Hour},
		{name: "of another load balancer", other: func(w *secureWorld) { w.lb().CookieKey[1] = 'x' }},
		{name: "of another listener", other: func(w *secureWorld) { w.lb().Listeners[0].ARN += "2" }},
		{name: "whose key can't be opened", other: func(w *secureWorld) { w.lb().CookieKey[0] = 8 }},
		{name: "whose assignment has no key", other: func(w *secureWorld) { w.lb().CookieKey = nil }},
		{name: "whose clients authenticate themselves", other: func(w *secureWorld) { w.lb().Listeners[0].TLS.NoResumption = true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			one, two := host(as), host(c.other)
			one.proxy.RenewTickets(begun.Add(c.from))
			two.proxy.RenewTickets(begun.Add(c.at))
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				a := new(album)
				if one.visit(a, version) || a.first == nil {
					t.Fatal("the first visit: resumed, or got no ticket")
				}
				if got := two.visit(a, version); got != c.want {
					t.Errorf("%s: resumed %v, want %v", tls.VersionName(version), got, c.want)
				}
			}
		})
	}
}

// A session is for the name that its client has asked for (RFC 6066 §3).
func TestSessionsAreForOneName(t *testing.T) {
	w := newSecureWorld(t)
	w.certify("arn:1", w.root.Issue("shop.example", "www.shop.example"))
	w.apply()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		a := new(album)
		for i, c := range []struct {
			name string
			want bool
		}{{"shop.example", false}, {"www.shop.example", false}, {"shop.example", true}, {"SHOP.example", true}, {"www.shop.example", false}} {
			if got := w.visitAs(c.name, a, version); got != c.want {
				t.Errorf("%s, visit %d, of %s: resumed %v, want %v", tls.VersionName(version), i+1, c.name, got, c.want)
			}
		}
	}
}

// Who connected before the keys change is served on, and comes back after it.
func TestTicketsRenewedUnderTraffic(t *testing.T) {
	w := newSecureWorld(t)
	w.lb().CookieKey = []byte("\x07" + strings.Repeat("k", 32))
	w.certify("arn:1", w.root.Issue("shop.example"))
	w.apply()
	a, begun := new(album), time.Unix(20_000*86400, 0)
	for i := range 20 {
		w.proxy.RenewTickets(begun.Add(time.Duration(i) * 6 * time.Hour))
		if resumed := w.visit(a, tls.VersionTLS13); resumed != (i%4 != 0) {
			t.Errorf("visit %d: resumed %v", i, resumed)
		}
		if i%4 == 3 { // at the end of the second epoch
			a.first = nil
		}
	}
}
