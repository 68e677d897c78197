package server

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead/fairlead/internal/ipam"
)

// findings is what the metrics say that the latest sweep found; -1 before it.
func (s *sweeper) findings(t *testing.T) (all float64, at time.Time) {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(s)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if len(families) == 0 {
		return -1, at
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "fairlead_fsck_timestamp_seconds" {
				at = time.Unix(int64(m.GetGauge().GetValue()), 0)
			} else {
				all += m.GetGauge().GetValue()
			}
		}
	}
	return all, at
}

// I2: a server sweeps soon after its start and hourly from then on, says what it
// finds, and changes nothing.
func TestAServerSweepsEveryHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEstate(t)
		var logged bytes.Buffer
		s := &sweeper{checker: e.checker(fsckGrace), log: slog.New(slog.NewTextHandler(&logged, nil))}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.run(ctx)
		}()
		begin := time.Now()
		after := func(d time.Duration, want float64, swept time.Duration) {
			t.Helper()
			time.Sleep(time.Until(begin.Add(d)))
			synctest.Wait()
			if got, at := s.findings(t); got != want || want >= 0 && at.Sub(begin).Round(time.Second) != swept {
				t.Errorf("after %s: %v findings by a sweep after %s; want %v after %s", d, got, at.Sub(begin), want, swept)
			}
		}
		after(fsckFirst-time.Second, -1, 0)
		after(fsckFirst+time.Second, 0, fsckFirst)
		if logged.Len() > 0 {
			t.Errorf("of nothing found it says %s", &logged)
		}
		e.block(e.pool, "192.0.2.146/32", holder(ipam.EIP, "eipalloc-gone"))
		after(fsckEvery, 0, fsckFirst)
		after(fsckFirst+fsckEvery+time.Second, 1, fsckFirst+fsckEvery)
		after(fsckFirst+3*fsckEvery+time.Second, 1, fsckFirst+3*fsckEvery)
		cancel()
		<-ended
		for _, want := range []string{"level=WARN", "kind=orphan", "192.0.2.146/32", "eipalloc-gone", "invariant=I2"} {
			if lines := strings.Count(logged.String(), want); lines != 3 {
				t.Errorf("%q is in %d lines, want each of three sweeps':\n%s", want, lines, &logged)
			}
		}
	})
}
