package server

import (
	"iter"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead/fairlead/internal/elb"
)

var zonesDesc = prometheus.NewDesc("fairlead_lb_zone_healthy", "1 if enough of a target group's targets are healthy in a zone, else 0: for DNS to name the zone, for its nodes to send to healthy targets alone.",
	[]string{"load_balancer", "zone", "target_group", "for"}, nil)

// collectZones tells of each zone what CloudWatch counts as HealthyStateDNS,
// UnhealthyStateDNS and their like for routing.
func collectZones(ch chan<- prometheus.Metric, zones iter.Seq[elb.ZoneHealth]) {
	for z := range zones {
		labels := []string{dimensionOf(z.LoadBalancer), z.Zone, dimensionOf(z.TargetGroup)}
		for what, healthy := range map[string]bool{"dns": z.DNS, "routing": z.Routing} {
			value := 0.0
			if healthy {
				value = 1
			}
			ch <- prometheus.MustNewConstMetric(zonesDesc, prometheus.GaugeValue, value, append(labels[:3:3], what)...)
		}
	}
}
