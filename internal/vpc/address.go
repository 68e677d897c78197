package vpc

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/failpoint"
	"github.com/fairlead/fairlead/internal/store"
)

// Address is a public address that an interface has (Elastic IP, service-managed).
type Address struct {
	ID                 string // "eipalloc-…"
	Account, Region    string
	VPCID, InterfaceID string
	Public             netip.Addr
	Private            netip.Addr // of the interface
	PoolID             string     // the IPAM pool that it came from; "": the provider's own
	Drawn              Drawn      // what is given back
	Created            time.Time
}

// ServiceManaged says which service manages the addresses of load balancer nodes.
const ServiceManaged = "alb"

// AssociationID names the association of the address with its interface.
func (a Address) AssociationID() string { return derived("eipassoc", a.ID, a.InterfaceID) }

// AddressSpec is a public address to be assigned.
type AddressSpec struct {
	InterfaceID string
	PoolID      string // "": the region's provider pool
	Time        time.Time
}

var errAssigned = errors.New("interface has an address")

// AssignServiceAddress draws the lowest free address of a pool for an interface
// and associates it, in one transaction, or returns the address that the
// interface has, wherever that came from. ErrPoolExhausted, ErrPoolNotFound,
// *NotFoundError for the interface.
func (s *Service) AssignServiceAddress(ctx context.Context, spec AddressSpec) (a Address, err error) {
	snap := s.store.Snapshot()
	if a, ok := s.AddressOf(snap, spec.InterfaceID); ok {
		return a, nil
	}
	i, ok := s.interfaces.Get(snap, spec.InterfaceID)
	if !ok {
		return Address{}, fmt.Errorf("assign address: %w", &NotFoundError{KindInterface, spec.InterfaceID})
	}
	pool := spec.PoolID
	if pool == "" {
		pool = s.pools.ProviderPool(i.Region)
	}
	want := Want{
		PoolID: pool, NetmaskLength: new(32), For: ForAddress, ResourceID: addressID(i.ID),
		Account: i.Account, Region: i.Region, Time: spec.Time,
	}
	err = s.pools.Draw(ctx, want, func(tx *store.Tx, d Drawn) error {
		i, ok := s.interfaces.Get(tx, spec.InterfaceID)
		switch {
		case !ok:
			return &NotFoundError{KindInterface, spec.InterfaceID}
		case i.AddressID != "":
			return errAssigned
		}
		a = Address{
			ID: want.ResourceID, Account: i.Account, Region: i.Region, VPCID: i.VPCID, InterfaceID: i.ID,
			Public: d.Block.Addr(), Private: i.Private, PoolID: spec.PoolID, Drawn: d, Created: spec.Time,
		}
		i.AddressID = a.ID
		s.interfaces.Put(tx, i.ID, i)
		s.addresses.Put(tx, a.ID, a)
		return nil
	})
	if errors.Is(err, errAssigned) { // by a call at the same time
		if a, ok = s.AddressOf(s.store.Snapshot(), spec.InterfaceID); !ok {
			err = &NotFoundError{KindInterface, spec.InterfaceID} // and released since
		} else {
			err = nil
		}
	}
	if err != nil {
		return Address{}, fmt.Errorf("assign address to %s: %w", spec.InterfaceID, err)
	}
	failpoint.Hit("vpc.address-assigned")
	return a, nil
}

// addressID is the id that the address of an interface has.
func addressID(interfaceID string) string { return derived("eipalloc", interfaceID) }

// AddressOf finds an interface's public address.
func (s *Service) AddressOf(r store.Reader, interfaceID string) (Address, bool) {
	return s.addresses.Get(r, addressID(interfaceID))
}

// Address returns a public address of the account, by allocation id.
func (s *Service) Address(r store.Reader, account, region, id string) (Address, bool) {
	a, ok := s.addresses.Get(r, id)
	return a, ok && a.Account == account && a.Region == region
}

// AddressByPublic returns the account's address with the given value.
func (s *Service) AddressByPublic(r store.Reader, account, region string, public netip.Addr) (Address, bool) {
	for _, a := range s.addressesByPublic.Each(r, public.String()) {
		if a.Account == account && a.Region == region {
			return a, true
		}
	}
	return Address{}, false
}

// Addresses yields the account's public addresses by id, from the given one on.
func (s *Service) Addresses(r store.Reader, account, region, from string) iter.Seq2[string, Address] {
	return s.addressesByOwner.From(r, owner(account, region), from)
}
