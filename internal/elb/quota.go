package elb

import "github.com/fairlead/fairlead/internal/store"

// Quotas are the most there may be of each thing (ELBv2 quotas).
type Quotas struct {
	LoadBalancers             int // per account and region
	TargetGroups              int // per account and region
	ListenersPerBalancer      int
	VerifyListeners           int // of a load balancer, that verify clients by a trust store
	RulesPerBalancer          int // default rules not included
	CertificatesPerBalancer   int // default ones not included
	TargetGroupsPerBalancer   int // different ones that its rules name
	TargetsPerBalancer        int // in all target groups that its rules name
	RegistrationsPerTarget    int // of one id, in all target groups that a load balancer's rules name
	SecurityGroupsPerBalancer int // as many as a network interface may have
	TargetsPerGroup           int
	GroupsPerAction           int
	ConditionValuesPerRule    int
	WildcardsPerRule          int // in the values of its conditions
	UnitsPerBalancer          int // of reserved capacity
	UnitsPerRegion            int // of reserved capacity, of an account
}

// DefaultQuotas are the service's published defaults, but for UnitsPerRegion: that
// is none with AWS, where they are billed, and here as many as all load balancers
// may have.
var DefaultQuotas = Quotas{
	LoadBalancers: 50, TargetGroups: 3000, ListenersPerBalancer: 50, VerifyListeners: 2, RulesPerBalancer: 100, CertificatesPerBalancer: 25,
	TargetGroupsPerBalancer: 100, TargetsPerBalancer: 1000, RegistrationsPerTarget: 1000, SecurityGroupsPerBalancer: 5,
	TargetsPerGroup: 1000, GroupsPerAction: 5, ConditionValuesPerRule: 5, WildcardsPerRule: 5,
	UnitsPerBalancer: 15_000, UnitsPerRegion: 50 * 15_000,
}

// Quotas returns the limits that hold.
func (s *Service) Quotas() Quotas { return s.opts.Quotas }

// groupsOfRules returns the target groups that a load balancer's rules name.
func (s *Service) groupsOfRules(r store.Reader, balancer string) map[string]bool {
	named := map[string]bool{}
	for _, rule := range s.rulesByLB.Each(r, balancer) {
		for _, g := range groupsOf(rule.Actions) {
			named[g] = true
		}
	}
	return named
}

// checkGroups holds the quotas of the target groups that a load balancer's rules
// name, and of their targets, with those of actions that are to come. Whoever adds
// actions writes the load balancer, and the groups that they name.
func (s *Service) checkGroups(tx *store.Tx, b LoadBalancer, actions []Action) error {
	named := s.groupsOfRules(tx, b.ARN)
	before := len(named)
	for _, g := range groupsOf(actions) {
		named[g] = true
	}
	if len(named) == before {
		return nil
	}
	if most := s.opts.Quotas.TargetGroupsPerBalancer; len(named) > most {
		return fail(TooManyUniqueTargetGroups, "You have reached the maximum number of unique target groups that you can associate with a load balancer: %d", most)
	}
	return s.checkTargets(tx, named, "", registrations{})
}

// checkTargets holds the quotas of the targets that groups have together, one of
// them those that it is about to have. It guards what it counts: of two that
// register in two of the groups at once, one counts again.
func (s *Service) checkTargets(tx *store.Tx, groups map[string]bool, group string, its registrations) error {
	all, most := 0, s.opts.Quotas.RegistrationsPerTarget
	byID := map[string]int{}
	for g := range groups {
		regs := its
		if g != group {
			regs, _ = s.targets.Get(tx, g)
		}
		all += len(regs.Targets)
		for _, t := range regs.Targets {
			if byID[t.ID()]++; byID[t.ID()] > most {
				return fail(TooManyRegistrations, "The target '%s' can be registered with the target groups of a load balancer %d times at most", t.ID(), most)
			}
		}
	}
	if most := s.opts.Quotas.TargetsPerBalancer; all > most {
		return fail(TooManyTargets, "A load balancer can have %d targets at most; with these it would have %d", most, all)
	}
	return nil
}

// checkMoreTargets holds the quotas of the targets that a group is about to have
// more of.
func (s *Service) checkMoreTargets(tx *store.Tx, group string, its registrations) error {
	if most := s.opts.Quotas.TargetsPerGroup; len(its.Targets) > most {
		return fail(TooManyTargets, "A target group can have %d targets at most", most)
	}
	for _, arn := range s.balancersOfGroup(tx.Snapshot(), group) {
		s.balancers.Get(tx, arn) // stands for the set of its rules
		if err := s.checkTargets(tx, s.groupsOfRules(tx, arn), group, its); err != nil {
			return err
		}
	}
	return nil
}
