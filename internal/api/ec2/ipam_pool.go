package ec2

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) createIPAMPool(ctx context.Context, c *wire.Call, in *ec2.CreateIpamPoolInput) (*ec2.CreateIpamPoolOutput, error) {
	tg, err := specifiedTags(in.TagSpecifications, "ipam-pool")
	if err != nil {
		return nil, err
	}
	tok, err := token(c, in.ClientToken)
	if err != nil {
		return nil, err
	}
	req := ipam.CreatePool{
		ID: ids.EC2("ipam-pool"), Account: c.Account, Region: c.Region,
		ScopeID: *in.IpamScopeId, SourcePoolID: value(in.SourceIpamPoolId), Locale: value(in.Locale),
		Family: ipam.Family(in.AddressFamily), Description: value(in.Description),
		AutoImport: value(in.AutoImport), Advertisable: in.PubliclyAdvertisable,
		MinNetmask: length(in.AllocationMinNetmaskLength), MaxNetmask: length(in.AllocationMaxNetmaskLength),
		DefaultNetmask: length(in.AllocationDefaultNetmaskLength),
		AWSService:     string(in.AwsService), PublicSource: ipam.PublicSource(in.PublicIpSource),
		Tags: tg, Token: tok, Time: c.Now,
	}
	if req.Locale == ipam.NoLocale {
		req.Locale = ""
	}
	if req.AllocationTags, err = allocationTags(in.AllocationResourceTags, "AllocationResourceTag"); err != nil {
		return nil, err
	}
	if req.Source, err = sourceResource(in.SourceResource); err != nil {
		return nil, err
	}
	p, err := a.IPAM.CreatePool(ctx, req, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderIPAMPool(a.Store.Snapshot(), p)
	out.State = ec2.IpamPoolStateCreateInProgress
	return &ec2.CreateIpamPoolOutput{IpamPool: &out}, nil
}

// allocationTags reads the tags that a pool asks of resources; name is the
// parameter's.
func allocationTags(in []ec2.RequestIpamResourceTag, name string) ([]ipam.AllocationTag, error) {
	var out []ipam.AllocationTag
	for _, t := range in {
		if t.Key == nil {
			return nil, missing(name + ".N.Key")
		}
		if slices.ContainsFunc(out, func(o ipam.AllocationTag) bool { return o.Key == *t.Key }) {
			return nil, invalid(*t.Key, name, "The key is given twice.")
		}
		out = append(out, ipam.AllocationTag{Key: *t.Key, Value: value(t.Value)})
	}
	return out, nil
}

func sourceResource(in *ec2.IpamPoolSourceResourceRequest) (*ipam.SourceResource, error) {
	if in == nil {
		return nil, nil
	}
	for _, m := range []struct{ name, value string }{
		{"ResourceId", value(in.ResourceId)}, {"ResourceType", string(in.ResourceType)},
		{"ResourceRegion", value(in.ResourceRegion)}, {"ResourceOwner", value(in.ResourceOwner)},
	} {
		if m.value == "" {
			return nil, missing("SourceResource." + m.name)
		}
	}
	return &ipam.SourceResource{ID: *in.ResourceId, Type: string(in.ResourceType), Region: *in.ResourceRegion, Owner: *in.ResourceOwner}, nil
}

func (a *API) modifyIPAMPool(ctx context.Context, c *wire.Call, in *ec2.ModifyIpamPoolInput) (*ec2.ModifyIpamPoolOutput, error) {
	req := ipam.ModifyPool{
		ID: *in.IpamPoolId, Account: c.Account, Region: c.Region, Description: in.Description, AutoImport: in.AutoImport,
		MinNetmask: length(in.AllocationMinNetmaskLength), MaxNetmask: length(in.AllocationMaxNetmaskLength),
		DefaultNetmask: length(in.AllocationDefaultNetmaskLength), ClearDefaultNetmask: value(in.ClearAllocationDefaultNetmaskLength),
	}
	var err error
	if req.AddTags, err = allocationTags(in.AddAllocationResourceTags, "AddAllocationResourceTag"); err != nil {
		return nil, err
	}
	if req.RemoveTags, err = allocationTags(in.RemoveAllocationResourceTags, "RemoveAllocationResourceTag"); err != nil {
		return nil, err
	}
	p, err := a.IPAM.ModifyPool(ctx, req, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderIPAMPool(a.Store.Snapshot(), p)
	out.State = ec2.IpamPoolStateModifyInProgress
	return &ec2.ModifyIpamPoolOutput{IpamPool: &out}, nil
}

// length returns a netmask length as the ipam room has it.
func length(n *int32) *int {
	if n == nil {
		return nil
	}
	return new(int(*n))
}

func (a *API) deleteIPAMPool(ctx context.Context, c *wire.Call, in *ec2.DeleteIpamPoolInput) (*ec2.DeleteIpamPoolOutput, error) {
	before := a.Store.Snapshot() // after the deletion the tags are gone
	p, err := a.IPAM.DeletePool(ctx, c.Account, c.Region, *in.IpamPoolId, value(in.Cascade), c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderIPAMPool(before, p)
	out.State = ec2.IpamPoolStateDeleteInProgress
	return &ec2.DeleteIpamPoolOutput{IpamPool: &out}, nil
}

func (a *API) describeIPAMPools(_ context.Context, c *wire.Call, in *ec2.DescribeIpamPoolsInput) (*ec2.DescribeIpamPoolsOutput, error) {
	snap := a.Store.Snapshot()
	items, next, err := list(c, query{IDs: in.IpamPoolIds, Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: minIPAMResults, Max: maxIPAMResults, Default: maxIPAMResults},
		source[ipam.Pool]{
			from: func(key string) iter.Seq2[string, ipam.Pool] {
				return a.IPAM.PoolsOf(snap, c.Account, c.Region, key)
			},
			get: func(id string) (ipam.Pool, bool) {
				p, err := a.ipamPool(snap, c, id)
				return p, err == nil
			},
			absent:    func(id string) error { return &ipam.NotFoundError{Noun: ipam.NounPool, ID: id} },
			attribute: func(p ipam.Pool, name string) ([]string, bool) { return a.poolAttribute(snap, p, name) },
			narrow: func(name, value string) iter.Seq2[string, ipam.Pool] {
				if name != "ipam-pool-id" {
					return nil
				}
				p, err := a.ipamPool(snap, c, value)
				return one(p.ID, p, err == nil)
			},
		})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeIpamPoolsOutput{IpamPools: []ec2.IpamPool{}, NextToken: next}
	for _, p := range items {
		out.IpamPools = append(out.IpamPools, a.renderIPAMPool(snap, p))
	}
	return out, nil
}

// poolAttribute is replyAttribute without the reply where clients filter by it: a
// page may look at thousands of pools.
func (a *API) poolAttribute(r store.Reader, p ipam.Pool, name string) (values []string, known bool) {
	switch name {
	case "ipam-scope-id": // as ipam-id seen in clients' documents, though in no reply
		return some(p.ScopeID), true
	case "ipam-id":
		return some(p.IPAMID), true
	case "description":
		return some(p.Description), true
	case "locale":
		return some(p.Locale), true
	case "address-family":
		return some(string(p.Family)), true
	case "source-ipam-pool-id":
		return some(p.SourcePoolID), true
	}
	if strings.HasPrefix(name, "tag") {
		return tagAttribute(a.Tags.Of(r, p.ID), name)
	}
	return replyAttribute(a.renderIPAMPool(r, p), name)
}

// ipamPool returns the pool that a call names to read from it, in the pool's home
// region or its locale.
func (a *API) ipamPool(r store.Reader, c *wire.Call, id string) (ipam.Pool, error) {
	p, ok := a.IPAM.VisiblePool(r, c.Account, id)
	if !ok || p.Region != c.Region && p.Locale != c.Region {
		return ipam.Pool{}, &ipam.NotFoundError{Noun: ipam.NounPool, ID: id}
	}
	return p, nil
}

func (a *API) renderIPAMPool(r store.Reader, p ipam.Pool) ec2.IpamPool {
	out := ec2.IpamPool{
		IpamPoolId: new(p.ID), OwnerId: new(p.Account), IpamRegion: new(p.Region),
		IpamPoolArn:   new(ipamARN(p.Account, p.ID, ipam.NounPool)),
		IpamScopeArn:  new(ipamARN(p.Account, p.ScopeID, ipam.NounScope)),
		IpamArn:       new(ipamARN(p.Account, p.IPAMID, ipam.NounIPAM)),
		IpamScopeType: ec2.IpamScopeType(p.ScopeType), SourceIpamPoolId: unlessEmpty(p.SourcePoolID),
		Locale: new(p.Locale), PoolDepth: new(int32(p.Depth)), State: ec2.IpamPoolState(p.ToldState()),
		Description: unlessEmpty(p.Description), AutoImport: new(p.AutoImport), PubliclyAdvertisable: p.Advertisable,
		AddressFamily:                  ec2.AddressFamily(p.Family),
		AllocationMinNetmaskLength:     wireLength(p.MinNetmask),
		AllocationMaxNetmaskLength:     wireLength(p.MaxNetmask),
		AllocationDefaultNetmaskLength: wireLength(p.DefaultNetmask),
		AllocationResourceTags:         []ec2.IpamResourceTag{},
		AwsService:                     ec2.IpamPoolAwsService(p.AWSService), PublicIpSource: ec2.IpamPoolPublicIpSource(p.PublicSource),
		Tags: renderTags(a.Tags.Of(r, p.ID)),
	}
	if src := p.Source; src != nil {
		out.SourceResource = &ec2.IpamPoolSourceResource{
			ResourceId: new(src.ID), ResourceType: ec2.IpamPoolSourceResourceType(src.Type),
			ResourceRegion: new(src.Region), ResourceOwner: new(src.Owner),
		}
	}
	for _, t := range p.AllocationTags {
		out.AllocationResourceTags = append(out.AllocationResourceTags, ec2.IpamResourceTag{Key: new(t.Key), Value: new(t.Value)})
	}
	return out
}

func wireLength(n *int) *int32 {
	if n == nil {
		return nil
	}
	return new(int32(*n))
}
