package ec2

import (
	"context"
	"net/netip"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/vpc"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerCIDRBlocks(svc *wire.Service) {
	network(a, svc, "AssociateVpcCidrBlock", a.associateVPCCIDR)
	network(a, svc, "DisassociateVpcCidrBlock", a.disassociateVPCCIDR)
	network(a, svc, "AssociateSubnetCidrBlock", a.associateSubnetCIDR)
	network(a, svc, "DisassociateSubnetCidrBlock", a.disassociateSubnetCIDR)
}

// blockRequest is how a call asks for a CIDR of one family.
type blockRequest struct {
	cidr, poolID *string
	netmask      *int32
	family       string // "4" or "6", as in the parameters' names
	cidrName     string // of the parameter
}

// spec returns what is asked for; the zero spec for nothing.
func (b blockRequest) spec() (vpc.BlockSpec, error) {
	out := vpc.BlockSpec{PoolID: value(b.poolID), NetmaskLength: length(b.netmask)}
	pool, netmask := "Ipv"+b.family+"IpamPoolId", "Ipv"+b.family+"NetmaskLength"
	switch {
	case b.netmask != nil && b.poolID == nil:
		return out, apierr.New("InvalidParameterCombination", "The parameter %s needs %s: only a pool can choose a CIDR block by its length", netmask, pool)
	case b.netmask != nil && b.cidr != nil:
		return out, apierr.New("InvalidParameterCombination", "The parameters %s and %s cannot be used together", b.cidrName, netmask)
	case b.cidr == nil:
		return out, nil
	}
	is := netip.Addr.Is4
	if b.family == "6" {
		is = netip.Addr.Is6
	}
	p, err := familyCIDR(*b.cidr, b.cidrName, is)
	out.CIDR = p
	return out, err
}

// vpcIPv6 returns what a call asks for as a VPC's IPv6 CIDR.
func vpcIPv6(c *wire.Call, b blockRequest, amazon *bool, borderGroup *string) (vpc.BlockSpec, error) {
	b.family, b.cidrName = "6", "ipv6CidrBlock"
	out, err := b.spec()
	switch {
	case err != nil:
		return out, err
	case value(amazon) && (b.cidr != nil || b.poolID != nil):
		return out, apierr.New("InvalidParameterCombination", "The parameter AmazonProvidedIpv6CidrBlock cannot be used with another source of an IPv6 CIDR block")
	case b.cidr != nil && b.poolID == nil:
		return out, apierr.New("InvalidParameterCombination", "The parameter Ipv6CidrBlock needs Ipv6IpamPoolId: an IPv6 CIDR block comes from a pool")
	case borderGroup != nil && !value(amazon):
		return out, apierr.New("InvalidParameterCombination", "The parameter Ipv6CidrBlockNetworkBorderGroup needs AmazonProvidedIpv6CidrBlock")
	case borderGroup != nil && *borderGroup != c.Region:
		return out, invalid(*borderGroup, "ipv6CidrBlockNetworkBorderGroup", "The region's only network border group is "+c.Region+".")
	}
	out.Amazon = value(amazon)
	return out, nil
}

func (a *API) associateVPCCIDR(ctx context.Context, c *wire.Call, in *ec2.AssociateVpcCidrBlockInput) (*ec2.AssociateVpcCidrBlockOutput, error) {
	if err := refuseUnserved(c, "Ipv6Pool"); err != nil {
		return nil, err
	}
	v4, err := blockRequest{in.CidrBlock, in.Ipv4IpamPoolId, in.Ipv4NetmaskLength, "4", "cidrBlock"}.spec()
	if err != nil {
		return nil, err
	}
	v6, err := vpcIPv6(c, blockRequest{cidr: in.Ipv6CidrBlock, poolID: in.Ipv6IpamPoolId, netmask: in.Ipv6NetmaskLength}, in.AmazonProvidedIpv6CidrBlock, in.Ipv6CidrBlockNetworkBorderGroup)
	if err != nil {
		return nil, err
	}
	spec := vpc.CIDRSpec{AssociationID: ids.EC2("vpc-cidr-assoc"), Account: c.Account, Region: c.Region, Resource: *in.VpcId, Time: c.Now}
	none := vpc.BlockSpec{}
	switch {
	case v4 == none && v6 == none:
		return nil, missing("CidrBlock")
	case v4 != none && v6 != none:
		return nil, apierr.New("InvalidParameterCombination", "Only one CIDR block can be associated at a time, either an IPv4 or an IPv6 one")
	case v4 != none:
		spec.Block = v4
	default:
		spec.Block, spec.IPv6 = v6, true
	}
	b, err := a.vpc(c).AssociateVPCCIDR(ctx, spec)
	if err != nil {
		return nil, err
	}
	out := &ec2.AssociateVpcCidrBlockOutput{VpcId: in.VpcId}
	out.CidrBlockAssociation, out.Ipv6CidrBlockAssociation = a.vpcAssociation(a.Store.Snapshot(), c.Account, c.Region, b, ec2.VpcCidrBlockStateCodeAssociating)
	return out, nil
}

func (a *API) disassociateVPCCIDR(ctx context.Context, c *wire.Call, in *ec2.DisassociateVpcCidrBlockInput) (*ec2.DisassociateVpcCidrBlockOutput, error) {
	v, b, err := a.vpc(c).DisassociateVPCCIDR(ctx, c.Account, c.Region, *in.AssociationId)
	if err != nil {
		return nil, err
	}
	out := &ec2.DisassociateVpcCidrBlockOutput{VpcId: new(v.ID)}
	out.CidrBlockAssociation, out.Ipv6CidrBlockAssociation = a.vpcAssociation(a.Store.Snapshot(), c.Account, c.Region, b, ec2.VpcCidrBlockStateCodeDisassociating)
	return out, nil
}

// What a reply calls the pool of an IPv6 CIDR of a VPC. Clients tell by it where
// the block came from.
const (
	amazonIPv6Pool = "Amazon"
	ipamIPv6Pool   = "IPAM Managed"
)

// vpcAssociation renders an association of a VPC with a CIDR, of which one of
// the two shapes is right.
func (a *API) vpcAssociation(r store.Reader, account, region string, b vpc.CIDRBlock, state ec2.VpcCidrBlockStateCode) (*ec2.VpcCidrBlockAssociation, *ec2.VpcIpv6CidrBlockAssociation) {
	st := &ec2.VpcCidrBlockState{State: state}
	if b.CIDR.Addr().Is4() {
		return &ec2.VpcCidrBlockAssociation{AssociationId: new(b.AssociationID), CidrBlock: new(b.CIDR.String()), CidrBlockState: st}, nil
	}
	pool := ipamIPv6Pool
	if b.Amazon {
		pool = amazonIPv6Pool
	}
	source, attribute := a.origin(r, account, b)
	return nil, &ec2.VpcIpv6CidrBlockAssociation{
		AssociationId: new(b.AssociationID), Ipv6CidrBlock: new(b.CIDR.String()), Ipv6CidrBlockState: st,
		Ipv6Pool: new(pool), NetworkBorderGroup: new(region), IpSource: source, Ipv6AddressAttribute: attribute,
	}
}

// origin returns whose addresses a VPC's IPv6 CIDR has, and whether they are public.
func (a *API) origin(r store.Reader, account string, b vpc.CIDRBlock) (ec2.IpSource, ec2.Ipv6AddressAttribute) {
	if b.Amazon {
		return ec2.IpSourceAmazon, ec2.Ipv6AddressAttributePublic
	}
	p, ok := a.IPAM.VisiblePool(r, account, b.Drawn.PoolID)
	if !ok || p.ScopeType == ipam.Private {
		return ec2.IpSourceNone, ec2.Ipv6AddressAttributePrivate
	}
	return ec2.IpSource(p.PublicSource), ec2.Ipv6AddressAttributePublic
}

func (a *API) associateSubnetCIDR(ctx context.Context, c *wire.Call, in *ec2.AssociateSubnetCidrBlockInput) (*ec2.AssociateSubnetCidrBlockOutput, error) {
	b, err := blockRequest{in.Ipv6CidrBlock, in.Ipv6IpamPoolId, in.Ipv6NetmaskLength, "6", "ipv6CidrBlock"}.spec()
	if err != nil {
		return nil, err
	}
	if b == (vpc.BlockSpec{}) {
		return nil, missing("Ipv6CidrBlock")
	}
	made, err := a.vpc(c).AssociateSubnetCIDR(ctx, vpc.CIDRSpec{
		AssociationID: ids.EC2("subnet-cidr-assoc"), Account: c.Account, Region: c.Region, Resource: *in.SubnetId, Block: b, Time: c.Now,
	})
	if err != nil {
		return nil, err
	}
	snap := a.Store.Snapshot()
	n, _ := a.VPC.Subnet(snap, c.Account, c.Region, *in.SubnetId)
	return &ec2.AssociateSubnetCidrBlockOutput{
		SubnetId: in.SubnetId, Ipv6CidrBlockAssociation: new(a.subnetAssociation(snap, n, made, ec2.SubnetCidrBlockStateCodeAssociating)),
	}, nil
}

func (a *API) disassociateSubnetCIDR(ctx context.Context, c *wire.Call, in *ec2.DisassociateSubnetCidrBlockInput) (*ec2.DisassociateSubnetCidrBlockOutput, error) {
	n, b, err := a.vpc(c).DisassociateSubnetCIDR(ctx, c.Account, c.Region, *in.AssociationId)
	if err != nil {
		return nil, err
	}
	return &ec2.DisassociateSubnetCidrBlockOutput{
		SubnetId: new(n.ID), Ipv6CidrBlockAssociation: new(a.subnetAssociation(a.Store.Snapshot(), n, b, ec2.SubnetCidrBlockStateCodeDisassociating)),
	}, nil
}

// subnetAssociation renders an association of a subnet with an IPv6 CIDR, whose
// addresses are what those of the VPC's are that it lies in.
func (a *API) subnetAssociation(r store.Reader, n vpc.Subnet, b vpc.CIDRBlock, state ec2.SubnetCidrBlockStateCode) ec2.SubnetIpv6CidrBlockAssociation {
	out := ec2.SubnetIpv6CidrBlockAssociation{
		AssociationId: new(b.AssociationID), Ipv6CidrBlock: new(b.CIDR.String()), Ipv6CidrBlockState: &ec2.SubnetCidrBlockState{State: state},
	}
	v, _ := a.VPC.VPC(r, n.Account, n.Region, n.VPCID)
	for _, outer := range v.Blocks {
		if outer.CIDR.Contains(b.CIDR.Addr()) {
			out.IpSource, out.Ipv6AddressAttribute = a.origin(r, n.Account, outer)
		}
	}
	return out
}
