package elb_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// trustStores are records of the test's own: names of authorities, by ARN.
type trustStores struct {
	records *store.Collection[[]string]
}

func newTrustStores(st *store.Store) trustStores {
	return trustStores{store.NewCollection[[]string](st, "test.truststore", 1)}
}

func (s trustStores) Has(r store.Reader, _, _, arn string) bool {
	_, ok := s.records.Get(r, arn)
	return ok
}

func (s trustStores) Use(*store.Tx, string) {}

func (s trustStores) Collection() string { return s.records.Name() }

func (s trustStores) Trust(r store.Reader, arn string) (*snapshot.TrustStore, bool) {
	names, ok := s.records.Get(r, arn)
	out := &snapshot.TrustStore{ARN: arn}
	for _, n := range names {
		out.Authorities = append(out.Authorities, []byte(n))
	}
	return out, ok
}

// trust puts a trust store in the place of what was there; without authorities it goes.
func (w *world) trust(arn string, authorities ...string) {
	w.t.Helper()
	err := w.st.Update(w.t.Context(), func(tx *store.Tx) error {
		if authorities == nil {
			w.trustStores.records.Delete(tx, arn)
		} else {
			w.trustStores.records.Put(tx, arn, authorities)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

// trusted are the trust stores that the host was told last, each with its authorities.
func (w *world) trusted() [][]string {
	synctest.Wait()
	var out [][]string
	for _, s := range w.newest().TrustStores {
		line := []string{s.ARN}
		for _, a := range s.Authorities {
			line = append(line, string(a))
		}
		out = append(out, line)
	}
	return out
}

// A host is told how listeners have clients authenticate themselves, and of the trust
// stores that these name: of a new content at once, and of no others. The rest of the
// assignment stays what it was.
func TestAHostIsToldWhomListenersTrust(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		w.certify("arn:a", "shop.example", "1")
		w.trust("arn:people", "People")
		w.trust("arn:others", "Others")
		b, web := w.create(shop("subnet-a", "subnet-b")), group(t, w.svc, "web")
		mutual := func(l elb.CreateListener, m elb.Mutual) elb.Listener {
			l.Protocol, l.TLS = "HTTPS", elb.TLSSettings{Certificates: []string{"arn:a"}, Mutual: m}
			return open(t, w.svc, l)
		}
		want := func(what string, want ...[]string) {
			t.Helper()
			if got := w.trusted(); !slices.EqualFunc(got, want, slices.Equal) {
				t.Errorf("%s: got %v, want %v", what, got, want)
			}
		}
		mutual(listener(b.ARN, 443, forward(web.ARN)), elb.Mutual{Mode: elb.MutualPassthrough})
		want("no listener verifies clients")
		verify := elb.Mutual{Mode: elb.MutualVerify, TrustStore: "arn:people", IgnoreExpiry: true, Advertise: true}
		l := mutual(listener(b.ARN, 8443, forward(web.ARN)), verify)
		want("one does", []string{"arn:people", "People"})

		listeners := w.newest().LoadBalancers[0].Listeners
		if got := *listeners[0].TLS.Mutual; got != (snapshot.Mutual{Mode: snapshot.MutualPassthrough}) {
			t.Errorf("passthrough: got %+v", got)
		}
		if got := *listeners[1].TLS.Mutual; got != (snapshot.Mutual{Mode: snapshot.MutualVerify, TrustStore: "arn:people", IgnoreExpiry: true, Advertise: true}) {
			t.Errorf("verify: got %+v", got)
		}
		before := w.newest()
		w.trust("arn:people", "People", "More")
		want("it has another bundle", []string{"arn:people", "People", "More"})
		changes, err := w.newest().Since(before)
		if err != nil || len(changes.TrustStores) != 1 || len(changes.LoadBalancers)+len(changes.Nodes)+len(changes.TargetGroups)+len(changes.Certificates) > 0 {
			t.Errorf("changes: %+v, %v", changes, err)
		}
		before = w.newest()
		w.trust("arn:others", "Others", "More")
		if w.newest() != before {
			t.Error("a trust store that nobody uses changes the assignment")
		}
		w.trust("arn:people")
		want("it is gone")
		w.trust("arn:people", "People")
		want("it is there again", []string{"arn:people", "People"})
		if err := w.svc.DeleteListener(t.Context(), account, region, l.ARN); err != nil {
			t.Fatal(err)
		}
		want("nobody uses it any more")
	})
}
