package ipam

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"

	"github.com/fairlead/fairlead/internal/store"
)

// Blocks are stored under their first address in hex, whose order is the
// order of addresses. Two blocks of one pool never begin at the same address,
// so that the key needs no length, and taking a block that is taken meets the
// other's record.

func blockKey(owner string, a netip.Addr) string {
	n := len(owner) + 1
	b := make([]byte, n, n+2*16)
	copy(b, owner)
	b[n-1] = '/'
	if a.Is4() {
		raw := a.As4()
		return string(hex.AppendEncode(b, raw[:]))
	}
	raw := a.As16()
	return string(hex.AppendEncode(b, raw[:]))
}

func parseBlockKey(key string) (owner string, a netip.Addr, err error) {
	i := strings.LastIndexByte(key, '/')
	if i < 0 {
		return "", a, fmt.Errorf("block key %q has no owner", key)
	}
	var raw [16]byte
	n, digits := 0, key[i+1:]
	for ; n < len(raw) && 2*n+1 < len(digits); n++ {
		hi, lo := nibble(digits[2*n]), nibble(digits[2*n+1])
		if hi|lo > 0xf {
			break
		}
		raw[n] = hi<<4 | lo
	}
	a, ok := netip.AddrFromSlice(raw[:n])
	if !ok || 2*n != len(digits) {
		return "", a, fmt.Errorf("block key %q: not an address", key)
	}
	return key[:i], a, nil
}

// nibble returns a hex digit's value; more than 15 for what is none.
func nibble(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}

// spanOwner begins the keys of a routing domain's spans of one family: those
// of the other have another length and would be out of order.
func spanOwner(routingDomain string, f Family) string { return routingDomain + "/" + string(f) }

func host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// last returns the highest address of p.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// overlapping returns a record among the blocks of owner that shares an
// address with p. No two of them overlap, and each has one of the lengths.
func overlapping[T interface{ block() netip.Prefix }](r store.Snapshot, c *store.Collection[T], owner string, p netip.Prefix, lengths []int) (rec T, found bool) {
	first, end := blockKey(owner, p.Addr()), blockKey(owner, last(p))
	for key, v := range c.From(r, first) {
		if key <= end {
			return v, true
		}
		break
	}
	// What begins before p and reaches into it contains it, and begins where
	// p's own address begins when cut to the other's length.
	for _, bits := range lengths {
		if bits >= p.Bits() {
			break
		}
		start := netip.PrefixFrom(p.Addr(), bits).Masked().Addr()
		if start == p.Addr() {
			continue // would have been found above
		}
		v, ok := c.Get(r, blockKey(owner, start))
		if ok && v.block().Overlaps(p) {
			return v, true
		}
	}
	return rec, false
}

// allLengths are the prefix lengths of a family.
func allLengths(f Family) []int {
	lengths := make([]int, f.Bits()+1)
	for i := range lengths {
		lengths[i] = i
	}
	return lengths
}
