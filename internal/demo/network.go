package demo

import (
	"context"
	"fmt"

	"github.com/fairlead/fairlead/internal/shapes/ec2"
)

// resourceName is the Name tag, or the name, of everything that the demo makes.
const resourceName = "demo"

// The VPC's addresses, and those of the subnet in the n-th zone. With the
// loopback driver they are bookkeeping: no socket is opened on them.
const vpcCIDR = "10.0.0.0/16"

func subnetCIDR(n int) string { return fmt.Sprintf("10.0.%d.0/24", n) }

// zoneCount is how many zones the load balancer has a node in, if the region has
// as many.
const zoneCount = 3

func (c *client) zones() []string { return c.region.Zones[:min(zoneCount, len(c.region.Zones))] }

// network returns a VPC that the internet reaches, and its subnets, one in each
// zone.
func (c *client) network(ctx context.Context) (vpcID string, subnets []string, err error) {
	if vpcID, err = c.vpc(ctx); err != nil {
		return "", nil, err
	}
	if err := c.gateway(ctx, vpcID); err != nil {
		return "", nil, err
	}
	for n, zone := range c.zones() {
		id, err := c.subnet(ctx, vpcID, zone, subnetCIDR(n))
		if err != nil {
			return "", nil, err
		}
		subnets = append(subnets, id)
	}
	return vpcID, subnets, nil
}

func (c *client) vpc(ctx context.Context) (string, error) {
	found, err := call[ec2.DescribeVpcsOutput](ctx, c.ec2, "DescribeVpcs", &ec2.DescribeVpcsInput{
		Filters: []ec2.Filter{where("tag:Name", resourceName), where("cidr", vpcCIDR)},
	})
	if err != nil {
		return "", err
	}
	if len(found.Vpcs) > 0 {
		return *found.Vpcs[0].VpcId, nil
	}
	made, err := call[ec2.CreateVpcOutput](ctx, c.ec2, "CreateVpc", &ec2.CreateVpcInput{
		CidrBlock: new(vpcCIDR), TagSpecifications: named(ec2.ResourceTypeVpc),
	})
	if err != nil {
		return "", err
	}
	return *made.Vpc.VpcId, nil
}

// gateway attaches an internet gateway to the VPC, preferably one that an
// interrupted start left unattached.
func (c *client) gateway(ctx context.Context, vpcID string) error {
	found, err := call[ec2.DescribeInternetGatewaysOutput](ctx, c.ec2, "DescribeInternetGateways", &ec2.DescribeInternetGatewaysInput{
		Filters: []ec2.Filter{where("tag:Name", resourceName)},
	})
	if err != nil {
		return err
	}
	var id *string
	for _, g := range found.InternetGateways {
		switch {
		case len(g.Attachments) == 0:
			id = g.InternetGatewayId
		case *g.Attachments[0].VpcId == vpcID:
			return nil
		}
	}
	if id == nil {
		made, err := call[ec2.CreateInternetGatewayOutput](ctx, c.ec2, "CreateInternetGateway", &ec2.CreateInternetGatewayInput{
			TagSpecifications: named(ec2.ResourceTypeInternetGateway),
		})
		if err != nil {
			return err
		}
		id = made.InternetGateway.InternetGatewayId
	}
	_, err = call[ec2.AttachInternetGatewayOutput](ctx, c.ec2, "AttachInternetGateway", &ec2.AttachInternetGatewayInput{
		InternetGatewayId: id, VpcId: &vpcID,
	})
	return err
}

func (c *client) subnet(ctx context.Context, vpcID, zone, cidr string) (string, error) {
	found, err := call[ec2.DescribeSubnetsOutput](ctx, c.ec2, "DescribeSubnets", &ec2.DescribeSubnetsInput{
		Filters: []ec2.Filter{where("vpc-id", vpcID), where("cidr", cidr)},
	})
	if err != nil {
		return "", err
	}
	if len(found.Subnets) > 0 {
		return *found.Subnets[0].SubnetId, nil
	}
	made, err := call[ec2.CreateSubnetOutput](ctx, c.ec2, "CreateSubnet", &ec2.CreateSubnetInput{
		VpcId: &vpcID, AvailabilityZone: &zone, CidrBlock: &cidr, TagSpecifications: named(ec2.ResourceTypeSubnet),
	})
	if err != nil {
		return "", err
	}
	return *made.Subnet.SubnetId, nil
}

func where(name, value string) ec2.Filter { return ec2.Filter{Name: &name, Values: []string{value}} }

func named(kind ec2.ResourceType) []ec2.TagSpecification {
	return []ec2.TagSpecification{{ResourceType: kind, Tags: []ec2.Tag{{Key: new("Name"), Value: new(resourceName)}}}}
}
