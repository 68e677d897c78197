package vpc

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"strconv"

	"github.com/fairlead/fairlead/internal/store"
)

// The host addresses of a subnet are kept as a bit each, 256 to a page, the
// pages being records of their own; the subnet knows which pages are full.
// So the lowest free address is found with two reads by key, whatever the
// subnet's size and however full it is, and both are guarded: there is no index
// beside the records that could be behind them.

// reservedHosts are the addresses of a subnet that nobody gets: the first four
// (network, router, DNS, future use) and the last (Amazon VPC, subnet sizing).
const reservedHosts = 5

const pageSize = 256 // addresses

// page says which of 256 things are taken.
type page [pageSize / 64]uint64

func (p page) has(i int) bool { return p[i/64]&(1<<(i%64)) != 0 }
func (p *page) set(i int)     { p[i/64] |= 1 << (i % 64) }
func (p *page) clear(i int)   { p[i/64] &^= 1 << (i % 64) }
func (p page) full() bool     { _, free := p.lowest(); return !free }
func (p page) lowest() (n int, free bool) {
	for w, word := range p {
		if word != ^uint64(0) {
			return 64*w + bits.TrailingZeros64(^word), true
		}
	}
	return 0, false
}

// hosts returns how many addresses an IPv4 prefix has.
func hosts(p netip.Prefix) int { return 1 << (32 - p.Bits()) }

// emptyPage returns a subnet's nth page when no interface is in it: what is
// reserved, and what lies beyond a subnet smaller than a page, is taken.
func emptyPage(cidr netip.Prefix, n int) page {
	var p page
	first, last := n*pageSize, hosts(cidr)-1
	for i := range pageSize {
		if h := first + i; h < reservedHosts-1 || h >= last {
			p.set(i)
		}
	}
	return p
}

// addressAt returns the nth address of an IPv4 prefix.
func addressAt(p netip.Prefix, n int) netip.Addr {
	a := p.Masked().Addr().As4()
	binary.BigEndian.PutUint32(a[:], binary.BigEndian.Uint32(a[:])+uint32(n))
	return netip.AddrFrom4(a)
}

// indexOf is the inverse of addressAt.
func indexOf(p netip.Prefix, a netip.Addr) int {
	base, at := p.Masked().Addr().As4(), a.As4()
	return int(binary.BigEndian.Uint32(at[:]) - binary.BigEndian.Uint32(base[:]))
}

func pageKey(subnetID string, n int) string { return subnetID + "/" + strconv.Itoa(n) }

func (s *Service) page(tx *store.Tx, n Subnet, number int) page {
	if p, ok := s.pages.Get(tx, pageKey(n.ID, number)); ok {
		return p
	}
	return emptyPage(n.CIDR, number)
}

// takeLowest takes the subnet's lowest free address, and writes the subnet.
// ErrSubnetFull.
func (s *Service) takeLowest(tx *store.Tx, n *Subnet) (netip.Addr, error) {
	number, ok := n.FullPages.lowest()
	if n.FreeAddresses() <= 0 || !ok {
		return netip.Addr{}, fail(NoFreeAddress, KindSubnet, "The specified subnet does not have enough free addresses to satisfy the request.")
	}
	p := s.page(tx, *n, number)
	i, _ := p.lowest()
	s.markTaken(tx, n, number, p, i)
	return addressAt(n.CIDR, number*pageSize+i), nil
}

// takeHost takes an address of the subnet that is free, and writes the subnet.
// AddressInUse, or InvalidValue for an address that nobody gets there.
func (s *Service) takeHost(tx *store.Tx, n *Subnet, a netip.Addr) error {
	if !n.CIDR.Contains(a) {
		return fail(InvalidValue, KindInterface, "Address %s does not fall within the subnet's address range", a)
	}
	h := indexOf(n.CIDR, a)
	if h < reservedHosts-1 || h == hosts(n.CIDR)-1 {
		return fail(InvalidValue, KindInterface, "Address %s is in subnet's reserved address range", a)
	}
	number, i := h/pageSize, h%pageSize
	p := s.page(tx, *n, number)
	if p.has(i) {
		return fail(AddressInUse, KindInterface, "Address %s is in use.", a)
	}
	s.markTaken(tx, n, number, p, i)
	return nil
}

// markTaken writes the page with its ith address taken, and the subnet.
func (s *Service) markTaken(tx *store.Tx, n *Subnet, number int, p page, i int) {
	p.set(i)
	s.pages.Put(tx, pageKey(n.ID, number), p)
	n.Held++
	if p.full() {
		n.FullPages.set(number)
	}
	s.subnets.Put(tx, n.ID, *n)
}

// returnHost makes an address of the subnet free again, and writes the subnet.
func (s *Service) returnHost(tx *store.Tx, n *Subnet, a netip.Addr) {
	h := indexOf(n.CIDR, a)
	number, i := h/pageSize, h%pageSize
	p := s.page(tx, *n, number)
	if !p.has(i) {
		return
	}
	p.clear(i)
	if p == emptyPage(n.CIDR, number) {
		s.pages.Delete(tx, pageKey(n.ID, number))
	} else {
		s.pages.Put(tx, pageKey(n.ID, number), p)
	}
	n.Held--
	n.FullPages.clear(number)
	s.subnets.Put(tx, n.ID, *n)
}
