package discovery

import (
	"iter"

	"github.com/fairlead/fairlead/internal/store"
)

// Pool is what of a pool says which CIDRs of VPCs belong into it.
type Pool struct {
	Account, IPAMID, ScopeID, Locale string
}

// Live yields the CIDRs of VPCs that belong into a pool: in its scope and
// locale, and not ignored. From a Tx the set is guarded: tx fails if a CIDR comes
// into it meanwhile.
//
// A pool's locale is one of its IPAM's operating regions, so that the IPAM
// watches it.
func (s *Service) Live(r store.Reader, p Pool) iter.Seq[Resource] {
	snap := snapshot(r)
	if tx, ok := r.(*store.Tx); ok {
		s.opts.Networks.Guard(tx, p.Account, p.Locale)
		s.guards.Get(tx, p.IPAMID)
	}
	return func(yield func(Resource) bool) {
		i, ok := s.opts.Managers.IPAM(snap, p.Account, p.IPAMID)
		if !ok {
			return
		}
		for res := range s.opts.Networks.Resources(snap, p.Account, p.Locale, VPC, "") {
			at := s.place(snap, i, res)
			// What another scope's pool holds may have been told to come here.
			if at.scopeID == p.ScopeID && !at.chosen.Ignored && !yield(res) {
				return
			}
		}
	}
}

func snapshot(r store.Reader) store.Snapshot {
	if tx, ok := r.(*store.Tx); ok {
		return tx.Snapshot()
	}
	return r.(store.Snapshot)
}

// Hold marks a VPC changed, for who is about to delete it.
func (s *Service) Hold(tx *store.Tx, account, region, vpcID string) error {
	return s.opts.Networks.Hold(tx, account, region, vpcID)
}

// LiveCollections names the collections that Live depends on, and LiveAccount
// says whose set a change of one of their records may have changed.
func (s *Service) LiveCollections() []string {
	return []string{s.opts.Networks.Changed(), s.guards.Name()}
}

// LiveAccount is LiveCollections' other half.
func (s *Service) LiveAccount(r store.Reader, k store.Key) (account string, ok bool) {
	if k.Collection == s.guards.Name() {
		g, ok := s.guards.Get(r, k.Key)
		return g.Account, ok
	}
	return s.opts.Networks.Account(r, k.Key)
}

// ViewCollections names the room's own collections that a View depends on, and
// ViewAccount says whose views a change of one of their records may have changed;
// false for a record that is gone.
func (s *Service) ViewCollections() []string {
	return []string{s.guards.Name(), s.associations.Name(), s.discoveries.Name()}
}

// ViewAccount is ViewCollections' other half.
func (s *Service) ViewAccount(r store.Reader, k store.Key) (account string, ok bool) {
	switch k.Collection {
	case s.guards.Name():
		g, ok := s.guards.Get(r, k.Key)
		return g.Account, ok
	case s.associations.Name():
		a, ok := s.associations.Get(r, k.Key)
		return a.Account, ok
	}
	d, ok := s.discoveries.Get(r, k.Key)
	return d.Account, ok
}

// Discovered returns up to limit of what a resource discovery finds in one of
// its regions, by type, id and CIDR, beginning with a key, that match says yes
// to; next as Page's (GetIpamDiscoveredResourceCidrs).
func (s *Service) Discovered(r store.Snapshot, account, home, id, region string, match func(Resource) bool, limit int, from string) (items []Resource, next string, err error) {
	if _, err := s.watched(r, account, home, id, region); err != nil {
		return nil, "", err
	}
	items = []Resource{}
	looks := 0
	for key, res := range s.walk(r, account, []string{region}, []Type{EIP, ENI, Subnet, VPC}, from) {
		if len(items) == limit || looks == maxLooks {
			return items, key, nil
		}
		if looks++; match == nil || match(res) {
			items = append(items, res)
		}
	}
	return items, "", nil
}

// SourceOf says whose the addresses of a resource's CIDR are.
func (s *Service) SourceOf(r store.Snapshot, res Resource) Source {
	if res.Type != EIP && !globalUnicast.Contains(res.CIDR.Addr()) {
		return NoSource
	}
	for a := range s.opts.Pools.Held(r, res.ID) {
		if a.CIDR == res.CIDR {
			return s.opts.Pools.Source(r, a.PoolID)
		}
	}
	if res.Type == EIP {
		return Amazon
	}
	return NoSource
}
