package discovery

import (
	"iter"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/history"
	"github.com/fairlead/fairlead/internal/store"
)

var kinds = map[Type]history.Kind{EIP: history.EIP, VPC: history.VPC, Subnet: history.Subnet, ENI: history.Interface}

func (c ResourceCIDR) record() history.Record {
	return history.Record{
		CIDR: c.CIDR, Kind: kinds[c.Type], ResourceID: c.ID, Name: c.Name(),
		Account: c.Account, Region: c.Region, VPCID: c.VPCID, Start: c.Since,
	}
}

func (c ResourceCIDR) sighting() history.Sighting {
	return history.Sighting{ScopeID: c.ScopeID, PoolID: c.PoolID, Compliance: string(c.Compliance), Overlap: string(c.Overlap)}
}

// watchers remembers the views that judge resources, of which one call may need
// many.
type watchers struct {
	s     *Service
	r     store.Snapshot
	views map[string][]*View // by account
}

func (w *watchers) record(res Resource) history.Record {
	if w.views == nil {
		w.views = map[string][]*View{}
	}
	views, ok := w.views[res.Account]
	if !ok {
		for i := range w.s.opts.Managers.IPAMs(w.r, res.Account) {
			views = append(views, w.s.View(w.r, i))
		}
		w.views[res.Account] = views
	}
	rec := ResourceCIDR{Resource: res, Tags: w.s.tags.Of(w.r, res.ID)}.record()
	for _, v := range views {
		if v.watches(res.Region) {
			c := v.Judge(res)
			seen := c.sighting()
			if p, ok := v.home(res); ok && p.chosen.Since.After(res.Since) && p.chosen.ScopeID == c.ScopeID {
				seen.Since = p.chosen.Since
			}
			rec.Seen = append(rec.Seen, seen)
		}
	}
	return rec
}

// Held implements history.Source: the VPCs, subnets and interfaces that have
// an address. Who has an elastic IP the pools know, with or without IPAM.
func (s *Service) Held(r store.Snapshot, account string, a netip.Addr) iter.Seq[history.Record] {
	return func(yield func(history.Record) bool) {
		w := &watchers{s: s, r: r}
		for res := range s.opts.Networks.At(r, account, a) {
			if !yield(w.record(res)) {
				return
			}
		}
	}
}

// Ended ends what there is about a resource's CIDR, as a part of the transaction
// in which the resource loses it: what pools have allocated for it is released,
// and its history is written.
func (s *Service) Ended(tx *store.Tx, res Resource, now time.Time) error {
	w := &watchers{s: s, r: tx.Snapshot()}
	rec := w.record(res)
	rec.End = now.UTC().Round(0)
	s.opts.History.Close(tx, rec)
	if res.Type != VPC {
		return nil
	}
	for key, p := range s.placementsByOwner.Each(tx, res.ID) {
		if p.CIDR == res.CIDR {
			s.placements.Delete(tx, key)
		}
	}
	return s.opts.Pools.Return(tx, res.ID, res.CIDR, "", now)
}

// HistoryQuery asks who had a CIDR in a scope.
type HistoryQuery struct {
	Scope    Scope
	CIDR     netip.Prefix
	VPCID    string // "": any
	From, To time.Time
}

// History yields who had exactly a CIDR in a scope at any time between two
// instants, both included: what is held now, and then the most recent first
// (GetIpamAddressHistory). The keys are to go on from. The record's one sighting
// is the scope's.
func (s *Service) History(r store.Snapshot, q HistoryQuery, key string) iter.Seq2[string, history.Record] {
	return func(yield func(string, history.Record) bool) {
		for k, rec := range s.opts.History.Between(r, q.Scope.Account, q.CIDR, q.From, q.To, key) {
			seen, ok := rec.In(q.Scope.ID)
			if !ok && rec.Kind == history.EIP && len(rec.Seen) == 0 && q.Scope.Public {
				// One of the provider's own, which every IPAM watches and none manages.
				seen, ok = history.Sighting{ScopeID: q.Scope.ID, Compliance: string(Unmanaged), Overlap: string(Nonoverlapping)}, true
			}
			if !ok || !rec.Kind.Resource() || q.VPCID != "" && rec.VPCID != q.VPCID {
				continue
			}
			if seen.Since.After(rec.Start) {
				rec.Start = seen.Since
			}
			if rec.Start.After(q.To) {
				continue // it was in another scope then
			}
			rec.Seen = []history.Sighting{seen}
			if !yield(k, rec) {
				return
			}
		}
	}
}
