package discovery

import (
	"cmp"
	"net/netip"
	"slices"
)

// cidrSet finds those of a set of CIDRs, which may overlap each other, that
// share an address with another, at the cost of a look-up for each prefix length
// in the set.
type cidrSet struct {
	ordered []member // by CIDR, and so by first address
	lengths []int    // of those, ascending
}

// member is a CIDR of a VPC.
type member struct {
	cidr  netip.Prefix
	vpcID string
}

func newCIDRSet(members []member) cidrSet {
	s := cidrSet{ordered: slices.Clone(members)}
	slices.SortFunc(s.ordered, func(a, b member) int { return cmp.Or(a.cidr.Compare(b.cidr), cmp.Compare(a.vpcID, b.vpcID)) })
	for _, m := range s.ordered {
		s.lengths = append(s.lengths, m.cidr.Bits())
	}
	slices.Sort(s.lengths)
	s.lengths = slices.Compact(s.lengths)
	return s
}

// overlaps says whether p shares an address with a CIDR of another VPC than the
// one named.
func (s cidrSet) overlaps(p netip.Prefix, but string) bool {
	// Those that begin within p, p itself among them.
	for _, m := range s.ordered[s.search(p.Addr()):] {
		if !p.Contains(m.cidr.Addr()) {
			break
		}
		if m.vpcID != but {
			return true
		}
	}
	// Those that p lies in begin where p does when cut to their length.
	for _, bits := range s.lengths {
		if bits >= p.Bits() {
			break
		}
		outer := netip.PrefixFrom(p.Addr(), bits).Masked()
		for _, m := range s.ordered[s.search(outer.Addr()):] {
			if m.cidr.Addr() != outer.Addr() {
				break
			}
			if m.cidr == outer && m.vpcID != but {
				return true
			}
		}
	}
	return false
}

// search returns the place of the first member that doesn't begin before a.
func (s cidrSet) search(a netip.Addr) int {
	n, _ := slices.BinarySearchFunc(s.ordered, a, func(m member, a netip.Addr) int { return m.cidr.Addr().Compare(a) })
	return n
}
