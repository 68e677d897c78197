package main

import (
	"context"

	"github.com/fairlead/fairlead/internal/status"
)

type poolsCmd struct{ report }

// Run shows the pools as a tree.
func (c *poolsCmd) Run(ctx context.Context, std streams) error {
	return show(ctx, std, c.report, "/pools", new(status.Pools))
}
