package fsck_test

import (
	"context"
	"iter"
	"log/slog"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/fsck"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// books is the rooms as slices.
type books struct {
	pools   []fsck.Pool
	cidrs   []fsck.CIDR
	blocks  []fsck.Block
	ledgers []fsck.Ledger
	spans   []fsck.Span
}

func (b *books) Pools(store.Snapshot) iter.Seq[fsck.Pool]     { return slices.Values(b.pools) }
func (b *books) CIDRs(store.Snapshot) iter.Seq[fsck.CIDR]     { return slices.Values(b.cidrs) }
func (b *books) Blocks(store.Snapshot) iter.Seq[fsck.Block]   { return slices.Values(b.blocks) }
func (b *books) Ledgers(store.Snapshot) iter.Seq[fsck.Ledger] { return slices.Values(b.ledgers) }
func (b *books) Spans(store.Snapshot) iter.Seq[fsck.Span]     { return slices.Values(b.spans) }
func (b *books) IsStaged(store.Reader, fsck.Ref) bool         { return true }
func (b *books) Block(_ store.Reader, pool string, first netip.Addr) (fsck.Block, bool) {
	for _, x := range b.blocks {
		if x.PoolID == pool && x.CIDR.Addr() == first {
			return x, true
		}
	}
	return fsck.Block{}, false
}
func (b *books) ReturnOrphan(context.Context, fsck.Ref, func(store.Reader) bool, time.Time) (bool, error) {
	return false, nil
}
func (b *books) MendLedger(context.Context, string) (bool, error)  { return false, nil }
func (b *books) DropCIDR(context.Context, string) (bool, error)    { return false, nil }
func (b *books) MendSpan(context.Context, fsck.Span) (bool, error) { return false, nil }

func (b *books) ReturnReserved(context.Context, string, func(store.Reader) bool) (bool, error) {
	return false, nil
}

// empty is the rooms that have nothing.
type empty struct{}

func none[T any](func(T) bool) {}

func (empty) Addresses(store.Snapshot) iter.Seq[fsck.Address]     { return none[fsck.Address] }
func (empty) Interfaces(store.Snapshot) iter.Seq[fsck.Interface]  { return none[fsck.Interface] }
func (empty) Claims(store.Snapshot) iter.Seq[fsck.Claim]          { return none[fsck.Claim] }
func (empty) Nodes(store.Snapshot) iter.Seq[fsck.Node]            { return none[fsck.Node] }
func (empty) Reserved(store.Snapshot) iter.Seq[fsck.Reserved]     { return none[fsck.Reserved] }
func (empty) HasReserved(store.Reader, string, string) bool       { return false }
func (empty) HasNode(store.Snapshot, string) bool                 { return false }
func (empty) Address(store.Snapshot, string) (fsck.Address, bool) { return fsck.Address{}, false }
func (empty) Interface(store.Snapshot, string) (fsck.Interface, bool) {
	return fsck.Interface{}, false
}

func check(t *testing.T, b *books) fsck.Report {
	t.Helper()
	st := store.New(memstore.New(), "test", slog.New(slog.DiscardHandler))
	if err := st.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	holds := func(store.Reader, fsck.Block) fsck.Standing { return fsck.Holds }
	return fsck.New(st, fsck.Options{Pools: b, Networks: empty{}, Nodes: empty{}, Keepers: map[string]fsck.Keeper{"custom": holds}}).Check(time.Now())
}

// pool is one with a CIDR and blocks in it, of which users are told the truth.
func pool(cidr string, blocks ...string) *books {
	c := netip.MustParsePrefix(cidr)
	b := &books{
		cidrs: []fsck.CIDR{{ID: "c", PoolID: "p", CIDR: c, Domain: "d", Space: true, Usable: true, Open: true}},
		spans: []fsck.Span{{Domain: "d", PoolID: "p", CIDR: c}},
	}
	size := func(p netip.Prefix) *big.Int {
		return new(big.Int).Lsh(big.NewInt(1), uint(p.Addr().BitLen()-p.Bits()))
	}
	total, free := size(c), size(c)
	ledger := fsck.Ledger{PoolID: "p"}
	for _, s := range blocks {
		p := netip.MustParsePrefix(s)
		ledger.Seq++
		ledger.Lengths = append(ledger.Lengths, p.Bits())
		b.blocks = append(b.blocks, fsck.Block{Ref: fsck.Ref{PoolID: "p", ID: s, CIDR: p, Seq: ledger.Seq}, Holder: fsck.Holder{Kind: "custom"}})
		free.Sub(free, size(p))
	}
	b.pools = []fsck.Pool{{ID: "p", Total: total, Free: free}}
	b.ledgers = []fsck.Ledger{ledger}
	return b
}

// I2: free + held = provisioned, at the ends of address spaces, too.
func TestSumsAreMeasuredAndCounted(t *testing.T) {
	for name, b := range map[string]*books{
		"an empty pool":                            pool("192.0.2.0/24"),
		"the first and the last address":           pool("192.0.2.0/24", "192.0.2.0/32", "192.0.2.255/32"),
		"a full pool":                              pool("192.0.2.0/30", "192.0.2.0/31", "192.0.2.2/32", "192.0.2.3/32"),
		"a pool that is one block":                 pool("192.0.2.0/24", "192.0.2.0/24"),
		"the end of IPv4":                          pool("255.255.255.0/24", "255.255.255.128/25"),
		"all of IPv4":                              pool("0.0.0.0/0", "0.0.0.0/8", "128.0.0.0/1"),
		"all of IPv6":                              pool("::/0", "::/128", "2001:db8::/32", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"),
		"a gap that crosses the middle of IPv6":    pool("2001:db8::/32", "2001:db8::/64", "2001:db8:0:1::/128", "2001:db8:ffff:ffff::/64"),
		"a block that begins where another's ends": pool("10.0.0.0/8", "10.0.0.0/32", "10.0.0.1/32", "10.0.0.2/31"),
	} {
		if out := check(t, b); out.Left != 0 {
			t.Errorf("%s: %+v", name, out.Findings)
		}
	}
	wrong := pool("2001:db8::/32", "2001:db8::/64")
	wrong.pools[0].Free.Sub(wrong.pools[0].Free, big.NewInt(1))
	if out := check(t, wrong); len(out.Findings) != 1 || out.Findings[0].Kind != fsck.Told {
		t.Errorf("one address of 2^96 too few is told: %+v", out.Findings)
	}
}

// I1: of random blocks, an overlap is found if and only if there is one.
func TestOverlapsAreFoundIfThereAreAny(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	found := 0
	for range 2000 {
		var blocks []netip.Prefix
		for range rng.IntN(6) {
			a := netip.AddrFrom4([4]byte{10, 0, 0, byte(rng.IntN(256))})
			blocks = append(blocks, netip.PrefixFrom(a, 24+rng.IntN(9)).Masked())
		}
		// As they are stored: one at an address.
		slices.SortFunc(blocks, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
		blocks = slices.CompactFunc(blocks, func(a, b netip.Prefix) bool { return a.Addr() == b.Addr() })
		want := false
		var texts []string
		for i, p := range blocks {
			texts = append(texts, p.String())
			want = want || slices.ContainsFunc(blocks[:i], p.Overlaps)
		}
		out := check(t, pool("10.0.0.0/24", texts...))
		kinds := map[fsck.Kind]bool{}
		for _, f := range out.Findings {
			kinds[f.Kind] = true
		}
		if kinds[fsck.Overlap] != want || kinds[fsck.Sum] != want {
			t.Fatalf("seed %d: %v: overlap %v, sum %v; want both %v", seed, texts, kinds[fsck.Overlap], kinds[fsck.Sum], want)
		}
		if want {
			found++
		}
	}
	if found == 0 || found == 2000 {
		t.Errorf("seed %d: %d of 2000 overlap: the cases are no test", seed, found)
	}
}

func TestALongListIsCutAndCounted(t *testing.T) {
	b := &books{}
	for n := range 1500 {
		b.cidrs = append(b.cidrs, fsck.CIDR{ID: strings.Repeat("x", n), PoolID: "gone"})
	}
	if out := check(t, b); len(out.Findings) != 1000 || out.More != 500 || out.Left != 1500 {
		t.Errorf("%d listed, %d more, %d left", len(out.Findings), out.More, out.Left)
	}
}
