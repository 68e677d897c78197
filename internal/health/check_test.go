package health_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fairlead/fairlead/internal/health"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// ELB user guide, health check log entries: each check is told of once, with why
// it failed.
func TestEachCheckIsToldOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{begin: time.Now()}
		told := make(chan health.Check, 1)
		p := health.New(health.Options{Log: quiet(), Dial: f.dial, Jitter: func() float64 { return 1 }, Checked: func(c health.Check) { told <- c }})
		defer p.Close()
		key := snapshot.TargetKey{TargetGroupARN: "tg", Addr: netip.MustParseAddrPort("10.0.0.1:80")}
		for i, tt := range []struct {
			name, answer string
			want         health.Check
		}{
			{"a response that passes", ok200, health.Check{Passed: true, Status: 200}},
			{"another one", "HTTP/1.1 404 Not Found\r\n\r\n", health.Check{Status: 404, Reason: "ResponseCodeMismatch"}},
			{"an error of the target's", bad502, health.Check{Status: 502, Reason: "TargetError"}},
			{"no response in time", "", health.Check{Latency: 2 * time.Second, Reason: "TimedOut"}},
			{"no connection", "refuse", health.Check{Reason: "ConnectionReset"}},
			{"a connection that is closed amid the response", "HTTP/1.1 200 OK\r\n", health.Check{Reason: "ConnectionReset"}},
			{"no HTTP", "SSH-2.0-OpenSSH_9.9\r\n\r\n", health.Check{Reason: "TargetError"}},
		} {
			f.set(tt.answer)
			if i == 0 {
				if err := p.Apply(group(snapshot.HealthCheck{Enabled: true, Protocol: snapshot.HTTP, Interval: 10 * time.Second, Timeout: 2 * time.Second, Matcher: "200", HealthyThreshold: 2, UnhealthyThreshold: 2}, 80)); err != nil {
					t.Fatal(err)
				}
			}
			got := <-told
			tt.want.Key, tt.want.Protocol = key, snapshot.HTTP
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(health.Check{}, "Time"), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.name, diff)
			}
			if at := got.Time.Sub(f.begin); at != time.Duration(i)*10*time.Second {
				t.Errorf("%s: begun after %v", tt.name, at)
			}
			synctest.Wait()
		}
	})
}
