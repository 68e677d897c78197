package elb

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// Priorities of rules. The default rule has none; it is kept as 0 and is last.
const (
	minPriority = 1
	maxPriority = 50000
)

// CreateRule is ELBv2 CreateRule.
type CreateRule struct {
	Account, Region string
	ListenerARN     string
	Priority        int
	Conditions      []Condition
	Actions         []Action
	Transforms      []Transform
	Tags            []tags.Tag
	RuleHex         string // 16 hex digits, random
}

// CreateRule adds a rule to a listener.
func (s *Service) CreateRule(ctx context.Context, c CreateRule) (Rule, error) {
	var made Rule
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		l, err := s.Listener(tx, c.Account, c.Region, c.ListenerARN)
		if err != nil {
			return err
		}
		b, err := s.LoadBalancer(tx, c.Account, c.Region, l.LoadBalancerARN)
		if err != nil {
			return err
		}
		made = Rule{
			ARN:         strings.Replace(l.ARN, ":listener/", ":listener-rule/", 1) + "/" + c.RuleHex,
			ListenerARN: l.ARN, LoadBalancerARN: b.ARN, Priority: c.Priority, Conditions: c.Conditions, Transforms: c.Transforms,
		}
		if err := s.checkConditions(c.Conditions); err != nil {
			return err
		}
		if err := checkTransforms(c.Transforms); err != nil {
			return err
		}
		if made.Actions, err = s.checkActions(tx, b, l.Protocol, c.Actions, nil); err != nil {
			return err
		}
		if err := s.checkPriority(tx, l.ARN, c.Priority); err != nil {
			return err
		}
		rules := s.rulesByLB.Count(tx, b.ARN) - s.listenersByLB.Count(tx, b.ARN) // default rules don't count
		if rules >= s.opts.Quotas.RulesPerBalancer {
			return fail(TooManyRules, "You have reached the maximum number of rules on load balancer '%s': %d", b.ARN, s.opts.Quotas.RulesPerBalancer)
		}
		if err := s.checkGroups(tx, b, made.Actions); err != nil {
			return err
		}
		if b, err = s.withCookieKey(tx, b, made.Actions); err != nil {
			return err
		}
		s.balancers.Put(tx, b.ARN, b) // stands for the set of its listeners and rules
		s.rules.Put(tx, made.ARN, made)
		return s.putTags(tx, c.Account, c.Region, made.ARN, "listener-rule", c.Tags)
	})
	return made, err
}

// checkPriority refuses a priority that can't be, or that a rule of the listener has.
func (s *Service) checkPriority(tx *store.Tx, listenerARN string, priority int) error {
	if priority < minPriority || priority > maxPriority {
		return fail(Invalid, "Priority '%d' must be between '%d-%d' inclusive", priority, minPriority, maxPriority)
	}
	for _, r := range s.rulesByListener.Each(tx, listenerARN) {
		if r.Priority == priority {
			return fail(PriorityInUse, "Priority '%d' is currently in use", priority)
		}
	}
	return nil
}

// ModifyRule is ELBv2 ModifyRule; what is nil stays as it is.
type ModifyRule struct {
	Account, Region, ARN string
	Conditions           []Condition
	Actions              []Action
	Transforms           []Transform // none, but not nil: it is to have none
}

// ModifyRule replaces a rule's conditions, actions, transforms, or all of them.
func (s *Service) ModifyRule(ctx context.Context, m ModifyRule) (Rule, error) {
	var r Rule
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		var b LoadBalancer
		var err error
		if r, b, err = s.changeableRule(tx, m.Account, m.Region, m.ARN); err != nil {
			return err
		}
		if m.Conditions == nil && m.Actions == nil && m.Transforms == nil {
			return fail(Invalid, "Either conditions or actions must be specified")
		}
		if m.Conditions != nil {
			if err := s.checkConditions(m.Conditions); err != nil {
				return err
			}
			r.Conditions = m.Conditions
		}
		if m.Transforms != nil {
			if err := checkTransforms(m.Transforms); err != nil {
				return err
			}
			r.Transforms = m.Transforms
		}
		if m.Actions != nil {
			l, _ := s.listeners.Get(tx, r.ListenerARN)
			if r.Actions, err = s.checkActions(tx, b, l.Protocol, m.Actions, r.Actions); err != nil {
				return err
			}
			if err := s.checkGroups(tx, b, r.Actions); err != nil {
				return err
			}
			if b, err = s.withCookieKey(tx, b, r.Actions); err != nil {
				return err
			}
			s.balancers.Put(tx, b.ARN, b)
		}
		s.rules.Put(tx, r.ARN, r)
		return nil
	})
	return r, err
}

// changeableRule returns a rule of the account that isn't a default rule, and its
// load balancer.
func (s *Service) changeableRule(tx *store.Tx, account, region, arn string) (Rule, LoadBalancer, error) {
	r, err := s.Rule(tx, account, region, arn)
	if err != nil {
		return Rule{}, LoadBalancer{}, err
	}
	if r.Priority == 0 {
		return Rule{}, LoadBalancer{}, fail(OperationNotPermitted, "Default rule '%s' cannot be modified, deleted or given a priority; modify its listener", arn)
	}
	b, err := s.LoadBalancer(tx, account, region, r.LoadBalancerARN)
	return r, b, err
}

// DeleteRule removes a rule.
func (s *Service) DeleteRule(ctx context.Context, account, region, arn string) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		r, _, err := s.changeableRule(tx, account, region, arn)
		if err != nil {
			return err
		}
		s.rules.Delete(tx, r.ARN)
		s.tags.Clear(tx, r.ARN)
		return nil
	})
}

// RulePriority is the priority that a rule is to have.
type RulePriority struct {
	ARN      string
	Priority int
}

// maxPriorities is how many rules one call can give priorities, as many as a
// transaction holds.
const maxPriorities = 100

// SetRulePriorities gives rules of one listener priorities, all at once, so that
// two can change places (ELBv2 SetRulePriorities). It returns them in the call's order.
func (s *Service) SetRulePriorities(ctx context.Context, account, region string, want []RulePriority) ([]Rule, error) {
	var changed []Rule
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		if len(want) > maxPriorities {
			return fail(Invalid, "At most %d rules can be given priorities by one call", maxPriorities)
		}
		changed = nil
		for n, w := range want {
			r, b, err := s.changeableRule(tx, account, region, w.ARN)
			if err != nil {
				return err
			}
			switch {
			case w.Priority < minPriority || w.Priority > maxPriority:
				return fail(Invalid, "Priority '%d' must be between '%d-%d' inclusive", w.Priority, minPriority, maxPriority)
			case slices.ContainsFunc(want[:n], func(o RulePriority) bool { return o.Priority == w.Priority }):
				return fail(Invalid, "Priority '%d' was provided multiple times", w.Priority)
			case slices.ContainsFunc(want[:n], func(o RulePriority) bool { return o.ARN == w.ARN }):
				return fail(Invalid, "Rule '%s' was provided multiple times", w.ARN)
			case len(changed) > 0 && changed[0].ListenerARN != r.ListenerARN:
				return fail(Invalid, "All rules must be of the same listener")
			}
			if n == 0 {
				s.balancers.Put(tx, b.ARN, b)
			}
			r.Priority = w.Priority
			changed = append(changed, r)
		}
		for _, r := range changed {
			for arn, o := range s.rulesByListener.Each(tx, r.ListenerARN) {
				if o.Priority == r.Priority && !slices.ContainsFunc(want, func(w RulePriority) bool { return w.ARN == arn }) {
					return fail(PriorityInUse, "Priority '%d' is currently in use", r.Priority)
				}
			}
			s.rules.Put(tx, r.ARN, r)
		}
		return nil
	})
	return changed, err
}

// Rules yields a listener's rules by ARN.
func (s *Service) Rules(r store.Reader, listenerARN string) iter.Seq2[string, Rule] {
	return s.rulesByListener.Each(r, listenerARN)
}

// Rule returns a rule of the account by ARN.
func (s *Service) Rule(r store.Reader, account, region, arn string) (Rule, error) {
	rule, ok := s.rules.Get(r, arn)
	if ok {
		_, err := s.Listener(r, account, region, rule.ListenerARN)
		ok = err == nil
	}
	if !ok {
		return Rule{}, fail(RuleNotFound, "One or more rules not found")
	}
	return rule, nil
}

// DefaultRule returns a listener's default rule.
func (s *Service) DefaultRule(r store.Reader, listenerARN string) (Rule, bool) {
	for _, rule := range s.rulesByListener.Each(r, listenerARN) {
		if rule.Priority == 0 {
			return rule, true
		}
	}
	return Rule{}, false
}
