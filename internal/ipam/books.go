package ipam

import (
	"cmp"
	"iter"
	"net/netip"
	"strings"

	"github.com/fairlead/fairlead/internal/store"
)

// The room's records as they are stored and unjudged, for who proves from
// outside that they fit each other.

// BookedCIDR is a pool's CIDR and where its space comes from.
type BookedCIDR struct {
	PoolCIDR
	Source string // the pool that has an allocation of it for this one; "" for none
	Domain string // without a Source: the routing domain that has a span of it
	Space  bool   // its addresses are the pool's; else it is only remembered
	Usable bool   // blocks may be held in it; else they can at most cool there
	Open   bool   // new blocks may be made in it
}

// BookedCIDRs yields the CIDRs of all pools, those that failed among them.
func (s *Service) BookedCIDRs(r store.Reader) iter.Seq[BookedCIDR] {
	return func(yield func(BookedCIDR) bool) {
		for _, c := range s.cidrs.All(r) {
			p, _ := s.pools.Get(snapshot(r), c.PoolID)
			if !yield(s.booked(p, c)) {
				return
			}
		}
	}
}

func (s *Service) booked(p Pool, c PoolCIDR) BookedCIDR {
	b := BookedCIDR{PoolCIDR: c, Source: cmp.Or(c.Source, p.blockSource()), Open: c.active()}
	if b.Source == "" {
		b.Domain = p.routingDomain()
	}
	switch c.State {
	case Provisioned, FailedDeprovision:
		b.Space, b.Usable = true, !c.Waiting
	case PendingDeprovision:
		b.Space = true
	case FailedProvision, Deprovisioned:
	}
	return b
}

// HasCIDR says whether a pool, one of IPAM's or a public IPv4 pool, has a CIDR
// that is an allocation in the source pool. From a Tx that is guarded.
func (s *Service) HasCIDR(r store.Reader, pool, source string, cidr netip.Prefix) bool {
	s.ledgers.Get(r, pool) // whoever changes the pool's CIDRs writes it
	p, ok := s.pools.Get(r, pool)
	if !ok {
		return false
	}
	for _, c := range s.cidrsByPool.Each(r, pool) {
		if b := s.booked(p, c); c.CIDR == cidr && b.Space && b.Source == source {
			return true
		}
	}
	return false
}

// Booked is a block as it is stored.
type Booked struct {
	Allocation
	Misfiled bool // not under the key that its address and pool make
}

// BookedBlocks yields the blocks of all pools, by pool and first address, also
// those that cool and those of imports.
func (s *Service) BookedBlocks(r store.Reader) iter.Seq[Booked] {
	return func(yield func(Booked) bool) {
		for key, a := range s.allocs.All(r) {
			wrong := !a.CIDR.IsValid() || a.CIDR != a.CIDR.Masked() || key != blockKey(a.PoolID, a.CIDR.Addr())
			if !yield(Booked{a, wrong}) {
				return
			}
		}
	}
}

// BookedAt returns the block of a pool that begins at an address.
func (s *Service) BookedAt(r store.Reader, pool string, first netip.Addr) (Allocation, bool) {
	return s.allocs.Get(r, blockKey(pool, first))
}

// IsStaged says whether an import remembers a block that it has staged.
func (s *Service) IsStaged(r store.Reader, ref AllocationRef) bool {
	for id := range s.imports.All(r) {
		if b, ok := s.staged.Get(r, stagedKey(id, ref.CIDR.Addr())); ok && b.Ref == ref {
			return true
		}
	}
	return false
}

// Span is a CIDR that a routing domain has given to a top-level pool.
type Span struct {
	Domain, PoolID string
	CIDR           netip.Prefix
}

// BookedSpans yields the spans of all routing domains, by domain, family and
// first address.
func (s *Service) BookedSpans(r store.Reader) iter.Seq[Span] {
	return func(yield func(Span) bool) {
		for key, sp := range s.spans.All(r) {
			owner, _, err := parseBlockKey(key)
			if err != nil {
				owner = key // no domain's, which shows
			}
			domain := strings.TrimSuffix(owner, "/"+string(familyOf(sp.CIDR.Addr())))
			if !yield(Span{domain, sp.PoolID, sp.CIDR}) {
				return
			}
		}
	}
}

// BookedLedgers yields the ledgers, by pool.
func (s *Service) BookedLedgers(r store.Reader) iter.Seq2[string, Ledger] { return s.ledgers.All(r) }

// Counter is a number that is kept beside the records that it counts.
type Counter struct {
	Of, Where     string // what is counted, and for which thing it is
	Kept, Counted int
}

// Counters yields the numbers that the room keeps.
func (s *Service) Counters(r store.Snapshot) iter.Seq[Counter] {
	return func(yield func(Counter) bool) {
		for id, sc := range s.scopes.All(r) {
			pools, blocks := s.count(r, id)
			if !yield(Counter{"pools of the scope", id, sc.PoolCount, pools}) ||
				!yield(Counter{"contiguous blocks of the provider's in the scope's pools", id, sc.AmazonBlocks, blocks}) {
				return
			}
		}
		for id, i := range s.ipams.All(r) {
			n := s.census(r, i)
			if !yield(Counter{"scopes beside the IPAM's default ones", id, i.ExtraScopes, n.scopes}) ||
				!yield(Counter{"verification tokens of the IPAM", id, i.Tokens, n.tokens}) ||
				!yield(Counter{"policies of the IPAM", id, i.Policies, n.policies}) {
				return
			}
		}
	}
}

// count returns how many pools a scope has, and how many of the provider's
// contiguous IPv4 blocks they have.
func (s *Service) count(r store.Reader, scope string) (pools, amazonBlocks int) {
	for id, p := range s.poolsByScope.Each(r, scope) {
		pools++
		if p.fromProvider() && p.Family == IPv4 {
			live, _ := s.cidrsOf(r, id)
			amazonBlocks += len(live)
		}
	}
	return pools, amazonBlocks
}

// census is how many things an IPAM has.
type census struct{ scopes, tokens, policies int }

func (s *Service) census(r store.Reader, i IPAM) (n census) {
	home := owner(i.Account, i.Region)
	for id, sc := range s.scopesByOwner.Each(r, home) {
		if sc.IPAMID == i.ID && id != i.PublicScopeID && id != i.PrivateScopeID {
			n.scopes++
		}
	}
	for _, t := range s.verificationsByOwner.Each(r, home) {
		if t.IPAMID == i.ID {
			n.tokens++
		}
	}
	for _, p := range s.policiesByOwner.Each(r, home) {
		if p.IPAMID == i.ID {
			n.policies++
		}
	}
	return n
}
