package vpc

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// Pools is where public addresses come from.
type Pools interface {
	// Draw takes the lowest free address of a pool for h; record writes what
	// depends on it in the same transaction and may run several times.
	// ErrPoolExhausted, ErrPoolNotFound, or what record returned.
	Draw(ctx context.Context, poolID string, h Holder, record func(tx *store.Tx, d Drawn) error) error

	// Return gives an address back as a part of tx. One that was given back
	// before is no error.
	Return(tx *store.Tx, d Drawn) error

	// ProviderPool names the hidden pool that the region's own addresses come from.
	ProviderPool(region string) string
}

// What Pools.Draw answers besides an address.
var (
	ErrPoolExhausted = errors.New("address pool has no free address")
	ErrPoolNotFound  = errors.New("address pool does not exist")
)

// Drawn is an address taken from a pool, and what fences its return.
type Drawn struct {
	PoolID       string
	AllocationID string // the pool's name for the allocation
	Addr         netip.Addr
	Seq          uint64 // of the allocation: a return with another one is refused
}

// Holder is who an address is drawn for.
type Holder struct {
	ResourceID      string // "eipalloc-…"
	Account, Region string
	Time            time.Time
}
