package event_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a log over an engine; run has it number events.
type world struct {
	*event.Log
	t    *testing.T
	st   *store.Store
	stop func()
}

func open(t *testing.T, engine store.Engine, o event.Options) *world {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	st := store.New(engine, "test", o.Log)
	w := &world{event.New(st, o), t, st, nil}
	if err := st.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.stop = sync.OnceFunc(st.Close)
	return w
}

func (w *world) run() *world {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); w.Run(ctx) }()
	w.stop = sync.OnceFunc(func() { cancel(); <-ended; w.st.Close() })
	return w
}

func (w *world) put(events ...event.Event) {
	w.t.Helper()
	err := w.st.Update(w.t.Context(), func(tx *store.Tx) error {
		for _, e := range events {
			w.Put(tx, e)
		}
		return nil
	})
	if err != nil {
		w.t.Error(err)
	}
}

func (w *world) all() (events []event.Event) {
	return slices.Collect(w.After(w.st.Snapshot(), 0))
}

func (w *world) kinds() string {
	var out []string
	for _, e := range w.all() {
		out = append(out, fmt.Sprint(e.Seq, ":", e.Kind))
	}
	return strings.Join(out, " ")
}

func of(k string) event.Event {
	return event.Event{Time: time.Now(), Kind: event.Kind(k), Account: "111122223333"}
}

// Events get numbers in the order in which they happened, without a gap, also
// those that waited while nobody gave numbers.
func TestEventsAreNumberedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := memstore.New()
		w := open(t, engine, event.Options{})
		w.put(of("a"), of("b"))
		time.Sleep(time.Second)
		w.put(of("c"))
		if got := w.kinds(); got != "" {
			t.Errorf("before anybody gives numbers: got %q", got)
		}
		w.stop()
		w = open(t, engine, event.Options{}).run() // the process was killed in between
		time.Sleep(time.Second)
		w.put(of("d"))
		w.Tell(of("e"))
		time.Sleep(time.Second)
		if got, want := w.kinds(), "1:a 2:b 3:c 4:d 5:e"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		w.stop()
		w = open(t, engine, event.Options{}).run()
		defer w.stop()
		w.put(of("f"))
		time.Sleep(time.Second)
		if got, want := w.kinds(), "1:a 2:b 3:c 4:d 5:e 6:f"; got != want {
			t.Errorf("after a restart: got %q, want %q", got, want)
		}
		if got := w.Head(w.st.Snapshot()); got != 6 {
			t.Errorf("head: got %d, want 6", got)
		}
	})
}

// What a transaction that fails would have told isn't told.
func TestAnEventIsToldIfAndOnlyIfItHappened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, memstore.New(), event.Options{}).run()
		defer w.stop()
		no := errors.New("no")
		err := w.st.Update(t.Context(), func(tx *store.Tx) error { w.Put(tx, of("a")); return no })
		if !errors.Is(err, no) {
			t.Fatal(err)
		}
		w.put(of("b"))
		time.Sleep(time.Second)
		if got := w.kinds(); got != "1:b" {
			t.Errorf("got %q, want b alone", got)
		}
	})
}

// Two servers give every event one number, and no number twice. I5.
func TestTwoServersShareOneOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := memstore.New()
		one, two := open(t, engine, event.Options{}).run(), open(t, engine, event.Options{}).run()
		defer one.stop()
		defer two.stop()
		var wg sync.WaitGroup
		for n := range 60 {
			wg.Go(func() { one.put(of(fmt.Sprint("one-", n))) })
			wg.Go(func() { two.put(of(fmt.Sprint("two-", n))) })
			wg.Go(func() { two.Tell(of(fmt.Sprint("told-", n))) })
		}
		wg.Wait()
		time.Sleep(time.Minute)
		seen := map[event.Kind]int{}
		for i, e := range one.all() {
			seen[e.Kind]++
			if e.Seq != uint64(i+1) || seen[e.Kind] > 1 {
				t.Fatalf("event %d has the number %d and comes %d times", i+1, e.Seq, seen[e.Kind])
			}
		}
		if len(seen) != 180 || len(two.all()) != 180 {
			t.Errorf("got %d and %d events, want 180", len(seen), len(two.all()))
		}
	})
}

func TestTheLogIsBoundedByNumberAndAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, memstore.New(), event.Options{Max: 100, MaxAge: 24 * time.Hour}).run()
		defer w.stop()
		for n := range 250 {
			w.put(of(fmt.Sprint(n)))
		}
		time.Sleep(time.Second)
		got := w.all()
		if len(got) != 100 || got[0].Seq != 151 || w.First(w.st.Snapshot()) != 151 {
			t.Errorf("got %d events from %d on, want 100 from 151 on", len(got), got[0].Seq)
		}
		time.Sleep(23 * time.Hour)
		w.put(of("young"))
		time.Sleep(3 * time.Hour)
		if got := w.kinds(); got != "251:young" {
			t.Errorf("a day later: got %.80q, want the one that is younger", got)
		}
	})
}

// A flood is cut off, and the log says so.
func TestAFloodIsToldOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, memstore.New(), event.Options{})
		for n := range 5000 {
			w.Tell(of(fmt.Sprint(n)))
		}
		w.run()
		defer w.stop()
		time.Sleep(time.Minute)
		var dropped []string
		for _, e := range w.all() {
			if e.Kind == event.Dropped {
				dropped = append(dropped, e.Details["count"])
			}
		}
		if len(dropped) != 1 || dropped[0] != "904" || len(w.all()) != 4096+1 {
			t.Errorf("got %d events, and that %v were dropped; want 4096 and one that says 904", len(w.all()), dropped)
		}
	})
}

func TestEventsAreChosen(t *testing.T) {
	noon := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	arn := "arn:aws:elasticloadbalancing:local-1:111122223333:loadbalancer/app/shop/0123456789abcdef"
	e := event.Event{Time: noon, Kind: event.AddressDrawn, Account: "111122223333", Resource: arn, Details: map[string]string{"address": "192.0.2.144", "pool": "ipam-pool-1"}}
	for name, c := range map[string]struct {
		f    event.Filter
		want bool
	}{
		"by nothing":                   {event.Filter{}, true},
		"its account's":                {event.Filter{Account: "111122223333"}, true},
		"another account's":            {event.Filter{Account: "444455556666", Nobodys: true}, false},
		"its kind":                     {event.Filter{Kind: "address.drawn"}, true},
		"kinds that begin as its does": {event.Filter{Kind: "address.*"}, true},
		"another kind":                 {event.Filter{Kind: "node.*"}, false},
		"its resource":                 {event.Filter{Resource: arn}, true},
		"its load balancer's name":     {event.Filter{Resource: "shop"}, true},
		"a part of that":               {event.Filter{Resource: "sho"}, false},
		"its address":                  {event.Filter{Resource: "192.0.2.144"}, true},
		"its pool":                     {event.Filter{Resource: "ipam-pool-1"}, true},
		"since its time":               {event.Filter{Since: noon}, true},
		"since later":                  {event.Filter{Since: noon.Add(1)}, false},
	} {
		if got := c.f.Admits(e); got != c.want {
			t.Errorf("%s: got %t, want %t", name, got, c.want)
		}
	}
	nobodys := event.Event{Kind: event.InterfaceSwept}
	if (event.Filter{Account: "111122223333"}).Admits(nobodys) || !(event.Filter{Account: "111122223333", Nobodys: true}).Admits(nobodys) {
		t.Error("nobody's event is for those who ask for it, too, alone")
	}
	if (event.Filter{Kind: "["}).Check() == nil {
		t.Error("a pattern that is none is accepted")
	}
}

func TestTheLatestAreFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, memstore.New(), event.Options{}).run()
		defer w.stop()
		for n := range 10 {
			w.put(of([]string{"even", "odd"}[n%2]))
		}
		time.Sleep(time.Second)
		for n, want := range map[int]uint64{0: 9, 1: 7, 2: 5, 5: 0, 50: 0} {
			if got := w.Latest(w.st.Snapshot(), event.Filter{Kind: "even"}, n); got != want {
				t.Errorf("the latest %d of five: got those after %d, want after %d", n, got, want)
			}
		}
	})
}

func TestANilLogKeepsNothing(t *testing.T) {
	var l *event.Log
	l.Put(nil, of("a"))
	l.Tell(of("a"))
}
