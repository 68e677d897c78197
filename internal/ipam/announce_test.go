package ipam_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// announcer tells a test what it was told, unless fail has it fail.
type announcer struct {
	told chan string
	fail func(what string) error
}

func newAnnouncer() *announcer {
	return &announcer{told: make(chan string, 1000), fail: func(string) error { return nil }}
}

func (a *announcer) tell(what, region string, p netip.Prefix) error {
	text := fmt.Sprintf("%s %s %s", what, region, p)
	if err := a.fail(text); err != nil {
		return err
	}
	a.told <- text
	return nil
}

func (a *announcer) Announce(_ context.Context, region string, p netip.Prefix) error {
	return a.tell("announce", region, p)
}

func (a *announcer) Withdraw(_ context.Context, region string, p netip.Prefix) error {
	return a.tell("withdraw", region, p)
}

// keep has a server keep the announcer told until stop or the test's end.
func (a *announcer) keep(t *testing.T, w *world) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.KeepAnnounced(ctx, a)
	}()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	return stop
}

func (a *announcer) next(t *testing.T) string {
	t.Helper()
	select {
	case what := <-a.told:
		return what
	case <-time.After(5 * time.Second):
		t.Fatal("nothing was told for 5 s")
		return ""
	}
}

// eventually waits until a region has exactly this range, in this state.
func (w *world) eventually(region, want string) {
	w.t.Helper()
	sub := w.store.Subscribe("ipam.cidr")
	defer sub.Close()
	late := time.After(5 * time.Second)
	for !slices.Equal(brought(w, region), []string{want}) {
		select {
		case <-sub.C:
			sub.Take()
		case <-late:
			w.t.Fatalf("got %q, want %q", brought(w, region), want)
		}
	}
}

// advertised is a server with one range, for which Advertise has been called.
func advertised(t *testing.T) *world {
	t.Helper()
	w := open(t, memstore.New())
	w.bring(range18)
	must(w.Advertise(t.Context(), account, home, range18, nil))(t)
	return w
}

// soFar returns what was told since the last time, in a synctest bubble.
func (a *announcer) soFar() (all []string) {
	time.Sleep(100 * time.Millisecond) // more than the store's pause between two attempts at a commit
	synctest.Wait()
	for {
		select {
		case what := <-a.told:
			all = append(all, what)
		default:
			return all
		}
	}
}

const (
	announcing  = "announce us-east-1 198.18.0.0/24"
	withdrawing = "withdraw us-east-1 198.18.0.0/24"
)

// S7. What a process has told is gone with it: the next tells it again.
func TestARestartAnnouncesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := advertised(t)
		for range 2 {
			a := newAnnouncer()
			stop := a.keep(t, w)
			if got := a.soFar(); !slices.Equal(got, []string{announcing}) {
				t.Errorf("got %q", got)
			}
			if got := brought(w, home); !slices.Equal(got, []string{"198.18.0.0/24 advertised"}) {
				t.Errorf("got %q", got)
			}
			stop()
		}
	})
}

func TestAnAnnouncementIsToldOnceAndFollowsTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := advertised(t)
		a := newAnnouncer()
		a.keep(t, w)
		a.soFar()
		w.bring(netip.MustParsePrefix("198.18.7.0/24")) // a change of something else
		if got := a.soFar(); got != nil {
			t.Errorf("told again: %q", got)
		}
		must(w.Withdraw(t.Context(), account, home, range18, nil))(t)
		must(w.Advertise(t.Context(), account, home, range18, nil))(t)
		got := a.soFar()
		if len(got) == 0 || got[len(got)-1] != announcing {
			t.Errorf("withdrawn and advertised again: told %q last of all", got)
		}
		must(w.Withdraw(t.Context(), account, home, range18, nil))(t)
		if got := a.soFar(); !slices.Equal(got, []string{withdrawing}) {
			t.Errorf("got %q", got)
		}
	})
}

// Whoever tells of it first decides the state, and the others tell it, too.
func TestEveryServersAnnouncerIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := memstore.New()
		w, x := open(t, e), open(t, e)
		w.bring(range18)
		a, b := newAnnouncer(), newAnnouncer()
		a.keep(t, w)
		b.keep(t, x)
		must(w.Advertise(t.Context(), account, home, range18, nil))(t)
		for name, got := range map[string][]string{"first": a.soFar(), "second": b.soFar()} {
			if !slices.Equal(slices.Compact(got), []string{announcing}) {
				t.Errorf("%s: got %q", name, got)
			}
		}
		must(w.Withdraw(t.Context(), account, home, range18, nil))(t)
		for name, got := range map[string][]string{"first": a.soFar(), "second": b.soFar()} {
			if !slices.Equal(slices.Compact(got), []string{withdrawing}) {
				t.Errorf("%s: got %q", name, got)
			}
		}
		w.eventually(home, "198.18.0.0/24 provisioned")
	})
}

// A network that can't be told is told later, and nobody is led to believe
// otherwise meanwhile.
func TestAnAnnouncementThatFailsIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := advertised(t)
		a := newAnnouncer()
		failures := 0
		a.fail = func(string) error {
			if failures++; failures <= 3 {
				return errors.New("no session with the router")
			}
			return nil
		}
		a.keep(t, w)
		a.soFar()
		if got := brought(w, home); !slices.Equal(got, []string{"198.18.0.0/24 pending-advertising"}) {
			t.Errorf("after a failure: got %q", got)
		}
		time.Sleep(time.Second + 2*time.Second + 4*time.Second)
		if got := a.soFar(); !slices.Equal(got, []string{announcing}) {
			t.Errorf("got %q", got)
		}
		if got := brought(w, home); !slices.Equal(got, []string{"198.18.0.0/24 advertised"}) {
			t.Errorf("got %q", got)
		}
	})
}

// POST /reset empties the store under a server that has announced.
func TestWhatIsGoneIsWithdrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := advertised(t)
		a := newAnnouncer()
		a.keep(t, w)
		a.soFar()
		if err := w.store.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := a.soFar(); !slices.Equal(got, []string{withdrawing}) {
			t.Errorf("got %q", got)
		}
	})
}

var _ ipam.Announcer = (*announcer)(nil)
