package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/term"

	"github.com/fairlead/fairlead/internal/api/fairlead"
	shapes "github.com/fairlead/fairlead/internal/shapes/fairlead"
	"github.com/fairlead/fairlead/internal/status"
	"github.com/fairlead/fairlead/internal/wire"
)

type migrationCmd struct {
	api
	LoadBalancer string `arg:"" name:"load-balancer" help:"The load balancer's name or ARN."`
	Cancel       bool   `help:"Return to the old addresses, as long as all of them are there."`
	Watch        bool   `short:"w" help:"Follow it to its end."`
	JSON         bool   `name:"json" help:"Write JSON, with --watch a line whenever something but the time has changed."`
}

// watchEvery is how often a migration that is watched is looked at.
const watchEvery = 500 * time.Millisecond

// Run shows a migration, after cancelling it if that is asked.
func (c *migrationCmd) Run(ctx context.Context, std streams) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	api.Spec = fairlead.Spec
	if c.Cancel {
		var out shapes.CancelMigrationOutput
		if err := api.Do(ctx, "CancelMigration", &shapes.CancelMigrationInput{LoadBalancer: &c.LoadBalancer}, &out); err != nil {
			return err
		}
	}
	if c.Watch {
		return c.watch(ctx, std, api)
	}
	m, err := c.describe(ctx, api)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(std, m)
	}
	_, err = lipgloss.Fprint(std.out, m.Render())
	return err
}

// watch shows the migration until it is over: on a terminal as it is all the
// time, elsewhere a line for each change.
func (c *migrationCmd) watch(ctx context.Context, std streams, api wire.Client) error {
	f, isFile := std.out.(*os.File)
	redraw := !c.JSON && isFile && term.IsTerminal(f.Fd())
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for last := ""; ; {
		m, err := c.describe(ctx, api)
		if err != nil {
			return err
		}
		switch line := m.Line(); {
		case redraw:
			_, err = lipgloss.Fprint(std.out, "\x1b[H\x1b[2J"+m.Render())
		case line == last:
		case c.JSON:
			last, err = line, writeJSON(std, m)
		default:
			last = line
			_, err = fmt.Fprintln(std.out, m.At.Format(time.RFC3339), line)
		}
		if err != nil || m.Over() {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func writeJSON(std streams, v any) error { return json.NewEncoder(std.out).Encode(v) }

var errNoMigration = errors.New("it has never moved to other addresses")

func (c *migrationCmd) describe(ctx context.Context, api wire.Client) (status.Migration, error) {
	var out shapes.DescribeMigrationOutput
	if err := api.Do(ctx, "DescribeMigration", &shapes.DescribeMigrationInput{LoadBalancer: &c.LoadBalancer}, &out); err != nil {
		return status.Migration{}, err
	}
	if out.Migration == nil {
		return status.Migration{}, fmt.Errorf("load balancer %s: %w", c.LoadBalancer, errNoMigration)
	}
	m := out.Migration
	return status.Migration{
		LoadBalancer: held(m.LoadBalancerName), ARN: held(m.LoadBalancerArn), DNSName: held(m.DnsName), State: held(m.State), FromPool: held(m.FromPool), ToPool: held(m.ToPool), FromType: held(m.FromType), ToType: held(m.ToType),
		Began: held(m.Began), Moved: held(m.Moved), Cancelled: held(m.Cancelled), Ended: held(m.Ended), EndsBy: held(m.EndsBy), Cancellable: held(m.Cancellable), Obstacle: held(m.Obstacle),
		Old: migratingNodes(m.OldNodes), New: migratingNodes(m.NewNodes), At: time.Now().UTC(),
	}, nil
}

func migratingNodes(nodes []shapes.MigratingNode) []status.MigratingNode {
	out := []status.MigratingNode{}
	for _, n := range nodes {
		x := status.MigratingNode{
			ID: held(n.NodeId), Zone: held(n.Zone), Public: held(n.PublicIp), IPv6: held(n.Ipv6Address), Private: held(n.PrivateIp), Pool: held(n.IpamPoolId), OffPool: held(n.OffPool), InDNS: held(n.InDns),
			Phase: held(n.Phase), EndsBy: held(n.EndsBy),
		}
		if n.OpenConnections != nil {
			x.Connections = new(int(*n.OpenConnections))
		}
		out = append(out, x)
	}
	return out
}

// held returns what a member of a reply has, zero if it is absent.
func held[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
