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
	if err := refuseUnserved(c, "Ipv6Pool", "VpcEncryptionControl"); err != nil {
		return nil, err
	}
	v4, err := blockRequest{in.CidrBlock, in.Ipv4IpamPoolId, in.Ipv4NetmaskLength, "4", "cidrBlock"}.spec()
	if err != nil {
		return nil, err
	}
	if v4 == (vpc.BlockSpec{}) {
		return nil, missing("CidrBlock")
	}
	v6, err := vpcIPv6(c, blockRequest{cidr: in.Ipv6CidrBlock, poolID: in.Ipv6IpamPoolId, netmask: in.Ipv6NetmaskLength}, in.AmazonProvidedIpv6CidrBlock, in.Ipv6CidrBlockNetworkBorderGroup)
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
		ID: ids.EC2("vpc"), Account: c.Account, Region: c.Region,
		CIDR: v4.CIDR, PoolID: v4.PoolID, NetmaskLength: v4.NetmaskLength,
		IPv6: v6, IPv6AssociationID: ids.EC2("vpc-cidr-assoc"),
		Tenancy: string(tenancy), Tags: tg, Time: c.Now,
	})
	if err != nil {
		return nil, err
	}
	out := a.renderVPC(a.Store.Snapshot(), v)
	out.State = ec2.VpcStatePending
	for i := range out.Ipv6CidrBlockAssociationSet {
		out.Ipv6CidrBlockAssociationSet[i].Ipv6CidrBlockState.State = ec2.VpcCidrBlockStateCodeAssociating
	}
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

func (a *API) vpcAttribute(r store.Reader, v vpc.VPC, name string) (values []string, known bool) {
	switch name {
	case "cidr", "cidrBlock", "cidr-block": // the primary one
		return some(v.CIDR.String()), true
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
	}
	if values, known = tagAttribute(a.Tags.Of(r, v.ID), name); known {
		return values, true
	}
	rendered := a.renderVPC(r, v)
	v4 := map[string]func(ec2.VpcCidrBlockAssociation) string{
		"cidr-block-association.cidr-block":     func(as ec2.VpcCidrBlockAssociation) string { return *as.CidrBlock },
		"cidr-block-association.association-id": func(as ec2.VpcCidrBlockAssociation) string { return *as.AssociationId },
		"cidr-block-association.state":          func(as ec2.VpcCidrBlockAssociation) string { return string(as.CidrBlockState.State) },
	}
	if of := v4[name]; of != nil {
		for _, as := range rendered.CidrBlockAssociationSet {
			values = append(values, of(as))
		}
		return values, true
	}
	v6 := map[string]func(ec2.VpcIpv6CidrBlockAssociation) string{
		"ipv6-cidr-block-association.ipv6-cidr-block": func(as ec2.VpcIpv6CidrBlockAssociation) string { return *as.Ipv6CidrBlock },
		"ipv6-cidr-block-association.ipv6-pool":       func(as ec2.VpcIpv6CidrBlockAssociation) string { return *as.Ipv6Pool },
		"ipv6-cidr-block-association.association-id":  func(as ec2.VpcIpv6CidrBlockAssociation) string { return *as.AssociationId },
		"ipv6-cidr-block-association.state":           func(as ec2.VpcIpv6CidrBlockAssociation) string { return string(as.Ipv6CidrBlockState.State) },
	}
	if of := v6[name]; of != nil {
		for _, as := range rendered.Ipv6CidrBlockAssociationSet {
			values = append(values, of(as))
		}
		return values, true
	}
	return nil, false
}

func (a *API) renderVPC(r store.Reader, v vpc.VPC) ec2.Vpc {
	out := ec2.Vpc{
		VpcId: new(v.ID), OwnerId: new(v.Account), State: ec2.VpcStateAvailable,
		CidrBlock:                   new(v.CIDR.String()),
		CidrBlockAssociationSet:     []ec2.VpcCidrBlockAssociation{},
		Ipv6CidrBlockAssociationSet: []ec2.VpcIpv6CidrBlockAssociation{},
		DhcpOptionsId:               new(v.DHCPOptionsID()),
		InstanceTenancy:             ec2.Tenancy(v.Tenancy),
		IsDefault:                   new(v.Default),
		Tags:                        renderTags(a.Tags.Of(r, v.ID)),
	}
	for _, b := range v.CIDRs() {
		v4, v6 := a.vpcAssociation(r, v.Account, v.Region, b, ec2.VpcCidrBlockStateCodeAssociated)
		if v4 != nil {
			out.CidrBlockAssociationSet = append(out.CidrBlockAssociationSet, *v4)
		} else {
			out.Ipv6CidrBlockAssociationSet = append(out.Ipv6CidrBlockAssociationSet, *v6)
		}
	}
	return out
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
