package space_test

import (
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/internal/ipam/space"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func prefixes(ss ...string) (out []netip.Prefix) {
	for _, s := range ss {
		out = append(out, prefix(s))
	}
	return out
}

func build(t *testing.T, cidrs, taken []string) *space.Space {
	t.Helper()
	s := new(space.Space)
	for _, c := range cidrs {
		if err := s.AddCIDR(prefix(c)); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range taken {
		if err := s.Take(prefix(p)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// I3: the lowest free block first, in the order of the CIDRs.
func TestLowestFreeBlockFirst(t *testing.T) {
	for name, c := range map[string]struct {
		cidrs, taken []string
		length       int
		want         string
	}{
		"an empty pool":                  {[]string{"192.0.2.144/29"}, nil, 32, "192.0.2.144/32"},
		"after the first":                {[]string{"192.0.2.144/29"}, []string{"192.0.2.144/32"}, 32, "192.0.2.145/32"},
		"a gap":                          {[]string{"192.0.2.144/29"}, []string{"192.0.2.144/31", "192.0.2.147/32"}, 32, "192.0.2.146/32"},
		"aligned":                        {[]string{"192.0.2.144/29"}, []string{"192.0.2.144/32"}, 31, "192.0.2.146/31"},
		"the second CIDR":                {[]string{"10.0.1.0/30", "10.0.0.0/30"}, []string{"10.0.0.0/30"}, 32, "10.0.1.0/32"},
		"a CIDR that is too small":       {[]string{"10.0.0.0/30", "10.1.0.0/24"}, nil, 28, "10.1.0.0/28"},
		"full":                           {[]string{"192.0.2.144/29"}, []string{"192.0.2.144/30", "192.0.2.148/30"}, 32, ""},
		"too large":                      {[]string{"192.0.2.144/29"}, nil, 28, ""},
		"fragmented":                     {[]string{"10.0.0.0/30"}, []string{"10.0.0.1/32", "10.0.0.2/32"}, 31, ""},
		"the last address of the family": {[]string{"255.255.255.254/31"}, []string{"255.255.255.254/32"}, 32, "255.255.255.255/32"},
		"IPv6":                           {[]string{"2001:db8::/32"}, []string{"2001:db8::/64"}, 64, "2001:db8:0:1::/64"},
		"IPv6, one address":              {[]string{"2001:db8::/32"}, []string{"2001:db8::/127"}, 128, "2001:db8::2/128"},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := build(t, c.cidrs, c.taken).Lowest(c.length)
			if want := c.want != ""; ok != want || (ok && got != prefix(c.want)) {
				t.Errorf("got %v, %v; want %q", got, ok, c.want)
			}
		})
	}
}

func TestErrorsNameTheBlock(t *testing.T) {
	s := build(t, []string{"10.0.0.0/24"}, []string{"10.0.0.16/28"})
	for name, c := range map[string]struct {
		err  error
		want error
	}{
		"outside":             {s.Take(prefix("10.0.1.0/32")), space.ErrOutside},
		"larger than a CIDR":  {s.Take(prefix("10.0.0.0/23")), space.ErrOutside},
		"taken inside":        {s.Take(prefix("10.0.0.0/27")), space.ErrTaken},
		"inside what's taken": {s.Take(prefix("10.0.0.17/32")), space.ErrTaken},
		"other family":        {s.Take(prefix("::/128")), space.ErrInvalid},
		"host bits":           {s.Take(netip.MustParsePrefix("10.0.0.1/24")), space.ErrInvalid},
		"free release":        {s.Release(prefix("10.0.0.0/32")), space.ErrNotTaken},
		"half taken release":  {s.Release(prefix("10.0.0.0/27")), space.ErrNotTaken},
		"overlapping CIDR":    {s.AddCIDR(prefix("10.0.0.128/25")), space.ErrOverlap},
		"covering CIDR":       {s.AddCIDR(prefix("10.0.0.0/8")), space.ErrOverlap},
		"other family's CIDR": {s.AddCIDR(prefix("2001:db8::/32")), space.ErrInvalid},
		"CIDR in use":         {s.RemoveCIDR(prefix("10.0.0.0/24")), space.ErrTaken},
		"no such CIDR":        {s.RemoveCIDR(prefix("10.0.0.0/25")), space.ErrOutside},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: got %v, want %v", name, c.err, c.want)
		}
	}
	if got, want := s.RemoveCIDR(prefix("10.0.0.0/24")).Error(), "10.0.0.0/24: 10.0.0.16/28 is taken, wholly or in part"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNeighboursMakeUpOneBlock(t *testing.T) {
	s := build(t, []string{"10.0.0.0/24"}, []string{"10.0.0.1/32", "10.0.0.3/32", "10.0.0.0/32", "10.0.0.2/32", "10.0.0.8/32"})
	if diff := cmp.Diff(prefixes("10.0.0.0/30", "10.0.0.8/32"), slices.Collect(s.All()), cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Error(diff)
	}
}

// twin is the slow, obviously right model: a bool per address of a few small
// CIDRs in one /22 (or its IPv6 likeness).
type twin struct {
	base  netip.Addr
	width int // bits of an address
	in    [universe]bool
	taken [universe]bool
}

const universe = 1024

func (m *twin) at(p netip.Prefix) (from, to int) {
	a, b := p.Addr().As16(), m.base.As16()
	for i := range a {
		from = from<<8 + int(a[i]) - int(b[i])
	}
	return from, from + 1<<(m.width-p.Bits())
}

func (m *twin) all(p netip.Prefix, want func(i int) bool) bool {
	from, to := m.at(p)
	if from < 0 || to > universe {
		return false
	}
	for i := from; i < to; i++ {
		if !want(i) {
			return false
		}
	}
	return true
}

func (m *twin) block(from, bits int) netip.Prefix {
	a := m.base.As16()
	n := new(big.Int).SetBytes(a[:])
	n.Add(n, big.NewInt(int64(from)))
	b := n.FillBytes(make([]byte, 16))
	addr, _ := netip.AddrFromSlice(b)
	if m.width == 32 {
		addr, _ = netip.AddrFromSlice(b[12:])
	}
	return netip.PrefixFrom(addr, bits)
}

func newTwin(v6 bool) *twin {
	if v6 {
		return &twin{base: netip.MustParseAddr("2001:db8::fc00"), width: 128}
	}
	return &twin{base: netip.MustParseAddr("10.0.252.0"), width: 32}
}

func TestSpaceAgreesWithItsTwin(t *testing.T) {
	for name, v6 := range map[string]bool{"IPv4": false, "IPv6": true} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { compare(t, v6) })
		})
	}
}

func compare(t *rapid.T, v6 bool) {
	m, s := newTwin(v6), new(space.Space)
	cidrs := map[netip.Prefix]bool{}
	anyBlock := rapid.Custom(func(t *rapid.T) netip.Prefix {
		bits := m.width - rapid.SampledFrom([]int{0, 0, 0, 1, 2, 3, 4, 6, 8}).Draw(t, "size")
		size := 1 << (m.width - bits)
		return m.block(rapid.IntRange(0, universe/size-1).Draw(t, "n")*size, bits)
	})
	someCIDR := func(t *rapid.T) netip.Prefix {
		bits := m.width - rapid.IntRange(3, 9).Draw(t, "cidr size")
		size := 1 << (m.width - bits)
		return m.block(rapid.IntRange(0, universe/size-1).Draw(t, "cidr n")*size, bits)
	}
	free := func(i int) bool { return m.in[i] && !m.taken[i] }
	t.Repeat(map[string]func(*rapid.T){
		"add a CIDR": func(t *rapid.T) {
			p := someCIDR(t)
			want := m.all(p, func(i int) bool { return !m.in[i] })
			if err := s.AddCIDR(p); (err == nil) != want {
				t.Fatalf("AddCIDR %v: got %v, want success %v", p, err, want)
			}
			if want {
				from, to := m.at(p)
				for i := from; i < to; i++ {
					m.in[i] = true
				}
				cidrs[p] = true
			}
		},
		"remove a CIDR": func(t *rapid.T) {
			p := someCIDR(t)
			want := cidrs[p] && m.all(p, func(i int) bool { return !m.taken[i] })
			if err := s.RemoveCIDR(p); (err == nil) != want {
				t.Fatalf("RemoveCIDR %v: got %v, want success %v", p, err, want)
			}
			if want {
				from, to := m.at(p)
				for i := from; i < to; i++ {
					m.in[i] = false
				}
				delete(cidrs, p)
			}
		},
		"take": func(t *rapid.T) {
			p := anyBlock.Draw(t, "block")
			want := m.oneCIDR(cidrs, p) && m.all(p, free)
			if got := s.Free(p); got != want {
				t.Fatalf("Free %v: got %v, want %v", p, got, want)
			}
			if err := s.Take(p); (err == nil) != want {
				t.Fatalf("Take %v: got %v, want success %v", p, err, want)
			}
			if want {
				m.set(p, true)
			}
		},
		"release": func(t *rapid.T) {
			p := anyBlock.Draw(t, "block")
			want := m.oneCIDR(cidrs, p) && m.all(p, func(i int) bool { return m.taken[i] })
			if err := s.Release(p); (err == nil) != want {
				t.Fatalf("Release %v: got %v, want success %v", p, err, want)
			}
			if want {
				m.set(p, false)
			}
		},
		"take the lowest": func(t *rapid.T) {
			bits := m.width - rapid.IntRange(0, 7).Draw(t, "size")
			allowed := rapid.SliceOfN(anyBlock, 0, 2).Draw(t, "allowed")
			disallowed := rapid.SliceOfN(anyBlock, 0, 3).Draw(t, "disallowed")
			want, found := m.lowest(cidrs, bits, allowed, disallowed)
			got, ok := s.LowestWhere(bits, allowed, disallowed)
			if ok != found || got != want {
				t.Fatalf("LowestWhere /%d in %v not %v: got %v, %v; want %v, %v", bits, allowed, disallowed, got, ok, want, found)
			}
			if len(allowed)+len(disallowed) == 0 {
				if again, ok := s.Lowest(bits); ok != found || again != want {
					t.Fatalf("Lowest /%d: got %v, %v; want %v, %v", bits, again, ok, want, found)
				}
			}
			if found {
				if err := s.Take(got); err != nil {
					t.Fatalf("Take %v: %v", got, err)
				}
				m.set(got, true)
			}
		},
		"": func(t *rapid.T) { m.check(t, s, cidrs) },
	})
}

// oneCIDR says whether the block lies in one CIDR: two CIDRs side by side don't
// hold a block across them.
func (m *twin) oneCIDR(cidrs map[netip.Prefix]bool, p netip.Prefix) bool {
	for c := range cidrs {
		if c.Bits() <= p.Bits() && c.Contains(p.Addr()) {
			return true
		}
	}
	return false
}

func (m *twin) set(p netip.Prefix, taken bool) {
	from, to := m.at(p)
	for i := from; i < to; i++ {
		m.taken[i] = taken
	}
}

func (m *twin) lowest(cidrs map[netip.Prefix]bool, bits int, allowed, disallowed []netip.Prefix) (netip.Prefix, bool) {
	size := 1 << (m.width - bits)
	for from := 0; from < universe; from += size {
		p := m.block(from, bits)
		inside := func(c netip.Prefix) bool { return c.Bits() <= bits && c.Contains(p.Addr()) }
		if m.oneCIDR(cidrs, p) && m.all(p, func(i int) bool { return m.in[i] && !m.taken[i] }) &&
			(len(allowed) == 0 || slices.ContainsFunc(allowed, inside)) && !slices.ContainsFunc(disallowed, p.Overlaps) {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

// check holds the laws: what is taken is the same, held and free make up what is
// provisioned, and rebuilding from nothing gives an equal space.
func (m *twin) check(t *rapid.T, s *space.Space, cidrs map[netip.Prefix]bool) {
	var taken, in int64
	for i := range universe {
		if m.taken[i] {
			taken++
		}
		if m.in[i] {
			in++
		}
	}
	if s.Taken().Int64() != taken || s.Total().Int64() != in {
		t.Fatalf("got %v of %v taken, want %d of %d", s.Taken(), s.Total(), taken, in)
	}
	rebuilt := new(space.Space)
	for _, c := range s.CIDRs() {
		if !cidrs[c] {
			t.Fatalf("CIDR %v was not added", c)
		}
		if err := rebuilt.AddCIDR(c); err != nil {
			t.Fatal(err)
		}
	}
	all := slices.Collect(s.All())
	for i := len(all) - 1; i >= 0; i-- { // the order of taking is irrelevant
		if !m.all(all[i], func(i int) bool { return m.taken[i] }) {
			t.Fatalf("%v is said to be taken", all[i])
		}
		if err := rebuilt.Take(all[i]); err != nil {
			t.Fatal(err)
		}
	}
	if again := slices.Collect(rebuilt.All()); !slices.Equal(all, again) {
		t.Fatalf("rebuilt: got %v, want %v", again, all)
	}
}

func TestALargeEmptyPoolCostsNothing(t *testing.T) {
	s := build(t, []string{"2001::/20"}, nil)
	got := testing.AllocsPerRun(100, func() {
		p, ok := s.Lowest(128)
		if !ok {
			t.Fatal("no free address")
		}
		_ = s.Take(p)
		_ = s.Release(p)
	})
	if got > 4 {
		t.Errorf("a draw and a release allocate %v times", got)
	}
}

func ExampleSpace() {
	var s space.Space
	_ = s.AddCIDR(netip.MustParsePrefix("192.0.2.144/29"))
	for range 3 {
		p, _ := s.Lowest(32)
		_ = s.Take(p)
		fmt.Println(p)
	}
	// Output:
	// 192.0.2.144/32
	// 192.0.2.145/32
	// 192.0.2.146/32
}
