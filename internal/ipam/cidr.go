package ipam

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/ipam/space"
	"github.com/fairlead/fairlead/internal/store"
)

// Quotas of CIDRs (IPAM quotas).
const (
	maxAmazonBlocks = 2  // contiguous IPv4 blocks of one IPAM
	maxAmazonIPv6   = 1  // IPv6 blocks of one pool
	maxFailed       = 10 // failed provisions that a pool remembers; AWS tells no figure
)

// Sizes of what may be provisioned to a public pool (ProvisionIpamPoolCidr).
const (
	longestBYOIPv4             = 24
	longestBYOIPv6             = 60
	longestBYOIPv6Advertisable = 48
)

var (
	uniqueLocal         = netip.MustParsePrefix("fd00::/8") // RFC 4193 §3.1
	uniqueLocalReserved = netip.MustParsePrefix("fd00::/16")
	uniqueLocalBySize   = netip.MustParsePrefix("fd80::/9") // where a netmask length is served from
	globalUnicast       = netip.MustParsePrefix("2000::/3") // RFC 4291 §2.4
)

// ProvisionCIDR is a request for a pool CIDR: for exactly one of CIDR and
// NetmaskLength.
type ProvisionCIDR struct {
	ID              string // of the pool CIDR
	AllocationID    string // of its block in the source pool, if it has one
	Account, Region string // Region is where the call was made
	PoolID          string
	CIDR            netip.Prefix
	NetmaskLength   *int
	Method          VerificationMethod // "": RemarksX509
	Authorization   *Authorization     // nil: none
	TokenID         string             // of the verification token; "": none
	Token           idempotency.Token
	Time            time.Time

	refill   *refillOf // nil but for the sweep's own requests
	unproven string    // why control isn't proven; "" if it is
}

// ProvisionCIDR gives a CIDR to a pool: to a child out of its source pool, to a
// pool of Amazon addresses out of the provider's blocks, else from outside. Where
// there is no such space the call succeeds and the CIDR is in FailedProvision
// (ProvisionIpamPoolCidr).
func (s *Service) ProvisionCIDR(ctx context.Context, req ProvisionCIDR, dryRun func() error) (PoolCIDR, error) {
	snap := s.store.Snapshot()
	p, err := s.homePool(snap, req.Account, req.Region, req.PoolID)
	if err != nil {
		return PoolCIDR{}, fmt.Errorf("provision: %w", err)
	}
	i, _ := s.ipams.Get(snap, p.IPAMID)
	source, _ := s.pools.Get(snap, p.SourcePoolID)
	if err := s.checkProvision(req, p, i, source); err != nil {
		return PoolCIDR{}, fmt.Errorf("provision to pool %s: %w", p.ID, err)
	}
	if req.unproven, err = s.prove(ctx, snap, req, p); err != nil {
		return PoolCIDR{}, fmt.Errorf("provision to pool %s: %w", p.ID, err)
	}
	var c PoolCIDR
	err = s.submit(ctx, cmp.Or(p.blockSource(), p.ID), func(t *turn) (err error) {
		c, err = s.provision(t, req, dryRun)
		return err
	})
	if err != nil {
		return PoolCIDR{}, fmt.Errorf("provision to pool %s: %w", p.ID, err)
	}
	s.showSubnets(ctx, p, c)
	return c, nil
}

// checkProvision checks a request against what its pool is, which doesn't change.
func (s *Service) checkProvision(req ProvisionCIDR, p Pool, i IPAM, source Pool) error {
	if req.CIDR.IsValid() == (req.NetmaskLength != nil) {
		return refuse(InvalidCombination, "The request must contain exactly one of Cidr or NetmaskLength.")
	}
	if err := checkBlock(req.CIDR, req.NetmaskLength, p.Family); err != nil {
		return err
	}
	bits := req.CIDR.Bits()
	if req.NetmaskLength != nil {
		bits = *req.NetmaskLength
	}
	switch {
	case p.plansVPC():
		if req.NetmaskLength != nil {
			return refuse(InvalidCombination, "The request can only contain Cidr for a pool whose CIDRs are those of its source resource.")
		}
		return nil
	case p.SourcePoolID != "":
		// A regional pool is where a prefix is announced, which no network
		// accepts in smaller pieces.
		regional := s.announced(p) && source.Depth == 1 && source.Locale == NoLocale
		if regional && p.Family == IPv4 && bits > longestBYOIPv4 {
			return refuse(InvalidValue, "The CIDR of a regional BYOIP pool must not be smaller than /%d.", longestBYOIPv4)
		}
		return nil
	case p.PublicSource == Amazon:
		return checkAmazonBlock(req, p.Family)
	case p.PublicSource == BYOIP:
		return s.checkBroughtBlock(req, p)
	}
	return checkPrivateBlock(req, p.Family, i)
}

func checkAmazonBlock(req ProvisionCIDR, f Family) error {
	if req.NetmaskLength == nil {
		return refuse(InvalidCombination, "The request can only contain NetmaskLength for a pool whose PublicIpSource is amazon.")
	}
	shortest, longest := 28, 30
	if f == IPv6 {
		shortest, longest = 40, 52
	}
	if *req.NetmaskLength < shortest || *req.NetmaskLength > longest {
		return refuse(InvalidValue, "The NetmaskLength must be between %d and %d.", shortest, longest)
	}
	return nil
}

// announced says whether the pool's CIDRs are announced to networks of others,
// as those are whose control is proven. The operator's own, which nobody need
// prove, may be as small as a laptop wants them.
func (s *Service) announced(p Pool) bool { return p.PublicSource == BYOIP && s.opts.VerifyBYOIP != nil }

func (s *Service) checkBroughtBlock(req ProvisionCIDR, p Pool) error {
	if req.NetmaskLength != nil {
		return refuse(InvalidCombination, "The request can only contain Cidr for a top-level pool whose PublicIpSource is byoip.")
	}
	longest := longestBYOIPv4
	if p.Family == IPv6 {
		longest = longestBYOIPv6
		if p.Advertisable != nil && *p.Advertisable {
			longest = longestBYOIPv6Advertisable
		}
	}
	if s.announced(p) && req.CIDR.Bits() > longest {
		return refuse(InvalidValue, "The CIDR '%s' must not be smaller than /%d.", req.CIDR, longest)
	}
	return nil
}

func checkPrivateBlock(req ProvisionCIDR, f Family, i IPAM) error {
	if req.NetmaskLength != nil {
		switch {
		case f == IPv4:
			return refuse(InvalidCombination, "The request can only contain Cidr for a top-level pool in a private scope.")
		case *req.NetmaskLength < 9 || *req.NetmaskLength > 60:
			return refuse(InvalidValue, "The NetmaskLength must be between 9 and 60.")
		}
		return nil
	}
	if f == IPv4 {
		return nil
	}
	local := within(req.CIDR, uniqueLocal) && !req.CIDR.Overlaps(uniqueLocalReserved)
	if !local && !(i.PrivateGUA && within(req.CIDR, globalUnicast)) {
		return refuse(InvalidValue, "The CIDR '%s' can't be provisioned to a pool in a private scope.", req.CIDR)
	}
	return nil
}

func within(p, outer netip.Prefix) bool { return outer.Bits() <= p.Bits() && outer.Contains(p.Addr()) }

// checkBlock checks a CIDR or a netmask length by itself.
func checkBlock(p netip.Prefix, bits *int, f Family) error {
	if bits != nil && (*bits < 0 || *bits > f.Bits()) {
		return refuse(InvalidValue, "The NetmaskLength must be between 0 and %d.", f.Bits())
	}
	switch {
	case !p.IsValid():
	case familyOf(p.Addr()) != f:
		return refuse(InvalidValue, "The CIDR '%s' does not have the address family of the pool.", p)
	case p != p.Masked():
		return refuse(InvalidValue, "The CIDR '%s' has bits set beyond its netmask.", p)
	}
	return nil
}

// proven says whether a proof is asked for of what is provisioned to p: where a
// CIDR comes from outside into the public scope.
func (p Pool) proven() bool { return p.PublicSource == BYOIP && p.SourcePoolID == "" }

// prove verifies the claim that a request makes. A repeated call is told what
// became of the first, which has been verified.
func (s *Service) prove(ctx context.Context, r store.Reader, req ProvisionCIDR, p Pool) (unproven string, err error) {
	if !p.proven() {
		return "", nil
	}
	if _, repeated, err := s.tokens.Find(r, req.Token); repeated || err != nil {
		return "", err
	}
	return s.verify(ctx, r, proofOf{
		account: req.Account, region: req.Region, cidr: req.CIDR, method: req.Method,
		authorization: req.Authorization, tokenID: req.TokenID, time: req.Time,
	})
}

// provision is ProvisionCIDR's part of a transaction, on the turn of the pool that the
// block comes out of, or of the pool itself.
func (s *Service) provision(t *turn, req ProvisionCIDR, dryRun func() error) (PoolCIDR, error) {
	if c, found, err := repeated(t.tx, s, req.Token, s.cidrs); found || err != nil {
		return c, err
	}
	p, err := s.homePool(t.tx, req.Account, req.Region, req.PoolID)
	if err != nil {
		return PoolCIDR{}, err
	}
	if p.State != CreateComplete {
		return PoolCIDR{}, refuse(WrongState, "The ipam-pool '%s' is being deleted.", p.ID)
	}
	live, failed := s.cidrsOf(t.base, p.ID)
	if len(live) >= s.opts.Quotas.CIDRsPerPool {
		return PoolCIDR{}, refuse(OverLimit, "You've reached the limit for CIDRs in ipam-pool '%s'. You are limited to %d.", p.ID, s.opts.Quotas.CIDRsPerPool)
	}
	if req.refill != nil && len(live) != req.refill.live {
		return PoolCIDR{}, errRefilled
	}
	if err := check(dryRun); err != nil {
		return PoolCIDR{}, err
	}
	c := PoolCIDR{ID: req.ID, PoolID: p.ID, CIDR: req.CIDR, NetmaskLength: req.CIDR.Bits(), State: Provisioned, Created: req.Time}
	if req.NetmaskLength != nil {
		c.NetmaskLength = *req.NetmaskLength
	}
	if err := s.checkPlanned(t.tx, p, c.CIDR); err != nil {
		return PoolCIDR{}, err
	}
	switch {
	case req.unproven != "":
		c.fail("", req.unproven) // neither of the codes is about proofs
	case p.blockSource() == "":
		err = s.bring(t, p, &c)
	default:
		err = s.carve(t, p, &c, req, len(live))
	}
	if err != nil {
		return PoolCIDR{}, err
	}
	if c.State == FailedProvision && req.refill != nil {
		return PoolCIDR{}, refuse(WrongState, "%s", c.FailureMessage) // nobody asked, so nobody is told by a record
	}
	if c.State == Provisioned {
		source, _ := s.pools.Get(t.base, p.SourcePoolID)
		c.Brought = broughtOf(p, source)
		if notice := s.Automation(t.tx, p.ID).Notice; notice > 0 {
			c.UsableFrom, c.Waiting = req.Time.Add(notice), true
		}
	}
	if c.State == FailedProvision {
		// Whoever deletes the pool at the same time has to see the record, too.
		l, _ := s.ledgers.Get(t.tx, p.ID)
		s.ledgers.Put(t.tx, p.ID, l)
		if len(failed) >= maxFailed {
			oldest := slices.MinFunc(failed, func(a, b PoolCIDR) int { return a.Created.Compare(b.Created) })
			s.cidrs.Delete(t.tx, oldest.ID)
		}
	}
	s.cidrs.Put(t.tx, c.ID, c)
	s.tokens.Remember(t.tx, req.Token, c.ID)
	if c.State == Provisioned {
		s.opts.Events.Put(t.tx, p.provisioned(c, req.refill != nil, req.Time))
	}
	return c, nil
}

func (c *PoolCIDR) fail(code, message string) {
	c.State, c.FailureCode, c.FailureMessage = FailedProvision, code, message
}

const textNotAvailable = "The CIDR is not available."

// bring provisions from outside: all that must hold is that the routing domain
// doesn't have the space yet.
func (s *Service) bring(t *turn, p Pool, c *PoolCIDR) error {
	owner := spanOwner(p.routingDomain(), p.Family)
	if !c.CIDR.IsValid() {
		var ok bool
		if c.CIDR, ok = s.lowestUniqueLocal(t.base, owner, c.NetmaskLength); !ok {
			c.fail(CIDRNotAvailable, textNotAvailable)
			return nil
		}
	}
	if _, taken := overlapping(t.base, s.spans, owner, c.CIDR, allLengths(p.Family)); taken {
		c.fail(CIDRNotAvailable, textNotAvailable)
		return nil
	}
	s.touchDomain(t.tx, p)
	s.spans.Put(t.tx, blockKey(owner, c.CIDR.Addr()), span{p.ID, c.CIDR})
	t.changeCIDRs()
	return nil
}

// touchDomain makes tx one of those that change a pool's routing domain, of which
// only one commits on the same past. The CIDRs of a VPC need no such guard: they
// don't overlap, so that two pools that plan the same one write the same span,
// and the VPC, whose CIDRs they are, is guarded when they are looked at.
func (s *Service) touchDomain(tx *store.Tx, p Pool) {
	if p.plansVPC() {
		return
	}
	name := p.routingDomain()
	d, _ := s.domains.Get(tx, name)
	d.Seq++
	s.domains.Put(tx, name, d)
}

// lowestUniqueLocal finds space for a private IPv6 CIDR of which only the
// length is wanted. A scope has few CIDRs: the free space is made up each time.
func (s *Service) lowestUniqueLocal(r store.Snapshot, owner string, bits int) (netip.Prefix, bool) {
	var free space.Space
	if free.AddCIDR(uniqueLocalBySize) != nil {
		return netip.Prefix{}, false
	}
	for key, sp := range s.spans.From(r, blockKey(owner, uniqueLocalBySize.Addr())) {
		if key > blockKey(owner, last(uniqueLocalBySize)) {
			break
		}
		_ = free.Take(sp.CIDR) // one that reaches beyond the space is met when the block is provisioned
	}
	return free.Lowest(bits)
}

// carve provisions out of the source pool, whose turn it is, to a pool that has
// so many CIDRs.
func (s *Service) carve(t *turn, p Pool, c *PoolCIDR, req ProvisionCIDR, live int) error {
	if p.fromProvider() && p.Family == IPv6 && live >= maxAmazonIPv6 {
		c.fail(LimitExceeded, fmt.Sprintf("You are limited to %d Amazon-provided IPv6 block in a pool.", maxAmazonIPv6))
		return nil
	}
	if p.fromProvider() && p.Family == IPv4 {
		scope, _ := s.scopes.Get(t.tx, p.ScopeID)
		if scope.AmazonBlocks >= maxAmazonBlocks {
			c.fail(LimitExceeded, fmt.Sprintf("You are limited to %d Amazon-provided contiguous public IPv4 blocks.", maxAmazonBlocks))
			return nil
		}
		scope.AmazonBlocks++
		defer func() {
			if c.State == Provisioned {
				s.scopes.Put(t.tx, scope.ID, scope)
			}
		}()
	}
	block := c.CIDR
	ok := t.exists && block.IsValid() && t.checkFree(block) == nil
	if t.exists && !block.IsValid() {
		block, ok = t.lowest(c.NetmaskLength, nil, nil)
	}
	if !ok {
		c.fail(CIDRNotAvailable, textNotAvailable)
		return nil
	}
	a, err := t.grant(Allocation{
		ID: req.AllocationID, CIDR: block, Created: req.Time,
		Holder: Holder{Type: ChildPool, ResourceID: p.ID, Account: p.Account, Region: p.Region},
	})
	if err != nil {
		return err
	}
	c.CIDR = a.CIDR
	l, _ := s.ledgers.Get(t.tx, p.ID)
	s.changeCIDRsOf(t.tx, p.ID, l)
	return nil
}

// DeprovisionCIDR takes a CIDR from a pool. With allocations in it the call
// succeeds and the CIDR is in FailedDeprovision, usable as before
// (DeprovisionIpamPoolCidr).
func (s *Service) DeprovisionCIDR(ctx context.Context, account, region, poolID string, cidr netip.Prefix, dryRun func() error) (PoolCIDR, error) {
	if _, err := s.homePool(s.store.Snapshot(), account, region, poolID); err != nil {
		return PoolCIDR{}, fmt.Errorf("deprovision: %w", err)
	}
	var c PoolCIDR
	err := s.submit(ctx, poolID, func(t *turn) error {
		p, err := s.homePool(t.tx, account, region, poolID)
		if err != nil {
			return err
		}
		live, failed := s.cidrsOf(t.base, poolID)
		same := func(c PoolCIDR) bool { return c.CIDR == cidr }
		n := slices.IndexFunc(live, same)
		if n < 0 {
			if n = slices.IndexFunc(failed, same); n < 0 {
				return refuse(WrongState, "The CIDR '%s' is not provisioned to ipam-pool '%s'.", cidr, poolID)
			}
			c = failed[n]
		} else if c = live[n]; c.State == PendingDeprovision {
			return refuse(WrongState, "The CIDR '%s' is being deprovisioned from ipam-pool '%s'.", cidr, poolID)
		} else if c.announced() {
			return stillAdvertised(c)
		}
		// The reads above came from the ledger's past; guard the record too.
		if _, ok := s.cidrs.Get(t.tx, c.ID); !ok {
			return refuse(WrongState, "The CIDR '%s' is not provisioned to ipam-pool '%s'.", cidr, poolID)
		}
		if err := check(dryRun); err != nil {
			return err
		}
		if c.State == FailedProvision {
			s.cidrs.Delete(t.tx, c.ID)
			c.State = Deprovisioned
			return nil
		}
		c, err = s.deprovision(t, p, c)
		return err
	})
	if err != nil {
		return PoolCIDR{}, fmt.Errorf("deprovision %s from pool %s: %w", cidr, poolID, err)
	}
	return c, nil
}

// deprovision takes one step with a live CIDR: it goes, or it waits for blocks
// that are cooling, or it stays because some are held. It returns what became of it.
func (s *Service) deprovision(t *turn, p Pool, c PoolCIDR) (PoolCIDR, error) {
	held := slices.ContainsFunc(t.granted, c.CIDR.Overlaps)
	cooling := false
	for _, a := range s.allocationsWithin(t.base, p.ID, c.CIDR) {
		cooling = cooling || a.State == Cooling
		if held = held || a.State != Cooling; held {
			break
		}
	}
	switch {
	case held:
		c.State, c.FailureMessage = FailedDeprovision, "The CIDR has one or more allocations."
		s.cidrs.Put(t.tx, c.ID, c)
		return c, nil
	case !cooling:
		c.State, c.FailureMessage = Deprovisioned, ""
		if err := s.vacate(t.tx, p, c); err != nil {
			return c, err
		}
		if s.retire(t, c) {
			return c, nil
		}
	case c.State == PendingDeprovision:
		return c, nil // goes on waiting
	default:
		c.State, c.FailureMessage = PendingDeprovision, ""
		s.cidrs.Put(t.tx, c.ID, c)
	}
	t.changeCIDRs()
	return c, nil
}

// vacate deletes a CIDR in which nothing is taken, and gives its space back to
// where it came from.
func (s *Service) vacate(tx *store.Tx, p Pool, c PoolCIDR) error {
	s.cidrs.Delete(tx, c.ID)
	source := cmp.Or(c.Source, p.blockSource())
	if source == "" {
		s.touchDomain(tx, p)
		s.spans.Delete(tx, blockKey(spanOwner(p.routingDomain(), p.Family), c.CIDR.Addr()))
		return nil
	}
	key := blockKey(source, c.CIDR.Addr())
	a, ok := s.allocs.Get(tx, key)
	if !ok || a.Holder.ResourceID != p.ID {
		return fmt.Errorf("vacate %s: pool %s has no allocation of it for pool %s", c.CIDR, source, p.ID)
	}
	s.ended(tx, a, time.Now())
	s.allocs.Delete(tx, key)
	if p.fromProvider() && p.Family == IPv4 {
		scope, _ := s.scopes.Get(tx, p.ScopeID)
		scope.AmazonBlocks--
		s.scopes.Put(tx, scope.ID, scope)
	}
	return nil
}

// cidrsOf returns a pool's CIDRs: those that are provisioned, by address, and
// those that failed to be, by id.
func (s *Service) cidrsOf(r store.Reader, pool string) (live, failed []PoolCIDR) {
	for _, c := range s.cidrsByPool.Each(r, pool) {
		if c.State == FailedProvision {
			failed = append(failed, c)
		} else {
			live = append(live, c)
		}
	}
	slices.SortFunc(live, func(a, b PoolCIDR) int { return a.CIDR.Compare(b.CIDR) })
	return live, failed
}

func (s *Service) activeCIDRs(r store.Reader, pool string) []netip.Prefix {
	var active []netip.Prefix
	for _, c := range s.cidrsByPool.Each(r, pool) {
		if c.active() {
			active = append(active, c.CIDR)
		}
	}
	return active
}
