package prefixlist

import (
	"fmt"
	"net/netip"
	"time"
)

// Family is the kind of addresses in a list (EC2 ManagedPrefixList, which writes
// it in upper case).
type Family string

// The families.
const (
	IPv4 Family = "IPv4"
	IPv6 Family = "IPv6"
)

// Has says whether a CIDR is of the family.
func (f Family) Has(p netip.Prefix) bool { return p.IsValid() && p.Addr().Is4() == (f == IPv4) }

// State is where a list is in its life (EC2 PrefixListState). Every change is
// done in the transaction of its call, so that only these rest.
type State string

// The states.
const (
	CreateComplete  State = "create-complete"
	ModifyComplete  State = "modify-complete"
	ModifyFailed    State = "modify-failed" // what refers to it can't have it so large
	RestoreComplete State = "restore-complete"
)

// List is a managed prefix list. Its entries are in its versions.
type List struct {
	ID              string // "pl-…"
	Account, Region string
	Name            string // not unique
	Family          Family
	MaxEntries      int   // as many it counts for where it is referred to
	Version         int64 // the newest, from 1
	Oldest          int64 // the oldest that is kept; all between are
	State           State
	StateMessage    string `json:",omitempty"`

	// TargetID names the resolver target that the list is bound to, "" for none.
	// With Sync, that alone changes the entries.
	TargetID string `json:",omitempty"`
	Sync     bool   `json:",omitempty"`

	Created time.Time
}

// Entry is one CIDR of a list.
type Entry struct {
	CIDR        netip.Prefix `json:"c"` // masked; once in a list
	Description string       `json:"d,omitempty"`
}

// version is what a list was, or is.
type version struct {
	Entries []Entry // by CIDR
}

// versionKey orders the versions of a list by number.
func versionKey(listID string, v int64) string { return fmt.Sprintf("%s/%016x", listID, v) }

// census stands for an account's lists in a region and for what refers to them.
type census struct {
	Lists int
	Uses  uint64 // counts references that were made, and changes of size
}

func owner(account, region string) string { return account + "/" + region }
