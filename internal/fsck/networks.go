package fsck

import (
	"context"
	"maps"
	"net/netip"
	"slices"

	"github.com/fairlead/fairlead/internal/store"
)

// checkClaims holds what living things say they have against the allocations.
func (s *sweep) checkClaims() {
	for c := range s.o.Networks.Claims(s.r) {
		b, ok := s.o.Pools.Block(s.r, c.Ref.PoolID, c.Ref.CIDR.Addr())
		where := spot{c.Ref.PoolID, c.Ref.CIDR}
		same := ok && b.Ref == c.Ref
		switch {
		case same && b.State == Held && b.Holder.ID == c.Who:
			continue
		case same && b.State == Held:
			s.find(Dispute, where, mend{}, "%s says that allocation %s is its own, which is held for %s", c.Who, b.ID, b.Holder)
		case !c.Must:
			continue // it has ended before its holder
		case same:
			s.find(Unallocated, where, mend{}, "%s has the address, and allocation %s of it has been released: the pool will give it to others", c.Who, c.Ref.ID)
		default:
			s.find(Unallocated, where, mend{}, "%s has the address, and allocation %s of it isn't there: the pool may give it to others", c.Who, c.Ref.ID)
		}
		s.needed[c.Ref.PoolID] = append(s.needed[c.Ref.PoolID], c.Ref.CIDR)
	}
}

// checkSources says whether each CIDR that came out of a pool is one allocation
// there.
func (s *sweep) checkSources() {
	for _, id := range slices.Sorted(maps.Keys(s.cidrs)) {
		for _, c := range s.cidrs[id] {
			if c.Source == "" {
				continue
			}
			b, ok := s.o.Pools.Block(s.r, c.Source, c.CIDR.Addr())
			if ok && b.CIDR == c.CIDR && b.State == Held && b.Holder.ID == c.PoolID {
				continue
			}
			s.find(Source, spot{c.PoolID, c.CIDR}, mend{}, "the CIDR isn't allocated to the pool in its source pool %s, which may give it to others", c.Source)
			s.needed[c.Source] = append(s.needed[c.Source], c.CIDR)
		}
	}
}

// checkNetworks holds interfaces and public addresses against each other, and
// interfaces against their subnets and nodes.
func (s *sweep) checkNetworks() {
	for a := range s.o.Networks.Addresses(s.r) {
		s.out.Addresses++
		s.checkAddress(a)
	}
	type place struct {
		subnet string
		addr   netip.Addr
	}
	taken := map[place]string{}
	for i := range s.o.Networks.Interfaces(s.r) {
		s.out.Interfaces++
		for _, p := range i.Addresses {
			where := "interface " + i.ID + ", " + p.Addr.String()
			at := place{i.SubnetID, p.Addr}
			if other, twice := taken[at]; twice {
				s.find(Overlap, where, mend{}, "interface %s has the address, too", other)
			}
			taken[at] = i.ID
			if !i.Subnet.IsValid() || !i.Subnet.Contains(p.Addr) {
				s.find(Misplaced, where, mend{}, "the address isn't in subnet %s (%s)", i.SubnetID, i.Subnet)
			}
			if p.AddressID == "" {
				continue
			}
			if a, ok := s.o.Networks.Address(s.r, p.AddressID); !ok || a.InterfaceID != i.ID || a.Private != p.Addr {
				s.find(Association, where, mend{}, "the public address %s that it is associated with isn't there, or is another's", p.AddressID)
			}
		}
		if six := i.IPv6; six.IsValid() {
			where, at := "interface "+i.ID+", "+six.String(), place{i.SubnetID, six}
			if other, twice := taken[at]; twice {
				s.find(Overlap, where, mend{}, "interface %s has the address, too", other)
			}
			if taken[at] = i.ID; !i.IPv6Block.IsValid() || !i.IPv6Block.Contains(six) {
				s.find(Misplaced, where, mend{}, "the address isn't in the IPv6 block of subnet %s (%s)", i.SubnetID, i.IPv6Block)
			}
		}
		if i.Owner != "" && !s.o.Nodes.HasNode(s.r, i.Owner) {
			s.find(OrphanENI, "interface "+i.ID, mend{}, "its node %s is gone: the controller releases it once the host has let go of it", i.Owner)
		}
	}
}

func (s *sweep) checkAddress(a Address) {
	where := "address " + a.ID + ", " + a.Public.String()
	if !a.Block.IsSingleIP() || a.Block.Addr() != a.Public {
		s.find(Dispute, where, mend{}, "it was drawn as %s", a.Block)
	}
	if a.InterfaceID == "" {
		return
	}
	i, _ := s.o.Networks.Interface(s.r, a.InterfaceID)
	if !slices.Contains(i.Addresses, PrivateAddress{a.Private, a.ID}) {
		s.find(Association, where, mend{}, "interface %s, which it is associated with, isn't there or doesn't say so", a.InterfaceID)
	}
}

// checkNodes says whether load balancer nodes have the addresses that they say.
func (s *sweep) checkNodes() {
	for n := range s.o.Nodes.Nodes(s.r) {
		s.out.Nodes++
		where := "node " + n.ID
		if !n.Balanced {
			s.find(BareNode, where, mend{}, "its load balancer %s doesn't exist", n.Balancer)
		}
		if !n.Placed {
			continue
		}
		if !n.Public.IsValid() && n.Balanced && !n.Internal {
			s.find(BareNode, where, mend{}, "it has no public address, and its load balancer faces the internet")
		}
		i, ok := s.o.Networks.Interface(s.r, n.InterfaceID)
		if !ok || len(i.Addresses) == 0 || i.Addresses[0].Addr != n.Private {
			s.find(BareNode, where, mend{}, "its interface %q isn't there, or hasn't the address %s", n.InterfaceID, n.Private)
			continue
		}
		if i.Owner != n.ID {
			s.find(BareNode, where, mend{}, "its interface %s is that of %q", n.InterfaceID, i.Owner)
		}
		if a, _ := s.o.Networks.Address(s.r, i.Addresses[0].AddressID); n.Public.IsValid() && a.Public != n.Public {
			s.find(BareNode, where, mend{}, "its interface %s hasn't the public address %s", n.InterfaceID, n.Public)
		}
		if n.IPv6.IsValid() && i.IPv6 != n.IPv6 {
			s.find(BareNode, where, mend{}, "its interface %s hasn't the IPv6 address %s", n.InterfaceID, n.IPv6)
		}
	}
}

// checkReserved holds the pools that load balancers have to themselves against
// what the load balancers say. Of one that is being given back they say nothing.
func (s *sweep) checkReserved() {
	for _, id := range slices.Sorted(maps.Keys(s.pools)) {
		p := s.pools[id]
		usable := slices.ContainsFunc(s.cidrs[id], func(c CIDR) bool { return c.Usable })
		if p.ReservedFor == "" || !usable || s.o.Nodes.HasReserved(s.r, p.ReservedFor, id) {
			continue
		}
		s.find(Orphan, "pool "+id, s.returnReserved(p), "it is reserved for %s, which doesn't exist or doesn't know it", p.ReservedFor)
	}
	for v := range s.o.Nodes.Reserved(s.r) {
		has := func(c CIDR) bool { return c.Usable && c.CIDR == v.CIDR }
		if p := s.pools[v.PoolID]; p.ReservedFor != v.Balancer || !slices.ContainsFunc(s.cidrs[v.PoolID], has) {
			s.find(Unallocated, spot{v.PoolID, v.CIDR}, mend{}, "%s has the block to itself, and it isn't reserved for it", v.Balancer)
		}
	}
}

func (s *sweep) returnReserved(p Pool) mend {
	gone := func(r store.Reader) bool { return !s.o.Nodes.HasReserved(r, p.ReservedFor, p.ID) }
	return mend{"give the block back, if nothing of it is in use", true, func(ctx context.Context) (bool, error) {
		return s.o.Pools.ReturnReserved(ctx, p.ID, gone)
	}}
}
