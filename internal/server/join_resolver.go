package server

import (
	"iter"
	"slices"

	"github.com/fairlead/fairlead/internal/discovery"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/prefixlist/resolver"
	"github.com/fairlead/fairlead/internal/store"
)

// resolving is the other rooms as the resolver room needs them.
type resolving struct{ rooms *rooms }

func (j resolving) IPAM(r store.Reader, account, id string) (resolver.IPAM, bool) {
	i, ok := j.rooms.ipam.IPAM(r, account, id)
	ok = ok && i.State != ipam.DeleteInProgress // nothing comes into it any more
	return resolver.IPAM{ID: i.ID, Account: i.Account, Region: i.Region, Advanced: i.Tier == ipam.Advanced}, ok
}

func (j resolving) Scope(r store.Reader, account, id string) (string, bool) {
	sc, ok := j.rooms.ipam.Scope(r, account, id)
	return sc.IPAMID, ok
}

func (j resolving) Pool(r store.Reader, account, id string) (string, bool) {
	p, ok := j.rooms.ipam.VisiblePool(r, account, id)
	return p.IPAMID, ok
}

func (j resolving) PoolCIDRs(r store.Snapshot, _ resolver.IPAM, scopeID string) iter.Seq[resolver.PoolCIDR] {
	return func(yield func(resolver.PoolCIDR) bool) {
		for c := range j.rooms.ipam.PoolCIDRs(r, scopeID) {
			if !yield(resolver.PoolCIDR{PoolID: c.PoolID, CIDR: c.CIDR}) {
				return
			}
		}
	}
}

func (j resolving) View(r store.Snapshot, i resolver.IPAM) resolver.View {
	in, _ := j.rooms.ipam.IPAM(r, i.Account, i.ID)
	return seen{j.rooms.discovery.View(r, discoveredIPAM(in))}
}

// seen is a view of the discovery room's as the resolver room needs it.
type seen struct{ *discovery.View }

func (v seen) In(scopeID, resourceType string) iter.Seq[resolver.Resource] {
	return func(yield func(resolver.Resource) bool) {
		for c := range v.View.In(scopeID, discovery.Type(resourceType)) {
			if !yield(resolver.Resource{ID: c.ID, Account: c.Account, Region: c.Region, CIDR: c.CIDR, Tags: c.Tags}) {
				return
			}
		}
	}
}

func (j resolving) Collections() []string {
	r := j.rooms
	return slices.Concat(r.ipam.CIDRCollections(), r.vpc.CIDRCollections(), r.discovery.ViewCollections(), []string{r.tags.Collection()})
}

func (j resolving) Account(r store.Reader, k store.Key) (string, bool) {
	switch {
	case k.Collection == j.rooms.tags.Collection():
		return j.rooms.tags.AccountOf(r, k.Key)
	case slices.Contains(j.rooms.ipam.CIDRCollections(), k.Collection):
		return j.rooms.ipam.CIDRAccount(r, k)
	case slices.Contains(j.rooms.vpc.CIDRCollections(), k.Collection):
		return j.rooms.vpc.CIDRAccount(r, k)
	}
	return j.rooms.discovery.ViewAccount(r, k)
}
