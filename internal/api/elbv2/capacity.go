package elbv2

import (
	"context"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/shapes/elbv2"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) modifyCapacityReservation(ctx context.Context, c *wire.Call, in *elbv2.ModifyCapacityReservationInput) (*elbv2.ModifyCapacityReservationOutput, error) {
	m := elb.ModifyCapacity{Account: c.Account, Region: c.Region, ARN: *in.LoadBalancerArn, Reset: value(in.ResetCapacityReservation), Time: c.Now}
	if asked := in.MinimumLoadBalancerCapacity; asked != nil {
		if asked.CapacityUnits == nil || *asked.CapacityUnits < 1 {
			return nil, invalid("The capacity units of a minimum load balancer capacity must be a positive number")
		}
		m.Units = int(*asked.CapacityUnits)
	}
	if _, err := a.elb.ModifyCapacity(ctx, m); err != nil {
		return nil, err
	}
	out, err := a.renderCapacity(c, m.ARN)
	return (*elbv2.ModifyCapacityReservationOutput)(out), err
}

func (a *API) describeCapacityReservation(_ context.Context, c *wire.Call, in *elbv2.DescribeCapacityReservationInput) (*elbv2.DescribeCapacityReservationOutput, error) {
	return a.renderCapacity(c, *in.LoadBalancerArn)
}

// renderCapacity shows a load balancer's reservation, which both operations answer.
func (a *API) renderCapacity(c *wire.Call, arn string) (*elbv2.DescribeCapacityReservationOutput, error) {
	r, err := a.elb.Capacity(a.store.Snapshot(), c.Account, c.Region, arn, c.Now)
	if err != nil {
		return nil, err
	}
	out := &elbv2.DescribeCapacityReservationOutput{
		CapacityReservationState:  []elbv2.ZonalCapacityReservationState{},
		DecreaseRequestsRemaining: new(int32(r.DecreasesLeft)),
	}
	if !r.Modified.IsZero() {
		out.LastModifiedTime = &r.Modified
	}
	if r.Units > 0 {
		out.MinimumLoadBalancerCapacity = &elbv2.MinimumLoadBalancerCapacity{CapacityUnits: new(int32(r.Units))}
	}
	for _, z := range r.Zones {
		state := &elbv2.CapacityReservationStatus{Code: elbv2.CapacityReservationStateEnumProvisioned}
		if !z.Provisioned {
			state = &elbv2.CapacityReservationStatus{Code: elbv2.CapacityReservationStateEnumPending, Reason: new("The zone's node does not serve yet")}
		}
		out.CapacityReservationState = append(out.CapacityReservationState, elbv2.ZonalCapacityReservationState{
			AvailabilityZone: new(z.Zone), EffectiveCapacityUnits: new(z.Units), State: state,
		})
	}
	return out, nil
}
