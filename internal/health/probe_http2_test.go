package health_test

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/health"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// answers returns a target that answers so, and complains of requests that aren't probes.
func answers(t *testing.T, status int, head, trailer string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "PRI" {
			return // the server doesn't know it for HTTP/2
		}
		body, err := io.ReadAll(r.Body)
		got := r.Method + " " + r.RequestURI + " " + r.Proto + " " + r.Header.Get("Content-Type") + " " + r.Header.Get("Te") + " " + string(body)
		call := "POST /check HTTP/2.0 application/grpc trailers \x00\x00\x00\x00\x00"
		if err != nil || got != call && got != "GET /check HTTP/2.0   " || r.UserAgent() != "ELB-HealthChecker/2.0" {
			t.Errorf("got %q, %v", got, err)
		}
		w.Header().Set("Content-Type", "application/grpc")
		if head != "" {
			w.Header().Set("Grpc-Status", head)
		}
		if trailer != "" {
			w.Header().Set(http.TrailerPrefix+"Grpc-Status", trailer)
		}
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(status)
	}
}

// Target groups of HTTP2 are asked in HTTP/2, those of GRPC by a call (ELB user guide,
// "Health checks").
func TestProbesSpeakTheVersionOfTheTargetGroup(t *testing.T) {
	for _, tt := range []struct {
		name          string
		version       snapshot.ProtocolVersion
		secure, older bool // the target: within TLS, speaks HTTP/1.1 alone
		status        int
		head, trailer string
		matcher, want string
	}{
		{name: "HTTP2", version: snapshot.HTTP2, status: 204, matcher: "200-299", want: "healthy"},
		{name: "HTTP2 within TLS", version: snapshot.HTTP2, secure: true, status: 200, matcher: "200", want: "healthy"},
		{name: "HTTP2 of another status", version: snapshot.HTTP2, status: 404, matcher: "200", want: "unhealthy Target.ResponseCodeMismatch Health checks failed with these codes: [404]"},
		{name: "HTTP2 of a target that doesn't speak it", version: snapshot.HTTP2, older: true, matcher: "200", want: "unhealthy Target.FailedHealthChecks Health checks failed"},
		{name: "HTTP2 of one that doesn't agree to it", version: snapshot.HTTP2, older: true, secure: true, matcher: "200", want: "unhealthy Target.FailedHealthChecks Health checks failed"},
		{name: "GRPC without the method", version: snapshot.GRPC, status: 200, head: "12", matcher: "12", want: "healthy"},
		{name: "GRPC with the method", version: snapshot.GRPC, secure: true, status: 200, trailer: "0", matcher: "0-99", want: "healthy"},
		{name: "GRPC of another status", version: snapshot.GRPC, status: 200, trailer: "14", matcher: "0,12", want: "unhealthy Target.ResponseCodeMismatch Health checks failed with these codes: [14]"},
		{name: "GRPC without a status", version: snapshot.GRPC, status: 200, matcher: "0-99", want: "unhealthy Target.FailedHealthChecks Health checks failed"},
		{name: "GRPC of a server of something else", version: snapshot.GRPC, status: 503, matcher: "0-99", want: "unhealthy Target.ResponseCodeMismatch Health checks failed with these codes: [503]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := httptest.NewUnstartedServer(answers(t, tt.status, tt.head, tt.trailer))
			s.Config.Protocols = new(http.Protocols)
			s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
			s.Config.Protocols.SetHTTP1(tt.older)
			s.Config.Protocols.SetHTTP2(!tt.older)
			s.Config.Protocols.SetUnencryptedHTTP2(!tt.older)
			protocol := snapshot.HTTP
			if tt.secure {
				protocol = snapshot.HTTPS
				s.EnableHTTP2 = !tt.older
				if tt.older {
					s.TLS = &tls.Config{NextProtos: []string{"http/1.1"}}
				}
				s.StartTLS()
			} else {
				s.Start()
			}
			defer s.Close()
			at := netip.MustParseAddrPort(s.Listener.Addr().String())
			told := make(chan snapshot.TargetState, 8)
			p := health.New(health.Options{Log: quiet(), Changed: func(_ string, _ netip.AddrPort, s snapshot.TargetState) {
				if s != snapshot.TargetInitial {
					told <- s
				}
			}})
			defer p.Close()
			check := snapshot.HealthCheck{Enabled: true, Protocol: protocol, Path: "/check", Interval: 50 * time.Millisecond, Timeout: 10 * time.Second, HealthyThreshold: 2, UnhealthyThreshold: 2, Matcher: tt.matcher}
			if err := p.Apply([]*snapshot.TargetGroup{{ARN: "tg", Protocol: protocol, ProtocolVersion: tt.version, HealthCheck: check, Targets: []snapshot.Target{{Addr: at.Addr(), Port: at.Port()}}}}); err != nil {
				t.Fatal(err)
			}
			select {
			case <-told:
			case <-time.After(10 * time.Second):
			}
			if got := state(p); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
