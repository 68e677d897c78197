package ec2

import (
	"context"
	"iter"
	"net/netip"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/vpc"
	"github.com/fairlead/fairlead/internal/wire"
)

// Security group rules as things with ids of their own.

func (a *API) registerRules(svc *wire.Service) {
	network(a, svc, "DescribeSecurityGroupRules", a.describeRules)
	network(a, svc, "ModifySecurityGroupRules", a.modifyRules)
	network(a, svc, "UpdateSecurityGroupRuleDescriptionsIngress", a.updateIngressDescriptions)
	network(a, svc, "UpdateSecurityGroupRuleDescriptionsEgress", a.updateEgressDescriptions)
}

func (a *API) describeRules(_ context.Context, c *wire.Call, in *ec2.DescribeSecurityGroupRulesInput) (*ec2.DescribeSecurityGroupRulesOutput, error) {
	snap := a.Store.Snapshot()
	items, next, err := list(c, query{IDs: in.SecurityGroupRuleIds, Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: 5, Max: 1000},
		source[vpc.GroupRule]{
			from: func(key string) iter.Seq2[string, vpc.GroupRule] {
				if g, ok := a.onlyGroup(snap, c, in.Filters); ok {
					return a.VPC.RulesOf(g, key)
				}
				return a.VPC.Rules(snap, c.Account, c.Region, key)
			},
			get:    func(id string) (vpc.GroupRule, bool) { return a.VPC.Rule(snap, c.Account, c.Region, id) },
			absent: func(id string) error { return &vpc.NotFoundError{Kind: vpc.KindSecurityRule, ID: id} },
			attribute: func(r vpc.GroupRule, name string) ([]string, bool) {
				switch name {
				case "group-id":
					return some(r.Group.ID), true
				case "security-group-rule-id":
					return some(r.ID), true
				}
				return tagAttribute(a.Tags.Of(snap, r.ID), name)
			},
		})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeSecurityGroupRulesOutput{SecurityGroupRules: []ec2.SecurityGroupRule{}, NextToken: next}
	for _, r := range items {
		out.SecurityGroupRules = append(out.SecurityGroupRules, a.renderRule(snap, c, r.Group.ID, r.Rule))
	}
	return out, nil
}

// onlyGroup returns the one security group that filters leave, if they name one.
// It saves a look at every other group's rules, and nothing else.
func (a *API) onlyGroup(r store.Reader, c *wire.Call, filters []ec2.Filter) (vpc.SecurityGroup, bool) {
	for _, f := range filters {
		if value(f.Name) == "group-id" && len(f.Values) == 1 && !strings.ContainsAny(f.Values[0], `*?\`) {
			return a.VPC.SecurityGroup(r, c.Account, c.Region, f.Values[0])
		}
	}
	return vpc.SecurityGroup{}, false
}

func (a *API) modifyRules(ctx context.Context, c *wire.Call, in *ec2.ModifySecurityGroupRulesInput) (*ec2.ModifySecurityGroupRulesOutput, error) {
	if err := wellFormedGroup(*in.GroupId); err != nil {
		return nil, err
	}
	var rules []vpc.Rule
	for _, u := range in.SecurityGroupRules {
		if u.SecurityGroupRule == nil {
			return nil, missing("SecurityGroupRule.N.SecurityGroupRule")
		}
		r, err := a.requestedRule(c, *u.SecurityGroupRule)
		if err != nil {
			return nil, err
		}
		r.ID = *u.SecurityGroupRuleId
		if slices.ContainsFunc(rules, func(o vpc.Rule) bool { return o.ID == r.ID }) {
			return nil, invalid(r.ID, "securityGroupRuleId", "The rule appears more than once.")
		}
		rules = append(rules, r)
	}
	return &ec2.ModifySecurityGroupRulesOutput{Return: new(true)}, a.vpc(c).ModifyRules(ctx, c.Account, c.Region, *in.GroupId, rules)
}

// requestedRule reads a rule in the shape that ModifySecurityGroupRules has for it.
func (a *API) requestedRule(c *wire.Call, in ec2.SecurityGroupRuleRequest) (vpc.Rule, error) {
	if in.IpProtocol == nil {
		return vpc.Rule{}, missing("ipProtocol")
	}
	r := vpc.Rule{Description: value(in.Description)}
	if !groupText(r.Description) {
		return vpc.Rule{}, invalid(r.Description, "description", groupTextRule)
	}
	given := 0
	for _, cidr := range []struct {
		text *string
		is   func(netip.Addr) bool
	}{{in.CidrIpv4, netip.Addr.Is4}, {in.CidrIpv6, netip.Addr.Is6}} {
		if cidr.text == nil {
			continue
		}
		given++
		p, err := netip.ParsePrefix(*cidr.text)
		if err != nil || !cidr.is(p.Addr()) || p.Addr().Is4In6() {
			return vpc.Rule{}, apierr.New("InvalidParameterValue", "CIDR block %s is malformed", *cidr.text)
		}
		r.CIDR = p
	}
	if in.ReferencedGroupId != nil {
		given++
		id, err := a.groupID(a.Store.Snapshot(), c, in.ReferencedGroupId, nil)
		if err != nil {
			return vpc.Rule{}, err
		}
		r.GroupID = id
	}
	if in.PrefixListId != nil {
		given++
		r.PrefixListID = *in.PrefixListId
	}
	if given != 1 {
		return vpc.Rule{}, apierr.New("InvalidParameterCombination", "A rule needs exactly one of CidrIpv4, CidrIpv6, ReferencedGroupId and PrefixListId")
	}
	return vpc.NewRule(r, *in.IpProtocol, in.FromPort, in.ToPort)
}

func (a *API) updateIngressDescriptions(ctx context.Context, c *wire.Call, in *ec2.UpdateSecurityGroupRuleDescriptionsIngressInput) (*ec2.UpdateSecurityGroupRuleDescriptionsIngressOutput, error) {
	err := a.updateDescriptions(ctx, c, false, permissions{groupID: in.GroupId, groupName: in.GroupName, list: in.IpPermissions}, in.SecurityGroupRuleDescriptions)
	return &ec2.UpdateSecurityGroupRuleDescriptionsIngressOutput{Return: new(true)}, err
}

func (a *API) updateEgressDescriptions(ctx context.Context, c *wire.Call, in *ec2.UpdateSecurityGroupRuleDescriptionsEgressInput) (*ec2.UpdateSecurityGroupRuleDescriptionsEgressOutput, error) {
	err := a.updateDescriptions(ctx, c, true, permissions{groupID: in.GroupId, groupName: in.GroupName, list: in.IpPermissions}, in.SecurityGroupRuleDescriptions)
	return &ec2.UpdateSecurityGroupRuleDescriptionsEgressOutput{Return: new(true)}, err
}

func (a *API) updateDescriptions(ctx context.Context, c *wire.Call, egress bool, p permissions, byID []ec2.SecurityGroupRuleDescription) error {
	for _, d := range byID {
		if d.SecurityGroupRuleId == nil {
			return missing("SecurityGroupRuleDescription.N.SecurityGroupRuleId")
		}
		if !groupText(value(d.Description)) {
			return invalid(value(d.Description), "description", groupTextRule)
		}
		p.ruleIDs = append(p.ruleIDs, *d.SecurityGroupRuleId)
	}
	change, err := a.ruleChange(c, egress, p)
	if err != nil {
		return err
	}
	for _, d := range byID {
		change.Rules = append(change.Rules, vpc.Rule{ID: *d.SecurityGroupRuleId, Description: value(d.Description)})
	}
	return a.vpc(c).DescribeRules(ctx, change)
}
