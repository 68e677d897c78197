package ipam

import (
	"context"
	"fmt"
	"slices"

	"github.com/fairlead/fairlead/internal/store"
)

// ModifyPool is a change of what a pool allows, and of how it is described.
// What is nil stays as it is. Locale, family, scope and source never change.
type ModifyPool struct {
	ID, Account, Region    string
	Description            *string
	AutoImport             *bool
	MinNetmask, MaxNetmask *int
	DefaultNetmask         *int
	ClearDefaultNetmask    bool
	AddTags, RemoveTags    []AllocationTag
}

func (m ModifyPool) empty() bool {
	return m.Description == nil && m.AutoImport == nil && m.MinNetmask == nil && m.MaxNetmask == nil && m.DefaultNetmask == nil &&
		!m.ClearDefaultNetmask && len(m.AddTags)+len(m.RemoveTags) == 0
}

// ModifyPool changes a pool (ModifyIpamPool). New rules bind what is allocated
// from then on; what is held already stays, compliant or not.
func (s *Service) ModifyPool(ctx context.Context, req ModifyPool, dryRun func() error) (Pool, error) {
	switch {
	case req.empty():
		return Pool{}, refuse(InvalidCombination, "The request must contain a modification to the ipam pool")
	case req.ClearDefaultNetmask && req.DefaultNetmask != nil:
		return Pool{}, refuse(InvalidCombination, "The request can't contain both AllocationDefaultNetmaskLength and ClearAllocationDefaultNetmaskLength.")
	}
	var p Pool
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		var err error
		if p, err = s.homePool(tx, req.Account, req.Region, req.ID); err != nil {
			return err
		}
		if p.State != CreateComplete {
			return refuse(WrongState, "The ipam-pool '%s' is being deleted.", p.ID)
		}
		p = p.modified(req)
		i, _ := s.ipams.Get(tx.Snapshot(), p.IPAMID)
		if p.AutoImport && p.Locale == NoLocale {
			return errImportWithoutLocale
		}
		if err := checkNetmasks(p, i); err != nil {
			return err
		}
		if err := check(dryRun); err != nil {
			return err
		}
		// Of an allocation that is under way and the change one is first: it
		// keeps to the rules of before, or finds the ledger changed.
		l, _ := s.ledgers.Get(tx, p.ID)
		l.Seq++
		s.ledgers.Put(tx, p.ID, l)
		s.pools.Put(tx, p.ID, p)
		return nil
	})
	if err != nil {
		return Pool{}, fmt.Errorf("modify pool %s: %w", req.ID, err)
	}
	return p, nil
}

// modified returns p with the change.
func (p Pool) modified(m ModifyPool) Pool {
	set(&p.Description, m.Description)
	set(&p.AutoImport, m.AutoImport)
	for _, n := range []struct {
		at **int
		v  *int
	}{{&p.MinNetmask, m.MinNetmask}, {&p.MaxNetmask, m.MaxNetmask}, {&p.DefaultNetmask, m.DefaultNetmask}} {
		if n.v != nil {
			*n.at = n.v
		}
	}
	if m.ClearDefaultNetmask {
		p.DefaultNetmask = nil
	}
	p.AllocationTags = slices.DeleteFunc(slices.Clone(p.AllocationTags), func(t AllocationTag) bool {
		// A resource has one value for a key: the pool asks for one, the newest.
		return slices.Contains(m.RemoveTags, t) || slices.ContainsFunc(m.AddTags, func(a AllocationTag) bool { return a.Key == t.Key })
	})
	p.AllocationTags = append(p.AllocationTags, m.AddTags...)
	p.Modified = true
	return p
}
