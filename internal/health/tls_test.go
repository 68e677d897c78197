package health_test

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/health"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// A target that requests wouldn't believe isn't healthy, and one that they reach is,
// however old. A probe is for no host: without a name for the group any will do.
func TestProbesBelieveATargetAsRequestsDo(t *testing.T) {
	root, stranger := issuer.New(t, "Root"), issuer.New(t, "Stranger")
	for _, c := range []struct {
		name   string
		tls    snapshot.TargetTLS
		issuer *issuer.Issuer
		newest uint16 // version of TLS
		want   snapshot.TargetState
	}{
		{"not verified", snapshot.TargetTLS{}, stranger, tls.VersionTLS13, snapshot.TargetHealthy},
		{"not verified, of TLS 1.0", snapshot.TargetTLS{}, stranger, tls.VersionTLS10, snapshot.TargetHealthy},
		{"verified", snapshot.TargetTLS{Verify: true}, root, tls.VersionTLS13, snapshot.TargetHealthy},
		{"verified, of nobody's", snapshot.TargetTLS{Verify: true}, stranger, tls.VersionTLS13, snapshot.TargetUnhealthy},
		{"with the group's name", snapshot.TargetTLS{Verify: true, ServerName: "shop.internal"}, root, tls.VersionTLS13, snapshot.TargetHealthy},
		{"with another name", snapshot.TargetTLS{Verify: true, ServerName: "other.internal"}, root, tls.VersionTLS13, snapshot.TargetUnhealthy},
	} {
		t.Run(c.name, func(t *testing.T) {
			pair := c.issuer.Issue("shop.internal")
			cert, err := tls.X509KeyPair(pair.Certificate, pair.Key)
			if err != nil {
				t.Fatal(err)
			}
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, MaxVersion: c.newest}
			s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
			s.StartTLS()
			defer s.Close()
			at := netip.MustParseAddrPort(s.Listener.Addr().String())
			told := make(chan snapshot.TargetState, 8)
			p := health.New(health.Options{Log: quiet(), TargetRoots: root.Pool(), Changed: func(_ string, _ netip.AddrPort, s snapshot.TargetState) { told <- s }})
			defer p.Close()
			check := snapshot.HealthCheck{Enabled: true, Protocol: snapshot.HTTPS, Path: "/", Interval: 100 * time.Millisecond, Timeout: 10 * time.Second, HealthyThreshold: 2, UnhealthyThreshold: 2, Matcher: "200"}
			if err := p.Apply([]*snapshot.TargetGroup{{ARN: "tg", Protocol: snapshot.HTTPS, TLS: c.tls, HealthCheck: check, Targets: []snapshot.Target{{Addr: at.Addr(), Port: at.Port()}}}}); err != nil {
				t.Fatal(err)
			}
			for over := time.After(10 * time.Second); ; {
				select {
				case got := <-told:
					if got == snapshot.TargetInitial {
						continue
					}
					if got != c.want {
						t.Errorf("got %s, want %s", got, c.want)
					}
				case <-over:
					t.Errorf("never %s", c.want)
				}
				return
			}
		})
	}
}
