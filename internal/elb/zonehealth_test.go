package elb_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// CloudWatch HealthyStateDNS and HealthyStateRouting: what is told of a zone is what
// DNS and the zone's nodes go by (ELB user guide, "Target group health").
func TestZonesAreToldToBeHealthyOrNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 2)
		defer w.stop()
		b := w.create(shop("subnet-a", "subnet-b"))
		web := group(t, w.svc, "web")
		open(t, w.svc, listener(b.ARN, 80, forward(web.ARN)))
		if err := w.svc.RegisterTargets(t.Context(), account, region, web.ARN, []elb.TargetDescription{
			{ID: "10.0.9.1", Zone: "local-1a"}, {ID: "10.0.9.2", Zone: "local-1a"}, {ID: "10.0.9.3", Zone: "local-1b"}, {ID: "10.0.9.4", Zone: "local-1b"},
		}); err != nil {
			t.Fatal(err)
		}
		const (
			within  = "load_balancing.cross_zone.enabled=false"
			across  = "load_balancing.cross_zone.enabled=true"
			dns     = "target_group_health.dns_failover.minimum_healthy_targets."
			routing = "target_group_health.unhealthy_state_routing.minimum_healthy_targets."
		)
		for _, tt := range []struct {
			attributes []string
			targets    string // two of each zone: h healthy, u not, p not known yet
			want       string
		}{
			{[]string{within}, "hhhh", "a: dns routing, b: dns routing"},
			{nil, "huuh", "a: dns routing, b: dns routing"},
			{nil, "hhuu", "a: dns routing, b:"},
			{nil, "hhpu", "a: dns routing, b: dns routing"},
			{[]string{dns + "count=2"}, "hhhu", "a: dns routing, b: routing"},
			{[]string{routing + "count=2"}, "hhhu", "a: dns routing, b:"},
			{[]string{across}, "hhhu", "a: dns routing, b: dns routing"},
			{nil, "huuu", "a:, b:"},
			{[]string{dns + "count=off", routing + "count=1", routing + "percentage=50"}, "huuu", "a: dns, b: dns"},
			{[]string{routing + "percentage=off"}, "huuu", "a: dns routing, b: dns routing"},
			{nil, "uuuu", "a: dns, b: dns"},
		} {
			if len(tt.attributes) > 0 {
				w.setGroup(web, tt.attributes...)
			}
			w.report(func(r *snapshot.Report) {
				for i, c := range tt.targets {
					state := map[rune]snapshot.TargetState{'h': snapshot.TargetHealthy, 'u': snapshot.TargetUnhealthy, 'p': snapshot.TargetInitial}[c]
					r.Targets = append(r.Targets, snapshot.TargetStatus{TargetGroupARN: web.ARN, Addr: netip.MustParseAddr(fmt.Sprint("10.0.9.", i+1)), Port: web.Port, State: state})
				}
			})
			var got []string
			for z := range w.svc.ZoneHealth(w.st.Snapshot()) {
				text := z.Zone[len(z.Zone)-1:] + ":"
				if z.DNS {
					text += " dns"
				}
				if z.Routing {
					text += " routing"
				}
				if z.LoadBalancer != b.ARN || z.TargetGroup != web.ARN {
					t.Errorf("got %+v", z)
				}
				got = append(got, text)
			}
			slices.Sort(got)
			if got := strings.Join(got, ", "); got != tt.want {
				t.Errorf("%v, %s: got %s, want %s", tt.attributes, tt.targets, got, tt.want)
			}
		}
	})
}
