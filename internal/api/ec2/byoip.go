package ec2

import (
	"context"
	"iter"
	"net/netip"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerBYOIP(svc *wire.Service) {
	handle(svc, "AdvertiseByoipCidr", a.advertiseBYOIPCIDR)
	handle(svc, "WithdrawByoipCidr", a.withdrawBYOIPCIDR)
	handle(svc, "DescribeByoipCidrs", a.describeBYOIPCIDRs)
	handle(svc, "ProvisionByoipCidr", a.provisionBYOIPCIDR)
	handle(svc, "DeprovisionByoipCidr", a.deprovisionBYOIPCIDR)
	handle(svc, "MoveByoipCidrToIpam", a.moveBYOIPCIDRToIPAM)
}

const (
	// MaxResults of DescribeByoipCidrs.
	minBYOIPResults = 1
	maxBYOIPResults = 100

	providerASN = "AWS" // for AdvertiseByoipCidr: announced under the provider's own number
	unicast     = "unicast"

	// What MoveByoipCidrToIpam answers. EC2's enumeration of states has neither;
	// its user guide's examples have both.
	pendingTransfer  ec2.ByoipCidrState = "pending-transfer"
	completeTransfer ec2.ByoipCidrState = "complete-transfer"
)

func (a *API) advertiseBYOIPCIDR(ctx context.Context, c *wire.Call, in *ec2.AdvertiseByoipCidrInput) (*ec2.AdvertiseByoipCidrOutput, error) {
	if asn := value(in.Asn); asn != "" && asn != providerASN {
		return nil, apierr.New("UnsupportedOperation", "The parameter Asn is not supported by this installation, unless it is %s.", providerASN)
	}
	if err := checkBorderGroup(c, in.NetworkBorderGroup); err != nil {
		return nil, err
	}
	out, err := a.changeBYOIPCIDR(ctx, c, in.Cidr, a.IPAM.Advertise)
	if err != nil {
		return nil, err
	}
	return &ec2.AdvertiseByoipCidrOutput{ByoipCidr: out}, nil
}

func (a *API) withdrawBYOIPCIDR(ctx context.Context, c *wire.Call, in *ec2.WithdrawByoipCidrInput) (*ec2.WithdrawByoipCidrOutput, error) {
	out, err := a.changeBYOIPCIDR(ctx, c, in.Cidr, a.IPAM.Withdraw)
	if err != nil {
		return nil, err
	}
	return &ec2.WithdrawByoipCidrOutput{ByoipCidr: out}, nil
}

func (a *API) deprovisionBYOIPCIDR(ctx context.Context, c *wire.Call, in *ec2.DeprovisionByoipCidrInput) (*ec2.DeprovisionByoipCidrOutput, error) {
	out, err := a.changeBYOIPCIDR(ctx, c, in.Cidr, a.IPAM.DeprovisionBYOIP)
	if err != nil {
		return nil, err
	}
	out.State = ec2.ByoipCidrStatePendingDeprovision // what became of it is told by DescribeByoipCidrs
	return &ec2.DeprovisionByoipCidrOutput{ByoipCidr: out}, nil
}

type byoipChange func(ctx context.Context, account, region string, cidr netip.Prefix, dryRun func() error) (ipam.PoolCIDR, error)

func (a *API) changeBYOIPCIDR(ctx context.Context, c *wire.Call, text *string, change byoipChange) (*ec2.ByoipCidr, error) {
	cidr, err := parseCIDR(*text, "cidr")
	if err != nil {
		return nil, err
	}
	before := a.Store.Snapshot() // after a deprovisioning the pool is gone
	done, err := change(ctx, c.Account, c.Region, cidr, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	return new(a.renderBYOIPCIDR(before, done)), nil
}

func (a *API) describeBYOIPCIDRs(_ context.Context, c *wire.Call, in *ec2.DescribeByoipCidrsInput) (*ec2.DescribeByoipCidrsOutput, error) {
	snap := a.Store.Snapshot()
	items, next, err := list(c, query{MaxResults: in.MaxResults, NextToken: in.NextToken, Min: minBYOIPResults, Max: maxBYOIPResults},
		source[ec2.ByoipCidr]{
			from: func(key string) iter.Seq2[string, ec2.ByoipCidr] {
				return rendered(a.IPAM.BYOIPCIDRs(snap, c.Account, c.Region, key), func(cidr ipam.PoolCIDR) ec2.ByoipCidr { return a.renderBYOIPCIDR(snap, cidr) })
			},
		})
	if err != nil {
		return nil, err
	}
	return &ec2.DescribeByoipCidrsOutput{ByoipCidrs: items, NextToken: next}, nil
}

func (a *API) provisionBYOIPCIDR(ctx context.Context, c *wire.Call, in *ec2.ProvisionByoipCidrInput) (*ec2.ProvisionByoipCidrOutput, error) {
	if err := refuseUnserved(c, "MultiRegion"); err != nil {
		return nil, err
	}
	if err := checkBorderGroup(c, in.NetworkBorderGroup); err != nil {
		return nil, err
	}
	if in.PubliclyAdvertisable != nil {
		return nil, apierr.New("InvalidParameterCombination", "The request can only contain PubliclyAdvertisable for an IPv6 CIDR, which is brought with ProvisionIpamPoolCidr.")
	}
	tg, err := specifiedTags(in.PoolTagSpecifications, publicPoolTag)
	if err != nil {
		return nil, err
	}
	req := ipam.ProvisionBYOIP{
		ID: ids.New("ipam-pool-cidr-", 33), PoolID: ids.EC2(publicPoolID), Account: c.Account, Region: c.Region,
		Description: value(in.Description), Authorization: authorization(in.CidrAuthorizationContext), PoolTags: tg, Time: c.Now,
	}
	if req.CIDR, err = parseCIDR(*in.Cidr, "cidr"); err != nil {
		return nil, err
	}
	cidr, err := a.IPAM.ProvisionBYOIP(ctx, req, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderBYOIPCIDR(a.Store.Snapshot(), cidr)
	out.State = ec2.ByoipCidrStatePendingProvision
	return &ec2.ProvisionByoipCidrOutput{ByoipCidr: &out}, nil
}

func authorization(in *ec2.CidrAuthorizationContext) *ipam.Authorization {
	if in == nil {
		return nil
	}
	return &ipam.Authorization{Message: value(in.Message), Signature: value(in.Signature)}
}

func (a *API) moveBYOIPCIDRToIPAM(ctx context.Context, c *wire.Call, in *ec2.MoveByoipCidrToIpamInput) (*ec2.MoveByoipCidrToIpamOutput, error) {
	cidr, err := parseCIDR(*in.Cidr, "cidr")
	if err != nil {
		return nil, err
	}
	moved, done, err := a.IPAM.MoveBYOIP(ctx, ipam.MoveBYOIP{
		ID: ids.New("ipam-pool-cidr-", 33), AllocationID: ipam.NewAllocationID(c.Now), Account: c.Account, Region: c.Region,
		CIDR: cidr, PoolID: *in.IpamPoolId, PoolOwner: *in.IpamPoolOwner, Time: c.Now,
	}, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderBYOIPCIDR(a.Store.Snapshot(), moved)
	if out.State = pendingTransfer; done {
		out.State = completeTransfer
	}
	return &ec2.MoveByoipCidrToIpamOutput{ByoipCidr: &out}, nil
}

func (a *API) renderBYOIPCIDR(r store.Reader, c ipam.PoolCIDR) ec2.ByoipCidr {
	out := ec2.ByoipCidr{
		Cidr: new(c.CIDR.String()), State: ec2.ByoipCidrState(c.BYOIPState()), Description: unlessEmpty(c.Brought.Description),
		NetworkBorderGroup: new(c.Brought.Region), AdvertisementType: new(unicast), AsnAssociations: []ec2.AsnAssociation{},
		StatusMessage: new(c.PoolID), // the pool's id, unless something went wrong (EC2 ByoipCidr)
	}
	if _, public := a.IPAM.PublicPool(r, c.Brought.Account, c.Brought.Region, c.PoolID); public {
		out.PoolId = new(c.PoolID)
	} else {
		out.IpamPoolId = new(c.PoolID)
	}
	if c.State == ipam.FailedDeprovision {
		out.StatusMessage = unlessEmpty(c.FailureMessage)
	}
	return out
}
