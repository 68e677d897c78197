package ec2

import (
	"context"

	"github.com/fairlead/fairlead/internal/discovery"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerIPAMResources(svc *wire.Service) {
	handle(svc, "GetIpamResourceCidrs", a.getIPAMResourceCIDRs)
	handle(svc, "ModifyIpamResourceCidr", a.modifyIPAMResourceCIDR)
	handle(svc, "GetIpamAddressHistory", a.getIPAMAddressHistory)
	handle(svc, "GetIpamDiscoveredAccounts", a.getIPAMDiscoveredAccounts)
	handle(svc, "GetIpamDiscoveredResourceCidrs", a.getIPAMDiscoveredResourceCIDRs)
	handle(svc, "GetIpamDiscoveredPublicAddresses", a.getIPAMDiscoveredPublicAddresses)
}

func (a *API) getIPAMResourceCIDRs(_ context.Context, c *wire.Call, in *ec2.GetIpamResourceCidrsInput) (*ec2.GetIpamResourceCidrsOutput, error) {
	snap := a.Store.Snapshot()
	w, err := look(c, query{Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: minIPAMResults, Max: maxIPAMResults},
		func(rc discovery.ResourceCIDR, name string) ([]string, bool) {
			if values, known := tagAttribute(rc.Tags, name); known {
				return values, true
			}
			return replyAttribute(a.renderIPAMResourceCIDR(rc), name)
		})
	if err != nil {
		return nil, err
	}
	if in.ResourceTag != nil && in.ResourceTag.Key == nil {
		return nil, missing("ResourceTag.Key")
	}
	v, sc, err := a.Discovery.ViewOf(snap, c.Account, c.Region, *in.IpamScopeId)
	if err != nil {
		return nil, err
	}
	if in.IpamPoolId != nil {
		if p, ok := a.IPAM.VisiblePool(snap, c.Account, *in.IpamPoolId); !ok || p.ScopeID != sc.ID {
			return nil, &ipam.NotFoundError{Noun: ipam.NounPool, ID: *in.IpamPoolId}
		}
	}
	items, next := v.Page(discovery.Query{
		Scope: sc, ResourceID: value(in.ResourceId), Type: discovery.Type(in.ResourceType),
		Match: func(rc discovery.ResourceCIDR) bool { return asked(in, rc) && w.passes(rc) },
	}, w.limit, w.from)
	out := &ec2.GetIpamResourceCidrsOutput{IpamResourceCidrs: []ec2.IpamResourceCidr{}, NextToken: nextToken(next)}
	for _, rc := range items {
		item := a.renderIPAMResourceCIDR(rc)
		item.IpUsage = usage(rc.Resource)
		out.IpamResourceCidrs = append(out.IpamResourceCidrs, item)
	}
	return out, nil
}

// asked says whether a CIDR is one that the call's own parameters ask for.
func asked(in *ec2.GetIpamResourceCidrsInput, rc discovery.ResourceCIDR) bool {
	if in.IpamPoolId != nil && rc.PoolID != *in.IpamPoolId || in.ResourceOwner != nil && rc.Account != *in.ResourceOwner {
		return false
	}
	if in.ResourceTag == nil {
		return true
	}
	for _, t := range rc.Tags {
		if t.Key == *in.ResourceTag.Key {
			return in.ResourceTag.Value == nil || t.Value == *in.ResourceTag.Value
		}
	}
	return false
}

// renderIPAMResourceCIDR shows all but the usage, which takes some counting.
func (a *API) renderIPAMResourceCIDR(rc discovery.ResourceCIDR) ec2.IpamResourceCidr {
	return ec2.IpamResourceCidr{
		IpamId: new(rc.IPAMID), IpamScopeId: new(rc.ScopeID), IpamPoolId: unlessEmpty(rc.PoolID),
		ResourceRegion: new(rc.Region), ResourceOwnerId: new(rc.Account), ResourceId: new(rc.ID), ResourceName: unlessEmpty(rc.Name()),
		ResourceCidr: new(rc.CIDR.String()), ResourceType: ec2.IpamResourceType(rc.Type), ResourceTags: resourceTags(rc.Tags),
		ManagementState:  ec2.IpamManagementState(rc.Management),
		ComplianceStatus: ec2.IpamComplianceStatus(rc.Compliance), OverlapStatus: ec2.IpamOverlapStatus(rc.Overlap),
		VpcId: unlessEmpty(rc.VPCID), AvailabilityZoneId: a.resourceZone(rc.Resource),
	}
}

func (a *API) modifyIPAMResourceCIDR(ctx context.Context, c *wire.Call, in *ec2.ModifyIpamResourceCidrInput) (*ec2.ModifyIpamResourceCidrOutput, error) {
	cidr, err := parseCIDR(*in.ResourceCidr, "resourceCidr")
	if err != nil {
		return nil, err
	}
	rc, err := a.Discovery.ModifyResourceCIDR(ctx, discovery.ModifyResourceCIDR{
		Account: c.Account, Region: c.Region, ResourceID: *in.ResourceId, ResourceRegion: *in.ResourceRegion, CIDR: cidr,
		ScopeID: *in.CurrentIpamScopeId, DestinationScopeID: value(in.DestinationIpamScopeId), Monitored: *in.Monitored, Time: c.Now,
	}, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	item := a.renderIPAMResourceCIDR(rc)
	item.IpUsage = usage(rc.Resource)
	return &ec2.ModifyIpamResourceCidrOutput{IpamResourceCidr: &item}, nil
}
