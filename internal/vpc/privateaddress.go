package vpc

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// PrivateSpec is private addresses to be assigned to an interface.
type PrivateSpec struct {
	Account, Region, InterfaceID string
	Addresses                    []netip.Addr // these, each once
	Count                        int          // and so many more, the lowest free
	Move                         bool         // those that other interfaces have, too
	Time                         time.Time
}

// AssignAddresses gives secondary addresses to an interface of the account's
// own, all or none, and returns them (AssignPrivateIpAddresses). An address
// that moves brings the public address that is associated with it. One that the
// interface has already is no error.
func (s *Service) AssignAddresses(ctx context.Context, spec PrivateSpec) (assigned []netip.Addr, err error) {
	err = s.inTurn(ctx, func(tx *store.Tx) error {
		i, err := s.ownInterface(tx, spec.Account, spec.Region, spec.InterfaceID)
		if err != nil {
			return err
		}
		n, err := s.subnet(tx, i.Account, i.Region, i.SubnetID)
		if err != nil {
			return err
		}
		before := len(i.Secondary)
		if err := s.roomFor(i, len(i.lacks(spec.Addresses))+spec.Count); err != nil {
			return err
		}
		if i, err = s.takeOver(tx, i, i.lacks(spec.Addresses), spec); err != nil {
			return err
		}
		if i, err = s.takeSecondary(tx, &n, i, i.lacks(spec.Addresses), spec.Time); err != nil {
			return err
		}
		if i, err = s.takeMore(tx, &n, i, spec.Count, spec.Time); err != nil {
			return err
		}
		s.interfaces.Put(tx, i.ID, i)
		assigned = slices.Clone(spec.Addresses)
		for _, p := range i.Secondary[before:] {
			if !slices.Contains(assigned, p.Addr) {
				assigned = append(assigned, p.Addr)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("assign addresses to %s: %w", spec.InterfaceID, err)
	}
	return assigned, nil
}

// lacks returns those of the addresses that the interface doesn't have.
func (i Interface) lacks(addrs []netip.Addr) []netip.Addr {
	return slices.DeleteFunc(slices.Clone(addrs), func(a netip.Addr) bool {
		_, has := i.address(a)
		return has
	})
}

// roomFor refuses more addresses than an interface may have.
func (s *Service) roomFor(i Interface, more int) error {
	if 1+len(i.Secondary)+more > s.opts.Quotas.AddressesPerENI {
		return limit(KindPrivateAddress, "private addresses per interface")
	}
	return nil
}

// takeSecondary takes certain addresses of the subnet for an interface.
func (s *Service) takeSecondary(tx *store.Tx, n *Subnet, i Interface, addrs []netip.Addr, now time.Time) (Interface, error) {
	i.Secondary = slices.Clone(i.Secondary)
	for _, a := range addrs {
		if err := s.takeHost(tx, n, a); err != nil {
			return i, err
		}
		i.Secondary = append(i.Secondary, PrivateAddress{Addr: a, Since: now})
	}
	return i, nil
}

// takeMore takes so many of the subnet's lowest free addresses for an interface.
func (s *Service) takeMore(tx *store.Tx, n *Subnet, i Interface, count int, now time.Time) (Interface, error) {
	i.Secondary = slices.Clone(i.Secondary)
	for range count {
		a, err := s.takeLowest(tx, n)
		if err != nil {
			return i, err
		}
		i.Secondary = append(i.Secondary, PrivateAddress{Addr: a, Since: now})
	}
	return i, nil
}

// takeOver takes those of the addresses that other interfaces of the subnet
// have, with the public addresses that are associated with them.
func (s *Service) takeOver(tx *store.Tx, i Interface, addrs []netip.Addr, spec PrivateSpec) (Interface, error) {
	i.Secondary = slices.Clone(i.Secondary)
	for _, a := range addrs {
		from, taken := s.interfaceWith(tx, i.SubnetID, a)
		if !taken {
			continue
		}
		switch {
		case !spec.Move:
			return i, fail(InvalidValue, KindInterface, "[%s] assigned, but move is not allowed.", a)
		case from.Private == a:
			return i, fail(InvalidValue, KindInterface, "The address %s is the primary address of the network interface '%s' and can't be moved.", a, from.ID)
		}
		if err := from.permit(); err != nil {
			return i, err
		}
		p, _ := from.address(a)
		if err := s.lost(tx, from, p); err != nil {
			return i, err
		}
		s.interfaces.Put(tx, from.ID, from.without(a))
		p.Since = spec.Time
		i.Secondary = append(i.Secondary, p)
		if public, ok := s.publicOf(tx, p); ok {
			public.InterfaceID = i.ID
			s.addresses.Put(tx, public.ID, public)
		}
	}
	return i, nil
}

// interfaceWith finds the interface that has an address of a subnet.
func (s *Service) interfaceWith(tx *store.Tx, subnetID string, a netip.Addr) (Interface, bool) {
	for id := range s.interfacesByPrivate.Each(tx, privateKey(subnetID, a)) {
		i, ok := s.interfaces.Get(tx, id)
		if _, has := i.address(a); ok && has {
			return i, true
		}
	}
	return Interface{}, false
}

func privateKey(subnetID string, a netip.Addr) string { return subnetID + "/" + a.String() }

// privateKeys are the values that interfacesByPrivate has an interface under.
func privateKeys(i Interface) []string {
	var keys []string
	for _, p := range i.Addresses() {
		keys = append(keys, privateKey(i.SubnetID, p.Addr))
	}
	return keys
}

// UnassignAddresses takes secondary addresses from an interface of the
// account's own, all or none (UnassignPrivateIpAddresses). Public addresses
// that are associated with them stay the account's, associated with nothing.
func (s *Service) UnassignAddresses(ctx context.Context, account, region, id string, addrs []netip.Addr) error {
	err := s.inTurn(ctx, func(tx *store.Tx) error {
		i, err := s.ownInterface(tx, account, region, id)
		if err != nil {
			return err
		}
		n, err := s.subnet(tx, account, region, i.SubnetID)
		if err != nil {
			return err
		}
		for _, a := range addrs {
			p, has := i.address(a)
			switch {
			case !has:
				return fail(InvalidValue, KindInterface, "Some of the specified addresses are not assigned to interface %s: %s", id, a)
			case a == i.Private:
				return fail(InvalidValue, KindInterface, "The address %s is the primary address of the network interface '%s' and can't be unassigned.", a, id)
			}
			if err := s.unmap(tx, p); err != nil {
				return err
			}
			s.returnHost(tx, &n, a)
			if err := s.lost(tx, i, p); err != nil {
				return err
			}
			i = i.without(a)
		}
		s.interfaces.Put(tx, id, i)
		return nil
	})
	if err != nil {
		return fmt.Errorf("unassign addresses of %s: %w", id, err)
	}
	return nil
}
