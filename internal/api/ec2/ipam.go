package ec2

import (
	"context"
	"iter"

	"github.com/fairlead/fairlead/internal/arn"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerIPAM(svc *wire.Service) {
	handle(svc, "CreateIpam", a.createIPAM)
	handle(svc, "DescribeIpams", a.describeIPAMs)
	handle(svc, "ModifyIpam", a.modifyIPAM)
	handle(svc, "DeleteIpam", a.deleteIPAM)
	handle(svc, "CreateIpamScope", a.createIPAMScope)
	handle(svc, "DescribeIpamScopes", a.describeIPAMScopes)
	handle(svc, "ModifyIpamScope", a.modifyIPAMScope)
	handle(svc, "DeleteIpamScope", a.deleteIPAMScope)
	handle(svc, "CreateIpamPool", a.createIPAMPool)
	handle(svc, "DescribeIpamPools", a.describeIPAMPools)
	handle(svc, "ModifyIpamPool", a.modifyIPAMPool)
	handle(svc, "DeleteIpamPool", a.deleteIPAMPool)
	handle(svc, "ProvisionIpamPoolCidr", a.provisionIPAMPoolCIDR)
	handle(svc, "DeprovisionIpamPoolCidr", a.deprovisionIPAMPoolCIDR)
	handle(svc, "GetIpamPoolCidrs", a.getIPAMPoolCIDRs)
	handle(svc, "AllocateIpamPoolCidr", a.allocateIPAMPoolCIDR)
	handle(svc, "ReleaseIpamPoolAllocation", a.releaseIPAMPoolAllocation)
	handle(svc, "GetIpamPoolAllocations", a.getIPAMPoolAllocations)
	handle(svc, "DescribeIpamPoolAllocations", a.describeIPAMPoolAllocations)
	handle(svc, "ModifyIpamPoolAllocation", a.modifyIPAMPoolAllocation)
}

// MaxResults of IPAM's describes (EC2 DescribeIpams and its like).
const (
	minIPAMResults = 5
	maxIPAMResults = 1000
)

func (a *API) createIPAM(ctx context.Context, c *wire.Call, in *ec2.CreateIpamInput) (*ec2.CreateIpamOutput, error) {
	tg, err := specifiedTags(in.TagSpecifications, "ipam")
	if err != nil {
		return nil, err
	}
	tok, err := token(c, in.ClientToken)
	if err != nil {
		return nil, err
	}
	req := ipam.CreateIPAM{
		ID: ids.EC2("ipam"), PublicScopeID: ids.EC2("ipam-scope"), PrivateScopeID: ids.EC2("ipam-scope"),
		DiscoveryID: ids.EC2("ipam-res-disco"), DiscoveryAssociationID: ids.EC2("ipam-res-disco-assoc"),
		Account: c.Account, Region: c.Region, Description: value(in.Description), Tier: ipam.Tier(in.Tier),
		PrivateGUA: value(in.EnablePrivateGua), MeteredAccount: string(in.MeteredAccount),
		Tags: tg, Token: tok, Time: c.Now,
	}
	for _, r := range in.OperatingRegions {
		if r.RegionName == nil {
			return nil, missing("OperatingRegion.N.RegionName")
		}
		req.OperatingRegions = append(req.OperatingRegions, *r.RegionName)
	}
	i, err := a.IPAM.CreateIPAM(ctx, req, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderIPAM(a.Store.Snapshot(), i)
	out.State = ec2.IpamStateCreateInProgress
	return &ec2.CreateIpamOutput{Ipam: &out}, nil
}

func (a *API) modifyIPAM(ctx context.Context, c *wire.Call, in *ec2.ModifyIpamInput) (*ec2.ModifyIpamOutput, error) {
	req := ipam.ModifyIPAM{
		ID: *in.IpamId, Account: c.Account, Region: c.Region, Description: in.Description,
		Tier: ipam.Tier(in.Tier), PrivateGUA: in.EnablePrivateGua, MeteredAccount: string(in.MeteredAccount),
	}
	for _, r := range in.AddOperatingRegions {
		if r.RegionName == nil {
			return nil, missing("AddOperatingRegion.N.RegionName")
		}
		req.AddRegions = append(req.AddRegions, *r.RegionName)
	}
	for _, r := range in.RemoveOperatingRegions {
		if r.RegionName == nil {
			return nil, missing("RemoveOperatingRegion.N.RegionName")
		}
		req.RemoveRegions = append(req.RemoveRegions, *r.RegionName)
	}
	i, err := a.IPAM.ModifyIPAM(ctx, req, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderIPAM(a.Store.Snapshot(), i)
	out.State = ec2.IpamStateModifyInProgress
	return &ec2.ModifyIpamOutput{Ipam: &out}, nil
}

func (a *API) deleteIPAM(ctx context.Context, c *wire.Call, in *ec2.DeleteIpamInput) (*ec2.DeleteIpamOutput, error) {
	before := a.Store.Snapshot() // after the deletion the tags are gone
	i, err := a.IPAM.DeleteIPAM(ctx, c.Account, c.Region, *in.IpamId, value(in.Cascade), c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderIPAM(before, i)
	out.State = ec2.IpamStateDeleteInProgress
	return &ec2.DeleteIpamOutput{Ipam: &out}, nil
}

func (a *API) describeIPAMs(_ context.Context, c *wire.Call, in *ec2.DescribeIpamsInput) (*ec2.DescribeIpamsOutput, error) {
	snap := a.Store.Snapshot()
	items, next, err := list(c, query{IDs: in.IpamIds, Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: minIPAMResults, Max: maxIPAMResults},
		source[ec2.Ipam]{
			from: func(key string) iter.Seq2[string, ec2.Ipam] {
				return rendered(a.IPAM.IPAMs(snap, c.Account, c.Region, key), func(i ipam.IPAM) ec2.Ipam { return a.renderIPAM(snap, i) })
			},
			get: func(id string) (ec2.Ipam, bool) {
				i, ok := a.IPAM.IPAM(snap, c.Account, id)
				return a.renderIPAM(snap, i), ok && i.Region == c.Region
			},
			absent:    func(id string) error { return &ipam.NotFoundError{Noun: ipam.NounIPAM, ID: id} },
			attribute: replyAttribute[ec2.Ipam],
		})
	if err != nil {
		return nil, err
	}
	return &ec2.DescribeIpamsOutput{Ipams: items, NextToken: next}, nil
}

func (a *API) renderIPAM(r store.Reader, i ipam.IPAM) ec2.Ipam {
	scopes := 0
	for _, sc := range a.IPAM.Scopes(r, i.Account, i.Region, "") {
		if sc.IPAMID == i.ID {
			scopes++
		}
	}
	out := ec2.Ipam{
		IpamId: new(i.ID), OwnerId: new(i.Account), IpamRegion: new(i.Region), IpamArn: new(ipamARN(i.Account, i.ID, ipam.NounIPAM)),
		PublicDefaultScopeId: new(i.PublicScopeID), PrivateDefaultScopeId: new(i.PrivateScopeID), ScopeCount: new(int32(scopes)),
		DefaultResourceDiscoveryId: new(i.DiscoveryID), DefaultResourceDiscoveryAssociationId: new(i.DiscoveryAssociationID),
		ResourceDiscoveryAssociationCount: new(int32(a.Discovery.Associated(r, i.ID))),
		Description:                       unlessEmpty(i.Description),
		OperatingRegions:                  []ec2.IpamOperatingRegion{},
		State:                             ec2.IpamState(i.ToldState()), Tier: ec2.IpamTier(i.Tier),
		EnablePrivateGua: new(i.PrivateGUA), MeteredAccount: ec2.IpamMeteredAccount(i.MeteredAccount),
		Tags: renderTags(a.Tags.Of(r, i.ID)),
	}
	if out.MeteredAccount == "" {
		out.MeteredAccount = ec2.IpamMeteredAccountIpamOwner
	}
	for _, r := range i.OperatingRegions {
		out.OperatingRegions = append(out.OperatingRegions, ec2.IpamOperatingRegion{RegionName: new(r)})
	}
	return out
}

func (a *API) describeIPAMScopes(_ context.Context, c *wire.Call, in *ec2.DescribeIpamScopesInput) (*ec2.DescribeIpamScopesOutput, error) {
	snap := a.Store.Snapshot()
	items, next, err := list(c, query{IDs: in.IpamScopeIds, Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: minIPAMResults, Max: maxIPAMResults},
		source[ec2.IpamScope]{
			from: func(key string) iter.Seq2[string, ec2.IpamScope] {
				return rendered(a.IPAM.Scopes(snap, c.Account, c.Region, key), func(sc ipam.Scope) ec2.IpamScope { return a.renderIPAMScope(snap, sc) })
			},
			get: func(id string) (ec2.IpamScope, bool) {
				sc, ok := a.IPAM.Scope(snap, c.Account, id)
				return a.renderIPAMScope(snap, sc), ok && sc.Region == c.Region
			},
			absent:    func(id string) error { return &ipam.NotFoundError{Noun: ipam.NounScope, ID: id} },
			attribute: replyAttribute[ec2.IpamScope],
		})
	if err != nil {
		return nil, err
	}
	return &ec2.DescribeIpamScopesOutput{IpamScopes: items, NextToken: next}, nil
}

func (a *API) renderIPAMScope(r store.Reader, sc ipam.Scope) ec2.IpamScope {
	return ec2.IpamScope{
		IpamScopeId: new(sc.ID), OwnerId: new(sc.Account), IpamRegion: new(sc.Region),
		IpamScopeArn: new(ipamARN(sc.Account, sc.ID, ipam.NounScope)), IpamArn: new(ipamARN(sc.Account, sc.IPAMID, ipam.NounIPAM)),
		IpamScopeType: ec2.IpamScopeType(sc.Type), IsDefault: new(sc.Default), PoolCount: new(int32(sc.PoolCount)),
		Description: unlessEmpty(sc.Description), State: ec2.IpamScopeState(sc.ToldState()),
		ExternalAuthorityConfiguration: renderAuthority(sc.Authority),
		Tags:                           renderTags(a.Tags.Of(r, sc.ID)),
	}
}

// ipamARN returns an ARN as IPAM's are: they name no region.
func ipamARN(account, id string, n ipam.Noun) string {
	return arn.New("ec2", "", account, string(n)+"/"+id).String()
}

func unlessEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return new(s)
}

// rendered yields a sequence's items as a reply shows them.
func rendered[T, Shape any](seq iter.Seq2[string, T], render func(T) Shape) iter.Seq2[string, Shape] {
	return func(yield func(string, Shape) bool) {
		for key, item := range seq {
			if !yield(key, render(item)) {
				return
			}
		}
	}
}
