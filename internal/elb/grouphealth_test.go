package elb

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// targets are zones' letters, each with how its target is: h healthy, u not, p not
// known yet.
func zoneTargets(s ...string) (out []zoneTarget) {
	for _, t := range s {
		zone := t[:1]
		if zone == "*" {
			zone = anyZone
		}
		out = append(out, zoneTarget{zone: zone, healthy: t[1] == 'h', pending: t[1] == 'p'})
	}
	return out
}

// ELB user guide, "Target group health".
func TestJudgingZones(t *testing.T) {
	count := func(n int) snapshot.Threshold { return snapshot.Threshold{Count: n} }
	percent := func(n int) snapshot.Threshold { return snapshot.Threshold{Count: 1, Percent: n} }
	var ten []string // of each zone; six of b's fail
	for i := range 10 {
		b := "bh"
		if i < 6 {
			b = "bu"
		}
		ten = append(ten, "ah", b)
	}
	for _, tt := range []struct {
		name   string
		groups []groupHealth
		a, b   verdict
	}{
		{"there are no groups", nil, fine, fine},
		{"a group has no targets", []groupHealth{{count(1), true, nil}}, fine, fine},
		{"each zone has its target", []groupHealth{{count(1), true, zoneTargets("ah", "bh")}}, fine, fine},
		{"one zone's fails", []groupHealth{{count(1), true, zoneTargets("ah", "bu")}}, fine, failing},
		{"one zone has none", []groupHealth{{count(1), true, zoneTargets("ah")}}, fine, failing},
		{"one zone's isn't known yet", []groupHealth{{count(1), true, zoneTargets("ah", "bp")}}, fine, unsettled},
		{"one known to fail, one not known yet, and two are asked for", []groupHealth{{count(2), true, zoneTargets("ah", "ah", "bu", "bp")}}, fine, failing},
		{"a target of any zone is of each", []groupHealth{{count(1), true, zoneTargets("*h", "bu")}}, fine, fine},
		{"nothing is asked for", []groupHealth{{snapshot.Threshold{}, true, zoneTargets("au", "bu")}}, fine, fine},
		{"across zones all count alike", []groupHealth{{count(1), false, zoneTargets("ah", "bu")}}, fine, fine},
		{"across zones all fail alike", []groupHealth{{count(2), false, zoneTargets("ah", "bu")}}, failing, failing},
		{"the guide's example, within zones", []groupHealth{{percent(50), true, zoneTargets(ten...)}}, fine, failing},
		{"the guide's example, across zones", []groupHealth{{percent(50), false, zoneTargets(ten...)}}, fine, fine},
		{"one group of several is enough", []groupHealth{{count(1), true, zoneTargets("ah", "bh")}, {count(1), true, zoneTargets("au", "bh")}}, failing, fine},
	} {
		got := judge([]ZoneSubnet{{Zone: "a"}, {Zone: "b"}}, tt.groups)
		if got["a"] != tt.a || got["b"] != tt.b {
			t.Errorf("%s: a %d, b %d, want %d, %d", tt.name, got["a"], got["b"], tt.a, tt.b)
		}
	}
}

func TestPlanOfNames(t *testing.T) {
	now := time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)
	two := LoadBalancer{State: Active, Zones: []ZoneSubnet{{"a", "subnet-a"}, {"b", "subnet-b"}}}
	node := func(zone string, withdrawn bool, marks string) observedNode {
		n := seen(now, zone, NodeInService, 0, marks)
		n.Withdrawn = withdrawn
		return n
	}
	const in, out = false, true
	for _, tt := range []struct {
		name   string
		a, b   verdict
		nodes  []observedNode
		want   string
		looked bool // again, by itself
	}{
		{"both are fine", fine, fine, []observedNode{node("a", in, "ihrs"), node("b", in, "ihrs")}, "", false},
		{"one fails", fine, failing, []observedNode{node("a", in, "ihrs"), node("b", in, "ihrs")}, "withdraw node-b", true},
		{"one has failed", fine, failing, []observedNode{node("a", in, "ihrs"), node("b", out, "ihrs")}, "", true},
		{"it is fine again", fine, fine, []observedNode{node("a", in, "ihrs"), node("b", out, "ihrs")}, "restore node-b", false},
		{"the other one fails too: all are named", failing, failing, []observedNode{node("a", in, "ihrs"), node("b", out, "ihrs")}, "restore node-b", false},
		{"it isn't known of one that was in", fine, unsettled, []observedNode{node("a", in, "ihrs"), node("b", in, "ihrs")}, "", false},
		{"it isn't known of one that was out", fine, unsettled, []observedNode{node("a", in, "ihrs"), node("b", out, "ihrs")}, "", true},
		{"it isn't known of one that was out, and the other one fails", failing, unsettled, []observedNode{node("a", in, "ihrs"), node("b", out, "ihrs")}, "restore node-b", false},
		{"the host is silent", fine, failing, []observedNode{node("a", in, "i"), node("b", in, "i")}, "", true},
	} {
		o := observed{balancer: two, nodes: tt.nodes, now: now, verdicts: map[string]verdict{"a": tt.a, "b": tt.b}}
		steps, again := plan(o, time.Minute)
		got := ""
		for _, s := range steps {
			got += string(s.action) + " " + s.nodes[0]
		}
		if got != tt.want || (again > 0) != tt.looked {
			t.Errorf("%s: %q, again after %v; want %q, again %t", tt.name, got, again, tt.want, tt.looked)
		}
	}
}
