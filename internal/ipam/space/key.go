package space

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// key is an address with its first bit in the highest bit of hi. IPv4 addresses
// fill the upper half of hi.
type key struct{ hi, lo uint64 }

func keyOf(a netip.Addr) key {
	if a.Is4() {
		b := a.As4()
		return key{hi: uint64(binary.BigEndian.Uint32(b[:])) << 32}
	}
	b := a.As16()
	return key{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// addr is the inverse of keyOf in a family whose addresses have width bits.
func (k key) addr(width uint8) netip.Addr {
	if width == 32 {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(k.hi>>32))
		return netip.AddrFrom4(b)
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], k.hi)
	binary.BigEndian.PutUint64(b[8:], k.lo)
	return netip.AddrFrom16(b)
}

func (k key) less(o key) bool { return k.hi < o.hi || (k.hi == o.hi && k.lo < o.lo) }

// bit returns bit i, counted from the first.
func (k key) bit(i uint8) int {
	if i < 64 {
		return int(k.hi >> (63 - i) & 1)
	}
	return int(k.lo >> (127 - i) & 1)
}

// with returns k with bit i set.
func (k key) with(i uint8) key {
	if i < 64 {
		k.hi |= 1 << (63 - i)
	} else {
		k.lo |= 1 << (127 - i)
	}
	return k
}

// masked returns k with all but the first n bits cleared.
func (k key) masked(n uint8) key {
	if n <= 64 {
		return key{hi: k.hi &^ (1<<(64-n) - 1)}
	}
	return key{hi: k.hi, lo: k.lo &^ (1<<(128-n) - 1)}
}

// common returns how many leading bits k and o share.
func (k key) common(o key) uint8 {
	if x := k.hi ^ o.hi; x != 0 {
		return uint8(bits.LeadingZeros64(x))
	}
	return uint8(64 + bits.LeadingZeros64(k.lo^o.lo))
}

// after returns the first address beyond the block of n bits that begins with k;
// false where the family's addresses end.
func (k key) after(n uint8) (key, bool) {
	var carry uint64
	if n == 0 {
		return key{}, false
	}
	if n > 64 {
		k.lo, carry = bits.Add64(k.lo, 1<<(128-n), 0)
		k.hi, carry = bits.Add64(k.hi, 0, carry)
	} else {
		k.hi, carry = bits.Add64(k.hi, 1<<(64-n), 0)
	}
	return k, carry == 0
}

// size is a count of addresses modulo 2^128: the whole of IPv6 counts 0, as
// nothing does, see big.
type size struct{ hi, lo uint64 }

// sizeOf returns how many addresses a block of n bits has, in a family of width
// bits.
func sizeOf(n, width uint8) size {
	if free := width - n; free < 64 {
		return size{lo: 1 << free}
	} else if free < 128 {
		return size{hi: 1 << (free - 64)}
	}
	return size{} // ::/0
}

func (s *size) add(o size) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, o.lo, 0)
	s.hi, _ = bits.Add64(s.hi, o.hi, carry)
}

func (s *size) sub(o size) {
	var borrow uint64
	s.lo, borrow = bits.Sub64(s.lo, o.lo, 0)
	s.hi, _ = bits.Sub64(s.hi, o.hi, borrow)
}
