package ipam

import (
	"iter"
	"net/netip"

	"github.com/fairlead/fairlead/internal/store"
)

// IPAMs yields an account's IPAM whose home the region is, from the id on.
func (s *Service) IPAMs(r store.Reader, account, region, from string) iter.Seq2[string, IPAM] {
	return s.ipamsByOwner.From(r, owner(account, region), from)
}

// Scopes yields the scopes of an account's IPAMs whose home the region is, by
// id, from the id on.
func (s *Service) Scopes(r store.Reader, account, region, from string) iter.Seq2[string, Scope] {
	return s.scopesByOwner.From(r, owner(account, region), from)
}

// PoolsOf yields the pools that an account sees in a region, which is their
// home or their locale, by id, from the id on.
func (s *Service) PoolsOf(r store.Reader, account, region, from string) iter.Seq2[string, Pool] {
	return s.poolsByOwner.From(r, owner(account, region), from)
}

// IPAM returns the IPAM that an account names.
func (s *Service) IPAM(r store.Reader, account, id string) (IPAM, bool) {
	i, ok := s.ipams.Get(r, id)
	return i, ok && i.Account == account
}

// Scope returns the scope that an account names.
func (s *Service) Scope(r store.Reader, account, id string) (Scope, bool) {
	c, ok := s.scopes.Get(r, id)
	return c, ok && c.Account == account
}

// VisiblePool returns the pool that an account names, in whatever region.
func (s *Service) VisiblePool(r store.Reader, account, id string) (Pool, bool) {
	p, ok := s.pools.Get(r, id)
	return p, ok && p.managed() && p.Account == account
}

// Pool returns a pool, whoever's it is, the provider's too.
func (s *Service) Pool(r store.Reader, id string) (Pool, bool) { return s.pools.Get(r, id) }

// HomePool returns the pool that an account names in a call to the home region
// of its IPAM. ErrPoolNotFound.
func (s *Service) HomePool(r store.Reader, account, region, id string) (Pool, error) {
	return s.homePool(r, account, region, id)
}

// LocalPool returns the pool that an account names in a call about its
// allocations, which belongs to the pool's locale. ErrPoolNotFound, or a CallError that
// names the locale.
func (s *Service) LocalPool(r store.Reader, account, region, id string) (Pool, error) {
	return s.localPool(r, account, region, id)
}

// CIDRs yields a pool's CIDRs: those that are provisioned, in order of address,
// and then those that failed to be, by a key to go on from.
func (s *Service) CIDRs(r store.Reader, pool, from string) iter.Seq2[string, PoolCIDR] {
	live, failed := s.cidrsOf(r, pool)
	return func(yield func(string, PoolCIDR) bool) {
		for _, c := range live {
			if key := blockKey("live", c.CIDR.Addr()); key >= from && !yield(key, c) {
				return
			}
		}
		for _, c := range failed {
			if key := "none/" + c.ID; key >= from && !yield(key, c) {
				return
			}
		}
	}
}

// PoolCIDRs yields the CIDRs that are provisioned to the pools in a scope, notice
// periods and failed deprovisions included.
func (s *Service) PoolCIDRs(r store.Reader, scopeID string) iter.Seq[PoolCIDR] {
	return func(yield func(PoolCIDR) bool) {
		for pool := range s.poolsByScope.Each(r, scopeID) {
			for _, c := range s.cidrsByPool.Each(r, pool) {
				if (c.State == Provisioned || c.State == FailedDeprovision) && !yield(c) {
					return
				}
			}
		}
	}
}

// CIDRCollections names the collections that PoolCIDRs and the regions of IPAMs
// depend on, and CIDRAccount says whose one of their records is, false for one
// that is gone.
func (s *Service) CIDRCollections() []string { return []string{s.cidrs.Name(), s.ipams.Name()} }

// CIDRAccount is CIDRCollections' other half.
func (s *Service) CIDRAccount(r store.Reader, k store.Key) (account string, ok bool) {
	if k.Collection == s.ipams.Name() {
		i, ok := s.ipams.Get(r, k.Key)
		return i.Account, ok
	}
	c, _ := s.cidrs.Get(r, k.Key)
	p, ok := s.pools.Get(r, c.PoolID)
	return p.Account, ok
}

// Allocations yields what is held in a pool, in order of address, by a key to go
// on from.
func (s *Service) Allocations(r store.Reader, pool, from string) iter.Seq2[string, Allocation] {
	return func(yield func(string, Allocation) bool) {
		for key, a := range s.allocationsIn(r, pool, from) {
			if a.State == Held && !yield(key, a) {
				return
			}
		}
	}
}

// Allocation returns the allocation with the id, if it is held. From a Tx it is guarded.
func (s *Service) Allocation(r store.Reader, id string) (Allocation, bool) {
	for key := range s.allocsByID.Each(r, id) {
		a, ok := s.allocs.Get(r, key)
		return a, ok && a.ID == id && a.State == Held
	}
	return Allocation{}, false
}

// AllocationOf returns the allocation of exactly the block, if it is held.
func (s *Service) AllocationOf(r store.Reader, pool string, block netip.Prefix) (Allocation, bool) {
	a, ok := s.allocs.Get(r, blockKey(pool, block.Addr()))
	if !ok || a.CIDR != block || a.State != Held {
		return Allocation{}, false
	}
	return a, true
}

// HeldBy yields what a resource holds, in whatever pools.
func (s *Service) HeldBy(r store.Reader, resourceID string) iter.Seq2[string, Allocation] {
	return s.allocsByUser.Each(r, resourceID)
}

// IPAMIn returns the IPAM of an account that has its home in a region. From a Tx
// it is guarded that there is none, too.
func (s *Service) IPAMIn(r store.Reader, account, region string) (IPAM, bool) {
	id, ok := s.homes.Get(r, owner(account, region))
	if !ok {
		return IPAM{}, false
	}
	return s.ipams.Get(r, id)
}

// PoolOf returns the pool that an allocation is made in, be it the provider's.
func (s *Service) PoolOf(r store.Reader, a Allocation) (Pool, bool) { return s.pools.Get(r, a.PoolID) }
