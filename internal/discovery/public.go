package discovery

import (
	"net/netip"

	"github.com/fairlead/fairlead/internal/store"
)

// PublicAddress is a public IPv4 address of an account's.
type PublicAddress struct {
	Address         netip.Addr
	ID              string // "eipalloc-…"
	Account, Region string
	PoolID          string // the IPAM pool that gave it; "": the provider's own
	ServiceManaged  bool   // a service holds it for the account: a load balancer
	ServiceResource string // ARN of what it serves; "" where that isn't known

	// Where it is; all empty for one that is on no interface.
	InterfaceID, InterfaceDescription string
	VPCID, SubnetID                   string
	SecurityGroups                    []SecurityGroup
}

// SecurityGroup is one of an interface's.
type SecurityGroup struct{ ID, Name string }

// AddressType says where an address comes from and who manages it (EC2
// IpamPublicAddressType).
type AddressType string

// The address types that there are here.
const (
	ServiceManagedIP    AddressType = "service-managed-ip"
	ServiceManagedBYOIP AddressType = "service-managed-byoip"
	AmazonOwnedEIP      AddressType = "amazon-owned-eip"
	AmazonOwnedContig   AddressType = "amazon-owned-contig" // from a contiguous block, in a pool
	BYOIPAddress        AddressType = "byoip"
)

// addressType puts a service's address from a contiguous block of the provider's
// with the block: AWS doesn't say which of the two it tells.
func addressType(fromPool bool, source Source, serviceManaged bool) AddressType {
	switch {
	case fromPool && source == BYOIP && serviceManaged:
		return ServiceManagedBYOIP
	case fromPool && source == BYOIP:
		return BYOIPAddress
	case fromPool:
		return AmazonOwnedContig
	case serviceManaged:
		return ServiceManagedIP
	}
	return AmazonOwnedEIP
}

// AddressType returns the type of an address.
func (s *Service) AddressType(r store.Reader, a PublicAddress) AddressType {
	return addressType(a.PoolID != "", s.opts.Pools.Source(r, a.PoolID), a.ServiceManaged)
}

// PublicAddresses returns up to limit of the public addresses that a resource
// discovery finds in one of its regions, by allocation id, beginning with one,
// that match says yes to; next as Page's (GetIpamDiscoveredPublicAddresses).
func (s *Service) PublicAddresses(r store.Snapshot, account, home, id, region string, match func(PublicAddress) bool, limit int, from string) (items []PublicAddress, next string, err error) {
	if _, err := s.watched(r, account, home, id, region); err != nil {
		return nil, "", err
	}
	items = []PublicAddress{}
	looks := 0
	for a := range s.opts.Networks.PublicAddresses(r, account, region, from) {
		if len(items) == limit || looks == maxLooks {
			return items, a.ID, nil
		}
		if looks++; match == nil || match(a) {
			items = append(items, a)
		}
	}
	return items, "", nil
}
