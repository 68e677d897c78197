package vpc

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/store"
)

// ruleIDs returns the ids of the group's rules.
func (g SecurityGroup) ruleIDs() []string {
	var ids []string
	for _, r := range g.Rules {
		ids = append(ids, r.ID)
	}
	return ids
}

// GroupRule is a rule and the security group that it is in.
type GroupRule struct {
	Group SecurityGroup
	Rule
}

// key orders rules: by group, then by id.
func (r GroupRule) key() string { return r.Group.ID + "/" + r.ID }

// Rule returns a rule of the account's security groups.
func (s *Service) Rule(r store.Reader, account, region, id string) (GroupRule, bool) {
	for groupID := range s.groupsByRule.Each(r, id) {
		g, ok := s.SecurityGroup(r, account, region, groupID)
		if i := g.indexOfID(id); ok && i >= 0 {
			return GroupRule{g, g.Rules[i]}, true
		}
	}
	return GroupRule{}, false
}

// Rules yields the rules of the account's security groups, by group and id, from
// the given key on.
func (s *Service) Rules(r store.Reader, account, region, from string) iter.Seq2[string, GroupRule] {
	firstGroup, _, _ := strings.Cut(from, "/")
	return func(yield func(string, GroupRule) bool) {
		for _, g := range s.SecurityGroups(r, account, region, firstGroup) {
			for key, rule := range s.RulesOf(g, from) {
				if !yield(key, rule) {
					return
				}
			}
		}
	}
}

// RulesOf yields the rules of one group as Rules does.
func (s *Service) RulesOf(g SecurityGroup, from string) iter.Seq2[string, GroupRule] {
	return func(yield func(string, GroupRule) bool) {
		for _, rule := range slices.SortedFunc(slices.Values(g.Rules), func(a, b Rule) int { return cmp.Compare(a.ID, b.ID) }) {
			gr := GroupRule{g, rule}
			if key := gr.key(); key >= from && !yield(key, gr) {
				return
			}
		}
	}
}

// TouchRule marks the group of a rule changed that is about to be given tags,
// for whoever is removing the rule.
func (s *Service) TouchRule(tx *store.Tx, account, region, id string) {
	if r, ok := s.Rule(tx, account, region, id); ok {
		s.groups.Put(tx, r.Group.ID, r.Group)
	}
}

// clearRuleTags removes the tags of rules that go. To look which have any needs
// no guard, because tags are only set along with the group (TouchRule), which
// the transaction writes; and to guard each would be more than it can hold.
func (s *Service) clearRuleTags(tx *store.Tx, rules []Rule) {
	for _, r := range rules {
		if len(s.tags.Of(tx.Snapshot(), r.ID)) > 0 {
			s.tags.Clear(tx, r.ID)
		}
	}
}

func (g SecurityGroup) indexOfID(id string) int {
	return slices.IndexFunc(g.Rules, func(r Rule) bool { return r.ID == id })
}

// ModifyRules gives rules of a group the content of others, by id, all or none.
// A rule keeps its id, its direction and its kind of peer.
func (s *Service) ModifyRules(ctx context.Context, account, region, groupID string, rules []Rule) error {
	return s.update(ctx, func(tx *store.Tx) error {
		g, err := s.group(tx, account, region, groupID)
		if err != nil {
			return err
		}
		g.Rules = slices.Clone(g.Rules)
		changed := make([]Rule, 0, len(rules))
		for _, r := range rules {
			i := g.indexOfID(r.ID)
			if i < 0 {
				return &NotFoundError{KindSecurityRule, r.ID}
			}
			old := g.Rules[i]
			if r.peerKind() != old.peerKind() {
				return fail(InvalidValue, KindSecurityRule, "The rule %s has %s for its peer, which can be changed to another of the kind only.", r.ID, old.peerKind())
			}
			r.Egress = old.Egress
			g.Rules[i] = r
			changed = append(changed, r)
		}
		for i, r := range g.Rules {
			if g.indexOf(r) < i {
				return fail(RuleExists, KindSecurityRule, "the specified rule %q already exists", r)
			}
		}
		if err := s.touchPeers(tx, g, changed); err != nil {
			return err
		}
		if err := s.checkRules(tx, g, changed); err != nil {
			return err
		}
		s.groups.Put(tx, g.ID, g)
		return nil
	})
}

func (r Rule) peerKind() string {
	switch {
	case r.GroupID != "":
		return "a security group"
	case r.PrefixListID != "":
		return "a prefix list"
	case r.CIDR.Addr().Is6():
		return "an IPv6 range"
	}
	return "an IPv4 range"
}

// DescribeRules gives rules other descriptions, all or none. Which rules they
// are their ids say, or else their traffic (EC2
// UpdateSecurityGroupRuleDescriptions).
func (s *Service) DescribeRules(ctx context.Context, c RuleChange) error {
	return s.update(ctx, func(tx *store.Tx) error {
		g, err := s.group(tx, c.Account, c.Region, c.GroupID)
		if err != nil {
			return err
		}
		g.Rules = slices.Clone(g.Rules)
		for _, r := range c.Rules {
			i, err := g.described(r, c.Egress)
			if err != nil {
				return err
			}
			g.Rules[i].Description = r.Description
		}
		s.groups.Put(tx, g.ID, g)
		return nil
	})
}

// described finds the rule of a direction that has r's id or, if r has none, its traffic.
func (g SecurityGroup) described(r Rule, egress bool) (int, error) {
	if r.ID == "" {
		if i := g.indexOf(r); i >= 0 {
			return i, nil
		}
		return 0, ruleNotFound()
	}
	if i := g.indexOfID(r.ID); i >= 0 && g.Rules[i].Egress == egress {
		return i, nil
	}
	return 0, &NotFoundError{KindSecurityRule, r.ID}
}

func ruleNotFound() error {
	return fail(RuleNotFound, KindSecurityRule, "The specified rule does not exist in this security group.")
}
