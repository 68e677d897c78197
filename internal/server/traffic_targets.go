package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead/fairlead/internal/snapshot"
)

var targetsDesc = prometheus.NewDesc("fairlead_lb_targets", "Targets that this host asks for their health, by what it found.", []string{"target_group", "state"}, nil)

// targetStates are what is counted of a target group's targets, after CloudWatch's
// HealthyHostCount, UnHealthyHostCount, AnomalousHostCount and MitigatedHostCount.
// A target can be in several, one that is deregistered in none.
var targetStates = []struct {
	name string
	is   func(*snapshot.TargetStatus) bool
}{
	{"healthy", func(t *snapshot.TargetStatus) bool { return t.State == snapshot.TargetHealthy }},
	{"unhealthy", func(t *snapshot.TargetStatus) bool { return t.State == snapshot.TargetUnhealthy }},
	{"anomalous", func(t *snapshot.TargetStatus) bool { return t.State == snapshot.TargetHealthy && t.Anomalous }},
	{"mitigated", func(t *snapshot.TargetStatus) bool { return t.State == snapshot.TargetHealthy && t.Mitigated }},
}

// collectTargets tells of the targets of each target group, of zero too: no healthy
// target is what one wants to be told.
func collectTargets(ch chan<- prometheus.Metric, targets []snapshot.TargetStatus) {
	counts := map[string][]int{} // by target group ARN, in the order of targetStates
	for i := range targets {
		t := &targets[i]
		if t.State == snapshot.TargetDraining {
			continue
		}
		n := counts[t.TargetGroupARN]
		if n == nil {
			n = make([]int, len(targetStates))
			counts[t.TargetGroupARN] = n
		}
		for s := range targetStates {
			if targetStates[s].is(t) {
				n[s]++
			}
		}
	}
	for group, n := range counts {
		for s := range targetStates {
			ch <- prometheus.MustNewConstMetric(targetsDesc, prometheus.GaugeValue, float64(n[s]), dimensionOf(group), targetStates[s].name)
		}
	}
}
