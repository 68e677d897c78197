package ec2

import (
	"github.com/fairlead/fairlead/internal/discovery"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/prefixlist/resolver"
	"github.com/fairlead/fairlead/internal/store"
)

// ipamTaggables are IPAM's resources that tags can be put on, each in the
// region that its calls belong to.
func (a *API) ipamTaggables() []taggable {
	return []taggable{
		{"ipam", "ipam", func(r store.Reader, account, region, id string) bool {
			i, ok := a.IPAM.IPAM(r, account, id)
			return ok && i.Region == region
		}},
		{"ipam-scope", "ipam-scope", func(r store.Reader, account, region, id string) bool {
			sc, ok := a.IPAM.Scope(r, account, id)
			return ok && sc.Region == region
		}},
		{"ipam-pool", "ipam-pool", func(r store.Reader, account, region, id string) bool {
			_, err := a.IPAM.HomePool(r, account, region, id)
			return err == nil
		}},
		{"ipam-policy", string(ipam.NounPolicy), has(a.IPAM.Policy)},
		{resolverID, string(resolver.NounResolver), has(a.Resolvers.Resolver)},
		{resolverTargetID, string(resolver.NounTarget), has(a.Resolvers.Target)},
		{discoveryPrefix, string(discovery.NounDiscovery), func(r store.Reader, account, region, id string) bool {
			_, ok := a.Discovery.Discovery(r, account, region, id)
			return ok
		}},
		{discoveryAssociationPrefix, string(discovery.NounAssociation), func(r store.Reader, account, region, id string) bool {
			_, ok := a.Discovery.Association(r, account, region, id)
			return ok
		}},
		{"ipam-pool-alloc", "ipam-pool-allocation", func(r store.Reader, account, region, id string) bool {
			al, ok := a.IPAM.Allocation(r, id)
			return ok && al.Holder.Account == account && al.Holder.Region == region
		}},
		{verificationTokenID, verificationTokenTag, has(a.IPAM.Token)},
		{publicPoolID, publicPoolTag, has(a.IPAM.PublicPool)},
	}
}
