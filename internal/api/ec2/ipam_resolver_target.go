package ec2

import (
	"context"
	"iter"

	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/prefixlist/resolver"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerIPAMResolverTargets(svc *wire.Service) {
	handle(svc, "CreateIpamPrefixListResolverTarget", a.createResolverTarget)
	handle(svc, "DescribeIpamPrefixListResolverTargets", a.describeResolverTargets)
	handle(svc, "ModifyIpamPrefixListResolverTarget", a.modifyResolverTarget)
	handle(svc, "DeleteIpamPrefixListResolverTarget", a.deleteResolverTarget)
}

func (a *API) createResolverTarget(ctx context.Context, c *wire.Call, in *ec2.CreateIpamPrefixListResolverTargetInput) (*ec2.CreateIpamPrefixListResolverTargetOutput, error) {
	tg, err := specifiedTags(in.TagSpecifications, string(resolver.NounTarget))
	if err != nil {
		return nil, err
	}
	tok, err := token(c, in.ClientToken)
	if err != nil {
		return nil, err
	}
	t, err := a.Resolvers.CreateTarget(ctx, resolver.CreateTarget{
		ID: ids.EC2(resolverTargetID), Account: c.Account, Region: c.Region, ResolverID: *in.IpamPrefixListResolverId,
		ListID: *in.PrefixListId, ListRegion: *in.PrefixListRegion, Track: *in.TrackLatestVersion, Desired: in.DesiredVersion,
		Tags: tg, Token: tok, Time: c.Now,
	}, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderResolverTarget(a.Store.Snapshot(), t)
	out.State = ec2.IpamPrefixListResolverTargetStateCreateInProgress
	return &ec2.CreateIpamPrefixListResolverTargetOutput{IpamPrefixListResolverTarget: &out}, nil
}

func (a *API) modifyResolverTarget(ctx context.Context, c *wire.Call, in *ec2.ModifyIpamPrefixListResolverTargetInput) (*ec2.ModifyIpamPrefixListResolverTargetOutput, error) {
	tok, err := token(c, in.ClientToken)
	if err != nil {
		return nil, err
	}
	t, err := a.Resolvers.ModifyTarget(ctx, resolver.ModifyTarget{
		ID: *in.IpamPrefixListResolverTargetId, Account: c.Account, Region: c.Region, Track: in.TrackLatestVersion, Desired: in.DesiredVersion, Token: tok,
	}, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderResolverTarget(a.Store.Snapshot(), t)
	out.State = ec2.IpamPrefixListResolverTargetStateModifyInProgress
	return &ec2.ModifyIpamPrefixListResolverTargetOutput{IpamPrefixListResolverTarget: &out}, nil
}

func (a *API) deleteResolverTarget(ctx context.Context, c *wire.Call, in *ec2.DeleteIpamPrefixListResolverTargetInput) (*ec2.DeleteIpamPrefixListResolverTargetOutput, error) {
	before := a.Store.Snapshot() // after the deletion the tags are gone
	t, err := a.Resolvers.DeleteTarget(ctx, c.Account, c.Region, *in.IpamPrefixListResolverTargetId, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderResolverTarget(before, t)
	out.State, out.StateMessage = ec2.IpamPrefixListResolverTargetStateDeleteInProgress, nil
	return &ec2.DeleteIpamPrefixListResolverTargetOutput{IpamPrefixListResolverTarget: &out}, nil
}

func (a *API) describeResolverTargets(_ context.Context, c *wire.Call, in *ec2.DescribeIpamPrefixListResolverTargetsInput) (*ec2.DescribeIpamPrefixListResolverTargetsOutput, error) {
	snap := a.Store.Snapshot()
	if id := in.IpamPrefixListResolverId; id != nil {
		if _, ok := a.Resolvers.Resolver(snap, c.Account, c.Region, *id); !ok {
			return nil, resolverAbsent(*id)
		}
		in.Filters = append(in.Filters, ec2.Filter{Name: new("ipam-prefix-list-resolver-id"), Values: []string{*id}})
	}
	items, next, err := list(c, query{IDs: in.IpamPrefixListResolverTargetIds, Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: minIPAMResults, Max: maxIPAMResults},
		source[ec2.IpamPrefixListResolverTarget]{
			from: func(key string) iter.Seq2[string, ec2.IpamPrefixListResolverTarget] {
				return rendered(a.Resolvers.Targets(snap, c.Account, c.Region, key), func(t resolver.Target) ec2.IpamPrefixListResolverTarget { return a.renderResolverTarget(snap, t) })
			},
			get: func(id string) (ec2.IpamPrefixListResolverTarget, bool) {
				t, ok := a.Resolvers.Target(snap, c.Account, c.Region, id)
				return a.renderResolverTarget(snap, t), ok
			},
			absent: func(id string) error {
				return &resolver.NotFoundError{Noun: resolver.NounTarget, ID: id}
			},
			attribute: replyAttribute[ec2.IpamPrefixListResolverTarget],
		})
	if err != nil {
		return nil, err
	}
	return &ec2.DescribeIpamPrefixListResolverTargetsOutput{IpamPrefixListResolverTargets: items, NextToken: next}, nil
}

func (a *API) renderResolverTarget(r store.Reader, t resolver.Target) ec2.IpamPrefixListResolverTarget {
	return ec2.IpamPrefixListResolverTarget{
		IpamPrefixListResolverTargetId: new(t.ID), IpamPrefixListResolverTargetArn: new(resolverARN(t.Account, t.ID, resolver.NounTarget)),
		IpamPrefixListResolverId: new(t.ResolverID), OwnerId: new(t.Account), PrefixListId: new(t.ListID), PrefixListRegion: new(t.ListRegion),
		TrackLatestVersion: new(t.Track), DesiredVersion: versionNumber(t.Desired), LastSyncedVersion: versionNumber(t.Synced),
		State: ec2.IpamPrefixListResolverTargetState(t.State), StateMessage: unlessEmpty(t.StateMessage), Tags: renderTags(a.Tags.Of(r, t.ID)),
	}
}

// versionNumber returns the number of a version, nil if there is none.
func versionNumber(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return new(n)
}
