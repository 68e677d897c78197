package elbv2

import (
	"context"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/shapes/elbv2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) createTargetGroup(ctx context.Context, c *wire.Call, in *elbv2.CreateTargetGroupInput) (*elbv2.CreateTargetGroupOutput, error) {
	if in.TargetControlPort != nil {
		return nil, invalid("TargetControlPort is not supported by this installation")
	}
	tg, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	req := elb.CreateTargetGroup{
		Account: c.Account, Region: c.Region, Name: *in.Name, TargetType: "instance", Protocol: string(in.Protocol),
		ProtocolVersion: value(in.ProtocolVersion), Port: int(value(in.Port)), VPCID: value(in.VpcId), AddressType: string(in.IpAddressType),
		HealthCheck: elb.HealthCheckSettings{
			Enabled: in.HealthCheckEnabled, Port: in.HealthCheckPort, Path: in.HealthCheckPath,
			IntervalSeconds: in.HealthCheckIntervalSeconds, TimeoutSeconds: in.HealthCheckTimeoutSeconds,
			HealthyThreshold: in.HealthyThresholdCount, UnhealthyThreshold: in.UnhealthyThresholdCount,
		},
		Tags: tg, Hex: ids.New("", 16),
	}
	if in.TargetType != "" {
		req.TargetType = string(in.TargetType)
	}
	if in.HealthCheckProtocol != "" {
		req.HealthCheck.Protocol = new(string(in.HealthCheckProtocol))
	}
	if req.HealthCheck.Matcher, err = readMatcher(in.Matcher); err != nil {
		return nil, err
	}
	g, err := a.elb.CreateTargetGroup(ctx, req)
	if err != nil {
		return nil, err
	}
	return &elbv2.CreateTargetGroupOutput{TargetGroups: []elbv2.TargetGroup{a.renderTargetGroup(a.store.Snapshot(), g)}}, nil
}

func (a *API) modifyTargetGroup(ctx context.Context, c *wire.Call, in *elbv2.ModifyTargetGroupInput) (*elbv2.ModifyTargetGroupOutput, error) {
	settings := elb.HealthCheckSettings{
		Enabled: in.HealthCheckEnabled, Port: in.HealthCheckPort, Path: in.HealthCheckPath,
		IntervalSeconds: in.HealthCheckIntervalSeconds, TimeoutSeconds: in.HealthCheckTimeoutSeconds,
		HealthyThreshold: in.HealthyThresholdCount, UnhealthyThreshold: in.UnhealthyThresholdCount,
	}
	if in.HealthCheckProtocol != "" {
		settings.Protocol = new(string(in.HealthCheckProtocol))
	}
	var err error
	if settings.Matcher, err = readMatcher(in.Matcher); err != nil {
		return nil, err
	}
	g, err := a.elb.ModifyTargetGroup(ctx, c.Account, c.Region, *in.TargetGroupArn, settings)
	if err != nil {
		return nil, err
	}
	return &elbv2.ModifyTargetGroupOutput{TargetGroups: []elbv2.TargetGroup{a.renderTargetGroup(a.store.Snapshot(), g)}}, nil
}

func readMatcher(m *elbv2.Matcher) (*elb.Matcher, error) {
	switch {
	case m == nil:
		return nil, nil
	case m.HttpCode != nil && m.GrpcCode != nil:
		return nil, invalid("A health check matcher can have either an 'HttpCode' or a 'GrpcCode'")
	case m.GrpcCode != nil:
		return &elb.Matcher{Codes: *m.GrpcCode, GRPC: true}, nil
	case m.HttpCode == nil:
		return nil, nil
	}
	return &elb.Matcher{Codes: *m.HttpCode}, nil
}

func (a *API) renderTargetGroup(r store.Reader, g elb.TargetGroup) elbv2.TargetGroup {
	hc := g.HealthCheck
	port := "traffic-port"
	if hc.Port != 0 {
		port = strconv.Itoa(int(hc.Port))
	}
	matcher := &elbv2.Matcher{HttpCode: &hc.Matcher}
	if g.ProtocolVersion == "GRPC" {
		matcher = &elbv2.Matcher{GrpcCode: &hc.Matcher}
	}
	return elbv2.TargetGroup{
		TargetGroupArn: &g.ARN, TargetGroupName: &g.Name, Protocol: elbv2.ProtocolEnum(g.Protocol), ProtocolVersion: &g.ProtocolVersion,
		Port: new(int32(g.Port)), VpcId: &g.VPCID, TargetType: elbv2.TargetTypeEnum(g.TargetType), IpAddressType: elbv2.TargetGroupIpAddressTypeEnum(g.AddressType),
		HealthCheckEnabled: new(true), HealthCheckProtocol: elbv2.ProtocolEnum(hc.Protocol), HealthCheckPort: &port, HealthCheckPath: &hc.Path,
		HealthCheckIntervalSeconds: new(int32(hc.Interval / time.Second)), HealthCheckTimeoutSeconds: new(int32(hc.Timeout / time.Second)),
		HealthyThresholdCount: new(int32(hc.HealthyThreshold)), UnhealthyThresholdCount: new(int32(hc.UnhealthyThreshold)),
		Matcher:          matcher,
		LoadBalancerArns: append([]string{}, a.elb.LoadBalancersOf(r, g.ARN)...),
	}
}

func (a *API) describeTargetGroups(_ context.Context, c *wire.Call, in *elbv2.DescribeTargetGroupsInput) (*elbv2.DescribeTargetGroupsOutput, error) {
	given := 0
	for _, is := range []bool{in.LoadBalancerArn != nil, len(in.Names) > 0, len(in.TargetGroupArns) > 0} {
		if is {
			given++
		}
	}
	if given > 1 {
		return nil, invalid("Target group names, target group ARNs, and a load balancer ARN cannot be specified at the same time")
	}
	snap := a.store.Snapshot()
	var found []elb.TargetGroup
	var next *string
	var err error
	switch {
	case len(in.TargetGroupArns) > 0:
		found, err = named(in.TargetGroupArns, func(arn string) (elb.TargetGroup, error) { return a.elb.TargetGroup(snap, c.Account, c.Region, arn) })
	case len(in.Names) > 0:
		found, err = named(in.Names, func(n string) (elb.TargetGroup, error) { return a.elb.TargetGroupByName(snap, c.Account, c.Region, n) })
	default:
		if in.LoadBalancerArn != nil {
			if _, err := a.elb.LoadBalancer(snap, c.Account, c.Region, *in.LoadBalancerArn); err != nil {
				return nil, err
			}
		}
		found, next, err = pageOf(in.Marker, in.PageSize, func(from string) iter.Seq2[string, elb.TargetGroup] {
			return func(yield func(string, elb.TargetGroup) bool) {
				for arn, g := range a.elb.TargetGroups(snap, c.Account, c.Region, from) {
					if in.LoadBalancerArn != nil && !slices.Contains(a.elb.LoadBalancersOf(snap, arn), *in.LoadBalancerArn) {
						continue
					}
					if !yield(arn, g) {
						return
					}
				}
			}
		})
	}
	if err != nil {
		return nil, err
	}
	out := &elbv2.DescribeTargetGroupsOutput{TargetGroups: []elbv2.TargetGroup{}, NextMarker: next}
	for _, g := range found {
		out.TargetGroups = append(out.TargetGroups, a.renderTargetGroup(snap, g))
	}
	return out, nil
}

func (a *API) deleteTargetGroup(ctx context.Context, c *wire.Call, in *elbv2.DeleteTargetGroupInput) (*elbv2.DeleteTargetGroupOutput, error) {
	return &elbv2.DeleteTargetGroupOutput{}, a.elb.DeleteTargetGroup(ctx, c.Account, c.Region, *in.TargetGroupArn)
}

func readTargets(in []elbv2.TargetDescription) []elb.TargetDescription {
	var out []elb.TargetDescription
	for _, t := range in {
		out = append(out, elb.TargetDescription{ID: *t.Id, Port: int(value(t.Port)), Zone: value(t.AvailabilityZone)})
	}
	return out
}

func (a *API) registerTargets(ctx context.Context, c *wire.Call, in *elbv2.RegisterTargetsInput) (*elbv2.RegisterTargetsOutput, error) {
	if len(in.Targets) == 0 {
		return nil, invalid("At least one target must be specified")
	}
	return &elbv2.RegisterTargetsOutput{}, a.elb.RegisterTargets(ctx, c.Account, c.Region, *in.TargetGroupArn, readTargets(in.Targets))
}

func (a *API) deregisterTargets(ctx context.Context, c *wire.Call, in *elbv2.DeregisterTargetsInput) (*elbv2.DeregisterTargetsOutput, error) {
	if len(in.Targets) == 0 {
		return nil, invalid("At least one target must be specified")
	}
	return &elbv2.DeregisterTargetsOutput{}, a.elb.DeregisterTargets(ctx, c.Account, c.Region, *in.TargetGroupArn, readTargets(in.Targets), c.Now)
}

// anomaly renders what is known of how requests to a target end.
func anomaly(h elb.TargetHealth) *elbv2.AnomalyDetection {
	d := &elbv2.AnomalyDetection{Result: elbv2.AnomalyResultEnumNormal, MitigationInEffect: elbv2.MitigationInEffectEnumNo}
	if h.Anomalous {
		d.Result = elbv2.AnomalyResultEnumAnomalous
	}
	if h.Mitigated {
		d.MitigationInEffect = elbv2.MitigationInEffectEnumYes
	}
	return d
}

func (a *API) describeTargetHealth(_ context.Context, c *wire.Call, in *elbv2.DescribeTargetHealthInput) (*elbv2.DescribeTargetHealthOutput, error) {
	health, err := a.elb.TargetHealth(a.store.Snapshot(), c.Account, c.Region, *in.TargetGroupArn, readTargets(in.Targets))
	if err != nil {
		return nil, err
	}
	out := &elbv2.DescribeTargetHealthOutput{TargetHealthDescriptions: []elbv2.TargetHealthDescription{}}
	for _, h := range health {
		d := elbv2.TargetHealthDescription{
			Target:          &elbv2.TargetDescription{Id: new(h.Target.ID()), Port: new(int32(h.Target.Port))},
			HealthCheckPort: &h.HealthCheckPort,
			TargetHealth:    &elbv2.TargetHealth{State: elbv2.TargetHealthStateEnum(h.State), Reason: elbv2.TargetHealthReasonEnum(h.Reason)},
		}
		if h.Reason != "Target.NotRegistered" { // zones are not shifted away from here
			d.AdministrativeOverride = &elbv2.AdministrativeOverride{
				State: elbv2.TargetAdministrativeOverrideStateEnumNoOverride, Reason: elbv2.TargetAdministrativeOverrideReasonEnumNoOverrideEngaged,
				Description: new("No override is currently active on target")}
		}
		if len(in.Include) > 0 { // every value includes it
			d.AnomalyDetection = anomaly(h)
		}
		if h.Target.Zone != "" && h.Target.InstanceID == "" { // an instance's wasn't given
			d.Target.AvailabilityZone = &h.Target.Zone
		}
		if h.Description != "" {
			d.TargetHealth.Description = &h.Description
		}
		out.TargetHealthDescriptions = append(out.TargetHealthDescriptions, d)
	}
	return out, nil
}
