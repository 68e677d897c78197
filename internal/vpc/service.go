package vpc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// Options are what the operator decides about networks.
type Options struct {
	// Zones returns the names of a region's zones, in order; none for a region
	// that doesn't exist.
	Zones  func(region string) []string
	Quotas Quotas // the zero value stands for DefaultQuotas

	PrefixLists PrefixLists // that rules and routes may name; nil: there are none

	// PolicyPools returns the pools that an account's addresses in a region come
	// from, in order, if no pool is named; then the provider's. nil: there are no
	// policies.
	PolicyPools func(r store.Reader, account, region string) []string

	// Ended is told of each CIDR that a resource no longer has, as a part of the
	// transaction in which it ends; an error ends that. nil: nobody is told.
	Ended func(tx *store.Tx, e Ended) error

	// InUse says whether something outside the room needs a subnet or security
	// group that no interface may be in yet; nil: nothing does. Who adds to what
	// needs it calls Service.Use in the same transaction.
	InUse func(r store.Reader, id string) bool

	// IPv6InUse says the same of a subnet's IPv6 CIDR block.
	IPv6InUse func(r store.Reader, subnetID string) bool
}

// Quotas are the most there may be of each thing.
type Quotas struct {
	VPCs           int // per account and region
	Gateways       int // per account and region
	SecurityGroups int // per account and region
	CIDRs          int // per VPC and address family
	Subnets        int // per VPC
	RouteTables    int // per VPC, the main one included
	Routes         int // per route table, the local one not included
	Rules          int // per security group and direction
	GroupsPerENI   int

	Addresses       int // of the provider's own, that an account has allocated in a region
	AddressesPerENI int // private ones, the primary included; a transaction must bear the end of all
}

// DefaultQuotas are Amazon VPC's published defaults; addresses per interface
// those of EC2's larger instances, as there are none here.
var DefaultQuotas = Quotas{
	VPCs: 5, Gateways: 5, SecurityGroups: 2500, CIDRs: 5, Subnets: 200,
	RouteTables: 200, Routes: 500, Rules: 60, GroupsPerENI: 5,
	Addresses: 5, AddressesPerENI: 30,
}

// Service changes and reads networks.
type Service struct {
	store *store.Store
	tags  *tags.Service
	idem  *idempotency.Service
	pools Pools
	opts  Options

	regions     *store.Collection[region] // by account/region
	vpcs        *store.Collection[VPC]
	vpcsByOwner *store.Index[VPC] // account/region, as all …ByOwner

	vpcsByAssociation *store.Index[VPC] // with their CIDRs

	subnets              *store.Collection[Subnet]
	subnetsByOwner       *store.Index[Subnet]
	subnetsByVPC         *store.Index[Subnet]
	subnetsByTable       *store.Index[Subnet]    // those with an explicit association
	subnetsByAssociation *store.Index[Subnet]    // with route tables and IPv6 CIDRs
	pages                *store.Collection[page] // see hosts.go

	gateways        *store.Collection[Gateway]
	gatewaysByOwner *store.Index[Gateway]
	gatewaysByVPC   *store.Index[Gateway]

	tables        *store.Collection[RouteTable]
	tablesByOwner *store.Index[RouteTable]
	tablesByVPC   *store.Index[RouteTable]
	tablesByMain  *store.Index[RouteTable] // main ones, by their association with the VPC
	tablesByList  *store.Index[RouteTable] // prefix lists that their routes name

	groups        *store.Collection[SecurityGroup]
	groupsByOwner *store.Index[SecurityGroup]
	groupsByVPC   *store.Index[SecurityGroup]
	groupsByPeer  *store.Index[SecurityGroup] // groups that their rules name
	groupsByRule  *store.Index[SecurityGroup] // ids of their rules
	groupsByList  *store.Index[SecurityGroup] // prefix lists that their rules name

	interfaces         *store.Collection[Interface]
	interfacesByOwner  *store.Index[Interface]
	interfacesBySubnet *store.Index[Interface]
	interfacesByGroup  *store.Index[Interface]

	interfacesByPrivate *store.Index[Interface] // see privateKey

	addresses         *store.Collection[Address]
	addressesByOwner  *store.Index[Address]
	addressesByVPC    *store.Index[Address] // those that are associated
	addressesByPublic *store.Index[Address]

	addressesByAssociation *store.Index[Address] // the latest of each

	// turn is held while interfaces take or return addresses. It guards nothing: two
	// such changes in one subnet conflict in the store, and taking turns is
	// cheaper than trying again.
	turn chan struct{}

	check func() error // see DryRun; nil for none
}

// New declares the room's collections in st.
func New(st *store.Store, tg *tags.Service, idem *idempotency.Service, pools Pools, o Options) *Service {
	if o.Quotas == (Quotas{}) {
		o.Quotas = DefaultQuotas
	}
	s := &Service{store: st, tags: tg, idem: idem, pools: pools, opts: o, turn: make(chan struct{}, 1)}

	s.regions = store.NewCollection[region](st, "vpc.region", 1)
	s.vpcs = store.NewCollection[VPC](st, "vpc.vpc", 1)
	s.vpcsByOwner = s.vpcs.Index(func(v VPC) []string { return one(owner(v.Account, v.Region)) })
	s.vpcsByAssociation = s.vpcs.Index(func(v VPC) []string { return associations(v.CIDRs()) })

	s.subnets = store.NewCollection[Subnet](st, "vpc.subnet", 1)
	s.subnetsByOwner = s.subnets.Index(func(n Subnet) []string { return one(owner(n.Account, n.Region)) })
	s.subnetsByVPC = s.subnets.Index(func(n Subnet) []string { return one(n.VPCID) })
	s.subnetsByTable = s.subnets.Index(func(n Subnet) []string { return one(n.RouteTableID) })
	s.subnetsByAssociation = s.subnets.Index(func(n Subnet) []string { return append(one(n.AssociationID), associations(n.Blocks)...) })
	s.pages = store.NewCollection[page](st, "vpc.host-page", 1)

	s.gateways = store.NewCollection[Gateway](st, "vpc.internet-gateway", 1)
	s.gatewaysByOwner = s.gateways.Index(func(g Gateway) []string { return one(owner(g.Account, g.Region)) })
	s.gatewaysByVPC = s.gateways.Index(func(g Gateway) []string { return one(g.VPCID) })

	s.tables = store.NewCollection[RouteTable](st, "vpc.route-table", 1)
	s.tablesByOwner = s.tables.Index(func(t RouteTable) []string { return one(owner(t.Account, t.Region)) })
	s.tablesByVPC = s.tables.Index(func(t RouteTable) []string { return one(t.VPCID) })
	s.tablesByMain = s.tables.Index(func(t RouteTable) []string {
		if !t.Main {
			return nil
		}
		return one(t.MainAssociationID())
	})

	s.tablesByList = s.tables.Index(func(t RouteTable) []string { return t.prefixLists() })

	s.groups = store.NewCollection[SecurityGroup](st, "vpc.security-group", 1)
	s.groupsByOwner = s.groups.Index(func(g SecurityGroup) []string { return one(owner(g.Account, g.Region)) })
	s.groupsByVPC = s.groups.Index(func(g SecurityGroup) []string { return one(g.VPCID) })
	s.groupsByPeer = s.groups.Index(func(g SecurityGroup) []string { return g.peers() })
	s.groupsByRule = s.groups.Index(func(g SecurityGroup) []string { return g.ruleIDs() })
	s.groupsByList = s.groups.Index(func(g SecurityGroup) []string { return g.prefixLists() })

	s.interfaces = store.NewCollection[Interface](st, "vpc.interface", 1)
	s.interfacesByOwner = s.interfaces.Index(func(i Interface) []string { return one(owner(i.Account, i.Region)) })
	s.interfacesBySubnet = s.interfaces.Index(func(i Interface) []string { return one(i.SubnetID) })
	s.interfacesByGroup = s.interfaces.Index(func(i Interface) []string { return i.SecurityGroups })

	s.interfacesByPrivate = s.interfaces.Index(privateKeys)

	s.addresses = store.NewCollection[Address](st, "vpc.address", 1)
	s.addressesByOwner = s.addresses.Index(func(a Address) []string { return one(owner(a.Account, a.Region)) })
	s.addressesByVPC = s.addresses.Index(func(a Address) []string { return one(a.VPCID) })
	s.addressesByPublic = s.addresses.Index(func(a Address) []string { return one(a.Public.String()) })
	s.addressesByAssociation = s.addresses.Index(func(a Address) []string { return one(a.AssociationID) })
	return s
}

// DryRun returns the service with a last word: once a change has passed every
// test, check is asked, and if it returns an error, that is the change's
// outcome and nothing is written (EC2 DryRun).
func (s *Service) DryRun(check func() error) *Service {
	c := *s
	c.check = check
	return &c
}

// update runs f in a transaction, and asks check before it is committed.
func (s *Service) update(ctx context.Context, f func(tx *store.Tx) error) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		return s.lastWord()
	})
}

// lastWord asks check, for a transaction that has passed every test.
func (s *Service) lastWord() error {
	if s.check == nil {
		return nil
	}
	return s.check()
}

// inTurn is update for changes of which many come at once.
func (s *Service) inTurn(ctx context.Context, f func(tx *store.Tx) error) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.update(ctx, f)
}

// Quotas returns the limits that hold.
func (s *Service) Quotas() Quotas { return s.opts.Quotas }

// region is what an account has in a region: the record that stands for the
// set of its VPCs, gateways, security groups and elastic IPs.
type region struct {
	// Generation counts the default VPCs that were made. The first is made
	// unasked; one that its owner deleted comes back only on request.
	Generation int
	Since      time.Time // when the last of them was made
	DefaultVPC string    // "" for none
	Additions  uint64    // see touchRegion

	Addresses int // of the provider's own, that the account has allocated
}

func owner(account, region string) string { return account + "/" + region }

// one is the index value v, or none if it is empty.
func one(v string) []string {
	if v == "" {
		return nil
	}
	return []string{v}
}

// associations returns the ids under which blocks are had.
func associations(blocks []CIDRBlock) []string {
	var ids []string
	for _, b := range blocks {
		ids = append(ids, b.AssociationID)
	}
	return ids
}

// derived returns an id that belongs to the parts: the same ones give the same id.
func derived(prefix string, parts ...string) string {
	h := sha256.Sum256([]byte(prefix + "\x00" + strings.Join(parts, "\x00")))
	return prefix + "-" + hex.EncodeToString(h[:])[:17]
}

// setTags gives a new resource its tags.
func (s *Service) setTags(tx *store.Tx, account, region string, kind Kind, id string, tg []tags.Tag) error {
	if len(tg) == 0 {
		return nil
	}
	return s.tags.Put(tx, tags.Set{Account: account, Region: region, Resource: id, Type: string(kind), Tags: tg})
}

// found finds the resource that an earlier call with the token made.
func found[T any](tx *store.Tx, s *Service, c *store.Collection[T], t idempotency.Token) (v T, ok bool, err error) {
	id, ok, err := s.idem.Find(tx, t)
	if err != nil || !ok {
		return v, false, err
	}
	v, ok = c.Get(tx, id)
	return v, ok, nil
}

// unique returns ss sorted, each once.
func unique(ss []string) []string { return slices.Compact(slices.Sorted(slices.Values(ss))) }
