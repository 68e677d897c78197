package vpc

import (
	"context"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// Subnet is a part of a VPC's CIDRs in one zone.
type Subnet struct {
	ID, Account, Region string
	VPCID, Zone         string

	CIDR   netip.Prefix // IPv4, masked, inside one of the VPC's, overlaps no other subnet's
	Drawn  Drawn        `json:",omitzero"` // what CIDR is given back as; zero if it came from no pool
	Blocks []CIDRBlock  // IPv6, one at most

	DefaultForZone bool

	// Attributes (EC2 ModifySubnetAttribute); kept, of no effect on load balancers.
	MapPublicAddress bool // MapPublicIpOnLaunch
	AssignIPv6       bool // AssignIpv6AddressOnCreation; false without an IPv6 block
	DNS64            bool // EnableDns64
	NamedByResource  bool // PrivateDnsHostnameTypeOnLaunch: resource-name, not ip-name
	ResourceNameA    bool // EnableResourceNameDnsARecordOnLaunch
	ResourceNameAAAA bool // EnableResourceNameDnsAAAARecordOnLaunch

	// The route table association that was made for this subnet; both empty if
	// it follows the main table.
	RouteTableID, AssociationID string

	Held      int  // addresses that interfaces have
	FullPages page // of its addresses; see hosts.go

	Created time.Time // zero for one that was made before this was written
}

// CIDRs returns the subnet's CIDRs, the IPv4 one first.
func (n Subnet) CIDRs() []CIDRBlock {
	return append([]CIDRBlock{{CIDR: n.CIDR, Drawn: n.Drawn}}, n.Blocks...)
}

// FreeAddresses returns how many more addresses interfaces may get
// (AvailableIpAddressCount).
func (n Subnet) FreeAddresses() int { return hosts(n.CIDR) - reservedHosts - n.Held }

// NetworkACLAssociationID names the subnet's association with its VPC's network ACL.
func (n Subnet) NetworkACLAssociationID() string { return derived("aclassoc", n.ID) }

// SubnetSpec is a subnet to be made.
type SubnetSpec struct {
	ID, Account, Region string
	VPCID               string

	// The IPv4 CIDR, as a BlockSpec says it. A pool is one that was made to plan
	// the VPC's CIDR.
	CIDR          netip.Prefix
	PoolID        string
	NetmaskLength *int

	IPv6              BlockSpec // zero: none
	IPv6AssociationID string

	Zone string // "": the zone in which the VPC has fewest subnets, the first of them
	Tags []tags.Tag
	Time time.Time
}

// CreateSubnet makes a subnet. What it draws from pools is drawn in the same
// transaction.
func (s *Service) CreateSubnet(ctx context.Context, spec SubnetSpec) (Subnet, error) {
	if _, err := s.vpc(s.store.Snapshot(), spec.Account, spec.Region, spec.VPCID); err != nil {
		return Subnet{}, err
	}
	var n Subnet
	asker := Want{For: ForSubnet, ResourceID: spec.ID, VPCID: spec.VPCID, Account: spec.Account, Region: spec.Region, Tags: spec.Tags, Time: spec.Time}
	blocks := []BlockSpec{{CIDR: spec.CIDR, PoolID: spec.PoolID, NetmaskLength: spec.NetmaskLength}, spec.IPv6}
	err := s.obtain(ctx, asker, blocks, func(tx *store.Tx, got []CIDRBlock) error {
		n = Subnet{
			ID: spec.ID, Account: spec.Account, Region: spec.Region, VPCID: spec.VPCID, Zone: spec.Zone,
			CIDR: got[0].CIDR, Drawn: got[0].Drawn, Created: spec.Time,
		}
		if b := got[1]; b.CIDR.IsValid() {
			b.AssociationID = spec.IPv6AssociationID
			n.Blocks = []CIDRBlock{b}
		}
		if err := s.addSubnet(tx, &n); err != nil {
			return err
		}
		return s.setTags(tx, n.Account, n.Region, KindSubnet, n.ID, spec.Tags)
	})
	if err != nil {
		return Subnet{}, err
	}
	return n, nil
}

// addSubnet writes a new subnet, for which it may have to choose the zone.
func (s *Service) addSubnet(tx *store.Tx, n *Subnet) error {
	v, err := s.touchVPC(tx, n.Account, n.Region, n.VPCID)
	if err != nil {
		return err
	}
	for _, b := range n.CIDRs() {
		if err := checkSubnetRange(v, b.CIDR); err != nil {
			return err
		}
	}
	inZone := map[string]int{}
	count := 0
	for _, o := range s.subnetsByVPC.Each(tx, v.ID) {
		if err := n.checkClear(o); err != nil {
			return err
		}
		inZone[o.Zone]++
		count++
	}
	if count >= s.opts.Quotas.Subnets {
		return limit(KindSubnet, "subnets")
	}
	zones := s.opts.Zones(n.Region)
	switch {
	case n.Zone == "" && len(zones) > 0:
		n.Zone = slices.MinFunc(zones, func(a, b string) int { return inZone[a] - inZone[b] })
	case !slices.Contains(zones, n.Zone):
		return noZone(n.Zone, zones)
	}
	s.subnets.Put(tx, n.ID, *n)
	return nil
}

func noZone(zone string, zones []string) error {
	return fail(InvalidValue, KindSubnet,
		"Value (%s) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: %s.",
		zone, strings.Join(zones, ", "))
}

// checkSubnetRange says whether a subnet of the VPC can have the CIDR.
func checkSubnetRange(v VPC, p netip.Prefix) error {
	switch {
	case p.Addr().Is6() && !validRange6(p, maxSubnetLength6):
		return fail(InvalidSubnetRange, KindSubnet, "The CIDR '%s' is invalid. An IPv6 CIDR block of a subnet has a length from /%d to /%d, in steps of %d.", p, minLength6, maxSubnetLength6, step6)
	case !p.Addr().Is6() && !validRange(p), !v.contains(p):
		return fail(InvalidSubnetRange, KindSubnet, "The CIDR '%s' is invalid.", p)
	}
	return nil
}

// checkClear refuses n if another subnet of the VPC has a part of its CIDRs.
func (n Subnet) checkClear(other Subnet) error {
	for _, o := range other.CIDRs() {
		for _, b := range n.CIDRs() {
			if o.CIDR.Overlaps(b.CIDR) {
				return fail(SubnetConflict, KindSubnet, "The CIDR '%s' conflicts with another subnet", b.CIDR)
			}
		}
	}
	return nil
}

// DeleteSubnet removes a subnet without interfaces that no load balancer is in,
// and gives back what its CIDRs were drawn as.
func (s *Service) DeleteSubnet(ctx context.Context, account, region, id string) error {
	return s.update(ctx, func(tx *store.Tx) error {
		n, err := s.subnet(tx, account, region, id)
		if err != nil {
			return err
		}
		if s.interfacesBySubnet.Has(tx, id) || s.inUse(tx, id) {
			return dependency(KindSubnet, "subnet", id)
		}
		for _, b := range n.CIDRs() {
			if err := s.ended(tx, Ended{Kind: KindSubnet, ID: id, Account: account, Region: region, VPCID: n.VPCID, CIDR: b.CIDR, Since: n.Created}); err != nil {
				return err
			}
			if err := s.giveBack(tx, b); err != nil {
				return err
			}
		}
		s.subnets.Delete(tx, id)
		s.tags.Clear(tx, id)
		return nil
	})
}

// SubnetChange is what ModifySubnet changes; nil leaves as it is.
type SubnetChange struct {
	MapPublicAddress, AssignIPv6, DNS64              *bool
	NamedByResource, ResourceNameA, ResourceNameAAAA *bool
}

// ModifySubnet changes a subnet's attributes.
func (s *Service) ModifySubnet(ctx context.Context, account, region, id string, c SubnetChange) error {
	return s.update(ctx, func(tx *store.Tx) error {
		n, err := s.subnet(tx, account, region, id)
		if err != nil {
			return err
		}
		change(&n.MapPublicAddress, c.MapPublicAddress)
		change(&n.AssignIPv6, c.AssignIPv6)
		change(&n.DNS64, c.DNS64)
		change(&n.NamedByResource, c.NamedByResource)
		change(&n.ResourceNameA, c.ResourceNameA)
		change(&n.ResourceNameAAAA, c.ResourceNameAAAA)
		if n.AssignIPv6 && len(n.Blocks) == 0 {
			return fail(InvalidValue, KindSubnet, "Subnet %s has no IPv6 CIDR block to assign addresses from", id)
		}
		s.subnets.Put(tx, id, n)
		return nil
	})
}

// AssociateSubnetCIDR gives a subnet its IPv6 CIDR.
func (s *Service) AssociateSubnetCIDR(ctx context.Context, spec CIDRSpec) (CIDRBlock, error) {
	snap := s.store.Snapshot()
	n, err := s.subnet(snap, spec.Account, spec.Region, spec.Resource)
	if err != nil {
		return CIDRBlock{}, err
	}
	var b CIDRBlock
	asker := Want{
		For: ForSubnet, ResourceID: spec.Resource, VPCID: n.VPCID, Account: spec.Account, Region: spec.Region,
		Tags: s.tags.Of(snap, spec.Resource), Time: spec.Time,
	}
	err = s.obtain(ctx, asker, []BlockSpec{spec.Block}, func(tx *store.Tx, got []CIDRBlock) error {
		n, err := s.subnet(tx, spec.Account, spec.Region, spec.Resource)
		if err != nil {
			return err
		}
		v, err := s.touchVPC(tx, spec.Account, spec.Region, n.VPCID)
		if err != nil {
			return err
		}
		if len(n.Blocks) > 0 {
			return limit(KindSubnetCIDRBlock, "IPv6 CIDR blocks of the subnet")
		}
		b = got[0]
		b.AssociationID = spec.AssociationID
		if !b.CIDR.Addr().Is6() {
			return fail(InvalidSubnetRange, KindSubnet, "The CIDR '%s' is invalid. Only an IPv6 CIDR block can be associated with a subnet.", b.CIDR)
		}
		if err := checkSubnetRange(v, b.CIDR); err != nil {
			return err
		}
		for _, o := range s.subnetsByVPC.Each(tx, v.ID) {
			if err := (Subnet{CIDR: b.CIDR}).checkClear(o); err != nil {
				return err
			}
		}
		n.Blocks = []CIDRBlock{b}
		s.subnets.Put(tx, n.ID, n)
		return nil
	})
	if err != nil {
		return CIDRBlock{}, err
	}
	return b, nil
}

// DisassociateSubnetCIDR takes the IPv6 CIDR from the subnet that has it, gives
// it back, and returns both as they were.
func (s *Service) DisassociateSubnetCIDR(ctx context.Context, account, region, associationID string) (n Subnet, b CIDRBlock, err error) {
	err = s.update(ctx, func(tx *store.Tx) error {
		for id := range s.subnetsByAssociation.Each(tx, associationID) {
			if n, err = s.subnet(tx, account, region, id); err != nil {
				break
			}
			i := slices.IndexFunc(n.Blocks, func(b CIDRBlock) bool { return b.AssociationID == associationID })
			if i < 0 {
				break
			}
			b = n.Blocks[i]
			if s.ipv6InUse(tx, id) {
				return fail(Dependency, KindSubnetCIDRBlock, "The IPv6 CIDR block '%s' of subnet '%s' is in use by network interfaces or load balancers.", b.CIDR, id)
			}
			if err := s.ended(tx, Ended{Kind: KindSubnet, ID: id, Account: account, Region: region, VPCID: n.VPCID, CIDR: b.CIDR}); err != nil {
				return err
			}
			if err := s.giveBack(tx, b); err != nil {
				return err
			}
			n.Blocks, n.AssignIPv6 = slices.Delete(slices.Clone(n.Blocks), i, i+1), false
			s.subnets.Put(tx, id, n)
			return nil
		}
		return &NotFoundError{KindSubnetCIDRBlock, associationID}
	})
	return n, b, err
}

// AdoptBlock has a subnet give d, which a pool has allocated for a CIDR that the
// subnet had from no pool, back with that CIDR.
func (s *Service) AdoptBlock(tx *store.Tx, id string, d Drawn) error {
	n, ok := s.subnets.Get(tx, id)
	if !ok {
		return &NotFoundError{KindSubnet, id}
	}
	n.Blocks = slices.Clone(n.Blocks)
	if n.CIDR == d.Block {
		n.Drawn = d
	}
	for i := range n.Blocks {
		if n.Blocks[i].CIDR == d.Block {
			n.Blocks[i].Drawn = d
		}
	}
	s.subnets.Put(tx, id, n)
	return nil
}

// Subnet returns a subnet of the account.
func (s *Service) Subnet(r store.Reader, account, region, id string) (Subnet, bool) {
	n, ok := s.subnets.Get(r, id)
	return n, ok && n.Account == account && n.Region == region
}

// Subnets yields the account's subnets by id, from the given one on.
func (s *Service) Subnets(r store.Reader, account, region, from string) iter.Seq2[string, Subnet] {
	return s.subnetsByOwner.From(r, owner(account, region), from)
}

// SubnetsOf yields a VPC's subnets by id.
func (s *Service) SubnetsOf(r store.Reader, vpcID string) iter.Seq2[string, Subnet] {
	return s.subnetsByVPC.Each(r, vpcID)
}

func (s *Service) subnet(r store.Reader, account, region, id string) (Subnet, error) {
	n, ok := s.Subnet(r, account, region, id)
	if !ok {
		return Subnet{}, &NotFoundError{KindSubnet, id}
	}
	return n, nil
}
