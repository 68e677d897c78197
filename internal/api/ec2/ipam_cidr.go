package ec2

import (
	"context"
	"iter"

	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) provisionIPAMPoolCIDR(ctx context.Context, c *wire.Call, in *ec2.ProvisionIpamPoolCidrInput) (*ec2.ProvisionIpamPoolCidrOutput, error) {
	tok, err := token(c, in.ClientToken)
	if err != nil {
		return nil, err
	}
	req := ipam.ProvisionCIDR{
		ID: ids.New("ipam-pool-cidr-", 33), AllocationID: ipam.NewAllocationID(c.Now),
		Account: c.Account, Region: c.Region, PoolID: *in.IpamPoolId,
		NetmaskLength: length(in.NetmaskLength), Method: ipam.VerificationMethod(in.VerificationMethod),
		Authorization: authorization((*ec2.CidrAuthorizationContext)(in.CidrAuthorizationContext)), TokenID: value(in.IpamExternalResourceVerificationTokenId),
		Token: tok, Time: c.Now,
	}
	if in.Cidr != nil {
		if req.CIDR, err = parseCIDR(*in.Cidr, "cidr"); err != nil {
			return nil, err
		}
	}
	cidr, err := a.IPAM.ProvisionCIDR(ctx, req, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	// What became of it is told by GetIpamPoolCidrs, the CIDR too where only its
	// length was asked for.
	out := renderIPAMPoolCIDR(cidr)
	out.State, out.FailureReason = ec2.IpamPoolCidrStatePendingProvision, nil
	if in.NetmaskLength != nil {
		out.Cidr = nil
	}
	return &ec2.ProvisionIpamPoolCidrOutput{IpamPoolCidr: &out}, nil
}

func (a *API) deprovisionIPAMPoolCIDR(ctx context.Context, c *wire.Call, in *ec2.DeprovisionIpamPoolCidrInput) (*ec2.DeprovisionIpamPoolCidrOutput, error) {
	if in.Cidr == nil {
		return nil, missing("Cidr")
	}
	cidr, err := parseCIDR(*in.Cidr, "cidr")
	if err != nil {
		return nil, err
	}
	done, err := a.IPAM.DeprovisionCIDR(ctx, c.Account, c.Region, *in.IpamPoolId, cidr, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := renderIPAMPoolCIDR(done)
	out.State, out.FailureReason = ec2.IpamPoolCidrStatePendingDeprovision, nil
	return &ec2.DeprovisionIpamPoolCidrOutput{IpamPoolCidr: &out}, nil
}

func (a *API) getIPAMPoolCIDRs(_ context.Context, c *wire.Call, in *ec2.GetIpamPoolCidrsInput) (*ec2.GetIpamPoolCidrsOutput, error) {
	snap := a.Store.Snapshot()
	p, err := a.ipamPool(snap, c, *in.IpamPoolId)
	if err != nil {
		return nil, err
	}
	items, next, err := list(c, query{Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: minIPAMResults, Max: maxIPAMResults},
		source[ec2.IpamPoolCidr]{
			from: func(key string) iter.Seq2[string, ec2.IpamPoolCidr] {
				return rendered(a.IPAM.CIDRs(snap, p.ID, key), renderIPAMPoolCIDR)
			},
			attribute: replyAttribute[ec2.IpamPoolCidr],
		})
	if err != nil {
		return nil, err
	}
	return &ec2.GetIpamPoolCidrsOutput{IpamPoolCidrs: items, NextToken: next}, nil
}

func renderIPAMPoolCIDR(c ipam.PoolCIDR) ec2.IpamPoolCidr {
	out := ec2.IpamPoolCidr{
		IpamPoolCidrId: new(c.ID), NetmaskLength: new(int32(c.NetmaskLength)), State: ec2.IpamPoolCidrState(c.State),
	}
	if c.CIDR.IsValid() {
		out.Cidr = new(c.CIDR.String())
	}
	if c.FailureCode != "" || c.FailureMessage != "" {
		out.FailureReason = &ec2.IpamPoolCidrFailureReason{
			Code: ec2.IpamPoolCidrFailureCode(c.FailureCode), Message: unlessEmpty(c.FailureMessage),
		}
	}
	return out
}
