package space_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

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
		"4-in-6":              {s.Take(netip.MustParsePrefix("::ffff:10.0.0.0/120")), space.ErrInvalid},
		"no prefix":           {s.Take(netip.Prefix{}), space.ErrInvalid},
		"4-in-6 CIDR":         {new(space.Space).AddCIDR(netip.MustParsePrefix("::ffff:10.0.0.0/120")), space.ErrInvalid},
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

// I3, of LowestWhere.
func TestLowestAmongTheAllowedFirst(t *testing.T) {
	cidrs := []string{"10.0.0.0/24", "10.0.1.0/24", "255.255.255.0/24"}
	for name, c := range map[string]struct {
		taken, allowed, disallowed []string
		length                     int
		want                       string
	}{
		"nothing is asked for":                    {nil, nil, nil, 28, "10.0.0.0/28"},
		"allowed in any order":                    {nil, []string{"10.0.1.0/28", "10.0.0.64/28"}, nil, 28, "10.0.0.64/28"},
		"an allowed block that is taken":          {[]string{"10.0.0.64/28"}, []string{"10.0.1.0/28", "10.0.0.64/28"}, nil, 28, "10.0.1.0/28"},
		"allowed holds several CIDRs":             {[]string{"10.0.0.0/24"}, []string{"10.0.0.0/16"}, nil, 28, "10.0.1.0/28"},
		"allowed is smaller than the block":       {nil, []string{"10.0.0.0/29", "10.0.0.8/29"}, nil, 28, ""},
		"allowed is outside":                      {nil, []string{"10.0.2.0/24"}, nil, 28, ""},
		"disallowed holds the block":              {nil, nil, []string{"10.0.0.0/25"}, 28, "10.0.0.128/28"},
		"disallowed lies in the block":            {nil, nil, []string{"10.0.0.5/32"}, 28, "10.0.0.16/28"},
		"disallowed holds a CIDR":                 {nil, nil, []string{"10.0.0.0/24"}, 28, "10.0.1.0/28"},
		"a taken block behind a disallowed one":   {[]string{"10.0.0.16/28"}, nil, []string{"10.0.0.0/28"}, 28, "10.0.0.32/28"},
		"disallowed cuts allowed":                 {nil, []string{"10.0.0.0/26"}, []string{"10.0.0.0/27", "10.0.0.32/28"}, 28, "10.0.0.48/28"},
		"disallowed fills allowed":                {nil, []string{"10.0.0.0/27"}, []string{"10.0.0.0/28", "10.0.0.16/28"}, 28, ""},
		"disallowed to the end of the family":     {nil, []string{"255.255.255.128/25"}, []string{"255.255.255.128/25"}, 28, ""},
		"all but the family's last block":         {nil, []string{"255.255.255.224/27"}, []string{"255.255.255.224/28"}, 28, "255.255.255.240/28"},
		"the other family disallows nothing":      {nil, nil, []string{"::/0", "::ffff:10.0.0.0/104"}, 28, "10.0.0.0/28"},
		"the other family allows nothing":         {nil, []string{"::/0"}, nil, 28, ""},
		"what isn't masked disallows nothing":     {nil, nil, []string{"10.0.0.1/24"}, 28, "10.0.0.0/28"},
		"a length that the family doesn't have":   {nil, nil, nil, 33, ""},
		"a length that no family has":             {nil, nil, nil, -1, ""},
		"several allowed, and one of them is big": {[]string{"10.0.0.0/25"}, []string{"10.0.1.0/24", "10.0.0.192/26", "10.0.0.0/24"}, nil, 28, "10.0.0.128/28"},
	} {
		t.Run(name, func(t *testing.T) {
			s := build(t, cidrs, c.taken)
			got, ok := s.LowestWhere(c.length, prefixes(c.allowed...), prefixes(c.disallowed...))
			if want := c.want != ""; ok != want || (ok && got != prefix(c.want)) {
				t.Errorf("got %v, %v; want %q", got, ok, c.want)
			}
		})
	}
}

func TestTheZeroSpaceHasNothing(t *testing.T) {
	var s space.Space
	if got, ok := s.Lowest(32); ok {
		t.Errorf("Lowest: got %v", got)
	}
	if got, ok := s.LowestWhere(32, nil, nil); ok {
		t.Errorf("LowestWhere: got %v", got)
	}
	if s.Free(prefix("10.0.0.0/32")) {
		t.Error("an address is free")
	}
	if err := s.Take(prefix("10.0.0.0/32")); !errors.Is(err, space.ErrOutside) {
		t.Errorf("Take: got %v, want %v", err, space.ErrOutside)
	}
	if s.Total().Sign() != 0 || s.Taken().Sign() != 0 || len(s.CIDRs()) != 0 {
		t.Errorf("got %v of %v in %v", s.Taken(), s.Total(), s.CIDRs())
	}
}

func TestAllStopsWhenAsked(t *testing.T) {
	s := build(t, []string{"10.0.0.0/24", "10.0.1.0/24"}, []string{"10.0.0.0/32", "10.0.0.2/32", "10.0.1.0/32"})
	for n := 1; n <= 3; n++ {
		var got []netip.Prefix
		for p := range s.All() {
			if got = append(got, p); len(got) == n {
				break
			}
		}
		if want := prefixes("10.0.0.0/32", "10.0.0.2/32", "10.0.1.0/32")[:n]; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

// Memory follows what is taken, not what once was: neither after addresses were
// given back nor after neighbours became one block.
func TestMemoryIsGivenBack(t *testing.T) {
	const n = 20_000
	for name, end := range map[string]func(*space.Space, uint32) error{
		"released": func(s *space.Space, i uint32) error { return s.Release(address(2 * i)) },
		"filled":   func(s *space.Space, i uint32) error { return s.Take(address(2*i + 1)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := build(t, []string{"10.0.0.0/8"}, nil)
			for i := range uint32(n) {
				if err := s.Take(address(2 * i)); err != nil {
					t.Fatal(err)
				}
			}
			if used, _ := s.Nodes(); used != 2*n-1 {
				t.Fatalf("got %d nodes for %d scattered addresses, want %d", used, n, 2*n-1)
			}
			for i := range uint32(n) {
				if err := end(s, i); err != nil {
					t.Fatal(err)
				}
			}
			if used, kept := s.Nodes(); used > 10 || kept > 1024 {
				t.Errorf("%d nodes are used and %d kept, for %v", used, kept, slices.Collect(s.All()))
			}
		})
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
