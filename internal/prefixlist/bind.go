package prefixlist

import (
	"net/netip"
	"slices"

	"github.com/fairlead/fairlead/internal/store"
)

// What this file has is for resolvers, whose targets change lists as parts of
// transactions of their own.

// Bind gives the entries of a list into the hands of a resolver target.
func (s *Service) Bind(tx *store.Tx, account, region, id, targetID string, f Family) (List, error) {
	l, err := s.list(tx, account, region, id)
	switch {
	case err != nil:
		return List{}, err
	case l.TargetID != "":
		return List{}, refuse(InvalidValue, "The prefix list '%s' is bound to the IPAM prefix list resolver target '%s' already.", id, l.TargetID)
	case l.Family != f:
		return List{}, refuse(InvalidValue, "The prefix list '%s' has the address family %s. It must be %s, as the resolver's.", id, l.Family, f)
	}
	l.TargetID, l.Sync = targetID, true
	s.lists.Put(tx, id, l)
	return l, nil
}

// Unbind ends that. The list keeps the entries that it has. One that is gone, or
// is bound to another target since, is no error.
func (s *Service) Unbind(tx *store.Tx, id, targetID string) {
	if l, ok := s.lists.Get(tx, id); ok && l.TargetID == targetID {
		l.TargetID, l.Sync = "", false
		s.lists.Put(tx, id, l)
	}
}

// Bound returns the list of a target, if it is there and still the target's.
func (s *Service) Bound(r store.Reader, id, targetID string) (List, bool) {
	l, ok := s.lists.Get(r, id)
	return l, ok && l.TargetID == targetID
}

// Holds says whether a list consists of exactly the CIDRs, which are in order.
func (s *Service) Holds(r store.Reader, l List, cidrs []netip.Prefix) bool {
	now, _ := s.Entries(r, l, l.Version)
	return slices.EqualFunc(now, cidrs, func(e Entry, p netip.Prefix) bool { return e.CIDR == p })
}

// Replace makes the CIDRs, which are in order, a list's next version. Those that
// stay keep their descriptions. TooManyEntries if the list is too small.
func (s *Service) Replace(tx *store.Tx, l List, cidrs []netip.Prefix) error {
	now, _ := s.Entries(tx, l, l.Version)
	next := make([]Entry, 0, len(cidrs))
	for _, p := range cidrs {
		e := Entry{CIDR: p}
		if i, found := find(now, p); found {
			e = now[i]
		}
		next = append(next, e)
	}
	if err := s.advance(tx, &l, next); err != nil {
		return err
	}
	l.State, l.StateMessage = ModifyComplete, ""
	s.lists.Put(tx, l.ID, l)
	return nil
}

// Collection names the collection of lists, for subscriptions.
func (s *Service) Collection() string { return s.lists.Name() }
