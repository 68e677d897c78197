package prefixlist_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/prefixlist"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	account = "111122223333"
	region  = "local-1"
)

var t0 = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

// room is the room with users that are made up: each names one list, and bears
// so many entries of it.
type room struct {
	*prefixlist.Service
	t     *testing.T
	store *store.Store
	tags  *tags.Service
	users map[string]int
}

func (r *room) Of(_ store.Reader, _, from string) iter.Seq[string] {
	return r.each(func(id string, _ int) bool { return id >= from })
}

func (r *room) Full(_ store.Snapshot, _ string, maxEntries int) iter.Seq[string] {
	return r.each(func(_ string, bears int) bool { return maxEntries > bears })
}

func (r *room) each(which func(string, int) bool) iter.Seq[string] {
	var ids []string
	for id, bears := range r.users {
		if which(id, bears) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Values(ids)
}

func open(t *testing.T, engine store.Engine, q prefixlist.Quotas) *room {
	t.Helper()
	r := &room{t: t, store: store.New(engine, "test", slog.New(slog.DiscardHandler)), users: map[string]int{}}
	r.tags = tags.New(r.store)
	r.Service = prefixlist.New(r.store, r.tags, idempotency.New(r.store), prefixlist.Options{Users: r, Quotas: q})
	if err := r.store.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.store.Close)
	return r
}

func begin(t *testing.T) *room { return open(t, memstore.New(), prefixlist.DefaultQuotas) }

// interrupted lets something happen between a transaction's decision and its
// commit, once.
type interrupted struct {
	store.Engine
	by func()
}

func (e *interrupted) Commit(ctx context.Context, t store.Txn) (store.Result, error) {
	if f := e.by; f != nil {
		e.by = nil
		f()
	}
	return e.Engine.Commit(ctx, t)
}

func entries(cidrs ...string) (all []prefixlist.Entry) {
	for _, c := range cidrs {
		all = append(all, prefixlist.Entry{CIDR: netip.MustParsePrefix(c), Description: "of " + c})
	}
	return all
}

func prefixes(cidrs ...string) (all []netip.Prefix) {
	for _, c := range cidrs {
		all = append(all, netip.MustParsePrefix(c))
	}
	return all
}

func request(id string, max int, cidrs ...string) prefixlist.Create {
	return prefixlist.Create{
		ID: id, Account: account, Region: region, Name: "partners", Family: prefixlist.IPv4, MaxEntries: max, Entries: entries(cidrs...), Time: t0,
	}
}

func (r *room) list(id string, max int, cidrs ...string) prefixlist.List {
	r.t.Helper()
	l, err := r.Create(r.t.Context(), request(id, max, cidrs...), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return l
}

// change adds and removes CIDRs of the version that the list has.
func (r *room) change(id string, add []prefixlist.Entry, remove []netip.Prefix) (prefixlist.List, error) {
	l, _ := r.List(r.store.Snapshot(), account, region, id)
	return r.Modify(r.t.Context(), prefixlist.Modify{ID: id, Account: account, Region: region, CurrentVersion: &l.Version, Add: add, Remove: remove}, nil)
}

// holds checks what a list was in a version, 0 for now.
func (r *room) holds(id string, version int64, cidrs ...string) {
	r.t.Helper()
	snap := r.store.Snapshot()
	l, _ := r.List(snap, account, region, id)
	if version == 0 {
		version = l.Version
	}
	var got []netip.Prefix
	all, _ := r.Entries(snap, l, version)
	for _, e := range all {
		got = append(got, e.CIDR)
	}
	if fmt.Sprint(got) != fmt.Sprint(prefixes(cidrs...)) {
		r.t.Errorf("version %d: got %v, want %v", version, got, cidrs)
	}
}

func reasonOf(err error) prefixlist.Reason {
	if e, ok := errors.AsType[*prefixlist.CallError](err); ok {
		return e.Reason
	}
	return ""
}
