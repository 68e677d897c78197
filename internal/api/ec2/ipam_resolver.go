package ec2

import (
	"context"
	"iter"
	"net/netip"

	"github.com/fairlead/fairlead/internal/arn"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/prefixlist/resolver"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/wire"
)

// How ids of resolvers and targets begin. AWS publishes none; these are their
// types, as with other things of IPAM's.
const (
	resolverID       = string(resolver.NounResolver)
	resolverTargetID = string(resolver.NounTarget)
)

func (a *API) registerIPAMResolvers(svc *wire.Service) {
	handle(svc, "CreateIpamPrefixListResolver", a.createResolver)
	handle(svc, "DescribeIpamPrefixListResolvers", a.describeResolvers)
	handle(svc, "ModifyIpamPrefixListResolver", a.modifyResolver)
	handle(svc, "DeleteIpamPrefixListResolver", a.deleteResolver)
	handle(svc, "GetIpamPrefixListResolverRules", a.getResolverRules)
	handle(svc, "GetIpamPrefixListResolverVersions", a.getResolverVersions)
	handle(svc, "GetIpamPrefixListResolverVersionEntries", a.getResolverVersionEntries)
	a.registerIPAMResolverTargets(svc)
}

func (a *API) createResolver(ctx context.Context, c *wire.Call, in *ec2.CreateIpamPrefixListResolverInput) (*ec2.CreateIpamPrefixListResolverOutput, error) {
	tg, err := specifiedTags(in.TagSpecifications, string(resolver.NounResolver))
	if err != nil {
		return nil, err
	}
	tok, err := token(c, in.ClientToken)
	if err != nil {
		return nil, err
	}
	rules, err := resolverRules(in.Rules)
	if err != nil {
		return nil, err
	}
	res, err := a.Resolvers.Create(ctx, resolver.Create{
		ID: ids.EC2(resolverID), Account: c.Account, Region: c.Region, IPAMID: *in.IpamId, Family: resolver.Family(in.AddressFamily),
		Description: value(in.Description), Rules: rules, Tags: tg, Token: tok, Time: c.Now,
	}, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderResolver(a.Store.Snapshot(), res)
	out.State = ec2.IpamPrefixListResolverStateCreateInProgress
	return &ec2.CreateIpamPrefixListResolverOutput{IpamPrefixListResolver: &out}, nil
}

func (a *API) modifyResolver(ctx context.Context, c *wire.Call, in *ec2.ModifyIpamPrefixListResolverInput) (*ec2.ModifyIpamPrefixListResolverOutput, error) {
	rules, err := resolverRules(in.Rules)
	if err != nil {
		return nil, err
	}
	res, err := a.Resolvers.Modify(ctx, resolver.Modify{
		ID: *in.IpamPrefixListResolverId, Account: c.Account, Region: c.Region, Description: in.Description, Rules: rules,
	}, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderResolver(a.Store.Snapshot(), res)
	out.State = ec2.IpamPrefixListResolverStateModifyInProgress
	return &ec2.ModifyIpamPrefixListResolverOutput{IpamPrefixListResolver: &out}, nil
}

func (a *API) deleteResolver(ctx context.Context, c *wire.Call, in *ec2.DeleteIpamPrefixListResolverInput) (*ec2.DeleteIpamPrefixListResolverOutput, error) {
	before := a.Store.Snapshot() // after the deletion the tags are gone
	res, err := a.Resolvers.Delete(ctx, c.Account, c.Region, *in.IpamPrefixListResolverId, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderResolver(before, res)
	out.State = ec2.IpamPrefixListResolverStateDeleteInProgress
	return &ec2.DeleteIpamPrefixListResolverOutput{IpamPrefixListResolver: &out}, nil
}

func (a *API) describeResolvers(_ context.Context, c *wire.Call, in *ec2.DescribeIpamPrefixListResolversInput) (*ec2.DescribeIpamPrefixListResolversOutput, error) {
	snap := a.Store.Snapshot()
	items, next, err := list(c, query{IDs: in.IpamPrefixListResolverIds, Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: minIPAMResults, Max: maxIPAMResults},
		source[ec2.IpamPrefixListResolver]{
			from: func(key string) iter.Seq2[string, ec2.IpamPrefixListResolver] {
				return rendered(a.Resolvers.Resolvers(snap, c.Account, c.Region, key), func(res resolver.Resolver) ec2.IpamPrefixListResolver { return a.renderResolver(snap, res) })
			},
			get: func(id string) (ec2.IpamPrefixListResolver, bool) {
				res, ok := a.Resolvers.Resolver(snap, c.Account, c.Region, id)
				return a.renderResolver(snap, res), ok
			},
			absent:    resolverAbsent,
			attribute: replyAttribute[ec2.IpamPrefixListResolver],
		})
	if err != nil {
		return nil, err
	}
	return &ec2.DescribeIpamPrefixListResolversOutput{IpamPrefixListResolvers: items, NextToken: next}, nil
}

func resolverAbsent(id string) error {
	return &resolver.NotFoundError{Noun: resolver.NounResolver, ID: id}
}

func (a *API) renderResolver(r store.Reader, res resolver.Resolver) ec2.IpamPrefixListResolver {
	return ec2.IpamPrefixListResolver{
		IpamPrefixListResolverId: new(res.ID), IpamPrefixListResolverArn: new(resolverARN(res.Account, res.ID, resolver.NounResolver)),
		IpamArn: new(ipamARN(res.Account, res.IPAMID, ipam.NounIPAM)), IpamRegion: new(res.Region), OwnerId: new(res.Account),
		AddressFamily: ec2.AddressFamily(res.Family), Description: unlessEmpty(res.Description),
		State: ec2.IpamPrefixListResolverState(res.ToldState()), Tags: renderTags(a.Tags.Of(r, res.ID)),
		LastVersionCreationStatus:        ec2.IpamPrefixListResolverVersionCreationStatus(res.Status),
		LastVersionCreationStatusMessage: unlessEmpty(res.StatusMessage),
	}
}

func resolverARN(account, id string, n resolver.Noun) string {
	return arn.New("ec2", "", account, string(n)+"/"+id).String()
}

func resolverRules(in []ec2.IpamPrefixListResolverRuleRequest) ([]resolver.Rule, error) {
	var rules []resolver.Rule
	for _, r := range in {
		static, err := optionalCIDR(r.StaticCidr, "staticCidr")
		if err != nil {
			return nil, err
		}
		rule := resolver.Rule{Kind: resolver.Kind(r.RuleType), CIDR: static, ScopeID: value(r.IpamScopeId), Type: string(r.ResourceType)}
		for _, cond := range r.Conditions {
			cidr, err := optionalCIDR(cond.Cidr, "cidr")
			if err != nil {
				return nil, err
			}
			condition := resolver.Condition{
				Operation: resolver.Operation(cond.Operation), PoolID: value(cond.IpamPoolId), ResourceID: value(cond.ResourceId),
				Owner: value(cond.ResourceOwner), Region: value(cond.ResourceRegion), CIDR: cidr,
			}
			if t := cond.ResourceTag; t != nil {
				if t.Key == nil {
					return nil, missing("ResourceTag.Key")
				}
				condition.Tag = &tags.Tag{Key: *t.Key, Value: value(t.Value)}
			}
			rule.Conditions = append(rule.Conditions, condition)
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

// optionalCIDR reads a CIDR that needn't be given.
func optionalCIDR(text *string, parameter string) (netip.Prefix, error) {
	if text == nil {
		return netip.Prefix{}, nil
	}
	return parseCIDR(*text, parameter)
}

func renderResolverRule(rule resolver.Rule) ec2.IpamPrefixListResolverRule {
	out := ec2.IpamPrefixListResolverRule{
		RuleType: ec2.IpamPrefixListResolverRuleType(rule.Kind), StaticCidr: cidrText(rule.CIDR), IpamScopeId: unlessEmpty(rule.ScopeID),
		ResourceType: ec2.IpamResourceType(rule.Type), Conditions: []ec2.IpamPrefixListResolverRuleCondition{},
	}
	for _, cond := range rule.Conditions {
		c := ec2.IpamPrefixListResolverRuleCondition{
			Operation:  ec2.IpamPrefixListResolverRuleConditionOperation(cond.Operation),
			IpamPoolId: unlessEmpty(cond.PoolID), ResourceId: unlessEmpty(cond.ResourceID), ResourceOwner: unlessEmpty(cond.Owner),
			ResourceRegion: unlessEmpty(cond.Region), Cidr: cidrText(cond.CIDR),
		}
		if t := cond.Tag; t != nil {
			c.ResourceTag = &ec2.IpamResourceTag{Key: new(t.Key), Value: new(t.Value)}
		}
		out.Conditions = append(out.Conditions, c)
	}
	return out
}

func cidrText(p netip.Prefix) *string {
	if !p.IsValid() {
		return nil
	}
	return new(p.String())
}
