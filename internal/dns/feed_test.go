package dns_test

import (
	"context"
	"iter"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/dns"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// source keeps endpoints as records of a collection of its own.
type source struct {
	endpoints *store.Collection[dns.Endpoint]
}

func (s source) Collections() []string                    { return []string{s.endpoints.Name()} }
func (s source) Owner(_ store.Reader, k store.Key) string { return k.Key }
func (s source) Endpoints(r store.Reader) iter.Seq[string] {
	return func(yield func(string) bool) {
		for k := range s.endpoints.All(r) {
			if !yield(k) {
				return
			}
		}
	}
}
func (s source) Endpoint(r store.Reader, key string) (dns.Endpoint, bool) {
	return s.endpoints.Get(r, key)
}

// server remembers what it was given.
type server struct {
	mu    sync.Mutex
	zone  snapshot.Zone
	names map[string]snapshot.Name
}

func (s *server) SetZone(z snapshot.Zone) { s.mu.Lock(); defer s.mu.Unlock(); s.zone = z }
func (s *server) Put(n snapshot.Name)     { s.mu.Lock(); defer s.mu.Unlock(); s.names[n.Owner] = n }
func (s *server) Remove(o string)         { s.mu.Lock(); defer s.mu.Unlock(); delete(s.names, o) }

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// I4: a name says the addresses of nodes in service, and no other.
func TestNamesFollowTheRecords(t *testing.T) {
	for name, answerBound := range map[string]bool{"answering the node's address": false, "answering the bound address": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := store.New(memstore.New(), "/test", slog.New(slog.DiscardHandler))
				src := source{store.NewCollection[dns.Endpoint](st, "endpoint", 1)}
				if err := st.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				srv := &server{names: map[string]snapshot.Name{}}
				feed := dns.NewFeed(st, src, srv, dns.Options{BaseDomain: "elb.example", TTL: time.Minute, AnswerBound: answerBound})
				done := make(chan struct{})
				go func() { defer close(done); feed.Run(t.Context(), nil) }()
				t.Cleanup(func() { <-done; st.Close() })
				put := func(e *dns.Endpoint) {
					t.Helper()
					err := st.Update(t.Context(), func(tx *store.Tx) error {
						if e == nil {
							src.endpoints.Delete(tx, "lb")
						} else {
							src.endpoints.Put(tx, "lb", *e)
						}
						return nil
					})
					if err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
				}

				synctest.Wait()
				empty := srv.zone.Serial
				put(&dns.Endpoint{Name: "Shop-1.local-1.elb.example"})
				if srv.zone.Serial <= empty {
					t.Errorf("the zone's serial was %d and is %d after a change, want it to grow", empty, srv.zone.Serial)
				}
				none := snapshot.Name{Owner: "shop-1.local-1.elb.example.", TTL: time.Minute}
				if diff := cmp.Diff(none, srv.names[none.Owner], cmpopts.EquateComparable(netip.Addr{})); diff != "" {
					t.Errorf("without a node (-want +got):\n%s", diff)
				}
				put(&dns.Endpoint{Name: "Shop-1.local-1.elb.example", Nodes: []dns.Node{
					{Address: addr("203.0.113.9"), Bound: addr("127.130.0.1")},
					{Address: addr("127.64.0.1"), Bound: addr("127.64.0.1")},
				}})
				want := none
				want.A = []netip.Addr{addr("127.64.0.1"), addr("203.0.113.9")}
				if answerBound {
					want.A[1] = addr("127.130.0.1")
				}
				want.TXT = []string{"fairlead: 203.0.113.9 is served on 127.130.0.1"}
				for _, owner := range []string{"shop-1.local-1.elb.example.", "dualstack.shop-1.local-1.elb.example."} {
					want.Owner = owner
					if diff := cmp.Diff(want, srv.names[owner], cmpopts.EquateComparable(netip.Addr{})); diff != "" {
						t.Errorf("%s (-want +got):\n%s", owner, diff)
					}
				}
				put(nil)
				if len(srv.names) != 0 {
					t.Errorf("after deletion: got %v, want no names", srv.names)
				}
				if srv.zone.Origin != "elb.example." {
					t.Errorf("zone: got %+v", srv.zone)
				}
			})
		})
	}
}

// What was there when the feed stopped, and went while it was down, is gone once
// it says that it is ready; what was renamed goes by its new name alone.
func TestNamesAreCompleteWhenTheFeedIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := store.New(memstore.New(), "/test", slog.New(slog.DiscardHandler))
		src := source{store.NewCollection[dns.Endpoint](st, "endpoint", 1)}
		if err := st.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		put := func(key, name string) {
			t.Helper()
			err := st.Update(t.Context(), func(tx *store.Tx) error {
				src.endpoints.Put(tx, key, dns.Endpoint{Name: name, Nodes: []dns.Node{{Address: addr("192.0.2.144")}, {Address: addr("2001:db8::1")}}})
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		put("one", "one.elb.example")
		put("two", "two.elb.example")
		srv := &server{names: map[string]snapshot.Name{}}
		feed := dns.NewFeed(st, src, srv, dns.Options{BaseDomain: "elb.example", TTL: time.Minute})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		names := -1
		go feed.Run(ctx, func() { names = len(srv.names) })
		synctest.Wait()
		if names != 4 {
			t.Errorf("%d names when the feed was ready, want 4", names)
		}
		put("two", "deux.elb.example")
		if diff := cmp.Diff([]string{"deux.elb.example.", "dualstack.deux.elb.example.", "dualstack.one.elb.example.", "one.elb.example."},
			slices.Sorted(maps.Keys(srv.names))); diff != "" {
			t.Errorf("after a renaming (-want +got):\n%s", diff)
		}
		if n := srv.names["deux.elb.example."]; len(n.A) != 1 || len(n.AAAA) != 1 || n.TXT != nil {
			t.Errorf("got %+v, want an address of each family and no text", n)
		}
		if err := st.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(srv.names) != 0 {
			t.Errorf("after a reset: %v, want no names", srv.names)
		}
	})
}
