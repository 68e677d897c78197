package fsck

import (
	"context"
	"maps"
	"slices"
	"time"
)

// Kind is a kind of finding, in a word for programs.
type Kind string

// The kinds.
const (
	Overlap     Kind = "overlap"     // two things have an address that one may have
	Outside     Kind = "outside"     // a block lies in no CIDR of its pool
	Unusable    Kind = "unusable"    // a block is held in a CIDR that leaves, or that isn't to be used yet
	Sum         Kind = "sum"         // free, held and cooling aren't what is provisioned
	Told        Kind = "told"        // users are told other numbers of a pool
	Misfiled    Kind = "misfiled"    // a block is stored where nobody looks for it
	LedgerLags  Kind = "ledger"      // a pool's ledger doesn't know its allocations
	Sequence    Kind = "sequence"    // two allocations have one number
	Source      Kind = "source"      // a CIDR isn't an allocation in the pool that it came from
	Domain      Kind = "domain"      // a routing domain and its pools' CIDRs differ
	NoPool      Kind = "no-pool"     // a record belongs to a pool that doesn't exist
	Orphan      Kind = "orphan"      // a holder is gone
	Dispute     Kind = "dispute"     // a holder has the block, and not by the allocation
	Unallocated Kind = "unallocated" // something living has what isn't allocated to it
	Association Kind = "association" // an interface and a public address don't name each other
	Misplaced   Kind = "misplaced"   // an interface isn't in its subnet
	OrphanENI   Kind = "orphan-eni"  // an interface's node is gone
	BareNode    Kind = "bare-node"   // a node doesn't have what it says
	Count       Kind = "count"       // a number isn't that of the records
)

// invariants says which invariant each kind breaks, or would have broken next.
var invariants = map[Kind]string{
	Overlap: "I1", Outside: "I1", Unusable: "I1", Sum: "I2", Told: "I2", Misfiled: "I1", LedgerLags: "I1", Sequence: "I1",
	Source: "I1", Domain: "I1", NoPool: "I2", Orphan: "I2", Dispute: "I1", Unallocated: "I1", Association: "I5",
	Misplaced: "I1", OrphanENI: "I2", BareNode: "I5", Count: "I5",
}

// Kinds returns all kinds.
func Kinds() []Kind { return slices.Sorted(maps.Keys(invariants)) }

// Finding is one thing that doesn't fit.
type Finding struct {
	Kind      Kind
	Invariant string // "I1"
	Where     string
	What      string
	Repair    string    // what a repair does; "" for nothing
	Since     time.Time // when this process first found it
	Outcome   string    // of a repair; "" if none was tried

	mend mend
}

// mend is a repair. A late one waits until the finding has stood for the grace
// period: what it would end may be about to come to life.
type mend struct {
	what string
	late bool
	do   func(ctx context.Context) (changed bool, err error)
}

// Report is what a sweep found.
type Report struct {
	At       time.Time
	Revision int64 // of the store
	Took     time.Duration

	// What was looked at.
	Pools, CIDRs, Held, Cooling, Staged, Interfaces, Addresses, Nodes, Counters int

	NotChecked map[string]int // allocations by kind of holder, of kinds that nobody here knows
	Findings   []Finding
	More       int // findings beyond those that are listed
	Repaired   int
	Left       int // findings that a sweep after the repairs still has
}

// maxFindings is how many findings are listed.
const maxFindings = 1000
