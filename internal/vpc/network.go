package vpc

import (
	"context"
	"fmt"
	"iter"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// VPC is a private network.
type VPC struct {
	ID, Account, Region string

	CIDR    netip.Prefix // the primary one: IPv4, masked, /16 to /28
	Drawn   Drawn        `json:",omitzero"` // what CIDR is given back as; zero if it came from no pool
	Blocks  []CIDRBlock  // the other CIDRs, as they were associated
	Default bool         // the account's default VPC of the region
	Created time.Time    // zero for one that was made before this was written
	Tenancy string       // "default" or "dedicated"; kept, of no effect

	NoDHCPOptions bool // EC2 AssociateDhcpOptions "default"; kept, of no effect

	// Attributes (EC2 ModifyVpcAttribute).
	DNSSupport, DNSHostnames, AddressUsageMetrics bool

	// Additions counts what was ever added to what this record stands for, see touchVPC.
	Additions uint64
}

// ownTableID names the route table that the VPC came with.
func (v VPC) ownTableID() string { return derived("rtb", v.ID) }

// DefaultGroupID names the security group that every VPC has.
func (v VPC) DefaultGroupID() string { return derived("sg", v.ID) }

// NetworkACLID names the VPC's only network ACL, which allows everything.
func (v VPC) NetworkACLID() string { return derived("acl", v.ID) }

// VPCSpec is a VPC to be made.
type VPCSpec struct {
	ID, Account, Region string

	// The primary CIDR, as a BlockSpec says it.
	CIDR          netip.Prefix
	PoolID        string
	NetmaskLength *int

	IPv6              BlockSpec // zero: none
	IPv6AssociationID string

	Tenancy string
	Tags    []tags.Tag
	Time    time.Time
}

// CreateVPC makes a VPC with its main route table and default security group.
// What it draws from pools is drawn in the same transaction.
func (s *Service) CreateVPC(ctx context.Context, spec VPCSpec) (VPC, error) {
	v := VPC{ID: spec.ID, Account: spec.Account, Region: spec.Region, Tenancy: spec.Tenancy, DNSSupport: true, Created: spec.Time}
	asker := Want{For: ForVPC, ResourceID: v.ID, Account: v.Account, Region: v.Region, Tags: spec.Tags, Time: spec.Time}
	blocks := []BlockSpec{{CIDR: spec.CIDR, PoolID: spec.PoolID, NetmaskLength: spec.NetmaskLength}, spec.IPv6}
	err := s.obtain(ctx, asker, blocks, func(tx *store.Tx, got []CIDRBlock) error {
		v.CIDR, v.Drawn, v.Blocks = got[0].CIDR, got[0].Drawn, nil
		if err := checkVPCRange(v.CIDR); err != nil {
			return err
		}
		if b := got[1]; b.CIDR.IsValid() {
			if err := checkVPCRange6(b.CIDR); err != nil {
				return err
			}
			b.AssociationID = spec.IPv6AssociationID
			v.Blocks = []CIDRBlock{b}
		}
		if err := s.addVPC(tx, v); err != nil {
			return err
		}
		return s.setTags(tx, v.Account, v.Region, KindVPC, v.ID, spec.Tags)
	})
	if err != nil {
		return VPC{}, err
	}
	return v, nil
}

// addVPC writes a new VPC with what every VPC has.
func (s *Service) addVPC(tx *store.Tx, v VPC) error {
	if err := s.touchRegion(tx, v.Account, v.Region); err != nil {
		return err
	}
	if s.vpcsByOwner.Count(tx, owner(v.Account, v.Region)) >= s.opts.Quotas.VPCs {
		return limit(KindVPC, "VPCs")
	}
	s.vpcs.Put(tx, v.ID, v)
	s.tables.Put(tx, v.ownTableID(), RouteTable{ID: v.ownTableID(), Account: v.Account, Region: v.Region, VPCID: v.ID, Main: true})
	g := SecurityGroup{
		ID: v.DefaultGroupID(), Account: v.Account, Region: v.Region, VPCID: v.ID,
		Name: defaultGroupName, Description: "default VPC security group",
	}
	g.Rules = append([]Rule{allRule(g.ID, Rule{GroupID: g.ID})}, v.everythingOut(g.ID)...)
	s.groups.Put(tx, g.ID, g)
	return nil
}

// DeleteVPC removes a VPC that nothing but its main route table and default
// security group is in, and gives back what its CIDRs were drawn as.
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
		for _, b := range v.CIDRs() {
			if err := s.ended(tx, Ended{Kind: KindVPC, ID: id, Account: account, Region: region, VPCID: id, CIDR: b.CIDR, Since: v.Created}); err != nil {
				return err
			}
			if err := s.giveBack(tx, b); err != nil {
				return err
			}
		}
		gone := []string{id, v.DefaultGroupID(), v.NetworkACLID()}
		for tableID := range s.tablesByVPC.Each(tx, id) { // the main one
			s.tables.Delete(tx, tableID)
			gone = append(gone, tableID)
		}
		g, _ := s.groups.Get(tx, v.DefaultGroupID())
		s.clearRuleTags(tx, g.Rules)
		s.vpcs.Delete(tx, id)
		s.groups.Delete(tx, v.DefaultGroupID())
		for _, r := range gone {
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
//
// Draws from one pool share a transaction, in which no index shows what the
// others have added. So a transaction adds to a VPC once; a second addition is
// put off to the next one (see Pools.Draw).
func (s *Service) touchVPC(tx *store.Tx, account, region, id string) (VPC, error) {
	v, err := s.vpc(tx, account, region, id)
	if err != nil {
		return VPC{}, err
	}
	if before, ok := s.vpcs.Get(tx.Snapshot(), id); ok && before.Additions != v.Additions {
		return VPC{}, fmt.Errorf("another addition to %s: %w", id, store.ErrTooLarge)
	}
	v.Additions++
	s.vpcs.Put(tx, id, v)
	return v, nil
}

// touchRegion does the same for what an account has in a region.
func (s *Service) touchRegion(tx *store.Tx, account, region string) error {
	key := owner(account, region)
	r, _ := s.regions.Get(tx, key)
	if before, _ := s.regions.Get(tx.Snapshot(), key); before.Additions != r.Additions {
		return fmt.Errorf("another addition to region %s of account %s: %w", region, account, store.ErrTooLarge)
	}
	r.Additions++
	s.regions.Put(tx, key, r)
	return nil
}
