package ipam

import (
	"fmt"

	"github.com/fairlead/fairlead/internal/store"
)

// DrawWithin takes a block of a pool as a part of tx, for a resource that draws
// from two pools at once: the first by Draw, the others in its record. It goes
// past the pool's writer, whose ledger makes one of the two start again, and
// looks for free space in an index of its own; so it costs the number of the
// pool's allocations. Errors as Draw's; store.ErrTooLarge when tx has drawn from
// the pool before.
func (s *Service) DrawWithin(tx *store.Tx, w Want) (Allocation, error) {
	a, err := s.drawWithin(tx, w)
	if err != nil {
		return Allocation{}, fmt.Errorf("draw from pool %s: %w", w.PoolID, err)
	}
	return a, nil
}

func (s *Service) drawWithin(tx *store.Tx, w Want) (Allocation, error) {
	t := &turn{s: s, tx: tx, base: tx.Snapshot(), index: &index{}}
	t.ledger, _ = s.ledgers.Get(tx, w.PoolID)
	t.pool, t.exists = s.pools.Get(t.base, w.PoolID)
	t.exists = t.exists && t.pool.State == CreateComplete
	if before, _ := s.ledgers.Get(t.base, w.PoolID); before.Seq != t.ledger.Seq {
		return Allocation{}, store.ErrTooLarge // the index wouldn't know of that
	}
	if err := t.index.rebuild(s, t.base, w.PoolID, t.ledger); err != nil {
		return Allocation{}, err
	}
	t.waiting = s.candidates(tx, t.pool, t.exists, t.index.cidrs)
	for _, cidr := range t.unmet() {
		t.reserved = append(t.reserved, cidr)
	}
	block, err := t.choose(w)
	if err != nil {
		return Allocation{}, err
	}
	return t.grant(Allocation{ID: NewAllocationID(w.Time), CIDR: block, Holder: w.Holder, Created: w.Time})
}
