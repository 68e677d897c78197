package vpc

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// Pools is where public addresses, and the CIDRs of networks, come from.
type Pools interface {
	// Draw takes a block of a pool; record writes what depends on it in the same
	// transaction and may run several times. ErrPoolExhausted, ErrPoolNotFound,
	// ErrPoolRefused, or what record returned.
	//
	// Draws from one pool may share a transaction. A record that can't be judged
	// beside another's work returns store.ErrTooLarge, and has a later one.
	Draw(ctx context.Context, w Want, record func(tx *store.Tx, d Drawn) error) error

	// DrawWithin takes a block as a part of tx, for what draws from two pools at
	// once. It costs the number of blocks that the pool has given. Errors as Draw's.
	DrawWithin(tx *store.Tx, w Want) (Drawn, error)

	// Return gives a block back as a part of tx. One that was given back
	// before is no error.
	Return(tx *store.Tx, d Drawn) error

	// ProviderPool names the hidden pool that the region's own addresses come from.
	ProviderPool(region string) string

	// ProviderIPv6Pool names the hidden pool that the region's own IPv6 CIDR
	// blocks come from. There may be none of that name.
	ProviderIPv6Pool(region string) string
}

// What Pools.Draw answers besides an address.
var (
	ErrPoolExhausted = errors.New("address pool has no free address")
	ErrPoolNotFound  = errors.New("address pool does not exist")
	ErrPoolRefused   = errors.New("address pool refuses the request") // beside the pool's own error, which says why
)

// Drawn is a block taken from a pool, and what fences its return.
type Drawn struct {
	PoolID       string
	AllocationID string // the pool's name for the allocation
	Block        netip.Prefix
	Seq          uint64 // of the allocation: a return with another one is refused
}

// Use says what a block is drawn for (EC2 IpamPoolAllocationResourceType).
type Use string

// The uses.
const (
	ForAddress Use = "eip"
	ForVPC     Use = "vpc"
	ForSubnet  Use = "subnet"
)

// Want is a block to be drawn from a pool for a resource.
type Want struct {
	PoolID          string       // "": that which the account may have Block out of
	Block           netip.Prefix // zero: the lowest free one of the length
	NetmaskLength   *int         // nil, with no Block: the pool's default
	For             Use
	ResourceID      string // "eipalloc-…", "vpc-…" or "subnet-…"
	VPCID           string // of a subnet
	ReservedFor     string // PoolID is a block reserved for this ARN; "" for any other pool
	Account, Region string
	Tags            []tags.Tag // the resource's
	Time            time.Time
}
