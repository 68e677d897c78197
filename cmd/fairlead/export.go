package main

import (
	"context"

	"github.com/fairlead/fairlead/internal/inventory"
)

type exportCmd struct {
	api
	Pools  []string `arg:"" optional:"" help:"The ids of the pools; none for all of the account and region."`
	Output string   `help:"Write csv, a line for each allocation, or json, with pools and CIDRs (default ${default})." enum:"csv,json" default:"csv" placeholder:"FORMAT"`
}

// Run writes pools and what is held in them.
func (c *exportCmd) Run(ctx context.Context, std streams) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	pools, err := inventory.NewExporter(api).Export(ctx, c.Pools...)
	if err != nil {
		return err
	}
	if c.Output == "json" {
		return inventory.WriteJSON(std.out, pools)
	}
	return inventory.WriteCSV(std.out, pools)
}
