package resolver

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/prefixlist"
)

// Family is the kind of addresses that a resolver selects (EC2 AddressFamily).
type Family string

// The families.
const (
	IPv4 Family = "ipv4"
	IPv6 Family = "ipv6"
)

func (f Family) ofList() prefixlist.Family {
	if f == IPv6 {
		return prefixlist.IPv6
	}
	return prefixlist.IPv4
}

// Status is how the last attempt at a version went (EC2
// IpamPrefixListResolverVersionCreationStatus).
type Status string

// The statuses.
const (
	Pending Status = "pending" // of the present rules nothing has been selected yet
	Success Status = "success"
	Failure Status = "failure" // they select more than a version may have
)

// Resolver is rules, and what they selected.
type Resolver struct {
	ID, IPAMID      string
	Account, Region string // Region is the IPAM's home
	Family          Family
	Description     string `json:",omitempty"`
	Rules           []Rule `json:",omitempty"`
	Modified        bool   `json:",omitempty"`

	Version       int64  // the newest, from 1; 0: none yet
	Status        Status // of the last version
	StatusMessage string `json:",omitempty"`

	Targets int // there are; see changeTargets
	Created time.Time
}

// ToldState is the resolver's state as EC2 tells it, of which changes under way
// are never seen.
func (r Resolver) ToldState() string {
	if r.Modified {
		return "modify-complete"
	}
	return "create-complete"
}

// Version is what a resolver's rules selected, until the next one.
type Version struct {
	ResolverID string
	Number     int64
	CIDRs      []netip.Prefix // in order, each once
	Created    time.Time
}

// versionKey orders the versions of a resolver by number.
func versionKey(resolverID string, number int64) string {
	return fmt.Sprintf("%s/%016x", resolverID, number)
}

// TargetState is how far a target's list is (EC2 IpamPrefixListResolverTargetState).
type TargetState string

// The states that targets rest in.
const (
	SyncInProgress TargetState = "sync-in-progress" // the list is yet to have what it should
	SyncComplete   TargetState = "sync-complete"
	SyncFailed     TargetState = "sync-failed" // the list can't have it
)

// Target keeps a prefix list, of whatever region, in step with a resolver.
type Target struct {
	ID, ResolverID     string
	Account, Region    string // Region is the resolver's
	ListID, ListRegion string
	Track              bool  // the newest version, whichever that is
	Desired            int64 // else: this one; it is kept as long as it is named
	Synced             int64 // that the list had last; 0: none
	State              TargetState
	StateMessage       string `json:",omitempty"`
	Created            time.Time
}

// census counts an IPAM's resolvers.
type census struct{ Resolvers int }

func owner(account, region string) string { return account + "/" + region }
