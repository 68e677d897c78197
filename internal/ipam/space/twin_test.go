package space_test

import (
	"math/big"
	"net/netip"
	"slices"

	"go4.org/netipx"

	"github.com/fairlead/fairlead/internal/ipam/space"
)

// twin is the slow, obviously right model: a set of addresses, made anew for
// each change and each question.
type twin struct {
	cidrs []netip.Prefix // in order
	taken *netipx.IPSet
}

// holds says whether the block lies in one CIDR: two CIDRs side by side don't
// hold a block across them.
func (m *twin) holds(p netip.Prefix) bool {
	return slices.ContainsFunc(m.cidrs, func(c netip.Prefix) bool { return within(p, c) })
}

func within(p, c netip.Prefix) bool { return c.Bits() <= p.Bits() && c.Contains(p.Addr()) }

func (m *twin) free(p netip.Prefix) bool { return m.holds(p) && !m.taken.OverlapsPrefix(p) }

func (m *twin) held(p netip.Prefix) bool { return m.holds(p) && m.taken.ContainsPrefix(p) }

func (m *twin) take(p netip.Prefix) {
	b := builder(m.taken)
	b.AddPrefix(p)
	m.taken = set(b)
}

func (m *twin) release(p netip.Prefix) {
	b := builder(m.taken)
	b.RemovePrefix(p)
	m.taken = set(b)
}

// lowest tries every range of free addresses of every region that is allowed.
func (m *twin) lowest(length int, allowed, disallowed []netip.Prefix) (best netip.Prefix, found bool) {
	for _, region := range m.regions(allowed) {
		b := new(netipx.IPSetBuilder)
		b.AddPrefix(region)
		b.RemoveSet(m.taken)
		for _, p := range disallowed {
			b.RemovePrefix(p)
		}
		for _, free := range set(b).Ranges() {
			p, ok := firstIn(free, length)
			if ok && within(p, region) && (!found || p.Addr().Less(best.Addr())) {
				best, found = p, true
			}
		}
	}
	return best, found
}

func (m *twin) regions(allowed []netip.Prefix) []netip.Prefix {
	if len(allowed) == 0 {
		return m.cidrs
	}
	var out []netip.Prefix
	for _, c := range m.cidrs {
		for _, p := range allowed {
			if within(p, c) {
				out = append(out, p)
			} else if within(c, p) {
				out = append(out, c)
			}
		}
	}
	return out
}

// firstIn returns the first aligned block of the length in a range.
func firstIn(r netipx.IPRange, length int) (netip.Prefix, bool) {
	p := netip.PrefixFrom(r.From(), length).Masked()
	if p.Addr() != r.From() {
		next := netipx.RangeOfPrefix(p).To().Next()
		if !next.IsValid() {
			return netip.Prefix{}, false // the address family ends here
		}
		p = netip.PrefixFrom(next, length)
	}
	return p, !r.To().Less(netipx.RangeOfPrefix(p).To())
}

// blocks is what All should yield: the largest blocks within each CIDR.
func (m *twin) blocks() (out []netip.Prefix) {
	for _, c := range m.cidrs {
		b := new(netipx.IPSetBuilder)
		b.AddPrefix(c)
		b.Intersect(m.taken)
		out = append(out, set(b).Prefixes()...)
	}
	return out
}

func builder(s *netipx.IPSet) *netipx.IPSetBuilder {
	b := new(netipx.IPSetBuilder)
	b.AddSet(s)
	return b
}

func set(b *netipx.IPSetBuilder) *netipx.IPSet {
	s, err := b.IPSet()
	if err != nil {
		panic(err)
	}
	return s
}

func addresses(ps []netip.Prefix) *big.Int {
	n := new(big.Int)
	for _, p := range ps {
		n.Add(n, new(big.Int).Lsh(big.NewInt(1), uint(p.Addr().BitLen()-p.Bits())))
	}
	return n
}

// failer is what testing.T, testing.F's T and rapid.T have in common.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// pair is a space and its twin, to which the same is done. What they don't
// agree on fails the test.
type pair struct {
	failer
	s space.Space
	m twin
}

func newPair(f failer) *pair { return &pair{failer: f, m: twin{taken: new(netipx.IPSet)}} }

func (p *pair) addCIDR(c netip.Prefix) {
	want := !slices.ContainsFunc(p.m.cidrs, c.Overlaps)
	if err := p.s.AddCIDR(c); (err == nil) != want {
		p.Fatalf("AddCIDR %v to %v: got %v, want success %v", c, p.m.cidrs, err, want)
	}
	if want {
		p.m.cidrs = append(p.m.cidrs, c)
		slices.SortFunc(p.m.cidrs, netip.Prefix.Compare)
	}
}

func (p *pair) removeCIDR(c netip.Prefix) {
	want := slices.Contains(p.m.cidrs, c) && !p.m.taken.OverlapsPrefix(c)
	if err := p.s.RemoveCIDR(c); (err == nil) != want {
		p.Fatalf("RemoveCIDR %v of %v: got %v, want success %v", c, p.m.cidrs, err, want)
	}
	if want {
		p.m.cidrs = slices.DeleteFunc(p.m.cidrs, func(o netip.Prefix) bool { return o == c })
	}
}

// take also holds the law that to release what was taken undoes it.
func (p *pair) take(b netip.Prefix) {
	want := p.m.free(b)
	if got := p.s.Free(b); got != want {
		p.Fatalf("Free %v: got %v, want %v", b, got, want)
	}
	if err := p.s.Take(b); (err == nil) != want {
		p.Fatalf("Take %v: got %v, want success %v", b, err, want)
	}
	if !want {
		return
	}
	if err := p.s.Release(b); err != nil {
		p.Fatalf("Release %v, which was just taken: %v", b, err)
	}
	p.check()
	if err := p.s.Take(b); err != nil {
		p.Fatalf("Take %v again: %v", b, err)
	}
	p.m.take(b)
}

func (p *pair) release(b netip.Prefix) {
	want := p.m.held(b)
	if err := p.s.Release(b); (err == nil) != want {
		p.Fatalf("Release %v: got %v, want success %v", b, err, want)
	}
	if want {
		p.m.release(b)
	}
}

// lowest compares the answers and returns them.
func (p *pair) lowest(length int, allowed, disallowed []netip.Prefix) (netip.Prefix, bool) {
	want, found := p.m.lowest(length, allowed, disallowed)
	got, ok := p.s.LowestWhere(length, allowed, disallowed)
	if ok != found || got != want {
		p.Fatalf("LowestWhere /%d in %v not %v: got %v, %v; want %v, %v", length, allowed, disallowed, got, ok, want, found)
	}
	if len(allowed)+len(disallowed) == 0 {
		if got, ok := p.s.Lowest(length); ok != found || got != want {
			p.Fatalf("Lowest /%d: got %v, %v; want %v, %v", length, got, ok, want, found)
		}
	}
	return want, found
}

// check compares all that can be read: what is taken, in the largest blocks; the
// counts; and the number of nodes, of which none may be lost or left over.
func (p *pair) check() {
	p.Helper()
	want := p.m.blocks()
	if got := slices.Collect(p.s.All()); !slices.Equal(got, want) {
		p.Fatalf("taken in %v: got %v, want %v", p.m.cidrs, got, want)
	}
	if got := p.s.CIDRs(); !slices.Equal(got, p.m.cidrs) {
		p.Fatalf("CIDRs: got %v, want %v", got, p.m.cidrs)
	}
	if got, want := p.s.Taken(), addresses(want); got.Cmp(want) != 0 {
		p.Fatalf("got %v addresses taken, want %v", got, want)
	}
	if got, want := p.s.Total(), addresses(p.m.cidrs); got.Cmp(want) != 0 {
		p.Fatalf("got %v addresses in %v, want %v", got, p.m.cidrs, want)
	}
	roots := 0
	for _, c := range p.m.cidrs {
		if p.m.taken.OverlapsPrefix(c) {
			roots++
		}
	}
	if used, _ := p.s.Nodes(); used != 2*len(want)-roots {
		p.Fatalf("got %d nodes for %d blocks in %d CIDRs, want %d", used, len(want), roots, 2*len(want)-roots)
	}
}

// rebuild holds the law that a space depends on what is taken alone, not on the
// order or the pieces in which it was.
func (p *pair) rebuild(order func([]netip.Prefix)) {
	again := newPair(p.failer)
	cidrs, blocks := slices.Clone(p.m.cidrs), p.m.blocks()
	order(cidrs)
	order(blocks)
	for _, c := range cidrs {
		again.addCIDR(c)
	}
	for _, b := range blocks {
		if err := again.s.Take(b); err != nil {
			p.Fatalf("Take %v into what is made anew: %v", b, err)
		}
	}
	again.m = p.m
	again.check()
	if len(cidrs) == 0 {
		return
	}
	for length := range cidrs[0].Addr().BitLen() + 1 {
		got, ok := again.s.Lowest(length)
		if want, found := p.s.Lowest(length); ok != found || got != want {
			p.Fatalf("Lowest /%d made anew: got %v, %v; want %v, %v", length, got, ok, want, found)
		}
	}
}
