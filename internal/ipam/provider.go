package ipam

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/store"
)

// The provider's pools of a region.
const (
	addresses = "addresses" // single addresses: where a load balancer without a pool draws
	blocks    = "blocks"    // contiguous blocks, carved into accounts' Amazon pools
)

// providerAccount owns the hidden pools.
const providerAccount = "amazon"

// providerPoolID returns the id of one of the provider's pools. It has no
// account's form and so can't be one of theirs.
func providerPoolID(region, purpose string, f Family) string {
	return "provider-" + region + "-" + purpose + "-" + string(f)
}

// ProviderPool names the hidden pool that a region's own IPv4 addresses come from.
func (s *Service) ProviderPool(region string) string {
	return providerPoolID(region, addresses, IPv4)
}

// ProviderIPv6Pool names the hidden pool that a region's own IPv6 blocks are
// carved from. There is none of that name if the region was given none.
func (s *Service) ProviderIPv6Pool(region string) string {
	return providerPoolID(region, blocks, IPv6)
}

// EnsureProvider gives a region's hidden pools exactly these CIDRs: pool for
// single addresses, blocks for what is carved into accounts' pools. It may be
// called again with others; what is held stays held, and a CIDR that holds
// something isn't taken away: an error names the holder.
func (s *Service) EnsureProvider(ctx context.Context, region string, pool, blockSpace []netip.Prefix, now time.Time) error {
	for _, want := range []struct {
		purpose string
		cidrs   []netip.Prefix
	}{{addresses, pool}, {blocks, blockSpace}} {
		for _, f := range []Family{IPv4, IPv6} {
			var cidrs []netip.Prefix
			for _, c := range want.cidrs {
				if familyOf(c.Addr()) == f {
					cidrs = append(cidrs, c.Masked())
				}
			}
			if err := s.ensureHidden(ctx, region, want.purpose, f, cidrs, now); err != nil {
				return fmt.Errorf("provider's %s %s in %s: %w", f, want.purpose, region, err)
			}
		}
	}
	return nil
}

func (s *Service) ensureHidden(ctx context.Context, region, purpose string, f Family, want []netip.Prefix, now time.Time) error {
	id := providerPoolID(region, purpose, f)
	p := Pool{
		ID: id, ScopeType: Public, Account: providerAccount, Region: region, Depth: 1, Locale: region, Family: f,
		AWSService: ServiceEC2, PublicSource: Amazon, State: CreateComplete, Created: now, Hidden: true,
	}
	return s.store.Update(ctx, func(tx *store.Tx) error {
		if _, ok := s.pools.Get(tx, id); !ok {
			if len(want) == 0 {
				return nil
			}
			s.pools.Put(tx, id, p)
		}
		live, _ := s.cidrsOf(tx, id)
		gone := slices.DeleteFunc(slices.Clone(live), func(c PoolCIDR) bool { return slices.Contains(want, c.CIDR) })
		added := slices.DeleteFunc(slices.Clone(want), func(w netip.Prefix) bool {
			return slices.ContainsFunc(live, func(c PoolCIDR) bool { return c.CIDR == w })
		})
		if len(gone)+len(added) == 0 {
			return nil
		}
		l, _ := s.ledgers.Get(tx, id)
		l.Seq++
		l.CIDRSeq = l.Seq
		s.ledgers.Put(tx, id, l)
		if err := s.withdraw(tx, p, gone, want); err != nil {
			return err
		}
		return s.supply(tx, p, added, gone, now)
	})
}

// withdraw takes CIDRs from a hidden pool, unless they hold something that none
// of those that stay would hold.
func (s *Service) withdraw(tx *store.Tx, p Pool, gone []PoolCIDR, stay []netip.Prefix) error {
	for _, c := range gone {
		for _, a := range s.allocationsWithin(tx.Snapshot(), p.ID, c.CIDR) {
			if !slices.ContainsFunc(stay, func(w netip.Prefix) bool { return within(a.CIDR, w) }) {
				return refuse(Dependency, "%s can't be withdrawn: %s is held by %s %s of account %s", c.CIDR, a.CIDR, a.Holder.Type, a.Holder.ResourceID, a.Holder.Account)
			}
		}
		if err := s.vacate(tx, p, c); err != nil {
			return err
		}
	}
	return nil
}

// supply adds CIDRs to a hidden pool. gone are those that go in the same transaction.
func (s *Service) supply(tx *store.Tx, p Pool, added []netip.Prefix, gone []PoolCIDR, now time.Time) error {
	name := p.routingDomain()
	d, _ := s.domains.Get(tx, name)
	d.Seq++
	s.domains.Put(tx, name, d)
	owner := spanOwner(name, p.Family)
	for n, cidr := range added {
		if i := slices.IndexFunc(added[:n], cidr.Overlaps); i >= 0 {
			return refuse(InvalidValue, "%s and %s overlap", added[i], cidr)
		}
		// Of several that it overlaps all must be going.
		for _, sp := range s.spansOver(tx.Snapshot(), owner, cidr) {
			going := sp.PoolID == p.ID && slices.ContainsFunc(gone, func(c PoolCIDR) bool { return c.CIDR == sp.CIDR })
			if !going {
				return refuse(InvalidValue, "%s overlaps %s of pool %s", cidr, sp.CIDR, sp.PoolID)
			}
		}
		c := PoolCIDR{ID: ids.New("ipam-pool-cidr-", 33), PoolID: p.ID, CIDR: cidr, NetmaskLength: cidr.Bits(), State: Provisioned, Created: now}
		s.cidrs.Put(tx, c.ID, c)
		s.spans.Put(tx, blockKey(owner, cidr.Addr()), span{p.ID, cidr})
	}
	return nil
}

// spansOver returns all spans that share an address with p.
func (s *Service) spansOver(r store.Snapshot, owner string, p netip.Prefix) []span {
	var over []span
	end := blockKey(owner, last(p))
	for key, sp := range s.spans.From(r, blockKey(owner, p.Addr())) {
		if key > end {
			break
		}
		over = append(over, sp)
	}
	if len(over) == 0 {
		if sp, ok := overlapping(r, s.spans, owner, p, allLengths(familyOf(p.Addr()))); ok {
			over = append(over, sp)
		}
	}
	return over
}
