package elbv2_test

import (
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/fairlead/fairlead/internal/elb"
)

func TestCapacityReservationOnTheWire(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	lb := w.balancer(shop()).LoadBalancerArn
	out, err := w.ModifyCapacityReservation(t.Context(), &sdk.ModifyCapacityReservationInput{
		LoadBalancerArn: lb, MinimumLoadBalancerCapacity: &types.MinimumLoadBalancerCapacity{CapacityUnits: new(int32(101))},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.DescribeCapacityReservation(t.Context(), &sdk.DescribeCapacityReservationInput{LoadBalancerArn: lb})
	if err != nil {
		t.Fatal(err)
	}
	zone := got.CapacityReservationState[0]
	if *out.MinimumLoadBalancerCapacity.CapacityUnits != 101 || *got.MinimumLoadBalancerCapacity.CapacityUnits != 101 || *got.DecreaseRequestsRemaining != 2 ||
		!got.LastModifiedTime.Equal(*out.LastModifiedTime) || len(got.CapacityReservationState) != 2 {
		t.Errorf("got %+v, then %+v", out, got)
	}
	if *zone.AvailabilityZone != "us-east-1a" || *zone.EffectiveCapacityUnits != 50.5 || zone.State.Code != types.CapacityReservationStateEnumPending {
		t.Errorf("got %+v in %s", zone.State, *zone.AvailabilityZone)
	}
	reset, err := w.ModifyCapacityReservation(t.Context(), &sdk.ModifyCapacityReservationInput{LoadBalancerArn: lb, ResetCapacityReservation: new(true)})
	if err != nil || reset.MinimumLoadBalancerCapacity != nil || *reset.DecreaseRequestsRemaining != 1 || len(reset.CapacityReservationState) != 0 {
		t.Errorf("reset: got %+v, %v", reset, err)
	}
	for want, in := range map[string]*sdk.ModifyCapacityReservationInput{
		"ValidationError":            {LoadBalancerArn: lb, ResetCapacityReservation: new(false)},
		"CapacityUnitsLimitExceeded": {LoadBalancerArn: lb, MinimumLoadBalancerCapacity: &types.MinimumLoadBalancerCapacity{CapacityUnits: new(int32(15_001))}},
	} {
		if _, err := w.ModifyCapacityReservation(t.Context(), in); codeOf(err) != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestNothingHasAResourcePolicy(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	lb := *w.balancer(shop()).LoadBalancerArn
	for arn, want := range map[string]string{lb: "The resource '" + lb + "' has no resource policy", anyGroup: "The resource '" + anyGroup + "' does not exist"} {
		_, err := w.GetResourcePolicy(t.Context(), &sdk.GetResourcePolicyInput{ResourceArn: &arn})
		if code, text := refusal(t, err); code != "ResourceNotFound" || text != want {
			t.Errorf("got %s: %s, want ResourceNotFound: %s", code, text, want)
		}
	}
}
