package proxy_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// secureTarget is a target within TLS, and what it has been asked.
type secureTarget struct {
	address string

	mu     sync.Mutex // guards the following
	hellos []string   // names that were asked for, "-" for none
	groups []tls.CurveID
}

// asked returns the names that connections have asked for since the last call.
func (s *secureTarget) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.hellos
	s.hellos = nil
	return out
}

// secureTarget has a target that shows the certificate, and answers with "resumed" or
// "whole" for its handshake. It closes the connection after /close.
func (w *world) secureTarget(p issuer.Pair, edit func(*tls.Config)) *secureTarget {
	w.t.Helper()
	out := new(secureTarget)
	cert, err := tls.X509KeyPair(p.Certificate, p.Key)
	if err != nil {
		w.t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/close" {
			rw.Header().Set("Connection", "close")
		}
		_, _ = io.WriteString(rw, map[bool]string{true: "resumed", false: "whole"}[r.TLS.DidResume])
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		out.mu.Lock()
		defer out.mu.Unlock()
		name := h.ServerName
		if name == "" {
			name = "-"
		}
		out.hellos = append(out.hellos, name)
		out.groups = h.SupportedCurves
		return nil, nil
	}}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0) // of clients that believe it not
	if edit != nil {
		edit(s.TLS)
	}
	s.StartTLS()
	w.t.Cleanup(s.Close)
	out.address = s.Listener.Addr().String()
	w.a.TargetGroups[0].Protocol = snapshot.HTTPS
	w.register(out.address)
	return out
}

// journal is what a proxy has logged, while it runs.
type journal struct {
	mu   sync.Mutex // guards the following
	text []byte
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text = append(j.text, b...)
	return len(b), nil
}

func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return bytes.Count(j.text, []byte(text))
}

// as asks for a host on a connection of its own.
func (w *world) as(host string) (status int, body string) {
	w.t.Helper()
	c := w.dial()
	c.say("GET / HTTP/1.1\nHost: %s\nConnection: close\n\n", host)
	resp, b := c.hear("GET")
	return resp.StatusCode, string(b)
}

// By default any target is believed; else one with a certificate that somebody vouches
// for whom the host believes, for the name that it is asked for.
func TestTargetsAreVerifiedWhereToldTo(t *testing.T) {
	root, stranger := issuer.New(t, "Root"), issuer.New(t, "Stranger")
	expired := func(c *x509.Certificate) {
		c.DNSNames, c.NotBefore, c.NotAfter = []string{"shop.example"}, time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	}
	for _, c := range []struct {
		name string
		tls  snapshot.TargetTLS
		pair issuer.Pair
		host string // of the request
		want int
	}{
		{"not verified", snapshot.TargetTLS{}, stranger.IssueFor(issuer.Key(t), expired), "shop.example", 200},
		{"the host that the request is for", snapshot.TargetTLS{Verify: true}, root.Issue("shop.example"), "shop.example", 200},
		{"with a port", snapshot.TargetTLS{Verify: true}, root.Issue("shop.example"), "shop.example:8080", 200},
		{"another host", snapshot.TargetTLS{Verify: true}, root.Issue("shop.example"), "evil.example", 502},
		{"an address", snapshot.TargetTLS{Verify: true}, root.Issue("shop.example"), "[2001:db8::1]:80", 502},
		{"the group's name", snapshot.TargetTLS{Verify: true, ServerName: "shop.internal"}, root.Issue("shop.internal"), "any.example", 200},
		{"not the group's name", snapshot.TargetTLS{Verify: true, ServerName: "shop.internal"}, root.Issue("shop.example"), "shop.example", 502},
		{"nobody vouches for it", snapshot.TargetTLS{Verify: true}, stranger.Issue("shop.example"), "shop.example", 502},
		{"its time is over", snapshot.TargetTLS{Verify: true}, root.IssueFor(issuer.Key(t), expired), "shop.example", 502},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := new(journal)
			w := newWorldWith(t, proxy.Options{TargetRoots: root.Pool(), Loops: 1, Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))})
			w.secureTarget(c.pair, nil)
			w.a.TargetGroups[0].TLS = c.tls
			w.apply()
			for range 3 {
				if got, _ := w.as(c.host); got != c.want {
					t.Errorf("got %d, want %d", got, c.want)
				}
			}
			if told := log.count("target not believed"); told != map[int]int{200: 0, 502: 1}[c.want] {
				t.Errorf("the log tells of it %d times", told)
			}
		})
	}
	t.Run("its root isn't among the system's", func(t *testing.T) {
		w := newWorldWith(t, proxy.Options{})
		w.secureTarget(root.Issue("shop.example"), nil)
		w.a.TargetGroups[0].TLS = snapshot.TargetTLS{Verify: true}
		w.apply()
		if got, _ := w.as("shop.example"); got != 502 {
			t.Errorf("got %d, want 502", got)
		}
	})
}

// A target is asked for the host that a request is for. Connections carry requests for
// one host each, then: the target may serve others otherwise.
func TestTargetsAreAskedForTheHost(t *testing.T) {
	w := newWorldWith(t, proxy.Options{Loops: 1})
	s := w.secureTarget(issuer.New(t, "Root").Issue("shop.example"), nil)
	w.apply()
	ask := func(want []string, hosts ...string) {
		t.Helper()
		for _, host := range hosts {
			if got, _ := w.as(host); got != 200 {
				t.Errorf("%s: got %d", host, got)
			}
			eventually(t, "the target's connection is put back", func() bool {
				return w.proxy.InFlight(tgARN, w.a.TargetGroups[0].Targets[0].AddrPort()) == 0
			})
		}
		if got := s.asked(); !slices.Equal(got, want) {
			t.Errorf("requests for %q: targets were asked for %q, want %q", hosts, got, want)
		}
	}
	ask([]string{"shop.example", "api.example", "-"}, "shop.example", "Shop.Example:8080", "api.example", "127.0.0.1", "api.example", "shop.example", "127.0.0.1:80")
	ask(nil, "api.example", "127.0.0.1", "shop.example", "api.example")
	w.a.TargetGroups[0].TLS.ServerName = "shop.internal"
	w.apply()
	ask([]string{"shop.internal"}, "shop.example", "api.example", "127.0.0.1")
}

// Targets may be as old as AWS's own policy for them lets them be, and get to know
// hybrid key exchange where a listener asks for it.
func TestTargetsMayBeOld(t *testing.T) {
	root := issuer.New(t, "Root")
	for name, edit := range map[string]func(*tls.Config){
		"TLS 1.0": func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10 },
		"CBC": func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256}
		},
		"TLS 1.3 alone": func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorldWith(t, proxy.Options{Loops: 1})
			s := w.secureTarget(root.Issue("shop.example"), edit)
			for _, hybrid := range []bool{false, true} {
				w.a.TargetGroups[0].TLS.PostQuantum = hybrid
				w.apply()
				if got, _ := w.as("shop.example"); got != 200 {
					t.Errorf("got %d", got)
				}
				s.mu.Lock()
				if got := slices.Contains(s.groups, tls.X25519MLKEM768); got != hybrid || !slices.Contains(s.groups, tls.X25519) {
					t.Errorf("hybrid key exchange %v: offered %v", hybrid, s.groups)
				}
				s.mu.Unlock()
			}
		})
	}
}

// A connection goes on with the session of one before it.
func TestSessionsWithTargetsAreResumed(t *testing.T) {
	w := newWorldWith(t, proxy.Options{Loops: 1})
	w.secureTarget(issuer.New(t, "Root").Issue("shop.example"), nil)
	w.apply()
	for i, want := range []string{"whole", "resumed", "resumed"} {
		c := w.dial()
		c.say("GET /close HTTP/1.1\nHost: shop.example\nConnection: close\n\n")
		if _, got := c.hear("GET"); string(got) != want {
			t.Errorf("connection %d: got %q, want %q", i+1, got, want)
		}
	}
}

// Who accepts and then says nothing is a target that doesn't answer in time.
func TestATargetThatDoesntShakeHandsIs504(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // nobody accepts: the kernel does
	w.a.TargetGroups[0].Protocol = snapshot.HTTPS
	w.register(l.Addr().String())
	w.apply()
	begun := time.Now()
	if got, _ := w.as("shop.example"); got != 504 {
		t.Errorf("got %d, want 504", got)
	}
	if took := time.Since(begun); took < 9*time.Second || took > 15*time.Second {
		t.Errorf("it took %v, want 10 s", took)
	}
}
