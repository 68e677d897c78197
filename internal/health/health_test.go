package health_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/health"
	"github.com/fairlead/fairlead/internal/snapshot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ELBv2: one success after registration is enough; afterwards thresholds count.
func TestStatesFollowRunsOfResults(t *testing.T) {
	tests := []struct {
		name               string
		healthy, unhealthy int
		results, want      string
	}{
		{"the first success makes healthy at once", 5, 2, "p", "h"},
		{"one failure leaves a new target initial", 5, 2, "fp", "ih"},
		{"failures make a new target unhealthy", 5, 2, "ff", "iu"},
		{"one failure doesn't take a healthy target out", 5, 2, "pfpfp", "hhhhh"},
		{"consecutive failures do, of whatever kind", 5, 3, "pfmt", "hhhu"},
		{"recovery needs consecutive successes", 3, 2, "ffppfppp", "iuuuuuuh"},
		{"a recovered target needs the threshold to fail again", 2, 2, "ffppff", "iuuhhu"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := health.Run(tt.results, tt.healthy, tt.unhealthy); got != tt.want {
				t.Errorf("%s with thresholds %d and %d: %s, want %s", tt.results, tt.healthy, tt.unhealthy, got, tt.want)
			}
		})
	}
}

func TestMatcher(t *testing.T) {
	for _, tt := range []struct {
		matcher string
		status  int
		want    bool
	}{
		{"200", 200, true}, {"200", 201, false}, {"200,202", 202, true}, {"200-299", 299, true},
		{"200-299", 300, false}, {"200-204,301,400-499", 404, true}, {"200-204,301,400-499", 302, false},
	} {
		if got, err := health.Matches(tt.matcher, snapshot.HTTP1, tt.status); err != nil || got != tt.want {
			t.Errorf("%s matches %d: %t, %v, want %t", tt.matcher, tt.status, got, err, tt.want)
		}
	}
	for matcher, want := range map[string]bool{"12": true, "0-99": true, "0,13": false} {
		if got, err := health.Matches(matcher, snapshot.GRPC, 12); err != nil || got != want {
			t.Errorf("%s matches the call's status 12: %t, %v, want %t", matcher, got, err, want)
		}
	}
	for _, bad := range []string{"100", "-1", "200"} {
		if _, err := health.Matches(bad, snapshot.GRPC, 0); err == nil {
			t.Errorf("matcher %q is accepted of calls", bad)
		}
	}
	for _, bad := range []string{"", "abc", "200-", "-200", "299-200", "99", "600", "200,,201", "200 "} {
		if _, err := health.Matches(bad, snapshot.HTTP1, 200); err == nil {
			t.Errorf("matcher %q is accepted", bad)
		}
	}
}

// fake answers probes inside a synctest bubble, as answer says.
type fake struct {
	mu     sync.Mutex
	answer string // a response; "" for none; "refuse" for no connection
	probes []time.Duration
	begin  time.Time
}

func (f *fake) set(answer string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

func (f *fake) dial(ctx context.Context, _ netip.AddrPort) (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.probes = append(f.probes, time.Since(f.begin))
	answer := f.answer
	if answer == "refuse" {
		return nil, errors.New("connection refused")
	}
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		if _, err := http.ReadRequest(bufio.NewReader(theirs)); err != nil {
			return
		}
		if answer == "" {
			io.Copy(io.Discard, theirs) // until the prober gives up
			return
		}
		io.WriteString(theirs, answer)
	}()
	return ours, nil
}

const (
	ok200  = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	bad502 = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
)

func group(h snapshot.HealthCheck, ports ...uint16) []*snapshot.TargetGroup {
	g := &snapshot.TargetGroup{ARN: "tg", Protocol: snapshot.HTTP, HealthCheck: h}
	for _, p := range ports {
		g.Targets = append(g.Targets, snapshot.Target{Addr: netip.MustParseAddr("10.0.0.1"), Port: p})
	}
	return []*snapshot.TargetGroup{g}
}

var every30 = snapshot.HealthCheck{
	Enabled: true, Protocol: snapshot.HTTP, Path: "/", Interval: 30 * time.Second, Timeout: 5 * time.Second,
	HealthyThreshold: 3, UnhealthyThreshold: 2, Matcher: "200",
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func start(f *fake, changed func(string, netip.AddrPort, snapshot.TargetState)) *health.Prober {
	f.begin = time.Now()
	return health.New(health.Options{Log: quiet(), Dial: f.dial, Changed: changed, Jitter: func() float64 { return 0.5 }})
}

func state(p *health.Prober) string {
	var out []string
	for _, s := range p.Status() {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s", s.State, s.Reason, s.Description)))
	}
	return strings.Join(out, "; ")
}

func expect(t *testing.T, p *health.Prober, when, want string) {
	t.Helper()
	synctest.Wait()
	if got := state(p); got != want {
		t.Errorf("%s: %s\nwant %s", when, got, want)
	}
}

func TestProbesStartAtOnceThenFromStartToStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: ok200}
		p := start(f, nil)
		defer p.Close()
		p.Apply(group(every30, 80))
		expect(t, p, "at once", "healthy")
		f.set("") // each probe now takes its whole timeout
		time.Sleep(100 * time.Second)
		f.mu.Lock()
		defer f.mu.Unlock()
		// The first interval is cut to 0.75 of itself by the jitter.
		want := []time.Duration{0, 22500 * time.Millisecond, 52500 * time.Millisecond, 82500 * time.Millisecond}
		if !slices.Equal(f.probes, want) {
			t.Errorf("probes at %v, want %v", f.probes, want)
		}
	})
}

func TestStatusTellsWhy(t *testing.T) {
	for name, tt := range map[string]struct{ answer, want string }{
		"another status": {bad502, "unhealthy Target.ResponseCodeMismatch Health checks failed with these codes: [502]"},
		"no answer":      {"", "unhealthy Target.Timeout Request timed out"},
		"no connection":  {"refuse", "unhealthy Target.FailedHealthChecks Health checks failed"},
		"not HTTP":       {"SSH-2.0-OpenSSH_9.2\r\n", "unhealthy Target.FailedHealthChecks Health checks failed"},
		"half a head":    {"HTTP/1.1 200 OK\r\n", "unhealthy Target.FailedHealthChecks Health checks failed"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{answer: tt.answer}
				p := start(f, nil)
				defer p.Close()
				p.Apply(group(every30, 80))
				time.Sleep(6 * time.Second)
				expect(t, p, "after one probe", "initial Elb.InitialHealthChecking Initial health checks in progress")
				time.Sleep(30 * time.Second)
				expect(t, p, "after two probes", tt.want)
				f.set(ok200)
				time.Sleep(60 * time.Second)
				if got := state(p); !strings.HasPrefix(got, "unhealthy") {
					t.Errorf("after two successes: %s, want three to be needed", got)
				}
				time.Sleep(30 * time.Second)
				expect(t, p, "after three successes", "healthy")
			})
		})
	}
}

// The state of a target that stays outlives every assignment.
func TestApplyKeepsTheStateOfTargetsThatStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: ok200}
		var mu sync.Mutex
		var changes []string
		p := start(f, func(_ string, a netip.AddrPort, s snapshot.TargetState) {
			mu.Lock()
			defer mu.Unlock()
			changes = append(changes, fmt.Sprint(a.Port(), " ", s))
		})
		defer p.Close()
		p.Apply(group(every30, 80))
		expect(t, p, "registered", "healthy")

		f.set(bad502)
		faster := every30
		faster.Interval = 10 * time.Second
		p.Apply(group(faster, 80, 81))
		expect(t, p, "a second target and another interval", "healthy; initial Elb.InitialHealthChecking Initial health checks in progress")
		time.Sleep(21 * time.Second)
		if got := state(p); !strings.HasPrefix(got, "unhealthy") {
			t.Errorf("after two failures 10 s apart: %s", got)
		}

		off := every30
		off.Enabled = false
		p.Apply(group(off, 80))
		expect(t, p, "switched off", "unavailable Target.HealthCheckDisabled Health checks are disabled")

		drain := group(every30, 80)
		drain[0].Targets[0].Draining = true
		p.Apply(drain)
		expect(t, p, "draining", "draining Target.DeregistrationInProgress Target deregistration is in progress")

		f.set(ok200)
		p.Apply(group(every30, 80))
		expect(t, p, "registered again", "healthy")
		p.Apply(nil)
		expect(t, p, "gone", "")

		mu.Lock()
		defer mu.Unlock()
		want := []string{"80 initial", "80 healthy", "81 initial", "81 initial", "81 unhealthy", "80 unhealthy", "80 unavailable", "80 draining", "80 initial", "80 healthy"}
		if !slices.Equal(changes, want) {
			t.Errorf("changes %q\nwant    %q", changes, want)
		}
	})
}

func TestUnreadableMatcherIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(&fake{answer: ok200}, nil)
		defer p.Close()
		h := every30
		h.Matcher = "fine"
		p.Apply(group(h, 80))
		time.Sleep(time.Minute)
		expect(t, p, "after a while", "unhealthy Elb.InternalError Health checks can't be performed as configured")
	})
}

// What a target sees of a probe, over real sockets.
func TestProbeOnTheWire(t *testing.T) {
	for _, protocol := range []snapshot.Protocol{snapshot.HTTP, snapshot.HTTPS} {
		t.Run(string(protocol), func(t *testing.T) {
			type seen struct{ uri, host, agent, connection string }
			requests := make(chan seen, 1)
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests <- seen{r.RequestURI, r.Host, r.UserAgent(), r.Header.Get("Connection")}
				w.WriteHeader(http.StatusAccepted)
			})
			s := httptest.NewUnstartedServer(h)
			if protocol == snapshot.HTTPS {
				s.StartTLS()
			} else {
				s.Start()
			}
			defer s.Close()
			at := netip.MustParseAddrPort(s.Listener.Addr().String())
			healthy := make(chan struct{})
			p := health.New(health.Options{Log: quiet(), Changed: func(_ string, _ netip.AddrPort, s snapshot.TargetState) {
				if s == snapshot.TargetHealthy {
					close(healthy)
				}
			}})
			defer p.Close()
			check := snapshot.HealthCheck{Enabled: true, Protocol: protocol, Port: at.Port(), Path: "/up?deep=1", Interval: time.Minute, Timeout: 10 * time.Second, HealthyThreshold: 2, UnhealthyThreshold: 2, Matcher: "200-299"}
			p.Apply([]*snapshot.TargetGroup{{ARN: "tg", HealthCheck: check, Targets: []snapshot.Target{{Addr: at.Addr(), Port: 1}}}})
			select {
			case <-healthy:
			case <-time.After(10 * time.Second):
				t.Fatalf("not healthy: %s", state(p))
			}
			if got, want := <-requests, (seen{"/up?deep=1", at.String(), "ELB-HealthChecker/2.0", "close"}); got != want {
				t.Errorf("target saw %+v, want %+v", got, want)
			}
		})
	}
}
