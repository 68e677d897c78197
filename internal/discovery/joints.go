package discovery

import (
	"iter"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// Type is a type of resource (EC2 IpamResourceType).
type Type string

// The types, in the order in which a view lists them.
const (
	EIP    Type = "eip"
	ENI    Type = "eni"
	Subnet Type = "subnet"
	VPC    Type = "vpc"
)

// Resource is one CIDR of one resource.
type Resource struct {
	Type            Type
	ID              string
	CIDR            netip.Prefix // masked; a single address for EIP and ENI
	Account, Region string
	VPCID, SubnetID string // "" where there is none
	Zone            string
	InUse           bool // ENI: it is attached to something

	// Usage returns how much of the CIDR is in use, from 0 to 1; nil where that
	// says nothing (EIP, ENI, IPv6 subnets).
	Usage func() float64
	Since time.Time // zero: not known
}

// Networks is what resources there are.
type Networks interface {
	// Resources yields an account's resources of a type in a region, by id, from
	// the id on; the CIDRs of one in the order of Prefix.Compare.
	Resources(r store.Reader, account, region string, t Type, from string) iter.Seq[Resource]

	// Of returns all CIDRs of the resource with the id; none if it isn't there.
	Of(r store.Reader, account, region, id string) []Resource

	// At yields the VPCs, subnets and interfaces whose CIDR an address is in, of
	// an account, or of all if that is "".
	At(r store.Reader, account string, a netip.Addr) iter.Seq[Resource]

	// PublicAddresses yields an account's public addresses in a region, by
	// allocation id, from one on.
	PublicAddresses(r store.Reader, account, region, from string) iter.Seq[PublicAddress]

	// Guard has tx fail if an account's VPCs in a region get another CIDR before
	// it commits, and Hold marks a VPC changed for who is about to delete it.
	Guard(tx *store.Tx, account, region string)
	Hold(tx *store.Tx, account, region, vpcID string) error

	// Changed names the collection whose records' changes are changes of VPCs,
	// and Account says whose VPC one of its keys is.
	Changed() string
	Account(r store.Reader, vpcID string) (account string, ok bool)
}

// IPAM is an address manager.
type IPAM struct {
	ID, Account, Region        string
	OperatingRegions           []string
	PublicScope, PrivateScope  string // the default ones
	DiscoveryID, AssociationID string // the default ones
	Advanced                   bool   // tier
}

// Scope is a scope of an IPAM's.
type Scope struct {
	ID, IPAMID, Account, Region string // Region is the IPAM's home
	Public, Default             bool
}

// Allocation is a block of a pool of an IPAM's.
type Allocation struct {
	IPAMID, ScopeID, PoolID string
	CIDR                    netip.Prefix
	Kind                    string // EC2 IpamPoolAllocationResourceType
	ResourceID              string // "" for a custom one

	// Complies says whether a resource with the tags, in a region, may have the
	// block by the pool's present rules.
	Complies func(region string, tg []tags.Tag) bool
}

// Managers is what address managers there are.
type Managers interface {
	// IPAM and Scope return what an account names. From a Tx they are guarded.
	IPAM(r store.Reader, account, id string) (IPAM, bool)
	Scope(r store.Reader, account, id string) (Scope, bool)

	// IPAMs yields those of an account, and IPAMIn returns the one that has its
	// home in a region. From a Tx it is guarded that there is none.
	IPAMs(r store.Reader, account string) iter.Seq[IPAM]
	IPAMIn(r store.Reader, account, region string) (IPAM, bool)
}

// Pools is what is allocated.
type Pools interface {
	// Held yields what a resource holds, in pools of whatever IPAM.
	Held(r store.Snapshot, resourceID string) iter.Seq[Allocation]

	// Overlapping yields the allocations in a scope's pools that share an address
	// with p, but for those of child pools.
	Overlapping(r store.Snapshot, sc Scope, p netip.Prefix) iter.Seq[Allocation]

	// Source says whose the addresses are that a pool gives.
	Source(r store.Reader, poolID string) Source

	// Return releases what a resource holds of a CIDR in an IPAM's pools, or in
	// all if that is "", as a part of tx.
	Return(tx *store.Tx, resourceID string, cidr netip.Prefix, ipamID string, now time.Time) error
}

// Source is whose addresses are (EC2 IpamResourceCidrIpSource).
type Source string

// The sources.
const (
	Amazon   Source = "amazon" // the provider's
	BYOIP    Source = "byoip"
	NoSource Source = "none" // a private network's
)
