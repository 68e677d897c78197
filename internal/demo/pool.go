package demo

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/fairlead/fairlead/internal/shapes/ec2"
)

// poolDescription is what the demo knows its pool by.
const poolDescription = "demo: the addresses that our partners allow"

// pool returns a public pool of the account's own with the CIDR in it.
func (c *client) pool(ctx context.Context, cidr netip.Prefix) (string, error) {
	scope, err := c.publicScope(ctx)
	if err != nil {
		return "", err
	}
	found, err := call[ec2.DescribeIpamPoolsOutput](ctx, c.ec2, "DescribeIpamPools", &ec2.DescribeIpamPoolsInput{
		Filters: []ec2.Filter{where("description", poolDescription), where("state", string(ec2.IpamPoolStateCreateComplete))},
	})
	if err != nil {
		return "", err
	}
	if len(found.IpamPools) > 0 {
		id := *found.IpamPools[0].IpamPoolId
		return id, c.provision(ctx, id, cidr)
	}
	made, err := call[ec2.CreateIpamPoolOutput](ctx, c.ec2, "CreateIpamPool", &ec2.CreateIpamPoolInput{
		IpamScopeId: &scope, Description: new(poolDescription), Locale: &c.region.Name,
		AddressFamily: ec2.AddressFamilyIpv4, AwsService: ec2.IpamPoolAwsServiceEc2, PublicIpSource: ec2.IpamPoolPublicIpSourceByoip,
		TagSpecifications: named(ec2.ResourceTypeIpamPool),
	})
	if err != nil {
		return "", err
	}
	id := *made.IpamPool.IpamPoolId
	return id, c.provision(ctx, id, cidr)
}

// publicScope returns the public scope of the account's IPAM, which there is one
// of at most in a region.
func (c *client) publicScope(ctx context.Context) (string, error) {
	found, err := call[ec2.DescribeIpamsOutput](ctx, c.ec2, "DescribeIpams", &ec2.DescribeIpamsInput{})
	if err != nil {
		return "", err
	}
	if len(found.Ipams) > 0 {
		return *found.Ipams[0].PublicDefaultScopeId, nil
	}
	made, err := call[ec2.CreateIpamOutput](ctx, c.ec2, "CreateIpam", &ec2.CreateIpamInput{
		OperatingRegions:  []ec2.AddIpamOperatingRegion{{RegionName: &c.region.Name}},
		TagSpecifications: named(ec2.ResourceTypeIpam),
	})
	if err != nil {
		return "", err
	}
	return *made.Ipam.PublicDefaultScopeId, nil
}

// provision gives the CIDR to the pool, unless it has it, and waits until it can
// be drawn from.
func (c *client) provision(ctx context.Context, poolID string, cidr netip.Prefix) error {
	has, err := c.provisioned(ctx, poolID, cidr)
	if has || err != nil {
		return err
	}
	_, err = call[ec2.ProvisionIpamPoolCidrOutput](ctx, c.ec2, "ProvisionIpamPoolCidr", &ec2.ProvisionIpamPoolCidrInput{
		IpamPoolId: &poolID, Cidr: new(cidr.String()),
	})
	if err != nil {
		return err
	}
	return until(ctx, func() (bool, error) { return c.provisioned(ctx, poolID, cidr) })
}

// provisioned says whether the pool has the CIDR. One that failed is an error.
func (c *client) provisioned(ctx context.Context, poolID string, cidr netip.Prefix) (bool, error) {
	found, err := call[ec2.GetIpamPoolCidrsOutput](ctx, c.ec2, "GetIpamPoolCidrs", &ec2.GetIpamPoolCidrsInput{IpamPoolId: &poolID})
	if err != nil {
		return false, err
	}
	for _, p := range found.IpamPoolCidrs {
		if p.Cidr == nil || *p.Cidr != cidr.String() {
			continue
		}
		switch p.State {
		case ec2.IpamPoolCidrStateProvisioned:
			return true, nil
		case ec2.IpamPoolCidrStateFailedProvision:
			err = fmt.Errorf("pool %s: %s can't be provisioned: %s", poolID, cidr, reason(p.FailureReason))
		}
	}
	return false, err
}

func reason(r *ec2.IpamPoolCidrFailureReason) string {
	if r == nil || r.Message == nil {
		return "no reason given"
	}
	return *r.Message
}
