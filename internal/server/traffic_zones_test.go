package server

import (
	"iter"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead/fairlead/internal/elb"
)

// judged are zones, told as metrics.
type judged []elb.ZoneHealth

func (judged) Describe(ch chan<- *prometheus.Desc) { ch <- zonesDesc }
func (j judged) Collect(ch chan<- prometheus.Metric) {
	collectZones(ch, iter.Seq[elb.ZoneHealth](slices.Values(j)))
}

// CloudWatch's HealthyStateDNS and its like.
func TestZonesAreToldByWhatTheyAreHealthyFor(t *testing.T) {
	const prefix = "arn:aws:elasticloadbalancing:local-1:000000000000:"
	reg := prometheus.NewRegistry()
	reg.MustRegister(judged{
		{LoadBalancer: prefix + "loadbalancer/app/web/1", TargetGroup: prefix + "targetgroup/a/2", Zone: "local-1a", DNS: true},
		{LoadBalancer: prefix + "loadbalancer/app/web/1", TargetGroup: prefix + "targetgroup/a/2", Zone: "local-1b", Routing: true},
	})
	families, err := reg.Gather()
	if err != nil || len(families) != 1 {
		t.Fatalf("gathered %v, %v", families, err)
	}
	got := map[string]float64{}
	for _, m := range families[0].GetMetric() {
		text := ""
		for _, l := range m.GetLabel() {
			text += l.GetName() + " " + l.GetValue() + " "
		}
		got[text] = m.GetGauge().GetValue()
	}
	labels := func(what, zone string) string {
		return "for " + what + " load_balancer app/web/1 target_group targetgroup/a/2 zone " + zone + " "
	}
	want := map[string]float64{labels("dns", "local-1a"): 1, labels("routing", "local-1a"): 0, labels("dns", "local-1b"): 0, labels("routing", "local-1b"): 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
