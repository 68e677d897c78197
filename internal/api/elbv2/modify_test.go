package elbv2_test

import (
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/fairlead/fairlead/internal/elb"
)

func TestAListenerIsModified(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	arn := *w.balancer(shop()).LoadBalancerArn
	one, two := to(w.group("one")), to(w.group("two"))
	l := w.listener(on(arn, 80, one))
	w.listener(on(arn, 81, one))
	modify := func(in sdk.ModifyListenerInput) (types.Listener, error) {
		in.ListenerArn = l.ListenerArn
		out, err := w.ModifyListener(t.Context(), &in)
		if err != nil {
			return types.Listener{}, err
		}
		return out.Listeners[0], nil
	}
	moved, err := modify(sdk.ModifyListenerInput{Port: new(int32(8080))})
	if err != nil || *moved.Port != 8080 || *moved.DefaultActions[0].TargetGroupArn != *one[0].TargetGroupArn {
		t.Errorf("got %+v, %v, want another port and the same actions", moved, err)
	}
	turned, err := modify(sdk.ModifyListenerInput{DefaultActions: two})
	if err != nil || *turned.Port != 8080 || *turned.DefaultActions[0].TargetGroupArn != *two[0].TargetGroupArn {
		t.Errorf("got %+v, %v, want other actions on the same port", turned, err)
	}
	shown, err := w.DescribeListeners(t.Context(), &sdk.DescribeListenersInput{ListenerArns: []string{*l.ListenerArn}})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "described", []types.Listener{turned}, shown.Listeners)
	for name, c := range map[string]struct {
		in   sdk.ModifyListenerInput
		code string
	}{
		"a port in use":       {sdk.ModifyListenerInput{Port: new(int32(81))}, "DuplicateListener"},
		"a port that is none": {sdk.ModifyListenerInput{Port: new(int32(65536))}, "ValidationError"},
		"another protocol":    {sdk.ModifyListenerInput{Protocol: types.ProtocolEnumHttps}, "ValidationError"},
		"TLS on HTTP":         {sdk.ModifyListenerInput{SslPolicy: new("ELBSecurityPolicy-2016-08")}, "ValidationError"},
		"an unknown group":    {sdk.ModifyListenerInput{DefaultActions: to(*one[0].TargetGroupArn + "0")}, "TargetGroupNotFound"},
	} {
		w.unchanged(t, func() {
			if _, err := modify(c.in); codeOf(err) != c.code {
				t.Errorf("%s: got %v, want %s", name, err, c.code)
			}
		})
	}
	w.listener(on(arn, 80, one)) // the port that it left is free
}

func TestAHealthCheckIsModified(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	arn := w.group("web")
	modify := func(in sdk.ModifyTargetGroupInput) (types.TargetGroup, error) {
		in.TargetGroupArn = &arn
		out, err := w.ModifyTargetGroup(t.Context(), &in)
		if err != nil {
			return types.TargetGroup{}, err
		}
		return out.TargetGroups[0], nil
	}
	changed, err := modify(sdk.ModifyTargetGroupInput{HealthCheckPath: new("/up"), HealthCheckPort: new("9000"), Matcher: &types.Matcher{HttpCode: new("200-299")}})
	if err != nil || *changed.HealthCheckPath != "/up" || *changed.HealthCheckPort != "9000" || *changed.Matcher.HttpCode != "200-299" || *changed.HealthCheckIntervalSeconds != 30 {
		t.Errorf("got %+v, %v, want the changes and the rest as it was", changed, err)
	}
	back, err := modify(sdk.ModifyTargetGroupInput{HealthCheckPort: new("traffic-port")})
	if err != nil || *back.HealthCheckPath != "/up" || *back.HealthCheckPort != "traffic-port" {
		t.Errorf("got %+v, %v, want the traffic port and the path as it was", back, err)
	}
	shown, err := w.DescribeTargetGroups(t.Context(), &sdk.DescribeTargetGroupsInput{TargetGroupArns: []string{arn}})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "described", []types.TargetGroup{back}, shown.TargetGroups)
	for name, in := range map[string]sdk.ModifyTargetGroupInput{
		"a timeout beyond the interval": {HealthCheckTimeoutSeconds: new(int32(30))},
		"a path without a slash":        {HealthCheckPath: new("up")},
		"no health check":               {HealthCheckEnabled: new(false)},
	} {
		w.unchanged(t, func() {
			if _, err := modify(in); codeOf(err) != "ValidationError" {
				t.Errorf("%s: got %v, want ValidationError", name, err)
			}
		})
	}
}
