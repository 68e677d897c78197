package fsck

import (
	"context"
	"iter"
	"math/big"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// Pool is an address pool.
type Pool struct {
	ID          string
	Total, Free *big.Int // addresses that can be allocated from, and how many of them are free, as users are told
	ReservedFor string   // the load balancer that alone draws from it; "" for any other pool
}

// CIDR is one that a pool has, or remembers.
type CIDR struct {
	ID, PoolID string
	CIDR       netip.Prefix
	Source     string // the pool that has an allocation of it; "" for none
	Domain     string // without a Source: the routing domain that has a Span of it
	Space      bool   // its addresses are the pool's; else it is only remembered
	Usable     bool   // blocks may be held in it; else they can at most cool there
	Open       bool   // users are told of its addresses: new blocks may be made in it
}

// Ref names an allocation and no later one of the same block.
type Ref struct {
	PoolID, ID string
	CIDR       netip.Prefix
	Seq        uint64
}

// BlockState says whether a block is in use.
type BlockState int

// The states of a block.
const (
	Held    BlockState = iota
	Cooling            // released, and not free yet
	Staged             // of an import that isn't decided
)

// Holder is what a block is allocated for.
type Holder struct{ Kind, ID, Account, Region string }

// Block is an allocation.
type Block struct {
	Ref
	Holder   Holder
	State    BlockState
	Misfiled bool // stored under a key that isn't its own
}

// Ledger is what a pool knows of its allocations. See ipam.Ledger.
type Ledger struct {
	PoolID       string
	Seq, CIDRSeq uint64
	Lengths      []int
}

// Span is a CIDR that a routing domain has given to a pool.
type Span struct {
	Domain, PoolID string
	CIDR           netip.Prefix
}

// Pools is the room of pools and allocations: what it has on record, and how it
// mends that. A method that mends reports whether it changed anything, and decides
// so in its transaction.
type Pools interface {
	Pools(r store.Snapshot) iter.Seq[Pool]
	CIDRs(r store.Snapshot) iter.Seq[CIDR]
	Blocks(r store.Snapshot) iter.Seq[Block] // by pool, and by first address in a pool
	Block(r store.Reader, pool string, first netip.Addr) (Block, bool)
	Ledgers(r store.Snapshot) iter.Seq[Ledger]
	Spans(r store.Snapshot) iter.Seq[Span] // by domain, family and first address
	IsStaged(r store.Reader, ref Ref) bool // an import remembers it

	// ReturnOrphan releases an allocation if gone says so, asked in the transaction.
	ReturnOrphan(ctx context.Context, ref Ref, gone func(r store.Reader) bool, now time.Time) (bool, error)
	MendLedger(ctx context.Context, pool string) (bool, error)
	DropCIDR(ctx context.Context, id string) (bool, error) // that no pool has, without Space
	MendSpan(ctx context.Context, s Span) (bool, error)

	// ReturnReserved gives a reserved pool's space back if gone says so, asked in
	// the transaction, and nothing of it is held.
	ReturnReserved(ctx context.Context, pool string, gone func(r store.Reader) bool) (bool, error)
}

// Claim is the word of something living that it holds an allocation.
type Claim struct {
	Who  string // id
	Ref  Ref
	Must bool // the allocation must be there; else it may have ended before its holder
}

// Address is a public address.
type Address struct {
	ID          string
	Public      netip.Addr
	Block       netip.Prefix // that was drawn for it
	InterfaceID string       // "" for none
	Private     netip.Addr
}

// PrivateAddress is an address that an interface has in its subnet.
type PrivateAddress struct {
	Addr      netip.Addr
	AddressID string // of the public Address that is associated with it; "" for none
}

// Interface is a network interface.
type Interface struct {
	ID, SubnetID string
	Subnet       netip.Prefix // zero if there is no such subnet
	Owner        string       // the load balancer node that it was made for; "" for none
	Addresses    []PrivateAddress
	IPv6         netip.Addr   // zero for none
	IPv6Block    netip.Prefix // of the subnet; zero if it has none
}

// Networks is the room of VPCs, interfaces and public addresses.
type Networks interface {
	Addresses(r store.Snapshot) iter.Seq[Address]
	Address(r store.Snapshot, id string) (Address, bool)
	Interfaces(r store.Snapshot) iter.Seq[Interface]
	Interface(r store.Snapshot, id string) (Interface, bool)
	Claims(r store.Snapshot) iter.Seq[Claim]
}

// Node is a load balancer's presence in a zone.
type Node struct {
	ID, Balancer string
	Balanced     bool // there is such a load balancer
	Internal     bool // which wants no public addresses

	// Placed nodes have what follows: those that aren't being made any more, and
	// aren't being given back.
	Placed          bool
	InterfaceID     string
	Private, Public netip.Addr
	IPv6            netip.Addr // zero for none, and while it goes
}

// Reserved is the word of a load balancer that it has a pool to itself.
type Reserved struct {
	Balancer, PoolID string
	CIDR             netip.Prefix
}

// Nodes is the room of load balancers.
type Nodes interface {
	Reserved(r store.Snapshot) iter.Seq[Reserved]
	HasReserved(r store.Reader, balancer, pool string) bool // from a transaction, guarded
	Nodes(r store.Snapshot) iter.Seq[Node]
	HasNode(r store.Snapshot, id string) bool
}

// Counter is a number that is kept beside the records that it counts.
type Counter struct {
	Of, Where     string
	Kept, Counted int
}

// Counting is a room that keeps numbers.
type Counting interface {
	Counters(r store.Snapshot) iter.Seq[Counter]
	Recount(ctx context.Context, where string) (bool, error)
}

// Standing is what is to be said of the holder of a block.
type Standing int

// The standings.
const (
	Holds    Standing = iota // it lives, and has the block
	Gone                     // there is no such holder, or it has nothing of the block
	Disputed                 // it has a part of the block, or has it otherwise than by this allocation
)

// Keeper says how it stands with the holders of one kind. From a transaction,
// what it reads must be guarded.
type Keeper func(r store.Reader, b Block) Standing
