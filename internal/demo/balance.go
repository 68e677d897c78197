package demo

import (
	"context"
	"net/netip"
	"slices"

	"github.com/fairlead/fairlead/internal/shapes/elbv2"
)

// The target group's health check. Seconds; the interval is the shortest that
// the API takes.
const (
	healthInterval  = 5
	healthTimeout   = 2
	healthThreshold = 2
)

// groupPort is the target group's own port, which no target has: each brings
// the one that it listens on.
const groupPort = 80

// targetGroup returns the target group, with the targets and no others in it.
func (c *client) targetGroup(ctx context.Context, vpcID string, targets []netip.AddrPort) (string, error) {
	arn, err := c.groupARN(ctx, vpcID)
	if err != nil {
		return "", err
	}
	health, err := c.health(ctx, arn)
	if err != nil {
		return "", err
	}
	var gone []elbv2.TargetDescription // of an earlier start
	for _, h := range health {
		leaves := h.TargetHealth.State == elbv2.TargetHealthStateEnumDraining || h.TargetHealth.State == elbv2.TargetHealthStateEnumUnhealthyDraining
		if !leaves && !slices.ContainsFunc(targets, func(t netip.AddrPort) bool { return names(h.Target, t) }) {
			gone = append(gone, elbv2.TargetDescription{Id: h.Target.Id, Port: h.Target.Port})
		}
	}
	var come []elbv2.TargetDescription
	for _, t := range targets {
		come = append(come, elbv2.TargetDescription{Id: new(t.Addr().String()), Port: new(int32(t.Port()))})
	}
	if _, err := call[elbv2.RegisterTargetsOutput](ctx, c.elb, "RegisterTargets", &elbv2.RegisterTargetsInput{TargetGroupArn: &arn, Targets: come}); err != nil {
		return "", err
	}
	if len(gone) == 0 {
		return arn, nil
	}
	_, err = call[elbv2.DeregisterTargetsOutput](ctx, c.elb, "DeregisterTargets", &elbv2.DeregisterTargetsInput{TargetGroupArn: &arn, Targets: gone})
	return arn, err
}

func (c *client) groupARN(ctx context.Context, vpcID string) (string, error) {
	found, err := call[elbv2.DescribeTargetGroupsOutput](ctx, c.elb, "DescribeTargetGroups", &elbv2.DescribeTargetGroupsInput{Names: []string{resourceName}})
	switch {
	case err == nil:
		return *found.TargetGroups[0].TargetGroupArn, nil
	case !refused(err, "TargetGroupNotFound"):
		return "", err
	}
	made, err := call[elbv2.CreateTargetGroupOutput](ctx, c.elb, "CreateTargetGroup", &elbv2.CreateTargetGroupInput{
		Name: new(resourceName), TargetType: elbv2.TargetTypeEnumIp, Protocol: elbv2.ProtocolEnumHttp, Port: new(int32(groupPort)), VpcId: &vpcID,
		HealthCheckIntervalSeconds: new(int32(healthInterval)), HealthCheckTimeoutSeconds: new(int32(healthTimeout)),
		HealthyThresholdCount: new(int32(healthThreshold)), UnhealthyThresholdCount: new(int32(healthThreshold)),
	})
	if err != nil {
		return "", err
	}
	return *made.TargetGroups[0].TargetGroupArn, nil
}

func (c *client) health(ctx context.Context, group string) ([]elbv2.TargetHealthDescription, error) {
	out, err := call[elbv2.DescribeTargetHealthOutput](ctx, c.elb, "DescribeTargetHealth", &elbv2.DescribeTargetHealthInput{TargetGroupArn: &group})
	if err != nil {
		return nil, err
	}
	return out.TargetHealthDescriptions, nil
}

func names(d *elbv2.TargetDescription, t netip.AddrPort) bool {
	return *d.Id == t.Addr().String() && d.Port != nil && *d.Port == int32(t.Port())
}

// loadBalancer returns the load balancer, which draws its addresses from the
// pool.
func (c *client) loadBalancer(ctx context.Context, poolID string, subnets []string) (string, error) {
	found, err := call[elbv2.DescribeLoadBalancersOutput](ctx, c.elb, "DescribeLoadBalancers", &elbv2.DescribeLoadBalancersInput{Names: []string{resourceName}})
	switch {
	case err == nil:
		return *found.LoadBalancers[0].LoadBalancerArn, nil
	case !refused(err, "LoadBalancerNotFound"):
		return "", err
	}
	made, err := call[elbv2.CreateLoadBalancerOutput](ctx, c.elb, "CreateLoadBalancer", &elbv2.CreateLoadBalancerInput{
		Name: new(resourceName), Scheme: elbv2.LoadBalancerSchemeEnumInternetFacing, Subnets: subnets,
		IpamPools: &elbv2.IpamPools{Ipv4IpamPoolId: &poolID},
	})
	if err != nil {
		return "", err
	}
	return *made.LoadBalancers[0].LoadBalancerArn, nil
}

// listener opens the load balancer's port, and forwards what comes there to the
// target group.
func (c *client) listener(ctx context.Context, balancer, group string, port uint16) error {
	found, err := call[elbv2.DescribeListenersOutput](ctx, c.elb, "DescribeListeners", &elbv2.DescribeListenersInput{LoadBalancerArn: &balancer})
	if err != nil {
		return err
	}
	if slices.ContainsFunc(found.Listeners, func(l elbv2.Listener) bool { return *l.Port == int32(port) }) {
		return nil
	}
	_, err = call[elbv2.CreateListenerOutput](ctx, c.elb, "CreateListener", &elbv2.CreateListenerInput{
		LoadBalancerArn: &balancer, Port: new(int32(port)), Protocol: elbv2.ProtocolEnumHttp,
		DefaultActions: []elbv2.Action{{Type: elbv2.ActionTypeEnumForward, TargetGroupArn: &group}},
	})
	return err
}
