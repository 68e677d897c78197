package ipam

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/failpoint"
	"github.com/fairlead/fairlead/internal/store"
)

// A reserved block is a contiguous part of a pool whose addresses one resource
// alone draws. It is a Pool with a ledger like any other, so that the same rules
// hold for its addresses, but no account names it; its one CIDR is an allocation
// of the pool that it is reserved in, which therefore can't go before it.

// Reservation is a block that is reserved for a resource.
type Reservation struct {
	PoolID string // of the block itself: what Draw takes
	CIDR   netip.Prefix
}

// Reserve is a request for a block.
type Reserve struct {
	ID, CIDRID, AllocationID string // "reserved-…", and those of its CIDR and of its block in the pool
	Account, Region          string
	PoolID                   string
	For                      string       // the ARN of who alone may draw
	CIDR                     netip.Prefix // zero: the lowest free block of the length
	NetmaskLength            int
	Time                     time.Time
}

// ErrBlockInUse says that addresses of a reserved block are held.
var ErrBlockInUse = errors.New("addresses of the block are in use")

// Reserve takes a block of a pool for a resource, and has record write what
// depends on it in the same transaction. record may run several times.
// ErrPoolNotFound, ErrPoolExhausted, or a CallError when the CIDR isn't free.
func (s *Service) Reserve(ctx context.Context, req Reserve, record func(tx *store.Tx, r Reservation) error) (Reservation, error) {
	p, err := s.localPool(s.store.Snapshot(), req.Account, req.Region, req.PoolID)
	if err == nil {
		err = checkBlock(req.CIDR, &req.NetmaskLength, p.Family)
	}
	if err != nil {
		return Reservation{}, fmt.Errorf("reserve in pool %s: %w", req.PoolID, err)
	}
	var r Reservation
	err = s.submit(ctx, req.PoolID, func(t *turn) error {
		if !t.exists || t.pool.Account != req.Account {
			return poolNotFound(req.PoolID)
		}
		block := req.CIDR
		if block.IsValid() {
			if err := t.checkFree(block); err != nil {
				return err
			}
		} else {
			var ok bool
			if block, ok = t.lowest(req.NetmaskLength, nil, nil); !ok {
				return ErrPoolExhausted
			}
		}
		a, err := t.grant(Allocation{
			ID: req.AllocationID, CIDR: block, Description: "reserved for " + req.For, Created: req.Time,
			Holder: Holder{Type: ChildPool, ResourceID: req.ID, Account: req.Account, Region: req.Region},
		})
		if err != nil {
			return err
		}
		s.pools.Put(t.tx, req.ID, Pool{
			ID: req.ID, ScopeType: Public, Account: req.Account, Region: req.Region, Depth: 1, Locale: req.Region, Family: t.pool.Family,
			Description: "reserved for " + req.For, AWSService: ServiceEC2, PublicSource: BYOIP, State: CreateComplete, Created: req.Time, ReservedFor: req.For,
		})
		s.cidrs.Put(t.tx, req.CIDRID, PoolCIDR{
			ID: req.CIDRID, PoolID: req.ID, Source: req.PoolID, CIDR: a.CIDR, NetmaskLength: a.CIDR.Bits(), State: Provisioned, Created: req.Time,
		})
		s.changeCIDRsOf(t.tx, req.ID, Ledger{})
		r = Reservation{req.ID, a.CIDR}
		return record(t.tx, r)
	})
	if err != nil {
		return Reservation{}, fmt.Errorf("reserve in pool %s: %w", req.PoolID, err)
	}
	failpoint.Hit("ipam.reserved")
	return r, nil
}

// Unreserve gives a block back to the pool that it is reserved in, once what was
// released in it has cooled, and has record write what depends on it. One that is
// gone is fine. ErrBlockInUse while an address of it is held.
func (s *Service) Unreserve(ctx context.Context, id string, record func(tx *store.Tx) error) error {
	err := s.submit(ctx, id, func(t *turn) error {
		if t.exists && t.pool.ReservedFor == "" {
			return poolNotFound(id)
		}
		live, _ := s.cidrsOf(t.base, id)
		for _, c := range live {
			if c.State == PendingDeprovision {
				continue // the sweep ends it
			}
			if s.inUse(t, c) {
				return ErrBlockInUse
			}
			if _, err := s.deprovision(t, t.pool, c); err != nil {
				return err
			}
		}
		return record(t.tx)
	})
	if err != nil {
		return fmt.Errorf("give back the reserved block %s: %w", id, err)
	}
	return nil
}

// HasRoom says whether a pool, an account's or a reserved block, has an address
// that could be drawn.
func (s *Service) HasRoom(r store.Reader, id string) bool {
	p, ok := s.pools.Get(r, id)
	if !ok || p.State != CreateComplete || !p.allows(p.Family.Bits()) {
		return false
	}
	u := s.usage(r, p)
	return u.Total.Cmp(u.Taken) > 0
}
