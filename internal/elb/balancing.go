package elb

import (
	"strconv"
	"time"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// attribute returns what one of the group's attributes is, or is by default.
func (g TargetGroup) attribute(key string) string {
	if v, ok := g.Attributes[key]; ok {
		return v
	}
	for _, a := range g.table() {
		if a.key == key {
			return a.deflt
		}
	}
	return ""
}

// zoneOnly says whether nodes send to targets of their own zones alone. Load
// balancers, whose setting counts where the group has none, all cross zones.
func (g TargetGroup) zoneOnly() bool { return g.attribute(crossZone) == "false" }

// projectBalancing makes what a host must know of how a group's requests are
// shared out.
func projectBalancing(g TargetGroup) snapshot.Balancing {
	b := snapshot.Balancing{
		AnomalyMitigation: g.attribute("load_balancing.algorithm.anomaly_mitigation") == "on",
		SlowStart:         seconds(g.attribute("slow_start.duration_seconds"), 0),
		ZoneOnly:          g.zoneOnly(),
		MinimumHealthy:    g.threshold("unhealthy_state_routing"),
	}
	switch g.attribute("load_balancing.algorithm.type") {
	case leastOutstanding:
		b.Algorithm = snapshot.LeastOutstanding
	case weightedRandom:
		b.Algorithm = snapshot.WeightedRandom
	}
	return b
}

// projectStickiness makes what a host must know of how clients stay with targets.
func projectStickiness(g TargetGroup) snapshot.TargetStickiness {
	switch {
	case !g.stickyTargets():
		return snapshot.TargetStickiness{}
	case g.attribute("stickiness.type") == "app_cookie":
		return snapshot.TargetStickiness{Duration: seconds(g.attribute("stickiness.app_cookie.duration_seconds"), day), Cookie: g.attribute("stickiness.app_cookie.cookie_name")}
	}
	return snapshot.TargetStickiness{Duration: seconds(g.attribute("stickiness.lb_cookie.duration_seconds"), day)}
}

// day is how long a client stays unless told otherwise, in seconds.
const day = int(24 * time.Hour / time.Second)

// threshold returns how many targets must be healthy for one of the two things
// that follow otherwise: dns_failover and unhealthy_state_routing. "off" asks for none.
func (g TargetGroup) threshold(follows string) snapshot.Threshold {
	minimum := func(measure string) int {
		n, err := strconv.Atoi(g.attribute("target_group_health." + follows + ".minimum_healthy_targets." + measure))
		if err != nil {
			return 0
		}
		return n
	}
	return snapshot.Threshold{Count: minimum("count"), Percent: minimum("percentage")}
}
