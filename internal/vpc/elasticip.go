package vpc

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/failpoint"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// ElasticIPSpec is a public address to be allocated.
type ElasticIPSpec struct {
	ID, Account, Region string     // ID "eipalloc-…"
	PoolID              string     // "": those of the account's policy, then the provider's; or whichever it may have Public out of
	Provider            bool       // the provider's, whatever the policy says
	Public              netip.Addr // zero: the lowest free of the pool
	Tags                []tags.Tag
	Time                time.Time
}

// AllocateAddress draws a public address for an account, in one transaction
// with its record (AllocateAddress). Of the provider's own addresses an account
// gets so many (LimitExceeded); those of its pools are bounded by the pools.
// ErrPoolExhausted, ErrPoolNotFound, ErrPoolRefused.
func (s *Service) AllocateAddress(ctx context.Context, spec ElasticIPSpec) (a Address, err error) {
	for _, pool := range s.poolsFor(spec) {
		spec.PoolID = pool
		if a, err = s.allocateAddress(ctx, spec); !gaveNone(err) {
			break
		}
	}
	if err != nil {
		return Address{}, fmt.Errorf("allocate address: %w", err)
	}
	failpoint.Hit("vpc.address-allocated")
	return a, nil
}

// poolsFor returns the pools to draw an address from, the first of them that has
// one: which the caller named or, if that is none, those of the account's policy
// and the provider's, "". A certain address is in whatever pool it is in.
func (s *Service) poolsFor(spec ElasticIPSpec) []string {
	if spec.PoolID != "" || spec.Provider || spec.Public.IsValid() || s.opts.PolicyPools == nil {
		return []string{spec.PoolID}
	}
	return append(slices.Clone(s.opts.PolicyPools(s.store.Snapshot(), spec.Account, spec.Region)), "")
}

// gaveNone says whether an error is a pool's, so that another one may do better.
func gaveNone(err error) bool {
	return errors.Is(err, ErrPoolExhausted) || errors.Is(err, ErrPoolNotFound) || errors.Is(err, ErrPoolRefused)
}

func (s *Service) allocateAddress(ctx context.Context, spec ElasticIPSpec) (a Address, err error) {
	want := Want{
		PoolID: spec.PoolID, For: ForAddress, ResourceID: spec.ID,
		Account: spec.Account, Region: spec.Region, Tags: spec.Tags, Time: spec.Time,
	}
	if spec.Public.IsValid() {
		want.Block = single(spec.Public)
	} else {
		want.PoolID, want.NetmaskLength = s.poolOrProvider(spec.PoolID, spec.Region), new(32)
	}
	err = s.pools.Draw(ctx, want, func(tx *store.Tx, d Drawn) error {
		a = Address{
			ID: spec.ID, Account: spec.Account, Region: spec.Region, Own: true,
			Public: d.Block.Addr(), PoolID: d.PoolID, Drawn: d, Created: spec.Time,
		}
		if a.PoolID == s.pools.ProviderPool(spec.Region) {
			a.PoolID = ""
		}
		if err := s.countAddress(tx, a, +1); err != nil {
			return err
		}
		s.addresses.Put(tx, a.ID, a)
		if err := s.setTags(tx, a.Account, a.Region, KindAddress, a.ID, spec.Tags); err != nil {
			return err
		}
		return s.lastWord()
	})
	return a, err
}

// countAddress holds the quota. The number is kept in a record, because draws
// from one pool share a transaction, in which none would find the others by
// counting.
func (s *Service) countAddress(tx *store.Tx, a Address, by int) error {
	if a.PoolID != "" {
		return nil
	}
	key := owner(a.Account, a.Region)
	r, _ := s.regions.Get(tx, key)
	r.Addresses += by
	if by > 0 && r.Addresses > s.opts.Quotas.Addresses {
		return limit(KindAddress, "addresses")
	}
	s.regions.Put(tx, key, r)
	return nil
}

// ReleaseAddress ends an address of the account's own and gives it back to its
// pool (ReleaseAddress). An association with an interface of a default VPC ends
// with it; with another's it stands in the way: AddressInUse.
func (s *Service) ReleaseAddress(ctx context.Context, account, region, id string) error {
	err := s.update(ctx, func(tx *store.Tx) error {
		a, err := s.ownAddress(tx, account, region, id)
		if err != nil {
			return err
		}
		if a.Associated() {
			if v, _ := s.vpcs.Get(tx, a.VPCID); !v.Default {
				return fail(AddressInUse, KindAddress, "Address '%s' is in use.", a.Public)
			}
			s.endAssociation(tx, a)
		}
		if err := s.countAddress(tx, a, -1); err != nil {
			return err
		}
		return s.dropAddress(tx, a)
	})
	if err != nil {
		return fmt.Errorf("release address %s: %w", id, err)
	}
	failpoint.Hit("vpc.address-released")
	return nil
}

// dropAddress deletes an address that no interface has any more, and gives it
// back to its pool.
func (s *Service) dropAddress(tx *store.Tx, a Address) error {
	if err := s.pools.Return(tx, a.Drawn); err != nil {
		return fmt.Errorf("return %s: %w", a.Public, err)
	}
	s.addresses.Delete(tx, a.ID)
	s.tags.Clear(tx, a.ID)
	return nil
}
