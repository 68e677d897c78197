package main

import (
	"context"

	"github.com/fairlead/fairlead/internal/status"
)

type forecastCmd struct {
	report
	Pool string `arg:"" help:"The pool's id."`
}

// Run tells when a pool will be exhausted.
func (c *forecastCmd) Run(ctx context.Context, std streams) error {
	return show(ctx, std, c.report, "/pools/"+c.Pool+"/forecast", new(status.Forecast))
}
