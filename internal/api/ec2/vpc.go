package ec2

import (
	"context"
	"iter"
	"net/netip"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/vpc"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerVPCs(svc *wire.Service) {
	network(a, svc, "CreateVpc", a.createVPC)
	network(a, svc, "CreateDefaultVpc", a.createDefaultVPC)
	network(a, svc, "DescribeVpcs", a.describeVPCs)
	network(a, svc, "DeleteVpc", a.deleteVPC)
	network(a, svc, "DescribeVpcAttribute", a.describeVPCAttribute)
	network(a, svc, "ModifyVpcAttribute", a.modifyVPCAttribute)
}

// parseCIDR reads a CIDR; name is the parameter's.
func parseCIDR(text, name string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, invalid(text, name, "This is not a valid CIDR block.")
	}
	return p, nil
}

func (a *API) createVPC(ctx context.Context, c *wire.Call, in *ec2.CreateVpcInput) (*ec2.CreateVpcOutput, error) {
	if err := refuseUnserved(c, "AmazonProvidedIpv6CidrBlock", "Ipv4IpamPoolId", "Ipv4NetmaskLength", "Ipv6CidrBlock",
		"Ipv6CidrBlockNetworkBorderGroup", "Ipv6IpamPoolId", "Ipv6NetmaskLength", "Ipv6Pool", "VpcEncryptionControl"); err != nil {
		return nil, err
	}
	if in.CidrBlock == nil {
		return nil, missing("CidrBlock")
	}
	cidr, err := parseCIDR(*in.CidrBlock, "cidrBlock")
	if err != nil {
		return nil, err
	}
	tg, err := specifiedTags(in.TagSpecifications, string(vpc.KindVPC))
	if err != nil {
		return nil, err
	}
	tenancy := in.InstanceTenancy
	switch tenancy {
	case "":
		tenancy = ec2.TenancyDefault
	case ec2.TenancyDefault, ec2.TenancyDedicated:
	case ec2.TenancyHost:
		return nil, invalid(tenancy, "instanceTenancy", "The tenancy must be default or dedicated.")
	}
	v, err := a.vpc(c).CreateVPC(ctx, vpc.VPCSpec{
		ID: ids.EC2("vpc"), Account: c.Account, Region: c.Region, CIDR: cidr, Tenancy: string(tenancy), Tags: tg,
	})
	if err != nil {
		return nil, err
	}
	out := a.renderVPC(a.Store.Snapshot(), v)
	out.State = ec2.VpcStatePending
	return &ec2.CreateVpcOutput{Vpc: &out}, nil
}

func (a *API) createDefaultVPC(ctx context.Context, c *wire.Call, _ *ec2.CreateDefaultVpcInput) (*ec2.CreateDefaultVpcOutput, error) {
	v, err := a.vpc(c).CreateDefaultVPC(ctx, c.Account, c.Region, c.Now)
	if err != nil {
		return nil, err
	}
	out := a.renderVPC(a.Store.Snapshot(), v)
	out.State = ec2.VpcStatePending
	return &ec2.CreateDefaultVpcOutput{Vpc: &out}, nil
}

func (a *API) describeVPCs(_ context.Context, c *wire.Call, in *ec2.DescribeVpcsInput) (*ec2.DescribeVpcsOutput, error) {
	snap := a.Store.Snapshot()
	items, next, err := list(c, query{IDs: in.VpcIds, Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: 5, Max: 1000},
		source[vpc.VPC]{
			from: func(key string) iter.Seq2[string, vpc.VPC] {
				return a.VPC.VPCs(snap, c.Account, c.Region, key)
			},
			get:    func(id string) (vpc.VPC, bool) { return a.VPC.VPC(snap, c.Account, c.Region, id) },
			absent: func(id string) error { return &vpc.NotFoundError{Kind: vpc.KindVPC, ID: id} },
			attribute: func(v vpc.VPC, name string) ([]string, bool) {
				return a.vpcAttribute(snap, v, name)
			},
		})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeVpcsOutput{Vpcs: []ec2.Vpc{}, NextToken: next}
	for _, v := range items {
		out.Vpcs = append(out.Vpcs, a.renderVPC(snap, v))
	}
	return out, nil
}

func (a *API) vpcAttribute(r store.Reader, v vpc.VPC, name string) ([]string, bool) {
	switch name {
	case "cidr", "cidrBlock", "cidr-block", "cidr-block-association.cidr-block":
		return some(v.CIDR.String()), true
	case "cidr-block-association.association-id":
		return some(v.CIDRAssociationID()), true
	case "cidr-block-association.state":
		return some(string(ec2.VpcCidrBlockStateCodeAssociated)), true
	case "dhcp-options-id", "dhcpOptionsId":
		return some(v.DHCPOptionsID()), true
	case "is-default", "isDefault":
		return yesNo(v.Default), true
	case "owner-id":
		return some(v.Account), true
	case "state":
		return some(string(ec2.VpcStateAvailable)), true
	case "vpc-id":
		return some(v.ID), true
	case "ipv6-cidr-block-association.ipv6-cidr-block", "ipv6-cidr-block-association.ipv6-pool",
		"ipv6-cidr-block-association.association-id", "ipv6-cidr-block-association.state":
		return nil, true
	}
	return tagAttribute(a.Tags.Of(r, v.ID), name)
}

func (a *API) renderVPC(r store.Reader, v vpc.VPC) ec2.Vpc {
	cidr := v.CIDR.String()
	return ec2.Vpc{
		VpcId: new(v.ID), OwnerId: new(v.Account), State: ec2.VpcStateAvailable,
		CidrBlock: new(cidr),
		CidrBlockAssociationSet: []ec2.VpcCidrBlockAssociation{{
			AssociationId: new(v.CIDRAssociationID()), CidrBlock: new(cidr),
			CidrBlockState: &ec2.VpcCidrBlockState{State: ec2.VpcCidrBlockStateCodeAssociated},
		}},
		Ipv6CidrBlockAssociationSet: []ec2.VpcIpv6CidrBlockAssociation{},
		DhcpOptionsId:               new(v.DHCPOptionsID()),
		InstanceTenancy:             ec2.Tenancy(v.Tenancy),
		IsDefault:                   new(v.Default),
		Tags:                        renderTags(a.Tags.Of(r, v.ID)),
	}
}

func (a *API) deleteVPC(ctx context.Context, c *wire.Call, in *ec2.DeleteVpcInput) (*ec2.DeleteVpcOutput, error) {
	return &ec2.DeleteVpcOutput{}, a.vpc(c).DeleteVPC(ctx, c.Account, c.Region, *in.VpcId)
}

func (a *API) describeVPCAttribute(_ context.Context, c *wire.Call, in *ec2.DescribeVpcAttributeInput) (*ec2.DescribeVpcAttributeOutput, error) {
	v, ok := a.VPC.VPC(a.Store.Snapshot(), c.Account, c.Region, *in.VpcId)
	if !ok {
		return nil, &vpc.NotFoundError{Kind: vpc.KindVPC, ID: *in.VpcId}
	}
	if err := c.CheckDryRun(); err != nil {
		return nil, err
	}
	out := &ec2.DescribeVpcAttributeOutput{VpcId: new(v.ID)}
	switch in.Attribute {
	case ec2.VpcAttributeNameEnableDnsSupport:
		out.EnableDnsSupport = &ec2.AttributeBooleanValue{Value: new(v.DNSSupport)}
	case ec2.VpcAttributeNameEnableDnsHostnames:
		out.EnableDnsHostnames = &ec2.AttributeBooleanValue{Value: new(v.DNSHostnames)}
	case ec2.VpcAttributeNameEnableNetworkAddressUsageMetrics:
		out.EnableNetworkAddressUsageMetrics = &ec2.AttributeBooleanValue{Value: new(v.AddressUsageMetrics)}
	}
	return out, nil
}

func (a *API) modifyVPCAttribute(ctx context.Context, c *wire.Call, in *ec2.ModifyVpcAttributeInput) (*ec2.ModifyVpcAttributeOutput, error) {
	var ch vpc.VPCChange
	given := 0
	for _, m := range []struct {
		from *ec2.AttributeBooleanValue
		to   **bool
	}{
		{in.EnableDnsSupport, &ch.DNSSupport},
		{in.EnableDnsHostnames, &ch.DNSHostnames},
		{in.EnableNetworkAddressUsageMetrics, &ch.AddressUsageMetrics},
	} {
		if m.from != nil && m.from.Value != nil {
			*m.to = m.from.Value
			given++
		}
	}
	switch given {
	case 0:
		return nil, apierr.New("MissingParameter", "The request must contain an attribute to modify")
	case 1:
	default: // ModifyVpcAttribute takes one at a time
		return nil, apierr.New("InvalidParameterCombination", "Fields for multiple attribute types specified")
	}
	return &ec2.ModifyVpcAttributeOutput{}, a.vpc(c).ModifyVPC(ctx, c.Account, c.Region, *in.VpcId, ch)
}
