package elb_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// setGroup sets attributes of a target group: "key=value".
func (w *world) setGroup(g elb.TargetGroup, attributes ...string) {
	w.t.Helper()
	changes := map[string]string{}
	for _, a := range attributes {
		key, value, _ := strings.Cut(a, "=")
		changes[key] = value
	}
	if _, err := w.svc.ModifyTargetGroupAttributes(w.t.Context(), account, region, g.ARN, changes); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

// What can be set of a target group is what its hosts are told.
func TestHostsAreToldHowATargetGroupChooses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 2)
		defer w.stop()
		b := w.create(shop("subnet-a", "subnet-b"))
		web := group(t, w.svc, "web")
		open(t, w.svc, listener(b.ARN, 80, forward(web.ARN)))
		one := snapshot.Threshold{Count: 1}
		for _, tt := range []struct {
			set    []string
			choose snapshot.Balancing
			stay   snapshot.TargetStickiness
		}{
			{[]string{"deregistration_delay.timeout_seconds=10"}, snapshot.Balancing{MinimumHealthy: one}, snapshot.TargetStickiness{}},
			{[]string{"slow_start.duration_seconds=45"}, snapshot.Balancing{SlowStart: 45 * time.Second, MinimumHealthy: one}, snapshot.TargetStickiness{}},
			{[]string{"slow_start.duration_seconds=0", "load_balancing.algorithm.type=weighted_random", "load_balancing.algorithm.anomaly_mitigation=on"},
				snapshot.Balancing{Algorithm: snapshot.WeightedRandom, AnomalyMitigation: true, MinimumHealthy: one}, snapshot.TargetStickiness{}},
			{[]string{"load_balancing.algorithm.type=least_outstanding_requests", "load_balancing.algorithm.anomaly_mitigation=off", "load_balancing.cross_zone.enabled=false"},
				snapshot.Balancing{Algorithm: snapshot.LeastOutstanding, ZoneOnly: true, MinimumHealthy: one}, snapshot.TargetStickiness{}},
			{[]string{"load_balancing.algorithm.type=round_robin", "load_balancing.cross_zone.enabled=true", "stickiness.enabled=true"},
				snapshot.Balancing{MinimumHealthy: one}, snapshot.TargetStickiness{Duration: 24 * time.Hour}},
			{[]string{"stickiness.lb_cookie.duration_seconds=60"}, snapshot.Balancing{MinimumHealthy: one}, snapshot.TargetStickiness{Duration: time.Minute}},
			{[]string{"stickiness.type=app_cookie", "stickiness.app_cookie.cookie_name=sid", "stickiness.app_cookie.duration_seconds=7"},
				snapshot.Balancing{MinimumHealthy: one}, snapshot.TargetStickiness{Duration: 7 * time.Second, Cookie: "sid"}},
			{[]string{"stickiness.enabled=false", "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage=30",
				"target_group_health.unhealthy_state_routing.minimum_healthy_targets.count=2", "target_group_health.dns_failover.minimum_healthy_targets.count=off"},
				snapshot.Balancing{MinimumHealthy: snapshot.Threshold{Count: 2, Percent: 30}}, snapshot.TargetStickiness{}},
		} {
			w.setGroup(web, tt.set...)
			g := w.newest().TargetGroups[0]
			if diff := cmp.Diff(tt.choose, g.Balancing) + cmp.Diff(tt.stay, g.Stickiness); diff != "" {
				t.Errorf("%v (-want +got):\n%s", tt.set, diff)
			}
		}
	})
}

// Whichever comes first, the rule or the stickiness of its targets, the load
// balancer's nodes know clients again.
func TestStickyTargetsNeedACookieKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 2)
		defer w.stop()
		b := w.create(shop("subnet-a", "subnet-b"))
		web, api := group(t, w.svc, "web"), group(t, w.svc, "apis")
		key := func() string {
			b, err := w.svc.LoadBalancer(w.st.Snapshot(), account, region, b.ARN)
			if err != nil {
				t.Fatal(err)
			}
			return string(b.CookieKey)
		}
		w.setGroup(api, "stickiness.enabled=true")
		open(t, w.svc, listener(b.ARN, 80, forward(web.ARN)))
		if got := key(); got != "" {
			t.Errorf("without sticky targets: the key %q", got)
		}
		w.setGroup(web, "stickiness.enabled=true")
		first := key()
		if first == "" {
			t.Error("no key once a target group in use has sticky targets")
		}
		open(t, w.svc, listener(b.ARN, 81, forward(api.ARN)))
		if w.setGroup(web, "stickiness.lb_cookie.duration_seconds=60"); key() != first {
			t.Error("the key has changed")
		}

		second := shop("subnet-a", "subnet-b")
		second.Name, second.PoolID = "second", ""
		other := w.create(second)
		sticky := group(t, w.svc, "sticky")
		w.setGroup(sticky, "stickiness.enabled=true")
		b = other
		if open(t, w.svc, listener(other.ARN, 80, forward(sticky.ARN))); key() == "" || key() == first {
			t.Errorf("a rule with sticky targets: the key %q, want one of the load balancer's own", key())
		}
	})
}
