package ipam

import (
	"iter"
	"net/netip"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/history"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// ended writes that an allocation has ended, as a part of the transaction that
// ends it. VPCs and subnets have their CIDRs longer than their allocations may
// last, and with or without: who makes them writes of them.
func (s *Service) ended(tx *store.Tx, a Allocation, now time.Time) {
	if s.opts.History == nil || a.State != Held || !recorded(a) {
		return
	}
	base := tx.Snapshot()
	p, _ := s.pools.Get(base, a.PoolID)
	rec := s.record(base, p, a)
	rec.End = now.UTC().Round(0)
	s.opts.History.Close(tx, rec)
}

func recorded(a Allocation) bool { return a.Holder.Type != VPC && a.Holder.Type != Subnet }

func (s *Service) record(r store.Snapshot, p Pool, a Allocation) history.Record {
	rec := history.Record{
		CIDR: a.CIDR, Kind: history.Kind(a.Holder.Type), ResourceID: a.Holder.ResourceID, AllocationID: a.ID,
		Account: a.Holder.Account, Region: a.Holder.Region, Start: a.Created,
	}
	var tg []tags.Tag
	if a.Holder.ResourceID != "" {
		tg = s.tags.Of(r, a.Holder.ResourceID)
	}
	for _, t := range tg {
		if t.Key == "Name" {
			rec.Name = t.Value
		}
	}
	if p.Hidden || p.ID == "" {
		return rec // seen in no scope of an account's
	}
	seen := history.Sighting{ScopeID: p.ScopeID, PoolID: p.ID}
	if rec.Kind.Resource() {
		seen.Overlap = "nonoverlapping" // the pool has seen to it
		seen.Compliance = "noncompliant"
		if p.Complies(a.CIDR, a.Holder.Region, tg) {
			seen.Compliance = "compliant"
		}
	}
	rec.Seen = []history.Sighting{seen}
	return rec
}

// Complies says whether a resource with the tags, in a region, may have the
// CIDR by the pool's present rules (EC2 IpamComplianceStatus).
func (p Pool) Complies(cidr netip.Prefix, region string, tg []tags.Tag) bool {
	return p.Locale == region && p.allows(cidr.Bits()) && p.hasTags(tg)
}

// Held implements history.Source: what is allocated at an address, by whom.
func (s *Service) Held(r store.Snapshot, account string, a netip.Addr) iter.Seq[history.Record] {
	return func(yield func(history.Record) bool) {
		for _, name := range append(s.domainsOf(r, account), s.plannedVPCs(r, account)...) {
			for p, a := range s.over(r, name, host(a)) {
				if (account == "" || a.Holder.Account == account) && recorded(a) && !yield(s.record(r, p, a)) {
					return
				}
			}
		}
	}
}

// domainsOf returns the routing domains that an account may hold something in;
// all there are for "".
func (s *Service) domainsOf(r store.Snapshot, account string) []string {
	names := []string{publicDomain}
	each := func(sc Scope) {
		if sc.Type == Private {
			names = append(names, sc.ID)
		}
	}
	if account == "" {
		for _, sc := range s.scopes.All(r) {
			each(sc)
		}
		return names
	}
	for i := range s.IPAMsOf(r, account) {
		for _, sc := range s.scopesByOwner.Each(r, owner(account, i.Region)) {
			each(sc)
		}
	}
	return names
}

// plannedVPCs returns the VPCs of an account, of all for "", whose CIDRs are in
// planning pools: each is a routing domain. It costs their number in all.
func (s *Service) plannedVPCs(r store.Snapshot, account string) []string {
	var vpcs []string
	for key, sp := range s.spans.From(r, SourceVPC+"-") {
		id, _, _ := strings.Cut(key, "/")
		if !strings.HasPrefix(id, SourceVPC+"-") {
			break
		}
		if p, _ := s.pools.Get(r, sp.PoolID); (account == "" || p.Account == account) && (len(vpcs) == 0 || vpcs[len(vpcs)-1] != id) {
			vpcs = append(vpcs, id)
		}
	}
	return vpcs
}

// IPAMsOf yields an account's IPAMs, of all regions.
func (s *Service) IPAMsOf(r store.Reader, account string) iter.Seq[IPAM] {
	return func(yield func(IPAM) bool) {
		for _, i := range s.ipamsByAccount.Each(r, account) {
			if !yield(i) {
				return
			}
		}
	}
}

// Overlapping yields what is allocated in a scope's pools, to resources or for
// bookkeeping, and shares an address with p. It costs what it yields.
func (s *Service) Overlapping(r store.Snapshot, sc Scope, p netip.Prefix) iter.Seq[Allocation] {
	return func(yield func(Allocation) bool) {
		name := Pool{ScopeID: sc.ID, ScopeType: sc.Type}.routingDomain()
		for pool, a := range s.over(r, name, p) {
			if pool.ScopeID == sc.ID && a.Holder.Type != ChildPool && !yield(a) {
				return
			}
		}
	}
}

// over yields what is held in a routing domain and shares an address with p: an
// allocation for a child pool, and after it what is held there.
func (s *Service) over(r store.Snapshot, domainName string, p netip.Prefix) iter.Seq2[Pool, Allocation] {
	return func(yield func(Pool, Allocation) bool) {
		for _, sp := range s.spansOver(r, spanOwner(domainName, familyOf(p.Addr())), p) {
			if !s.overIn(r, sp.PoolID, p, yield) {
				return
			}
		}
	}
}

func (s *Service) overIn(r store.Snapshot, pool string, p netip.Prefix, yield func(Pool, Allocation) bool) bool {
	in, _ := s.pools.Get(r, pool)
	visit := func(a Allocation) bool {
		if a.State != Held {
			return true
		}
		return yield(in, a) && (a.Holder.Type != ChildPool || s.overIn(r, a.Holder.ResourceID, p, yield))
	}
	inside := false
	for _, a := range s.allocationsWithin(r, pool, p) {
		if inside = true; !visit(a) {
			return false
		}
	}
	if inside {
		return true
	}
	l, _ := s.ledgers.Get(r, pool)
	if a, ok := overlapping(r, s.allocs, pool, p, l.Lengths); ok {
		return visit(a)
	}
	return true
}
