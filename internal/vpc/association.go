package vpc

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/fairlead/fairlead/internal/store"
)

// AssociationSpec is a public address to be associated with a private one.
type AssociationSpec struct {
	ID, Account, Region    string // ID "eipassoc-…"
	AddressID, InterfaceID string
	Private                netip.Addr // zero: the interface's primary address
	KeepOthers             bool       // an association of either address with another is in the way
}

// AssociateAddress associates an address of the account's own with a private
// address of one of its interfaces (AssociateAddress). That ends what
// associations either had, unless the call forbids it: AlreadyAssociated. The
// same association again is no error. NotAttached if the VPC has no internet
// gateway, NotPermitted for what a service manages.
func (s *Service) AssociateAddress(ctx context.Context, spec AssociationSpec) (a Address, err error) {
	err = s.update(ctx, func(tx *store.Tx) error {
		if a, err = s.ownAddress(tx, spec.Account, spec.Region, spec.AddressID); err != nil {
			return err
		}
		i, err := s.ownInterface(tx, spec.Account, spec.Region, spec.InterfaceID)
		if err != nil {
			return err
		}
		private := spec.Private
		if !private.IsValid() {
			private = i.Private
		}
		p, ok := i.address(private)
		switch {
		case !ok:
			return fail(InvalidValue, KindInterface, "The private address %s is not assigned to the network interface '%s'.", private, i.ID)
		case p.AddressID == a.ID:
			return nil
		}
		if err := s.useGateway(tx, i); err != nil {
			return err
		}
		if spec.KeepOthers && (a.Associated() || p.AddressID != "") {
			return s.alreadyAssociated(tx, a, p)
		}
		if a.Associated() {
			s.endAssociation(tx, a)
		}
		if err := s.unmap(tx, p); err != nil {
			return err
		}
		if i, err = s.ownInterface(tx, spec.Account, spec.Region, i.ID); err != nil { // which may have had the address
			return err
		}
		a.VPCID, a.InterfaceID, a.Private, a.AssociationID = i.VPCID, i.ID, private, spec.ID
		s.interfaces.Put(tx, i.ID, i.mapped(private, a.ID))
		s.addresses.Put(tx, a.ID, a)
		return nil
	})
	if err != nil {
		return Address{}, fmt.Errorf("associate address %s with %s: %w", spec.AddressID, spec.InterfaceID, err)
	}
	return a, nil
}

// useGateway refuses an interface whose VPC has no internet gateway. It marks the
// gateway changed for whoever is judging whether it can be detached.
func (s *Service) useGateway(tx *store.Tx, i Interface) error {
	for id := range s.gatewaysByVPC.Each(tx, i.VPCID) {
		if g, ok := s.gateways.Get(tx, id); ok && g.VPCID == i.VPCID {
			s.gateways.Put(tx, id, g)
			return nil
		}
	}
	return fail(NotAttached, KindGateway, "Network %s is not attached to any internet gateway", i.VPCID)
}

func (s *Service) alreadyAssociated(tx *store.Tx, a Address, p PrivateAddress) error {
	resource := a.ID
	if !a.Associated() {
		other, _ := s.publicOf(tx, p)
		resource, a = p.Addr.String(), other
	}
	return fail(AlreadyAssociated, KindAddress, "resource %s is already associated with associate-id %s", resource, a.AssociationID)
}

// DisassociateAddress ends the association (DisassociateAddress). One that has
// ended already, with no other of the address since, is no error.
func (s *Service) DisassociateAddress(ctx context.Context, account, region, associationID string) error {
	return s.disassociate(ctx, associationID, func(tx *store.Tx) (Address, error) {
		for id := range s.addressesByAssociation.Each(tx, associationID) {
			if a, ok := s.Address(tx, account, region, id); ok && a.AssociationID == associationID {
				return a, nil
			}
		}
		return Address{}, &NotFoundError{KindAssociation, associationID}
	})
}

// DisassociateFrom ends whatever association an address has, by allocation id.
// To have none is no error.
func (s *Service) DisassociateFrom(ctx context.Context, account, region, id string) error {
	return s.disassociate(ctx, id, func(tx *store.Tx) (Address, error) {
		a, ok := s.Address(tx, account, region, id)
		if !ok {
			return Address{}, &NotFoundError{KindAddress, id}
		}
		return a, nil
	})
}

func (s *Service) disassociate(ctx context.Context, what string, find func(tx *store.Tx) (Address, error)) error {
	err := s.update(ctx, func(tx *store.Tx) error {
		a, err := find(tx)
		if err != nil {
			return err
		}
		if err := a.permit(); err != nil {
			return err
		}
		if a.Associated() {
			s.endAssociation(tx, a)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("disassociate %s: %w", what, err)
	}
	return nil
}

// endAssociation takes the address from the interface that has it.
func (s *Service) endAssociation(tx *store.Tx, a Address) {
	if i, ok := s.interfaces.Get(tx, a.InterfaceID); ok {
		s.interfaces.Put(tx, i.ID, i.mapped(a.Private, ""))
	}
	s.addresses.Put(tx, a.ID, a.ended())
}
