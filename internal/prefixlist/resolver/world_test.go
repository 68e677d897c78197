package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/prefixlist"
	"github.com/fairlead/fairlead/internal/prefixlist/resolver"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	account  = "111122223333"
	stranger = "444455556666"
	home     = "local-1"
	abroad   = "local-2"
	manager  = "ipam-1"
	scope    = "ipam-scope-1"
	pool     = "ipam-pool-1"
)

// resource is one of the world's, which is in the scope named.
type resource struct {
	resolver.Resource
	ScopeID, Type string
}

// world is the room over pools and resources that are records of the test's own.
// The account has an IPAM with a scope and two pools, pool and ipam-pool-2.
type world struct {
	*resolver.Service
	t         *testing.T
	store     *store.Store
	lists     *prefixlist.Service
	tags      *tags.Service
	cidrs     *store.Collection[resolver.PoolCIDR]
	resources *store.Collection[resource]
	tier      string
	made      int // ids
	stop      func()
}

func open(t *testing.T, engine store.Engine) *world {
	t.Helper()
	w := &world{t: t, store: store.New(engine, "test", slog.New(slog.DiscardHandler))}
	tg, tokens := tags.New(w.store), idempotency.New(w.store)
	w.tags = tg
	w.cidrs = store.NewCollection[resolver.PoolCIDR](w.store, "cidr", 1)
	w.resources = store.NewCollection[resource](w.store, "resource", 1)
	w.lists = prefixlist.New(w.store, tg, tokens, prefixlist.Options{})
	w.Service = resolver.New(w.store, tg, tokens, resolver.Options{
		Lists: w.lists, Managers: w, Networks: w, Changes: w, Log: slog.New(slog.DiscardHandler),
		IsRegion: func(r string) bool { return r == home || r == abroad },
	})
	if err := w.store.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	w.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		w.store.Close()
	})
	running.Go(func() { w.Run(ctx) })
	t.Cleanup(w.stop)
	return w
}

func (w *world) IPAM(_ store.Reader, acct, id string) (resolver.IPAM, bool) {
	return resolver.IPAM{ID: manager, Account: account, Region: home, Advanced: w.tier == ""}, acct == account && id == manager
}

func (w *world) Scope(_ store.Reader, acct, id string) (string, bool) {
	return manager, acct == account && (id == scope || id == "ipam-scope-2")
}

func (w *world) Pool(_ store.Reader, acct, id string) (string, bool) {
	return manager, acct == account && (id == pool || id == "ipam-pool-2")
}

func (w *world) PoolCIDRs(r store.Snapshot, _ resolver.IPAM, scopeID string) iter.Seq[resolver.PoolCIDR] {
	return func(yield func(resolver.PoolCIDR) bool) {
		for _, c := range w.cidrs.All(r) {
			if scopeID == scope && !yield(c) {
				return
			}
		}
	}
}

type view struct {
	w *world
	r store.Snapshot
}

func (w *world) View(r store.Snapshot, _ resolver.IPAM) resolver.View { return view{w, r} }

func (v view) In(scopeID, kind string) iter.Seq[resolver.Resource] {
	return func(yield func(resolver.Resource) bool) {
		for _, res := range v.w.resources.All(v.r) {
			if res.ScopeID == scopeID && res.Type == kind && !yield(res.Resource) {
				return
			}
		}
	}
}

func (w *world) Collections() []string { return []string{w.cidrs.Name(), w.resources.Name()} }

func (w *world) Account(r store.Reader, k store.Key) (string, bool) {
	if k.Collection == w.cidrs.Name() {
		_, ok := w.cidrs.Get(r, k.Key)
		return account, ok
	}
	res, ok := w.resources.Get(r, k.Key)
	return res.Account, ok
}

func (w *world) update(f func(tx *store.Tx)) {
	w.t.Helper()
	if err := w.store.Update(w.t.Context(), func(tx *store.Tx) error { f(tx); return nil }); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) provision(poolID string, cidrs ...string) {
	w.t.Helper()
	for _, c := range cidrs {
		w.update(func(tx *store.Tx) {
			w.cidrs.Put(tx, c, resolver.PoolCIDR{PoolID: poolID, CIDR: netip.MustParsePrefix(c)})
		})
	}
}

func (w *world) deprovision(cidr string) {
	w.t.Helper()
	w.update(func(tx *store.Tx) { w.cidrs.Delete(tx, cidr) })
}

func (w *world) id(prefix string) string {
	w.made++
	return fmt.Sprintf("%s-%04d", prefix, w.made)
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (w *world) request(rules ...resolver.Rule) resolver.Create {
	return resolver.Create{
		ID: w.id("resolver"), Account: account, Region: home, IPAMID: manager, Family: resolver.IPv4, Rules: rules, Time: time.Now(),
	}
}

func (w *world) resolver(rules ...resolver.Rule) resolver.Resolver {
	w.t.Helper()
	return must(w.Create(w.t.Context(), w.request(rules...), nil))(w.t)
}

func (w *world) list(size int) string {
	w.t.Helper()
	l := must(w.lists.Create(w.t.Context(), prefixlist.Create{
		ID: w.id("pl"), Account: account, Region: abroad, Name: "partners", Family: prefixlist.IPv4, MaxEntries: size, Time: time.Now(),
	}, nil))(w.t)
	return l.ID
}

func (w *world) aimed(res resolver.Resolver, list string) resolver.CreateTarget {
	return resolver.CreateTarget{ID: w.id("target"), Account: account, Region: home, ResolverID: res.ID, ListID: list, ListRegion: abroad, Track: true, Time: time.Now()}
}

func (w *world) target(res resolver.Resolver, list string) resolver.Target {
	w.t.Helper()
	return must(w.CreateTarget(w.t.Context(), w.aimed(res, list), nil))(w.t)
}

// settle waits until Run has seen all that was changed.
func (w *world) settle() {
	time.Sleep(3500 * time.Millisecond) // a round, one for what that wrote, and a rest
	synctest.Wait()
}

func (w *world) now(res resolver.Resolver) resolver.Resolver {
	got, _ := w.Resolver(w.store.Snapshot(), account, home, res.ID)
	return got
}

func (w *world) nowTarget(t resolver.Target) resolver.Target {
	got, _ := w.Target(w.store.Snapshot(), account, home, t.ID)
	return got
}

// selects checks which version a resolver has come to, and what it is.
func (w *world) selects(res resolver.Resolver, version int64, cidrs ...string) {
	w.t.Helper()
	w.settle()
	now := w.now(res)
	v, _ := w.Version(w.store.Snapshot(), now, now.Version)
	if now.Version != version || fmt.Sprint(v.CIDRs) != fmt.Sprint(prefixes(cidrs)) || now.Status != resolver.Success {
		w.t.Errorf("got version %d, %s, of %v; want %d of %v", now.Version, now.Status, v.CIDRs, version, cidrs)
	}
}

// holds checks what a prefix list holds.
func (w *world) holds(list string, cidrs ...string) {
	w.t.Helper()
	snap := w.store.Snapshot()
	l, _ := w.lists.List(snap, account, abroad, list)
	all, _ := w.lists.Entries(snap, l, l.Version)
	var got []netip.Prefix
	for _, e := range all {
		got = append(got, e.CIDR)
	}
	if fmt.Sprint(got) != fmt.Sprint(prefixes(cidrs)) {
		w.t.Errorf("list %s: got %v, want %v", list, got, cidrs)
	}
}

func prefixes(cidrs []string) (all []netip.Prefix) {
	for _, c := range cidrs {
		all = append(all, netip.MustParsePrefix(c))
	}
	slices.SortFunc(all, netip.Prefix.Compare)
	return all
}

func reasonOf(err error) string {
	if e, ok := errors.AsType[*resolver.CallError](err); ok {
		return string(e.Reason)
	}
	if e, ok := errors.AsType[*resolver.NotFoundError](err); ok {
		return string(e.Noun)
	}
	if e, ok := errors.AsType[*prefixlist.CallError](err); ok {
		return "list: " + string(e.Reason)
	}
	return ""
}

func ofPools(conditions ...resolver.Condition) resolver.Rule {
	return resolver.Rule{Kind: resolver.PoolCIDRs, ScopeID: scope, Conditions: conditions}
}

func ofResources(kind string, conditions ...resolver.Condition) resolver.Rule {
	return resolver.Rule{Kind: resolver.ResourceCIDR, ScopeID: scope, Type: kind, Conditions: conditions}
}

func static(cidr string) resolver.Rule {
	return resolver.Rule{Kind: resolver.StaticCIDR, CIDR: netip.MustParsePrefix(cidr)}
}

// bubble runs a test in a world whose time is its own.
func bubble(t *testing.T, f func(*testing.T, *world)) {
	synctest.Test(t, func(t *testing.T) { f(t, open(t, memstore.New())) })
}
