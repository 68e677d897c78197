package proxy_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/accesslog"
	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// ELB user guide, health check logs: each node of a load balancer has a line of a
// check of its targets, as long as it keeps the log and uses the target group.
func TestChecksAreLoggedByTheNodesThatUseTheTarget(t *testing.T) {
	book := &logBook{}
	w := newWorldWith(t, proxy.Options{Logs: book.open})
	second := *w.a.Nodes[0]
	second.ID, second.Zone, second.Public = "node-2", "b", netip.MustParseAddr("192.0.2.7")
	w.bound["node-2"] = newAddress()
	w.a.Nodes = append(w.a.Nodes, &second)
	const otherARN = tgARN + "0"
	other := *w.a.TargetGroups[0]
	other.ARN = otherARN
	w.a.TargetGroups = append(w.a.TargetGroups, &other)

	check := func(when, group string, want ...string) {
		t.Helper()
		w.apply()
		w.proxy.LogCheck(group, accesslog.Health{
			Type: "http", Time: time.Date(2026, 11, 22, 6, 3, 58, 0, time.UTC), Latency: 4318207, Target: netip.MustParseAddrPort("10.20.1.15:80"), Group: "web", Passed: true, Status: 200,
		})
		book.mu.Lock()
		defer book.mu.Unlock()
		got := book.lines[proxy.HealthCheckLog]
		book.lines = nil
		slices.Sort(got)
		for i, node := range want {
			want[i] = "http 2026-11-22T06:03:58.000000Z 0.004318207 10.20.1.15:80 web PASS 200 - app/web/0123456789abcdef " + node
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	first := w.a.Nodes[0].Address().String()
	check("while no log is kept", tgARN)
	w.lb().Logs.HealthChecks.Name = "logs"
	check("of two nodes", tgARN, first, "192.0.2.7")
	check("of a target group that no rule names", otherARN)
	l := &w.lb().Listeners[0]
	l.Rules = append([]snapshot.Rule{pathRule("a", 1, "/a", forwardTo(otherARN))}, l.Rules...)
	check("once one does", otherARN, first, "192.0.2.7")
	w.a.Nodes = w.a.Nodes[:1]
	check("with a node less", otherARN, first)
	l.Rules = l.Rules[1:]
	check("once none names it any more", otherARN)
	w.bound["node-1"] = newAddress()
	check("after the node has moved", tgARN, first)
	w.lb().Logs.HealthChecks = snapshot.Bucket{}
	check("once no log is kept any more", tgARN)
}
