package resolver

import (
	"iter"
	"net/netip"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// IPAM is an address manager.
type IPAM struct {
	ID, Account, Region string // Region is its home
	Advanced            bool   // tier
}

// Managers is what address managers there are, and what is in their pools.
type Managers interface {
	// IPAM returns an account's. From a Tx it is guarded.
	IPAM(r store.Reader, account, id string) (IPAM, bool)

	// Scope and Pool return the IPAM of what an account names.
	Scope(r store.Reader, account, id string) (ipamID string, ok bool)
	Pool(r store.Reader, account, id string) (ipamID string, ok bool)

	// PoolCIDRs yields what the pools in a scope of an IPAM hold, whether or not
	// anything is allocated in it yet.
	PoolCIDRs(r store.Snapshot, i IPAM, scopeID string) iter.Seq[PoolCIDR]
}

// PoolCIDR is a CIDR provisioned to a pool.
type PoolCIDR struct {
	PoolID string
	CIDR   netip.Prefix // masked
}

// Networks is what resources IPAMs watch.
type Networks interface {
	View(r store.Snapshot, i IPAM) View
}

// View is what an IPAM sees at one moment.
type View interface {
	// In yields the CIDRs of resources of a type (EC2 IpamResourceType) that are
	// in a scope and that the IPAM is to watch.
	In(scopeID, resourceType string) iter.Seq[Resource]
}

// Resource is one CIDR of one resource.
type Resource struct {
	ID, Account, Region string
	CIDR                netip.Prefix // masked
	Tags                []tags.Tag
}

// Changes is what tells that rules may select something else.
type Changes interface {
	// Collections names what Managers and Networks read.
	Collections() []string

	// Account says whose rules a change of one of its records may concern; false
	// if that can't be known any more, and so everybody's.
	Account(r store.Reader, k store.Key) (account string, ok bool)
}
