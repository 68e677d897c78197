package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/api/fairlead"
	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/event"
	shapes "github.com/fairlead/fairlead/internal/shapes/fairlead"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/wire"
)

// events is a site whose events are numbered and streamed.
type events struct{ *site }

func newEvents(t *testing.T) *events {
	s := newSite(t, memstore.New()).listen()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.events.Run(ctx) })
	t.Cleanup(func() { s.wire.EndStreams(); cancel(); running.Wait() })
	s.client.Spec = fairlead.Spec
	return &events{s}
}

func (e *events) put(account string, kinds ...string) {
	e.t.Helper()
	err := e.store.Update(e.t.Context(), func(tx *store.Tx) error {
		for _, k := range kinds {
			e.rooms.events.Put(tx, event.Event{Time: time.Now(), Kind: event.Kind(k), Account: account, Resource: "vpc-1", Message: k})
		}
		return nil
	})
	if err != nil {
		e.t.Fatal(err)
	}
}

func (e *events) settled(n uint64) {
	e.t.Helper()
	for e.rooms.events.Head(e.store.Snapshot()) < n {
		if e.t.Context().Err() != nil {
			e.t.Fatal("the events got no numbers")
		}
		time.Sleep(time.Millisecond) // the numbers are given by another goroutine
	}
}

// read streams as an account until n events are there, or to the end if n is 0.
func (e *events) read(account string, in *shapes.StreamEventsInput, last string, n int) (string, error) {
	c := e.client
	c.AccessKeyID = account
	var got []string
	enough := errors.New("enough")
	err := c.Stream(e.t.Context(), "StreamEvents", in, last, func(ev wire.ServerEvent) error {
		var x event.Event
		if err := json.Unmarshal([]byte(ev.Data), &x); err != nil || fmt.Sprint(x.Seq) != ev.ID || string(x.Kind) != ev.Kind {
			e.t.Errorf("got %+v, %v", ev, err)
		}
		if got = append(got, ev.ID+":"+ev.Kind); len(got) == n {
			return enough
		}
		return nil
	})
	if errors.Is(err, enough) {
		err = nil
	}
	return strings.Join(got, " "), err
}

// I8: an account is told of its own; the root account of nobody's, too, and of
// everybody's if it asks.
func TestAnAccountIsToldOfItsOwnEvents(t *testing.T) {
	e := newEvents(t)
	e.put(tenant, "a", "b")
	e.put("444455556666", "c")
	e.put("", "d")
	e.put(tenant, "e.x")
	e.settled(5)
	for name, c := range map[string]struct {
		account string
		in      shapes.StreamEventsInput
		last    string
		want    string
	}{
		"its own":                  {tenant, shapes.StreamEventsInput{}, "", "1:a 2:b 5:e.x"},
		"another's":                {"444455556666", shapes.StreamEventsInput{}, "", "3:c"},
		"nobody's":                 {wire.DevAccount, shapes.StreamEventsInput{}, "", "4:d"},
		"everybody's":              {wire.DevAccount, shapes.StreamEventsInput{AllAccounts: new(true)}, "", "1:a 2:b 3:c 4:d 5:e.x"},
		"of a kind":                {tenant, shapes.StreamEventsInput{Kind: new("e.*")}, "", "5:e.x"},
		"about a resource":         {tenant, shapes.StreamEventsInput{Resource: new("vpc-2")}, "", ""},
		"the latest":               {tenant, shapes.StreamEventsInput{Latest: new(int32(1))}, "", "5:e.x"},
		"after one":                {tenant, shapes.StreamEventsInput{After: new(int64(1))}, "", "2:b 5:e.x"},
		"after what was seen last": {tenant, shapes.StreamEventsInput{Latest: new(int32(1))}, "1", "2:b 5:e.x"},
		"since the future":         {tenant, shapes.StreamEventsInput{Since: new(time.Now().Add(time.Hour))}, "", ""},
		"emptied meanwhile":        {tenant, shapes.StreamEventsInput{}, "999", "1:a 2:b 5:e.x"},
	} {
		if got, err := e.read(c.account, &c.in, c.last, 0); got != c.want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		in   shapes.StreamEventsInput
		last string
		code string
	}{
		"all accounts":         {shapes.StreamEventsInput{AllAccounts: new(true)}, "", "UnauthorizedOperation"},
		"a pattern that isn't": {shapes.StreamEventsInput{Kind: new("[")}, "", "InvalidParameterValue"},
		"too many":             {shapes.StreamEventsInput{Latest: new(int32(10_001))}, "", "InvalidParameterValue"},
		"before the first":     {shapes.StreamEventsInput{After: new(int64(-1))}, "", "InvalidParameterValue"},
		"no number":            {shapes.StreamEventsInput{}, "x", "InvalidParameterValue"},
	} {
		_, err := e.read(tenant, &c.in, c.last, 0)
		if refusal, ok := errors.AsType[*apierr.Error](err); !ok || refusal.Code != c.code {
			t.Errorf("%s: got %v, want %s", name, err, c.code)
		}
	}
}

func TestAStreamGoesOnWithWhatIsToCome(t *testing.T) {
	e := newEvents(t)
	e.put(tenant, "a")
	e.settled(1)
	more := make(chan string)
	go func() {
		got, _ := e.read(tenant, &shapes.StreamEventsInput{Follow: new(true)}, "", 4)
		more <- got
	}()
	e.put("444455556666", "no")
	for _, k := range []string{"b", "c", "d"} {
		e.put(tenant, k)
	}
	got := strings.Fields(<-more)
	var kinds []string
	for _, x := range got {
		_, k, _ := strings.Cut(x, ":")
		kinds = append(kinds, k)
	}
	if !slices.Equal(kinds, []string{"a", "b", "c", "d"}) {
		t.Errorf("got %v", got)
	}
}
