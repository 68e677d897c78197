package vpc

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// A node's interface may have an IPv6 address beside its IPv4 one: the one at the
// same place in the subnet's IPv6 block as the primary IPv4 address has in its
// CIDR. That one is nobody else's, so this one isn't either, and no record of the
// IPv6 addresses that are taken is needed.

// ipv6At returns the address of the block at the place that private has in the
// subnet's CIDR. A block has at least 2^64 addresses, a CIDR 2^16 at most.
func (n Subnet) ipv6At(block netip.Prefix, private netip.Addr) netip.Addr {
	a := block.Masked().Addr().As16()
	at := indexOf(n.CIDR, private)
	for i := len(a) - 1; at > 0; i-- {
		a[i] |= byte(at)
		at >>= 8
	}
	return netip.AddrFrom16(a)
}

// AssignServiceIPv6 gives a node's interface an IPv6 address of its subnet, or
// returns the interface as it is if it has one. *NotFoundError for the interface,
// InvalidValue for a subnet without an IPv6 block.
func (s *Service) AssignServiceIPv6(ctx context.Context, id string, now time.Time) (i Interface, err error) {
	err = s.update(ctx, func(tx *store.Tx) error {
		if i, err = s.serviceInterface(tx, id); err != nil || i.IPv6.Addr.IsValid() {
			return err
		}
		n, err := s.subnet(tx, i.Account, i.Region, i.SubnetID)
		if err != nil {
			return err
		}
		if len(n.Blocks) == 0 {
			return fail(InvalidValue, KindSubnet, "The subnet '%s' has no IPv6 CIDR block.", n.ID)
		}
		i.IPv6 = PrivateAddress{Addr: n.ipv6At(n.Blocks[0].CIDR, i.Private), Since: now}
		s.interfaces.Put(tx, id, i)
		s.subnets.Put(tx, n.ID, n) // for whoever is judging whether its block is in use
		return nil
	})
	if err != nil {
		return Interface{}, fmt.Errorf("assign IPv6 address to %s: %w", id, err)
	}
	return i, nil
}

// ReleaseServiceIPv6 takes the IPv6 address from a node's interface. An interface
// without one, or that is gone, is no error.
func (s *Service) ReleaseServiceIPv6(ctx context.Context, id string) error {
	err := s.update(ctx, func(tx *store.Tx) error {
		i, ok := s.interfaces.Get(tx, id)
		if !ok || !i.IPv6.Addr.IsValid() {
			return nil
		}
		if err := s.lost(tx, i, i.IPv6); err != nil {
			return err
		}
		i.IPv6 = PrivateAddress{}
		s.interfaces.Put(tx, id, i)
		return nil
	})
	if err != nil {
		return fmt.Errorf("release IPv6 address of %s: %w", id, err)
	}
	return nil
}

// ipv6InUse says whether an interface has an address of the subnet's IPv6 block, or
// a load balancer in the subnet is about to.
func (s *Service) ipv6InUse(tx *store.Tx, subnetID string) bool {
	for _, i := range s.interfacesBySubnet.Each(tx, subnetID) {
		if i.IPv6.Addr.IsValid() {
			return true
		}
	}
	return s.opts.IPv6InUse != nil && s.opts.IPv6InUse(tx, subnetID)
}
