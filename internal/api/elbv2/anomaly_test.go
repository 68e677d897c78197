package elbv2_test

import (
	"log/slog"
	"net/netip"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// What a host finds of how requests end is shown to who asks for it.
func TestAnomaliesAreShown(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	tg := w.group("web")
	w.listener(on(*w.balancer(shop()).LoadBalancerArn, 80, to(tg)))
	if _, err := w.RegisterTargets(t.Context(), &sdk.RegisterTargetsInput{TargetGroupArn: &tg, Targets: []types.TargetDescription{{Id: new("10.0.0.1")}, {Id: new("10.0.0.2")}}}); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	one := snapshot.TargetStatus{TargetGroupARN: tg, Addr: netip.MustParseAddr("10.0.0.1"), Port: 80, State: snapshot.TargetHealthy}
	two := one
	two.Addr, two.Anomalous, two.Mitigated = netip.MustParseAddr("10.0.0.2"), true, true
	err := w.svc.NewController(nil, w.svc.NewProjector("host", log), log).Report(t.Context(), &snapshot.Report{Version: snapshot.Version, Host: "host", Targets: []snapshot.TargetStatus{one, two}})
	if err != nil {
		t.Fatal(err)
	}
	for _, include := range []types.DescribeTargetHealthInputIncludeEnum{"", types.DescribeTargetHealthInputIncludeEnumAnomaly, types.DescribeTargetHealthInputIncludeEnumAll} {
		in := &sdk.DescribeTargetHealthInput{TargetGroupArn: &tg}
		want := []*types.AnomalyDetection{nil, nil}
		if include != "" {
			in.Include = []types.DescribeTargetHealthInputIncludeEnum{include}
			want = []*types.AnomalyDetection{
				{Result: types.AnomalyResultEnumNormal, MitigationInEffect: types.MitigationInEffectEnumNo},
				{Result: types.AnomalyResultEnumAnomalous, MitigationInEffect: types.MitigationInEffectEnumYes}}
		}
		out, err := w.DescribeTargetHealth(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		var got []*types.AnomalyDetection
		for _, d := range out.TargetHealthDescriptions {
			got = append(got, d.AnomalyDetection)
		}
		same(t, "included "+string(include), want, got)
	}
}
