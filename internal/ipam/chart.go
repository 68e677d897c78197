package ipam

import (
	"math"
	"math/bits"
	"net/netip"

	"github.com/fairlead/fairlead/internal/store"
)

// Chart is a picture of a part of a pool: who holds what, in equal cells.
type Chart struct {
	Pool   Pool
	Within netip.Prefix
	Cells  []Cell // in order of address; a power of two of them

	Blocks []Allocation // those that share an address with Within, in order, held and cooling; at most as many as asked for
	More   int          // how many others there are
}

// Cell is one of the equal parts of a Chart.
type Cell struct {
	CIDR    netip.Prefix
	Outside bool         // no part of it belongs to the pool
	Taken   float64      // the share that is held or cooling, 0 to 1
	Cooling float64      // the share that is cooling
	Blocks  int          // that share an address with it
	Type    ResourceType // of the holders; "" if there are none, or of several types
}

// MaxCells is the most cells that a chart has.
const MaxCells = 1 << 14

// Chart draws the part of a pool that lies in within, in at most so many cells,
// with the first limit blocks. It costs the number of the blocks there.
func (s *Service) Chart(r store.Reader, p Pool, within netip.Prefix, cells, limit int) Chart {
	within = within.Masked()
	cells = min(max(cells, 1), MaxCells)
	cut := min(within.Bits()+bits.Len(uint(cells))-1, within.Addr().BitLen())
	c := Chart{Pool: p, Within: within, Cells: make([]Cell, 0, 1<<(cut-within.Bits()))}
	for a, n := within.Addr(), 0; n < cap(c.Cells); n++ {
		cell := netip.PrefixFrom(a, cut)
		c.Cells = append(c.Cells, Cell{CIDR: cell, Outside: true})
		a = last(cell).Next()
	}
	for _, cidr := range s.CIDRs(r, p.ID, "") {
		if cidr.State == FailedProvision {
			continue
		}
		for i := range c.over(cidr.CIDR) {
			c.Cells[i].Outside = false
		}
	}
	for _, a := range s.allocationsWithin(r, p.ID, s.reaching(r, p.ID, within)) {
		if !a.CIDR.Overlaps(within) {
			continue
		}
		if len(c.Blocks) < limit {
			c.Blocks = append(c.Blocks, a)
		} else {
			c.More++
		}
		for i := range c.over(a.CIDR) {
			c.Cells[i].add(a)
		}
	}
	return c
}

// reaching returns within, or the block that contains it.
func (s *Service) reaching(r store.Reader, pool string, within netip.Prefix) netip.Prefix {
	for n := within.Bits() - 1; n >= 0; n-- {
		outer := netip.PrefixFrom(within.Addr(), n).Masked()
		if a, ok := s.allocs.Get(r, blockKey(pool, outer.Addr())); ok && a.CIDR == outer {
			return outer
		}
	}
	return within
}

// over yields the cells that share an address with p.
func (c *Chart) over(p netip.Prefix) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		if !p.Overlaps(c.Within) {
			return
		}
		first, n := 0, len(c.Cells)
		if p.Bits() > c.Within.Bits() {
			cut := c.Cells[0].CIDR.Bits()
			first = field(p.Addr(), c.Within.Bits(), cut)
			n = 1 << max(cut-p.Bits(), 0)
		}
		for i := first; i < first+n; i++ {
			if !yield(i) {
				return
			}
		}
	}
}

// field returns the bits of a from one position on to another, which are few.
func field(a netip.Addr, from, to int) int {
	b := a.AsSlice()
	v := 0
	for i := from; i < to; i++ {
		v = v<<1 | int(b[i/8]>>(7-i%8)&1)
	}
	return v
}

func (c *Cell) add(a Allocation) {
	share := math.Ldexp(1, min(c.CIDR.Bits()-a.CIDR.Bits(), 0))
	if c.Blocks == 0 {
		c.Type = a.Holder.Type
	} else if c.Type != a.Holder.Type {
		c.Type = ""
	}
	c.Blocks++
	c.Taken += share
	if a.State == Cooling {
		c.Cooling += share
	}
}
