package space_test

import (
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// world is where a test's prefixes come from: few enough that they meet often.
type world struct {
	name    string
	base    netip.Prefix
	varying []int // the bits, counted from the first, in which addresses differ
	cidrs   []int // lengths of CIDRs
	blocks  []int // lengths of blocks
}

// worlds are dense ones, where blocks become neighbours and pools fill up, at
// the seams of the addresses' representation, and wide ones with long ways down.
var worlds = []world{
	dense("IPv4", "10.0.252.0/22"),
	dense("the end of IPv4", "255.255.252.0/22"),
	dense("the whole of IPv4", "0.0.0.0/0"),
	dense("IPv6", "2001:db8::fc00/118"),
	dense("the end of IPv6", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fc00/118"),
	dense("IPv6 around the 64th bit", "2001:db8:0:ff80::/59"),
	dense("the whole of IPv6", "::/0"),
	{
		"a large IPv4 pool", prefix("10.0.0.0/8"), []int{8, 9, 15, 16, 23, 24, 30, 31},
		[]int{8, 9, 16, 24}, []int{32, 32, 32, 31, 30, 28, 24, 17, 16, 10, 9},
	},
	{
		"a large IPv6 pool", prefix("2001:d000::/20"), []int{20, 21, 47, 62, 63, 64, 65, 66, 126, 127},
		[]int{20, 21, 32, 64, 65}, []int{128, 128, 128, 127, 67, 66, 65, 64, 63, 48, 22, 21},
	},
}

// dense is the 1024 smallest blocks that make up the base.
func dense(name, base string) world {
	w := world{name: name, base: prefix(base)}
	top := w.base.Bits()
	for i := range 10 {
		w.varying = append(w.varying, top+i)
	}
	for _, n := range []int{0, 1, 2, 2, 3, 4, 6} {
		w.cidrs = append(w.cidrs, top+n)
	}
	for _, n := range []int{10, 10, 10, 9, 8, 7, 6, 4, 2, 1, 0} {
		w.blocks = append(w.blocks, top+n)
	}
	return w
}

// at returns the prefix of the length whose varying bits are those of n, the
// last of them the lowest.
func (w world) at(n uint16, length int) netip.Prefix {
	b := w.base.Addr().AsSlice()
	for i, bit := range w.varying {
		if n>>(len(w.varying)-1-i)&1 != 0 {
			b[bit/8] |= 0x80 >> (bit % 8)
		}
	}
	a, _ := netip.AddrFromSlice(b)
	return netip.PrefixFrom(a, length).Masked()
}

func (w world) some(lengths []int) *rapid.Generator[netip.Prefix] {
	return rapid.Custom(func(t *rapid.T) netip.Prefix {
		n := rapid.Uint16Range(0, 1<<len(w.varying)-1).Draw(t, "n")
		if rapid.Bool().Draw(t, "from the end") {
			n = 1<<len(w.varying) - 1 - n
		}
		return w.at(n, rapid.SampledFrom(lengths).Draw(t, "length"))
	})
}

func TestSpaceAgreesWithItsTwin(t *testing.T) {
	for _, w := range worlds {
		t.Run(w.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { compare(t, w) })
		})
	}
}

func compare(t *rapid.T, w world) {
	p := newPair(t)
	cidr, block, either := w.some(w.cidrs), w.some(w.blocks), w.some(slices.Concat(w.cidrs, w.blocks))
	for range rapid.IntRange(0, 3).Draw(t, "CIDRs at first") {
		p.addCIDR(cidr.Draw(t, "CIDR"))
	}
	t.Repeat(map[string]func(*rapid.T){
		"add a CIDR":    func(t *rapid.T) { p.addCIDR(cidr.Draw(t, "CIDR")) },
		"remove a CIDR": func(t *rapid.T) { p.removeCIDR(cidr.Draw(t, "CIDR")) },
		"take":          func(t *rapid.T) { p.take(block.Draw(t, "block")) },
		"release":       func(t *rapid.T) { p.release(block.Draw(t, "block")) },
		"take the lowest": func(t *rapid.T) {
			length := rapid.SampledFrom(w.blocks).Draw(t, "length")
			for range rapid.IntRange(1, 4).Draw(t, "how many") {
				if b, found := p.lowest(length, nil, nil); found {
					p.take(b)
				}
			}
		},
		"take the lowest where it may be": func(t *rapid.T) {
			length := rapid.SampledFrom(w.blocks).Draw(t, "length")
			allowed := rapid.SliceOfN(either, 0, 3).Draw(t, "allowed")
			disallowed := rapid.SliceOfN(either, 0, 3).Draw(t, "disallowed")
			if b, found := p.lowest(length, allowed, disallowed); found {
				p.take(b)
			}
		},
		"release what is taken": func(t *rapid.T) {
			if taken := p.m.blocks(); len(taken) > 0 {
				p.release(rapid.SampledFrom(taken).Draw(t, "block"))
			}
		},
		"": func(t *rapid.T) { p.check() },
	})
	for _, n := range w.blocks {
		p.lowest(n, nil, nil)
	}
	p.rebuild(slices.Reverse)
}

// FuzzSpace reads a script of four bytes an operation: what to do, the length
// and which block. The first byte chooses the world.
func FuzzSpace(f *testing.F) {
	f.Add([]byte("\x00" + "\x00\x00\x00\x00" + "\x02\x00\x00\x01" + "\x02\x00\x00\x00" + "\x03\x03\x00\x00"))
	f.Add([]byte("\x05" + "\x00\x02\x00\x00" + "\x04\x00\x00\x00" + "\x04\x05\x00\x00" + "\x05\x03\x00\x01"))
	f.Add([]byte("\x08" + "\x00\x00\x00\x00" + "\x02\x00\x03\xff" + "\x02\x02\x00\x00" + "\x04\x0a\x00\x00" + "\x01\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) == 0 || len(script) > 1+4*64 {
			return
		}
		w := worlds[int(script[0])%len(worlds)]
		p := newPair(t)
		for op := range slices.Chunk(script[1:], 4) {
			if len(op) < 4 {
				break
			}
			n := uint16(op[2])<<8 | uint16(op[3])
			cidr := w.at(n, w.cidrs[int(op[1])%len(w.cidrs)])
			block := w.at(n, w.blocks[int(op[1])%len(w.blocks)])
			switch op[0] % 7 {
			case 0:
				p.addCIDR(cidr)
			case 1:
				p.removeCIDR(cidr)
			case 2:
				p.take(block)
			case 3:
				p.release(block)
			case 4:
				if b, found := p.lowest(block.Bits(), nil, nil); found {
					p.take(b)
				}
			case 5:
				p.lowest(block.Bits(), []netip.Prefix{cidr, block}, nil)
			case 6:
				p.lowest(block.Bits(), nil, []netip.Prefix{block, cidr})
			}
			p.check()
		}
		p.rebuild(slices.Reverse)
	})
}
