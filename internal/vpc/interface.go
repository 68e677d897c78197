package vpc

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// Interface is a network interface. Those of load balancer nodes are seen by
// their account, which can't touch them (requester-managed); the account makes
// others of its own, which nothing is attached to.
type Interface struct {
	ID, Account, Region   string
	VPCID, SubnetID, Zone string

	Private        netip.Addr       // the primary address, in the subnet, nobody else's
	AddressID      string           // of the Address associated with Private; "" for none
	Secondary      []PrivateAddress // in the order in which they were assigned
	IPv6           PrivateAddress   `json:",omitzero"` // see ipv6.go; zero: none
	SecurityGroups []string         // ids, of the VPC; at least one
	Description    string
	Owner          string // the node's id; "" for one of its account's own
	Transit        bool   // the source/destination check is off; kept, of no effect
	Created        time.Time
}

// PrivateAddress is an address that an interface has in its subnet.
type PrivateAddress struct {
	Addr      netip.Addr
	AddressID string    // of the Address that is associated with it; "" for none
	Since     time.Time // when the interface got it
}

// RequesterID says who manages the interfaces of load balancer nodes.
const RequesterID = "amazon-elb"

// RequesterManaged says whether the interface is a service's.
func (i Interface) RequesterManaged() bool { return i.Owner != "" }

// AttachmentID names the attachment of the interface to its node; "" for an
// interface that is attached to nothing.
func (i Interface) AttachmentID() string {
	if !i.RequesterManaged() {
		return ""
	}
	return derived("eni-attach", i.ID)
}

// MAC returns the interface's hardware address: locally administered, the same always.
func (i Interface) MAC() net.HardwareAddr {
	h := sha256.Sum256([]byte(i.ID))
	return net.HardwareAddr{0x06, h[0], h[1], h[2], h[3], h[4]}
}

// Addresses returns the interface's private addresses, the primary one first.
func (i Interface) Addresses() []PrivateAddress {
	return append([]PrivateAddress{{i.Private, i.AddressID, i.Created}}, i.Secondary...)
}

// address finds one of the interface's private addresses.
func (i Interface) address(a netip.Addr) (PrivateAddress, bool) {
	for _, p := range i.Addresses() {
		if p.Addr == a {
			return p, true
		}
	}
	return PrivateAddress{}, false
}

// mapped returns the interface with the public address as its private one's.
func (i Interface) mapped(private netip.Addr, addressID string) Interface {
	if private == i.Private {
		i.AddressID = addressID
		return i
	}
	i.Secondary = slices.Clone(i.Secondary)
	for n := range i.Secondary {
		if i.Secondary[n].Addr == private {
			i.Secondary[n].AddressID = addressID
		}
	}
	return i
}

// without returns the interface without a secondary address.
func (i Interface) without(private netip.Addr) Interface {
	i.Secondary = slices.DeleteFunc(slices.Clone(i.Secondary), func(p PrivateAddress) bool { return p.Addr == private })
	return i
}

// permit refuses a change of an interface that a service manages.
func (i Interface) permit() error {
	if i.RequesterManaged() {
		return fail(NotPermitted, KindInterface, "The network interface '%s' is managed by '%s' and can't be changed by its account.", i.ID, RequesterID)
	}
	return nil
}

// InterfaceSpec is an interface to be made.
type InterfaceSpec struct {
	ID                        string // "eni-…"; a node's is derived from Owner
	Account, Region, SubnetID string
	Description               string
	SecurityGroups            []string     // none: the VPC's default group
	Owner                     string       // the node's id, never used for another node; "" for an account's own
	Private                   netip.Addr   // the primary address; zero: the lowest free
	Secondary                 []netip.Addr // further addresses
	SecondaryCount            int          // how many more, the lowest free
	Tags                      []tags.Tag
	Token                     idempotency.Token
	Time                      time.Time
}

// CreateInterface makes an interface of the account's own (CreateNetworkInterface).
// ErrSubnetFull, AddressInUse, *NotFoundError for subnet and groups.
func (s *Service) CreateInterface(ctx context.Context, spec InterfaceSpec) (i Interface, err error) {
	err = s.inTurn(ctx, func(tx *store.Tx) error {
		var again bool
		if i, again, err = found(tx, s, s.interfaces, spec.Token); again || err != nil {
			return err
		}
		if i, err = s.addInterface(tx, spec); err != nil {
			return err
		}
		s.idem.Remember(tx, spec.Token, i.ID)
		return s.setTags(tx, i.Account, i.Region, KindInterface, i.ID, spec.Tags)
	})
	if err != nil {
		return Interface{}, fmt.Errorf("create interface in %s: %w", spec.SubnetID, err)
	}
	return i, nil
}

// addInterface writes a new interface with the addresses that it takes.
func (s *Service) addInterface(tx *store.Tx, spec InterfaceSpec) (Interface, error) {
	n, err := s.subnet(tx, spec.Account, spec.Region, spec.SubnetID)
	if err != nil {
		return Interface{}, err
	}
	groups, err := s.joinGroups(tx, n.VPCID, spec)
	if err != nil {
		return Interface{}, err
	}
	i := Interface{
		ID: spec.ID, Account: spec.Account, Region: spec.Region,
		VPCID: n.VPCID, SubnetID: n.ID, Zone: n.Zone,
		Private: spec.Private, SecurityGroups: groups, Description: spec.Description,
		Owner: spec.Owner, Created: spec.Time,
	}
	if err := s.roomFor(i, len(spec.Secondary)+spec.SecondaryCount); err != nil {
		return Interface{}, err
	}
	// Those that are named come first, lest one of them is taken as the lowest free.
	if i.Private.IsValid() {
		if err := s.takeHost(tx, &n, i.Private); err != nil {
			return Interface{}, err
		}
	}
	if i, err = s.takeSecondary(tx, &n, i, spec.Secondary, spec.Time); err != nil {
		return Interface{}, err
	}
	if !i.Private.IsValid() {
		if i.Private, err = s.takeLowest(tx, &n); err != nil {
			return Interface{}, err
		}
	}
	if i, err = s.takeMore(tx, &n, i, spec.SecondaryCount, spec.Time); err != nil {
		return Interface{}, err
	}
	s.interfaces.Put(tx, i.ID, i)
	return i, nil
}

// joinGroups returns the groups that an interface of the VPC is to be in, each
// of which it marks changed for whoever is judging whether it is in use.
func (s *Service) joinGroups(tx *store.Tx, vpcID string, spec InterfaceSpec) ([]string, error) {
	groups := unique(spec.SecurityGroups)
	if len(groups) == 0 {
		groups = []string{s.DefaultSecurityGroup(tx, vpcID)}
	}
	if len(groups) > s.opts.Quotas.GroupsPerENI && spec.Owner == "" { // a service has looked at how many its own may have
		return nil, limit(KindInterface, "security groups per interface")
	}
	for _, id := range groups {
		g, err := s.group(tx, spec.Account, spec.Region, id)
		if err != nil {
			return nil, err
		}
		if g.VPCID != vpcID {
			return nil, fail(InvalidValue, KindSecurityGroup, "You have specified two resources that belong to different networks.")
		}
		s.groups.Put(tx, id, g)
	}
	return groups, nil
}

// DeleteInterface removes an interface of the account's own. Public addresses
// that are associated with it stay the account's, associated with nothing.
func (s *Service) DeleteInterface(ctx context.Context, account, region, id string) error {
	err := s.inTurn(ctx, func(tx *store.Tx) error {
		i, err := s.ownInterface(tx, account, region, id)
		if err != nil {
			return err
		}
		return s.removeInterface(tx, i)
	})
	if err != nil {
		return fmt.Errorf("delete interface %s: %w", id, err)
	}
	return nil
}

// removeInterface deletes an interface and gives its private addresses back. Of
// its public addresses, a service's are given back too.
func (s *Service) removeInterface(tx *store.Tx, i Interface) error {
	// The subnet can't have gone before its interfaces.
	n, ok := s.subnets.Get(tx, i.SubnetID)
	for _, p := range i.Addresses() {
		if err := s.unmap(tx, p); err != nil {
			return err
		}
		if ok {
			s.returnHost(tx, &n, p.Addr)
		}
		if err := s.lost(tx, i, p); err != nil {
			return err
		}
	}
	if i.IPv6.Addr.IsValid() {
		if err := s.lost(tx, i, i.IPv6); err != nil {
			return err
		}
	}
	s.interfaces.Delete(tx, i.ID)
	s.tags.Clear(tx, i.ID)
	return nil
}

// unmap ends the association of an address that its interface loses.
func (s *Service) unmap(tx *store.Tx, p PrivateAddress) error {
	a, ok := s.publicOf(tx, p)
	switch {
	case !ok:
		return nil
	case a.Own:
		s.addresses.Put(tx, a.ID, a.ended())
		return nil
	}
	return s.dropAddress(tx, a)
}

// lost tells who watches that the interface no longer has an address.
func (s *Service) lost(tx *store.Tx, i Interface, p PrivateAddress) error {
	return s.ended(tx, Ended{
		Kind: KindInterface, ID: i.ID, Account: i.Account, Region: i.Region, VPCID: i.VPCID, CIDR: single(p.Addr), Since: p.Since,
	})
}

// publicOf returns the public address that a private one is associated with.
func (s *Service) publicOf(r store.Reader, p PrivateAddress) (Address, bool) {
	if p.AddressID == "" {
		return Address{}, false
	}
	return s.addresses.Get(r, p.AddressID)
}

// InterfaceChange is what ModifyInterface changes; nil leaves as it is.
type InterfaceChange struct {
	Description       *string
	SecurityGroups    []string
	SourceDestination *bool // whether packets from and to other addresses are dropped
}

// ModifyInterface changes an interface of the account's own
// (ModifyNetworkInterfaceAttribute).
func (s *Service) ModifyInterface(ctx context.Context, account, region, id string, c InterfaceChange) error {
	err := s.update(ctx, func(tx *store.Tx) error {
		i, err := s.ownInterface(tx, account, region, id)
		if err != nil {
			return err
		}
		change(&i.Description, c.Description)
		if c.SecurityGroups != nil {
			spec := InterfaceSpec{Account: account, Region: region, SecurityGroups: c.SecurityGroups}
			if i.SecurityGroups, err = s.joinGroups(tx, i.VPCID, spec); err != nil {
				return err
			}
		}
		if c.SourceDestination != nil {
			i.Transit = !*c.SourceDestination
		}
		s.interfaces.Put(tx, id, i)
		return nil
	})
	if err != nil {
		return fmt.Errorf("modify interface %s: %w", id, err)
	}
	return nil
}

// ownInterface returns an interface that its account may change.
func (s *Service) ownInterface(tx *store.Tx, account, region, id string) (Interface, error) {
	i, ok := s.Interface(tx, account, region, id)
	if !ok {
		return Interface{}, &NotFoundError{KindInterface, id}
	}
	return i, i.permit()
}

// Interface returns an interface of the account.
func (s *Service) Interface(r store.Reader, account, region, id string) (Interface, bool) {
	i, ok := s.interfaces.Get(r, id)
	return i, ok && i.Account == account && i.Region == region
}

// Interfaces yields the account's interfaces by id, from the given one on.
func (s *Service) Interfaces(r store.Reader, account, region, from string) iter.Seq2[string, Interface] {
	return s.interfacesByOwner.From(r, owner(account, region), from)
}

// AllInterfaces yields every account's interfaces, by id: for who looks for
// those whose owner is gone.
func (s *Service) AllInterfaces(r store.Reader) iter.Seq2[string, Interface] {
	return s.interfaces.All(r)
}
