package ipam

import (
	"context"
	"fmt"
	"iter"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// maxBroughtRanges is how many ranges an account may bring to a region past
// IPAM (EC2 BYOIP quota).
const maxBroughtRanges = 5

// Brought is what a CIDR has beyond others that its account brought, and that is
// announced to other networks as a whole: that of the first pool with a locale
// on its way from the top, and that of a public IPv4 pool that it was brought to.
// What is cut from it further down goes with it.
type Brought struct {
	Account, Region string // Region is where it is announced
	Description     string `json:",omitempty"`
	Private         bool   `json:",omitempty"` // not to be announced
	Announcement    Announcement
}

// Announcement is whether a CIDR is announced, or is about to be.
type Announcement string

// The announcements.
const (
	NotAnnounced   Announcement = ""
	BeingAnnounced Announcement = "announcing"
	Announced      Announcement = "announced"
	BeingWithdrawn Announcement = "withdrawing"
)

// BYOIPState is a CIDR's state as EC2 tells it of BYOIP (EC2 ByoipCidrState).
type BYOIPState string

// The states. What fails to be provisioned is told of by its pool.
const (
	BYOIPProvisioned        BYOIPState = "provisioned"
	BYOIPNotAdvertisable    BYOIPState = "provisioned-not-publicly-advertisable"
	BYOIPPendingAdvertising BYOIPState = "pending-advertising"
	BYOIPAdvertised         BYOIPState = "advertised"
	BYOIPPendingWithdrawal  BYOIPState = "pending-withdrawal"
	BYOIPPendingDeprovision BYOIPState = "pending-deprovision"
	BYOIPFailedDeprovision  BYOIPState = "failed-deprovision"
	BYOIPDeprovisioned      BYOIPState = "deprovisioned"
)

// BYOIPState returns the state of a CIDR that was brought.
func (c PoolCIDR) BYOIPState() BYOIPState {
	switch c.Brought.Announcement {
	case BeingAnnounced:
		return BYOIPPendingAdvertising
	case Announced:
		return BYOIPAdvertised
	case BeingWithdrawn:
		return BYOIPPendingWithdrawal
	case NotAnnounced:
	}
	switch c.State {
	case PendingDeprovision:
		return BYOIPPendingDeprovision
	case FailedDeprovision:
		return BYOIPFailedDeprovision
	case Deprovisioned:
		return BYOIPDeprovisioned
	case Provisioned, FailedProvision:
	}
	if c.Brought.Private {
		return BYOIPNotAdvertisable
	}
	return BYOIPProvisioned
}

// announced says whether networks may know the CIDR.
func (c PoolCIDR) announced() bool { return c.Brought != nil && c.Brought.Announcement != NotAnnounced }

// announce returns c with another announcement. The record is shared: it isn't
// changed in place.
func (c PoolCIDR) announce(a Announcement) PoolCIDR {
	b := *c.Brought
	b.Announcement = a
	c.Brought = &b
	return c
}

func stillAdvertised(c PoolCIDR) error {
	return refuse(WrongState, "The CIDR '%s' is advertised. Withdraw it first.", c.CIDR)
}

// broughtOf returns what a CIDR of p, which comes out of source, has beyond
// others; nil for nothing.
func broughtOf(p, source Pool) *Brought {
	regional := p.Locale != NoLocale && p.Locale != GlobalLocale
	first := p.SourcePoolID == "" || source.Locale == NoLocale
	if p.PublicSource != BYOIP || !regional || !first {
		return nil
	}
	return &Brought{Account: p.Account, Region: p.Locale, Private: p.Advertisable != nil && !*p.Advertisable}
}

// BYOIPCIDRs yields the CIDRs that an account brought to a region, by a key to
// go on from.
func (s *Service) BYOIPCIDRs(r store.Reader, account, region, from string) iter.Seq2[string, PoolCIDR] {
	return s.cidrsBrought.From(r, owner(account, region), from)
}

// byoipCIDR returns the CIDR that an account names in a call about BYOIP. From a
// Tx it is guarded.
func (s *Service) byoipCIDR(r store.Reader, account, region string, cidr netip.Prefix) (PoolCIDR, error) {
	for id, c := range s.BYOIPCIDRs(r, account, region, "") {
		if c.CIDR == cidr {
			c, _ := s.cidrs.Get(r, id)
			return c, nil
		}
	}
	return PoolCIDR{}, refuse(InvalidValue, "The CIDR '%s' is not a CIDR that was brought to %s as a whole.", cidr, region)
}

// Advertise has a CIDR announced to other networks, which KeepAnnounced does. One
// that is announced already stays so: the same call twice is no mistake
// (AdvertiseByoipCidr).
func (s *Service) Advertise(ctx context.Context, account, region string, cidr netip.Prefix, dryRun func() error) (PoolCIDR, error) {
	c, err := s.reannounce(ctx, account, region, cidr, dryRun, func(c PoolCIDR) (Announcement, error) {
		switch {
		case c.Brought.Private:
			return "", refuse(WrongState, "The CIDR '%s' is not publicly advertisable.", cidr)
		case c.State != Provisioned && c.State != FailedDeprovision:
			return "", refuse(WrongState, "The CIDR '%s' is being deprovisioned.", cidr)
		case c.Brought.Announcement == Announced:
			return Announced, nil
		}
		return BeingAnnounced, nil
	})
	if err != nil {
		return c, fmt.Errorf("advertise %s: %w", cidr, err)
	}
	return c, nil
}

// Withdraw ends the announcement of a CIDR. One that isn't announced stays so
// (WithdrawByoipCidr).
func (s *Service) Withdraw(ctx context.Context, account, region string, cidr netip.Prefix, dryRun func() error) (PoolCIDR, error) {
	c, err := s.reannounce(ctx, account, region, cidr, dryRun, func(c PoolCIDR) (Announcement, error) {
		if !c.announced() {
			return NotAnnounced, nil
		}
		return BeingWithdrawn, nil
	})
	if err != nil {
		return c, fmt.Errorf("withdraw %s: %w", cidr, err)
	}
	return c, nil
}

func (s *Service) reannounce(ctx context.Context, account, region string, cidr netip.Prefix, dryRun func() error, next func(PoolCIDR) (Announcement, error)) (c PoolCIDR, err error) {
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		if c, err = s.byoipCIDR(tx, account, region, cidr); err != nil {
			return err
		}
		a, err := next(c)
		if err != nil {
			return err
		}
		if err := check(dryRun); err != nil {
			return err
		}
		if a != c.Brought.Announcement {
			c = c.announce(a)
			s.cidrs.Put(tx, c.ID, c)
		}
		return nil
	})
	return c, err
}

// ProvisionBYOIP is a request to bring a CIDR past IPAM, to a public IPv4 pool
// of its own.
type ProvisionBYOIP struct {
	ID, PoolID      string // of the CIDR and of its pool
	Account, Region string
	CIDR            netip.Prefix
	Description     string
	Authorization   *Authorization
	PoolTags        []tags.Tag
	Time            time.Time
}

// ProvisionBYOIP brings a CIDR to a region and makes a public IPv4 pool of it
// (ProvisionByoipCidr). Without proof of control the call fails: there is no
// pool yet that could tell of a CIDR that failed.
func (s *Service) ProvisionBYOIP(ctx context.Context, req ProvisionBYOIP, dryRun func() error) (PoolCIDR, error) {
	c, err := s.provisionBYOIP(ctx, req, dryRun)
	if err != nil {
		return c, fmt.Errorf("provision BYOIP CIDR %s: %w", req.CIDR, err)
	}
	return c, nil
}

func (s *Service) provisionBYOIP(ctx context.Context, req ProvisionBYOIP, dryRun func() error) (PoolCIDR, error) {
	if familyOf(req.CIDR.Addr()) != IPv4 {
		return PoolCIDR{}, refuse(Unsupported, "An IPv6 CIDR is brought to an IPAM pool, with ProvisionIpamPoolCidr.")
	}
	if err := checkBlock(req.CIDR, nil, IPv4); err != nil {
		return PoolCIDR{}, err
	}
	p := newPublicPool(req.PoolID, req.Account, req.Region, req.Time)
	p.Description = req.Description
	if s.announced(p) && req.CIDR.Bits() > longestBYOIPv4 {
		return PoolCIDR{}, refuse(InvalidValue, "The CIDR '%s' must not be smaller than /%d.", req.CIDR, longestBYOIPv4)
	}
	unproven, err := s.verify(ctx, s.store.Snapshot(), proofOf{
		account: req.Account, region: req.Region, cidr: req.CIDR, authorization: req.Authorization, time: req.Time,
	})
	if err != nil {
		return PoolCIDR{}, err
	}
	if unproven != "" {
		return PoolCIDR{}, refuse(InvalidValue, "%s", unproven)
	}
	var c PoolCIDR
	err = s.submit(ctx, p.ID, func(t *turn) error {
		c = PoolCIDR{
			ID: req.ID, PoolID: p.ID, CIDR: req.CIDR, NetmaskLength: req.CIDR.Bits(), State: Provisioned, Created: req.Time,
			Brought: broughtOf(p, Pool{}),
		}
		c.Brought.Description = req.Description
		// Who brings another at once changes the routing domain, as this does.
		if s.broughtRanges(t.base, req.Account, req.Region) >= maxBroughtRanges {
			return refuse(OverLimit, "You've reached the limit for BYOIP address ranges. You are limited to %d in a region.", maxBroughtRanges)
		}
		t.pool, t.exists = p, true
		if err := s.bring(t, p, &c); err != nil {
			return err
		}
		if c.State != Provisioned {
			return refuse(InvalidValue, "The CIDR '%s' is not available: it overlaps one that is provisioned.", req.CIDR)
		}
		if err := check(dryRun); err != nil {
			return err
		}
		s.cidrs.Put(t.tx, c.ID, c)
		return s.putPublicPool(t.tx, p, req.PoolTags)
	})
	return c, err
}

// broughtRanges counts the ranges that were brought past IPAM.
func (s *Service) broughtRanges(r store.Reader, account, region string) (n int) {
	for _, c := range s.BYOIPCIDRs(r, account, region, "") {
		if p, _ := s.pools.Get(r, c.PoolID); p.PublicIPv4 {
			n++
		}
	}
	return n
}

// DeprovisionBYOIP takes back what ProvisionBYOIP made, its pool too unless that
// has got another CIDR. With addresses in use the call succeeds and the CIDR is
// in FailedDeprovision (DeprovisionByoipCidr).
func (s *Service) DeprovisionBYOIP(ctx context.Context, account, region string, cidr netip.Prefix, dryRun func() error) (PoolCIDR, error) {
	snap := s.store.Snapshot()
	c, err := s.byoipCIDR(snap, account, region, cidr)
	if err != nil {
		return PoolCIDR{}, fmt.Errorf("deprovision: %w", err)
	}
	if _, ok := s.PublicPool(snap, account, region, c.PoolID); !ok {
		return PoolCIDR{}, fmt.Errorf("deprovision: %w", refuse(InvalidValue, "The CIDR '%s' belongs to ipam-pool '%s'. Deprovision it with DeprovisionIpamPoolCidr.", cidr, c.PoolID))
	}
	err = s.submit(ctx, c.PoolID, func(t *turn) error {
		if !t.exists {
			return refuse(WrongState, "The CIDR '%s' is not provisioned.", cidr)
		}
		var err error
		if c, err = s.leavingCIDR(t, cidr); err != nil {
			return err
		}
		if c.Brought == nil {
			return refuse(WrongState, "The CIDR '%s' has been moved to ipam-pool '%s'.", cidr, c.Source)
		}
		if err := check(dryRun); err != nil {
			return err
		}
		c, err = s.deprovision(t, t.pool, c)
		return err
	})
	if err != nil {
		return PoolCIDR{}, fmt.Errorf("deprovision BYOIP CIDR %s: %w", cidr, err)
	}
	return c, nil
}

// retire deletes the public IPv4 pool that was made with c, which leaves it, if
// it has no other CIDR.
//
// A reserved block goes with its one CIDR.
func (s *Service) retire(t *turn, c PoolCIDR) (retired bool) {
	if t.pool.ReservedFor != "" {
		s.ledgers.Delete(t.tx, t.pool.ID)
		s.pools.Delete(t.tx, t.pool.ID)
		t.exists = false
		return true
	}
	if !t.pool.PublicIPv4 || c.Brought == nil {
		return false
	}
	for id := range s.cidrsByPool.Each(t.base, t.pool.ID) {
		if id != c.ID {
			return false
		}
	}
	s.removePublicPool(t.tx, t.pool.ID)
	t.exists = false
	return true
}
