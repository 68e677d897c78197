package ipam

import (
	"net/netip"
	"slices"

	"github.com/fairlead/fairlead/internal/store"
)

// turn is one transaction of a pool's writer under construction.
type turn struct {
	s       *Service
	tx      *store.Tx
	base    store.Snapshot // what tx is decided on
	index   *index
	pool    Pool
	exists  bool // pool is there, and not being deleted
	ledger  Ledger
	granted []netip.Prefix // by this transaction

	imported bool           // granted are imports, and the transaction is for nothing else
	waiting  []Network      // in the pool's CIDRs, not imported: nobody else gets their space
	adopted  bool           // granted are subnets that were there, and the transaction is for nothing else
	reserved []netip.Prefix // of subnets that nothing can be allocated for: nobody else gets their space
}

// newTurn guards the pool's ledger and brings the index to tx's past or later.
func (s *Service) newTurn(tx *store.Tx, wr *writer) (*turn, error) {
	t := &turn{s: s, tx: tx, base: tx.Snapshot(), index: &wr.index}
	// The pool itself needs no guard: who changes its state bumps the ledger.
	t.ledger, _ = s.ledgers.Get(tx, wr.pool)
	t.pool, t.exists = s.pools.Get(t.base, wr.pool)
	t.exists = t.exists && t.pool.State == CreateComplete
	if _, err := t.index.sync(s, wr.pool); err != nil {
		return nil, err
	}
	if t.cidrsChanged() {
		return nil, errBehind
	}
	return t, nil
}

// settle tells the index of what the work that has just succeeded was granted.
func (t *turn) settle(from int) {
	for _, p := range t.granted[from:] {
		t.index.take(p)
	}
}

// lowest returns the lowest free block of the length, in one of allowed, if
// there are any, and clear of disallowed.
func (t *turn) lowest(bits int, allowed, disallowed []netip.Prefix) (netip.Prefix, bool) {
	for _, n := range t.waiting {
		disallowed = append(disallowed[:len(disallowed):len(disallowed)], n.CIDR)
	}
	disallowed = append(disallowed[:len(disallowed):len(disallowed)], t.reserved...)
	if len(allowed)+len(disallowed) == 0 {
		return t.index.space.Lowest(bits)
	}
	return t.index.space.LowestWhere(bits, allowed, disallowed)
}

// checkFree says whether a block that was asked for may be given.
func (t *turn) checkFree(p netip.Prefix) error {
	if !t.index.inside(p) || !t.index.space.Free(p) || slices.ContainsFunc(t.reserved, p.Overlaps) {
		return notAvailable(p, t.pool.ID)
	}
	for _, n := range t.waiting {
		if n.CIDR.Overlaps(p) {
			return refuse(InvalidValue, "The CIDR '%s' is not available in ipam-pool '%s': it overlaps the CIDR '%s' of %s.", p, t.pool.ID, n.CIDR, n.VPCID)
		}
	}
	return nil
}

// grant gives the block a.CIDR, which the index believes to be free or which
// a.Holder recovers, to a.Holder. It proves what the index only believes: that
// no block of the transaction's past and none of the transaction's own overlaps
// it. errBehind says that the past has one that has been released since.
func (t *turn) grant(a Allocation) (Allocation, error) {
	p, pool := a.CIDR, t.pool.ID
	if most := t.s.opts.Quotas.AllocationsPerPool; t.index.count >= most && !t.pool.Hidden {
		return a, refuse(OverLimit, "You've reached the limit for allocations in ipam-pool '%s'. You are limited to %d.", pool, most)
	}
	frees := func(old Allocation) bool { return old.CIDR == p && old.recoverable(a.Holder) }
	if old, taken := overlapping(t.base, t.s.allocs, pool, p, t.ledger.Lengths); taken && !frees(old) {
		return a, errBehind
	}
	key := blockKey(pool, p.Addr())
	if old, taken := t.s.allocs.Get(t.tx, key); taken && !frees(old) || t.overlapsGranted(p) {
		return a, notAvailable(p, pool)
	}
	t.ledger.Seq++
	if i, known := slices.BinarySearch(t.ledger.Lengths, p.Bits()); !known {
		t.ledger.Lengths = slices.Insert(slices.Clone(t.ledger.Lengths), i, p.Bits())
	}
	a.PoolID, a.Seq, a.State = pool, t.ledger.Seq, Held
	t.s.ledgers.Put(t.tx, pool, t.ledger)
	t.s.allocs.Put(t.tx, key, a)
	t.granted = append(t.granted, p)
	return a, nil
}

// overlapsGranted looks only at blocks of other lengths: those of p's own
// length overlap it only by being it, which the record's key shows.
func (t *turn) overlapsGranted(p netip.Prefix) bool {
	for _, g := range t.granted {
		if g.Bits() != p.Bits() && g.Overlaps(p) {
			return true
		}
	}
	return false
}

// cidrsChanged says whether the pool's CIDRs are others than the index has.
func (t *turn) cidrsChanged() bool { return t.ledger.CIDRSeq != t.index.cidrSeq }

// changeCIDRs counts a change of the pool's CIDRs in its ledger. It ends the
// turn: the index learns of the change from its commit.
func (t *turn) changeCIDRs() { t.ledger = t.s.changeCIDRsOf(t.tx, t.pool.ID, t.ledger) }

// changeCIDRsOf counts a change of a pool's CIDRs in its ledger, which tx has read.
func (s *Service) changeCIDRsOf(tx *store.Tx, pool string, l Ledger) Ledger {
	l.Seq++
	l.CIDRSeq = l.Seq
	s.ledgers.Put(tx, pool, l)
	return l
}

func notAvailable(p netip.Prefix, pool string) error {
	return refuse(InvalidValue, "The CIDR '%s' is not available in ipam-pool '%s'.", p, pool)
}
