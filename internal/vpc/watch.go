package vpc

import (
	"iter"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// What this file has is for those who watch networks from outside: they learn
// of what ends, and can make sure that what they judge doesn't change meanwhile.

// Ended is a CIDR that a resource had until the transaction that tells of it.
type Ended struct {
	Kind            Kind // KindVPC, KindSubnet or KindInterface
	ID              string
	Account, Region string
	VPCID           string
	CIDR            netip.Prefix // of an interface: its private address
	Since           time.Time    // zero: not known
}

func (s *Service) ended(tx *store.Tx, e Ended) error {
	if s.opts.Ended == nil {
		return nil
	}
	return s.opts.Ended(tx, e)
}

// GuardVPCs has tx fail if a VPC of the account's comes into being in the
// region, or one gets another CIDR, before it commits.
func (s *Service) GuardVPCs(tx *store.Tx, account, region string) {
	s.regions.Get(tx, owner(account, region))
}

// HoldVPC marks a VPC changed, for whoever is about to delete it: something
// outside belongs to it from now on, and Options.Ended has to end that.
func (s *Service) HoldVPC(tx *store.Tx, account, region, id string) error {
	_, err := s.touchVPC(tx, account, region, id)
	return err
}

// VPCsCollection names the collection of VPCs, for subscriptions.
func (s *Service) VPCsCollection() string { return s.vpcs.Name() }

// CIDRCollections names the collections of what has CIDRs that others watch, VPCs,
// subnets and addresses; and CIDRAccount says whose one of their records is,
// false for one that is gone.
func (s *Service) CIDRCollections() []string {
	return []string{s.vpcs.Name(), s.subnets.Name(), s.addresses.Name()}
}

// CIDRAccount is CIDRCollections' other half.
func (s *Service) CIDRAccount(r store.Reader, k store.Key) (account string, ok bool) {
	switch k.Collection {
	case s.vpcs.Name():
		v, ok := s.vpcs.Get(r, k.Key)
		return v.Account, ok
	case s.subnets.Name():
		n, ok := s.subnets.Get(r, k.Key)
		return n.Account, ok
	}
	a, ok := s.addresses.Get(r, k.Key)
	return a.Account, ok
}

// OwnerOf returns whose a VPC is, and where.
func (s *Service) OwnerOf(r store.Reader, id string) (account, region string, ok bool) {
	v, ok := s.vpcs.Get(r, id)
	return v.Account, v.Region, ok
}

// AllVPCs yields every account's VPCs, by id.
func (s *Service) AllVPCs(r store.Reader) iter.Seq2[string, VPC] { return s.vpcs.All(r) }

// InterfacesOf yields a subnet's interfaces, by id.
func (s *Service) InterfacesOf(r store.Reader, subnetID string) iter.Seq2[string, Interface] {
	return s.interfacesBySubnet.Each(r, subnetID)
}
