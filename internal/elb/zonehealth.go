package elb

import (
	"iter"

	"github.com/fairlead/fairlead/internal/store"
)

// ZoneHealth says of a target group, in a zone of its load balancer, whether enough of
// its targets are healthy, as far as they are known (CloudWatch HealthyStateDNS and
// HealthyStateRouting).
type ZoneHealth struct {
	LoadBalancer, TargetGroup string // ARNs
	Zone                      string
	DNS                       bool // for DNS to name the zone, as far as this group goes
	Routing                   bool // for the zone's nodes to send to healthy targets alone
}

// ZoneHealth returns that of all target groups that rules name.
func (s *Service) ZoneHealth(r store.Reader) iter.Seq[ZoneHealth] {
	return func(yield func(ZoneHealth) bool) {
		for arn, b := range s.balancers.All(r) {
			zones := zonesOf(b)
			for named := range s.groupsOfRules(r, arn) {
				g, ok := s.groups.Get(r, named)
				if !ok {
					continue
				}
				dns := s.healthOfGroup(r, g, zones, g.threshold("dns_failover"))
				routing := dns
				routing.minimum = g.threshold("unhealthy_state_routing")
				for _, z := range zones {
					if !yield(ZoneHealth{arn, named, z, dns.judge(z) != failing, routing.judge(z) != failing}) {
						return
					}
				}
			}
		}
	}
}
