package ipam

import (
	"context"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/failpoint"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// A public IPv4 pool is EC2's, older than IPAM: elastic IPs are drawn from it. It
// is a Pool with a ledger like any other, so that Draw takes its id and the same
// rules hold for its addresses, but IPAM's operations don't know it. Its CIDRs
// are allocations of IPAM pools, or were brought to it (ProvisionByoipCidr).

// shortestPublicCIDR is the netmask length of the largest CIDR that an IPAM pool
// gives to a public IPv4 pool (ProvisionPublicIpv4PoolCidr).
const shortestPublicCIDR = 24

const publicPoolTag = "ipv4pool-ec2"

// CreatePublicPool is a request for a public IPv4 pool.
type CreatePublicPool struct {
	ID              string // "ipv4pool-ec2-…"
	Account, Region string
	Tags            []tags.Tag
	Time            time.Time
}

// CreatePublicPool makes an empty public IPv4 pool (CreatePublicIpv4Pool).
func (s *Service) CreatePublicPool(ctx context.Context, req CreatePublicPool, dryRun func() error) (Pool, error) {
	p := newPublicPool(req.ID, req.Account, req.Region, req.Time)
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		if err := check(dryRun); err != nil {
			return err
		}
		s.ledgers.Put(tx, p.ID, Ledger{})
		return s.putPublicPool(tx, p, req.Tags)
	})
	if err != nil {
		return Pool{}, fmt.Errorf("create public pool: %w", err)
	}
	return p, nil
}

func newPublicPool(id, account, region string, now time.Time) Pool {
	return Pool{
		ID: id, ScopeType: Public, Account: account, Region: region, Depth: 1, Locale: region, Family: IPv4,
		AWSService: ServiceEC2, PublicSource: BYOIP, State: CreateComplete, Created: now, PublicIPv4: true,
	}
}

func (s *Service) putPublicPool(tx *store.Tx, p Pool, tg []tags.Tag) error {
	s.pools.Put(tx, p.ID, p)
	return s.tag(tx, p.Account, p.Region, p.ID, publicPoolTag, tg)
}

// PublicPools yields an account's public IPv4 pools in a region, by id, from the
// id on.
func (s *Service) PublicPools(r store.Reader, account, region, from string) iter.Seq2[string, Pool] {
	return s.publicPoolsByOwner.From(r, owner(account, region), from)
}

// PublicPool returns the public IPv4 pool that an account names.
func (s *Service) PublicPool(r store.Reader, account, region, id string) (Pool, bool) {
	p, ok := s.pools.Get(r, id)
	return p, ok && p.PublicIPv4 && p.Account == account && p.Region == region
}

func (s *Service) publicPool(r store.Reader, account, region, id string) (Pool, error) {
	p, ok := s.PublicPool(r, account, region, id)
	if !ok {
		return p, &NotFoundError{NounPublicPool, id}
	}
	return p, nil
}

// DeletePublicPool deletes a public IPv4 pool that has no CIDRs (DeletePublicIpv4Pool).
func (s *Service) DeletePublicPool(ctx context.Context, account, region, id string, dryRun func() error) error {
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		if _, err := s.publicPool(tx, account, region, id); err != nil {
			return err
		}
		s.ledgers.Get(tx, id) // guards what follows
		for _, c := range s.cidrsByPool.Each(tx, id) {
			return refuse(Dependency, "The specified action is not valid for %s. The CIDR '%s' is provisioned to the pool.", id, c.CIDR)
		}
		if err := check(dryRun); err != nil {
			return err
		}
		s.removePublicPool(tx, id)
		return nil
	})
	if err != nil {
		return fmt.Errorf("delete public pool %s: %w", id, err)
	}
	return nil
}

// removePublicPool deletes a public IPv4 pool without CIDRs.
func (s *Service) removePublicPool(tx *store.Tx, id string) {
	s.ledgers.Delete(tx, id)
	s.pools.Delete(tx, id)
	s.tags.Clear(tx, id)
}

// ProvisionPublicCIDR is a request for a CIDR of a public IPv4 pool, out of an
// IPAM pool.
type ProvisionPublicCIDR struct {
	ID, AllocationID string // of the CIDR, and of its block in the IPAM pool
	Account, Region  string
	PoolID           string // the public one
	SourcePoolID     string // IPAM's
	NetmaskLength    int
	Time             time.Time
}

// ProvisionPublicCIDR allocates the lowest free block of an IPAM pool to a
// public IPv4 pool (ProvisionPublicIpv4PoolCidr). ErrPoolNotFound,
// ErrPoolExhausted, ErrNotAllowed by the IPAM pool's rules.
func (s *Service) ProvisionPublicCIDR(ctx context.Context, req ProvisionPublicCIDR, dryRun func() error) (PoolCIDR, error) {
	snap := s.store.Snapshot()
	if _, err := s.publicPool(snap, req.Account, req.Region, req.PoolID); err != nil {
		return PoolCIDR{}, fmt.Errorf("provision: %w", err)
	}
	source, err := s.localPool(snap, req.Account, req.Region, req.SourcePoolID)
	if err == nil {
		err = checkPublicSource(source, req)
	}
	if err != nil {
		return PoolCIDR{}, fmt.Errorf("provision to public pool %s: %w", req.PoolID, err)
	}
	var c PoolCIDR
	err = s.submit(ctx, req.SourcePoolID, func(t *turn) error {
		if _, err := s.publicPool(t.tx, req.Account, req.Region, req.PoolID); err != nil {
			return err
		}
		ledger, _ := s.ledgers.Get(t.tx, req.PoolID)
		if live, _ := s.cidrsOf(t.base, req.PoolID); len(live) >= s.opts.Quotas.CIDRsPerPool {
			return refuse(OverLimit, "You've reached the limit for CIDRs in public pool '%s'. You are limited to %d.", req.PoolID, s.opts.Quotas.CIDRsPerPool)
		}
		want := Want{
			PoolID: req.SourcePoolID, NetmaskLength: &req.NetmaskLength, Time: req.Time, Tags: s.tags.Of(t.base, req.PoolID),
			Holder: Holder{Type: PublicIPv4Pool, ResourceID: req.PoolID, Account: req.Account, Region: req.Region},
		}
		block, err := t.choose(want)
		if err != nil {
			return err
		}
		if err := check(dryRun); err != nil {
			return err
		}
		a, err := t.grant(Allocation{ID: req.AllocationID, CIDR: block, Holder: want.Holder, Created: req.Time})
		if err != nil {
			return err
		}
		c = PoolCIDR{ID: req.ID, PoolID: req.PoolID, Source: req.SourcePoolID, CIDR: a.CIDR, NetmaskLength: a.CIDR.Bits(), State: Provisioned, Created: req.Time}
		s.cidrs.Put(t.tx, c.ID, c)
		s.changeCIDRsOf(t.tx, req.PoolID, ledger)
		return nil
	})
	if err != nil {
		return PoolCIDR{}, fmt.Errorf("provision to public pool %s: %w", req.PoolID, err)
	}
	failpoint.Hit("ipam.public-cidr")
	return c, nil
}

// checkPublicSource checks whether blocks of an IPAM pool may go to a public
// IPv4 pool, by what of it doesn't change.
func checkPublicSource(source Pool, req ProvisionPublicCIDR) error {
	switch {
	case source.ScopeType != Public || source.Family != IPv4 || source.PublicSource != BYOIP || source.AWSService != ServiceEC2:
		return refuse(InvalidValue, "The ipam-pool '%s' must be an IPv4 pool of a public scope, with the PublicIpSource byoip and the AwsService ec2.", source.ID)
	case source.Locale != req.Region:
		return refuse(InvalidValue, "The locale of ipam-pool '%s' must be %s.", source.ID, req.Region)
	case req.NetmaskLength < shortestPublicCIDR || req.NetmaskLength > IPv4.Bits():
		return refuse(InvalidValue, "The NetmaskLength must be between %d and %d.", shortestPublicCIDR, IPv4.Bits())
	}
	return nil
}

// DeprovisionPublicCIDR gives a CIDR of a public IPv4 pool back to its IPAM
// pool. With addresses in use it is refused (DeprovisionPublicIpv4PoolCidr).
func (s *Service) DeprovisionPublicCIDR(ctx context.Context, account, region, poolID string, cidr netip.Prefix, dryRun func() error) (PoolCIDR, error) {
	if _, err := s.publicPool(s.store.Snapshot(), account, region, poolID); err != nil {
		return PoolCIDR{}, fmt.Errorf("deprovision: %w", err)
	}
	var c PoolCIDR
	err := s.submit(ctx, poolID, func(t *turn) error {
		p, err := s.publicPool(t.tx, account, region, poolID)
		if err != nil {
			return err
		}
		if c, err = s.leavingCIDR(t, cidr); err != nil {
			return err
		}
		switch {
		case c.Source == "":
			return refuse(WrongState, "The CIDR '%s' was brought to public pool '%s'. Deprovision it with DeprovisionByoipCidr.", cidr, poolID)
		case s.inUse(t, c):
			return refuse(Dependency, "The CIDR '%s' has one or more allocated addresses. Release them first.", cidr)
		}
		if err := check(dryRun); err != nil {
			return err
		}
		c, err = s.deprovision(t, p, c)
		return err
	})
	if err != nil {
		return PoolCIDR{}, fmt.Errorf("deprovision %s from public pool %s: %w", cidr, poolID, err)
	}
	return c, nil
}

// leavingCIDR returns a live CIDR of the turn's pool that may be deprovisioned,
// guarded.
func (s *Service) leavingCIDR(t *turn, cidr netip.Prefix) (PoolCIDR, error) {
	live, _ := s.cidrsOf(t.base, t.pool.ID)
	n := slices.IndexFunc(live, func(c PoolCIDR) bool { return c.CIDR == cidr })
	if n < 0 {
		return PoolCIDR{}, refuse(WrongState, "The CIDR '%s' is not provisioned to the pool '%s'.", cidr, t.pool.ID)
	}
	c, _ := s.cidrs.Get(t.tx, live[n].ID)
	switch {
	case c.State == PendingDeprovision:
		return c, refuse(WrongState, "The CIDR '%s' is being deprovisioned from the pool '%s'.", cidr, t.pool.ID)
	case c.announced():
		return c, stillAdvertised(c)
	}
	return c, nil
}

// inUse says whether something of a CIDR of the turn's pool is held.
func (s *Service) inUse(t *turn, c PoolCIDR) bool {
	if slices.ContainsFunc(t.granted, c.CIDR.Overlaps) {
		return true
	}
	for _, a := range s.allocationsWithin(t.base, c.PoolID, c.CIDR) {
		if a.State != Cooling {
			return true
		}
	}
	return false
}

// AddressRange is a CIDR of a public IPv4 pool, and how many of its addresses
// can be drawn.
type AddressRange struct {
	CIDR             netip.Prefix
	Total, Available int
}

// Ranges returns the ranges of a public IPv4 pool, in order. It costs the number
// of addresses that are taken.
func (s *Service) Ranges(r store.Reader, poolID string) []AddressRange {
	live, _ := s.cidrsOf(r, poolID)
	var ranges []AddressRange
	for _, c := range live {
		ranges = append(ranges, s.Range(r, c))
	}
	return ranges
}

// Last returns the highest address of the range.
func (g AddressRange) Last() netip.Addr { return last(g.CIDR) }

// Range returns the range of one CIDR of a public IPv4 pool.
func (s *Service) Range(r store.Reader, c PoolCIDR) AddressRange {
	g := AddressRange{CIDR: c.CIDR, Total: 1 << (IPv4.Bits() - c.CIDR.Bits())}
	if !c.active() {
		return g
	}
	g.Available = g.Total
	for range s.allocationsWithin(r, c.PoolID, c.CIDR) {
		g.Available-- // a public IPv4 pool gives single addresses
	}
	return g
}
