package vpc

import (
	"context"
	"iter"
	"net/netip"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// VPC is a private network.
type VPC struct {
	ID, Account, Region string

	CIDR    netip.Prefix // IPv4, masked, /16 to /28
	Default bool         // the account's default VPC of the region
	Tenancy string       // "default" or "dedicated"; kept, of no effect

	NoDHCPOptions bool // EC2 AssociateDhcpOptions "default"; kept, of no effect

	// Attributes (EC2 ModifyVpcAttribute).
	DNSSupport, DNSHostnames, AddressUsageMetrics bool
}

// CIDRAssociationID names the association of the VPC with its CIDR.
func (v VPC) CIDRAssociationID() string { return derived("vpc-cidr-assoc", v.ID) }

// MainRouteTableID names the table of the subnets that are associated with no other.
func (v VPC) MainRouteTableID() string { return derived("rtb", v.ID) }

// DefaultGroupID names the security group that every VPC has.
func (v VPC) DefaultGroupID() string { return derived("sg", v.ID) }

// NetworkACLID names the VPC's only network ACL, which allows everything.
func (v VPC) NetworkACLID() string { return derived("acl", v.ID) }

// Prefix lengths that a VPC's and a subnet's CIDR may have (EC2 CreateVpc, CreateSubnet).
const (
	minLength = 16
	maxLength = 28
)

func validRange(p netip.Prefix) bool {
	return p.IsValid() && p.Addr().Is4() && minLength <= p.Bits() && p.Bits() <= maxLength
}

// VPCSpec is a VPC to be made.
type VPCSpec struct {
	ID, Account, Region string
	CIDR                netip.Prefix // bits beyond its length are dropped
	Tenancy             string
	Tags                []tags.Tag
}

// CreateVPC makes a VPC with its main route table and default security group.
func (s *Service) CreateVPC(ctx context.Context, spec VPCSpec) (VPC, error) {
	if !validRange(spec.CIDR) {
		return VPC{}, fail(InvalidVPCRange, KindVPC, "The CIDR '%s' is invalid.", spec.CIDR)
	}
	v := VPC{ID: spec.ID, Account: spec.Account, Region: spec.Region, CIDR: spec.CIDR.Masked(), Tenancy: spec.Tenancy, DNSSupport: true}
	err := s.update(ctx, func(tx *store.Tx) error {
		if err := s.addVPC(tx, v); err != nil {
			return err
		}
		return s.setTags(tx, v.Account, v.Region, KindVPC, v.ID, spec.Tags)
	})
	return v, err
}

// addVPC writes a new VPC with what every VPC has.
func (s *Service) addVPC(tx *store.Tx, v VPC) error {
	s.touchRegion(tx, v.Account, v.Region)
	if s.vpcsByOwner.Count(tx, owner(v.Account, v.Region)) >= s.opts.Quotas.VPCs {
		return limit(KindVPC, "VPCs")
	}
	s.vpcs.Put(tx, v.ID, v)
	s.tables.Put(tx, v.MainRouteTableID(), RouteTable{
		ID: v.MainRouteTableID(), Account: v.Account, Region: v.Region, VPCID: v.ID, Main: true,
		Routes: []Route{{Destination: v.CIDR, Local: true}},
	})
	g := SecurityGroup{
		ID: v.DefaultGroupID(), Account: v.Account, Region: v.Region, VPCID: v.ID,
		Name: defaultGroupName, Description: "default VPC security group",
	}
	g.Rules = []Rule{
		allRule(g.ID, Rule{GroupID: g.ID}),
		allRule(g.ID, Rule{Egress: true, CIDR: anyIPv4}),
	}
	s.groups.Put(tx, g.ID, g)
	return nil
}

// DeleteVPC removes a VPC that nothing but its own main route table and default
// security group is in.
func (s *Service) DeleteVPC(ctx context.Context, account, region, id string) error {
	return s.update(ctx, func(tx *store.Tx) error {
		v, err := s.vpc(tx, account, region, id)
		if err != nil {
			return err
		}
		if s.subnetsByVPC.Has(tx, id) || s.gatewaysByVPC.Has(tx, id) ||
			s.groupsByVPC.Count(tx, id) > 1 || s.tablesByVPC.Count(tx, id) > 1 {
			return dependency(KindVPC, "vpc", id)
		}
		if r, _ := s.regions.Get(tx, owner(account, region)); r.DefaultVPC == id {
			r.DefaultVPC = ""
			s.regions.Put(tx, owner(account, region), r)
		}
		g, _ := s.groups.Get(tx, v.DefaultGroupID())
		s.clearRuleTags(tx, g.Rules)
		s.vpcs.Delete(tx, id)
		s.tables.Delete(tx, v.MainRouteTableID())
		s.groups.Delete(tx, v.DefaultGroupID())
		for _, r := range []string{id, v.MainRouteTableID(), v.DefaultGroupID(), v.NetworkACLID()} {
			s.tags.Clear(tx, r)
		}
		return nil
	})
}

// VPCChange is what ModifyVPC changes; nil leaves as it is.
type VPCChange struct{ DNSSupport, DNSHostnames, AddressUsageMetrics *bool }

// ModifyVPC changes a VPC's attributes.
func (s *Service) ModifyVPC(ctx context.Context, account, region, id string, c VPCChange) error {
	return s.update(ctx, func(tx *store.Tx) error {
		v, err := s.vpc(tx, account, region, id)
		if err != nil {
			return err
		}
		change(&v.DNSSupport, c.DNSSupport)
		change(&v.DNSHostnames, c.DNSHostnames)
		change(&v.AddressUsageMetrics, c.AddressUsageMetrics)
		s.vpcs.Put(tx, id, v)
		return nil
	})
}

func change[T any](to *T, v *T) {
	if v != nil {
		*to = *v
	}
}

// VPC returns a VPC of the account.
func (s *Service) VPC(r store.Reader, account, region, id string) (VPC, bool) {
	v, ok := s.vpcs.Get(r, id)
	return v, ok && v.Account == account && v.Region == region
}

// VPCs yields the account's VPCs by id, from the given one on.
func (s *Service) VPCs(r store.Reader, account, region, from string) iter.Seq2[string, VPC] {
	return s.vpcsByOwner.From(r, owner(account, region), from)
}

// DefaultVPC returns the account's default VPC, if it has one.
func (s *Service) DefaultVPC(r store.Reader, account, region string) (VPC, bool) {
	reg, _ := s.regions.Get(r, owner(account, region))
	if reg.DefaultVPC == "" {
		return VPC{}, false
	}
	return s.vpcs.Get(r, reg.DefaultVPC)
}

func (s *Service) vpc(r store.Reader, account, region, id string) (VPC, error) {
	v, ok := s.VPC(r, account, region, id)
	if !ok {
		return VPC{}, &NotFoundError{KindVPC, id}
	}
	return v, nil
}

// touchVPC returns a VPC to which something is about to be added, and marks it
// changed for whoever is judging what is in it.
func (s *Service) touchVPC(tx *store.Tx, account, region, id string) (VPC, error) {
	v, err := s.vpc(tx, account, region, id)
	if err == nil {
		s.vpcs.Put(tx, id, v)
	}
	return v, err
}

// touchRegion does the same for what an account has in a region.
func (s *Service) touchRegion(tx *store.Tx, account, region string) {
	r, _ := s.regions.Get(tx, owner(account, region))
	s.regions.Put(tx, owner(account, region), r)
}
