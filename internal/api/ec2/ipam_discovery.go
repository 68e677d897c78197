package ec2

import (
	"context"
	"iter"

	"github.com/fairlead/fairlead/internal/arn"
	"github.com/fairlead/fairlead/internal/discovery"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerIPAMDiscovery(svc *wire.Service) {
	handle(svc, "CreateIpamResourceDiscovery", a.createIPAMResourceDiscovery)
	handle(svc, "ModifyIpamResourceDiscovery", a.modifyIPAMResourceDiscovery)
	handle(svc, "DeleteIpamResourceDiscovery", a.deleteIPAMResourceDiscovery)
	handle(svc, "DescribeIpamResourceDiscoveries", a.describeIPAMResourceDiscoveries)
	handle(svc, "AssociateIpamResourceDiscovery", a.associateIPAMResourceDiscovery)
	handle(svc, "DisassociateIpamResourceDiscovery", a.disassociateIPAMResourceDiscovery)
	handle(svc, "DescribeIpamResourceDiscoveryAssociations", a.describeIPAMResourceDiscoveryAssociations)
}

// Prefixes of ids.
const (
	discoveryPrefix            = "ipam-res-disco"
	discoveryAssociationPrefix = "ipam-res-disco-assoc"
)

func (a *API) createIPAMResourceDiscovery(ctx context.Context, c *wire.Call, in *ec2.CreateIpamResourceDiscoveryInput) (*ec2.CreateIpamResourceDiscoveryOutput, error) {
	tg, err := specifiedTags(in.TagSpecifications, string(discovery.NounDiscovery))
	if err != nil {
		return nil, err
	}
	tok, err := token(c, in.ClientToken)
	if err != nil {
		return nil, err
	}
	regions, err := regionNames(in.OperatingRegions, "OperatingRegion", func(r ec2.AddIpamOperatingRegion) *string { return r.RegionName })
	if err != nil {
		return nil, err
	}
	d, err := a.Discovery.CreateDiscovery(ctx, discovery.CreateDiscovery{
		ID: ids.EC2(discoveryPrefix), Account: c.Account, Region: c.Region, Description: value(in.Description),
		OperatingRegions: regions, Tags: tg, Token: tok,
	}, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderIPAMResourceDiscovery(a.Store.Snapshot(), d)
	out.State = ec2.IpamResourceDiscoveryStateCreateInProgress
	return &ec2.CreateIpamResourceDiscoveryOutput{IpamResourceDiscovery: &out}, nil
}

// regionNames reads a list of regions, each of which must have a name.
func regionNames[T any](in []T, parameter string, name func(T) *string) ([]string, error) {
	var names []string
	for _, r := range in {
		n := name(r)
		if n == nil {
			return nil, missing(parameter + ".N.RegionName")
		}
		names = append(names, *n)
	}
	return names, nil
}

func (a *API) modifyIPAMResourceDiscovery(ctx context.Context, c *wire.Call, in *ec2.ModifyIpamResourceDiscoveryInput) (*ec2.ModifyIpamResourceDiscoveryOutput, error) {
	// Only the administrator of an organization's IPAM may exclude its units.
	if err := refuseUnserved(c, "AddOrganizationalUnitExclusion", "RemoveOrganizationalUnitExclusion"); err != nil {
		return nil, err
	}
	add, err := regionNames(in.AddOperatingRegions, "AddOperatingRegion", func(r ec2.AddIpamOperatingRegion) *string { return r.RegionName })
	if err != nil {
		return nil, err
	}
	remove, err := regionNames(in.RemoveOperatingRegions, "RemoveOperatingRegion", func(r ec2.RemoveIpamOperatingRegion) *string { return r.RegionName })
	if err != nil {
		return nil, err
	}
	change := discovery.DiscoveryChange{Description: in.Description, AddRegions: add, RemoveRegions: remove}
	d, err := a.Discovery.ModifyDiscovery(ctx, c.Account, c.Region, *in.IpamResourceDiscoveryId, change, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderIPAMResourceDiscovery(a.Store.Snapshot(), d)
	out.State = ec2.IpamResourceDiscoveryStateModifyInProgress
	return &ec2.ModifyIpamResourceDiscoveryOutput{IpamResourceDiscovery: &out}, nil
}

func (a *API) deleteIPAMResourceDiscovery(ctx context.Context, c *wire.Call, in *ec2.DeleteIpamResourceDiscoveryInput) (*ec2.DeleteIpamResourceDiscoveryOutput, error) {
	before := a.Store.Snapshot() // after the deletion the tags are gone
	d, err := a.Discovery.DeleteDiscovery(ctx, c.Account, c.Region, *in.IpamResourceDiscoveryId, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderIPAMResourceDiscovery(before, d)
	out.State = ec2.IpamResourceDiscoveryStateDeleteInProgress
	return &ec2.DeleteIpamResourceDiscoveryOutput{IpamResourceDiscovery: &out}, nil
}

func (a *API) describeIPAMResourceDiscoveries(_ context.Context, c *wire.Call, in *ec2.DescribeIpamResourceDiscoveriesInput) (*ec2.DescribeIpamResourceDiscoveriesOutput, error) {
	snap := a.Store.Snapshot()
	items, next, err := list(c, query{IDs: in.IpamResourceDiscoveryIds, Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: minIPAMResults, Max: maxIPAMResults},
		source[ec2.IpamResourceDiscovery]{
			from: from(a.Discovery.Discoveries(snap, c.Account, c.Region), func(d discovery.Discovery) (string, ec2.IpamResourceDiscovery) {
				return d.ID, a.renderIPAMResourceDiscovery(snap, d)
			}),
			get: func(id string) (ec2.IpamResourceDiscovery, bool) {
				d, ok := a.Discovery.Discovery(snap, c.Account, c.Region, id)
				return a.renderIPAMResourceDiscovery(snap, d), ok
			},
			absent:    func(id string) error { return &discovery.NotFoundError{Noun: discovery.NounDiscovery, ID: id} },
			attribute: replyAttribute[ec2.IpamResourceDiscovery],
		})
	if err != nil {
		return nil, err
	}
	return &ec2.DescribeIpamResourceDiscoveriesOutput{IpamResourceDiscoveries: items, NextToken: next}, nil
}

// from is a source's sequence of few things, which are ordered by their keys.
func from[T, Shape any](all []T, render func(T) (key string, s Shape)) func(string) iter.Seq2[string, Shape] {
	return func(first string) iter.Seq2[string, Shape] {
		return func(yield func(string, Shape) bool) {
			for _, item := range all {
				if key, shape := render(item); key >= first && !yield(key, shape) {
					return
				}
			}
		}
	}
}

func (a *API) renderIPAMResourceDiscovery(r store.Reader, d discovery.Discovery) ec2.IpamResourceDiscovery {
	out := ec2.IpamResourceDiscovery{
		IpamResourceDiscoveryId: new(d.ID), OwnerId: new(d.Account), IpamResourceDiscoveryRegion: new(d.Region),
		IpamResourceDiscoveryArn:     new(discoveryARN(d.Account, d.ID, discovery.NounDiscovery)),
		Description:                  unlessEmpty(d.Description),
		OperatingRegions:             []ec2.IpamOperatingRegion{},
		OrganizationalUnitExclusions: []ec2.IpamOrganizationalUnitExclusion{},
		IsDefault:                    new(d.Default), State: ec2.IpamResourceDiscoveryStateCreateComplete,
		Tags: renderTags(a.Tags.Of(r, d.ID)),
	}
	if d.Modified {
		out.State = ec2.IpamResourceDiscoveryStateModifyComplete
	}
	for _, name := range d.OperatingRegions {
		out.OperatingRegions = append(out.OperatingRegions, ec2.IpamOperatingRegion{RegionName: new(name)})
	}
	return out
}

// discoveryARN returns an ARN as IPAM's are: they name no region.
func discoveryARN(account, id string, n discovery.Noun) string {
	return arn.New("ec2", "", account, string(n)+"/"+id).String()
}

func (a *API) associateIPAMResourceDiscovery(ctx context.Context, c *wire.Call, in *ec2.AssociateIpamResourceDiscoveryInput) (*ec2.AssociateIpamResourceDiscoveryOutput, error) {
	tg, err := specifiedTags(in.TagSpecifications, string(discovery.NounAssociation))
	if err != nil {
		return nil, err
	}
	tok, err := token(c, in.ClientToken)
	if err != nil {
		return nil, err
	}
	as, err := a.Discovery.Associate(ctx, discovery.Associate{
		ID: ids.EC2(discoveryAssociationPrefix), Account: c.Account, Region: c.Region,
		IPAMID: *in.IpamId, DiscoveryID: *in.IpamResourceDiscoveryId, Tags: tg, Token: tok,
	}, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderIPAMResourceDiscoveryAssociation(a.Store.Snapshot(), as)
	out.State = ec2.IpamResourceDiscoveryAssociationStateAssociateInProgress
	return &ec2.AssociateIpamResourceDiscoveryOutput{IpamResourceDiscoveryAssociation: &out}, nil
}

func (a *API) disassociateIPAMResourceDiscovery(ctx context.Context, c *wire.Call, in *ec2.DisassociateIpamResourceDiscoveryInput) (*ec2.DisassociateIpamResourceDiscoveryOutput, error) {
	before := a.Store.Snapshot() // after the deletion the tags are gone
	as, err := a.Discovery.Disassociate(ctx, c.Account, c.Region, *in.IpamResourceDiscoveryAssociationId, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderIPAMResourceDiscoveryAssociation(before, as)
	out.State = ec2.IpamResourceDiscoveryAssociationStateDisassociateInProgress
	return &ec2.DisassociateIpamResourceDiscoveryOutput{IpamResourceDiscoveryAssociation: &out}, nil
}

func (a *API) describeIPAMResourceDiscoveryAssociations(_ context.Context, c *wire.Call, in *ec2.DescribeIpamResourceDiscoveryAssociationsInput) (*ec2.DescribeIpamResourceDiscoveryAssociationsOutput, error) {
	snap := a.Store.Snapshot()
	items, next, err := list(c, query{IDs: in.IpamResourceDiscoveryAssociationIds, Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: minIPAMResults, Max: maxIPAMResults},
		source[ec2.IpamResourceDiscoveryAssociation]{
			from: from(a.Discovery.Associations(snap, c.Account, c.Region), func(as discovery.Association) (string, ec2.IpamResourceDiscoveryAssociation) {
				return as.ID, a.renderIPAMResourceDiscoveryAssociation(snap, as)
			}),
			get: func(id string) (ec2.IpamResourceDiscoveryAssociation, bool) {
				as, ok := a.Discovery.Association(snap, c.Account, c.Region, id)
				return a.renderIPAMResourceDiscoveryAssociation(snap, as), ok
			},
			absent:    func(id string) error { return &discovery.NotFoundError{Noun: discovery.NounAssociation, ID: id} },
			attribute: replyAttribute[ec2.IpamResourceDiscoveryAssociation],
		})
	if err != nil {
		return nil, err
	}
	return &ec2.DescribeIpamResourceDiscoveryAssociationsOutput{IpamResourceDiscoveryAssociations: items, NextToken: next}, nil
}

func (a *API) renderIPAMResourceDiscoveryAssociation(r store.Reader, as discovery.Association) ec2.IpamResourceDiscoveryAssociation {
	out := ec2.IpamResourceDiscoveryAssociation{
		IpamResourceDiscoveryAssociationId:  new(as.ID),
		IpamResourceDiscoveryAssociationArn: new(discoveryARN(as.Account, as.ID, discovery.NounAssociation)),
		IpamResourceDiscoveryId:             new(as.DiscoveryID),
		IpamId:                              new(as.IPAMID), IpamArn: new(discoveryARN(as.Account, as.IPAMID, discovery.NounIPAM)), IpamRegion: new(as.Region),
		OwnerId: new(as.Account), IsDefault: new(as.Default),
		ResourceDiscoveryStatus: ec2.IpamAssociatedResourceDiscoveryStatusNotFound,
		State:                   ec2.IpamResourceDiscoveryAssociationStateAssociateComplete,
		Tags:                    renderTags(a.Tags.Of(r, as.ID)),
	}
	if as.Active {
		out.ResourceDiscoveryStatus = ec2.IpamAssociatedResourceDiscoveryStatusActive
	}
	return out
}
