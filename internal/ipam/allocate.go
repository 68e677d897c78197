package ipam

import (
	"context"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/failpoint"
	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// Allocate is a request for a block that is only bookkeeping: no resource of
// ours uses it.
type Allocate struct {
	ID              string
	Account, Region string // Region is where the call was made
	PoolID          string
	CIDR            netip.Prefix   // zero: the lowest free block of the length
	NetmaskLength   *int           // nil: the pool's default
	Allowed         []netip.Prefix // the block must lie in one of these, if any
	Disallowed      []netip.Prefix // and touch none of these
	Preview         bool           // only tell; the answer has no id
	Description     string
	Tags            []tags.Tag
	Token           idempotency.Token
	Time            time.Time
}

// Allocate takes a block of a pool (AllocateIpamPoolCidr).
func (s *Service) Allocate(ctx context.Context, req Allocate, dryRun func() error) (Allocation, error) {
	p, err := s.localPool(s.store.Snapshot(), req.Account, req.Region, req.PoolID)
	if err != nil {
		return Allocation{}, fmt.Errorf("allocate: %w", err)
	}
	bits, err := checkAllocate(req, p)
	if err != nil {
		return Allocation{}, fmt.Errorf("allocate in pool %s: %w", p.ID, err)
	}
	var a Allocation
	err = s.submit(ctx, p.ID, func(t *turn) (err error) {
		a, err = s.allocate(t, req, bits, dryRun)
		return err
	})
	if err != nil {
		return Allocation{}, fmt.Errorf("allocate in pool %s: %w", p.ID, err)
	}
	return a, nil
}

// checkAllocate checks a request against what its pool is, and returns the
// length of the block that is wanted.
func checkAllocate(req Allocate, p Pool) (bits int, err error) {
	if err := checkBlock(req.CIDR, req.NetmaskLength, p.Family); err != nil {
		return 0, err
	}
	limited := len(req.Allowed)+len(req.Disallowed) > 0
	if req.CIDR.IsValid() && limited {
		return 0, refuse(InvalidCombination, "The request can only contain AllowedCidrs and DisallowedCidrs together with NetmaskLength.")
	}
	if bits, err = blockLength(req.CIDR, req.NetmaskLength, p); err != nil {
		return 0, err
	}
	for _, limits := range [][]netip.Prefix{req.Allowed, req.Disallowed} {
		for _, l := range limits {
			if err := checkBlock(l, nil, p.Family); err != nil {
				return 0, err
			}
		}
	}
	return bits, nil
}

// blockLength returns the length of the block that a request for one of the two,
// or for neither, is about.
func blockLength(cidr netip.Prefix, netmask *int, p Pool) (bits int, err error) {
	switch {
	case cidr.IsValid() && netmask != nil:
		return 0, refuse(InvalidCombination, "The request can only contain one of Cidr or NetmaskLength.")
	case cidr.IsValid():
		return cidr.Bits(), nil
	case netmask != nil:
		return *netmask, nil
	case p.DefaultNetmask != nil:
		return *p.DefaultNetmask, nil
	}
	return 0, refuse(InvalidCombination, "The request cannot contain empty CIDR and Netmask Length for a pool with no default allocation netmask length set. Exactly one of them should be provided.")
}

func (s *Service) allocate(t *turn, req Allocate, bits int, dryRun func() error) (Allocation, error) {
	if !t.exists {
		return Allocation{}, poolNotFound(req.PoolID)
	}
	if a, found, err := s.repeatedAllocation(t.tx, req.Token); found || err != nil {
		return a, err
	}
	block := req.CIDR
	if block.IsValid() {
		if err := t.checkFree(block); err != nil {
			return Allocation{}, err
		}
	} else {
		var ok bool
		if block, ok = t.lowest(bits, req.Allowed, req.Disallowed); !ok {
			return Allocation{}, ErrPoolExhausted
		}
	}
	if err := check(dryRun); err != nil {
		return Allocation{}, err
	}
	a := Allocation{
		ID: req.ID, PoolID: req.PoolID, CIDR: block, Description: req.Description, Created: req.Time,
		Holder: Holder{Type: Custom, Account: req.Account, Region: req.Region},
	}
	if req.Preview {
		a.ID = ""
		return a, nil
	}
	a, err := t.grant(a)
	if err != nil {
		return Allocation{}, err
	}
	s.tokens.Remember(t.tx, req.Token, a.ID+" "+blockKey(a.PoolID, a.CIDR.Addr()))
	return a, s.tag(t.tx, req.Account, req.Region, a.ID, "ipam-pool-allocation", req.Tags)
}

// repeatedAllocation returns what an earlier call with the token was given, if
// it still holds it. The token names the block's key, too: an index doesn't show
// what this very transaction has made.
func (s *Service) repeatedAllocation(tx *store.Tx, t idempotency.Token) (a Allocation, found bool, err error) {
	made, found, err := s.tokens.Find(tx, t)
	if !found || err != nil {
		return a, false, err
	}
	id, key, _ := strings.Cut(made, " ")
	a, found = s.allocs.Get(tx, key)
	return a, found && a.ID == id && a.State == Held, nil
}

// Want is what a resource is to be given out of a pool.
type Want struct {
	PoolID        string       // "": that which the holder may have CIDR out of
	CIDR          netip.Prefix // zero: the lowest free block of the length
	NetmaskLength *int         // nil, with no CIDR: the pool's default
	Holder        Holder
	VPCID         string     // that a Subnet is of
	ReservedFor   string     // PoolID is a block that is reserved for this ARN; "" for any other pool
	Tags          []tags.Tag // the resource's, of which the pool may ask some
	Time          time.Time
}

// Draw takes a block of a pool for a resource of the holder's account and
// region, and has record write what depends on it in the same transaction.
// record may run several times. An address that cools may be had again by the
// account that released it. ErrPoolNotFound, ErrNotHad, ErrPoolExhausted;
// ErrNotAllowed when the pool's rules refuse such a block; a CallError.
func (s *Service) Draw(ctx context.Context, w Want, record func(tx *store.Tx, a Allocation) error) (Allocation, error) {
	if w.PoolID == "" {
		var ok bool
		if w.PoolID, ok = s.poolOf(s.store.Snapshot(), w.Holder, w.CIDR); !ok {
			return Allocation{}, fmt.Errorf("draw %s: %w", w.CIDR, ErrNotHad)
		}
	}
	id := NewAllocationID(w.Time)
	var a Allocation
	err := s.submit(ctx, w.PoolID, func(t *turn) error {
		block, err := t.choose(w)
		if err != nil {
			return err
		}
		if a, err = t.grant(Allocation{ID: id, CIDR: block, Holder: w.Holder, Created: w.Time}); err != nil {
			return err
		}
		return record(t.tx, a)
	})
	if err != nil {
		return Allocation{}, fmt.Errorf("draw from pool %s: %w", w.PoolID, err)
	}
	return a, nil
}

// choose finds the block for a resource that keeps to the pool's rules.
func (t *turn) choose(w Want) (netip.Prefix, error) {
	if !t.exists || t.pool.Locale != w.Holder.Region || !t.pool.Hidden && t.pool.Account != w.Holder.Account {
		return netip.Prefix{}, poolNotFound(w.PoolID)
	}
	if t.pool.PublicIPv4 && w.Holder.Type != EIP || t.pool.ReservedFor != w.ReservedFor {
		return netip.Prefix{}, poolNotFound(w.PoolID)
	}
	if err := t.pool.serves(w); err != nil {
		return netip.Prefix{}, err
	}
	if err := checkBlock(w.CIDR, w.NetmaskLength, t.pool.Family); err != nil {
		return netip.Prefix{}, err
	}
	bits, err := blockLength(w.CIDR, w.NetmaskLength, t.pool)
	if err != nil {
		return netip.Prefix{}, err
	}
	switch {
	case !t.pool.allows(bits):
		return netip.Prefix{}, ErrNotAllowed
	case !t.pool.hasTags(w.Tags):
		return netip.Prefix{}, refuse(InvalidValue, "The resource is missing one or more of the resource tags required by the IPAM pool.")
	case !w.CIDR.IsValid():
		block, ok := t.lowest(bits, nil, nil)
		if !ok {
			return netip.Prefix{}, ErrPoolExhausted
		}
		return block, nil
	case t.recovers(w):
		return w.CIDR, nil
	}
	return w.CIDR, t.checkFree(w.CIDR)
}

// hasTags says whether the tags include all that the pool asks of a resource.
func (p Pool) hasTags(tg []tags.Tag) bool {
	for _, want := range p.AllocationTags {
		if !slices.Contains(tg, tags.Tag(want)) {
			return false
		}
	}
	return true
}

// NewAllocationID returns a fresh id for an allocation. It begins with the
// time, so that those of one commit are neighbours in the index by id: the
// store copies the nodes that a commit touches, and random ids touch one each.
func NewAllocationID(now time.Time) string {
	const timeDigits, digits = 11, 33
	return ids.New(fmt.Sprintf("ipam-pool-alloc-%0*x", timeDigits, now.UnixMilli()), digits-timeDigits)
}

// Return releases an allocation as a part of tx: its block is free again, once
// the quarantine is over. What has been released before is fine. ErrStale when
// somebody else holds the block by now.
func (s *Service) Return(tx *store.Tx, ref AllocationRef, now time.Time) error {
	key := blockKey(ref.PoolID, ref.CIDR.Addr())
	a, ok := s.allocs.Get(tx, key)
	switch {
	case !ok:
		return nil
	case a.ref() != ref:
		return fmt.Errorf("return %s to pool %s: %w: allocation %d, not %d", ref.CIDR, ref.PoolID, ErrStale, a.Seq, ref.Seq)
	case a.State == Cooling:
		return nil
	}
	failpoint.Hit("ipam.return")
	s.ended(tx, a, now)
	s.tags.Clear(tx, a.ID)
	quarantine := s.quarantine(tx.Snapshot(), ref.PoolID)
	if quarantine <= 0 {
		s.allocs.Delete(tx, key)
		return nil
	}
	a.State, a.Until = Cooling, now.Add(quarantine)
	s.allocs.Put(tx, key, a)
	return nil
}

// Release ends a Custom allocation, named by pool, CIDR and id
// (ReleaseIpamPoolAllocation).
func (s *Service) Release(ctx context.Context, account, region, poolID string, cidr netip.Prefix, id string, now time.Time, dryRun func() error) error {
	if _, err := s.localPool(s.store.Snapshot(), account, region, poolID); err != nil {
		return fmt.Errorf("release: %w", err)
	}
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		if _, err := s.localPool(tx, account, region, poolID); err != nil {
			return err
		}
		var a Allocation
		if cidr.IsValid() {
			a, _ = s.allocs.Get(tx, blockKey(poolID, cidr.Addr()))
		}
		if a.ID != id || a.CIDR != cidr || a.State != Held {
			return refuse(InvalidCombination, "No allocation found with ID '%s' and CIDR '%s' in ipam-pool '%s'.", id, cidr, poolID)
		}
		if a.Holder.Type != Custom {
			return refuse(InvalidCombination, "The allocation '%s' is of type '%s'. Only allocations of type 'custom' can be released.", id, a.Holder.Type)
		}
		if err := check(dryRun); err != nil {
			return err
		}
		return s.Return(tx, a.ref(), now)
	})
	if err != nil {
		return fmt.Errorf("release %s of pool %s: %w", id, poolID, err)
	}
	return nil
}

// localPool returns a pool for a call about its allocations, which belongs to
// the pool's locale.
func (s *Service) localPool(r store.Reader, account, region, id string) (Pool, error) {
	p, ok := s.VisiblePool(r, account, id)
	switch {
	case !ok || p.Locale != region && p.Region != region:
		return Pool{}, poolNotFound(id)
	case p.Locale != region && p.Locale != NoLocale:
		return Pool{}, refuse(InvalidValue, "The ipam-pool '%s' has the locale '%s'. The request must be made there.", id, p.Locale)
	}
	return p, nil
}

// allocationsIn yields a pool's blocks from the key on, also those that cool.
func (s *Service) allocationsIn(r store.Reader, pool, from string) iter.Seq2[string, Allocation] {
	prefix := pool + "/"
	return func(yield func(string, Allocation) bool) {
		for key, a := range s.allocs.From(r, max(prefix, from)) {
			if !strings.HasPrefix(key, prefix) || !yield(key, a) {
				return
			}
		}
	}
}

// allocationsWithin yields a pool's blocks that lie in p.
func (s *Service) allocationsWithin(r store.Reader, pool string, p netip.Prefix) iter.Seq2[string, Allocation] {
	end := blockKey(pool, last(p))
	return func(yield func(string, Allocation) bool) {
		for key, a := range s.allocs.From(r, blockKey(pool, p.Addr())) {
			if key > end || !yield(key, a) {
				return
			}
		}
	}
}
