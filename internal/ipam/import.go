package ipam

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/failpoint"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// An import allocates any number of blocks, or none: more than a transaction
// holds. Its blocks are staged one transaction after the other. From then on
// nobody else gets them, but they don't show. One more transaction decides, and
// what is decided is carried out, whoever crashes: by FinishImport or by the sweep.

// Import is a set of blocks that are to be allocated together.
type Import struct {
	ID              string // "ipam-import-…"
	Account, Region string // Region is where the call was made
	PoolID          string
	State           ImportState
	Blocks          int       // staged so far
	Touched         time.Time // when the last of them was, or when it was decided
}

// ImportState is where an import is.
type ImportState string

// The states. An import that is done with is gone.
const (
	ImportStaging   ImportState = "staging"
	ImportFinished  ImportState = "finished"  // decided; its blocks are about to show
	ImportAbandoned ImportState = "abandoned" // decided; its blocks are about to go
)

// importPatience is how long an import may stand still before it counts as
// abandoned: its caller has gone.
const importPatience = 10 * time.Minute

// settlePatience is how long the sweep leaves a decided import to the call that
// decided it, which would only get in its way.
const settlePatience = 10 * time.Second

// ImportBlock is one block of an import.
type ImportBlock struct {
	CIDR        netip.Prefix
	Description string
	Tags        []tags.Tag
}

// ImportConflict says why one block can't be allocated.
type ImportConflict struct {
	Block  int // its place in the list that was asked about, from 0
	Reason string
}

// stagedBlock is what an import remembers of a block until it is decided.
type stagedBlock struct {
	Ref  AllocationRef
	Tags []tags.Tag `json:",omitempty"`
}

// CheckImport tells which of the blocks couldn't be allocated in a pool now. It
// changes nothing. The list may be as long as it likes.
func (s *Service) CheckImport(r store.Snapshot, account, region, poolID string, blocks []ImportBlock) ([]ImportConflict, error) {
	p, err := s.localPool(r, account, region, poolID)
	if err != nil {
		return nil, fmt.Errorf("check import: %w", err)
	}
	l, _ := s.ledgers.Get(r, p.ID)
	active := s.activeCIDRs(r, p.ID)
	var conflicts []ImportConflict
	for n, b := range blocks {
		reason := misplaced(b.CIDR, p, active)
		if a, taken := overlapping(r, s.allocs, p.ID, b.CIDR, l.Lengths); reason == "" && taken {
			reason = takenBy(b.CIDR, a)
		}
		if reason != "" {
			conflicts = append(conflicts, ImportConflict{n, reason})
		}
	}
	return conflicts, nil
}

// misplaced says what keeps a block from being one of the pool's, "" for nothing.
func misplaced(c netip.Prefix, p Pool, active []netip.Prefix) string {
	var mistake *CallError
	if err := checkBlock(c, nil, p.Family); errors.As(err, &mistake) {
		return mistake.Text
	}
	if !slices.ContainsFunc(active, func(outer netip.Prefix) bool { return within(c, outer) }) {
		return fmt.Sprintf("%s is in none of the pool's CIDRs", c)
	}
	return ""
}

func takenBy(c netip.Prefix, a Allocation) string {
	holder := string(a.Holder.Type)
	if a.Holder.ResourceID != "" {
		holder += " " + a.Holder.ResourceID
	}
	if a.Description != "" {
		holder += fmt.Sprintf(" (%s)", a.Description)
	}
	switch {
	case a.State == Cooling:
		return fmt.Sprintf("%s overlaps %s, which was released and is free at %s", c, a.CIDR, a.Until.UTC().Format(time.RFC3339))
	case a.CIDR == c:
		return fmt.Sprintf("%s is allocated already, as %s to %s", c, a.ID, holder)
	}
	return fmt.Sprintf("%s overlaps %s, which is %s of %s", c, a.CIDR, a.ID, holder)
}

// BeginImport opens an import into a pool.
func (s *Service) BeginImport(ctx context.Context, m Import) (Import, error) {
	m.State = ImportStaging
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		if _, err := s.localPool(tx, m.Account, m.Region, m.PoolID); err != nil {
			return err
		}
		s.imports.Put(tx, m.ID, m)
		return nil
	})
	if err != nil {
		return Import{}, fmt.Errorf("begin import: %w", err)
	}
	return m, nil
}

// importChunk is how many blocks one transaction stages or settles: a block is
// two records, and a third if it has tags.
const importChunk = store.MaxTxnOps/3 - 2

// AddToImport stages blocks. With conflicts among them some may be staged and
// some not: the import is then good only for being abandoned.
func (s *Service) AddToImport(ctx context.Context, account, region, id string, blocks []ImportBlock, now time.Time) ([]ImportConflict, error) {
	m, err := s.openImport(s.store.Snapshot(), account, region, id)
	if err != nil {
		return nil, fmt.Errorf("add to import: %w", err)
	}
	var all []ImportConflict
	for first := 0; first < len(blocks); first += importChunk {
		chunk := blocks[first:min(first+importChunk, len(blocks))]
		var conflicts []ImportConflict
		err := s.submit(ctx, m.PoolID, func(t *turn) (err error) {
			conflicts, err = s.stage(t, m, chunk, now)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("add to import %s: %w", id, err)
		}
		failpoint.Hit("ipam.import-staged")
		for _, c := range conflicts {
			all = append(all, ImportConflict{first + c.Block, c.Reason})
		}
	}
	return all, nil
}

func (s *Service) stage(t *turn, m Import, blocks []ImportBlock, now time.Time) ([]ImportConflict, error) {
	if !t.exists {
		return nil, poolNotFound(m.PoolID)
	}
	open, err := s.openImport(t.tx, m.Account, m.Region, m.ID)
	if err != nil {
		return nil, err
	}
	var conflicts []ImportConflict
	for n, b := range blocks {
		reason := misplaced(b.CIDR, t.pool, t.index.cidrs)
		if a, taken := overlapping(t.base, s.allocs, m.PoolID, b.CIDR, t.ledger.Lengths); reason == "" && taken {
			reason = takenBy(b.CIDR, a)
		}
		if reason == "" && slices.ContainsFunc(t.granted, b.CIDR.Overlaps) {
			reason = fmt.Sprintf("%s overlaps a block that is being allocated", b.CIDR)
		}
		for _, v := range t.waiting {
			if reason == "" && v.CIDR.Overlaps(b.CIDR) {
				reason = fmt.Sprintf("%s overlaps %s of %s, which the pool is to import", b.CIDR, v.CIDR, v.VPCID)
			}
		}
		if reason == "" && slices.ContainsFunc(t.reserved, b.CIDR.Overlaps) {
			reason = fmt.Sprintf("%s overlaps a subnet", b.CIDR)
		}
		if reason != "" {
			conflicts = append(conflicts, ImportConflict{n, reason})
			continue
		}
		if !t.index.space.Free(b.CIDR) {
			return nil, errBehind
		}
		a, err := t.grant(Allocation{
			ID: NewAllocationID(now), CIDR: b.CIDR, Description: b.Description, Created: now,
			Holder: Holder{Type: Custom, Account: m.Account, Region: m.Region},
		})
		if err != nil {
			return nil, err
		}
		a.State = Staged
		s.allocs.Put(t.tx, blockKey(a.PoolID, a.CIDR.Addr()), a)
		s.staged.Put(t.tx, stagedKey(m.ID, a.CIDR.Addr()), stagedBlock{Ref: a.ref(), Tags: b.Tags})
		open.Blocks++
	}
	open.Touched = now
	s.imports.Put(t.tx, m.ID, open)
	return conflicts, nil
}

func stagedKey(id string, a netip.Addr) string { return blockKey(id, a) }

// openImport returns an import that blocks can be added to.
func (s *Service) openImport(r store.Reader, account, region, id string) (Import, error) {
	m, ok := s.imports.Get(r, id)
	switch {
	case !ok || m.Account != account || m.Region != region:
		return Import{}, &NotFoundError{NounImport, id}
	case m.State != ImportStaging:
		return Import{}, refuse(WrongState, "The import '%s' is %s.", id, m.State)
	}
	return m, nil
}

// FinishImport allocates what has been staged, and returns how many blocks that
// is. Once the call has succeeded all of them are allocated; when its outcome
// isn't known, all or none.
func (s *Service) FinishImport(ctx context.Context, account, region, id string, now time.Time) (int, error) {
	return s.decideImport(ctx, account, region, id, ImportFinished, now)
}

// AbandonImport frees what has been staged.
func (s *Service) AbandonImport(ctx context.Context, account, region, id string, now time.Time) error {
	_, err := s.decideImport(ctx, account, region, id, ImportAbandoned, now)
	return err
}

func (s *Service) decideImport(ctx context.Context, account, region, id string, decision ImportState, now time.Time) (blocks int, err error) {
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		m, err := s.openImport(tx, account, region, id)
		if err != nil {
			return err
		}
		if decision == ImportFinished {
			// A cascade may have taken the blocks along.
			if p, err := s.localPool(tx, account, region, m.PoolID); err != nil || p.State != CreateComplete {
				return poolNotFound(m.PoolID)
			}
		}
		blocks = m.Blocks
		m.State, m.Touched = decision, now
		s.imports.Put(tx, id, m)
		p, _ := s.pools.Get(tx.Snapshot(), m.PoolID)
		kind, how := event.ImportFinished, "was finished"
		if decision == ImportAbandoned {
			kind, how = event.ImportAbandoned, "was abandoned"
		}
		s.opts.Events.Put(tx, p.about(kind, now, "blocks", strconv.Itoa(m.Blocks), "the import %s of %d blocks %s", id, m.Blocks, how))
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("end import %s: %w", id, err)
	}
	failpoint.Hit("ipam.import-decided")
	if err := s.settleImport(ctx, id); err != nil {
		// It is decided; the sweep carries it on.
		s.opts.Log.Warn("ipam: an import goes on later", "import", id, "error", err)
	}
	return blocks, nil
}

// settleImport carries out what has been decided. It may be repeated.
func (s *Service) settleImport(ctx context.Context, id string) error {
	for more := true; more; {
		err := s.store.Update(ctx, func(tx *store.Tx) error {
			m, ok := s.imports.Get(tx, id)
			if more = false; !ok || m.State == ImportStaging {
				return nil
			}
			n := 0
			for key, b := range s.staged.From(tx.Snapshot(), id+"/") {
				if !strings.HasPrefix(key, id+"/") {
					break
				}
				if n++; n > importChunk {
					more = true
					return nil
				}
				if err := s.settle(tx, m, b); err != nil {
					return err
				}
				s.staged.Delete(tx, key)
			}
			s.imports.Delete(tx, id)
			return nil
		})
		if err != nil {
			return fmt.Errorf("settle import %s: %w", id, err)
		}
		failpoint.Hit("ipam.import-settled")
	}
	return nil
}

// settle shows or frees one staged block.
func (s *Service) settle(tx *store.Tx, m Import, b stagedBlock) error {
	key := blockKey(b.Ref.PoolID, b.Ref.CIDR.Addr())
	a, ok := s.allocs.Get(tx, key)
	if !ok || a.ref() != b.Ref || a.State != Staged {
		return nil // its pool was deleted
	}
	if m.State == ImportAbandoned {
		s.allocs.Delete(tx, key)
		return nil
	}
	a.State = Held
	s.allocs.Put(tx, key, a)
	return s.tag(tx, m.Account, m.Region, a.ID, "ipam-pool-allocation", b.Tags)
}

// sweepImports ends the imports whose callers can't.
func (s *Service) sweepImports(ctx context.Context, snap store.Snapshot, now time.Time) error {
	var errs []error
	for id, m := range s.imports.All(snap) {
		switch {
		case m.State != ImportStaging:
			if now.Sub(m.Touched) > settlePatience {
				errs = append(errs, s.settleImport(ctx, id))
			}
		case now.Sub(m.Touched) > importPatience:
			s.opts.Log.Warn("ipam: an import stood still and is abandoned", "import", id, "pool", m.PoolID, "blocks", m.Blocks)
			errs = append(errs, s.AbandonImport(ctx, m.Account, m.Region, id, now))
		}
	}
	return errors.Join(errs...)
}
