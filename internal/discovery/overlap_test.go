package discovery_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/fairlead/fairlead/internal/discovery"
)

// The set answers as a look at each of its members does.
func TestOverlapsAreThoseOfTheSlowTwin(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		// Few bits, so that much overlaps; the whole internet now and then.
		block := func() netip.Prefix {
			if seed%2 == 0 {
				return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(r.IntN(3)), byte(r.IntN(4) * 85), byte(r.IntN(256))}), r.IntN(33)).Masked()
			}
			a := [16]byte{0: 0xfd, 7: byte(r.IntN(3)), 15: byte(r.IntN(256))}
			return netip.PrefixFrom(netip.AddrFrom16(a), 40+r.IntN(89)).Masked()
		}
		vpc := func() string { return fmt.Sprint("vpc-", r.IntN(6)) }
		var members []discovery.Member
		for range r.IntN(14) {
			members = append(members, discovery.NewMember(block(), vpc()))
		}
		set := discovery.NewCIDRSet(members)
		for range 100 {
			p, but := block(), vpc()
			want := slices.ContainsFunc(members, func(m discovery.Member) bool { return m.VPC() != but && m.CIDR().Overlaps(p) })
			if got := set.Overlaps(p, but); got != want {
				t.Fatalf("seed %d: %s, not of %s, among %v: got %v, want %v", seed, p, but, members, got, want)
			}
		}
	}
}
