package elbv2

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strconv"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/shapes/elbv2"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) createRule(ctx context.Context, c *wire.Call, in *elbv2.CreateRuleInput) (*elbv2.CreateRuleOutput, error) {
	tg, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	conditions, err := readConditions(in.Conditions)
	if err != nil {
		return nil, err
	}
	actions, err := readActions(in.Actions)
	if err != nil {
		return nil, err
	}
	transforms, err := readTransforms(in.Transforms)
	if err != nil {
		return nil, err
	}
	r, err := a.elb.CreateRule(ctx, elb.CreateRule{
		Account: c.Account, Region: c.Region, ListenerARN: *in.ListenerArn, Priority: int(*in.Priority),
		Conditions: conditions, Actions: actions, Transforms: transforms, Tags: tg, RuleHex: ids.New("", 16),
	})
	if err != nil {
		return nil, err
	}
	return &elbv2.CreateRuleOutput{Rules: []elbv2.Rule{renderRule(r)}}, nil
}

func (a *API) modifyRule(ctx context.Context, c *wire.Call, in *elbv2.ModifyRuleInput) (*elbv2.ModifyRuleOutput, error) {
	m := elb.ModifyRule{Account: c.Account, Region: c.Region, ARN: *in.RuleArn}
	var err error
	if len(in.Conditions) > 0 {
		if m.Conditions, err = readConditions(in.Conditions); err != nil {
			return nil, err
		}
	}
	if len(in.Actions) > 0 {
		if m.Actions, err = readActions(in.Actions); err != nil {
			return nil, err
		}
	}
	switch {
	case value(in.ResetTransforms) && len(in.Transforms) > 0:
		return nil, invalid("Transforms and 'ResetTransforms' cannot be specified at the same time")
	case value(in.ResetTransforms):
		m.Transforms = []elb.Transform{}
	case len(in.Transforms) > 0:
		if m.Transforms, err = readTransforms(in.Transforms); err != nil {
			return nil, err
		}
	}
	r, err := a.elb.ModifyRule(ctx, m)
	if err != nil {
		return nil, err
	}
	return &elbv2.ModifyRuleOutput{Rules: []elbv2.Rule{renderRule(r)}}, nil
}

func (a *API) deleteRule(ctx context.Context, c *wire.Call, in *elbv2.DeleteRuleInput) (*elbv2.DeleteRuleOutput, error) {
	return &elbv2.DeleteRuleOutput{}, a.elb.DeleteRule(ctx, c.Account, c.Region, *in.RuleArn)
}

func (a *API) setRulePriorities(ctx context.Context, c *wire.Call, in *elbv2.SetRulePrioritiesInput) (*elbv2.SetRulePrioritiesOutput, error) {
	want := make([]elb.RulePriority, 0, len(in.RulePriorities))
	for _, p := range in.RulePriorities {
		if p.RuleArn == nil || p.Priority == nil {
			return nil, invalid("A rule ARN and a priority must be specified")
		}
		want = append(want, elb.RulePriority{ARN: *p.RuleArn, Priority: int(*p.Priority)})
	}
	rules, err := a.elb.SetRulePriorities(ctx, c.Account, c.Region, want)
	if err != nil {
		return nil, err
	}
	out := &elbv2.SetRulePrioritiesOutput{Rules: []elbv2.Rule{}}
	for _, r := range rules {
		out.Rules = append(out.Rules, renderRule(r))
	}
	return out, nil
}

func (a *API) describeRules(_ context.Context, c *wire.Call, in *elbv2.DescribeRulesInput) (*elbv2.DescribeRulesOutput, error) {
	snap := a.store.Snapshot()
	var found []elb.Rule
	var next *string
	var err error
	switch {
	case len(in.RuleArns) > 0 && in.ListenerArn != nil:
		err = invalid("Listener rule ARNs and a listener ARN cannot be specified at the same time")
	case len(in.RuleArns) > 0:
		found, err = named(in.RuleArns, func(arn string) (elb.Rule, error) { return a.elb.Rule(snap, c.Account, c.Region, arn) })
	case in.ListenerArn != nil:
		if _, err = a.elb.Listener(snap, c.Account, c.Region, *in.ListenerArn); err == nil {
			found, next, err = pageOf(in.Marker, in.PageSize, func(from string) iter.Seq2[string, elb.Rule] {
				return inOrder(a.elb.Rules(snap, *in.ListenerArn), from)
			})
		}
	default:
		err = invalid("You must specify either listener rule ARNs or a listener ARN")
	}
	if err != nil {
		return nil, err
	}
	out := &elbv2.DescribeRulesOutput{Rules: []elbv2.Rule{}, NextMarker: next}
	for _, r := range found {
		out.Rules = append(out.Rules, renderRule(r))
	}
	return out, nil
}

// lastPriority sorts the default rule, whose priority is 0, behind all others.
const lastPriority = 1 << 20

// inOrder yields rules by priority, the default rule last, from the key on.
func inOrder(rules iter.Seq2[string, elb.Rule], from string) iter.Seq2[string, elb.Rule] {
	var all []elb.Rule
	for _, r := range rules {
		all = append(all, r)
	}
	order := func(r elb.Rule) int { return cmp.Or(r.Priority, lastPriority) }
	slices.SortFunc(all, func(a, b elb.Rule) int { return cmp.Compare(order(a), order(b)) })
	first, _ := strconv.Atoi(from)
	return func(yield func(string, elb.Rule) bool) {
		for _, r := range all {
			if order(r) >= first && !yield(strconv.Itoa(order(r)), r) {
				return
			}
		}
	}
}

func renderRule(r elb.Rule) elbv2.Rule {
	out := elbv2.Rule{
		RuleArn: &r.ARN, Priority: new("default"), IsDefault: new(r.Priority == 0),
		Actions: renderActions(r.Actions), Conditions: []elbv2.RuleCondition{},
		Transforms: renderTransforms(r.Transforms),
	}
	if r.Priority != 0 {
		out.Priority = new(strconv.Itoa(r.Priority))
	}
	for _, c := range r.Conditions {
		out.Conditions = append(out.Conditions, renderCondition(c))
	}
	return out
}
