package server

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store"
)

// regions is the installation's geography: the configured regions and, in dev
// mode, any other on first use, with three zones and provider addresses of its
// own.
type regions struct {
	dev   bool
	fixed []config.Region
	store *store.Store
	ipam  *ipam.Service
	extra *store.Collection[extraRegion] // by name

	adding sync.Mutex // held while a region is made
}

// extraRegion is a region that came into being by being named.
type extraRegion struct{ N int }

// Regions that come into being take two /16 each from here on, for the pool and
// the blocks of their provider, and an IPv6 /40 behind the default region's.
const (
	firstExtraOctet = 66
	maxExtraRegions = 30
)

func newRegions(cfg config.Config, st *store.Store) *regions {
	return &regions{dev: cfg.Dev, store: st, fixed: cfg.Regions, extra: store.NewCollection[extraRegion](st, "server.region", 1)}
}

// Names implements ec2.Regions.
func (g *regions) Names() []string {
	var names []string
	for _, r := range g.fixed {
		names = append(names, r.Name)
	}
	for name := range g.extra.All(g.store.Snapshot()) {
		names = append(names, name)
	}
	return names
}

// Zones implements ec2.Regions.
func (g *regions) Zones(region string) []string {
	for _, r := range g.fixed {
		if r.Name == region {
			return r.Zones
		}
	}
	if _, ok := g.extra.Get(g.store.Snapshot(), region); ok {
		return []string{region + "a", region + "b", region + "c"}
	}
	return nil
}

// Has says whether there is such a region, in dev mode after making it.
func (g *regions) Has(region string) bool {
	if g.Zones(region) != nil {
		return true
	}
	if !g.dev || !config.ValidRegion(region) {
		return false
	}
	return g.add(region) == nil
}

func (g *regions) add(region string) error {
	g.adding.Lock() // dev mode is one process: so that two regions never take one number
	defer g.adding.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var r extraRegion
	err := g.store.Update(ctx, func(tx *store.Tx) error {
		var taken []int
		for _, other := range g.extra.All(tx) {
			taken = append(taken, other.N)
		}
		old, ok := g.extra.Get(tx, region)
		if ok {
			r = old
			return nil
		}
		for r.N = 0; slices.Contains(taken, r.N); r.N++ {
		}
		if r.N >= maxExtraRegions {
			return fmt.Errorf("there are %d regions beside the configured ones already", maxExtraRegions)
		}
		g.extra.Put(tx, region, r)
		return nil
	})
	if err != nil {
		return err
	}
	pool, blocks := extraPrefixes(r.N)
	return g.ipam.EnsureProvider(ctx, region, pool, blocks, time.Now())
}

func extraPrefixes(n int) (pool, blocks []netip.Prefix) {
	at := func(i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{127, byte(firstExtraOctet + 2*n + i), 0, 0}), 16)
	}
	six := netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 0xfa, 0x1e, 0xad, byte(n + 1)}), 40)
	return []netip.Prefix{at(0)}, []netip.Prefix{at(1), six}
}

// ensureProviders gives every configured region its provider's pools.
func (g *regions) ensureProviders(ctx context.Context) error {
	for _, r := range g.fixed {
		if err := g.ipam.EnsureProvider(ctx, r.Name, r.ProviderPools, r.ProviderBlocks, time.Now()); err != nil {
			return fmt.Errorf("provider pools of region %s: %w", r.Name, err)
		}
	}
	return nil
}
