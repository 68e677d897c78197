package fsck

import (
	"encoding/binary"
	"math/big"
	"math/bits"
	"net/netip"
)

// last returns the highest address of p.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// meter measures what lies between blocks that come in order of their first
// address: the free space of a CIDR, by interval and not by counting.
type meter struct {
	within netip.Prefix
	next   netip.Addr // the first address that no block has reached; invalid: there is none
	free   *big.Int
	n, low big.Int // of add
}

func newMeter(p netip.Prefix) *meter {
	return &meter{within: p, next: p.Addr(), free: new(big.Int)}
}

// pass takes in a block of the CIDR.
func (m *meter) pass(block netip.Prefix) {
	if !m.next.IsValid() {
		return
	}
	if m.next.Less(block.Addr()) {
		m.add(block.Addr().Prev())
	}
	switch end := last(block); {
	case end == last(m.within):
		m.next = netip.Addr{}
	case !end.Less(m.next):
		m.next = end.Next()
	}
}

// end returns the measured space, up to the CIDR's end.
func (m *meter) end() *big.Int {
	if m.next.IsValid() {
		m.add(last(m.within))
	}
	return m.free
}

// add counts the addresses from m.next to the given one.
func (m *meter) add(to netip.Addr) {
	a, b := m.next.As16(), to.As16()
	low, borrow := bits.Sub64(binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(a[8:]), 0)
	high, _ := bits.Sub64(binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(a[:8]), borrow)
	m.n.SetUint64(high)
	m.n.Lsh(&m.n, 64).Add(&m.n, m.low.SetUint64(low)).Add(&m.n, one)
	m.free.Add(m.free, &m.n)
}
