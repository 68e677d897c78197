package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/charmbracelet/x/term"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/demo"
)

type demoCmd struct {
	settings
	Port uint16 `help:"Have the load balancer listen on the port (default ${default})." default:"${demo_port}" placeholder:"PORT"`
}

// Run shows the demo until a signal ends it. Without a data directory it leaves
// nothing behind.
func (c *demoCmd) Run(ctx context.Context, std streams) (err error) {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	if cfg.DataDir == "" {
		if cfg.DataDir, err = os.MkdirTemp("", "fairlead-demo-"); err != nil {
			return fmt.Errorf("make data directory: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(cfg.DataDir)) }()
	}
	if err := cfg.Check(); err != nil {
		return err
	}
	if err := armFailpoint(); err != nil {
		return err
	}
	return demo.Run(ctx, demo.Options{
		Config: cfg, Version: version, Log: logger(cfg, std.err),
		CIDR: demo.DefaultCIDR, Port: c.Port,
		Out: std.out, Live: isTerminal(std.out),
	})
}

// config returns the settings, of which the data directory may be "". The demo
// logs less by default than a server: its page is on the same screen.
func (c *demoCmd) config() (config.Config, error) {
	base := config.Default()
	base.DataDir, base.LogLevel = "", "warn"
	return c.over(base)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(f.Fd())
}
