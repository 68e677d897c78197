package ipam

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/fairlead/fairlead/internal/store"
)

// answersIn says whether calls about the pool's allocations belong to the region.
func (p Pool) answersIn(region string) bool {
	return p.Locale == region || p.Locale == NoLocale && p.Region == region
}

// OwnAllocations yields what an account holds in those pools whose allocations
// are told of in the region, by pool and address, from a key on
// (DescribeIpamPoolAllocations). It costs what it yields: pools in which nothing
// is held are stepped over.
func (s *Service) OwnAllocations(r store.Reader, account, region, from string) iter.Seq2[string, Allocation] {
	return func(yield func(string, Allocation) bool) {
		next, _, _ := strings.Cut(from, "/")
		for {
			p, ok := s.poolAtOrAfter(r, account, region, next)
			if !ok {
				return
			}
			if p.answersIn(region) {
				for key, a := range s.allocationsIn(r, p.ID, from) {
					if a.State == Held && a.Holder.Account == account && !yield(key, a) {
						return
					}
				}
			}
			if next, ok = s.nextHolding(r, p.ID); !ok {
				return
			}
		}
	}
}

func (s *Service) poolAtOrAfter(r store.Reader, account, region, id string) (Pool, bool) {
	for _, p := range s.PoolsOf(r, account, region, id) {
		return p, true
	}
	return Pool{}, false
}

// nextHolding returns the first pool after the given one, whoever's it is, in
// which there are blocks.
func (s *Service) nextHolding(r store.Reader, after string) (id string, ok bool) {
	for key := range s.allocs.From(r, after+string('/'+1)) {
		id, _, ok = strings.Cut(key, "/")
		return id, ok
	}
	return "", false
}

// OwnAllocation returns the allocation that an account names in a region. From
// a Tx it is guarded.
func (s *Service) OwnAllocation(r store.Reader, account, region, id string) (Allocation, bool) {
	a, ok := s.Allocation(r, id)
	if !ok || a.Holder.Account != account {
		return Allocation{}, false
	}
	p, ok := s.pools.Get(r, a.PoolID)
	return a, ok && p.managed() && p.answersIn(region)
}

// ModifyAllocation changes the description of an allocation of the account's
// (ModifyIpamPoolAllocation).
func (s *Service) ModifyAllocation(ctx context.Context, account, region, id, description string, dryRun func() error) (Allocation, error) {
	var a Allocation
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		var ok bool
		if a, ok = s.OwnAllocation(tx, account, region, id); !ok {
			return &NotFoundError{NounAllocation, id}
		}
		if err := check(dryRun); err != nil {
			return err
		}
		a.Description = description
		s.allocs.Put(tx, blockKey(a.PoolID, a.CIDR.Addr()), a)
		return nil
	})
	if err != nil {
		return Allocation{}, fmt.Errorf("modify allocation %s: %w", id, err)
	}
	return a, nil
}
