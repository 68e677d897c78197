package elb

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/store"
)

// A load balancer may have a block of its pool to itself: a contiguous CIDR from
// which its nodes draw first, and which nobody else draws from. It belongs to the
// pool that the load balancer draws from, and goes when that becomes another.

// Block is a load balancer's block.
type Block struct {
	ID     string // what Interfaces.AssignAddress draws from
	PoolID string // that it is reserved in
	CIDR   netip.Prefix
}

// The attributes about addresses. They are ours: ELBv2 has no such.
const (
	attrFallback = "fairlead.ipam.fallback"
	attrBlock    = "fairlead.ipam.block"
)

// What a load balancer does when its pool gives no address.
const (
	fallbackAllow  = "allow"  // draws from the provider's
	fallbackDeny   = "deny"   // goes without
	fallbackReturn = "return" // draws from the provider's, until the pool has room again
)

// Tags of CreateLoadBalancer, which has no attributes, that set the first two at once.
const (
	tagFallback = "fairlead:fallback"
	tagBlock    = "fairlead:block"
)

// ipamAttributes are those of internet-facing load balancers.
var ipamAttributes = attributes{
	{attrFallback, fallbackAllow, oneOf(fallbackAllow, fallbackDeny, fallbackReturn)},
	{attrBlock, "", empty(blockValue)},
}

// Netmask lengths of blocks: with fewer addresses than zones it would be none.
const (
	shortestBlock = 16
	longestBlock  = 31
)

// blockValue accepts a CIDR, or a netmask length such as /28 or 28.
func blockValue(v string) string {
	const must = "an IPv4 CIDR, or a netmask length, of /16 to /31"
	bits := 0
	if p, err := netip.ParsePrefix(v); err == nil {
		if !p.Addr().Is4() || p != p.Masked() {
			return must
		}
		bits = p.Bits()
	} else if bits, err = strconv.Atoi(strings.TrimPrefix(v, "/")); err != nil {
		return must
	}
	if bits < shortestBlock || bits > longestBlock {
		return must
	}
	return ""
}

// readBlock reads what blockValue accepts.
func readBlock(v string) (cidr netip.Prefix, bits int) {
	if p, err := netip.ParsePrefix(v); err == nil {
		return p, p.Bits()
	}
	bits, _ = strconv.Atoi(strings.TrimPrefix(v, "/"))
	return netip.Prefix{}, bits
}

// is says whether the block is what was asked for.
func (k Block) is(asked string) bool {
	cidr, bits := readBlock(asked)
	return k.CIDR == cidr || !cidr.IsValid() && k.CIDR.Bits() == bits
}

// reserve takes the block that is asked for, and has record write what depends on it.
func (s *Service) reserve(ctx context.Context, b LoadBalancer, asked string, now time.Time, record func(tx *store.Tx, k Block) error) error {
	cidr, bits := readBlock(asked)
	spec := BlockSpec{ID: ids.New("reserved-", 33), Account: b.Account, Region: b.Region, PoolID: b.PoolID, ARN: b.ARN, CIDR: cidr, NetmaskLength: bits, Time: now}
	err := s.pools.Reserve(ctx, spec, record)
	switch {
	case errors.Is(err, ErrPoolExhausted) && cidr.IsValid():
		return fail(InvalidConfiguration, "The CIDR '%s' is not free in the IPAM pool '%s'", cidr, b.PoolID)
	case errors.Is(err, ErrPoolExhausted):
		return fail(InvalidConfiguration, "The IPAM pool '%s' has no free block of the netmask length /%d", b.PoolID, bits)
	case errors.Is(err, ErrPoolUnavailable):
		return fail(InvalidConfiguration, "The IPAM pool '%s' does not exist", b.PoolID)
	}
	return err
}

// setBlock puts a block in the place of the one that the load balancer has; nil
// for none. What it had goes once no address of it is in use.
func (s *Service) setBlock(tx *store.Tx, b *LoadBalancer, k *Block, now time.Time) {
	if old := b.Block; old != nil {
		b.Leaving = append(slices.Clone(b.Leaving), *old)
	}
	b.Block = k
	if k != nil {
		s.opts.Events.Put(tx, with(b.about(event.BlockReserved, now, "%s of %s is reserved for %s, and nobody else draws from it", k.CIDR, k.PoolID, b.Name),
			"block", k.CIDR.String(), "pool", k.PoolID))
	}
	b.Attributes = without(b.Attributes, attrBlock)
	if k != nil {
		b.Attributes[attrBlock] = k.CIDR.String()
	}
}

// without returns a copy that lacks a key.
func without(set map[string]string, key string) map[string]string {
	out := map[string]string{}
	for k, v := range set {
		if k != key {
			out[k] = v
		}
	}
	return out
}

// restoreBlock takes back the block that a migration which is cancelled has left.
func (b *LoadBalancer) restoreBlock(m *Migration) {
	if m.FromBlock == nil {
		return
	}
	if i := slices.Index(b.Leaving, *m.FromBlock); i >= 0 {
		b.Block = m.FromBlock
		b.Leaving = slices.Delete(slices.Clone(b.Leaving), i, i+1)
		b.Attributes = without(b.Attributes, attrBlock)
		b.Attributes[attrBlock] = b.Block.CIDR.String()
	}
}

// releaseBlocks gives back the blocks that a load balancer has left, as far as no
// address of them is in use. It may be repeated.
func (c *Controller) releaseBlocks(ctx context.Context, b LoadBalancer) error {
	for _, k := range b.Leaving {
		err := c.s.pools.Unreserve(ctx, k.ID, func(tx *store.Tx) error {
			cur, ok := c.s.balancers.Get(tx, b.ARN)
			i := slices.Index(cur.Leaving, k)
			if !ok || i < 0 {
				return errNotYet // it has been taken back, or another has done it
			}
			cur.Leaving = slices.Delete(slices.Clone(cur.Leaving), i, i+1)
			c.s.balancers.Put(tx, b.ARN, cur)
			c.s.opts.Events.Put(tx, with(cur.about(event.BlockReleased, c.now(), "%s of %s is no longer reserved for %s", k.CIDR, k.PoolID, cur.Name),
				"block", k.CIDR.String(), "pool", k.PoolID))
			return nil
		})
		if err != nil && !errors.Is(err, errNotYet) {
			return err
		}
	}
	return nil
}
