package space_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"

	"github.com/fairlead/fairlead/internal/ipam/space"
)

const million = 1_000_000

func address(n uint32) netip.Prefix {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], 10<<24|n)
	return netip.PrefixFrom(netip.AddrFrom4(b), 32)
}

// fills are ways to have a million addresses of a /8 taken. Every second one, in
// order, is the slowest to search that was found: it has the longest way down,
// over nodes that lie powers of two apart, as caches like least. The same
// addresses taken in random order are searched in half the time.
var fills = []struct {
	name string
	nth  func(i uint32) uint32
}{
	{"dense", func(i uint32) uint32 { return i }},
	{"every second", func(i uint32) uint32 { return 2*i + 1 }},
	{"scattered", func(i uint32) uint32 { return (i * 2654435761) >> 8 }},
}

func filled(b *testing.B, nth func(uint32) uint32) *space.Space {
	b.Helper()
	s := new(space.Space)
	if err := s.AddCIDR(netip.MustParsePrefix("10.0.0.0/8")); err != nil {
		b.Fatal(err)
	}
	for i, n := uint32(0), 0; n < million; i++ {
		if s.Take(address(nth(i)&0xffffff)) == nil {
			n++
		}
	}
	return s
}

func BenchmarkLowestInASlash8WithAMillionTaken(b *testing.B) {
	for _, f := range fills {
		b.Run(f.name, func(b *testing.B) {
			s := filled(b, f.nth)
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := s.Lowest(32); !ok {
					b.Fatal("no free address")
				}
			}
		})
	}
}

// A long way down in bits is a short one in nodes.
func BenchmarkLowestAddressInIPv6(b *testing.B) {
	s := new(space.Space)
	if err := s.AddCIDR(prefix("2001:d000::/20")); err != nil {
		b.Fatal(err)
	}
	for _, p := range prefixes("2001:d000::/128", "2001:d000:0:1::/64", "2001:d800::/32") {
		if err := s.Take(p); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, ok := s.Lowest(128); !ok {
			b.Fatal("no free address")
		}
	}
}

func BenchmarkTakeAndRelease(b *testing.B) {
	for _, f := range fills {
		b.Run(f.name, func(b *testing.B) {
			s := filled(b, f.nth)
			r := rand.New(rand.NewPCG(1, 2))
			b.ReportAllocs()
			for b.Loop() {
				p := address(r.Uint32() & 0xffffff)
				if s.Take(p) == nil {
					_ = s.Release(p)
				}
			}
		})
	}
}

func BenchmarkMemoryPerAllocation(b *testing.B) {
	for _, f := range fills {
		b.Run(f.name, func(b *testing.B) {
			for b.Loop() {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				s := filled(b, f.nth)
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/million, "B/allocation")
				runtime.KeepAlive(s)
			}
		})
	}
}
