package fairlead

import (
	"context"
	"errors"
	"net/netip"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/instance"
	"github.com/fairlead/fairlead/internal/shapes/fairlead"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/wire"
)

// maxListed is how many instances one page of ListInstances has.
const maxListed = 1000

// instanceCodes are EC2's codes, or like them, for the instance room's errors.
var instanceCodes = map[instance.Kind]string{
	instance.Invalid:    "InvalidParameterValue",
	instance.Taken:      "InvalidInstance.Duplicate",
	instance.NotFound:   "InvalidID.NotFound",
	instance.Configured: "OperationNotPermitted",
}

func instanceRefusal(err error) (*apierr.Error, bool) {
	refused, ok := errors.AsType[*instance.Error](err)
	if !ok {
		return nil, false
	}
	return apierr.New(instanceCodes[refused.Kind], "%s", refused.Message), true
}

func (a *api) addInstance(ctx context.Context, c *wire.Call, in *fairlead.AddInstanceInput) (*fairlead.AddInstanceOutput, error) {
	spec := instance.Spec{Instance: instance.Instance{
		ID: ids.EC2("i"), Account: c.Account, Region: c.Region, VPCID: text(in.VpcId), SubnetID: text(in.SubnetId), Zone: text(in.AvailabilityZone), Since: c.Now,
	}}
	if in.InstanceId != nil {
		spec.ID = *in.InstanceId
	}
	var err error
	if spec.Private, err = parseAddress("PrivateIpAddress", in.PrivateIpAddress); err != nil {
		return nil, err
	}
	if in.Ipv6Address != nil {
		if spec.IPv6, err = parseAddress("Ipv6Address", in.Ipv6Address); err != nil {
			return nil, err
		}
	}
	for _, t := range in.Tags {
		spec.Tags = append(spec.Tags, tags.Tag{Key: *t.Key, Value: text(t.Value)})
	}
	if err := tags.Check(spec.Tags); err != nil {
		return nil, err
	}
	added, err := a.instances.Add(ctx, spec)
	if err != nil {
		return nil, err
	}
	return &fairlead.AddInstanceOutput{InstanceId: &added.ID}, nil
}

func (a *api) removeInstance(ctx context.Context, c *wire.Call, in *fairlead.RemoveInstanceInput) (*fairlead.RemoveInstanceOutput, error) {
	if err := a.instances.Remove(ctx, c.Account, c.Region, *in.InstanceId); err != nil {
		return nil, err
	}
	return &fairlead.RemoveInstanceOutput{Return: new(true)}, nil
}

func (a *api) listInstances(_ context.Context, c *wire.Call, in *fairlead.ListInstancesInput) (*fairlead.ListInstancesOutput, error) {
	from, err := wire.From(in.NextToken, "InvalidNextToken")
	if err != nil {
		return nil, err
	}
	snap := a.store.Snapshot()
	items, next := wire.Page(a.instances.Instances(snap, c.Account, c.Region, from), maxListed)
	out := &fairlead.ListInstancesOutput{Instances: []fairlead.Instance{}, NextToken: next}
	for _, i := range items {
		shown := fairlead.Instance{
			InstanceId: &i.ID, PrivateIpAddress: new(i.Private.String()), Configured: &i.Configured,
			VpcId: given(i.VPCID), SubnetId: given(i.SubnetID), AvailabilityZone: given(i.Zone),
		}
		if i.IPv6.IsValid() {
			shown.Ipv6Address = new(i.IPv6.String())
		}
		for _, t := range a.tags.Of(snap, i.ID) {
			shown.Tags = append(shown.Tags, fairlead.Tag{Key: new(t.Key), Value: new(t.Value)})
		}
		out.Instances = append(out.Instances, shown)
	}
	return out, nil
}

func parseAddress(parameter string, s *string) (netip.Addr, error) {
	a, err := netip.ParseAddr(*s)
	if err != nil {
		return a, apierr.New("InvalidParameterValue", "Value (%s) for parameter %s is invalid. It must be an IP address.", *s, parameter)
	}
	return a, nil
}

// text returns what s points to, "" for nothing.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
