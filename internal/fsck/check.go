package fsck

import (
	"context"
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// Options are the rooms that are looked into.
type Options struct {
	Pools    Pools
	Networks Networks
	Nodes    Nodes
	Counting []Counting
	Keepers  map[string]Keeper // by kind of holder

	// Grace is how long a finding must have stood before a repair ends an
	// allocation for it. 0 suits a store that nobody else has open.
	Grace time.Duration
}

// Checker sweeps one store.
type Checker struct {
	store *store.Store
	opts  Options

	mu    sync.Mutex           // guards the following
	since map[string]time.Time // when the findings of the latest sweep were first seen
}

// New returns a checker of the rooms over st, which is started before it is used.
func New(st *store.Store, o Options) *Checker {
	return &Checker{store: st, opts: o, since: map[string]time.Time{}}
}

// Check sweeps the present state. It costs the number of all records, and no lock.
func (c *Checker) Check(now time.Time) Report {
	begin := time.Now()
	s := newSweep(c.store.Snapshot(), c.opts)
	s.run()
	s.out.At, s.out.Took = now, time.Since(begin)
	s.out.Left = len(s.out.Findings) + s.out.More
	c.remember(s.out.Findings, now)
	return s.out
}

// remember tells each finding since when it stands, and forgets those that don't
// any more.
func (c *Checker) remember(findings []Finding, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	since := make(map[string]time.Time, len(findings))
	for i, f := range findings {
		key := string(f.Kind) + "\x00" + f.Where + "\x00" + f.What
		first, known := c.since[key]
		if !known {
			first = now
		}
		since[key], findings[i].Since = first, first
	}
	c.since = since
}

// Repair sweeps, does what is provably right about what it finds, and sweeps
// again. The findings are those of the first sweep, with what became of them.
func (c *Checker) Repair(ctx context.Context, now time.Time) Report {
	out := c.Check(now)
	for i := range out.Findings {
		f := &out.Findings[i]
		stood := now.Sub(f.Since)
		switch {
		case f.mend.do == nil:
			f.Outcome = "left to people"
			continue
		case f.mend.late && stood < c.opts.Grace:
			f.Outcome = fmt.Sprintf("waits: it has stood for %s, and must for %s", stood.Round(time.Second), c.opts.Grace)
			continue
		}
		changed, err := f.mend.do(ctx)
		switch {
		case err != nil:
			f.Outcome = "failed: " + err.Error()
		case changed:
			f.Outcome = "repaired"
			out.Repaired++
		default:
			f.Outcome = "left as it is: it has changed, or is needed"
		}
	}
	out.Left = c.Check(now).Left
	return out
}

// sweep is one look at everything.
type sweep struct {
	r   store.Snapshot
	o   Options
	out Report

	pools   map[string]Pool
	cidrs   map[string][]CIDR // by pool, by address; those with Space
	ledgers map[string]Ledger

	// needed is what living things have of a pool without an allocation of
	// their own: nothing of it is released, whoever it is allocated to.
	needed map[string][]netip.Prefix // by pool
}

func newSweep(r store.Snapshot, o Options) *sweep {
	return &sweep{
		r: r, o: o, out: Report{Revision: r.Revision(), NotChecked: map[string]int{}},
		pools: map[string]Pool{}, cidrs: map[string][]CIDR{}, ledgers: map[string]Ledger{}, needed: map[string][]netip.Prefix{},
	}
}

func (s *sweep) run() {
	s.load()
	s.checkClaims()
	s.checkSources()
	s.checkPools()
	s.checkDomains()
	s.checkNetworks()
	s.checkNodes()
	s.checkReserved()
	s.checkCounters()
}

func (s *sweep) load() {
	for p := range s.o.Pools.Pools(s.r) {
		s.pools[p.ID] = p
		s.out.Pools++
	}
	for l := range s.o.Pools.Ledgers(s.r) {
		s.ledgers[l.PoolID] = l
	}
	for c := range s.o.Pools.CIDRs(s.r) {
		if _, ok := s.pools[c.PoolID]; !ok {
			s.find(NoPool, "CIDR "+c.ID, s.dropCIDR(c), "%s belongs to pool %s, which doesn't exist", c.CIDR, c.PoolID)
			continue
		}
		if c.Space {
			s.cidrs[c.PoolID] = append(s.cidrs[c.PoolID], c)
			s.out.CIDRs++
		}
	}
	for _, cs := range s.cidrs {
		slices.SortFunc(cs, func(a, b CIDR) int { return a.CIDR.Compare(b.CIDR) })
	}
}

func (s *sweep) dropCIDR(c CIDR) mend {
	if c.Space {
		return mend{}
	}
	return mend{"forget the CIDR, which was never provisioned", false, func(ctx context.Context) (bool, error) { return s.o.Pools.DropCIDR(ctx, c.ID) }}
}

// find notes what doesn't fit. where is text, or what is made text only if it is
// listed.
func (s *sweep) find(k Kind, where any, m mend, format string, args ...any) {
	if len(s.out.Findings) == maxFindings {
		s.out.More++
		return
	}
	s.out.Findings = append(s.out.Findings, Finding{
		Kind: k, Invariant: invariants[k], Where: fmt.Sprint(where), What: fmt.Sprintf(format, args...), Repair: m.what, mend: m,
	})
}

// spot is a block of a pool.
type spot struct {
	pool string
	cidr netip.Prefix
}

func (p spot) String() string { return fmt.Sprintf("pool %s, %s", p.pool, p.cidr) }

// checkCounters holds the numbers that are kept against what they count.
func (s *sweep) checkCounters() {
	for _, room := range s.o.Counting {
		for c := range room.Counters(s.r) {
			s.out.Counters++
			if c.Kept == c.Counted {
				continue
			}
			m := mend{"write the number that is counted", false, func(ctx context.Context) (bool, error) { return room.Recount(ctx, c.Where) }}
			s.find(Count, c.Where, m, "%s: %d on record, %d counted", c.Of, c.Kept, c.Counted)
		}
	}
}

var one = big.NewInt(1)

func hostBits(p netip.Prefix) uint { return uint(p.Addr().BitLen() - p.Bits()) }

func size(p netip.Prefix) *big.Int { return new(big.Int).Lsh(one, hostBits(p)) }
