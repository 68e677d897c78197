package idempotency_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, engine store.Engine) (*idempotency.Service, *store.Store) {
	t.Helper()
	st := store.New(engine, "/test", slog.New(slog.DiscardHandler))
	s := idempotency.New(st)
	if err := st.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(st.Close)
	return s, st
}

func remember(t *testing.T, s *idempotency.Service, st *store.Store, tok idempotency.Token, resource string) {
	t.Helper()
	err := st.Update(t.Context(), func(tx *store.Tx) error { s.Remember(tx, tok, resource); return nil })
	if err != nil {
		t.Fatal(err)
	}
}

var noon = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

func token() idempotency.Token {
	return idempotency.Token{Account: "111122223333", Region: "local-1", Action: "CreateIpam", Client: "one", Fingerprint: "f", Time: noon}
}

func TestATokenFindsWhatItsCallMade(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*idempotency.Token)
		want   string
		err    error
	}{
		"the same call":                      {change: func(*idempotency.Token) {}, want: "ipam-1"},
		"the same call a day later":          {change: func(k *idempotency.Token) { k.Time = noon.Add(idempotency.Retention) }, want: "ipam-1"},
		"the same call later than that":      {change: func(k *idempotency.Token) { k.Time = noon.Add(idempotency.Retention + 1) }},
		"other parameters":                   {change: func(k *idempotency.Token) { k.Fingerprint = "g" }, err: idempotency.ErrMismatch},
		"other parameters, later than a day": {change: func(k *idempotency.Token) { k.Fingerprint, k.Time = "g", noon.Add(25*time.Hour) }},
		"another token":                      {change: func(k *idempotency.Token) { k.Client = "two" }},
		"another account (I8)":               {change: func(k *idempotency.Token) { k.Account = "444455556666" }},
		"another region":                     {change: func(k *idempotency.Token) { k.Region = "local-2" }},
		"another action":                     {change: func(k *idempotency.Token) { k.Action = "CreateIpamPool" }},
		"no token":                           {change: func(k *idempotency.Token) { k.Client = "" }},
	} {
		t.Run(name, func(t *testing.T) {
			s, st := start(t, memstore.New())
			remember(t, s, st, token(), "ipam-1")
			none := token()
			none.Client = ""
			remember(t, s, st, none, "ipam-2") // is never remembered
			k := token()
			c.change(&k)
			got, found, err := s.Find(st.Snapshot(), k)
			if got != c.want || found != (c.want != "") || !errors.Is(err, c.err) {
				t.Errorf("got %q, %v, %v, want %q, %v", got, found, err, c.want, c.err)
			}
		})
	}
}

// Two calls with one token at once: the second finds what the first made.
func TestTwoCallsAtOnceMakeOneResource(t *testing.T) {
	s, st := start(t, memstore.New())
	first := true
	var got string
	err := st.Update(t.Context(), func(tx *store.Tx) error {
		id, found, err := s.Find(tx, token())
		if err != nil {
			return err
		}
		if found {
			got = id
			return nil
		}
		if first { // the other call comes between this one's decision and its commit
			first = false
			remember(t, s, st, token(), "ipam-other")
		}
		s.Remember(tx, token(), "ipam-mine")
		got = "ipam-mine"
		return nil
	})
	if err != nil || got != "ipam-other" {
		t.Errorf("got %s, %v, want ipam-other", got, err)
	}
}

// between does something before the first commit after it was set.
type between struct {
	store.Engine
	before func()
}

func (b *between) Commit(ctx context.Context, t store.Txn) (store.Result, error) {
	if f := b.before; f != nil {
		b.before = nil
		f()
	}
	return b.Engine.Commit(ctx, t)
}

func TestSweepForgetsWhatIsOldAndNothingElse(t *testing.T) {
	engine := &between{Engine: memstore.New()}
	s, st := start(t, engine)
	at := func(client string, when time.Time) idempotency.Token {
		k := token()
		k.Client, k.Time = client, when
		return k
	}
	for i := range 300 { // more than one transaction holds
		remember(t, s, st, at(fmt.Sprintf("old-%d", i), noon), "ipam-old")
	}
	remember(t, s, st, at("young", noon.Add(time.Hour)), "ipam-young")
	later := noon.Add(idempotency.Retention + time.Minute)
	engine.before = func() { // one is used anew while the sweep is under way
		remember(t, s, st, at("old-7", later), "ipam-new")
	}
	if err := s.Sweep(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	left := 0
	for i := range 300 {
		if _, found, _ := s.Find(st.Snapshot(), at(fmt.Sprintf("old-%d", i), noon)); found {
			left++
		}
	}
	if left != 1 {
		t.Errorf("%d of the old ones are left, want the 1 that was used anew", left)
	}
	for client, want := range map[string]string{"old-7": "ipam-new", "young": "ipam-young"} {
		if got, _, err := s.Find(st.Snapshot(), at(client, later)); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %s", client, got, err, want)
		}
	}
}
