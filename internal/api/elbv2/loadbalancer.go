package elbv2

import (
	"context"
	"iter"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/shapes/elbv2"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) createLoadBalancer(ctx context.Context, c *wire.Call, in *elbv2.CreateLoadBalancerInput) (*elbv2.CreateLoadBalancerOutput, error) {
	other := in.Type != "" && in.Type != elbv2.LoadBalancerTypeEnumApplication
	switch {
	case other && in.IpamPools != nil:
		return nil, &elb.Error{Kind: elb.InvalidConfiguration, Message: "An IPAM pool can be specified only for application load balancers"}
	case other:
		return nil, invalid("Load balancer type '%s' is not supported by this installation; use 'application'", in.Type)
	case in.CustomerOwnedIpv4Pool != nil:
		return nil, invalid("Customer-owned address pools are not supported by this installation")
	case in.EnablePrefixForIpv6SourceNat != "":
		return nil, invalid("EnablePrefixForIpv6SourceNat is not supported for application load balancers")
	}
	subnets, err := subnetsOf(in.Subnets, in.SubnetMappings)
	if err != nil {
		return nil, err
	}
	tg, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	req := elb.CreateLoadBalancer{
		Account: c.Account, Region: c.Region, Name: *in.Name, Subnets: subnets, SecurityGroups: in.SecurityGroups,
		Scheme: elb.InternetFacing, AddressType: "ipv4", Tags: tg, Time: c.Now, Hex: ids.New("", 16), Digits: ids.Decimal(10),
	}
	if in.Scheme != "" {
		req.Scheme = elb.Scheme(in.Scheme)
	}
	if in.IpAddressType != "" {
		req.AddressType = string(in.IpAddressType)
	}
	req.PoolID = readPool(in.IpamPools)
	b, err := a.elb.CreateLoadBalancer(ctx, req)
	if err != nil {
		return nil, err
	}
	return &elbv2.CreateLoadBalancerOutput{LoadBalancers: []elbv2.LoadBalancer{renderLoadBalancer(b)}}, nil
}

// readPool returns the pool that a call names, "" for none.
func readPool(p *elbv2.IpamPools) string {
	if p == nil {
		return ""
	}
	return value(p.Ipv4IpamPoolId)
}

func (a *API) modifyIPPools(ctx context.Context, c *wire.Call, in *elbv2.ModifyIpPoolsInput) (*elbv2.ModifyIpPoolsOutput, error) {
	b, err := a.elb.ModifyIPPool(ctx, elb.ModifyIPPool{
		Account: c.Account, Region: c.Region, ARN: *in.LoadBalancerArn, PoolID: readPool(in.IpamPools), Remove: len(in.RemoveIpamPools) > 0, Time: c.Now,
	})
	if err != nil {
		return nil, err
	}
	return &elbv2.ModifyIpPoolsOutput{IpamPools: renderPools(b)}, nil
}

// renderPools returns nil for a load balancer without a pool.
func renderPools(b elb.LoadBalancer) *elbv2.IpamPools {
	if b.PoolID == "" {
		return nil
	}
	return &elbv2.IpamPools{Ipv4IpamPoolId: &b.PoolID}
}

func (a *API) setSubnets(ctx context.Context, c *wire.Call, in *elbv2.SetSubnetsInput) (*elbv2.SetSubnetsOutput, error) {
	if in.EnablePrefixForIpv6SourceNat != "" {
		return nil, invalid("EnablePrefixForIpv6SourceNat is not supported for application load balancers")
	}
	subnets, err := subnetsOf(in.Subnets, in.SubnetMappings)
	if err != nil {
		return nil, err
	}
	b, err := a.elb.SetSubnets(ctx, elb.SetSubnets{
		Account: c.Account, Region: c.Region, ARN: *in.LoadBalancerArn, Subnets: subnets, AddressType: string(in.IpAddressType), Time: c.Now,
	})
	if err != nil {
		return nil, err
	}
	return &elbv2.SetSubnetsOutput{AvailabilityZones: renderZones(b), IpAddressType: elbv2.IpAddressType(b.AddressType)}, nil
}

func (a *API) setIPAddressType(ctx context.Context, c *wire.Call, in *elbv2.SetIpAddressTypeInput) (*elbv2.SetIpAddressTypeOutput, error) {
	b, err := a.elb.SetAddressType(ctx, elb.SetAddressType{
		Account: c.Account, Region: c.Region, ARN: *in.LoadBalancerArn, AddressType: string(in.IpAddressType), Time: c.Now,
	})
	if err != nil {
		return nil, err
	}
	return &elbv2.SetIpAddressTypeOutput{IpAddressType: elbv2.IpAddressType(b.AddressType)}, nil
}

func subnetsOf(subnets []string, mappings []elbv2.SubnetMapping) ([]string, error) {
	if len(subnets) > 0 && len(mappings) > 0 {
		return nil, invalid("Only one of 'Subnets' and 'SubnetMappings' can be specified")
	}
	if len(subnets) == 0 && len(mappings) == 0 {
		return nil, invalid("At least two subnets in two different Availability Zones must be specified")
	}
	for _, m := range mappings {
		if m.AllocationId != nil || m.PrivateIPv4Address != nil || m.IPv6Address != nil || m.SourceNatIpv6Prefix != nil {
			return nil, invalid("You can specify only the subnet ID in a subnet mapping of an application load balancer")
		}
		if m.SubnetId == nil {
			return nil, invalid("A subnet ID must be specified in a subnet mapping")
		}
		subnets = append(subnets, *m.SubnetId)
	}
	return subnets, nil
}

func renderLoadBalancer(b elb.LoadBalancer) elbv2.LoadBalancer {
	out := elbv2.LoadBalancer{
		LoadBalancerArn:       &b.ARN,
		LoadBalancerName:      &b.Name,
		DNSName:               &b.DNSName,
		CanonicalHostedZoneId: new(hostedZone(b.Region)),
		CreatedTime:           &b.Created,
		Scheme:                elbv2.LoadBalancerSchemeEnum(b.Scheme),
		Type:                  elbv2.LoadBalancerTypeEnumApplication,
		IpAddressType:         elbv2.IpAddressType(b.AddressType),
		VpcId:                 &b.VPCID,
		SecurityGroups:        append([]string{}, b.SecurityGroups...),
		State:                 &elbv2.LoadBalancerState{Code: elbv2.LoadBalancerStateEnum(b.State)},
		AvailabilityZones:     renderZones(b),
	}
	if b.Reason != "" {
		out.State.Reason = &b.Reason
	}
	out.IpamPools = renderPools(b)
	return out
}

// renderZones leaves the list of addresses empty even with a pool: it is for
// network load balancers, and clients take an entry for an elastic IP.
func renderZones(b elb.LoadBalancer) []elbv2.AvailabilityZone {
	out := []elbv2.AvailabilityZone{}
	for _, z := range b.Zones {
		out = append(out, elbv2.AvailabilityZone{ZoneName: new(z.Zone), SubnetId: new(z.SubnetID), LoadBalancerAddresses: []elbv2.LoadBalancerAddress{}})
	}
	return out
}

func (a *API) describeLoadBalancers(_ context.Context, c *wire.Call, in *elbv2.DescribeLoadBalancersInput) (*elbv2.DescribeLoadBalancersOutput, error) {
	if len(in.LoadBalancerArns) > 0 && len(in.Names) > 0 {
		return nil, invalid("Load balancer names and load balancer ARNs cannot be specified at the same time")
	}
	snap := a.store.Snapshot()
	var found []elb.LoadBalancer
	var next *string
	var err error
	switch {
	case len(in.LoadBalancerArns) > 0:
		found, err = named(in.LoadBalancerArns, func(arn string) (elb.LoadBalancer, error) {
			return a.elb.LoadBalancer(snap, c.Account, c.Region, arn)
		})
	case len(in.Names) > 0:
		found, err = named(in.Names, func(n string) (elb.LoadBalancer, error) {
			return a.elb.LoadBalancerByName(snap, c.Account, c.Region, n)
		})
	default:
		found, next, err = pageOf(in.Marker, in.PageSize, func(from string) iter.Seq2[string, elb.LoadBalancer] {
			return a.elb.LoadBalancers(snap, c.Account, c.Region, from)
		})
	}
	if err != nil {
		return nil, err
	}
	out := &elbv2.DescribeLoadBalancersOutput{LoadBalancers: []elbv2.LoadBalancer{}, NextMarker: next}
	for _, b := range found {
		out.LoadBalancers = append(out.LoadBalancers, renderLoadBalancer(b))
	}
	return out, nil
}

func (a *API) deleteLoadBalancer(ctx context.Context, c *wire.Call, in *elbv2.DeleteLoadBalancerInput) (*elbv2.DeleteLoadBalancerOutput, error) {
	return &elbv2.DeleteLoadBalancerOutput{}, a.elb.DeleteLoadBalancer(ctx, c.Account, c.Region, *in.LoadBalancerArn)
}
