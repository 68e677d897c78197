package vpc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/failpoint"
	"github.com/fairlead/fairlead/internal/store"
)

// What load balancer nodes have: an interface each, and for some a public
// address. Their ids are derived from the node's, so that a step that is
// repeated after a crash finds what it made before.

// interfaceID is the id that the interface of an owner has, once it is made.
func interfaceID(owner string) string { return derived("eni", owner) }

// addressID is the id that the address of a node's interface has.
func addressID(interfaceID string) string { return derived("eipalloc", interfaceID) }

// CreateServiceInterface makes a load balancer node's interface with the lowest
// free address of its subnet, or returns the one that its owner has. One
// transaction. ErrSubnetFull, *NotFoundError for subnet and groups.
func (s *Service) CreateServiceInterface(ctx context.Context, spec InterfaceSpec) (i Interface, err error) {
	if i, ok := s.InterfaceByOwner(s.store.Snapshot(), spec.Owner); ok {
		return i, nil
	}
	spec.ID = interfaceID(spec.Owner)
	err = s.inTurn(ctx, func(tx *store.Tx) error {
		var ok bool
		if i, ok = s.InterfaceByOwner(tx, spec.Owner); ok {
			return nil
		}
		i, err = s.addInterface(tx, spec)
		return err
	})
	if err != nil {
		return Interface{}, fmt.Errorf("create interface in %s: %w", spec.SubnetID, err)
	}
	failpoint.Hit("vpc.interface-created")
	return i, nil
}

// SetServiceSecurityGroups replaces the groups that a node's interface is in
// (ELBv2 SetSecurityGroups). *NotFoundError for the interface and the groups.
func (s *Service) SetServiceSecurityGroups(ctx context.Context, id string, groups []string) error {
	err := s.update(ctx, func(tx *store.Tx) error {
		i, err := s.serviceInterface(tx, id)
		if err != nil {
			return err
		}
		if i.SecurityGroups, err = s.joinGroups(tx, i.VPCID, InterfaceSpec{Account: i.Account, Region: i.Region, SecurityGroups: groups, Owner: i.Owner}); err != nil {
			return err
		}
		s.interfaces.Put(tx, id, i)
		return nil
	})
	if err != nil {
		return fmt.Errorf("set security groups of interface %s: %w", id, err)
	}
	return nil
}

// serviceInterface returns an interface that a node has.
func (s *Service) serviceInterface(tx *store.Tx, id string) (Interface, error) {
	i, ok := s.interfaces.Get(tx, id)
	switch {
	case !ok:
		return Interface{}, &NotFoundError{KindInterface, id}
	case !i.RequesterManaged():
		return Interface{}, fail(NotPermitted, KindInterface, "The network interface '%s' is its account's own.", id)
	}
	return i, nil
}

// ReleaseServiceInterface removes a node's interface with its public address,
// and gives both addresses back. One transaction. What is gone already is no error.
func (s *Service) ReleaseServiceInterface(ctx context.Context, id string) error {
	err := s.inTurn(ctx, func(tx *store.Tx) error {
		i, ok := s.interfaces.Get(tx, id)
		switch {
		case !ok:
			return nil
		case !i.RequesterManaged():
			return fail(NotPermitted, KindInterface, "The network interface '%s' is its account's own.", id)
		}
		return s.removeInterface(tx, i)
	})
	if err != nil {
		return fmt.Errorf("release interface %s: %w", id, err)
	}
	failpoint.Hit("vpc.interface-released")
	return nil
}

// InterfaceByOwner finds a node's interface.
func (s *Service) InterfaceByOwner(r store.Reader, owner string) (Interface, bool) {
	return s.interfaces.Get(r, interfaceID(owner))
}

// AddressSpec is a public address to be assigned to a node's interface.
type AddressSpec struct {
	InterfaceID string
	PoolID      string // "": the region's provider pool
	BlockID     string // of a block reserved in the pool, to be drawn from instead; "" for none
	ReservedFor string // the ARN of whose block it is
	Time        time.Time
}

var errAssigned = errors.New("interface has an address")

// AssignServiceAddress draws the lowest free address of a pool for a node's
// interface and associates it, in one transaction, or returns the address that
// the interface has, wherever that came from. ErrPoolExhausted,
// ErrPoolNotFound, *NotFoundError for the interface.
func (s *Service) AssignServiceAddress(ctx context.Context, spec AddressSpec) (a Address, err error) {
	snap := s.store.Snapshot()
	if a, ok := s.AddressOf(snap, spec.InterfaceID); ok {
		return a, nil
	}
	i, ok := s.interfaces.Get(snap, spec.InterfaceID)
	if !ok {
		return Address{}, fmt.Errorf("assign address: %w", &NotFoundError{KindInterface, spec.InterfaceID})
	}
	want := Want{
		PoolID: cmp.Or(spec.BlockID, s.poolOrProvider(spec.PoolID, i.Region)), ReservedFor: spec.ReservedFor, NetmaskLength: new(32), For: ForAddress, ResourceID: addressID(i.ID),
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
			Public: d.Block.Addr(), Private: i.Private, AssociationID: derived("eipassoc", want.ResourceID),
			PoolID: spec.PoolID, Drawn: d, Created: spec.Time,
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

func (s *Service) poolOrProvider(pool, region string) string {
	if pool == "" {
		return s.pools.ProviderPool(region)
	}
	return pool
}

// single is the block that is one address.
func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
