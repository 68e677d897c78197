package memstore_test

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(*testing.T) store.Engine { return memstore.New() }

func TestEngine(t *testing.T) { storetest.Run(t, open) }

func TestStore(t *testing.T) { storetest.RunStore(t, open) }

// A unit test of time over a store needs it to wait on nothing but channels
// and the bubble's clock.
func TestStoreInsideABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		e := memstore.New()
		a, b := store.New(e, "p", slog.Default()), store.New(e, "p", slog.Default())
		inA, inB := store.NewCollection[int](a, "n", 1), store.NewCollection[int](b, "n", 1)
		for _, s := range []*store.Store{a, b} {
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			defer s.Close()
		}
		sub := b.Subscribe("n")
		defer sub.Close()
		sub.Take()
		time.AfterFunc(time.Hour, func() {
			if err := a.Update(t.Context(), func(tx *store.Tx) error { inA.Put(tx, "k", 1); return nil }); err != nil {
				t.Error(err)
			}
		})
		<-sub.C // of Subscribe
		<-sub.C
		if got, ok := inB.Get(b.Snapshot(), "k"); !ok || got != 1 {
			t.Errorf("got %d, %v, want 1", got, ok)
		}
		// A conflict's pauses are on the bubble's clock too.
		runs := 0
		if err := a.Update(t.Context(), func(tx *store.Tx) error {
			n, _ := inA.Get(tx, "k")
			inA.Put(tx, "k", n+1)
			if runs++; runs > 3 {
				return nil
			}
			return b.Update(t.Context(), func(tx *store.Tx) error { inB.Put(tx, "k", 10*runs); return nil })
		}); err != nil {
			t.Fatal(err)
		}
		if got, _ := inA.Get(a.Snapshot(), "k"); got != 31 {
			t.Errorf("after the conflict: got %d, want 31", got)
		}
		if took := time.Since(begin); took < time.Hour || took > time.Hour+time.Second {
			t.Errorf("took %v, want an hour and less than a second", took)
		}
	})
}
