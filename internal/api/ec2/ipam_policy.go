package ec2

import (
	"context"
	"iter"
	"regexp"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerIPAMPolicies(svc *wire.Service) {
	handle(svc, "CreateIpamPolicy", a.createIPAMPolicy)
	handle(svc, "DescribeIpamPolicies", a.describeIPAMPolicies)
	handle(svc, "DeleteIpamPolicy", a.deleteIPAMPolicy)
	handle(svc, "ModifyIpamPolicyAllocationRules", a.modifyIPAMPolicyAllocationRules)
	handle(svc, "GetIpamPolicyAllocationRules", a.getIPAMPolicyAllocationRules)
	handle(svc, "EnableIpamPolicy", a.enableIPAMPolicy)
	handle(svc, "DisableIpamPolicy", a.disableIPAMPolicy)
	handle(svc, "GetEnabledIpamPolicy", a.getEnabledIPAMPolicy)
	handle(svc, "GetIpamPolicyOrganizationTargets", a.getIPAMPolicyOrganizationTargets)
}

func (a *API) createIPAMPolicy(ctx context.Context, c *wire.Call, in *ec2.CreateIpamPolicyInput) (*ec2.CreateIpamPolicyOutput, error) {
	tg, err := specifiedTags(in.TagSpecifications, string(ipam.NounPolicy))
	if err != nil {
		return nil, err
	}
	tok, err := token(c, in.ClientToken)
	if err != nil {
		return nil, err
	}
	p, err := a.IPAM.CreatePolicy(ctx, ipam.CreatePolicy{
		ID: ids.EC2("ipam-policy"), Account: c.Account, Region: c.Region, IPAMID: *in.IpamId, Tags: tg, Token: tok, Time: c.Now,
	}, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderIPAMPolicy(a.Store.Snapshot(), p)
	out.State = ec2.IpamPolicyStateCreateInProgress
	return &ec2.CreateIpamPolicyOutput{IpamPolicy: &out}, nil
}

func (a *API) deleteIPAMPolicy(ctx context.Context, c *wire.Call, in *ec2.DeleteIpamPolicyInput) (*ec2.DeleteIpamPolicyOutput, error) {
	before := a.Store.Snapshot() // after the deletion the tags are gone
	p, err := a.IPAM.DeletePolicy(ctx, c.Account, c.Region, *in.IpamPolicyId, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderIPAMPolicy(before, p)
	out.State = ec2.IpamPolicyStateDeleteInProgress
	return &ec2.DeleteIpamPolicyOutput{IpamPolicy: &out}, nil
}

func (a *API) describeIPAMPolicies(_ context.Context, c *wire.Call, in *ec2.DescribeIpamPoliciesInput) (*ec2.DescribeIpamPoliciesOutput, error) {
	snap := a.Store.Snapshot()
	items, next, err := list(c, query{IDs: in.IpamPolicyIds, Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: minIPAMResults, Max: maxIPAMResults},
		source[ec2.IpamPolicy]{
			from: func(key string) iter.Seq2[string, ec2.IpamPolicy] {
				return rendered(a.IPAM.Policies(snap, c.Account, c.Region, key), func(p ipam.Policy) ec2.IpamPolicy { return a.renderIPAMPolicy(snap, p) })
			},
			get: func(id string) (ec2.IpamPolicy, bool) {
				p, ok := a.IPAM.Policy(snap, c.Account, c.Region, id)
				return a.renderIPAMPolicy(snap, p), ok
			},
			absent:    policyAbsent,
			attribute: replyAttribute[ec2.IpamPolicy],
		})
	if err != nil {
		return nil, err
	}
	return &ec2.DescribeIpamPoliciesOutput{IpamPolicies: items, NextToken: next}, nil
}

func policyAbsent(id string) error { return &ipam.NotFoundError{Noun: ipam.NounPolicy, ID: id} }

func (a *API) renderIPAMPolicy(r store.Reader, p ipam.Policy) ec2.IpamPolicy {
	return ec2.IpamPolicy{
		IpamPolicyId: new(p.ID), IpamPolicyArn: new(ipamARN(p.Account, p.ID, ipam.NounPolicy)), IpamPolicyRegion: new(p.Region),
		IpamId: new(p.IPAMID), OwnerId: new(p.Account), State: ec2.IpamPolicyState(p.ToldState()), Tags: renderTags(a.Tags.Of(r, p.ID)),
	}
}

func (a *API) modifyIPAMPolicyAllocationRules(ctx context.Context, c *wire.Call, in *ec2.ModifyIpamPolicyAllocationRulesInput) (*ec2.ModifyIpamPolicyAllocationRulesOutput, error) {
	req := ipam.ModifyPolicyRules{
		PolicyID: *in.IpamPolicyId, Account: c.Account, Region: c.Region,
		PolicyRules: ipam.PolicyRules{Locale: *in.Locale, Use: ipam.PolicyUse(in.ResourceType)},
	}
	for _, r := range in.AllocationRules {
		if r.SourceIpamPoolId == nil {
			return nil, missing("AllocationRule.N.SourceIpamPoolId")
		}
		req.Pools = append(req.Pools, *r.SourceIpamPoolId)
	}
	rules, err := a.IPAM.ModifyPolicyRules(ctx, req, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	return &ec2.ModifyIpamPolicyAllocationRulesOutput{IpamPolicyDocument: new(renderPolicyRules(req.PolicyID, rules))}, nil
}

func renderPolicyRules(policyID string, rules ipam.PolicyRules) ec2.IpamPolicyDocument {
	out := ec2.IpamPolicyDocument{
		IpamPolicyId: new(policyID), Locale: new(rules.Locale), ResourceType: ec2.IpamPolicyResourceType(rules.Use),
		AllocationRules: []ec2.IpamPolicyAllocationRule{},
	}
	for _, id := range rules.Pools {
		out.AllocationRules = append(out.AllocationRules, ec2.IpamPolicyAllocationRule{SourceIpamPoolId: new(id)})
	}
	return out
}

func (a *API) getIPAMPolicyAllocationRules(_ context.Context, c *wire.Call, in *ec2.GetIpamPolicyAllocationRulesInput) (*ec2.GetIpamPolicyAllocationRulesOutput, error) {
	p, ok := a.IPAM.Policy(a.Store.Snapshot(), c.Account, c.Region, *in.IpamPolicyId)
	if !ok {
		return nil, policyAbsent(*in.IpamPolicyId)
	}
	items, next, err := list(c, query{Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: minIPAMResults, Max: maxIPAMResults},
		source[ec2.IpamPolicyDocument]{
			from: func(from string) iter.Seq2[string, ec2.IpamPolicyDocument] {
				return func(yield func(string, ec2.IpamPolicyDocument) bool) {
					for _, rules := range p.Rules {
						key := rules.Locale + " " + string(rules.Use)
						asked := (in.Locale == nil || *in.Locale == rules.Locale) && (in.ResourceType == "" || string(in.ResourceType) == string(rules.Use))
						if asked && key >= from && !yield(key, renderPolicyRules(p.ID, rules)) {
							return
						}
					}
				}
			},
			attribute: replyAttribute[ec2.IpamPolicyDocument],
		})
	if err != nil {
		return nil, err
	}
	return &ec2.GetIpamPolicyAllocationRulesOutput{IpamPolicyDocuments: items, NextToken: next}, nil
}

// organizationTarget has the form of something that a policy can be enabled for
// (EC2 EnableIpamPolicy): an account, an organizational unit or a root.
var organizationTarget = regexp.MustCompile(`^(\d{12}|ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}|r-[0-9a-z]{4,32})$`)

// checkTarget lets a policy be enabled for the caller's own account alone: there
// are no organizations.
func checkTarget(c *wire.Call, target *string) error {
	switch {
	case target == nil || *target == c.Account:
		return nil
	case !organizationTarget.MatchString(*target):
		return invalid(*target, "organizationTargetId", "It must be the ID of an account, an organizational unit or a root.")
	}
	return apierr.New("UnsupportedOperation", "The organization target '%s' is not supported: this installation has no organizations. Omit OrganizationTargetId to use the policy for your own account.", *target)
}

func (a *API) enableIPAMPolicy(ctx context.Context, c *wire.Call, in *ec2.EnableIpamPolicyInput) (*ec2.EnableIpamPolicyOutput, error) {
	if err := checkTarget(c, in.OrganizationTargetId); err != nil {
		return nil, err
	}
	err := a.IPAM.EnablePolicy(ctx, c.Account, c.Region, *in.IpamPolicyId, c.CheckDryRun)
	return &ec2.EnableIpamPolicyOutput{IpamPolicyId: in.IpamPolicyId}, err
}

func (a *API) disableIPAMPolicy(ctx context.Context, c *wire.Call, in *ec2.DisableIpamPolicyInput) (*ec2.DisableIpamPolicyOutput, error) {
	if err := checkTarget(c, in.OrganizationTargetId); err != nil {
		return nil, err
	}
	err := a.IPAM.DisablePolicy(ctx, c.Account, c.Region, *in.IpamPolicyId, c.CheckDryRun)
	return &ec2.DisableIpamPolicyOutput{Return: new(true)}, err
}

func (a *API) getEnabledIPAMPolicy(_ context.Context, c *wire.Call, _ *ec2.GetEnabledIpamPolicyInput) (*ec2.GetEnabledIpamPolicyOutput, error) {
	if err := c.CheckDryRun(); err != nil {
		return nil, err
	}
	p, ok := a.IPAM.EnabledPolicy(a.Store.Snapshot(), c.Account)
	if !ok {
		return &ec2.GetEnabledIpamPolicyOutput{IpamPolicyEnabled: new(false)}, nil
	}
	return &ec2.GetEnabledIpamPolicyOutput{IpamPolicyEnabled: new(true), IpamPolicyId: new(p.ID), ManagedBy: ec2.IpamPolicyManagedByAccount}, nil
}

// getIPAMPolicyOrganizationTargets tells of the one target that there can be.
func (a *API) getIPAMPolicyOrganizationTargets(_ context.Context, c *wire.Call, in *ec2.GetIpamPolicyOrganizationTargetsInput) (*ec2.GetIpamPolicyOrganizationTargetsOutput, error) {
	snap := a.Store.Snapshot()
	p, ok := a.IPAM.Policy(snap, c.Account, c.Region, *in.IpamPolicyId)
	if !ok {
		return nil, policyAbsent(*in.IpamPolicyId)
	}
	items, next, err := list(c, query{Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: minIPAMResults, Max: maxIPAMResults},
		source[ec2.IpamPolicyOrganizationTarget]{
			from: func(from string) iter.Seq2[string, ec2.IpamPolicyOrganizationTarget] {
				return func(yield func(string, ec2.IpamPolicyOrganizationTarget) bool) {
					if enabled, ok := a.IPAM.EnabledPolicy(snap, c.Account); ok && enabled.ID == p.ID && c.Account >= from {
						yield(c.Account, ec2.IpamPolicyOrganizationTarget{OrganizationTargetId: new(c.Account)})
					}
				}
			},
			attribute: replyAttribute[ec2.IpamPolicyOrganizationTarget],
		})
	if err != nil {
		return nil, err
	}
	return &ec2.GetIpamPolicyOrganizationTargetsOutput{OrganizationTargets: items, NextToken: next}, nil
}
