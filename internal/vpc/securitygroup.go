package vpc

import (
	"context"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// SecurityGroup says what traffic the interfaces in it may have. The rules are
// kept and shown; nothing is filtered by them yet.
type SecurityGroup struct {
	ID, Account, Region string
	VPCID               string
	Name                string // unique in its VPC
	Description         string
	Rules               []Rule // as they were made
}

const defaultGroupName = "default"

// Default says whether the group is the one that its VPC came with.
func (g SecurityGroup) Default() bool { return g.Name == defaultGroupName }

// peers returns the other groups that the rules name, each once.
func (g SecurityGroup) peers() []string {
	var ids []string
	for _, r := range g.Rules {
		if r.GroupID != "" && r.GroupID != g.ID {
			ids = append(ids, r.GroupID)
		}
	}
	return unique(ids)
}

// SecurityGroupSpec is a security group to be made.
type SecurityGroupSpec struct {
	ID, Account, Region string
	VPCID               string // "": the default VPC
	Name, Description   string
	Tags                []tags.Tag
}

// CreateSecurityGroup makes a group that allows nothing in and everything out.
func (s *Service) CreateSecurityGroup(ctx context.Context, spec SecurityGroupSpec) (g SecurityGroup, err error) {
	if spec.Name == defaultGroupName {
		return g, fail(GroupReserved, KindSecurityGroup, "The security group '%s' is reserved", spec.Name)
	}
	err = s.update(ctx, func(tx *store.Tx) error {
		vpcID := spec.VPCID
		if vpcID == "" {
			v, ok := s.DefaultVPC(tx, spec.Account, spec.Region)
			if !ok {
				return fail(NoDefault, KindVPC, "No default VPC for this user")
			}
			vpcID = v.ID
		}
		v, err := s.touchVPC(tx, spec.Account, spec.Region, vpcID)
		if err != nil {
			return err
		}
		if _, ok := s.GroupByName(tx, vpcID, spec.Name); ok {
			return fail(GroupExists, KindSecurityGroup, "The security group '%s' already exists for VPC '%s'", spec.Name, vpcID)
		}
		if err := s.touchRegion(tx, spec.Account, spec.Region); err != nil {
			return err
		}
		if s.groupsByOwner.Count(tx, owner(spec.Account, spec.Region)) >= s.opts.Quotas.SecurityGroups {
			return limit(KindSecurityGroup, "security groups")
		}
		g = SecurityGroup{
			ID: spec.ID, Account: spec.Account, Region: spec.Region, VPCID: vpcID,
			Name: spec.Name, Description: spec.Description,
			Rules: v.everythingOut(spec.ID),
		}
		s.groups.Put(tx, g.ID, g)
		return s.setTags(tx, g.Account, g.Region, KindSecurityGroup, g.ID, spec.Tags)
	})
	return g, err
}

// everythingOut returns the egress rules that a new group of the VPC has: one
// for each address family that the VPC has addresses of.
func (v VPC) everythingOut(groupID string) []Rule {
	rules := []Rule{allRule(groupID, Rule{Egress: true, CIDR: anyIPv4})}
	if v.HasIPv6() {
		rules = append(rules, allRule(groupID, Rule{Egress: true, CIDR: anyIPv6}))
	}
	return rules
}

// DeleteSecurityGroup removes a group that no interface or load balancer is in
// and no other group's rule names.
func (s *Service) DeleteSecurityGroup(ctx context.Context, account, region, id string) error {
	return s.update(ctx, func(tx *store.Tx) error {
		g, err := s.group(tx, account, region, id)
		if err != nil {
			return err
		}
		if g.Default() {
			return fail(GroupUndeletable, KindSecurityGroup, "the specified group: %q name: %q cannot be deleted by a user", id, g.Name)
		}
		if s.interfacesByGroup.Has(tx, id) || s.groupsByPeer.Has(tx, id) || s.inUse(tx, id) {
			return fail(Dependency, KindSecurityGroup, "resource %s has a dependent object", id)
		}
		s.groups.Delete(tx, id)
		s.tags.Clear(tx, id)
		s.clearRuleTags(tx, g.Rules)
		return nil
	})
}

// RuleChange adds rules to a security group, or removes them.
type RuleChange struct {
	Account, Region, GroupID string
	Egress                   bool
	Rules                    []Rule     // in normal form (NewRule), all in that direction
	RuleIDs                  []string   // to remove, besides Rules
	Tags                     []tags.Tag // of each that is added
	Time                     time.Time
}

// Authorize adds rules, all or none, and returns them with their ids.
func (s *Service) Authorize(ctx context.Context, c RuleChange) (added []Rule, err error) {
	err = s.update(ctx, func(tx *store.Tx) error {
		g, err := s.group(tx, c.Account, c.Region, c.GroupID)
		if err != nil {
			return err
		}
		for i, r := range c.Rules {
			if slices.ContainsFunc(c.Rules[:i], func(o Rule) bool { return o.traffic() == r.traffic() }) {
				return fail(InvalidValue, KindSecurityRule, "The same permission must not appear multiple times")
			}
		}
		if err := s.touchPeers(tx, g, c.Rules); err != nil {
			return err
		}
		added = make([]Rule, 0, len(c.Rules))
		for _, r := range c.Rules {
			if g.indexOf(r) >= 0 {
				return fail(RuleExists, KindSecurityRule, "the specified rule %q already exists", r)
			}
			r.ID = derived("sgr", g.ID, strconv.FormatBool(r.Egress), r.String(), strconv.FormatInt(c.Time.UnixNano(), 10))
			added = append(added, r)
		}
		g.Rules = slices.Concat(g.Rules, added)
		if err := s.checkRules(tx, g, added); err != nil {
			return err
		}
		s.groups.Put(tx, g.ID, g)
		for _, r := range added {
			if err := s.setTags(tx, g.Account, g.Region, KindSecurityRule, r.ID, c.Tags); err != nil {
				return err
			}
		}
		return nil
	})
	return added, err
}

// touchPeers checks the groups that rules of g name, and marks them changed for
// whoever is judging whether they are in use.
func (s *Service) touchPeers(tx *store.Tx, g SecurityGroup, rules []Rule) error {
	for _, id := range (SecurityGroup{ID: g.ID, Rules: rules}).peers() {
		p, err := s.group(tx, g.Account, g.Region, id)
		if err != nil {
			return err
		}
		if p.VPCID != g.VPCID {
			return fail(InvalidValue, KindSecurityGroup, "You have specified two resources that belong to different networks.")
		}
		s.groups.Put(tx, id, p)
	}
	return nil
}

// Revoke removes rules, all or none, and returns them as they were.
func (s *Service) Revoke(ctx context.Context, c RuleChange) (removed []Rule, err error) {
	err = s.update(ctx, func(tx *store.Tx) error {
		g, err := s.group(tx, c.Account, c.Region, c.GroupID)
		if err != nil {
			return err
		}
		removed = nil
		g.Rules = slices.Clone(g.Rules)
		remove := func(i int) {
			removed = append(removed, g.Rules[i])
			g.Rules = slices.Delete(g.Rules, i, i+1)
		}
		for _, r := range c.Rules {
			i := g.indexOf(r)
			if i < 0 {
				return ruleNotFound()
			}
			remove(i)
		}
		for _, id := range unique(c.RuleIDs) {
			i := g.indexOfID(id)
			if i < 0 || g.Rules[i].Egress != c.Egress {
				return &NotFoundError{KindSecurityRule, id}
			}
			remove(i)
		}
		s.groups.Put(tx, g.ID, g)
		s.clearRuleTags(tx, removed)
		return nil
	})
	return removed, err
}

func (g SecurityGroup) indexOf(r Rule) int {
	return slices.IndexFunc(g.Rules, func(o Rule) bool { return o.traffic() == r.traffic() })
}

func count[T any](vs []T, is func(T) bool) (n int) {
	for _, v := range vs {
		if is(v) {
			n++
		}
	}
	return n
}

// SecurityGroup returns a security group of the account.
func (s *Service) SecurityGroup(r store.Reader, account, region, id string) (SecurityGroup, bool) {
	g, ok := s.groups.Get(r, id)
	return g, ok && g.Account == account && g.Region == region
}

// Group returns a security group of any account, for who has its id from a rule
// or an interface.
func (s *Service) Group(r store.Reader, id string) (SecurityGroup, bool) { return s.groups.Get(r, id) }

// SecurityGroups yields the account's security groups by id, from the given one on.
func (s *Service) SecurityGroups(r store.Reader, account, region, from string) iter.Seq2[string, SecurityGroup] {
	return s.groupsByOwner.From(r, owner(account, region), from)
}

// GroupByName returns a VPC's security group of that name.
func (s *Service) GroupByName(r store.Reader, vpcID, name string) (SecurityGroup, bool) {
	for _, g := range s.groupsByVPC.Each(r, vpcID) {
		if g.Name == name {
			return g, true
		}
	}
	return SecurityGroup{}, false
}

// DefaultSecurityGroup returns the id of the group that a VPC came with.
func (s *Service) DefaultSecurityGroup(_ store.Reader, vpcID string) string {
	return VPC{ID: vpcID}.DefaultGroupID()
}

func (s *Service) group(r store.Reader, account, region, id string) (SecurityGroup, error) {
	g, ok := s.SecurityGroup(r, account, region, id)
	if !ok {
		return SecurityGroup{}, &NotFoundError{KindSecurityGroup, id}
	}
	return g, nil
}
