package vpc

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"net"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/failpoint"
	"github.com/fairlead/fairlead/internal/store"
)

// Interface is a network interface. All there are belong to load balancer
// nodes: users see them and can't touch them (requester-managed).
type Interface struct {
	ID, Account, Region   string
	VPCID, SubnetID, Zone string

	Private        netip.Addr // in the subnet, nobody else's
	SecurityGroups []string   // ids, of the VPC; at least one
	Description    string
	Owner          string // the node's id
	AddressID      string // of its Address; "" for none
	Created        time.Time
}

// RequesterID says who manages the interfaces of load balancer nodes.
const RequesterID = "amazon-elb"

// AttachmentID names the attachment of the interface to its node.
func (i Interface) AttachmentID() string { return derived("eni-attach", i.ID) }

// MAC returns the interface's hardware address: locally administered, the same always.
func (i Interface) MAC() net.HardwareAddr {
	h := sha256.Sum256([]byte(i.ID))
	return net.HardwareAddr{0x06, h[0], h[1], h[2], h[3], h[4]}
}

// InterfaceSpec is a load balancer node's interface to be made.
type InterfaceSpec struct {
	Account, Region, SubnetID string
	Description               string
	SecurityGroups            []string // none: the VPC's default group
	Owner                     string   // the node's id, never used for another node
	Time                      time.Time
}

// interfaceID is the id that the interface of an owner has, once it is made.
func interfaceID(owner string) string { return derived("eni", owner) }

// CreateServiceInterface makes a load balancer node's interface with the lowest
// free address of its subnet, or returns the one that its owner has. One
// transaction. ErrSubnetFull, *NotFoundError for subnet and groups.
func (s *Service) CreateServiceInterface(ctx context.Context, spec InterfaceSpec) (i Interface, err error) {
	if i, ok := s.InterfaceByOwner(s.store.Snapshot(), spec.Owner); ok {
		return i, nil
	}
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

func (s *Service) addInterface(tx *store.Tx, spec InterfaceSpec) (Interface, error) {
	n, err := s.subnet(tx, spec.Account, spec.Region, spec.SubnetID)
	if err != nil {
		return Interface{}, err
	}
	groups := unique(spec.SecurityGroups)
	if len(groups) == 0 {
		groups = []string{s.DefaultSecurityGroup(tx, n.VPCID)}
	}
	if len(groups) > s.opts.Quotas.GroupsPerENI {
		return Interface{}, limit(KindInterface, "security groups per interface")
	}
	for _, id := range groups {
		g, err := s.group(tx, spec.Account, spec.Region, id)
		if err != nil {
			return Interface{}, err
		}
		if g.VPCID != n.VPCID {
			return Interface{}, fail(InvalidValue, KindSecurityGroup, "You have specified two resources that belong to different networks.")
		}
		s.groups.Put(tx, id, g) // stands for the set of its interfaces
	}
	private, err := s.takeHost(tx, n)
	if err != nil {
		return Interface{}, err
	}
	i := Interface{
		ID: interfaceID(spec.Owner), Account: spec.Account, Region: spec.Region,
		VPCID: n.VPCID, SubnetID: n.ID, Zone: n.Zone,
		Private: private, SecurityGroups: groups, Description: spec.Description,
		Owner: spec.Owner, Created: spec.Time,
	}
	s.interfaces.Put(tx, i.ID, i)
	return i, nil
}

// ReleaseServiceInterface removes an interface with its public address, and
// gives both addresses back. One transaction. What is gone already is no error.
func (s *Service) ReleaseServiceInterface(ctx context.Context, id string) error {
	err := s.inTurn(ctx, func(tx *store.Tx) error {
		i, ok := s.interfaces.Get(tx, id)
		if !ok {
			return nil
		}
		if a, ok := s.AddressOf(tx, id); ok {
			if err := s.pools.Return(tx, a.Drawn); err != nil {
				return fmt.Errorf("return %s: %w", a.Public, err)
			}
			s.addresses.Delete(tx, a.ID)
			s.tags.Clear(tx, a.ID)
		}
		// The subnet can't have gone before its interfaces.
		if n, ok := s.subnets.Get(tx, i.SubnetID); ok {
			s.returnHost(tx, n, i.Private)
		}
		err := s.ended(tx, Ended{
			Kind: KindInterface, ID: id, Account: i.Account, Region: i.Region, VPCID: i.VPCID,
			CIDR: netip.PrefixFrom(i.Private, i.Private.BitLen()), Since: i.Created,
		})
		if err != nil {
			return err
		}
		s.interfaces.Delete(tx, id)
		s.tags.Clear(tx, id)
		return nil
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
