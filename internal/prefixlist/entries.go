package prefixlist

import (
	"net/netip"
	"slices"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/store"
)

// maxDescription is the longest description of an entry, in characters (EC2
// AddPrefixListEntry).
const maxDescription = 255

// change is what a call does to a list's entries.
type change struct {
	add    []Entry
	remove []netip.Prefix
}

func (c change) empty() bool { return len(c.add)+len(c.remove) == 0 }

// normal returns the change with masked CIDRs, or what is wrong with it by itself.
func (c change) normal(f Family) (change, error) {
	if len(c.add) > maxEntriesPerCall || len(c.remove) > maxEntriesPerCall {
		return c, refuse(InvalidValue, "A request can add at most %d entries and remove as many.", maxEntriesPerCall)
	}
	var n change
	seen := map[netip.Prefix]bool{} // true: to be added
	for _, e := range c.add {
		if err := checkCIDR(e.CIDR, f); err != nil {
			return c, err
		}
		if utf8.RuneCountInString(e.Description) > maxDescription {
			return c, refuse(InvalidValue, "The description of the entry '%s' has more than %d characters.", e.CIDR, maxDescription)
		}
		e.CIDR = e.CIDR.Masked()
		if seen[e.CIDR] {
			return c, refuse(InvalidValue, "The request contains the CIDR '%s' more than once.", e.CIDR)
		}
		seen[e.CIDR] = true
		n.add = append(n.add, e)
	}
	for _, p := range c.remove {
		if err := checkCIDR(p, f); err != nil {
			return c, err
		}
		p = p.Masked()
		switch added, known := seen[p]; {
		case added:
			return c, refuse(InvalidValue, "The request cannot contain the CIDR '%s' in both the entries to add and those to remove.", p)
		case known:
			return c, refuse(InvalidValue, "The request contains the CIDR '%s' more than once.", p)
		}
		seen[p] = false
		n.remove = append(n.remove, p)
	}
	return n, nil
}

func checkCIDR(p netip.Prefix, f Family) error {
	if !f.Has(p) {
		return refuse(InvalidValue, "The CIDR '%s' is not of the address family %s of the prefix list.", p, f)
	}
	return nil
}

// apply returns the entries, which are in order of CIDR, after a change in
// normal form.
func (c change) apply(entries []Entry) ([]Entry, error) {
	next := slices.Clone(entries)
	for _, p := range c.remove {
		i, found := find(next, p)
		if !found {
			return nil, refuse(InvalidModification, "There is no entry with the CIDR (%s) in the prefix list.", p)
		}
		next = slices.Delete(next, i, i+1)
	}
	for _, e := range c.add {
		i, found := find(next, e.CIDR)
		if found {
			return nil, refuse(InvalidModification, "An entry with the CIDR (%s) already exists. Remove it first to give it another description.", e.CIDR)
		}
		next = slices.Insert(next, i, e)
	}
	return next, nil
}

func find(entries []Entry, p netip.Prefix) (int, bool) {
	return slices.BinarySearchFunc(entries, p, func(e Entry, p netip.Prefix) int { return e.CIDR.Compare(p) })
}

// advance gives a list another version, and forgets the oldest of too many.
func (s *Service) advance(tx *store.Tx, l *List, entries []Entry) error {
	if len(entries) > l.MaxEntries {
		return refuse(TooManyEntries, "The prefix list would have %d entries. It may have %d.", len(entries), l.MaxEntries)
	}
	l.Version++
	s.versions.Put(tx, versionKey(l.ID, l.Version), version{entries})
	for l.Version-l.Oldest >= int64(s.opts.Quotas.Versions) {
		s.versions.Delete(tx, versionKey(l.ID, l.Oldest))
		l.Oldest++
	}
	return nil
}
