package elbv2_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/fairlead/fairlead/internal/elb"
)

// Each kind of target group is shown with what it was given and the defaults of
// its kind, and a repeated creation finds it.
func TestTargetGroupsOfEveryKindAreEchoed(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*sdk.CreateTargetGroupInput)
		want   string
	}{
		"instances, by default": {func(in *sdk.CreateTargetGroupInput) { in.TargetType = "" },
			"instance HTTP HTTP1 ipv4, check HTTP traffic-port / http 200"},
		"HTTPS": {func(in *sdk.CreateTargetGroupInput) {
			in.Protocol, in.HealthCheckProtocol, in.HealthCheckPort = types.ProtocolEnumHttps, types.ProtocolEnumHttps, new("8443")
		}, "ip HTTPS HTTP1 ipv4, check HTTPS 8443 / http 200"},
		"HTTP2": {func(in *sdk.CreateTargetGroupInput) {
			in.ProtocolVersion, in.Matcher = new("HTTP2"), &types.Matcher{HttpCode: new("200-299,301")}
		}, "ip HTTP HTTP2 ipv4, check HTTP traffic-port / http 200-299,301"},
		"gRPC": {func(in *sdk.CreateTargetGroupInput) { in.ProtocolVersion = new("GRPC") },
			"ip HTTP GRPC ipv4, check HTTP traffic-port /AWS.ALB/healthcheck grpc 12"},
		"gRPC with codes": {func(in *sdk.CreateTargetGroupInput) {
			in.ProtocolVersion, in.Matcher, in.HealthCheckPath = new("GRPC"), &types.Matcher{GrpcCode: new("0,5-9,99")}, new("/Up/Check")
		}, "ip HTTP GRPC ipv4, check HTTP traffic-port /Up/Check grpc 0,5-9,99"},
		"IPv6": {func(in *sdk.CreateTargetGroupInput) { in.IpAddressType = types.TargetGroupIpAddressTypeEnumIpv6 },
			"ip HTTP HTTP1 ipv6, check HTTP traffic-port / http 200"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, elb.DefaultQuotas)
			in := &sdk.CreateTargetGroupInput{Name: new("web"), Protocol: types.ProtocolEnumHttp, Port: new(int32(80)), VpcId: new("vpc-1"), TargetType: types.TargetTypeEnumIp}
			c.change(in)
			made, err := w.CreateTargetGroup(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			again, err := w.CreateTargetGroup(t.Context(), in)
			if err != nil {
				t.Fatalf("again: %v", err)
			}
			found, err := w.DescribeTargetGroups(t.Context(), &sdk.DescribeTargetGroupsInput{Names: []string{"web"}})
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range []types.TargetGroup{made.TargetGroups[0], again.TargetGroups[0], found.TargetGroups[0]} {
				kind, codes := "http", g.Matcher.HttpCode
				if g.Matcher.GrpcCode != nil {
					kind, codes = "grpc", g.Matcher.GrpcCode
				}
				got := fmt.Sprintf("%s %s %s %s, check %s %s %s %s %s", g.TargetType, g.Protocol, *g.ProtocolVersion, g.IpAddressType,
					g.HealthCheckProtocol, *g.HealthCheckPort, *g.HealthCheckPath, kind, *codes)
				if got != c.want || !aws.ToBool(g.HealthCheckEnabled) {
					t.Errorf("got  %s\nwant %s", got, c.want)
				}
			}
		})
	}
}

// A target group of instances has targets by id, and finds their addresses itself.
func TestInstancesAreTargets(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	ctx := t.Context()
	of := func(name string, change func(*sdk.CreateTargetGroupInput)) string {
		in := &sdk.CreateTargetGroupInput{Name: &name, Protocol: types.ProtocolEnumHttp, Port: new(int32(80)), VpcId: new("vpc-1")}
		change(in)
		out, err := w.CreateTargetGroup(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		return *out.TargetGroups[0].TargetGroupArn
	}
	web := of("web", func(*sdk.CreateTargetGroupInput) {})
	six := of("six", func(in *sdk.CreateTargetGroupInput) { in.IpAddressType = types.TargetGroupIpAddressTypeEnumIpv6 })
	sixIP := of("six-ip", func(in *sdk.CreateTargetGroupInput) {
		in.IpAddressType, in.TargetType = types.TargetGroupIpAddressTypeEnumIpv6, types.TargetTypeEnumIp
	})
	register := func(group string, targets ...types.TargetDescription) error {
		_, err := w.RegisterTargets(ctx, &sdk.RegisterTargetsInput{TargetGroupArn: &group, Targets: targets})
		return err
	}
	registered := func(group string, only ...types.TargetDescription) string {
		out, err := w.DescribeTargetHealth(ctx, &sdk.DescribeTargetHealthInput{TargetGroupArn: &group, Targets: only})
		if err != nil {
			return err.Error()
		}
		var all []string
		for _, d := range out.TargetHealthDescriptions {
			all = append(all, fmt.Sprintf("%s:%d %s", *d.Target.Id, *d.Target.Port, d.TargetHealth.Reason))
			if d.Target.AvailabilityZone != nil {
				t.Errorf("%s has the zone %s, which nobody gave", *d.Target.Id, *d.Target.AvailabilityZone)
			}
		}
		return strings.Join(all, ", ")
	}
	for range 2 { // the second time changes nothing
		if err := register(web, types.TargetDescription{Id: new("i-00000001")}, types.TargetDescription{Id: new("i-00000001"), Port: new(int32(81))}, types.TargetDescription{Id: new("i-00000002")}); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := registered(web), "i-00000001:80 Target.NotInUse, i-00000001:81 Target.NotInUse, i-00000002:80 Target.NotInUse"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if got, want := registered(web, types.TargetDescription{Id: new("i-00000003")}), "i-00000003:80 Target.NotRegistered"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := registered(web, types.TargetDescription{Id: new("i-0badbad0")}); !strings.Contains(got, "InvalidTarget") {
		t.Errorf("health of an instance that there isn't: got %s", got)
	}
	if err := register(six, types.TargetDescription{Id: new("i-00000001")}); err != nil {
		t.Error(err)
	}
	if err := register(sixIP, types.TargetDescription{Id: new("2001:db8::7")}); err != nil {
		t.Error(err)
	}

	lb := *w.balancer(shop()).LoadBalancerArn
	refused(t, w, map[string]unwelcome{
		"an unknown instance": {func() error {
			return register(web, types.TargetDescription{Id: new("i-00000001")}, types.TargetDescription{Id: new("i-0badbad0")})
		}, "InvalidTarget", "The following targets are not in a running state and cannot be registered: 'i-0badbad0'"},
		"one of another VPC":          {func() error { return register(web, types.TargetDescription{Id: new("i-00000003")}) }, "InvalidTarget", "The following targets are not in the target group VPC 'vpc-1': 'i-00000003'"},
		"one with another's address":  {func() error { return register(web, types.TargetDescription{Id: new("i-00000004")}) }, "InvalidTarget", "The target 'i-00000004' has the address of 'i-00000001', which is registered"},
		"one with a loopback address": {func() error { return register(web, types.TargetDescription{Id: new("i-00000005")}) }, "InvalidTarget", "loopback"},
		"one without an IPv6 address": {func() error { return register(six, types.TargetDescription{Id: new("i-00000002")}) }, "InvalidTarget", "no primary IPv6 address"},
		"an address":                  {func() error { return register(web, types.TargetDescription{Id: new("10.0.0.1")}) }, "ValidationError", "Instance ID '10.0.0.1' is not valid"},
		"a zone": {func() error {
			return register(web, types.TargetDescription{Id: new("i-00000001"), AvailabilityZone: new("local-1a")})
		}, "ValidationError", "An Availability Zone cannot be specified"},
		"an IPv4 address as an IPv6 target": {func() error { return register(sixIP, types.TargetDescription{Id: new("10.0.0.1")}) }, "ValidationError", "The IP address '10.0.0.1' is not a valid IPv6 address"},
		"forwarding to IPv6 targets": {func() error {
			_, err := w.CreateListener(ctx, on(lb, 80, to(six)))
			return err
		}, "InvalidConfigurationRequest", "has the IP address type 'ipv6'"},
	})

	if _, err := w.DeregisterTargets(ctx, &sdk.DeregisterTargetsInput{TargetGroupArn: &web, Targets: []types.TargetDescription{{Id: new("i-00000001")}, {Id: new("i-0badbad0")}}}); err != nil {
		t.Fatal(err)
	}
	if got, want := registered(web), "i-00000001:81 Target.NotInUse, i-00000002:80 Target.NotInUse"; got != want {
		t.Errorf("after deregistration: got %s, want %s", got, want)
	}
}

// Targets of all zones and a group that keeps its zones apart exclude each other.
func TestTargetsOfAllZonesNeedCrossZone(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	ctx := t.Context()
	apart, shared := w.group("apart"), w.group("shared")
	off := func(group string) error {
		_, err := w.ModifyTargetGroupAttributes(ctx, &sdk.ModifyTargetGroupAttributesInput{TargetGroupArn: &group,
			Attributes: []types.TargetGroupAttribute{{Key: new("load_balancing.cross_zone.enabled"), Value: new("false")}}})
		return err
	}
	register := func(group string) error {
		_, err := w.RegisterTargets(ctx, &sdk.RegisterTargetsInput{TargetGroupArn: &group, Targets: []types.TargetDescription{{Id: new("10.0.0.1"), AvailabilityZone: new("all")}}})
		return err
	}
	if err := off(apart); err != nil {
		t.Fatal(err)
	}
	if err := register(shared); err != nil {
		t.Fatal(err)
	}
	refused(t, w, map[string]unwelcome{
		"registering":    {func() error { return register(apart) }, "InvalidConfigurationRequest", "cross-zone load balancing turned off"},
		"turning it off": {func() error { return off(shared) }, "InvalidConfigurationRequest", "'all' are registered"},
	})
}

// unwelcome is a call that the API refuses, with code and a part of the message.
type unwelcome struct {
	call       func() error
	code, text string
}

func refused(t *testing.T, w *world, calls map[string]unwelcome) {
	t.Helper()
	for name, c := range calls {
		var err error
		w.unchanged(t, func() { err = c.call() })
		if code, message := refusal(t, err); code != c.code || !strings.Contains(message, c.text) {
			t.Errorf("%s: got %v, want %s: …%s…", name, err, c.code, c.text)
		}
	}
}
