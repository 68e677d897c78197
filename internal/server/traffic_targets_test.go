package server

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// found are targets, told as metrics.
type found []snapshot.TargetStatus

func (found) Describe(ch chan<- *prometheus.Desc)   { ch <- targetsDesc }
func (f found) Collect(ch chan<- prometheus.Metric) { collectTargets(ch, f) }

// CloudWatch's HealthyHostCount and its like: each target group's, zeros too.
func TestTargetsAreCountedByWhatTheyAreFoundToBe(t *testing.T) {
	target := func(group string, state snapshot.TargetState, anomalous, mitigated bool) snapshot.TargetStatus {
		return snapshot.TargetStatus{TargetGroupARN: "arn:aws:elasticloadbalancing:local-1:000000000000:" + group, State: state, Anomalous: anomalous, Mitigated: mitigated}
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(found{
		target("targetgroup/a/1", snapshot.TargetHealthy, false, false),
		target("targetgroup/a/1", snapshot.TargetHealthy, true, false),
		target("targetgroup/a/1", snapshot.TargetHealthy, true, true),
		target("targetgroup/a/1", snapshot.TargetInitial, false, false),
		target("targetgroup/a/1", snapshot.TargetUnhealthy, true, false),
		target("targetgroup/a/1", snapshot.TargetDraining, true, true),
		target("targetgroup/b/2", snapshot.TargetInitial, false, false),
		target("targetgroup/c/3", snapshot.TargetDraining, false, false),
	})
	families, err := reg.Gather()
	if err != nil || len(families) != 1 {
		t.Fatalf("gathered %v, %v", families, err)
	}
	got := map[string]float64{}
	for _, m := range families[0].GetMetric() {
		got[m.GetLabel()[1].GetValue()+" "+m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
	}
	want := map[string]float64{
		"targetgroup/a/1 healthy": 3, "targetgroup/a/1 unhealthy": 1, "targetgroup/a/1 anomalous": 2, "targetgroup/a/1 mitigated": 1,
		"targetgroup/b/2 healthy": 0, "targetgroup/b/2 unhealthy": 0, "targetgroup/b/2 anomalous": 0, "targetgroup/b/2 mitigated": 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
