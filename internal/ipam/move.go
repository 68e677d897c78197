package ipam

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/failpoint"
)

// MoveBYOIP is a request to put a CIDR that was brought past IPAM under an IPAM
// pool.
type MoveBYOIP struct {
	ID, AllocationID  string // of the IPAM pool's CIDR, and of the public pool's block in it
	Account, Region   string
	CIDR              netip.Prefix
	PoolID, PoolOwner string // IPAM's
	Time              time.Time
}

// MoveBYOIP provisions a CIDR of a public IPv4 pool to an IPAM pool instead, of
// which it becomes an allocation. Who holds its addresses sees nothing of it. A
// CIDR that has been moved there before is done (MoveByoipCidrToIpam).
func (s *Service) MoveBYOIP(ctx context.Context, req MoveBYOIP, dryRun func() error) (c PoolCIDR, done bool, err error) {
	p, err := s.localPool(s.store.Snapshot(), req.Account, req.Region, req.PoolID)
	switch {
	case err != nil:
	case req.PoolOwner != p.Account:
		err = poolNotFound(req.PoolID)
	default:
		err = checkMoveTarget(p, req.Region)
	}
	if err != nil {
		return PoolCIDR{}, false, fmt.Errorf("move BYOIP CIDR: %w", err)
	}
	err = s.submit(ctx, p.ID, func(t *turn) (err error) {
		c, done, err = s.move(t, req, dryRun)
		return err
	})
	if err != nil {
		return PoolCIDR{}, false, fmt.Errorf("move BYOIP CIDR %s to pool %s: %w", req.CIDR, p.ID, err)
	}
	failpoint.Hit("ipam.byoip-moved")
	return c, done, nil
}

// checkMoveTarget checks what of the IPAM pool doesn't change.
func checkMoveTarget(p Pool, region string) error {
	switch {
	case p.ScopeType != Public || p.Family != IPv4 || p.PublicSource != BYOIP || p.AWSService != ServiceEC2 || p.SourcePoolID != "":
		return refuse(InvalidValue, "The ipam-pool '%s' must be a top-level IPv4 pool of a public scope, with the PublicIpSource byoip and the AwsService ec2.", p.ID)
	case p.Locale != region:
		return refuse(InvalidValue, "The locale of ipam-pool '%s' must be %s.", p.ID, region)
	}
	return nil
}

// move is MoveBYOIP's part of a transaction, on the turn of the IPAM pool. The
// addresses stay where they are, in the public pool: only where their CIDR comes
// from changes.
func (s *Service) move(t *turn, req MoveBYOIP, dryRun func() error) (moved PoolCIDR, done bool, err error) {
	if !t.exists {
		return moved, false, poolNotFound(req.PoolID)
	}
	c, err := s.byoipCIDR(t.base, req.Account, req.Region, req.CIDR)
	if err != nil {
		return moved, false, err
	}
	c, _ = s.cidrs.Get(t.tx, c.ID)
	if c.PoolID == t.pool.ID {
		return c, true, nil
	}
	from, _ := s.pools.Get(t.tx, c.PoolID)
	live, _ := s.cidrsOf(t.base, t.pool.ID)
	switch {
	case !from.PublicIPv4:
		return moved, false, refuse(InvalidValue, "The CIDR '%s' belongs to ipam-pool '%s' already.", c.CIDR, c.PoolID)
	case c.State == PendingDeprovision:
		return moved, false, refuse(WrongState, "The CIDR '%s' is being deprovisioned.", c.CIDR)
	case len(live) >= s.opts.Quotas.CIDRsPerPool:
		return moved, false, refuse(OverLimit, "You've reached the limit for CIDRs in ipam-pool '%s'. You are limited to %d.", t.pool.ID, s.opts.Quotas.CIDRsPerPool)
	}
	if err := check(dryRun); err != nil {
		return moved, false, err
	}
	a, err := t.grant(Allocation{
		ID: req.AllocationID, CIDR: c.CIDR, Created: req.Time,
		Holder: Holder{Type: PublicIPv4Pool, ResourceID: from.ID, Account: req.Account, Region: req.Region},
	})
	if err != nil {
		return moved, false, err
	}
	moved = PoolCIDR{
		ID: req.ID, PoolID: t.pool.ID, CIDR: a.CIDR, NetmaskLength: a.CIDR.Bits(), State: Provisioned, Created: req.Time, Brought: c.Brought,
	}
	c.Source, c.Brought = t.pool.ID, nil
	s.cidrs.Put(t.tx, c.ID, c)
	s.cidrs.Put(t.tx, moved.ID, moved)
	name := t.pool.routingDomain()
	d, _ := s.domains.Get(t.tx, name)
	d.Seq++
	s.domains.Put(t.tx, name, d)
	s.spans.Put(t.tx, blockKey(spanOwner(name, t.pool.Family), c.CIDR.Addr()), span{t.pool.ID, c.CIDR})
	t.changeCIDRs()
	return moved, false, nil
}
