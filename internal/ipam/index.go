package ipam

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/fairlead/fairlead/internal/ipam/space"
	"github.com/fairlead/fairlead/internal/store"
)

// feed tells the indexes which allocations have changed. All share one
// subscription, so that a commit costs the same however many pools there are.
type feed struct {
	sub *store.Subscription

	mu      sync.Mutex        // guards the following and the indexes' news
	indexes map[string]*index // by pool
}

func newFeed(st *store.Store, collection string) feed {
	return feed{sub: st.Subscribe(collection), indexes: map[string]*index{}}
}

// news is what has changed in one pool.
type news struct {
	keys map[string]struct{}
	all  bool // anything may have
}

func (f *feed) add(pool string, ix *index) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.indexes[pool] = ix
}

func (f *feed) remove(pool string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.indexes, pool)
}

// take returns what has changed in ix's pool since the last time. Whatever a
// snapshot obtained before the call shows is among it or was told before.
func (f *feed) take(ix *index) news {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.distributeLocked()
	n := ix.news
	ix.news = news{}
	return n
}

// distribute hands the subscription's news on, so that they don't pile up.
func (f *feed) distribute() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.distributeLocked()
}

func (f *feed) distributeLocked() {
	keys, all := f.sub.Take()
	if all {
		for _, ix := range f.indexes {
			ix.news = news{all: true}
		}
		return
	}
	for _, k := range keys {
		pool, _, err := parseBlockKey(k.Key)
		if err != nil {
			continue // not ours to judge here: rebuild meets it too, and says so
		}
		if ix := f.indexes[pool]; ix != nil {
			ix.note(k.Key)
		}
	}
}

// maxNews is how many changes an index that nobody asks keeps before it prefers
// to be built again.
const maxNews = 1 << 16

func (ix *index) note(key string) {
	if ix.news.all {
		return
	}
	if ix.news.keys == nil {
		ix.news.keys = map[string]struct{}{}
	}
	ix.news.keys[key] = struct{}{}
	if len(ix.news.keys) > maxNews {
		ix.news = news{all: true}
	}
}

// spoil has the blocks looked up again at the next sync: they were taken for a
// commit whose fate is not known.
func (f *feed) spoil(ix *index, pool string, ps []netip.Prefix) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range ps {
		ix.note(blockKey(pool, p.Addr()))
	}
}

// index is a pool's free space as far as this server has heard. It follows the
// store's view, and runs ahead of it by what its writer is about to commit. It
// belongs to the writer, but for news.
type index struct {
	space   space.Space
	cidrs   []netip.Prefix // those in space, in order
	cidrSeq uint64         // of the ledger that cidrs were read under
	count   int            // of blocks
	// lengths has the prefix length of each taken block that is more than one
	// address, by its first. Pools of single addresses have none.
	lengths map[netip.Addr]uint8
	byBits  [129]int32 // how many of lengths there are of each
	built   bool

	news news // guarded by feed.mu
}

// sync brings ix up to the present view, which it returns.
func (ix *index) sync(s *Service, pool string) (store.Snapshot, error) {
	n := s.feed.take(ix)
	snap := s.store.Snapshot()
	l, _ := s.ledgers.Get(snap, pool)
	if ix.built && !n.all && ix.follow(s, snap, pool, l, n.keys) {
		return snap, nil
	}
	if err := ix.rebuild(s, snap, pool, l); err != nil {
		ix.built = false
		return snap, err
	}
	return snap, nil
}

// change is one allocation's block before and after; invalid for none.
type change struct{ old, now netip.Prefix }

// follow applies single changes. It reports false when something doesn't fit,
// which leaves ix to be built again.
func (ix *index) follow(s *Service, snap store.Snapshot, pool string, l Ledger, keys map[string]struct{}) bool {
	var changes []change
	for key := range keys {
		_, addr, err := parseBlockKey(key)
		if err != nil {
			return false
		}
		c := change{old: ix.block(addr)}
		if a, ok := s.allocs.Get(snap, key); ok {
			c.now = a.CIDR
		}
		if c.old != c.now {
			changes = append(changes, c)
		}
	}
	for _, c := range changes {
		if c.old.IsValid() && !ix.release(c.old) {
			return false
		}
	}
	if l.CIDRSeq != ix.cidrSeq && !ix.setCIDRs(s.activeCIDRs(snap, pool), l.CIDRSeq) {
		return false
	}
	for _, c := range changes {
		if c.now.IsValid() && ix.inside(c.now) && !ix.take(c.now) {
			return false
		}
	}
	return true
}

func (ix *index) rebuild(s *Service, snap store.Snapshot, pool string, l Ledger) error {
	ix.space, ix.cidrs, ix.count = space.Space{}, nil, 0
	ix.lengths, ix.byBits = map[netip.Addr]uint8{}, [129]int32{}
	if !ix.setCIDRs(s.activeCIDRs(snap, pool), l.CIDRSeq) {
		return fmt.Errorf("pool %s: its CIDRs overlap", pool)
	}
	for _, a := range s.allocationsIn(snap, pool, "") {
		if ix.inside(a.CIDR) && !ix.take(a.CIDR) {
			return fmt.Errorf("pool %s: %s overlaps another allocation", pool, a.CIDR)
		}
	}
	ix.built = true
	return nil
}

// setCIDRs changes the CIDRs to those wanted. A CIDR that has blocks taken in
// it isn't removed: false.
func (ix *index) setCIDRs(want []netip.Prefix, seq uint64) bool {
	for _, p := range ix.cidrs {
		if !slices.Contains(want, p) && ix.space.RemoveCIDR(p) != nil {
			return false
		}
	}
	for _, p := range want {
		if !slices.Contains(ix.cidrs, p) && ix.space.AddCIDR(p) != nil {
			return false
		}
	}
	ix.cidrs, ix.cidrSeq = want, seq
	return true
}

// inside says whether p lies in an active CIDR. What cools in a CIDR that is
// being deprovisioned doesn't.
func (ix *index) inside(p netip.Prefix) bool {
	return slices.ContainsFunc(ix.cidrs, func(c netip.Prefix) bool { return c.Overlaps(p) && c.Bits() <= p.Bits() })
}

// block returns the taken block that begins at a, or none.
func (ix *index) block(a netip.Addr) netip.Prefix {
	if bits, ok := ix.lengths[a]; ok {
		return netip.PrefixFrom(a, int(bits))
	}
	if p := host(a); ix.inside(p) && !ix.space.Free(p) && !ix.coversMore(a) {
		return p
	}
	return netip.Prefix{}
}

// coversMore says whether a lies in a block of more than one address.
func (ix *index) coversMore(a netip.Addr) bool {
	if len(ix.lengths) == 0 {
		return false
	}
	for bits, n := range ix.byBits[:a.BitLen()] {
		if n == 0 {
			continue
		}
		start := netip.PrefixFrom(a, bits).Masked().Addr()
		if got, ok := ix.lengths[start]; ok && int(got) == bits {
			return true
		}
	}
	return false
}

func (ix *index) take(p netip.Prefix) bool {
	if ix.space.Take(p) != nil {
		return false
	}
	ix.count++
	if !p.IsSingleIP() {
		ix.lengths[p.Addr()] = uint8(p.Bits())
		ix.byBits[p.Bits()]++
	}
	return true
}

func (ix *index) release(p netip.Prefix) bool {
	if ix.space.Release(p) != nil {
		return false
	}
	ix.count--
	if !p.IsSingleIP() {
		delete(ix.lengths, p.Addr())
		ix.byBits[p.Bits()]--
	}
	return true
}
