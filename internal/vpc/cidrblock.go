package vpc

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// CIDRBlock is a CIDR that a VPC or a subnet has by an association of its own.
type CIDRBlock struct {
	AssociationID string
	CIDR          netip.Prefix // masked
	Drawn         Drawn        `json:",omitzero"`  // what it is given back as; zero if it came from no pool
	Amazon        bool         `json:",omitempty"` // it is the region's own, not from a pool of the account's
}

// BlockSpec says where a CIDR is to come from. The zero value asks for none.
type BlockSpec struct {
	CIDR          netip.Prefix // zero: the pool chooses; bits beyond its length are dropped
	PoolID        string       // an IPAM pool; "": CIDR is taken as it is
	NetmaskLength *int         // of what the pool chooses; nil: the pool's default
	Amazon        bool         // an IPv6 block of the region's own, and nothing else
}

// amazonLength is the length of the region's own IPv6 blocks (EC2 CreateVpc,
// AmazonProvidedIpv6CidrBlock).
const amazonLength = 56

// want adds to asker what is drawn for the spec; false if nothing is.
func (b BlockSpec) want(asker Want, pools Pools) (Want, bool) {
	asker.PoolID, asker.Block, asker.NetmaskLength = b.PoolID, b.CIDR.Masked(), b.NetmaskLength
	if b.Amazon {
		asker.PoolID, asker.Block, asker.NetmaskLength = pools.ProviderIPv6Pool(asker.Region), netip.Prefix{}, new(amazonLength)
	}
	return asker, asker.PoolID != ""
}

// obtain has record write a resource with the blocks that the specs ask for, in
// their order, all in one transaction. asker is the resource, as the pools are
// to know it. record may run several times, and after an error it may still be
// running.
func (s *Service) obtain(ctx context.Context, asker Want, specs []BlockSpec, record func(tx *store.Tx, got []CIDRBlock) error) error {
	got := make([]CIDRBlock, len(specs))
	var draws []int // those of specs that come from a pool
	for i, b := range specs {
		got[i] = CIDRBlock{CIDR: b.CIDR.Masked(), Amazon: b.Amazon}
		if _, ok := b.want(asker, s.pools); ok {
			draws = append(draws, i)
		}
	}
	if len(draws) == 0 {
		return s.update(ctx, func(tx *store.Tx) error { return record(tx, got) })
	}
	first, others := draws[0], draws[1:]
	w, _ := specs[first].want(asker, s.pools)
	for _, i := range others {
		if specs[i].PoolID == w.PoolID {
			return fail(InvalidValue, KindCIDRBlock, "The ipam-pool '%s' has addresses of one family, and can't give both an IPv4 and an IPv6 CIDR.", w.PoolID)
		}
	}
	err := s.pools.Draw(ctx, w, func(tx *store.Tx, d Drawn) error {
		got[first].CIDR, got[first].Drawn = d.Block, d
		for _, i := range others {
			w, _ := specs[i].want(asker, s.pools)
			d, err := s.pools.DrawWithin(tx, w)
			if err != nil {
				return specs[i].refusal(err)
			}
			got[i].CIDR, got[i].Drawn = d.Block, d
		}
		err := record(tx, got)
		if err == nil && s.check != nil {
			err = s.check()
		}
		return err
	})
	return specs[first].refusal(err)
}

// refusal names no pool that the caller can't know.
func (b BlockSpec) refusal(err error) error {
	if b.Amazon && (errors.Is(err, ErrPoolNotFound) || errors.Is(err, ErrPoolExhausted)) {
		return fail(NoCapacity, KindCIDRBlock, "The region has no IPv6 CIDR block of its own to give. Draw from an IPAM pool, or have the operator add to the region's provider blocks.")
	}
	return err
}

// giveBack returns a block to the pool that it was drawn from, if it was.
func (s *Service) giveBack(tx *store.Tx, b CIDRBlock) error {
	if b.Drawn == (Drawn{}) {
		return nil
	}
	return s.pools.Return(tx, b.Drawn)
}

// Lengths that an IPv4 CIDR of a VPC or a subnet may have (EC2 CreateVpc, CreateSubnet).
const (
	minLength = 16
	maxLength = 28
)

// Lengths that an IPv6 CIDR may have, in steps of four (the same).
const (
	minLength6       = 44
	maxLength6       = 60 // of a VPC's
	maxSubnetLength6 = 64
	step6            = 4
)

func validRange(p netip.Prefix) bool {
	return p.IsValid() && p.Addr().Is4() && minLength <= p.Bits() && p.Bits() <= maxLength
}

func validRange6(p netip.Prefix, longest int) bool {
	return p.IsValid() && p.Addr().Is6() && minLength6 <= p.Bits() && p.Bits() <= longest && (p.Bits()-minLength6)%step6 == 0
}

func within(p, outer netip.Prefix) bool { return p.Bits() >= outer.Bits() && outer.Overlaps(p) }

func checkVPCRange(p netip.Prefix) error {
	if !validRange(p) {
		return fail(InvalidVPCRange, KindVPC, "The CIDR '%s' is invalid.", p)
	}
	return nil
}

func checkVPCRange6(p netip.Prefix) error {
	if !validRange6(p, maxLength6) {
		return fail(InvalidVPCRange, KindVPC, "The CIDR '%s' is invalid. An IPv6 CIDR block of a VPC has a length from /%d to /%d, in steps of %d.", p, minLength6, maxLength6, step6)
	}
	return nil
}

// CIDRs returns the VPC's CIDRs, the primary one first.
func (v VPC) CIDRs() []CIDRBlock {
	return append([]CIDRBlock{{AssociationID: v.primaryAssociationID(), CIDR: v.CIDR, Drawn: v.Drawn}}, v.Blocks...)
}

// primaryAssociationID names the association of the VPC with its primary CIDR.
func (v VPC) primaryAssociationID() string { return derived("vpc-cidr-assoc", v.ID) }

// HasIPv6 says whether any of the VPC's CIDRs is an IPv6 one.
func (v VPC) HasIPv6() bool {
	return slices.ContainsFunc(v.Blocks, func(b CIDRBlock) bool { return b.CIDR.Addr().Is6() })
}

// contains says whether a CIDR lies in one of the VPC's.
func (v VPC) contains(p netip.Prefix) bool {
	return slices.ContainsFunc(v.CIDRs(), func(b CIDRBlock) bool { return within(p, b.CIDR) })
}

// CIDRSpec is a CIDR to be associated with a VPC or a subnet.
type CIDRSpec struct {
	AssociationID   string
	Account, Region string
	Resource        string // the VPC's id, or the subnet's
	Block           BlockSpec
	IPv6            bool // the caller means the block to be IPv6
	Time            time.Time
}

// AssociateVPCCIDR adds a CIDR to a VPC.
func (s *Service) AssociateVPCCIDR(ctx context.Context, spec CIDRSpec) (CIDRBlock, error) {
	snap := s.store.Snapshot()
	if _, err := s.vpc(snap, spec.Account, spec.Region, spec.Resource); err != nil {
		return CIDRBlock{}, err
	}
	var b CIDRBlock
	asker := Want{
		For: ForVPC, ResourceID: spec.Resource, Account: spec.Account, Region: spec.Region,
		Tags: s.tags.Of(snap, spec.Resource), Time: spec.Time,
	}
	err := s.obtain(ctx, asker, []BlockSpec{spec.Block}, func(tx *store.Tx, got []CIDRBlock) error {
		v, err := s.touchVPC(tx, spec.Account, spec.Region, spec.Resource)
		if err != nil {
			return err
		}
		b = got[0]
		b.AssociationID = spec.AssociationID
		if spec.IPv6 {
			err = checkVPCRange6(b.CIDR)
		} else {
			err = checkVPCRange(b.CIDR)
		}
		if err != nil {
			return err
		}
		if err := s.checkRoom(tx, v, b.CIDR); err != nil {
			return err
		}
		// The region stands for the set of its VPCs' CIDRs, see GuardVPCs.
		if err := s.touchRegion(tx, spec.Account, spec.Region); err != nil {
			return err
		}
		v.Blocks = append(slices.Clone(v.Blocks), b)
		s.vpcs.Put(tx, v.ID, v)
		return nil
	})
	if err != nil {
		return CIDRBlock{}, err
	}
	return b, nil
}

// checkRoom says whether a VPC may have another CIDR (Amazon VPC, VPC CIDR
// blocks): one that overlaps none of its own, nor swallows a route's destination.
func (s *Service) checkRoom(tx *store.Tx, v VPC, p netip.Prefix) error {
	family := func(b CIDRBlock) bool { return b.CIDR.Addr().Is4() == p.Addr().Is4() }
	if count(v.CIDRs(), family) >= s.opts.Quotas.CIDRs {
		return limit(KindCIDRBlock, "CIDR blocks of the VPC")
	}
	for _, b := range v.CIDRs() {
		if b.CIDR.Overlaps(p) {
			return fail(InvalidVPCRange, KindVPC, "The CIDR '%s' conflicts with the CIDR '%s' of the VPC.", p, b.CIDR)
		}
	}
	for _, t := range s.tablesByVPC.Each(tx, v.ID) {
		for _, r := range t.made() {
			if within(r.Destination, p) {
				return fail(InvalidVPCRange, KindVPC, "The CIDR '%s' covers the destination '%s' of a route in %s. Delete the route, or use a smaller CIDR.", p, r.Destination, t.ID)
			}
		}
	}
	return nil
}

// DisassociateVPCCIDR takes a CIDR from the VPC that has it, gives it back, and
// returns both as they were. The primary one stays, and one with subnets in it.
func (s *Service) DisassociateVPCCIDR(ctx context.Context, account, region, associationID string) (v VPC, b CIDRBlock, err error) {
	err = s.update(ctx, func(tx *store.Tx) error {
		for id := range s.vpcsByAssociation.Each(tx, associationID) {
			if v, err = s.vpc(tx, account, region, id); err != nil {
				break
			}
			if associationID == v.primaryAssociationID() {
				return fail(NotPermitted, KindCIDRBlock, "The association %s can't be ended: it is that of the VPC's primary IPv4 CIDR block.", associationID)
			}
			i := slices.IndexFunc(v.Blocks, func(b CIDRBlock) bool { return b.AssociationID == associationID })
			if i < 0 {
				break
			}
			b = v.Blocks[i]
			for _, n := range s.subnetsByVPC.Each(tx, id) {
				if slices.ContainsFunc(n.CIDRs(), func(c CIDRBlock) bool { return within(c.CIDR, b.CIDR) }) {
					return fail(Dependency, KindCIDRBlock, "The CIDR '%s' of the VPC '%s' has subnets in it, %s among them, and cannot be disassociated.", b.CIDR, id, n.ID)
				}
			}
			if err := s.ended(tx, Ended{Kind: KindVPC, ID: id, Account: account, Region: region, VPCID: id, CIDR: b.CIDR}); err != nil {
				return err
			}
			if err := s.giveBack(tx, b); err != nil {
				return err
			}
			v.Blocks = slices.Delete(slices.Clone(v.Blocks), i, i+1)
			s.vpcs.Put(tx, id, v)
			return nil
		}
		return &NotFoundError{KindCIDRBlock, associationID}
	})
	return v, b, err
}
