package ipam_test

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/internal/ipam"
)

// model is a pool as a list of blocks, looked through from the start each time.
type model struct {
	cidrs []netip.Prefix
	held  map[netip.Prefix]ipam.Allocation
}

func (m *model) free(p netip.Prefix) bool {
	inside := slices.ContainsFunc(m.cidrs, func(c netip.Prefix) bool { return c.Bits() <= p.Bits() && c.Contains(p.Addr()) })
	for h := range m.held {
		inside = inside && !h.Overlaps(p)
	}
	return inside
}

func (m *model) lowest(bits int, allowed, disallowed []netip.Prefix) (netip.Prefix, bool) {
	for n := range 256 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}), bits)
		ok := p == p.Masked() && m.free(p)
		ok = ok && (len(allowed) == 0 || slices.ContainsFunc(allowed, func(a netip.Prefix) bool { return a.Bits() <= bits && a.Contains(p.Addr()) }))
		if ok && !slices.ContainsFunc(disallowed, p.Overlaps) {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

func (m *model) blocks() []string {
	var held []string
	for _, p := range slices.SortedFunc(maps.Keys(m.held), netip.Prefix.Compare) {
		held = append(held, p.String())
	}
	return held
}

// I1, I3: whatever is asked, the service answers as the model does.
func TestThePoolIsItsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := single(t)
		p := w.private()
		m := &model{held: map[netip.Prefix]ipam.Allocation{}}
		block := rapid.Custom(func(rt *rapid.T) netip.Prefix {
			addr := netip.AddrFrom4([4]byte{10, 0, 0, rapid.Byte().Draw(rt, "last")})
			return netip.PrefixFrom(addr, rapid.IntRange(25, 32).Draw(rt, "bits")).Masked()
		})
		allocated := func(a ipam.Allocation, err error, want netip.Prefix, ok bool) {
			if (err == nil) != ok || ok && a.CIDR != want {
				rt.Fatalf("got %s, %v; want %s, %v", a.CIDR, err, want, ok)
			}
			if ok {
				m.held[want] = a
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"provision": func(rt *rapid.T) {
				c := block.Draw(rt, "cidr")
				got, err := w.ProvisionCIDR(t.Context(), provisionRequest(p.ID, c.String()), nil)
				want := !slices.ContainsFunc(m.cidrs, c.Overlaps)
				if err != nil || (got.State == ipam.Provisioned) != want {
					rt.Fatalf("provision %s: %+v, %v; want %v", c, got, err, want)
				}
				if want {
					m.cidrs = append(m.cidrs, c)
				}
			},
			"deprovision": func(rt *rapid.T) {
				if len(m.cidrs) == 0 {
					rt.Skip()
				}
				n := rapid.IntRange(0, len(m.cidrs)-1).Draw(rt, "which")
				c := m.cidrs[n]
				empty := !slices.ContainsFunc(slices.Collect(maps.Keys(m.held)), c.Overlaps)
				got, err := w.DeprovisionCIDR(t.Context(), account, home, p.ID, c, nil)
				if err != nil || (got.State == ipam.Deprovisioned) != empty {
					rt.Fatalf("deprovision %s: %+v, %v; empty: %v", c, got, err, empty)
				}
				if empty {
					m.cidrs = slices.Delete(m.cidrs, n, n+1)
				}
			},
			"lowest": func(rt *rapid.T) {
				bits := rapid.IntRange(24, 32).Draw(rt, "bits")
				limits := rapid.SliceOfN(block, 0, 2)
				allowed, disallowed := limits.Draw(rt, "allowed"), limits.Draw(rt, "disallowed")
				want, ok := m.lowest(bits, allowed, disallowed)
				a, err := w.Allocate(t.Context(), allocateRequest(p, length(bits), func(r *ipam.Allocate) {
					r.Allowed, r.Disallowed = allowed, disallowed
				}), nil)
				if err != nil && !errors.Is(err, ipam.ErrPoolExhausted) {
					rt.Fatal(err)
				}
				allocated(a, err, want, ok)
			},
			"exact": func(rt *rapid.T) {
				c := block.Draw(rt, "block")
				a, err := w.Allocate(t.Context(), allocateRequest(p, exactly(c.String())), nil)
				allocated(a, err, c, m.free(c))
			},
			"draw": func(rt *rapid.T) {
				want, ok := m.lowest(32, nil, nil)
				a, err := w.draw(p.ID)
				allocated(a, err, want, ok)
			},
			"return": func(rt *rapid.T) {
				if len(m.held) == 0 {
					rt.Skip()
				}
				c := rapid.SampledFrom(slices.SortedFunc(maps.Keys(m.held), netip.Prefix.Compare)).Draw(rt, "block")
				if err := w.giveBack(m.held[c], t0); err != nil {
					rt.Fatal(err)
				}
				delete(m.held, c)
			},
			"": func(rt *rapid.T) {
				if got, want := w.held(p.ID), m.blocks(); !slices.Equal(got, want) {
					rt.Fatalf("held: %v\nwant: %v", got, want)
				}
			},
		})
	})
}
