package ipam

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// A resource planning pool divides the CIDRs of a VPC among subnets. Its CIDRs
// come from nowhere: the VPC has them already, from a pool or not. Below it the
// hierarchy is as everywhere: a child pool gets a part of it.
//
// Subnets are also made without a pool. Their space isn't free: before anything
// is given out of a planning pool, or planned further, the VPC's subnets are
// allocated there what they have, and where they can't be, nobody else is.

// SourceVPC is the only type of source resource (EC2 IpamPoolSourceResourceType).
const SourceVPC = "vpc"

// VPCs is the network that planning pools plan.
type VPCs interface {
	// CIDRs returns a VPC's CIDRs. From a Tx they are guarded.
	CIDRs(r store.Reader, vpc SourceResource) (cidrs []netip.Prefix, ok bool)

	// Subnets yields the CIDRs of a VPC's subnets, by their ids; an id may come
	// several times. From a Tx the set
	// is guarded: the transaction fails when a subnet is added to it.
	Subnets(r store.Reader, vpc SourceResource) iter.Seq2[string, netip.Prefix]

	// Adopt tells a subnet, as a part of tx, that a is allocated for it, to be
	// returned when it is deleted.
	Adopt(tx *store.Tx, subnetID string, a Allocation) error
}

// inheritSource gives a child pool what its parent plans.
func (p *Pool) inheritSource(parent Pool) error {
	if parent.Source == nil {
		return nil
	}
	inherited := *parent.Source
	inherited.Inherited = p.Source == nil || *p.Source == SourceResource{ID: inherited.ID, Type: inherited.Type, Region: inherited.Region, Owner: inherited.Owner}
	if !inherited.Inherited {
		return refuse(InvalidValue, "The source resource must be '%s', that of the source ipam-pool '%s'.", inherited.ID, parent.ID)
	}
	p.Source = &inherited
	return nil
}

// checkPlanning checks what can be said of a planning pool without its VPC.
func checkPlanning(p Pool, i IPAM) error {
	switch {
	case !p.plansVPC():
		return nil
	case p.Source.Type != SourceVPC:
		return refuse(InvalidValue, "The source resource type '%s' is not valid. It must be %s.", p.Source.Type, SourceVPC)
	case p.Source.Owner != i.Account:
		return refuse(InvalidValue, "The source resource '%s' must be owned by the account of the ipam.", p.Source.ID)
	case p.PublicSource != "" && p.SourcePoolID == "":
		return refuse(InvalidCombination, "The request can't contain PublicIpSource for a pool with a source resource, whose CIDRs those of the pool are.")
	case p.Locale != p.Source.Region:
		return refuse(InvalidCombination, "The locale of a pool with a source resource must be the region of the resource, '%s'.", p.Source.Region)
	}
	return nil
}

// checkSource says whether there is what the pool is to plan.
func (s *Service) checkSource(tx *store.Tx, p Pool) error {
	if !p.plansVPC() {
		return nil
	}
	if _, ok := s.planned(tx, p); !ok {
		return &NotFoundError{NounVPC, p.Source.ID}
	}
	return nil
}

// planned returns the CIDRs of the VPC that p plans.
func (s *Service) planned(r store.Reader, p Pool) ([]netip.Prefix, bool) {
	if s.opts.VPCs == nil {
		return nil, false
	}
	return s.opts.VPCs.CIDRs(r, *p.Source)
}

// checkPlanned says whether a CIDR is one of those that a planning pool may have.
func (s *Service) checkPlanned(tx *store.Tx, p Pool, cidr netip.Prefix) error {
	if !p.plansVPC() {
		return nil
	}
	if cidrs, ok := s.planned(tx, p); !ok || !slices.Contains(cidrs, cidr) {
		return refuse(InvalidValue, "The CIDR '%s' is not a CIDR of the source resource '%s'.", cidr, p.Source.ID)
	}
	return nil
}

// serves says whether a pool is one for such resources.
func (p Pool) serves(w Want) error {
	switch subnet := w.Holder.Type == Subnet; {
	case subnet && p.Source == nil:
		return refuse(InvalidValue, "IpamPool '%s' is missing a source resource", p.ID)
	case subnet && w.VPCID != p.Source.ID:
		return refuse(InvalidValue, "IpamPool '%s' has the source resource '%s'. It serves no subnets of '%s'.", p.ID, p.Source.ID, w.VPCID)
	case !subnet && p.Source != nil:
		return refuse(InvalidValue, "IpamPool '%s' has a source resource. It serves subnets of '%s' only.", p.ID, p.Source.ID)
	}
	return nil
}

// adoptionsPerTurn bounds what one transaction allocates for subnets that were
// there: each takes an allocation and the subnet's record.
const adoptionsPerTurn = store.MaxTxnOps / 4

// meetSubnets allocates to the subnets of the VPC that the turn's pool plans
// what they have, in a transaction for that alone, and remembers those for whom
// that can't be.
func (t *turn) meetSubnets() error {
	for id, cidr := range t.unmet() {
		if len(t.granted) == adoptionsPerTurn || t.checkFree(cidr) != nil {
			t.reserved = append(t.reserved, cidr)
			continue
		}
		if err := t.adopt(id, cidr); err != nil {
			return err
		}
	}
	return nil
}

// unmet yields the CIDRs in the turn's pool that subnets have and that nothing
// is allocated for, by the subnets' ids.
func (t *turn) unmet() iter.Seq2[string, netip.Prefix] {
	return func(yield func(string, netip.Prefix) bool) {
		if !t.exists || t.pool.Source == nil || t.s.opts.VPCs == nil {
			return
		}
		for id, cidr := range t.s.opts.VPCs.Subnets(t.tx, *t.pool.Source) {
			if slices.ContainsFunc(t.index.cidrs, cidr.Overlaps) && !t.covers(cidr) && !yield(id, cidr) {
				return
			}
		}
	}
}

// covers says whether a subnet's space is taken: by itself, or by a block around
// it, so that there is nothing to be done for it.
func (t *turn) covers(cidr netip.Prefix) bool {
	a, taken := overlapping(t.base, t.s.allocs, t.pool.ID, cidr, t.ledger.Lengths)
	return taken && within(cidr, a.CIDR)
}

func (t *turn) adopt(subnet string, cidr netip.Prefix) error {
	now := time.Now().UTC().Round(0)
	a, err := t.grant(Allocation{
		ID: NewAllocationID(now), CIDR: cidr, Created: now,
		Holder: Holder{Type: Subnet, ResourceID: subnet, Account: t.pool.Source.Owner, Region: t.pool.Source.Region},
	})
	var refused *CallError
	switch {
	case errors.As(err, &refused): // the pool has no room for another
		t.reserved = append(t.reserved, cidr)
		return nil
	case err != nil:
		return err
	}
	t.settle(len(t.granted) - 1)
	t.adopted = true
	if err := t.s.opts.VPCs.Adopt(t.tx, subnet, a); err != nil {
		return fmt.Errorf("allocate %s to %s: %w", cidr, subnet, err)
	}
	return nil
}

// showSubnets has the subnets in a newly provisioned CIDR show among its
// allocations. Without it they would at the pool's next change, before which
// nothing is given away.
func (s *Service) showSubnets(ctx context.Context, p Pool, c PoolCIDR) {
	if p.Source == nil || c.State != Provisioned {
		return
	}
	if err := s.submit(ctx, p.ID, func(*turn) error { return nil }); err != nil {
		s.opts.Log.Warn("ipam: subnets are allocated later", "pool", p.ID, "cidr", c.CIDR, "error", err)
	}
}
