package ec2

import (
	"context"
	"iter"
	"slices"
	"strconv"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/arn"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/vpc"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerSubnets(svc *wire.Service) {
	network(a, svc, "CreateSubnet", a.createSubnet)
	network(a, svc, "CreateDefaultSubnet", a.createDefaultSubnet)
	network(a, svc, "DescribeSubnets", a.describeSubnets)
	network(a, svc, "DeleteSubnet", a.deleteSubnet)
	network(a, svc, "ModifySubnetAttribute", a.modifySubnetAttribute)
}

func (a *API) createSubnet(ctx context.Context, c *wire.Call, in *ec2.CreateSubnetInput) (*ec2.CreateSubnetOutput, error) {
	if err := refuseUnserved(c, "Ipv6Native", "OutpostArn"); err != nil {
		return nil, err
	}
	v4, err := blockRequest{in.CidrBlock, in.Ipv4IpamPoolId, in.Ipv4NetmaskLength, "4", "cidrBlock"}.spec()
	if err != nil {
		return nil, err
	}
	if v4 == (vpc.BlockSpec{}) {
		return nil, missing("CidrBlock")
	}
	v6, err := blockRequest{in.Ipv6CidrBlock, in.Ipv6IpamPoolId, in.Ipv6NetmaskLength, "6", "ipv6CidrBlock"}.spec()
	if err != nil {
		return nil, err
	}
	tg, err := specifiedTags(in.TagSpecifications, string(vpc.KindSubnet))
	if err != nil {
		return nil, err
	}
	zone, err := a.zoneOf(c, in.AvailabilityZone, in.AvailabilityZoneId)
	if err != nil {
		return nil, err
	}
	n, err := a.vpc(c).CreateSubnet(ctx, vpc.SubnetSpec{
		ID: ids.EC2("subnet"), Account: c.Account, Region: c.Region, VPCID: *in.VpcId,
		CIDR: v4.CIDR, PoolID: v4.PoolID, NetmaskLength: v4.NetmaskLength,
		IPv6: v6, IPv6AssociationID: ids.EC2("subnet-cidr-assoc"),
		Zone: zone, Tags: tg, Time: c.Now,
	})
	if err != nil {
		return nil, err
	}
	return &ec2.CreateSubnetOutput{Subnet: new(a.renderNewSubnet(n))}, nil
}

func (a *API) renderNewSubnet(n vpc.Subnet) ec2.Subnet {
	out := a.renderSubnet(a.Store.Snapshot(), n)
	out.State = ec2.SubnetStatePending
	for i := range out.Ipv6CidrBlockAssociationSet {
		out.Ipv6CidrBlockAssociationSet[i].Ipv6CidrBlockState.State = ec2.SubnetCidrBlockStateCodeAssociating
	}
	return out
}

// zoneOf returns the zone that a call names one way or the other, "" for none.
func (a *API) zoneOf(c *wire.Call, name, id *string) (string, error) {
	switch {
	case id == nil:
		return value(name), nil
	case value(name) != "":
		return "", apierr.New("InvalidParameterCombination", "The parameters AvailabilityZone and AvailabilityZoneId cannot be used together")
	}
	zones := a.Regions.Zones(c.Region)
	i := slices.IndexFunc(zones, func(z string) bool { return a.zoneID(c.Region, z) == *id })
	if i < 0 {
		return "", invalid(*id, "availabilityZoneId", "There is no such zone in the region.")
	}
	return zones[i], nil
}

func (a *API) createDefaultSubnet(ctx context.Context, c *wire.Call, in *ec2.CreateDefaultSubnetInput) (*ec2.CreateDefaultSubnetOutput, error) {
	if err := refuseUnserved(c, "Ipv6Native"); err != nil {
		return nil, err
	}
	zone, err := a.zoneOf(c, in.AvailabilityZone, in.AvailabilityZoneId)
	if err != nil {
		return nil, err
	}
	if zone == "" {
		return nil, missing("AvailabilityZone")
	}
	n, err := a.vpc(c).CreateDefaultSubnet(ctx, c.Account, c.Region, ids.EC2("subnet"), zone)
	if err != nil {
		return nil, err
	}
	return &ec2.CreateDefaultSubnetOutput{Subnet: new(a.renderNewSubnet(n))}, nil
}

func (a *API) describeSubnets(_ context.Context, c *wire.Call, in *ec2.DescribeSubnetsInput) (*ec2.DescribeSubnetsOutput, error) {
	snap := a.Store.Snapshot()
	items, next, err := list(c, query{IDs: in.SubnetIds, Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: 5, Max: 1000},
		source[vpc.Subnet]{
			from: func(key string) iter.Seq2[string, vpc.Subnet] {
				return a.VPC.Subnets(snap, c.Account, c.Region, key)
			},
			get:    func(id string) (vpc.Subnet, bool) { return a.VPC.Subnet(snap, c.Account, c.Region, id) },
			absent: func(id string) error { return &vpc.NotFoundError{Kind: vpc.KindSubnet, ID: id} },
			attribute: func(n vpc.Subnet, name string) ([]string, bool) {
				return a.subnetAttribute(snap, n, name)
			},
		})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeSubnetsOutput{Subnets: []ec2.Subnet{}, NextToken: next}
	for _, n := range items {
		out.Subnets = append(out.Subnets, a.renderSubnet(snap, n))
	}
	return out, nil
}

func (a *API) subnetAttribute(r store.Reader, n vpc.Subnet, name string) (values []string, known bool) {
	switch name {
	case "availability-zone", "availabilityZone":
		return some(n.Zone), true
	case "availability-zone-id", "availabilityZoneId":
		return some(a.zoneID(n.Region, n.Zone)), true
	case "available-ip-address-count":
		if !n.CIDR.IsValid() {
			return nil, true
		}
		return some(strconv.Itoa(n.FreeAddresses())), true
	case "cidr", "cidrBlock", "cidr-block":
		return some(n.CIDR.String()), true
	case "default-for-az", "defaultForAz":
		return yesNo(n.DefaultForZone), true
	case "map-public-ip-on-launch":
		return yesNo(n.MapPublicAddress), true
	case "owner-id":
		return some(n.Account), true
	case "state":
		return some(string(ec2.SubnetStateAvailable)), true
	case "subnet-arn":
		return some(subnetARN(n)), true
	case "subnet-id":
		return some(n.ID), true
	case "vpc-id":
		return some(n.VPCID), true
	case "enable-dns64":
		return yesNo(n.DNS64), true
	case "ipv6-native", "map-customer-owned-ip-on-launch":
		return yesNo(false), true
	case "outpost-arn", "customer-owned-ipv4-pool", "enable-lni-at-device-index":
		return nil, true
	case "private-dns-name-options-on-launch.hostname-type":
		return some(string(hostnameType(n))), true
	case "private-dns-name-options-on-launch.enable-resource-name-dns-a-record":
		return yesNo(n.ResourceNameA), true
	case "private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record":
		return yesNo(n.ResourceNameAAAA), true
	}
	blocks := map[string]func(vpc.CIDRBlock) string{
		"ipv6-cidr-block-association.ipv6-cidr-block": func(b vpc.CIDRBlock) string { return b.CIDR.String() },
		"ipv6-cidr-block-association.association-id":  func(b vpc.CIDRBlock) string { return b.AssociationID },
		"ipv6-cidr-block-association.state":           func(vpc.CIDRBlock) string { return string(ec2.SubnetCidrBlockStateCodeAssociated) },
	}
	if of := blocks[name]; of != nil {
		for _, b := range n.Blocks {
			values = append(values, of(b))
		}
		return values, true
	}
	return tagAttribute(a.Tags.Of(r, n.ID), name)
}

func hostnameType(n vpc.Subnet) ec2.HostnameType {
	if n.NamedByResource {
		return ec2.HostnameTypeResourceName
	}
	return ec2.HostnameTypeIpName
}

func subnetARN(n vpc.Subnet) string {
	return arn.New("ec2", n.Region, n.Account, "subnet/"+n.ID).String()
}

func (a *API) renderSubnet(r store.Reader, n vpc.Subnet) ec2.Subnet {
	out := ec2.Subnet{
		SubnetId: new(n.ID), SubnetArn: new(subnetARN(n)), OwnerId: new(n.Account), VpcId: new(n.VPCID),
		State: ec2.SubnetStateAvailable, CidrBlock: new(n.CIDR.String()),
		AvailabilityZone: new(n.Zone), AvailabilityZoneId: new(a.zoneID(n.Region, n.Zone)),
		AvailableIpAddressCount:     new(int32(n.FreeAddresses())),
		DefaultForAz:                new(n.DefaultForZone),
		MapPublicIpOnLaunch:         new(n.MapPublicAddress),
		MapCustomerOwnedIpOnLaunch:  new(false),
		AssignIpv6AddressOnCreation: new(n.AssignIPv6),
		EnableDns64:                 new(n.DNS64),
		Ipv6Native:                  new(false),
		Ipv6CidrBlockAssociationSet: []ec2.SubnetIpv6CidrBlockAssociation{},
		PrivateDnsNameOptionsOnLaunch: &ec2.PrivateDnsNameOptionsOnLaunch{
			HostnameType: hostnameType(n), EnableResourceNameDnsARecord: new(n.ResourceNameA), EnableResourceNameDnsAAAARecord: new(n.ResourceNameAAAA),
		},
		Tags: renderTags(a.Tags.Of(r, n.ID)),
	}
	for _, b := range n.Blocks {
		out.Ipv6CidrBlockAssociationSet = append(out.Ipv6CidrBlockAssociationSet, a.subnetAssociation(r, n, b, ec2.SubnetCidrBlockStateCodeAssociated))
	}
	return out
}

func (a *API) deleteSubnet(ctx context.Context, c *wire.Call, in *ec2.DeleteSubnetInput) (*ec2.DeleteSubnetOutput, error) {
	return &ec2.DeleteSubnetOutput{}, a.vpc(c).DeleteSubnet(ctx, c.Account, c.Region, *in.SubnetId)
}

// modifySubnetAttribute changes one attribute. Those of what there isn't here
// may be set to what they are anyway.
func (a *API) modifySubnetAttribute(ctx context.Context, c *wire.Call, in *ec2.ModifySubnetAttributeInput) (*ec2.ModifySubnetAttributeOutput, error) {
	if err := refuseUnserved(c, "CustomerOwnedIpv4Pool", "EnableLniAtDeviceIndex"); err != nil {
		return nil, err
	}
	var ch vpc.SubnetChange
	given := 0
	for _, m := range []struct {
		name string
		from *ec2.AttributeBooleanValue
		to   **bool
	}{
		{"AssignIpv6AddressOnCreation", in.AssignIpv6AddressOnCreation, &ch.AssignIPv6},
		{"DisableLniAtDeviceIndex", in.DisableLniAtDeviceIndex, nil},
		{"EnableDns64", in.EnableDns64, &ch.DNS64},
		{"EnableResourceNameDnsAAAARecordOnLaunch", in.EnableResourceNameDnsAAAARecordOnLaunch, &ch.ResourceNameAAAA},
		{"EnableResourceNameDnsARecordOnLaunch", in.EnableResourceNameDnsARecordOnLaunch, &ch.ResourceNameA},
		{"MapCustomerOwnedIpOnLaunch", in.MapCustomerOwnedIpOnLaunch, nil},
		{"MapPublicIpOnLaunch", in.MapPublicIpOnLaunch, &ch.MapPublicAddress},
	} {
		switch {
		case m.from == nil || m.from.Value == nil:
			continue
		case m.to != nil:
			*m.to = m.from.Value
		case *m.from.Value:
			return nil, apierr.New("UnsupportedOperation", "The parameter %s is not supported by this installation.", m.name)
		}
		given++
	}
	if t := in.PrivateDnsHostnameTypeOnLaunch; t != "" {
		ch.NamedByResource = new(t == ec2.HostnameTypeResourceName)
		given++
	}
	switch given {
	case 0:
		return nil, apierr.New("MissingParameter", "The request must contain an attribute to modify")
	case 1:
	default: // ModifySubnetAttribute takes one at a time
		return nil, apierr.New("InvalidParameterCombination", "Fields for multiple attribute types specified")
	}
	return &ec2.ModifySubnetAttributeOutput{}, a.vpc(c).ModifySubnet(ctx, c.Account, c.Region, *in.SubnetId, ch)
}
