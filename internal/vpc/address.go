package vpc

import (
	"iter"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// Address is a public address (Elastic IP). An account allocates those that are
// its own and associates them with its interfaces as it likes; those of load
// balancer nodes come and go with the node's interface, and the account sees
// them and can't change them (service-managed).
type Address struct {
	ID              string // "eipalloc-…"
	Account, Region string
	Own             bool // the account allocated it; else a service did
	Public          netip.Addr
	PoolID          string // that it came from; "": the provider's own
	Drawn           Drawn  // what is given back
	Created         time.Time

	// The association with a private address of an interface; all empty but
	// AssociationID if there is none.
	VPCID, InterfaceID string
	Private            netip.Addr

	// AssociationID names the latest association, which may have ended: ending
	// it again is no error (EC2 DisassociateAddress).
	AssociationID string
}

// Associated says whether the address is an interface's.
func (a Address) Associated() bool { return a.InterfaceID != "" }

// ServiceManaged says which service manages the address (EC2 ServiceManaged);
// "" for the account itself.
func (a Address) ServiceManaged() string {
	if a.Own {
		return ""
	}
	return "alb"
}

// ended returns the address without its association.
func (a Address) ended() Address {
	a.VPCID, a.InterfaceID, a.Private = "", "", netip.Addr{}
	return a
}

// ownAddress returns an address that its account may change.
func (s *Service) ownAddress(tx *store.Tx, account, region, id string) (Address, error) {
	a, ok := s.Address(tx, account, region, id)
	if !ok {
		return Address{}, &NotFoundError{KindAddress, id}
	}
	return a, a.permit()
}

// permit refuses a change of an address that a service manages.
func (a Address) permit() error {
	if !a.Own {
		return fail(NotPermitted, KindAddress, "The address %s (%s) is managed by the service '%s' and can't be changed by its account.", a.Public, a.ID, a.ServiceManaged())
	}
	return nil
}

// AddressOf finds the public address of an interface's primary private address.
func (s *Service) AddressOf(r store.Reader, interfaceID string) (Address, bool) {
	i, ok := s.interfaces.Get(r, interfaceID)
	if !ok {
		return Address{}, false
	}
	return s.publicOf(r, i.Addresses()[0])
}

// Address returns a public address of the account, by allocation id.
func (s *Service) Address(r store.Reader, account, region, id string) (Address, bool) {
	a, ok := s.addresses.Get(r, id)
	return a, ok && a.Account == account && a.Region == region
}

// AddressByPublic returns the account's address with the given value.
func (s *Service) AddressByPublic(r store.Reader, account, region string, public netip.Addr) (Address, bool) {
	for id := range s.addressesByPublic.Each(r, public.String()) {
		if a, ok := s.Address(r, account, region, id); ok {
			return a, true
		}
	}
	return Address{}, false
}

// Addresses yields the account's public addresses by id, from the given one on.
func (s *Service) Addresses(r store.Reader, account, region, from string) iter.Seq2[string, Address] {
	return s.addressesByOwner.From(r, owner(account, region), from)
}
