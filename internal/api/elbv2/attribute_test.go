package elbv2_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/aws/smithy-go"

	"github.com/fairlead/fairlead/internal/elb"
)

// attributed is one of the three kinds of things that have attributes.
type attributed struct {
	modify   func(ctx context.Context, changes map[string]string) (map[string]string, error)
	describe func(ctx context.Context) (map[string]string, error)
}

// attributed makes one of each kind.
func (w *world) attributed() map[string]attributed {
	b := w.balancer(shop())
	l := w.listener(on(*b.LoadBalancerArn, 80, to(w.group("web"))))
	lb, listener, group := b.LoadBalancerArn, l.ListenerArn, l.DefaultActions[0].TargetGroupArn
	return map[string]attributed{
		"load balancer": {
			func(ctx context.Context, changes map[string]string) (map[string]string, error) {
				in := &sdk.ModifyLoadBalancerAttributesInput{LoadBalancerArn: lb}
				for k, v := range changes {
					in.Attributes = append(in.Attributes, types.LoadBalancerAttribute{Key: &k, Value: &v})
				}
				out, err := w.ModifyLoadBalancerAttributes(ctx, in)
				if err != nil {
					return nil, err
				}
				return byKey(out.Attributes, func(a types.LoadBalancerAttribute) (*string, *string) { return a.Key, a.Value }), nil
			},
			func(ctx context.Context) (map[string]string, error) {
				out, err := w.DescribeLoadBalancerAttributes(ctx, &sdk.DescribeLoadBalancerAttributesInput{LoadBalancerArn: lb})
				if err != nil {
					return nil, err
				}
				return byKey(out.Attributes, func(a types.LoadBalancerAttribute) (*string, *string) { return a.Key, a.Value }), nil
			},
		},
		"listener": {
			func(ctx context.Context, changes map[string]string) (map[string]string, error) {
				in := &sdk.ModifyListenerAttributesInput{ListenerArn: listener}
				for k, v := range changes {
					in.Attributes = append(in.Attributes, types.ListenerAttribute{Key: &k, Value: &v})
				}
				out, err := w.ModifyListenerAttributes(ctx, in)
				if err != nil {
					return nil, err
				}
				return byKey(out.Attributes, func(a types.ListenerAttribute) (*string, *string) { return a.Key, a.Value }), nil
			},
			func(ctx context.Context) (map[string]string, error) {
				out, err := w.DescribeListenerAttributes(ctx, &sdk.DescribeListenerAttributesInput{ListenerArn: listener})
				if err != nil {
					return nil, err
				}
				return byKey(out.Attributes, func(a types.ListenerAttribute) (*string, *string) { return a.Key, a.Value }), nil
			},
		},
		"target group": {
			func(ctx context.Context, changes map[string]string) (map[string]string, error) {
				in := &sdk.ModifyTargetGroupAttributesInput{TargetGroupArn: group}
				for k, v := range changes {
					in.Attributes = append(in.Attributes, types.TargetGroupAttribute{Key: &k, Value: &v})
				}
				out, err := w.ModifyTargetGroupAttributes(ctx, in)
				if err != nil {
					return nil, err
				}
				return byKey(out.Attributes, func(a types.TargetGroupAttribute) (*string, *string) { return a.Key, a.Value }), nil
			},
			func(ctx context.Context) (map[string]string, error) {
				out, err := w.DescribeTargetGroupAttributes(ctx, &sdk.DescribeTargetGroupAttributesInput{TargetGroupArn: group})
				if err != nil {
					return nil, err
				}
				return byKey(out.Attributes, func(a types.TargetGroupAttribute) (*string, *string) { return a.Key, a.Value }), nil
			},
		},
	}
}

func byKey[T any](in []T, of func(T) (key, value *string)) map[string]string {
	out := map[string]string{}
	for _, a := range in {
		k, v := of(a)
		out[*k] = *v
	}
	return out
}

func TestAttributesAreSetAndShown(t *testing.T) {
	things := newWorld(t, elb.DefaultQuotas).attributed()
	for thing, changes := range map[string]map[string]string{
		"load balancer": {"idle_timeout.timeout_seconds": "4000", "access_logs.s3.enabled": "true", "access_logs.s3.bucket": "logs", "routing.http.xff_header_processing.mode": "remove"},
		"listener":      {"routing.http.response.server.enabled": "false", "routing.http.response.x_frame_options.header_value": "DENY"},
		"target group":  {"slow_start.duration_seconds": "30", "stickiness.enabled": "true", "deregistration_delay.timeout_seconds": "0"},
	} {
		x := things[thing]
		before, err := x.describe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		answered, err := x.modify(t.Context(), changes)
		if err != nil {
			t.Fatal(err)
		}
		shown, err := x.describe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range changes {
			before[k] = v
		}
		same(t, thing+": answered", before, answered)
		same(t, thing+": shown", before, shown)
	}
}

// I10: one mistake, and nothing of the call is done.
func TestAttributesThatCantBeAreRefused(t *testing.T) {
	things := newWorld(t, elb.DefaultQuotas).attributed()
	for thing, mistakes := range map[string][]map[string]string{
		"load balancer": {
			{"idle_timeout.timeout_seconds": "4001"},
			{"client_keep_alive.seconds": "59"},
			{"routing.http2.enabled": "yes"},
			{"load_balancing.cross_zone.enabled": "false"},
			{"routing.http.desync_mitigation_mode": "lax"},
			{"access_logs.s3.enabled": "true"},
			{"access_logs.s3.prefix": "x/AWSLogs"},
			{"dns_record.client_routing_policy": "any_availability_zone"},
			{"stickiness.enabled": "true"},
		},
		"listener": {
			{"routing.http.response.x_content_type_options.header_value": "sniff"},
			{"routing.http.response.content_security_policy.header_value": "a\r\nb: c"},
			{"routing.http.response.access_control_max_age.header_value": "soon"},
			{"routing.http.request.x_amzn_tls_version.header_name": "X-Tls"}, // of HTTPS alone
		},
		"target group": {
			{"slow_start.duration_seconds": "29"},
			{"deregistration_delay.timeout_seconds": "3601"},
			{"stickiness.app_cookie.cookie_name": "AWSALBAPP-0"},
			{"proxy_protocol_v2.enabled": "true"},
		},
		"target group, together": {
			{"slow_start.duration_seconds": "30", "load_balancing.algorithm.type": "least_outstanding_requests"},
			{"stickiness.enabled": "true", "load_balancing.algorithm.type": "weighted_random"},
			{"stickiness.enabled": "true", "load_balancing.cross_zone.enabled": "false"},
			{"stickiness.enabled": "true", "stickiness.type": "app_cookie"},
			{"stickiness.type": "source_ip"}, // of network load balancers
			{"load_balancing.algorithm.anomaly_mitigation": "on"},
			{"target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "2"}, // more than for DNS
		},
	} {
		code := "InvalidConfigurationRequest"
		if thing == "target group" {
			code = "ValidationError"
		}
		thing, _, _ = strings.Cut(thing, ",")
		x := things[thing]
		before, err := x.describe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, changes := range mistakes {
			fine := map[string]string{"load balancer": "idle_timeout.timeout_seconds", "listener": "routing.http.response.server.enabled", "target group": "stickiness.lb_cookie.duration_seconds"}[thing]
			if _, ok := changes[fine]; !ok {
				changes[fine] = map[string]string{"listener": "false"}[thing]
				if changes[fine] == "" {
					changes[fine] = "7"
				}
			}
			if _, err := x.modify(t.Context(), changes); codeOf(err) != code {
				t.Errorf("%s: %v: got %v, want %s", thing, changes, err, code)
			}
		}
		after, err := x.describe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		same(t, thing+": nothing has changed", before, after)
	}
}

func TestACallSetsAtMostTwentyAttributes(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	in := &sdk.ModifyLoadBalancerAttributesInput{LoadBalancerArn: w.balancer(shop()).LoadBalancerArn}
	for range 21 {
		in.Attributes = append(in.Attributes, types.LoadBalancerAttribute{Key: new("idle_timeout.timeout_seconds"), Value: new("7")})
	}
	if _, err := w.ModifyLoadBalancerAttributes(t.Context(), in); codeOf(err) != "ValidationError" {
		t.Errorf("got %v, want ValidationError", err)
	}
}

func TestDeletionProtectionHolds(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	arn := w.balancer(shop()).LoadBalancerArn
	protect := func(on string) {
		t.Helper()
		_, err := w.ModifyLoadBalancerAttributes(t.Context(), &sdk.ModifyLoadBalancerAttributesInput{LoadBalancerArn: arn,
			Attributes: []types.LoadBalancerAttribute{{Key: new("deletion_protection.enabled"), Value: &on}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	protect("true")
	if _, err := w.DeleteLoadBalancer(t.Context(), &sdk.DeleteLoadBalancerInput{LoadBalancerArn: arn}); codeOf(err) != "OperationNotPermitted" {
		t.Errorf("got %v, want OperationNotPermitted", err)
	}
	protect("false")
	if _, err := w.DeleteLoadBalancer(t.Context(), &sdk.DeleteLoadBalancerInput{LoadBalancerArn: arn}); err != nil {
		t.Error(err)
	}
}

// codeOf returns the code of a refusal, "" if it is none.
func codeOf(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}
