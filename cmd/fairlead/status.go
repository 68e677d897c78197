package main

import (
	"context"

	"github.com/fairlead/fairlead/internal/status"
)

type statusCmd struct{ report }

// Run shows the report of a running server.
func (c *statusCmd) Run(ctx context.Context, std streams) error {
	return show(ctx, std, c.report, "/status", new(status.Report))
}
