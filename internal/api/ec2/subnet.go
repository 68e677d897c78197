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
	network(a, svc, "DescribeSubnets", a.describeSubnets)
	network(a, svc, "DeleteSubnet", a.deleteSubnet)
	network(a, svc, "ModifySubnetAttribute", a.modifySubnetAttribute)
}

func (a *API) createSubnet(ctx context.Context, c *wire.Call, in *ec2.CreateSubnetInput) (*ec2.CreateSubnetOutput, error) {
	if err := refuseUnserved(c, "Ipv4IpamPoolId", "Ipv4NetmaskLength", "Ipv6CidrBlock", "Ipv6IpamPoolId",
		"Ipv6Native", "Ipv6NetmaskLength", "OutpostArn"); err != nil {
		return nil, err
	}
	if in.CidrBlock == nil {
		return nil, missing("CidrBlock")
	}
	cidr, err := parseCIDR(*in.CidrBlock, "cidrBlock")
	if err != nil {
		return nil, err
	}
	tg, err := specifiedTags(in.TagSpecifications, string(vpc.KindSubnet))
	if err != nil {
		return nil, err
	}
	zone := value(in.AvailabilityZone)
	if in.AvailabilityZoneId != nil {
		if zone != "" {
			return nil, apierr.New("InvalidParameterCombination", "The parameters AvailabilityZone and AvailabilityZoneId cannot be used together")
		}
		zones := a.Regions.Zones(c.Region)
		i := slices.IndexFunc(zones, func(z string) bool { return a.zoneID(c.Region, z) == *in.AvailabilityZoneId })
		if i < 0 {
			return nil, invalid(*in.AvailabilityZoneId, "availabilityZoneId", "There is no such zone in the region.")
		}
		zone = zones[i]
	}
	n, err := a.vpc(c).CreateSubnet(ctx, vpc.SubnetSpec{
		ID: ids.EC2("subnet"), Account: c.Account, Region: c.Region, VPCID: *in.VpcId, CIDR: cidr, Zone: zone, Tags: tg,
	})
	if err != nil {
		return nil, err
	}
	out := a.renderSubnet(a.Store.Snapshot(), n)
	out.State = ec2.SubnetStatePending
	return &ec2.CreateSubnetOutput{Subnet: &out}, nil
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

func (a *API) subnetAttribute(r store.Reader, n vpc.Subnet, name string) ([]string, bool) {
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
	case "ipv6-native", "enable-dns64", "map-customer-owned-ip-on-launch":
		return yesNo(false), true
	case "ipv6-cidr-block-association.ipv6-cidr-block", "ipv6-cidr-block-association.association-id",
		"ipv6-cidr-block-association.state", "outpost-arn", "customer-owned-ipv4-pool":
		return nil, true
	case "private-dns-name-options-on-launch.hostname-type":
		return some(string(ec2.HostnameTypeIpName)), true
	}
	return tagAttribute(a.Tags.Of(r, n.ID), name)
}

func subnetARN(n vpc.Subnet) string {
	return arn.New("ec2", n.Region, n.Account, "subnet/"+n.ID).String()
}

func (a *API) renderSubnet(r store.Reader, n vpc.Subnet) ec2.Subnet {
	return ec2.Subnet{
		SubnetId: new(n.ID), SubnetArn: new(subnetARN(n)), OwnerId: new(n.Account), VpcId: new(n.VPCID),
		State: ec2.SubnetStateAvailable, CidrBlock: new(n.CIDR.String()),
		AvailabilityZone: new(n.Zone), AvailabilityZoneId: new(a.zoneID(n.Region, n.Zone)),
		AvailableIpAddressCount:     new(int32(n.FreeAddresses())),
		DefaultForAz:                new(n.DefaultForZone),
		MapPublicIpOnLaunch:         new(n.MapPublicAddress),
		MapCustomerOwnedIpOnLaunch:  new(false),
		AssignIpv6AddressOnCreation: new(false),
		EnableDns64:                 new(false),
		Ipv6Native:                  new(false),
		Ipv6CidrBlockAssociationSet: []ec2.SubnetIpv6CidrBlockAssociation{},
		PrivateDnsNameOptionsOnLaunch: &ec2.PrivateDnsNameOptionsOnLaunch{
			HostnameType: ec2.HostnameTypeIpName, EnableResourceNameDnsARecord: new(false), EnableResourceNameDnsAAAARecord: new(false),
		},
		Tags: renderTags(a.Tags.Of(r, n.ID)),
	}
}

func (a *API) deleteSubnet(ctx context.Context, c *wire.Call, in *ec2.DeleteSubnetInput) (*ec2.DeleteSubnetOutput, error) {
	return &ec2.DeleteSubnetOutput{}, a.vpc(c).DeleteSubnet(ctx, c.Account, c.Region, *in.SubnetId)
}

// modifySubnetAttribute changes mapPublicIpOnLaunch. The others are IPv6's or
// instances', and may be set to what they are anyway.
func (a *API) modifySubnetAttribute(ctx context.Context, c *wire.Call, in *ec2.ModifySubnetAttributeInput) (*ec2.ModifySubnetAttributeOutput, error) {
	for name, v := range map[string]*ec2.AttributeBooleanValue{
		"AssignIpv6AddressOnCreation":             in.AssignIpv6AddressOnCreation,
		"DisableLniAtDeviceIndex":                 in.DisableLniAtDeviceIndex,
		"EnableDns64":                             in.EnableDns64,
		"EnableResourceNameDnsAAAARecordOnLaunch": in.EnableResourceNameDnsAAAARecordOnLaunch,
		"EnableResourceNameDnsARecordOnLaunch":    in.EnableResourceNameDnsARecordOnLaunch,
		"MapCustomerOwnedIpOnLaunch":              in.MapCustomerOwnedIpOnLaunch,
	} {
		if v == nil {
			continue
		}
		if value(v.Value) && name == "AssignIpv6AddressOnCreation" {
			return nil, apierr.New("InvalidParameterValue", "Subnet %s has no IPv6 CIDR block to assign addresses from", *in.SubnetId)
		}
		if value(v.Value) {
			return nil, apierr.New("UnsupportedOperation", "The parameter %s is not supported by this installation.", name)
		}
	}
	if err := refuseUnserved(c, "CustomerOwnedIpv4Pool", "EnableLniAtDeviceIndex"); err != nil {
		return nil, err
	}
	if t := in.PrivateDnsHostnameTypeOnLaunch; t != "" && t != ec2.HostnameTypeIpName {
		return nil, apierr.New("UnsupportedOperation", "The value %s of PrivateDnsHostnameTypeOnLaunch is not supported by this installation.", t)
	}
	var mapPublic *bool
	if in.MapPublicIpOnLaunch != nil {
		mapPublic = in.MapPublicIpOnLaunch.Value
	}
	return &ec2.ModifySubnetAttributeOutput{}, a.vpc(c).ModifySubnet(ctx, c.Account, c.Region, *in.SubnetId, mapPublic)
}
