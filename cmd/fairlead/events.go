package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/fairlead/fairlead/internal/api/fairlead"
	"github.com/fairlead/fairlead/internal/apierr"
	shapes "github.com/fairlead/fairlead/internal/shapes/fairlead"
	"github.com/fairlead/fairlead/internal/status"
	"github.com/fairlead/fairlead/internal/wire"
)

type eventsCmd struct {
	api
	Follow   bool   `short:"f" help:"Go on with what is to come, also when the server is restarted."`
	Resource string `help:"Only about the resource: an ARN, an id, a load balancer's name, an address." placeholder:"ID"`
	Kind     string `help:"Only of the kind, which may have * and ?: address.*." placeholder:"KIND"`
	Since    when   `help:"Only from the time on: 2026-11-23T06:00:00Z, or how long ago, such as 90m or 7d." placeholder:"TIME"`
	After    int64  `help:"Only after the event with the number." placeholder:"NUMBER" default:"-1"`
	Latest   int32  `help:"Begin with the latest so many (default ${default}); all with --since or --after." default:"100" placeholder:"N"`
	All      bool   `name:"all-accounts" help:"Events of all accounts. The root account's key is needed."`
	JSON     bool   `name:"json" help:"Write a line of JSON for each."`
}

// Pauses before a stream that broke is taken up again.
const (
	minReconnect = 200 * time.Millisecond
	maxReconnect = 5 * time.Second
)

// Run shows events.
func (c *eventsCmd) Run(ctx context.Context, std streams) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	api.Spec = fairlead.Spec
	in := &shapes.StreamEventsInput{Follow: &c.Follow, AllAccounts: &c.All}
	if c.Resource != "" {
		in.Resource = &c.Resource
	}
	if c.Kind != "" {
		in.Kind = &c.Kind
	}
	if since := c.Since.at; !since.IsZero() || c.Since.ago > 0 {
		if c.Since.ago > 0 {
			since = time.Now().Add(-c.Since.ago)
		}
		in.Since = &since
	}
	switch {
	case c.After >= 0:
		in.After = &c.After
	case in.Since == nil:
		in.Latest = &c.Latest
	}
	last, pause := "", minReconnect
	for {
		err := api.Stream(ctx, "StreamEvents", in, last, func(e wire.ServerEvent) error {
			last, pause = e.ID, minReconnect
			return c.write(std, e)
		})
		refusal, refused := errors.AsType[*apierr.Error](err)
		if !c.Follow || ctx.Err() != nil || refused && refusal.Status < 500 || errors.Is(err, errWrite) || last == "" && err != nil {
			return err
		}
		select { // the server was stopped, or the connection has broken
		case <-time.After(pause):
			pause = min(2*pause, maxReconnect)
		case <-ctx.Done():
			return nil
		}
	}
}

// errWrite says that the events go nowhere any more.
var errWrite = errors.New("write events")

func (c *eventsCmd) write(std streams, e wire.ServerEvent) error {
	if c.JSON {
		if _, err := fmt.Fprintln(std.out, e.Data); err != nil {
			return fmt.Errorf("%w: %w", errWrite, err)
		}
		return nil
	}
	var shown status.Event
	if err := json.Unmarshal([]byte(e.Data), &shown); err != nil {
		return fmt.Errorf("event %s: %w", e.ID, err)
	}
	if _, err := lipgloss.Fprint(std.out, shown.Render()); err != nil {
		return fmt.Errorf("%w: %w", errWrite, err)
	}
	return nil
}
