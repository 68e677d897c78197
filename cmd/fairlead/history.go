package main

import (
	"context"
	"net/netip"
	"net/url"

	"github.com/fairlead/fairlead/internal/status"
)

type historyCmd struct {
	report
	Address netip.Addr `arg:"" help:"The address."`
}

// Run shows who has and had an address.
func (c *historyCmd) Run(ctx context.Context, std streams) error {
	query := url.Values{"address": {c.Address.String()}}
	return show(ctx, std, c.report, "/history?"+query.Encode(), new(status.History))
}
