package space

import (
	"errors"
	"fmt"
	"iter"
	"math/big"
	"net/netip"
	"slices"
)

// Errors of a Space; they come wrapped with the block that they are about.
var (
	ErrInvalid  = errors.New("not a masked prefix of the space's address family")
	ErrOverlap  = errors.New("overlaps a CIDR of the space")
	ErrOutside  = errors.New("not inside a CIDR of the space")
	ErrTaken    = errors.New("taken, wholly or in part")
	ErrNotTaken = errors.New("not wholly taken")
)

// Space is a set of CIDRs of one address family and what of them is taken. The
// zero Space is empty and ready; the first CIDR decides its family.
type Space struct {
	width uint8 // bits of an address: 32 or 128; 0 before the first CIDR
	cidrs []cidr
	trie  trie
	taken size
	total size
}

// cidr is one CIDR and the trie of what is taken in it.
type cidr struct {
	key  key
	bits uint8
	root uint32 // 0: nothing is taken
}

func (c cidr) contains(k key, bits uint8) bool { return bits >= c.bits && k.masked(c.bits) == c.key }

// fit returns p as a key; ErrInvalid if it can't be a block of the space.
func (s *Space) fit(p netip.Prefix) (k key, bits uint8, err error) {
	if !p.IsValid() || p != p.Masked() || p.Addr().Is4In6() || (s.width != 0 && p.Addr().BitLen() != int(s.width)) {
		return key{}, 0, fmt.Errorf("%v: %w", p, ErrInvalid)
	}
	return keyOf(p.Addr()), uint8(p.Bits()), nil
}

// AddCIDR adds a CIDR, all of it free: ErrInvalid, ErrOverlap.
func (s *Space) AddCIDR(p netip.Prefix) error {
	k, bits, err := s.fit(p)
	if err != nil {
		return err
	}
	at, _ := slices.BinarySearchFunc(s.cidrs, k, func(c cidr, k key) int {
		if c.key.less(k) {
			return -1
		}
		return 1
	})
	for _, i := range []int{at - 1, at} {
		if i >= 0 && i < len(s.cidrs) && s.cidrs[i].key.common(k) >= min(s.cidrs[i].bits, bits) {
			return fmt.Errorf("%v: %w", p, ErrOverlap)
		}
	}
	s.width = uint8(p.Addr().BitLen())
	s.cidrs = slices.Insert(s.cidrs, at, cidr{key: k, bits: bits})
	s.total.add(sizeOf(bits, s.width))
	return nil
}

// RemoveCIDR removes a CIDR that was added: ErrOutside if it wasn't, ErrTaken,
// with the lowest taken block, if it isn't free.
func (s *Space) RemoveCIDR(p netip.Prefix) error {
	k, bits, err := s.fit(p)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(s.cidrs, func(c cidr) bool { return c.key == k && c.bits == bits })
	if i < 0 {
		return fmt.Errorf("%v: %w", p, ErrOutside)
	}
	if root := s.cidrs[i].root; root != 0 {
		lowest, n := s.trie.lowestTaken(root)
		return fmt.Errorf("%v: %v is %w", p, s.prefix(lowest, n), ErrTaken)
	}
	s.cidrs = slices.Delete(s.cidrs, i, i+1)
	s.total.sub(sizeOf(bits, s.width))
	return nil
}

// CIDRs returns the space's CIDRs in order of address.
func (s *Space) CIDRs() []netip.Prefix {
	out := make([]netip.Prefix, 0, len(s.cidrs))
	for _, c := range s.cidrs {
		out = append(out, s.prefix(c.key, c.bits))
	}
	return out
}

func (s *Space) prefix(k key, bits uint8) netip.Prefix {
	return netip.PrefixFrom(k.addr(s.width), int(bits))
}

// find returns the CIDR that holds the block.
func (s *Space) find(k key, bits uint8) *cidr {
	at, _ := slices.BinarySearchFunc(s.cidrs, k, func(c cidr, k key) int {
		if k.less(c.key) {
			return 1
		}
		return -1
	})
	if at == 0 || !s.cidrs[at-1].contains(k, bits) {
		return nil
	}
	return &s.cidrs[at-1]
}

// Take marks a block as taken: ErrInvalid, ErrOutside, ErrTaken.
func (s *Space) Take(p netip.Prefix) error {
	k, bits, err := s.fit(p)
	if err != nil {
		return err
	}
	c := s.find(k, bits)
	if c == nil {
		return fmt.Errorf("%v: %w", p, ErrOutside)
	}
	root, ok := s.trie.take(c.root, k, bits)
	if !ok {
		return fmt.Errorf("%v: %w", p, ErrTaken)
	}
	c.root = root
	s.shrink()
	s.taken.add(sizeOf(bits, s.width))
	return nil
}

// Release marks a block as free: ErrInvalid, ErrOutside, ErrNotTaken. It may be
// a part of what was taken at once, or several such blocks together: who must
// release only whole allocations has to know them.
func (s *Space) Release(p netip.Prefix) error {
	k, bits, err := s.fit(p)
	if err != nil {
		return err
	}
	c := s.find(k, bits)
	if c == nil {
		return fmt.Errorf("%v: %w", p, ErrOutside)
	}
	root, ok := s.trie.release(c.root, k, bits)
	if !ok {
		return fmt.Errorf("%v: %w", p, ErrNotTaken)
	}
	c.root = root
	s.shrink()
	s.taken.sub(sizeOf(bits, s.width))
	return nil
}

// shrink moves what is taken to a smaller slice when little of it is left.
func (s *Space) shrink() {
	if !s.trie.sparse() {
		return
	}
	small := trie{nodes: make([]node, 1, 1+s.trie.used)}
	for i := range s.cidrs {
		s.cidrs[i].root = s.trie.move(s.cidrs[i].root, &small)
	}
	s.trie = small
}

// Free says whether a block lies in a CIDR and no part of it is taken.
func (s *Space) Free(p netip.Prefix) bool {
	k, bits, err := s.fit(p)
	if err != nil {
		return false
	}
	c := s.find(k, bits)
	return c != nil && s.trie.free(c.root, k, bits)
}

// Lowest returns the lowest free block of the length (I3), aligned to it. It
// costs one look at each CIDR without room and one walk down in the first that
// has some.
func (s *Space) Lowest(length int) (netip.Prefix, bool) {
	if length < 0 || length > int(s.width) {
		return netip.Prefix{}, false
	}
	for _, c := range s.cidrs {
		if c.bits > uint8(length) {
			continue
		}
		if k, ok := s.trie.lowest(c, uint8(length)); ok {
			return s.prefix(k, uint8(length)), true
		}
	}
	return netip.Prefix{}, false
}

// LowestWhere returns the lowest free block of the length that lies inside one
// of allowed, if any are given, and touches none of disallowed. Prefixes of the
// other family, or not masked, allow and disallow nothing. It costs up to a walk
// down and a pass over disallowed for each of disallowed, in each part of a CIDR
// that is allowed: the lists are a caller's few, not another pool's content.
func (s *Space) LowestWhere(length int, allowed, disallowed []netip.Prefix) (netip.Prefix, bool) {
	if length < 0 || length > int(s.width) {
		return netip.Prefix{}, false
	}
	n := uint8(length)
	for _, c := range s.cidrs {
		best, found := key{}, false
		for _, region := range s.regions(c, allowed) {
			if k, ok := s.lowestAvoiding(region, n, disallowed); ok && (!found || k.less(best)) {
				best, found = k, true
			}
		}
		if found {
			return s.prefix(best, n), true // CIDRs don't overlap: any other's are higher
		}
	}
	return netip.Prefix{}, false
}

// regions returns the parts of a CIDR that are allowed, each with the CIDR's trie.
func (s *Space) regions(c cidr, allowed []netip.Prefix) []cidr {
	if len(allowed) == 0 {
		return []cidr{c}
	}
	var out []cidr
	for _, p := range allowed {
		k, bits, err := s.fit(p)
		switch {
		case err != nil:
		case c.contains(k, bits):
			out = append(out, cidr{key: k, bits: bits, root: c.root})
		case bits < c.bits && c.key.masked(bits) == k:
			out = append(out, c)
		}
	}
	return out
}

// lowestAvoiding searches one region, going on behind each disallowed block that
// a candidate touches.
func (s *Space) lowestAvoiding(region cidr, n uint8, disallowed []netip.Prefix) (key, bool) {
	from := region.key
search:
	for {
		k, ok := s.trie.lowestFrom(region, n, from)
		if !ok {
			return key{}, false
		}
		for _, p := range disallowed {
			d, bits, err := s.fit(p)
			if err != nil || d.common(k) < min(bits, n) {
				continue
			}
			next, more := k.after(n)
			if bits < n {
				next, more = d.after(bits)
			}
			if !more {
				return key{}, false
			}
			from = next
			continue search
		}
		return k, true
	}
}

// Taken returns how many addresses are taken.
func (s *Space) Taken() *big.Int {
	some := slices.ContainsFunc(s.cidrs, func(c cidr) bool { return c.root != 0 })
	return s.taken.big(some)
}

// Total returns how many addresses the CIDRs have.
func (s *Space) Total() *big.Int { return s.total.big(len(s.cidrs) > 0) }

// big returns z as a number; some says that it isn't 0, so that 0 stands for
// 2^128.
func (z size) big(some bool) *big.Int {
	b := new(big.Int).SetUint64(z.hi)
	b.Add(b.Lsh(b, 64), new(big.Int).SetUint64(z.lo))
	if some && b.Sign() == 0 {
		b.Lsh(big.NewInt(1), 128)
	}
	return b
}

// All yields what is taken, in order of address, in the largest blocks that it
// makes up within each CIDR. The space must not change meanwhile.
func (s *Space) All() iter.Seq[netip.Prefix] {
	return func(yield func(netip.Prefix) bool) {
		for _, c := range s.cidrs {
			if c.root != 0 && !s.trie.each(c.root, func(k key, bits uint8) bool { return yield(s.prefix(k, bits)) }) {
				return
			}
		}
	}
}
