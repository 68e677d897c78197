package elbv2

import (
	"context"
	"maps"
	"slices"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/shapes/elbv2"
	"github.com/fairlead/fairlead/internal/wire"
)

// readAttributes returns what a call sets. One that names a key twice has its
// last word.
func readAttributes[T any](in []T, of func(T) (key, value *string)) (map[string]string, error) {
	out := map[string]string{}
	for _, a := range in {
		key, value := of(a)
		if key == nil {
			return nil, &elb.Error{Kind: elb.Invalid, Message: "An attribute must have a key"}
		}
		out[*key] = ""
		if value != nil {
			out[*key] = *value
		}
	}
	return out, nil
}

// renderAttributes returns attributes by key.
func renderAttributes[T any](all map[string]string, make func(key, value *string) T) []T {
	out := []T{}
	for _, k := range slices.Sorted(maps.Keys(all)) {
		v := all[k]
		out = append(out, make(&k, &v))
	}
	return out
}

func loadBalancerAttribute(k, v *string) elbv2.LoadBalancerAttribute {
	return elbv2.LoadBalancerAttribute{Key: k, Value: v}
}

func (a *API) describeLoadBalancerAttributes(_ context.Context, c *wire.Call, in *elbv2.DescribeLoadBalancerAttributesInput) (*elbv2.DescribeLoadBalancerAttributesOutput, error) {
	b, err := a.elb.LoadBalancer(a.store.Snapshot(), c.Account, c.Region, *in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}
	return &elbv2.DescribeLoadBalancerAttributesOutput{Attributes: renderAttributes(b.AllAttributes(), loadBalancerAttribute)}, nil
}

func (a *API) modifyLoadBalancerAttributes(ctx context.Context, c *wire.Call, in *elbv2.ModifyLoadBalancerAttributesInput) (*elbv2.ModifyLoadBalancerAttributesOutput, error) {
	changes, err := readAttributes(in.Attributes, func(x elbv2.LoadBalancerAttribute) (key, value *string) { return x.Key, x.Value })
	if err != nil {
		return nil, err
	}
	all, err := a.elb.ModifyLoadBalancerAttributes(ctx, c.Account, c.Region, *in.LoadBalancerArn, changes, c.Now)
	if err != nil {
		return nil, err
	}
	return &elbv2.ModifyLoadBalancerAttributesOutput{Attributes: renderAttributes(all, loadBalancerAttribute)}, nil
}

func listenerAttribute(k, v *string) elbv2.ListenerAttribute {
	return elbv2.ListenerAttribute{Key: k, Value: v}
}

func (a *API) describeListenerAttributes(_ context.Context, c *wire.Call, in *elbv2.DescribeListenerAttributesInput) (*elbv2.DescribeListenerAttributesOutput, error) {
	l, err := a.elb.Listener(a.store.Snapshot(), c.Account, c.Region, *in.ListenerArn)
	if err != nil {
		return nil, err
	}
	return &elbv2.DescribeListenerAttributesOutput{Attributes: renderAttributes(l.AllAttributes(), listenerAttribute)}, nil
}

func (a *API) modifyListenerAttributes(ctx context.Context, c *wire.Call, in *elbv2.ModifyListenerAttributesInput) (*elbv2.ModifyListenerAttributesOutput, error) {
	changes, err := readAttributes(in.Attributes, func(x elbv2.ListenerAttribute) (key, value *string) { return x.Key, x.Value })
	if err != nil {
		return nil, err
	}
	all, err := a.elb.ModifyListenerAttributes(ctx, c.Account, c.Region, *in.ListenerArn, changes)
	if err != nil {
		return nil, err
	}
	return &elbv2.ModifyListenerAttributesOutput{Attributes: renderAttributes(all, listenerAttribute)}, nil
}

func targetGroupAttribute(k, v *string) elbv2.TargetGroupAttribute {
	return elbv2.TargetGroupAttribute{Key: k, Value: v}
}

func (a *API) describeTargetGroupAttributes(_ context.Context, c *wire.Call, in *elbv2.DescribeTargetGroupAttributesInput) (*elbv2.DescribeTargetGroupAttributesOutput, error) {
	g, err := a.elb.TargetGroup(a.store.Snapshot(), c.Account, c.Region, *in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	return &elbv2.DescribeTargetGroupAttributesOutput{Attributes: renderAttributes(g.AllAttributes(), targetGroupAttribute)}, nil
}

func (a *API) modifyTargetGroupAttributes(ctx context.Context, c *wire.Call, in *elbv2.ModifyTargetGroupAttributesInput) (*elbv2.ModifyTargetGroupAttributesOutput, error) {
	changes, err := readAttributes(in.Attributes, func(x elbv2.TargetGroupAttribute) (key, value *string) { return x.Key, x.Value })
	if err != nil {
		return nil, err
	}
	all, err := a.elb.ModifyTargetGroupAttributes(ctx, c.Account, c.Region, *in.TargetGroupArn, changes)
	if err != nil {
		return nil, err
	}
	return &elbv2.ModifyTargetGroupAttributesOutput{Attributes: renderAttributes(all, targetGroupAttribute)}, nil
}
