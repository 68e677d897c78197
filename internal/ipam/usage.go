package ipam

import (
	"iter"
	"math/big"
	"net/netip"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/store"
)

// Usage is how full a pool is.
type Usage struct {
	Pool    Pool
	Total   *big.Int // addresses in CIDRs that can be allocated from
	Taken   *big.Int // of Total, in blocks that are held or cooling
	Pooled  *big.Int // of Taken, in child pools' hands
	Blocks  int      // that are held
	Cooling int      // that are released and not free yet
}

// Pools yields every pool, the provider's too, and how full it is, by id. It
// costs the number of pools, whatever is allocated in them.
func (s *Service) Pools(r store.Reader) iter.Seq[Usage] {
	return func(yield func(Usage) bool) {
		for _, p := range s.pools.All(r) {
			if !yield(s.usage(r, p)) {
				return
			}
		}
	}
}

// Kinds of blocks that a usage tells apart.
const (
	tallyHeld    = "h"
	tallyPooled  = "p" // held by a child pool
	tallyCooling = "c"
)

// tallied returns what a is counted under: its pool, kind and length.
func tallied(a Allocation) string {
	kind := tallyHeld
	switch {
	case a.State == Cooling:
		kind = tallyCooling
	case a.State == Held && a.Holder.Type == ChildPool:
		kind = tallyPooled
	}
	return a.PoolID + "/" + kind + strconv.Itoa(a.CIDR.Bits())
}

// Usage returns how full a pool is.
func (s *Service) Usage(r store.Reader, p Pool) Usage { return s.usage(r, p) }

func (s *Service) usage(r store.Reader, p Pool) Usage {
	u := Usage{Pool: p, Total: new(big.Int), Taken: new(big.Int), Pooled: new(big.Int)}
	for value, n := range s.allocsTally.Each(r, p.ID+"/") {
		kind := value[len(p.ID)+1:][:1]
		bits, err := strconv.Atoi(strings.TrimPrefix(value, p.ID+"/"+kind))
		if err != nil {
			continue // tallied writes no such value
		}
		u.count(kind, bits, n)
	}
	for _, c := range s.cidrsByPool.Each(r, p.ID) {
		switch {
		case c.active():
			u.Total.Add(u.Total, size(c.CIDR))
		case c.State == PendingDeprovision: // what still cools in it is of no use any more
			for _, a := range s.allocationsWithin(r, p.ID, c.CIDR) {
				u.count(tallyCooling, a.CIDR.Bits(), -1)
			}
		}
	}
	return u
}

// count adds n blocks of the kind and length.
func (u *Usage) count(kind string, bits, n int) {
	addresses := new(big.Int).Lsh(big.NewInt(int64(n)), uint(u.Pool.Family.Bits()-bits))
	u.Taken.Add(u.Taken, addresses)
	switch kind {
	case tallyCooling:
		u.Cooling += n
	case tallyPooled:
		u.Pooled.Add(u.Pooled, addresses)
		u.Blocks += n
	default:
		u.Blocks += n
	}
}

// size returns the number of addresses in p.
func size(p netip.Prefix) *big.Int {
	return new(big.Int).Lsh(big.NewInt(1), uint(p.Addr().BitLen()-p.Bits()))
}
