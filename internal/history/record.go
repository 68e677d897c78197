package history

import (
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"
)

// Kind is the kind of thing that had a CIDR. The first four are those of EC2's
// address history (IpamAddressHistoryResourceType); any other is a type of
// allocation of no resource of ours ("custom", "ipam-pool").
type Kind string

// The kinds of the address history.
const (
	EIP       Kind = "eip"
	VPC       Kind = "vpc"
	Subnet    Kind = "subnet"
	Interface Kind = "network-interface"
)

// Resource says whether EC2's address history knows the kind.
func (k Kind) Resource() bool {
	switch k {
	case EIP, VPC, Subnet, Interface:
		return true
	}
	return false
}

// Record is one holding of a CIDR. The names of its fields are short where it
// is stored: there may be many.
type Record struct {
	CIDR         netip.Prefix `json:"c"`
	Kind         Kind         `json:"k"`
	ResourceID   string       `json:"r,omitempty"` // "" for a custom allocation
	AllocationID string       `json:"i,omitempty"` // "" where no pool gave the CIDR
	Name         string       `json:"n,omitempty"` // the resource's tag "Name", at the end
	Account      string       `json:"a"`
	Region       string       `json:"g"`
	VPCID        string       `json:"v,omitempty"`
	Seen         []Sighting   `json:"s,omitempty"` // in the address managers that watched it
	Start        time.Time    `json:"b,omitzero"`  // zero: not known
	End          time.Time    `json:"e,omitzero"`  // zero: it is held now
}

// Sighting is what one address manager made of a holding.
type Sighting struct {
	ScopeID    string `json:"s"`
	PoolID     string `json:"p,omitempty"` // "": no pool of its gave the CIDR
	Compliance string `json:"c,omitempty"` // EC2 IpamComplianceStatus
	Overlap    string `json:"o,omitempty"` // EC2 IpamOverlapStatus

	// Since is when the holding came to the scope, if that was after it began.
	Since time.Time `json:"b,omitzero"`
}

// In returns the sighting in a scope.
func (r Record) In(scopeID string) (Sighting, bool) {
	for _, s := range r.Seen {
		if s.ScopeID == scopeID {
			return s, true
		}
	}
	return Sighting{}, false
}

// during says whether the holding shares an instant with the time from one to
// another, both included. It doesn't hold at its end: then somebody else may.
func (r Record) during(from, to time.Time) bool {
	return !r.Start.After(to) && (r.End.IsZero() || r.End.After(from))
}

// name tells apart holdings of one CIDR that began or ended together.
func (r Record) name() string { return r.ResourceID + "," + r.AllocationID }

// Keys order the records of one CIDR by account and then from the latest end to
// the earliest, so that a page of a CIDR's history is a run of keys, and the
// prefixes that cover an address are one run each.

func cidrKey(p netip.Prefix) string {
	return fmt.Sprintf("%s/%03d/", hex.EncodeToString(p.Addr().AsSlice()), p.Bits())
}

func (r Record) key() string {
	return cidrKey(r.CIDR) + r.Account + "/" + descending(r.End) + "/" + r.name()
}

// accountOf returns the account in a key of a CIDR's.
func accountOf(key, cidr string) string {
	account, _, _ := strings.Cut(key[len(cidr):], "/")
	return account
}

// descending writes a time so that later ones come first.
func descending(t time.Time) string {
	return fmt.Sprintf("%016x", uint64(math.MaxInt64-t.UnixNano()))
}
