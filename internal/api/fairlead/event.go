package fairlead

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/shapes/fairlead"
	"github.com/fairlead/fairlead/internal/wire"
)

const (
	// MaxLatest is with how many past events a stream may begin.
	MaxLatest = 10_000
	// lifeEvery is how often a stream without events shows that it lives.
	lifeEvery = 15 * time.Second
)

// streamEvents sends events of the caller's account, to the root account those
// of nobody's, too, and everybody's if it asks for them.
func (a *api) streamEvents(ctx context.Context, c *wire.Call, in *fairlead.StreamEventsInput, out *wire.EventStream) error {
	f := event.Filter{Account: c.Account, Nobodys: c.Account == a.root, Kind: value(in.Kind), Resource: value(in.Resource), Since: value(in.Since)}
	if f.Check() != nil {
		return apierr.New("InvalidParameterValue", "Value (%s) for parameter Kind is invalid. It must be a kind of event, which may have * and ?, such as address.*.", f.Kind)
	}
	if value(in.AllAccounts) {
		if c.Account != a.root {
			return apierr.New("UnauthorizedOperation", "You are not authorized to perform this operation. Only the root account sees the events of all accounts.").WithStatus(http.StatusForbidden)
		}
		f.Account = ""
	}
	snap := a.store.Snapshot()
	last, resumed := uint64(0), false
	if in.After != nil {
		if *in.After < 0 {
			return apierr.New("InvalidParameterValue", "Value (%d) for parameter After is invalid. It must be the number of an event.", *in.After)
		}
		last, resumed = uint64(*in.After), true
	}
	if id := out.LastEventID; id != "" {
		n, err := strconv.ParseUint(id, 10, 63)
		if err != nil {
			return apierr.New("InvalidParameterValue", "The header Last-Event-ID '%.40s' is invalid. It must be the number of an event.", id)
		}
		last, resumed = n, true
	}
	if in.Latest != nil && !resumed {
		if *in.Latest < 0 || *in.Latest > MaxLatest {
			return apierr.New("InvalidParameterValue", "Value (%d) for parameter Latest is invalid. It must be a number from 0 to %d.", *in.Latest, MaxLatest)
		}
		if last = a.events.Latest(snap, f, int(*in.Latest)); *in.Latest == 0 {
			last = a.events.Head(snap)
		}
	}
	more := a.events.Follow()
	defer more.Close()
	if err := out.Open(); err != nil {
		return nil //nolint:nilerr // nobody is there to be told
	}
	if first := a.events.First(snap); resumed && first > last+1 {
		if out.Comment(fmt.Sprintf("events %d to %d are no longer kept", last+1, first-1)) != nil {
			return nil
		}
	}
	life := time.NewTicker(lifeEvery)
	defer life.Stop()
	for {
		more.Take() // before the snapshot, which then shows all that it tells of
		snap := a.store.Snapshot()
		if head := a.events.Head(snap); head < last {
			last = 0 // everything was emptied, and numbers begin anew
		}
		for e := range a.events.After(snap, last) {
			last = e.Seq
			if !f.Admits(e) {
				continue
			}
			if send(ctx, out, e) != nil {
				return nil
			}
		}
		if !value(in.Follow) {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-more.C:
		case <-life.C:
			if out.Comment("") != nil {
				return nil
			}
		}
	}
}

func send(ctx context.Context, out *wire.EventStream, e event.Event) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return out.Send(strconv.FormatUint(e.Seq, 10), string(e.Kind), data)
}

// value returns what a member holds, zero if it is absent.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
