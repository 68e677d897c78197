package main

import (
	"context"
	"net/netip"
	"net/url"

	"github.com/fairlead/fairlead/internal/status"
)

type mapCmd struct {
	report
	Pool   string       `arg:"" help:"The pool's id."`
	Within netip.Prefix `arg:"" optional:"" help:"The prefix to look at more closely, such as 10.0.16.0/20."`
}

// Run draws who holds what in a pool.
func (c *mapCmd) Run(ctx context.Context, std streams) error {
	query := url.Values{}
	if c.Within.IsValid() {
		query.Set("within", c.Within.String())
	}
	path := url.URL{Path: "/pools/" + c.Pool + "/map", RawQuery: query.Encode()}
	return show(ctx, std, c.report, path.String(), new(status.Map))
}
