package ipam

import (
	"net/netip"

	"github.com/fairlead/fairlead/internal/store"
)

// poolOf names the pool that a holder may have a certain address out of: the
// one of its account's that the address lies in and no child's, or the
// provider's own, if it was the holder's account that released the address
// there a moment ago (EC2 AllocateAddress, Address alone).
func (s *Service) poolOf(r store.Snapshot, h Holder, want netip.Prefix) (id string, ok bool) {
	if !want.IsValid() {
		return "", false
	}
	family := familyOf(want.Addr())
	top, ok := overlapping(r, s.spans, spanOwner("public", family), want, allLengths(family))
	if !ok {
		return "", false
	}
	id = top.PoolID
	var a Allocation // what lies over want in the pool, if anything does
	for {
		ledger, _ := s.ledgers.Get(r, id)
		a, ok = overlapping(r, s.allocs, id, want, ledger.Lengths)
		if !ok || a.State != Held {
			break
		}
		if _, child := s.pools.Get(r, a.Holder.ResourceID); !child {
			break
		}
		id = a.Holder.ResourceID
	}
	p, _ := s.pools.Get(r, id)
	if p.Hidden {
		return id, a.recoverable(h) && a.CIDR == want
	}
	return id, p.Account == h.Account
}

// recoverable says whether a is an address that waits for its quarantine to
// end, and that h, whose account had it last, may have back before.
func (a Allocation) recoverable(h Holder) bool {
	return a.State == Cooling && a.Holder.Type == EIP && h.Type == EIP && a.Holder.Account == h.Account && a.Holder.Region == h.Region
}

// recovers says whether what is wanted is exactly a block that its holder may
// have back.
func (t *turn) recovers(w Want) bool {
	if !t.index.inside(w.CIDR) {
		return false // cooling in a CIDR that leaves the pool
	}
	a, ok := t.s.allocs.Get(t.tx, blockKey(t.pool.ID, w.CIDR.Addr()))
	return ok && a.CIDR == w.CIDR && a.recoverable(w.Holder)
}
