package discovery

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/history"
	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// Options are what the room is joined to.
type Options struct {
	Networks Networks
	Managers Managers
	Pools    Pools
	History  *history.Service
	IsRegion func(string) bool // there is such a region
}

// Service answers what is watched, and keeps how.
//
// A method that takes dryRun calls it once everything has been checked and
// before anything is written; its error ends the call (EC2 DryRun). It may be
// nil.
type Service struct {
	store  *store.Store
	tags   *tags.Service
	tokens *idempotency.Service
	opts   Options

	discoveries        *store.Collection[Discovery]
	homes              *store.Collection[string] // account/region → the discovery that was made there
	associations       *store.Collection[Association]
	associationsByIPAM *store.Index[Association]
	placements         *store.Collection[placement]
	placementsByIPAM   *store.Index[placement]
	placementsByOwner  *store.Index[placement]  // by resource id
	guards             *store.Collection[guard] // by IPAM
}

// New declares the room's collections in st, before its Start.
func New(st *store.Store, tg *tags.Service, tokens *idempotency.Service, opts Options) *Service {
	s := &Service{store: st, tags: tg, tokens: tokens, opts: opts}
	s.discoveries = store.NewCollection[Discovery](st, "discovery.discovery", 1)
	s.homes = store.NewCollection[string](st, "discovery.home", 1)
	s.associations = store.NewCollection[Association](st, "discovery.association", 1)
	s.associationsByIPAM = s.associations.Index(func(a Association) []string { return []string{a.IPAMID} })
	s.placements = store.NewCollection[placement](st, "discovery.placement", 1)
	s.placementsByIPAM = s.placements.Index(func(p placement) []string { return []string{p.IPAMID} })
	s.placementsByOwner = s.placements.Index(func(p placement) []string { return []string{p.VPCID} })
	s.guards = store.NewCollection[guard](st, "discovery.guard", 1)
	return s
}

// placement is what an account has decided about a CIDR of a VPC's in an IPAM.
type placement struct {
	IPAMID  string
	VPCID   string
	CIDR    netip.Prefix
	ScopeID string    // where it belongs when no pool has it
	Since   time.Time `json:",omitzero"` // when it was moved there; zero: never
	Ignored bool      `json:",omitempty"`
}

func placementKey(ipamID, vpcID string, p netip.Prefix) string {
	return ipamID + "/" + vpcID + "/" + p.String()
}

// guard stands for the set of an IPAM's placements.
type guard struct {
	Account string
	Seq     uint64
}

func owner(account, region string) string { return account + "/" + region }

func check(dryRun func() error) error {
	if dryRun == nil {
		return nil
	}
	return dryRun()
}

// Sweep forgets what belongs to IPAMs that are no more.
func (s *Service) Sweep(ctx context.Context) error {
	snap := s.store.Snapshot()
	gone := func(ipamID string, account string) bool {
		_, ok := s.opts.Managers.IPAM(snap, account, ipamID)
		return !ok
	}
	for id, g := range s.guards.All(snap) {
		if !gone(id, g.Account) {
			continue
		}
		var keys []string
		for key := range s.placementsByIPAM.Each(snap, id) {
			keys = append(keys, key)
		}
		for len(keys) > 0 {
			n := min(len(keys), store.MaxTxnOps)
			err := s.store.Update(ctx, func(tx *store.Tx) error {
				for _, key := range keys[:n] {
					s.placements.Delete(tx, key)
				}
				return nil
			})
			if err != nil {
				return fmt.Errorf("forget the placements of %s: %w", id, err)
			}
			keys = keys[n:]
		}
		// Last: it is how the rest is found.
		err := s.store.Update(ctx, func(tx *store.Tx) error {
			s.guards.Delete(tx, id)
			return nil
		})
		if err != nil {
			return fmt.Errorf("forget the placements of %s: %w", id, err)
		}
	}
	return nil
}
