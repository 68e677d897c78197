package ec2

import (
	"context"
	"iter"
	"net/netip"
	"strings"

	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) allocateIPAMPoolCIDR(ctx context.Context, c *wire.Call, in *ec2.AllocateIpamPoolCidrInput) (*ec2.AllocateIpamPoolCidrOutput, error) {
	tg, err := specifiedTags(in.TagSpecifications, "ipam-pool-allocation")
	if err != nil {
		return nil, err
	}
	tok, err := token(c, in.ClientToken)
	if err != nil {
		return nil, err
	}
	req := ipam.Allocate{
		ID: ipam.NewAllocationID(c.Now), Account: c.Account, Region: c.Region, PoolID: *in.IpamPoolId,
		NetmaskLength: length(in.NetmaskLength), Preview: value(in.PreviewNextCidr),
		Description: value(in.Description), Tags: tg, Token: tok, Time: c.Now,
	}
	if in.Cidr != nil {
		if req.CIDR, err = parseCIDR(*in.Cidr, "cidr"); err != nil {
			return nil, err
		}
	}
	if req.Allowed, err = parseCIDRs(in.AllowedCidrs, "allowedCidr"); err != nil {
		return nil, err
	}
	if req.Disallowed, err = parseCIDRs(in.DisallowedCidrs, "disallowedCidr"); err != nil {
		return nil, err
	}
	al, err := a.IPAM.Allocate(ctx, req, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderIPAMPoolAllocation(a.Store.Snapshot(), al)
	return &ec2.AllocateIpamPoolCidrOutput{IpamPoolAllocation: &out}, nil
}

func parseCIDRs(texts []string, name string) ([]netip.Prefix, error) {
	var ps []netip.Prefix
	for _, text := range texts {
		p, err := parseCIDR(text, name)
		if err != nil {
			return nil, err
		}
		ps = append(ps, p)
	}
	return ps, nil
}

func (a *API) releaseIPAMPoolAllocation(ctx context.Context, c *wire.Call, in *ec2.ReleaseIpamPoolAllocationInput) (*ec2.ReleaseIpamPoolAllocationOutput, error) {
	cidr, err := parseCIDR(*in.Cidr, "cidr")
	if err != nil {
		return nil, err
	}
	err = a.IPAM.Release(ctx, c.Account, c.Region, *in.IpamPoolId, cidr, *in.IpamPoolAllocationId, c.Now, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	return &ec2.ReleaseIpamPoolAllocationOutput{Success: new(true)}, nil
}

// MaxResults of GetIpamPoolAllocations.
const (
	minIPAMAllocations = 1000 // and without MaxResults
	maxIPAMAllocations = 100000
)

func (a *API) getIPAMPoolAllocations(_ context.Context, c *wire.Call, in *ec2.GetIpamPoolAllocationsInput) (*ec2.GetIpamPoolAllocationsOutput, error) {
	snap := a.Store.Snapshot()
	p, err := a.IPAM.LocalPool(snap, c.Account, c.Region, *in.IpamPoolId)
	if err != nil {
		return nil, err
	}
	q := query{Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: minIPAMAllocations, Max: maxIPAMAllocations, Default: minIPAMAllocations}
	if in.IpamPoolAllocationId != nil {
		// Paginating clients send a size with the id here, unlike with lists of ids.
		q.IDs, q.MaxResults = []string{*in.IpamPoolAllocationId}, nil
	}
	items, next, err := a.listAllocations(c, snap, q, source[ipam.Allocation]{
		from: func(key string) iter.Seq2[string, ipam.Allocation] {
			return a.IPAM.Allocations(snap, p.ID, key)
		},
		get: func(id string) (ipam.Allocation, bool) {
			al, ok := a.IPAM.Allocation(snap, id)
			return al, ok && al.PoolID == p.ID
		},
		narrow: func(name, value string) iter.Seq2[string, ipam.Allocation] {
			return a.narrowAllocations(snap, p.ID, name, value)
		},
	})
	if err != nil {
		return nil, err
	}
	return &ec2.GetIpamPoolAllocationsOutput{IpamPoolAllocations: items, NextToken: next}, nil
}

func (a *API) describeIPAMPoolAllocations(_ context.Context, c *wire.Call, in *ec2.DescribeIpamPoolAllocationsInput) (*ec2.DescribeIpamPoolAllocationsOutput, error) {
	snap := a.Store.Snapshot()
	q := query{IDs: in.IpamPoolAllocationIds, Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: minIPAMAllocations, Max: maxIPAMAllocations, Default: minIPAMAllocations}
	items, next, err := a.listAllocations(c, snap, q, source[ipam.Allocation]{
		from: func(key string) iter.Seq2[string, ipam.Allocation] {
			return a.IPAM.OwnAllocations(snap, c.Account, c.Region, key)
		},
		get: func(id string) (ipam.Allocation, bool) {
			return a.IPAM.OwnAllocation(snap, c.Account, c.Region, id)
		},
	})
	if err != nil {
		return nil, err
	}
	return &ec2.DescribeIpamPoolAllocationsOutput{IpamPoolAllocations: items, NextToken: next}, nil
}

// listAllocations answers for allocations from wherever src finds them.
func (a *API) listAllocations(c *wire.Call, snap store.Snapshot, q query, src source[ipam.Allocation]) ([]ec2.IpamPoolAllocation, *string, error) {
	src.absent = func(id string) error { return &ipam.NotFoundError{Noun: ipam.NounAllocation, ID: id} }
	src.attribute = func(al ipam.Allocation, name string) ([]string, bool) { return a.allocationAttribute(snap, al, name) }
	items, next, err := list(c, q, src)
	if err != nil {
		return nil, nil, err
	}
	out := make([]ec2.IpamPoolAllocation, 0, len(items))
	for _, al := range items {
		out = append(out, a.renderIPAMPoolAllocation(snap, al))
	}
	return out, next, nil
}

func (a *API) modifyIPAMPoolAllocation(ctx context.Context, c *wire.Call, in *ec2.ModifyIpamPoolAllocationInput) (*ec2.ModifyIpamPoolAllocationOutput, error) {
	al, err := a.IPAM.ModifyAllocation(ctx, c.Account, c.Region, *in.IpamPoolAllocationId, value(in.Description), c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderIPAMPoolAllocation(a.Store.Snapshot(), al)
	return &ec2.ModifyIpamPoolAllocationOutput{IpamPoolAllocation: &out}, nil
}

// allocationAttribute is replyAttribute without the reply where clients filter by
// it: a page may look at thousands of allocations.
func (a *API) allocationAttribute(r store.Reader, al ipam.Allocation, name string) (values []string, known bool) {
	switch name {
	case "allocation-id": // of old clients
		return some(al.ID), true
	case "description":
		return some(al.Description), true
	case "resource-type":
		return some(string(al.Holder.Type)), true
	case "resource-id":
		return some(al.Holder.ResourceID), true
	case "resource-owner":
		return some(al.Holder.Account), true
	case "resource-region":
		return some(al.Holder.Region), true
	}
	if strings.HasPrefix(name, "tag") {
		return tagAttribute(a.Tags.Of(r, al.ID), name)
	}
	return replyAttribute(a.renderIPAMPoolAllocation(r, al), name)
}

// narrowAllocations finds a pool's allocations by what is indexed of them.
func (a *API) narrowAllocations(r store.Reader, pool, name, value string) iter.Seq2[string, ipam.Allocation] {
	switch name {
	case "ipam-pool-allocation-id", "allocation-id":
		al, ok := a.IPAM.Allocation(r, value)
		return one(al.Key(), al, ok && al.PoolID == pool)
	case "cidr":
		c, err := netip.ParsePrefix(value)
		if err != nil {
			return one("", ipam.Allocation{}, false)
		}
		al, ok := a.IPAM.AllocationOf(r, pool, c)
		return one(al.Key(), al, ok)
	case "resource-id":
		return func(yield func(string, ipam.Allocation) bool) {
			for key, al := range a.IPAM.HeldBy(r, value) {
				if al.PoolID == pool && !yield(key, al) {
					return
				}
			}
		}
	}
	return nil
}

func (a *API) renderIPAMPoolAllocation(r store.Reader, al ipam.Allocation) ec2.IpamPoolAllocation {
	return ec2.IpamPoolAllocation{
		IpamPoolAllocationId: unlessEmpty(al.ID), Cidr: new(al.CIDR.String()), Description: unlessEmpty(al.Description),
		ResourceType: ec2.IpamPoolAllocationResourceType(al.Holder.Type), ResourceId: unlessEmpty(al.Holder.ResourceID),
		ResourceOwner: new(al.Holder.Account), ResourceRegion: new(al.Holder.Region),
		Tags: renderTags(a.Tags.Of(r, al.ID)),
	}
}
