package main

import (
	"context"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/server"
)

type serverCmd struct {
	settings
	Dev *bool `help:"Accept any access key and any region, for emulation in tests; loopback addresses only." negatable:""`
}

// Run serves until a signal ends it.
func (c *serverCmd) Run(ctx context.Context, std streams) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	if err := armFailpoint(); err != nil {
		return err
	}
	started, stop := govern()
	defer stop()
	return server.Run(ctx, cfg, version, logger(cfg, std.err), func(server.Addresses) { started() })
}

func (c *serverCmd) config() (config.Config, error) {
	cfg, err := c.over(config.Default())
	if err != nil {
		return cfg, err
	}
	lay(&cfg.Dev, c.Dev)
	return cfg, cfg.Check()
}
