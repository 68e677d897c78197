package vpc

import (
	"context"
	"iter"
	"net/netip"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// Subnet is a part of a VPC's CIDR in one zone.
type Subnet struct {
	ID, Account, Region string
	VPCID, Zone         string

	CIDR             netip.Prefix // IPv4, masked, inside the VPC's, overlaps no other subnet's
	DefaultForZone   bool
	MapPublicAddress bool // EC2 MapPublicIpOnLaunch; kept, of no effect on load balancers

	// The route table association that was made for this subnet; both empty if
	// it follows the main table.
	RouteTableID, AssociationID string

	Held      int  // addresses that interfaces have
	FullPages page // of its addresses; see hosts.go
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
	CIDR                netip.Prefix // bits beyond its length are dropped
	Zone                string       // "": the zone in which the VPC has fewest subnets, the first of them
	Tags                []tags.Tag
}

// CreateSubnet makes a subnet.
func (s *Service) CreateSubnet(ctx context.Context, spec SubnetSpec) (n Subnet, err error) {
	if !validRange(spec.CIDR) {
		return Subnet{}, fail(InvalidSubnetRange, KindSubnet, "The CIDR '%s' is invalid.", spec.CIDR)
	}
	err = s.update(ctx, func(tx *store.Tx) error {
		v, err := s.touchVPC(tx, spec.Account, spec.Region, spec.VPCID)
		if err != nil {
			return err
		}
		n = Subnet{
			ID: spec.ID, Account: spec.Account, Region: spec.Region, VPCID: v.ID,
			CIDR: spec.CIDR.Masked(), Zone: spec.Zone,
		}
		if n.CIDR.Bits() < v.CIDR.Bits() || !v.CIDR.Contains(n.CIDR.Addr()) {
			return fail(InvalidSubnetRange, KindSubnet, "The CIDR '%s' is invalid.", n.CIDR)
		}
		inZone := map[string]int{}
		count := 0
		for _, o := range s.subnetsByVPC.Each(tx, v.ID) {
			if o.CIDR.Overlaps(n.CIDR) {
				return fail(SubnetConflict, KindSubnet, "The CIDR '%s' conflicts with another subnet", n.CIDR)
			}
			inZone[o.Zone]++
			count++
		}
		if count >= s.opts.Quotas.Subnets {
			return limit(KindSubnet, "subnets")
		}
		zones := s.opts.Zones(spec.Region)
		switch {
		case n.Zone == "" && len(zones) > 0:
			n.Zone = slices.MinFunc(zones, func(a, b string) int { return inZone[a] - inZone[b] })
		case !slices.Contains(zones, n.Zone):
			return fail(InvalidValue, KindSubnet,
				"Value (%s) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: %s.",
				n.Zone, strings.Join(zones, ", "))
		}
		s.subnets.Put(tx, n.ID, n)
		return s.setTags(tx, n.Account, n.Region, KindSubnet, n.ID, spec.Tags)
	})
	return n, err
}

// DeleteSubnet removes a subnet without interfaces.
func (s *Service) DeleteSubnet(ctx context.Context, account, region, id string) error {
	return s.update(ctx, func(tx *store.Tx) error {
		if _, err := s.subnet(tx, account, region, id); err != nil {
			return err
		}
		if s.interfacesBySubnet.Has(tx, id) {
			return dependency(KindSubnet, "subnet", id)
		}
		s.subnets.Delete(tx, id)
		s.tags.Clear(tx, id)
		return nil
	})
}

// ModifySubnet sets whether instances would get public addresses in the subnet;
// nil leaves it as it is.
func (s *Service) ModifySubnet(ctx context.Context, account, region, id string, mapPublicAddress *bool) error {
	return s.update(ctx, func(tx *store.Tx) error {
		n, err := s.subnet(tx, account, region, id)
		if err != nil {
			return err
		}
		change(&n.MapPublicAddress, mapPublicAddress)
		s.subnets.Put(tx, id, n)
		return nil
	})
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
