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

// A zone whose targets fail leaves DNS, and comes back with them; with the last
// zone all come back.
func TestDNSLeavesOutAZoneWhoseTargetsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 2)
		defer w.stop()
		b := w.create(shop("subnet-a", "subnet-b"))
		web := group(t, w.svc, "web")
		open(t, w.svc, listener(b.ARN, 80, forward(web.ARN)))
		w.setGroup(web, "load_balancing.cross_zone.enabled=false")
		if err := w.svc.RegisterTargets(t.Context(), account, region, web.ARN, []elb.TargetDescription{{ID: "10.0.9.1", Zone: "local-1a"}, {ID: "10.0.9.2", Zone: "local-1b"}}); err != nil {
			t.Fatal(err)
		}
		named := func() string {
			e, _ := w.svc.Endpoint(w.st.Snapshot(), b.ARN)
			var zones []string
			for _, n := range e.Nodes {
				zones = append(zones, n.Zone[len(n.Zone)-1:])
			}
			slices.Sort(zones)
			return strings.Join(zones, "")
		}
		say := func(a, b snapshot.TargetState) {
			w.report(func(r *snapshot.Report) {
				for i, s := range []snapshot.TargetState{a, b} {
					r.Targets = append(r.Targets, snapshot.TargetStatus{TargetGroupARN: web.ARN, Addr: netip.MustParseAddr(fmt.Sprint("10.0.9.", i+1)), Port: web.Port, State: s})
				}
			})
		}
		const up, down, unknown = snapshot.TargetHealthy, snapshot.TargetUnhealthy, snapshot.TargetInitial
		for i, tt := range []struct {
			a, b snapshot.TargetState
			want string
		}{
			{unknown, unknown, "ab"}, {up, unknown, "ab"}, {up, up, "ab"}, {up, down, "a"}, {up, unknown, "a"}, {up, up, "ab"},
			{up, down, "a"}, {down, down, "ab"}, {down, up, "b"}, {unknown, up, "b"}, {up, up, "ab"},
		} {
			if say(tt.a, tt.b); named() != tt.want {
				t.Errorf("%d: with the targets %s and %s DNS names %q, want %q", i, tt.a, tt.b, named(), tt.want)
			}
		}
		if say(up, down); named() != "a" {
			t.Fatalf("DNS names %q, want a", named())
		}
		zoneOf := map[string]string{}
		for _, n := range w.nodes(b.ARN) {
			zoneOf[n.ID] = n.Zone
		}
		w.report(func(r *snapshot.Report) { // all that is left
			for i := range r.Nodes {
				r.Nodes[i].Ready = zoneOf[r.Nodes[i].NodeID] == "local-1b"
			}
		})
		if named() != "b" {
			t.Errorf("when the node of the other zone doesn't serve, DNS names %q, want b", named())
		}
		if say(up, down); named() != "a" {
			t.Fatalf("DNS names %q, want a", named())
		}
		if w.setGroup(web, "load_balancing.cross_zone.enabled=true"); named() != "ab" {
			t.Errorf("across zones DNS names %q, want both", named())
		}
		w.setGroup(web, "load_balancing.cross_zone.enabled=false", "target_group_health.dns_failover.minimum_healthy_targets.count=off")
		if named() != "ab" {
			t.Errorf("with DNS failover off DNS names %q, want both", named())
		}
	})
}
