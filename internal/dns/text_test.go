package dns_test

import (
	"iter"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/dns"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// texts keeps texts as records of a collection of its own, each at names that begin
// with its key.
type texts struct {
	records *store.Collection[[]string]
}

func (x texts) Collection() string { return x.records.Name() }

func (x texts) Texts(r store.Reader, key string) (names, texts []string) {
	if texts, _ = x.records.Get(r, key); len(texts) > 0 {
		names = []string{key + "-a.ELB.example", key + "-b.elb.example"}
	}
	return names, texts
}

func (x texts) All(r store.Reader) iter.Seq[string] {
	return func(yield func(string) bool) {
		for k := range x.records.All(r) {
			if !yield(k) {
				return
			}
		}
	}
}

// What an authority looks for is in DNS as long as there is a record of it, beside
// the names of load balancers, and may be remembered for a second.
func TestTextsFollowTheRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := store.New(memstore.New(), "/test", slog.New(slog.DiscardHandler))
		src, txt := source{store.NewCollection[dns.Endpoint](st, "endpoint", 1)}, texts{store.NewCollection[[]string](st, "text", 1)}
		if err := st.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		put := func(key string, texts ...string) {
			t.Helper()
			err := st.Update(t.Context(), func(tx *store.Tx) error {
				src.endpoints.Put(tx, "lb", dns.Endpoint{Name: "shop.elb.example"})
				if texts == nil {
					txt.records.Delete(tx, key)
				} else {
					txt.records.Put(tx, key, texts)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		put("before", "marker")
		srv := &server{names: map[string]snapshot.Name{}}
		feed := dns.NewFeed(st, src, srv, dns.Options{BaseDomain: "elb.example", TTL: time.Minute, Texts: txt})
		go feed.Run(t.Context(), nil)
		synctest.Wait()
		check := func(when string, want ...string) {
			t.Helper()
			want = append(want, "dualstack.shop.elb.example.", "shop.elb.example.")
			slices.Sort(want)
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(srv.names))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", when, diff)
			}
		}
		check("at the start", "before-a.elb.example.", "before-b.elb.example.")
		serial := srv.zone.Serial
		put("later", "marker", "answer")
		check("one more", "before-a.elb.example.", "before-b.elb.example.", "later-a.elb.example.", "later-b.elb.example.")
		if diff := cmp.Diff(snapshot.Name{Owner: "later-a.elb.example.", TTL: time.Second, TXT: []string{"marker", "answer"}}, srv.names["later-a.elb.example."]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if srv.zone.Serial <= serial {
			t.Errorf("the zone's serial was %d and is %d after a change, want it to grow", serial, srv.zone.Serial)
		}
		put("later", "marker")
		if got := srv.names["later-b.elb.example."].TXT; !slices.Equal(got, []string{"marker"}) {
			t.Errorf("after the answer's end: got %q", got)
		}
		put("before")
		check("after its end", "later-a.elb.example.", "later-b.elb.example.")
		if err := st.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(srv.names) != 0 {
			t.Errorf("after a reset: %v", srv.names)
		}
	})
}
