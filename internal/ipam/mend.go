package ipam

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// Repairs of records that don't fit each other. Each is one transaction, which
// decides anew whether there is something to repair and fails if that changes
// before it commits. They report whether they have changed anything.

// ReturnOrphan releases an allocation whose holder is gone. gone is asked in the
// transaction; what it reads by key is guarded. An allocation other than the one
// that ref names isn't touched.
func (s *Service) ReturnOrphan(ctx context.Context, ref AllocationRef, gone func(r store.Reader) bool, now time.Time) (bool, error) {
	changed := false
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		a, ok := s.allocs.Get(tx, blockKey(ref.PoolID, ref.CIDR.Addr()))
		if changed = ok && a.ref() == ref && a.State != Cooling && gone(tx); !changed {
			return nil
		}
		return s.Return(tx, ref, now)
	})
	if err != nil {
		return false, fmt.Errorf("return %s to pool %s: %w", ref.CIDR, ref.PoolID, err)
	}
	return changed, nil
}

// MendLedger brings a pool's ledger up to its allocations: a number below
// theirs, or a length that it doesn't know, would let a block be given twice.
// It costs their number.
func (s *Service) MendLedger(ctx context.Context, pool string) (bool, error) {
	changed := false
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		l, kept := s.ledgers.Get(tx, pool)
		if _, ok := s.pools.Get(tx, pool); !ok {
			if changed = kept; kept {
				s.ledgers.Delete(tx, pool)
			}
			return nil
		}
		mended := l
		for _, a := range s.allocationsIn(tx.Snapshot(), pool, "") {
			mended.Seq = max(mended.Seq, a.Seq)
			if n, known := slices.BinarySearch(mended.Lengths, a.CIDR.Bits()); !known {
				mended.Lengths = slices.Insert(slices.Clone(mended.Lengths), n, a.CIDR.Bits())
			}
		}
		mended.Seq = max(mended.Seq, mended.CIDRSeq)
		changed = !kept || mended.Seq != l.Seq || len(mended.Lengths) != len(l.Lengths)
		if !changed {
			return nil
		}
		// Every index is built again, having followed a ledger that was wrong.
		mended.Seq++
		mended.CIDRSeq = mended.Seq
		s.ledgers.Put(tx, pool, mended)
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("mend the ledger of pool %s: %w", pool, err)
	}
	return changed, nil
}

// DropCIDR forgets a CIDR of a pool that doesn't exist, if it was never
// provisioned, so that nobody else's space depends on it.
func (s *Service) DropCIDR(ctx context.Context, id string) (bool, error) {
	changed := false
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		c, ok := s.cidrs.Get(tx, id)
		_, exists := s.pools.Get(tx, c.PoolID)
		if changed = ok && !exists && c.State == FailedProvision; changed {
			s.cidrs.Delete(tx, id)
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("drop CIDR %s: %w", id, err)
	}
	return changed, nil
}

// MendSpan makes a routing domain's span of a CIDR what the pool's CIDRs say: it
// writes one that is missing, unless another overlaps it, and deletes one whose
// pool doesn't have the CIDR.
func (s *Service) MendSpan(ctx context.Context, want Span) (bool, error) {
	owner := spanOwner(want.Domain, familyOf(want.CIDR.Addr()))
	key := blockKey(owner, want.CIDR.Addr())
	changed := false
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		changed = false
		kept, ok := s.spans.Get(tx, key)
		p, lives := s.pools.Get(tx, want.PoolID)
		switch has := lives && s.hasSpace(tx, p, want); {
		case ok && !has && kept == span{want.PoolID, want.CIDR}:
			s.spans.Delete(tx, key)
		case !ok && has:
			if _, taken := overlapping(tx.Snapshot(), s.spans, owner, want.CIDR, allLengths(p.Family)); taken {
				return nil
			}
			s.touchDomain(tx, p) // which guards what was found
			s.spans.Put(tx, key, span{want.PoolID, want.CIDR})
		default:
			return nil
		}
		changed = true
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("mend the span of %s in %s: %w", want.CIDR, want.Domain, err)
	}
	return changed, nil
}

// hasSpace says whether a pool has a CIDR that comes out of a routing domain.
func (s *Service) hasSpace(tx *store.Tx, p Pool, want Span) bool {
	s.ledgers.Get(tx, p.ID) // whoever changes the pool's CIDRs writes it
	for _, c := range s.cidrsByPool.Each(tx, p.ID) {
		if b := s.booked(p, c); c.CIDR == want.CIDR && b.Space && b.Domain == want.Domain {
			return true
		}
	}
	return false
}

// Recount sets the numbers that are kept for a scope or an IPAM to what is there.
// Whoever adds to what they count, or takes from it, writes the record that
// they are in.
func (s *Service) Recount(ctx context.Context, where string) (bool, error) {
	changed := false
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		changed = false
		if sc, ok := s.scopes.Get(tx, where); ok {
			pools, blocks := s.count(tx, where)
			if changed = sc.PoolCount != pools || sc.AmazonBlocks != blocks; changed {
				sc.PoolCount, sc.AmazonBlocks = pools, blocks
				s.scopes.Put(tx, where, sc)
			}
		}
		if i, ok := s.ipams.Get(tx, where); ok {
			kept, n := census{i.ExtraScopes, i.Tokens, i.Policies}, s.census(tx, i)
			if changed = kept != n; changed {
				i.ExtraScopes, i.Tokens, i.Policies = n.scopes, n.tokens, n.policies
				s.ipams.Put(tx, where, i)
			}
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("recount %s: %w", where, err)
	}
	return changed, nil
}
