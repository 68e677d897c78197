package ec2

import (
	"context"
	"iter"
	"math"

	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerPublicPools(svc *wire.Service) {
	handle(svc, "CreatePublicIpv4Pool", a.createPublicPool)
	handle(svc, "DeletePublicIpv4Pool", a.deletePublicPool)
	handle(svc, "DescribePublicIpv4Pools", a.describePublicPools)
	handle(svc, "ProvisionPublicIpv4PoolCidr", a.provisionPublicPoolCIDR)
	handle(svc, "DeprovisionPublicIpv4PoolCidr", a.deprovisionPublicPoolCIDR)
}

const (
	publicPoolID  = "ipv4pool-ec2" // begins the ids
	publicPoolTag = "ipv4pool-ec2"

	// MaxResults of DescribePublicIpv4Pools.
	minPublicPoolResults = 1
	maxPublicPoolResults = 10

	// maxToldAddresses is how many addresses the reply to a deprovisioning names. A
	// public pool's CIDR from IPAM has 256 at most, unless it was moved there.
	maxToldAddresses = 1 << 16
)

// checkBorderGroup refuses a network border group that isn't the region itself:
// there are no others.
func checkBorderGroup(c *wire.Call, group *string) error {
	if g := value(group); g != "" && g != c.Region {
		return invalid(g, "networkBorderGroup", "The region's only network border group is "+c.Region+".")
	}
	return nil
}

func (a *API) createPublicPool(ctx context.Context, c *wire.Call, in *ec2.CreatePublicIpv4PoolInput) (*ec2.CreatePublicIpv4PoolOutput, error) {
	tg, err := specifiedTags(in.TagSpecifications, publicPoolTag)
	if err != nil {
		return nil, err
	}
	if err := checkBorderGroup(c, in.NetworkBorderGroup); err != nil {
		return nil, err
	}
	p, err := a.IPAM.CreatePublicPool(ctx, ipam.CreatePublicPool{
		ID: ids.EC2(publicPoolID), Account: c.Account, Region: c.Region, Tags: tg, Time: c.Now,
	}, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	return &ec2.CreatePublicIpv4PoolOutput{PoolId: new(p.ID)}, nil
}

func (a *API) deletePublicPool(ctx context.Context, c *wire.Call, in *ec2.DeletePublicIpv4PoolInput) (*ec2.DeletePublicIpv4PoolOutput, error) {
	if err := checkBorderGroup(c, in.NetworkBorderGroup); err != nil {
		return nil, err
	}
	if err := a.IPAM.DeletePublicPool(ctx, c.Account, c.Region, *in.PoolId, c.CheckDryRun); err != nil {
		return nil, err
	}
	return &ec2.DeletePublicIpv4PoolOutput{ReturnValue: new(true)}, nil
}

func (a *API) describePublicPools(_ context.Context, c *wire.Call, in *ec2.DescribePublicIpv4PoolsInput) (*ec2.DescribePublicIpv4PoolsOutput, error) {
	snap := a.Store.Snapshot()
	items, next, err := list(c, query{
		IDs: in.PoolIds, Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken,
		Min: minPublicPoolResults, Max: maxPublicPoolResults,
	}, source[ipam.Pool]{
		from: func(key string) iter.Seq2[string, ipam.Pool] {
			return a.IPAM.PublicPools(snap, c.Account, c.Region, key)
		},
		get:    func(id string) (ipam.Pool, bool) { return a.IPAM.PublicPool(snap, c.Account, c.Region, id) },
		absent: func(id string) error { return &ipam.NotFoundError{Noun: ipam.NounPublicPool, ID: id} },
		attribute: func(p ipam.Pool, name string) ([]string, bool) {
			return tagAttribute(a.Tags.Of(snap, p.ID), name)
		},
	})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribePublicIpv4PoolsOutput{PublicIpv4Pools: []ec2.PublicIpv4Pool{}, NextToken: next}
	for _, p := range items {
		out.PublicIpv4Pools = append(out.PublicIpv4Pools, a.renderPublicPool(snap, p))
	}
	return out, nil
}

func (a *API) provisionPublicPoolCIDR(ctx context.Context, c *wire.Call, in *ec2.ProvisionPublicIpv4PoolCidrInput) (*ec2.ProvisionPublicIpv4PoolCidrOutput, error) {
	if err := checkBorderGroup(c, in.NetworkBorderGroup); err != nil {
		return nil, err
	}
	cidr, err := a.IPAM.ProvisionPublicCIDR(ctx, ipam.ProvisionPublicCIDR{
		ID: ids.New("ipam-pool-cidr-", 33), AllocationID: ipam.NewAllocationID(c.Now), Account: c.Account, Region: c.Region,
		PoolID: *in.PoolId, SourcePoolID: *in.IpamPoolId, NetmaskLength: int(*in.NetmaskLength), Time: c.Now,
	}, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	given := renderAddressRange(a.IPAM.Range(a.Store.Snapshot(), cidr))
	return &ec2.ProvisionPublicIpv4PoolCidrOutput{PoolId: in.PoolId, PoolAddressRange: &given}, nil
}

func (a *API) deprovisionPublicPoolCIDR(ctx context.Context, c *wire.Call, in *ec2.DeprovisionPublicIpv4PoolCidrInput) (*ec2.DeprovisionPublicIpv4PoolCidrOutput, error) {
	cidr, err := parseCIDR(*in.Cidr, "cidr")
	if err != nil {
		return nil, err
	}
	if _, err := a.IPAM.DeprovisionPublicCIDR(ctx, c.Account, c.Region, *in.PoolId, cidr, c.CheckDryRun); err != nil {
		return nil, err
	}
	out := &ec2.DeprovisionPublicIpv4PoolCidrOutput{PoolId: in.PoolId, DeprovisionedAddresses: []string{}}
	for addr := cidr.Addr(); cidr.Contains(addr) && len(out.DeprovisionedAddresses) < maxToldAddresses; addr = addr.Next() {
		out.DeprovisionedAddresses = append(out.DeprovisionedAddresses, addr.String())
	}
	return out, nil
}

func (a *API) renderPublicPool(r store.Reader, p ipam.Pool) ec2.PublicIpv4Pool {
	out := ec2.PublicIpv4Pool{
		PoolId: new(p.ID), Description: unlessEmpty(p.Description), NetworkBorderGroup: new(p.Region),
		PoolAddressRanges: []ec2.PublicIpv4PoolRange{}, Tags: renderTags(a.Tags.Of(r, p.ID)),
	}
	total, available := 0, 0
	for _, g := range a.IPAM.Ranges(r, p.ID) {
		out.PoolAddressRanges = append(out.PoolAddressRanges, renderAddressRange(g))
		total, available = total+g.Total, available+g.Available
	}
	out.TotalAddressCount, out.TotalAvailableAddressCount = count(total), count(available)
	return out
}

func renderAddressRange(g ipam.AddressRange) ec2.PublicIpv4PoolRange {
	return ec2.PublicIpv4PoolRange{
		FirstAddress: new(g.CIDR.Addr().String()), LastAddress: new(g.Last().String()),
		AddressCount: count(g.Total), AvailableAddressCount: count(g.Available),
	}
}

// count returns a number as the wire can hold it.
func count(n int) *int32 { return new(int32(min(n, math.MaxInt32))) }
