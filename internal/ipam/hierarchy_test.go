package ipam_test

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// tree is a scope's pools as lists that are looked through from the start each
// time. Its space is 10.0.0.0/24.
type tree struct {
	pools map[string]*treePool
	order []string // as made
}

type treePool struct {
	id, source     string
	cidrs          []netip.Prefix
	blocks         map[netip.Prefix]string // held, by whom: a child pool's id, or "" for all else
	given          map[netip.Prefix]ipam.Allocation
	min, max, wish int // netmask lengths; 0: no such rule
	tag            string
}

func (p *treePool) lowest(bits int) (netip.Prefix, bool) {
	for n := range 256 {
		b := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}), bits)
		if b == b.Masked() && p.open(b) {
			return b, true
		}
	}
	return netip.Prefix{}, false
}

// open says whether a block is the pool's and nobody's.
func (p *treePool) open(b netip.Prefix) bool {
	inside := slices.ContainsFunc(p.cidrs, func(c netip.Prefix) bool { return c.Bits() <= b.Bits() && c.Contains(b.Addr()) })
	for held := range p.blocks {
		inside = inside && !held.Overlaps(b)
	}
	return inside
}

// claimed says whether a top-level pool has a part of a block.
func (m *tree) claimed(b netip.Prefix) bool {
	for _, p := range m.pools {
		if p.source == "" && slices.ContainsFunc(p.cidrs, b.Overlaps) {
			return true
		}
	}
	return false
}

func (m *tree) drop(id string) {
	p := m.pools[id]
	for _, c := range p.cidrs {
		if s := m.pools[p.source]; s != nil {
			delete(s.blocks, c)
		}
	}
	for _, c := range m.children(id) {
		m.drop(c)
	}
	delete(m.pools, id)
	m.order = slices.DeleteFunc(m.order, func(o string) bool { return o == id })
}

func (m *tree) children(id string) []string {
	return slices.DeleteFunc(slices.Clone(m.order), func(o string) bool { return m.pools[o].source != id })
}

// I1, I2, I3, I10: whatever is made, modified, provisioned, allocated, drawn and
// deleted in a scope, in whatever order, the service answers as the model does,
// and what it holds is what the model holds.
func TestAScopeIsItsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := single(t)
		scope := w.ipam().PrivateScopeID
		m := &tree{pools: map[string]*treePool{}}
		block := rapid.Custom(func(rt *rapid.T) netip.Prefix {
			a := netip.AddrFrom4([4]byte{10, 0, 0, rapid.Byte().Draw(rt, "last")})
			return netip.PrefixFrom(a, rapid.IntRange(25, 32).Draw(rt, "bits")).Masked()
		})
		grow := func(source string) *treePool {
			p := w.pool(scope, func(r *ipam.CreatePool) { r.SourcePoolID = source })
			m.pools[p.ID] = &treePool{id: p.ID, source: source, blocks: map[netip.Prefix]string{}, given: map[netip.Prefix]ipam.Allocation{}}
			m.order = append(m.order, p.ID)
			return m.pools[p.ID]
		}
		pick := func(rt *rapid.T) *treePool {
			if len(m.order) == 0 { // to begin with: something to work on
				p := grow("")
				p.cidrs = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/25")}
				w.provision(p.id, "10.0.0.0/25")
			}
			return m.pools[rapid.SampledFrom(m.order).Draw(rt, "pool")]
		}
		// outcome holds an answer against what the model says of the request.
		outcome := func(rt *rapid.T, what string, err error, ok bool) {
			if (err == nil) != ok {
				rt.Fatalf("%s: got %v, want success: %v", what, err, ok)
			}
		}
		held := func(p *treePool, a ipam.Allocation) {
			p.blocks[a.CIDR], p.given[a.CIDR] = "", a
		}
		length := rapid.IntRange(25, 32)

		rt.Repeat(map[string]func(*rapid.T){
			"make a pool": func(rt *rapid.T) {
				if len(m.order) >= 6 {
					rt.Skip()
				}
				grow(rapid.SampledFrom(append([]string{""}, m.order...)).Draw(rt, "source"))
			},
			"modify a pool": func(rt *rapid.T) {
				p := pick(rt)
				rule := rapid.OneOf(rapid.Just(0), length) // 0: leave it
				low, high, wish := rule.Draw(rt, "min"), rule.Draw(rt, "max"), rule.Draw(rt, "default")
				clears, asks := rapid.Bool().Draw(rt, "clear"), rapid.SampledFrom([]string{"", "a", "b"}).Draw(rt, "tag")
				next := *p
				if low != 0 {
					next.min = low
				}
				if high != 0 {
					next.max = high
				}
				if wish != 0 {
					next.wish = wish
				} else if clears {
					next.wish = 0
				}
				next.tag = map[bool]string{true: asks, false: p.tag}[asks != ""]
				allowed := next.wish == 0 || next.permits(next.wish)
				ok := (low+high+wish != 0 || clears || asks != "") && (wish == 0 || !clears) && (next.min == 0 || next.max == 0 || next.min <= next.max) && allowed
				_, err := w.modifyPool(p.id, func(r *ipam.ModifyPool) {
					given := func(n int) *int {
						if n == 0 {
							return nil
						}
						return &n
					}
					r.MinNetmask, r.MaxNetmask, r.DefaultNetmask, r.ClearDefaultNetmask = given(low), given(high), given(wish), clears
					if asks != "" {
						r.AddTags = []ipam.AllocationTag{{Key: "env", Value: asks}}
					}
				})
				outcome(rt, "modify", err, ok)
				if ok {
					*p = next
				}
			},
			"provision": func(rt *rapid.T) {
				p, c := pick(rt), block.Draw(rt, "cidr")
				s := m.pools[p.source]
				byLength := s != nil && rapid.Bool().Draw(rt, "by length")
				req, want, ok := provisionRequest(p.id, c.String()), c, !m.claimed(c)
				if s != nil {
					ok = s.open(c)
				}
				if byLength {
					req.CIDR, req.NetmaskLength = netip.Prefix{}, new(c.Bits())
					want, ok = s.lowest(c.Bits())
				}
				got, err := w.ProvisionCIDR(t.Context(), req, nil)
				if err != nil || (got.State == ipam.Provisioned) != ok || ok && got.CIDR != want {
					rt.Fatalf("provision: got %+v, %v; want %s, %v", got, err, want, ok)
				}
				if ok {
					p.cidrs = append(p.cidrs, want)
					if s != nil {
						s.blocks[want] = p.id
					}
				}
			},
			"deprovision": func(rt *rapid.T) {
				p := pick(rt)
				if len(p.cidrs) == 0 {
					rt.Skip()
				}
				c := rapid.SampledFrom(p.cidrs).Draw(rt, "cidr")
				empty := !slices.ContainsFunc(slices.Collect(maps.Keys(p.blocks)), c.Overlaps)
				got, err := w.DeprovisionCIDR(t.Context(), account, home, p.id, c, nil)
				if err != nil || (got.State == ipam.Deprovisioned) != empty {
					rt.Fatalf("deprovision %s: got %+v, %v; empty: %v", c, got, err, empty)
				}
				if empty {
					p.cidrs = slices.DeleteFunc(p.cidrs, func(o netip.Prefix) bool { return o == c })
					if s := m.pools[p.source]; s != nil {
						delete(s.blocks, c)
					}
				}
			},
			"allocate": func(rt *rapid.T) {
				p, c := pick(rt), block.Draw(rt, "block")
				req := allocateRequest(ipam.Pool{ID: p.id, Locale: home})
				want, ok := c, p.open(c)
				switch rapid.IntRange(0, 2).Draw(rt, "how") {
				case 0:
					req.CIDR = c
				case 1:
					req.NetmaskLength = new(c.Bits())
					want, ok = p.lowest(c.Bits())
				default:
					if want, ok = p.lowest(p.wish); p.wish == 0 {
						ok = false
					}
				}
				a, err := w.Allocate(t.Context(), req, nil)
				outcome(rt, "allocate", err, ok)
				if ok && a.CIDR != want {
					rt.Fatalf("I3: got %s, want %s", a.CIDR, want)
				}
				if ok {
					held(p, a)
				}
			},
			"draw for a VPC": func(rt *rapid.T) {
				p, bits, env := pick(rt), length.Draw(rt, "bits"), rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "env")
				want, ok := p.lowest(bits)
				ok = ok && p.permits(bits) && (p.tag == "" || p.tag == env)
				a, err := w.Draw(t.Context(), ipam.Want{
					PoolID: p.id, NetmaskLength: &bits, Tags: []tags.Tag{{Key: "env", Value: env}}, Time: t0,
					Holder: ipam.Holder{Type: ipam.VPC, ResourceID: ids.EC2("vpc"), Account: account, Region: home},
				}, func(*store.Tx, ipam.Allocation) error { return nil })
				outcome(rt, "draw", err, ok)
				if ok && a.CIDR != want {
					rt.Fatalf("I3: got %s, want %s", a.CIDR, want)
				}
				if ok {
					held(p, a)
				}
			},
			"describe an allocation": func(rt *rapid.T) {
				p := pick(rt)
				if len(p.given) == 0 {
					rt.Skip()
				}
				c := rapid.SampledFrom(slices.SortedFunc(maps.Keys(p.given), netip.Prefix.Compare)).Draw(rt, "block")
				text := rapid.SampledFrom([]string{"", "rack"}).Draw(rt, "text")
				a, err := w.ModifyAllocation(t.Context(), account, home, p.given[c].ID, text, nil)
				if err != nil || a.Description != text {
					rt.Fatalf("got %+v, %v", a, err)
				}
			},
			"release": func(rt *rapid.T) {
				p := pick(rt)
				if len(p.given) == 0 {
					rt.Skip()
				}
				c := rapid.SampledFrom(slices.SortedFunc(maps.Keys(p.given), netip.Prefix.Compare)).Draw(rt, "block")
				a := p.given[c]
				err := w.Release(t.Context(), account, home, p.id, c, a.ID, t0, nil)
				if a.Holder.Type != ipam.Custom {
					outcome(rt, "release a VPC's", err, false)
					err = w.giveBack(a, t0)
				}
				outcome(rt, "release", err, true)
				delete(p.given, c)
				delete(p.blocks, c)
			},
			"delete a pool": func(rt *rapid.T) {
				p, cascade := pick(rt), rapid.IntRange(0, 3).Draw(rt, "cascade") == 0
				ok := cascade || len(p.cidrs) == 0 && len(m.children(p.id)) == 0
				_, err := w.DeletePool(t.Context(), account, home, p.id, cascade, nil)
				outcome(rt, "delete", err, ok)
				if ok {
					m.drop(p.id)
				}
			},
			"": func(rt *rapid.T) {
				snap := w.store.Snapshot()
				left := 0
				for u := range w.Pools(snap) {
					left++
					if m.pools[u.Pool.ID] == nil {
						rt.Fatalf("I2: pool %s is left", u.Pool.ID)
					}
				}
				if left != len(m.order) {
					rt.Fatalf("%d pools, want %d", left, len(m.order))
				}
				for _, p := range m.pools {
					if got, want := w.held(p.id), texts(maps.Keys(p.blocks)); !slices.Equal(got, want) {
						rt.Fatalf("held in %s: %v\nwant %v", p.id, got, want)
					}
					var cidrs []string
					for _, c := range w.CIDRs(snap, p.id, "") {
						if c.State != ipam.FailedProvision {
							cidrs = append(cidrs, c.CIDR.String())
						}
					}
					if want := texts(slices.Values(p.cidrs)); !slices.Equal(cidrs, want) {
						rt.Fatalf("CIDRs of %s: %v\nwant %v", p.id, cidrs, want)
					}
				}
			},
		})
	})
}

func (p *treePool) permits(bits int) bool {
	return (p.min == 0 || bits >= p.min) && (p.max == 0 || bits <= p.max)
}

func texts(ps func(func(netip.Prefix) bool)) []string {
	var all []string
	for _, p := range slices.SortedFunc(ps, netip.Prefix.Compare) {
		all = append(all, p.String())
	}
	return all
}

// A quota, a pool's state and its rules are looked at in the transaction: of a
// modification and what it forbids one is first.
func TestAnAllocationNeverKeepsToRulesOfLater(t *testing.T) {
	w := single(t)
	p := w.private("10.0.0.0/24")
	var inner error
	h := ipam.Holder{Type: ipam.VPC, ResourceID: "vpc-1", Account: account, Region: home}
	tried := 0
	_, err := w.Draw(t.Context(), ipam.Want{PoolID: p.ID, NetmaskLength: new(28), Holder: h, Time: t0}, func(*store.Tx, ipam.Allocation) error {
		if tried++; tried == 1 {
			_, inner = w.modifyPool(p.ID, func(r *ipam.ModifyPool) { r.MaxNetmask = new(26) })
		}
		return nil
	})
	if inner != nil {
		t.Fatal(inner)
	}
	if !errors.Is(err, ipam.ErrNotAllowed) {
		t.Errorf("got %v after %d tries, want the new rule to hold; held: %s", err, tried, fmt.Sprint(w.held(p.ID)))
	}
}
