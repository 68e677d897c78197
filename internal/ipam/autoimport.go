package ipam

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// A pool with AutoImport takes in the CIDRs that VPCs have without it
// (CreateIpamPool). The service does so some time after it has discovered them
// and may give their space away meanwhile; here whoever draws from such a pool
// meets the VPCs first: what can be imported is, and what can't is left alone.

// Network is a CIDR of a VPC.
type Network struct {
	VPCID, Account, Region string
	CIDR                   netip.Prefix
}

// Networks knows which CIDRs VPCs have.
type Networks interface {
	// Live yields the CIDRs that belong into a pool: of VPCs of its account, in
	// its locale, that its IPAM watches in its scope. From a Tx the set is guarded:
	// the transaction fails when a CIDR is added to it.
	Live(r store.Reader, p Pool) iter.Seq[Network]

	// Hold tells the VPC, as a part of tx, that something is allocated for it,
	// so that it doesn't vanish at the same time.
	Hold(tx *store.Tx, n Network) error

	// Collections names what Live depends on, and Account tells whose set a
	// change of one of their records may have changed.
	Collections() []string
	Account(r store.Reader, k store.Key) (account string, ok bool)
}

// importsPerTurn bounds what one transaction imports: each takes an allocation
// and a VPC.
const importsPerTurn = store.MaxTxnOps / 4

// meetNetworks imports what can be imported into the turn's pool, and remembers
// what can't. Imports have a transaction to themselves.
func (t *turn) meetNetworks() error {
	found := t.s.candidates(t.tx, t.pool, t.exists, t.index.cidrs)
	holding := map[string]bool{} // VPCs that know it already
	for _, n := range found {
		if len(t.granted) == importsPerTurn || !t.index.space.Free(n.CIDR) {
			t.waiting = append(t.waiting, n)
			continue
		}
		now := time.Now().UTC().Round(0)
		_, err := t.grant(Allocation{
			ID: NewAllocationID(now), CIDR: n.CIDR, Created: now,
			Holder: Holder{Type: VPC, ResourceID: n.VPCID, Account: n.Account, Region: n.Region},
		})
		var refused *CallError
		switch {
		case errors.As(err, &refused): // the pool has no room for another
			t.waiting = append(t.waiting, n)
			continue
		case err != nil:
			return err
		}
		t.settle(len(t.granted) - 1)
		if !holding[n.VPCID] {
			if err := t.s.opts.Networks.Hold(t.tx, n); err != nil {
				return fmt.Errorf("import %s of %s: %w", n.CIDR, n.VPCID, err)
			}
			holding[n.VPCID] = true
		}
		t.imported = true
	}
	return nil
}

// candidates returns the CIDRs of VPCs that lie in a pool's CIDRs and that
// nothing is allocated for yet, in the order in which they are imported: of
// those that overlap the largest counts, of equals the VPC with the lowest id,
// where the service chooses by chance.
func (s *Service) candidates(r store.Reader, p Pool, exists bool, cidrs []netip.Prefix) []Network {
	if !exists || !p.AutoImport || p.Source != nil || s.opts.Networks == nil {
		return nil
	}
	var found []Network
	for n := range s.opts.Networks.Live(r, p) {
		inside := slices.ContainsFunc(cidrs, func(c netip.Prefix) bool { return within(n.CIDR, c) })
		if inside && familyOf(n.CIDR.Addr()) == p.Family && !s.holds(r, p.IPAMID, n) {
			found = append(found, n)
		}
	}
	slices.SortFunc(found, func(a, b Network) int {
		return cmp.Or(cmp.Compare(a.CIDR.Bits(), b.CIDR.Bits()), a.CIDR.Compare(b.CIDR), cmp.Compare(a.VPCID, b.VPCID))
	})
	return found
}

// holds says whether a VPC's CIDR is allocated to it in any pool of an IPAM.
func (s *Service) holds(r store.Reader, ipamID string, n Network) bool {
	for _, a := range s.HeldBy(r, n.VPCID) {
		if p, ok := s.pools.Get(snapshot(r), a.PoolID); ok && a.CIDR == n.CIDR && p.IPAMID == ipamID {
			return true
		}
	}
	return false
}

// snapshot returns what r reads from, for reads that need no guard.
func snapshot(r store.Reader) store.Snapshot {
	if tx, ok := r.(*store.Tx); ok {
		return tx.Snapshot()
	}
	return r.(store.Snapshot)
}

// ReturnHeld releases, as a part of tx, what a resource holds of a CIDR in the
// pools of an IPAM, or of all if that is "".
func (s *Service) ReturnHeld(tx *store.Tx, resourceID string, cidr netip.Prefix, ipamID string, now time.Time) error {
	for _, a := range s.HeldBy(tx, resourceID) {
		p, _ := s.pools.Get(tx.Snapshot(), a.PoolID)
		if a.CIDR != cidr || ipamID != "" && p.IPAMID != ipamID {
			continue
		}
		if err := s.Return(tx, a.ref(), now); err != nil && !errors.Is(err, ErrStale) { // stale: it was returned before
			return err
		}
	}
	return nil
}

// importer looks after the pools with AutoImport while nobody draws from them.
type importer struct {
	s       *Service
	sub     *store.Subscription
	blocked map[string]bool // pools in which something waits for an allocation to end
}

// runImports imports what can be imported, as it comes up, until ctx ends.
func (s *Service) runImports(ctx context.Context) {
	im := &importer{
		s: s, blocked: map[string]bool{},
		sub: s.store.Subscribe(append(s.opts.Networks.Collections(), s.pools.Name(), s.cidrs.Name())...),
	}
	defer im.sub.Close()
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		for _, pool := range im.due() {
			if err := im.look(ctx, pool); err != nil && ctx.Err() == nil {
				s.opts.Log.Error("ipam: import", "pool", pool, "error", err)
				im.blocked[pool] = true
			}
		}
		select {
		case <-im.sub.C:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// due returns the pools that there is a reason to look at.
func (im *importer) due() []string {
	keys, all := im.sub.Take()
	snap := im.s.store.Snapshot()
	pools := im.blocked
	im.blocked = map[string]bool{}
	if all {
		for id, p := range im.s.pools.All(snap) {
			if p.AutoImport {
				pools[id] = true
			}
		}
	}
	accounts := map[string]bool{}
	for _, k := range keys {
		switch k.Collection {
		case im.s.pools.Name():
			pools[k.Key] = true
		case im.s.cidrs.Name():
			if c, ok := im.s.cidrs.Get(snap, k.Key); ok {
				pools[c.PoolID] = true
			}
		default:
			if account, ok := im.s.opts.Networks.Account(snap, k); ok {
				accounts[account] = true
			}
		}
	}
	for account := range accounts {
		for id := range im.s.poolsImporting.Each(snap, account) {
			pools[id] = true
		}
	}
	due := make([]string, 0, len(pools))
	for id := range pools {
		due = append(due, id)
	}
	slices.Sort(due)
	return due
}

// look has a pool's writer import what it can, if there is anything.
func (im *importer) look(ctx context.Context, pool string) error {
	snap := im.s.store.Snapshot()
	p, ok := im.s.pools.Get(snap, pool)
	if !ok || !p.AutoImport || p.State != CreateComplete {
		return nil
	}
	l, _ := im.s.ledgers.Get(snap, pool)
	free := false
	for _, n := range im.s.candidates(snap, p, true, im.s.activeCIDRs(snap, pool)) {
		if _, taken := overlapping(snap, im.s.allocs, pool, n.CIDR, l.Lengths); taken {
			im.blocked[pool] = true
		} else {
			free = true
		}
	}
	if !free {
		return nil
	}
	return im.s.submit(ctx, pool, func(*turn) error { return nil }) // the turn imports by itself
}
