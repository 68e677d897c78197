package vpc

import (
	"iter"

	"github.com/fairlead/fairlead/internal/store"
)

// PrefixLists is the lists of CIDRs that rules and routes may name instead of one.
type PrefixLists interface {
	// Size returns how many entries an account's list may have, which is what it
	// counts for; false if there is no such list.
	Size(r store.Reader, account, region, id string) (entries int, ok bool)

	// Hold has tx fail if one of the account's lists in the region is deleted or
	// changes its size before it commits, and has those fail for which it is tx
	// that comes first.
	Hold(tx *store.Tx, account, region string)
}

// A list counts for its size wherever it is referred to (Amazon VPC, prefix
// lists), so that whoever adds to what refers to lists holds them, and whoever
// makes a list larger asks here whether it may.

// checkRules holds the quota of a group's rules after those given were added or
// changed, and says whether there are the lists that they name.
func (s *Service) checkRules(tx *store.Tx, g SecurityGroup, added []Rule) error {
	for _, r := range added {
		if err := s.checkList(tx, g.Account, g.Region, r.PrefixListID); err != nil {
			return err
		}
	}
	s.holdLists(tx, g.Account, g.Region, g.prefixLists())
	if s.overfull(tx.Snapshot(), g, "", 0) {
		return limit(KindSecurityRule, "rules per security group")
	}
	return nil
}

// checkRoutes is checkRules for a route that was added to a table.
func (s *Service) checkRoutes(tx *store.Tx, t RouteTable, added Route) error {
	if err := s.checkList(tx, t.Account, t.Region, added.PrefixListID); err != nil {
		return err
	}
	s.holdLists(tx, t.Account, t.Region, t.prefixLists())
	if s.routes(tx.Snapshot(), t, "", 0) > s.opts.Quotas.Routes {
		return limit(KindRoute, "routes")
	}
	return nil
}

func (s *Service) checkList(tx *store.Tx, account, region, id string) error {
	if id == "" {
		return nil
	}
	if s.opts.PrefixLists != nil {
		// Not guarded: Hold does it for however many lists there are.
		if _, ok := s.opts.PrefixLists.Size(tx.Snapshot(), account, region, id); ok {
			return nil
		}
	}
	return &NotFoundError{KindPrefixList, id}
}

func (s *Service) holdLists(tx *store.Tx, account, region string, lists []string) {
	if len(lists) > 0 {
		s.opts.PrefixLists.Hold(tx, account, region)
	}
}

// weight returns what something counts for that names a list, or none (""). The
// list changed has the given size, whatever it has now.
func (s *Service) weight(r store.Reader, account, region, id, changed string, size int) int {
	switch id {
	case "":
		return 1
	case changed:
		return size
	}
	n, _ := s.opts.PrefixLists.Size(r, account, region, id)
	return n
}

// overfull says whether a group has more rules of a direction than it may, if the
// list changed had the given size.
func (s *Service) overfull(r store.Reader, g SecurityGroup, changed string, size int) bool {
	n := map[bool]int{} // by egress
	for _, rule := range g.Rules {
		n[rule.Egress] += s.weight(r, g.Account, g.Region, rule.PrefixListID, changed, size)
	}
	return max(n[true], n[false]) > s.opts.Quotas.Rules
}

// routes counts a table's routes, if the list changed had the given size.
func (s *Service) routes(r store.Reader, t RouteTable, changed string, size int) int {
	n := 0
	for _, rt := range t.made() {
		n += s.weight(r, t.Account, t.Region, rt.PrefixListID, changed, size)
	}
	return n
}

// prefixLists returns the lists that the group's rules name, each once.
func (g SecurityGroup) prefixLists() []string {
	var ids []string
	for _, r := range g.Rules {
		if r.PrefixListID != "" {
			ids = append(ids, r.PrefixListID)
		}
	}
	return unique(ids)
}

// prefixLists returns the lists that the table's routes name, each once.
func (t RouteTable) prefixLists() []string {
	var ids []string
	for _, r := range t.Routes {
		if r.PrefixListID != "" {
			ids = append(ids, r.PrefixListID)
		}
	}
	return unique(ids)
}

// PrefixListUsers yields the ids of the security groups and route tables that
// name a list, in order, from one on.
func (s *Service) PrefixListUsers(r store.Reader, listID, from string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for id := range s.tablesByList.From(r, listID, from) { // "rtb-…" comes before "sg-…"
			if !yield(id) {
				return
			}
		}
		for id := range s.groupsByList.From(r, listID, from) {
			if !yield(id) {
				return
			}
		}
	}
}

// TooFullForList yields the ids of those that couldn't have a list in them if it
// were of the given size.
func (s *Service) TooFullForList(r store.Reader, listID string, size int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for id, t := range s.tablesByList.Each(r, listID) {
			if s.routes(r, t, listID, size) > s.opts.Quotas.Routes && !yield(id) {
				return
			}
		}
		for id, g := range s.groupsByList.Each(r, listID) {
			if s.overfull(r, g, listID, size) && !yield(id) {
				return
			}
		}
	}
}
