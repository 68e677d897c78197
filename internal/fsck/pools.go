package fsck

import (
	"context"
	"maps"
	"math/big"
	"net/netip"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// checkPools walks all blocks once, pool by pool, and then the pools that have none.
func (s *sweep) checkPools() {
	walked := map[string]bool{}
	var w *walk
	for b := range s.o.Pools.Blocks(s.r) {
		if w == nil || w.pool != b.PoolID {
			w.end()
			w = s.newWalk(b.PoolID)
			walked[b.PoolID] = true
		}
		w.block(b)
	}
	w.end()
	for _, id := range slices.Sorted(maps.Keys(s.pools)) {
		if !walked[id] {
			s.newWalk(id).end()
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.ledgers)) {
		if _, ok := s.pools[id]; !ok {
			s.find(NoPool, "pool "+id, s.mendLedger(id, "delete the ledger"), "there is a ledger, and no such pool")
		}
	}
}

// walk is a pass over one pool's blocks in order of their first address.
type walk struct {
	s      *sweep
	pool   string
	exists bool
	cidrs  []CIDR // those not passed yet
	meter  *meter // of the first of them

	top     Block // of those so far, the one that reaches highest
	started bool

	total, open, free, openFree *big.Int // open: in CIDRs that users are told of
	taken                       map[BlockState]*big.Int
	size                        big.Int // of one block; there are many
	numbers                     []uint64
	lengths                     map[int]bool
}

func (s *sweep) newWalk(pool string) *walk {
	w := &walk{
		s: s, pool: pool, cidrs: s.cidrs[pool], total: new(big.Int), open: new(big.Int), free: new(big.Int), openFree: new(big.Int),
		taken: map[BlockState]*big.Int{Held: new(big.Int), Cooling: new(big.Int), Staged: new(big.Int)}, lengths: map[int]bool{},
	}
	_, w.exists = s.pools[pool]
	for i, c := range w.cidrs {
		w.total.Add(w.total, size(c.CIDR))
		if c.Open {
			w.open.Add(w.open, size(c.CIDR))
		}
		if i > 0 && w.cidrs[i-1].CIDR.Overlaps(c.CIDR) {
			s.find(Overlap, spot{pool, c.CIDR}, mend{}, "the CIDR overlaps %s of the same pool", w.cidrs[i-1].CIDR)
		}
	}
	w.enter()
	return w
}

// enter begins to measure the first of the CIDRs.
func (w *walk) enter() {
	if len(w.cidrs) > 0 {
		w.meter = newMeter(w.cidrs[0].CIDR)
	}
}

// leave adds what is free in the first of the CIDRs, and goes on to the next.
func (w *walk) leave() {
	n := w.meter.end()
	w.free.Add(w.free, n)
	if w.cidrs[0].Open {
		w.openFree.Add(w.openFree, n)
	}
	w.cidrs = w.cidrs[1:]
	w.enter()
}

func (w *walk) block(b Block) {
	s, where := w.s, spot{w.pool, b.CIDR}
	switch b.State {
	case Held:
		s.out.Held++
	case Cooling:
		s.out.Cooling++
	case Staged:
		s.out.Staged++
	}
	if b.Misfiled {
		s.find(Misfiled, where, mend{}, "allocation %s is stored under a key that isn't its block's", b.ID)
	}
	w.numbers = append(w.numbers, b.Seq)
	w.lengths[b.CIDR.Bits()] = true
	if w.started && !last(w.top.CIDR).Less(b.CIDR.Addr()) {
		s.find(Overlap, where, mend{}, "allocation %s (%s) overlaps %s, allocation %s (%s)", b.ID, b.Holder, w.top.CIDR, w.top.ID, w.top.Holder)
	}
	if !w.started || last(w.top.CIDR).Less(last(b.CIDR)) {
		w.top, w.started = b, true
	}
	w.place(b, where)
	s.checkHolder(b, where)
}

// place finds the CIDR that a block lies in, and measures it.
func (w *walk) place(b Block, where spot) {
	for len(w.cidrs) > 0 && last(w.cidrs[0].CIDR).Less(b.CIDR.Addr()) {
		w.leave()
	}
	switch {
	case !w.exists: // said once, at the end
		return
	case len(w.cidrs) == 0 || !contains(w.cidrs[0].CIDR, b.CIDR):
		w.s.find(Outside, where, mend{}, "allocation %s (%s) lies in no CIDR of the pool", b.ID, b.Holder)
		return
	case !w.cidrs[0].Usable && b.State != Cooling:
		w.s.find(Unusable, where, mend{}, "allocation %s (%s) is held in %s, which leaves the pool or whose notice period isn't over", b.ID, b.Holder, w.cidrs[0].CIDR)
	}
	w.taken[b.State].Add(w.taken[b.State], w.size.Lsh(one, hostBits(b.CIDR)))
	w.meter.pass(b.CIDR)
}

func contains(outer, p netip.Prefix) bool {
	return outer.Bits() <= p.Bits() && outer.Contains(p.Addr())
}

// end says whether the pool's sums are right, and its ledger. nil is no walk.
func (w *walk) end() {
	if w == nil {
		return
	}
	for len(w.cidrs) > 0 {
		w.leave()
	}
	s, where := w.s, "pool "+w.pool
	if !w.exists {
		s.find(NoPool, where, mend{}, "there are %d allocations, and no such pool", len(w.numbers))
		return
	}
	sum := new(big.Int).Set(w.free)
	for _, n := range w.taken {
		sum.Add(sum, n)
	}
	if sum.Cmp(w.total) != 0 {
		s.find(Sum, where, mend{}, "%s addresses are provisioned: %s are free, %s held, %s cooling, %s staged",
			w.total, w.free, w.taken[Held], w.taken[Cooling], w.taken[Staged])
	}
	p := s.pools[w.pool]
	if p.Total.Cmp(w.open) != 0 || p.Free.Cmp(w.openFree) != 0 {
		s.find(Told, where, mend{}, "users are told that %s of %s addresses are free: it is %s of %s", p.Free, p.Total, w.openFree, w.open)
	}
	w.checkLedger(where)
	slices.Sort(w.numbers)
	for i := 1; i < len(w.numbers); i++ {
		if w.numbers[i] == w.numbers[i-1] {
			s.find(Sequence, where, mend{}, "two allocations have the sequence number %d: a late release of the one could end the other", w.numbers[i])
		}
	}
}

func (w *walk) checkLedger(where string) {
	s := w.s
	l, ok := s.ledgers[w.pool]
	m := s.mendLedger(w.pool, "bring the ledger up to the allocations")
	if !ok {
		if len(w.numbers) > 0 || len(s.cidrs[w.pool]) > 0 {
			s.find(LedgerLags, where, m, "there is no ledger")
		}
		return
	}
	highest := l.CIDRSeq
	if len(w.numbers) > 0 {
		highest = max(highest, slices.Max(w.numbers))
	}
	if l.Seq < highest {
		s.find(LedgerLags, where, m, "the ledger's number is %d, and there is a later one, %d", l.Seq, highest)
	}
	for _, bits := range slices.Sorted(maps.Keys(w.lengths)) {
		if !slices.Contains(l.Lengths, bits) {
			s.find(LedgerLags, where, m, "there are allocations of length /%d, of which the ledger doesn't know: others could be made over them", bits)
		}
	}
}

func (s *sweep) mendLedger(pool, what string) mend {
	return mend{what, false, func(ctx context.Context) (bool, error) { return s.o.Pools.MendLedger(ctx, pool) }}
}

// checkHolder says whether what a block is held for lives, and has it.
func (s *sweep) checkHolder(b Block, where spot) {
	switch b.State {
	case Cooling:
		return
	case Staged:
		if !s.o.Pools.IsStaged(s.r, b.Ref) {
			gone := func(r store.Reader) bool { return !s.o.Pools.IsStaged(r, b.Ref) }
			s.find(Orphan, where, s.release(b, gone), "allocation %s was staged for an import that doesn't know it", b.ID)
		}
		return
	case Held:
	}
	keeper, known := s.o.Keepers[b.Holder.Kind]
	if !known {
		s.out.NotChecked[b.Holder.Kind]++
		return
	}
	switch keeper(s.r, b) {
	case Holds:
	case Gone:
		gone := func(r store.Reader) bool { return keeper(r, b) == Gone }
		s.find(Orphan, where, s.release(b, gone), "allocation %s is held for %s, which doesn't exist or has nothing of it", b.ID, b.Holder)
	case Disputed:
		s.find(Dispute, where, mend{}, "allocation %s is held for %s, which has the block otherwise than by it", b.ID, b.Holder)
	}
}

// release ends an allocation whose holder is gone, if nothing else has a part of
// its block. Such a thing can't come up later: whatever draws a block makes an
// allocation of its own.
func (s *sweep) release(b Block, gone func(r store.Reader) bool) mend {
	if slices.ContainsFunc(s.needed[b.PoolID], b.CIDR.Overlaps) {
		return mend{}
	}
	return mend{"release the allocation", true, func(ctx context.Context) (bool, error) {
		return s.o.Pools.ReturnOrphan(ctx, b.Ref, gone, time.Now().UTC().Round(0))
	}}
}

// String names a holder.
func (h Holder) String() string {
	if h.ID == "" {
		return h.Kind + " of account " + h.Account
	}
	return h.Kind + " " + h.ID
}

// checkDomains holds the spans of routing domains against the CIDRs that came
// out of them, one to one, and against each other.
func (s *sweep) checkDomains() {
	missing := map[Span]bool{}
	for _, cs := range s.cidrs {
		for _, c := range cs {
			if c.Source == "" {
				missing[Span{c.Domain, c.PoolID, c.CIDR}] = true
			}
		}
	}
	var top Span
	for sp := range s.o.Pools.Spans(s.r) {
		where := "routing domain " + sp.Domain + ", " + sp.CIDR.String()
		switch {
		case missing[sp]:
			delete(missing, sp)
		default:
			s.find(Domain, where, s.mendSpan(sp, "give the space free"), "the span is kept for pool %s, which has no such CIDR", sp.PoolID)
		}
		same := top.Domain == sp.Domain && top.CIDR.Addr().BitLen() == sp.CIDR.Addr().BitLen()
		if same && top.CIDR.Overlaps(sp.CIDR) {
			s.find(Overlap, where, mend{}, "the CIDR of pool %s overlaps %s of pool %s", sp.PoolID, top.CIDR, top.PoolID)
		}
		if !same || last(top.CIDR).Less(last(sp.CIDR)) {
			top = sp
		}
	}
	for _, sp := range slices.SortedFunc(maps.Keys(missing), func(a, b Span) int { return a.CIDR.Compare(b.CIDR) }) {
		s.find(Domain, spot{sp.PoolID, sp.CIDR}, s.mendSpan(sp, "write the span, if nothing overlaps it"),
			"the routing domain %s doesn't know that the pool has the CIDR, and may give it to another", sp.Domain)
	}
}

func (s *sweep) mendSpan(sp Span, what string) mend {
	return mend{what, false, func(ctx context.Context) (bool, error) { return s.o.Pools.MendSpan(ctx, sp) }}
}
