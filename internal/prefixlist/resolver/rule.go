package resolver

import (
	"net/netip"
	"slices"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// Kind is where a rule's CIDRs come from (EC2 IpamPrefixListResolverRuleType).
type Kind string

// The kinds.
const (
	StaticCIDR   Kind = "static-cidr" // the rule itself
	ResourceCIDR Kind = "ipam-resource-cidr"
	PoolCIDRs    Kind = "ipam-pool-cidr"
)

// Rule selects CIDRs: a certain one, or those of a scope's pools or resources for
// which all conditions hold. What any of a resolver's rules selects is selected.
type Rule struct {
	Kind       Kind
	CIDR       netip.Prefix `json:",omitzero"`  // StaticCIDR: masked
	ScopeID    string       `json:",omitempty"` // the others
	Type       string       `json:",omitempty"` // ResourceCIDR: EC2 IpamResourceType
	Conditions []Condition  `json:",omitempty"`
}

// Operation compares what a condition is about with what a CIDR has.
type Operation string

// The operations (EC2 IpamPrefixListResolverRuleConditionOperation).
const (
	Equals    Operation = "equals"
	NotEquals Operation = "not-equals"
	SubnetOf  Operation = "subnet-of" // of a CIDR, which is a subnet of itself
)

// Condition is about one of its members, the one that isn't zero.
type Condition struct {
	Operation  Operation
	PoolID     string       `json:",omitempty"`
	ResourceID string       `json:",omitempty"`
	Owner      string       `json:",omitempty"` // account
	Region     string       `json:",omitempty"`
	Tag        *tags.Tag    `json:",omitempty"`
	CIDR       netip.Prefix `json:",omitzero"` // masked
}

// candidate is a CIDR that a rule may select, with all that conditions ask for.
type candidate struct {
	poolID string
	Resource
}

func (r Rule) selects(c candidate) bool {
	return !slices.ContainsFunc(r.Conditions, func(cond Condition) bool { return !cond.holds(c) })
}

func (cond Condition) holds(c candidate) bool {
	if cond.Operation == SubnetOf {
		return cond.CIDR.Bits() <= c.CIDR.Bits() && cond.CIDR.Contains(c.CIDR.Addr())
	}
	var equal bool
	switch {
	case cond.PoolID != "":
		equal = c.poolID == cond.PoolID
	case cond.ResourceID != "":
		equal = c.ID == cond.ResourceID
	case cond.Owner != "":
		equal = c.Account == cond.Owner
	case cond.Region != "":
		equal = c.Region == cond.Region
	case cond.Tag != nil:
		equal = slices.Contains(c.Tags, *cond.Tag)
	default:
		equal = c.CIDR == cond.CIDR
	}
	return equal == (cond.Operation == Equals)
}

// checkRules says whether rules can be those of a resolver, and returns them with
// masked CIDRs.
func (s *Service) checkRules(r store.Reader, i IPAM, f Family, rules []Rule) ([]Rule, error) {
	if len(rules) > maxRules {
		return nil, refuse(OverLimit, "You've reached the limit for rules of a prefix list resolver. You are limited to %d.", maxRules)
	}
	var checked []Rule
	for _, rule := range rules {
		rule, err := s.checkRule(r, i, f, rule)
		if err != nil {
			return nil, err
		}
		checked = append(checked, rule)
	}
	return checked, nil
}

func (s *Service) checkRule(r store.Reader, i IPAM, f Family, rule Rule) (Rule, error) {
	foreign := func(parameter string) error {
		return refuse(InvalidCombination, "A rule of the type '%s' can't have the parameter %s.", rule.Kind, parameter)
	}
	needs := func(parameter string) error {
		return refuse(MissingValue, "A rule of the type '%s' must contain the parameter %s.", rule.Kind, parameter)
	}
	if rule.Kind == StaticCIDR {
		switch {
		case !rule.CIDR.IsValid():
			return rule, needs("StaticCidr")
		case rule.ScopeID != "":
			return rule, foreign("IpamScopeId")
		case rule.Type != "":
			return rule, foreign("ResourceType")
		case len(rule.Conditions) > 0:
			return rule, foreign("Condition")
		}
		rule.CIDR = rule.CIDR.Masked()
		return rule, f.check(rule.CIDR)
	}
	switch {
	case rule.CIDR.IsValid():
		return rule, foreign("StaticCidr")
	case rule.ScopeID == "":
		return rule, needs("IpamScopeId")
	case rule.Kind == ResourceCIDR && rule.Type == "":
		return rule, needs("ResourceType")
	case rule.Kind == PoolCIDRs && rule.Type != "":
		return rule, foreign("ResourceType")
	}
	if ipamID, ok := s.opts.Managers.Scope(r, i.Account, rule.ScopeID); !ok || ipamID != i.ID {
		return rule, &NotFoundError{NounScope, rule.ScopeID}
	}
	rule.Conditions = slices.Clone(rule.Conditions)
	for n := range rule.Conditions {
		cond := &rule.Conditions[n]
		cond.CIDR = cond.CIDR.Masked()
		if err := s.checkCondition(r, i, f, rule.Kind, *cond); err != nil {
			return rule, err
		}
	}
	return rule, nil
}

func (s *Service) checkCondition(r store.Reader, i IPAM, f Family, kind Kind, c Condition) error {
	about := 0
	for _, given := range []bool{c.PoolID != "", c.ResourceID != "", c.Owner != "", c.Region != "", c.Tag != nil, c.CIDR.IsValid()} {
		if given {
			about++
		}
	}
	ofPool, ofResource := c.PoolID != "", c.ResourceID != "" || c.Owner != "" || c.Region != "" || c.Tag != nil
	switch {
	case about != 1:
		return refuse(InvalidCombination, "A condition must contain exactly one of the parameters IpamPoolId, ResourceId, ResourceOwner, ResourceRegion, ResourceTag and Cidr.")
	case kind == PoolCIDRs && ofResource || kind == ResourceCIDR && ofPool:
		return refuse(InvalidCombination, "A rule of the type '%s' can't have this condition: those about pools can be about IpamPoolId and Cidr, those about resources about all but IpamPoolId.", kind)
	case c.Operation == SubnetOf && !c.CIDR.IsValid():
		return refuse(InvalidCombination, "The operation '%s' needs a Cidr to compare with.", c.Operation)
	case c.CIDR.IsValid():
		return f.check(c.CIDR)
	case ofPool:
		if ipamID, ok := s.opts.Managers.Pool(r, i.Account, c.PoolID); !ok || ipamID != i.ID {
			return &NotFoundError{NounPool, c.PoolID}
		}
	}
	return nil
}

func (f Family) has(p netip.Prefix) bool { return f.ofList().Has(p) }

func (f Family) check(p netip.Prefix) error {
	if !f.has(p) {
		return refuse(InvalidValue, "The CIDR '%s' is not of the address family %s of the resolver.", p, f)
	}
	return nil
}

// selected returns what a resolver's rules select, in order and each once; ok is
// false if it is more than a version may have.
func (s *Service) selected(r store.Snapshot, res Resolver) (cidrs []netip.Prefix, ok bool) {
	i, _ := s.opts.Managers.IPAM(r, res.Account, res.IPAMID)
	found := map[netip.Prefix]bool{}
	add := func(p netip.Prefix) bool {
		if res.Family.has(p) {
			found[p] = true
		}
		return len(found) <= maxCIDRs
	}
	var view View
	for _, rule := range res.Rules {
		switch rule.Kind {
		case StaticCIDR:
			add(rule.CIDR)
		case PoolCIDRs:
			for p := range s.opts.Managers.PoolCIDRs(r, i, rule.ScopeID) {
				c := candidate{poolID: p.PoolID, Resource: Resource{CIDR: p.CIDR}}
				if rule.selects(c) && !add(p.CIDR) {
					return nil, false
				}
			}
		case ResourceCIDR:
			if view == nil {
				view = s.opts.Networks.View(r, i)
			}
			for resource := range view.In(rule.ScopeID, rule.Type) {
				if rule.selects(candidate{Resource: resource}) && !add(resource.CIDR) {
					return nil, false
				}
			}
		}
	}
	for p := range found {
		cidrs = append(cidrs, p)
	}
	slices.SortFunc(cidrs, netip.Prefix.Compare)
	return cidrs, len(cidrs) <= maxCIDRs
}
