package elb

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// seen is an observed node for the table: a zone's letter, its phase, and marks:
// i interface, a address, h heard, r reported, s serves, c open connections,
// x closed by its host, m bound elsewhere than recorded, g in security groups that
// its load balancer has left. v is an IPv6 address of the interface, V that it has none, 5 to 9 that of
// a node which starts, serves, retires, drains, is closed; R, S, X are r, s, x of it.
func seen(now time.Time, zone string, phase NodePhase, since time.Duration, marks string) observedNode {
	has := func(m string) bool { return strings.Contains(marks, m) }
	n := observedNode{Node: Node{ID: "node-" + zone, Zone: zone, SubnetID: "subnet-" + zone, Phase: phase, Since: now.Add(-since)}}
	if has("i") {
		n.iface.ID = "eni-" + zone
	}
	if has("g") {
		n.iface.SecurityGroups = []string{"sg-former"}
	}
	for mark, phase := range map[string]NodePhase{"5": NodeStarting, "6": NodeInService, "7": NodeRetiring, "8": NodeDraining, "9": NodeClosed} {
		if has(mark) {
			n.IPv6, n.iface.IPv6 = NodeIPv6{Addr: addr("fdfa:1ead::4"), Phase: phase, Since: n.Since}, addr("fdfa:1ead::4")
		}
	}
	if has("V") {
		n.iface.IPv6 = netip.Addr{}
	}
	if has("v") {
		n.iface.IPv6 = addr("fdfa:1ead::4")
	}
	n.status6, n.reported6, n.hostClosed6 = snapshot.NodeStatus{Ready: has("S")}, has("R"), has("X")
	if has("a") {
		n.iface.Public = addr("192.0.2.144")
	}
	n.heard, n.reported, n.hostClosed = has("h"), has("r"), has("x")
	n.status = snapshot.NodeStatus{Ready: has("s")}
	if has("c") {
		n.status.OpenConnections = 1
	}
	if has("m") {
		n.status.Bound = addr("127.128.0.1")
	}
	return n
}

// withoutIPv4 is a node of a load balancer without public IPv4 addresses.
func withoutIPv4(n observedNode) observedNode { n.NoPublicIPv4 = true; return n }

func TestPlan(t *testing.T) {
	now := time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)
	node := func(zone string, phase NodePhase, since time.Duration, marks string) observedNode {
		return seen(now, zone, phase, since, marks)
	}
	made := LoadBalancer{Scheme: InternetFacing, State: Provisioning, Zones: []ZoneSubnet{{"b", "subnet-b"}, {"a", "subnet-a"}}}
	internal, active, deleted := made, made, made
	internal.Scheme, active.State, deleted.Deleted = Internal, Active, true
	migrating, left, deletedWith := active, active, deleted
	migrating.Migration = &Migration{Began: now}
	left.Leaving = []Block{{CIDR: netip.MustParsePrefix("192.0.2.144/30")}}
	deletedWith.Leaving = left.Leaving
	dual, six := active, made
	dual.AddressType, six.AddressType = typeDualStack, typeWithoutPublicIPv4
	one := func(b LoadBalancer) LoadBalancer { b.Zones = b.Zones[1:]; return b }
	grouped := active
	grouped.SecurityGroups = []string{"sg-now"}
	for _, c := range []struct {
		name  string
		b     LoadBalancer
		nodes []observedNode
		want  string
		again time.Duration
	}{
		{name: "nothing is there yet", b: made, want: "create-nodes b a"},
		{name: "a zone has no node", b: active, nodes: []observedNode{node("a", NodeInService, 0, "iahrs")}, want: "create-nodes b"},
		{name: "addresses are drawn in the order of the zones, not of the nodes", b: made,
			nodes: []observedNode{node("a", NodeProvisioning, 0, ""), node("b", NodeProvisioning, 0, "")},
			want:  "create-interface node-b, assign-address node-b, create-interface node-a, assign-address node-a, place node-b node-a"},
		{name: "what a crash left half done is gone on with", b: made,
			nodes: []observedNode{node("a", NodeProvisioning, 0, "i"), node("b", NodeProvisioning, 0, "ia")},
			want:  "assign-address node-a, place node-b node-a"},
		{name: "an internal one has no public address", b: internal,
			nodes: []observedNode{node("a", NodeProvisioning, 0, ""), node("b", NodeProvisioning, 0, "i")},
			want:  "create-interface node-a, place node-b node-a"},
		{name: "the host hasn't said that they serve", b: made,
			nodes: []observedNode{node("a", NodeStarting, 0, "iahr"), node("b", NodeStarting, 0, "ia")}},
		{name: "one of two serves", b: made,
			nodes: []observedNode{node("a", NodeStarting, 0, "iahrs"), node("b", NodeStarting, 0, "iahr")}, want: "serve node-a"},
		{name: "both serve", b: made,
			nodes: []observedNode{node("a", NodeInService, 0, "iahrs"), node("b", NodeStarting, 0, "iahrs")}, want: "serve node-b, activate"},
		{name: "all is as it should be", b: active,
			nodes: []observedNode{node("a", NodeInService, 0, "iahrs"), node("b", NodeInService, 0, "iahrs")}},
		{name: "nothing is concluded from silence", b: active,
			nodes: []observedNode{node("a", NodeInService, 0, "ia"), node("b", NodeInService, 0, "ia")}},
		{name: "one doesn't serve any more, one isn't there any more", b: active,
			nodes: []observedNode{node("a", NodeInService, 0, "iahr"), node("b", NodeInService, 0, "iah")}, want: "suspend node-b, suspend node-a"},
		{name: "a host listens elsewhere than before", b: active,
			nodes: []observedNode{node("a", NodeInService, 0, "iahrsm"), node("b", NodeInService, 0, "iahrs")}, want: "rebind node-a"},

		{name: "interfaces follow into the security groups, whatever the node is about to do", b: grouped,
			nodes: []observedNode{node("a", NodeInService, 0, "iahrsg"), node("b", NodeProvisioning, 0, "iag"), node("c", NodeRetiring, 0, "iahrsg")},
			want:  "set-security-groups node-b, set-security-groups node-c, set-security-groups node-a, place node-b", again: 61 * time.Second},
		{name: "IPv6 comes with a new node", b: one(dual), nodes: []observedNode{node("a", NodeProvisioning, 0, "ia")}, want: "assign-ipv6 node-a, place node-a"},
		{name: "a new node serves when all its addresses do", b: one(dual), nodes: []observedNode{node("a", NodeStarting, 0, "iahrs5R")}},
		{name: "and not before", b: one(dual), nodes: []observedNode{node("a", NodeStarting, 0, "iahrs5RS")}, want: "serve node-a"},
		{name: "IPv6 comes to a node that serves: its interface first", b: one(dual), nodes: []observedNode{node("a", NodeInService, 0, "iahrs")}, want: "assign-ipv6 node-a"},
		{name: "then its host", b: one(dual), nodes: []observedNode{node("a", NodeInService, 0, "iahrsv")}, want: "open-ipv6 node-a"},
		{name: "then DNS, when the host says that it serves", b: one(dual), nodes: []observedNode{node("a", NodeInService, 0, "iahrs5RS")}, want: "serve-ipv6 node-a"},
		{name: "IPv6 serves no more, the node does", b: one(dual), nodes: []observedNode{node("a", NodeInService, 0, "iahrs6R")}, want: "suspend-ipv6 node-a"},
		{name: "IPv6 isn't wanted any more", b: one(active), nodes: []observedNode{node("a", NodeInService, 0, "iahrs6RS")}, want: "retire-ipv6 node-a"},
		{name: "IPv6 isn't wanted any more, and was never in DNS", b: one(active), nodes: []observedNode{node("a", NodeInService, 0, "iahrs5R")}, want: "close-ipv6 node-a"},
		{name: "or on a host", b: one(active), nodes: []observedNode{node("a", NodeInService, 0, "iahrsv")}, want: "release-ipv6 node-a"},
		{name: "resolvers may still know it", b: one(active), nodes: []observedNode{node("a", NodeInService, 20*time.Second, "iahrs7RS")}, again: 41 * time.Second},
		{name: "and it is wanted again", b: one(dual), nodes: []observedNode{node("a", NodeInService, 20*time.Second, "iahrs7RS")}, want: "serve-ipv6 node-a"},
		{name: "no resolver does, and no connection is open", b: one(active), nodes: []observedNode{node("a", NodeInService, 61*time.Second, "iahrs7RS")}, want: "close-ipv6 node-a"},
		{name: "the host hasn't closed it", b: one(active), nodes: []observedNode{node("a", NodeInService, time.Hour, "iahrs9RS")}},
		{name: "the host has closed it, though it is wanted again", b: one(dual), nodes: []observedNode{node("a", NodeInService, time.Hour, "iahrs9X")}, want: "release-ipv6 node-a"},
		{name: "a node serves on an address that its interface has lost", b: one(dual), nodes: []observedNode{node("a", NodeInService, 0, "iahrs6RSV")}, want: "assign-ipv6 node-a"},
		{name: "nodes that go keep what they have", b: one(dual), nodes: []observedNode{node("a", NodeInService, 0, "iahrs6RS"), node("c", NodeRetiring, 0, "iahrs")}, again: 61 * time.Second},
		{name: "a node with IPv6 alone has no public IPv4 address", b: one(six), nodes: []observedNode{withoutIPv4(node("a", NodeProvisioning, 0, "iv"))}, want: "place node-a"},

		{name: "a migration is over when one set is left", b: migrating, nodes: []observedNode{node("a", NodeInService, 0, "iahrs"), node("b", NodeInService, 0, "iahrs")}, want: "end-migration"},
		{name: "and not before all of it serve", b: migrating, nodes: []observedNode{node("a", NodeInService, 0, "iahrs"), node("b", NodeStarting, 0, "iahr")}},
		{name: "a set that a cancelled migration returns to serves again", b: active,
			nodes: []observedNode{node("a", NodeRetiring, 0, "iahrs"), node("b", NodeRetiring, 0, "iahrs")}, want: "serve node-b, serve node-a"},
		{name: "a zone whose node drains has none", b: active,
			nodes: []observedNode{node("a", NodeDraining, 20*time.Second, "iahrs"), node("b", NodeInService, 0, "iahrs")}, want: "create-nodes a", again: 41 * time.Second},
		{name: "blocks that were left go", b: left, nodes: []observedNode{node("a", NodeInService, 0, "ihrs"), node("b", NodeInService, 0, "ihrs")}, want: "release-blocks"},
		{name: "and not while an address of them is in use", b: left, nodes: []observedNode{node("a", NodeInService, 0, "iahrs"), node("b", NodeInService, 0, "ihrs")}},

		{name: "deleted with a block", b: deletedWith, want: "release-blocks"},
		{name: "deleted before it had a node", b: deleted, want: "remove"},
		{name: "deleted: what isn't in DNS is closed, what is drains", b: deleted,
			nodes: []observedNode{node("a", NodeInService, 0, "iahrs"), node("b", NodeStarting, 0, "iahrs")}, want: "close node-b, drain node-a"},
		{name: "deleted: resolvers may still know the address", b: deleted,
			nodes: []observedNode{node("a", NodeDraining, 20*time.Second, "iahrs")}, again: 41 * time.Second},
		{name: "deleted: no resolver does, no connection is open", b: deleted,
			nodes: []observedNode{node("a", NodeDraining, 61*time.Second, "iahrs")}, want: "close node-a"},
		{name: "deleted: a connection is open", b: deleted,
			nodes: []observedNode{node("a", NodeDraining, 61*time.Second, "iahrsc")}, again: 5 * time.Minute},
		{name: "deleted: the host doesn't have it any more", b: deleted,
			nodes: []observedNode{node("a", NodeDraining, 61*time.Second, "iah")}, want: "close node-a"},
		{name: "deleted: the host is silent, so connections may be open", b: deleted,
			nodes: []observedNode{node("a", NodeDraining, 2*time.Minute, "ia")}, again: 4*time.Minute + time.Second},
		{name: "deleted: the limit is over, whatever is open", b: deleted,
			nodes: []observedNode{node("a", NodeDraining, 6*time.Minute+time.Second, "iahrsc")}, want: "close node-a"},
		{name: "deleted: the host hasn't closed it", b: deleted, nodes: []observedNode{node("a", NodeClosed, time.Hour, "iahr")}},
		{name: "deleted: the host has closed it", b: deleted, nodes: []observedNode{node("a", NodeClosed, 0, "iahx")}, want: "release node-a"},
		{name: "deleted: the sooner of two waits counts", b: deleted,
			nodes: []observedNode{node("a", NodeDraining, 20*time.Second, "iahrs"), node("b", NodeDraining, 30*time.Second, "iahrs")}, again: 31 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			steps, again := plan(observed{balancer: c.b, nodes: c.nodes, now: now}, time.Minute)
			if got := written(steps); got != c.want || again != c.again {
				t.Errorf("got  %q, again in %v\nwant %q, again in %v", got, again, c.want, c.again)
			}
		})
	}
}

func written(steps []step) string {
	var out []string
	for _, s := range steps {
		line := string(s.action)
		for _, z := range s.zones {
			line += " " + z.Zone
		}
		for _, id := range s.nodes {
			line += " " + id
		}
		out = append(out, line)
	}
	return strings.Join(out, ", ")
}
