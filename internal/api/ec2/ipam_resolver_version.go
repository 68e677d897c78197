package ec2

import (
	"context"
	"fmt"
	"iter"
	"net/netip"
	"slices"

	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/wire"
)

// numbered yields what a slice has as list wants it, each rendered.
func numbered[T, Shape any](all []T, render func(T) Shape) func(string) iter.Seq2[string, Shape] {
	return func(from string) iter.Seq2[string, Shape] {
		return func(yield func(string, Shape) bool) {
			for n, item := range all {
				if key := fmt.Sprintf("%08x", n); key >= from && !yield(key, render(item)) {
					return
				}
			}
		}
	}
}

func (a *API) getResolverRules(_ context.Context, c *wire.Call, in *ec2.GetIpamPrefixListResolverRulesInput) (*ec2.GetIpamPrefixListResolverRulesOutput, error) {
	res, ok := a.Resolvers.Resolver(a.Store.Snapshot(), c.Account, c.Region, *in.IpamPrefixListResolverId)
	if !ok {
		return nil, resolverAbsent(*in.IpamPrefixListResolverId)
	}
	items, next, err := list(c, query{Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: minIPAMResults, Max: maxIPAMResults},
		source[ec2.IpamPrefixListResolverRule]{
			from:      numbered(res.Rules, renderResolverRule),
			attribute: replyAttribute[ec2.IpamPrefixListResolverRule],
		})
	if err != nil {
		return nil, err
	}
	return &ec2.GetIpamPrefixListResolverRulesOutput{Rules: items, NextToken: next}, nil
}

// getResolverVersions tells of the versions that are kept. Of those asked for by
// number the others are left out: which are kept is the resolver's business.
func (a *API) getResolverVersions(_ context.Context, c *wire.Call, in *ec2.GetIpamPrefixListResolverVersionsInput) (*ec2.GetIpamPrefixListResolverVersionsOutput, error) {
	snap := a.Store.Snapshot()
	res, ok := a.Resolvers.Resolver(snap, c.Account, c.Region, *in.IpamPrefixListResolverId)
	if !ok {
		return nil, resolverAbsent(*in.IpamPrefixListResolverId)
	}
	items, next, err := list(c, query{Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: minIPAMResults, Max: maxIPAMResults},
		source[ec2.IpamPrefixListResolverVersion]{
			from: func(from string) iter.Seq2[string, ec2.IpamPrefixListResolverVersion] {
				return func(yield func(string, ec2.IpamPrefixListResolverVersion) bool) {
					for key, v := range a.Resolvers.Versions(snap, res) {
						asked := len(in.IpamPrefixListResolverVersions) == 0 || slices.Contains(in.IpamPrefixListResolverVersions, v.Number)
						if asked && key >= from && !yield(key, ec2.IpamPrefixListResolverVersion{Version: new(v.Number)}) {
							return
						}
					}
				}
			},
			attribute: replyAttribute[ec2.IpamPrefixListResolverVersion],
		})
	if err != nil {
		return nil, err
	}
	return &ec2.GetIpamPrefixListResolverVersionsOutput{IpamPrefixListResolverVersions: items, NextToken: next}, nil
}

func (a *API) getResolverVersionEntries(_ context.Context, c *wire.Call, in *ec2.GetIpamPrefixListResolverVersionEntriesInput) (*ec2.GetIpamPrefixListResolverVersionEntriesOutput, error) {
	snap := a.Store.Snapshot()
	res, ok := a.Resolvers.Resolver(snap, c.Account, c.Region, *in.IpamPrefixListResolverId)
	if !ok {
		return nil, resolverAbsent(*in.IpamPrefixListResolverId)
	}
	v, ok := a.Resolvers.Version(snap, res, *in.IpamPrefixListResolverVersion)
	if !ok {
		return nil, invalid(*in.IpamPrefixListResolverVersion, "ipamPrefixListResolverVersion", "The resolver has no such version, or not any more.")
	}
	items, next, err := list(c, query{MaxResults: in.MaxResults, NextToken: in.NextToken, Min: minIPAMResults, Max: maxIPAMResults},
		source[ec2.IpamPrefixListResolverVersionEntry]{
			from: numbered(v.CIDRs, func(p netip.Prefix) ec2.IpamPrefixListResolverVersionEntry {
				return ec2.IpamPrefixListResolverVersionEntry{Cidr: new(p.String())}
			}),
			attribute: replyAttribute[ec2.IpamPrefixListResolverVersionEntry],
		})
	if err != nil {
		return nil, err
	}
	return &ec2.GetIpamPrefixListResolverVersionEntriesOutput{Entries: items, NextToken: next}, nil
}
