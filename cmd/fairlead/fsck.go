package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/server"
	"github.com/fairlead/fairlead/internal/status"
)

type fsckCmd struct {
	report
	Repair  bool   `help:"Repair what is provably right, and say what was done."`
	DataDir string `name:"data-dir" help:"Look into the directory of a server that doesn't run, rather than ask one that does." placeholder:"DIR"`
	Config  string `help:"With --data-dir: read settings from the YAML file, such as the quarantine of released addresses." placeholder:"FILE"`
}

// fsckTime is how long a sweep may take: some seconds for a million allocations.
const fsckTime = 5 * time.Minute

// Run proves that the records of addresses fit together. Findings are an error.
func (c *fsckCmd) Run(ctx context.Context, std streams) error {
	ctx, cancel := context.WithTimeout(ctx, fsckTime)
	defer cancel()
	body, err := c.sweep(ctx, std)
	if err != nil {
		return err
	}
	var found status.Fsck
	if err := json.Unmarshal(body, &found); err != nil {
		return fmt.Errorf("%s answered no report: %w", c.OpsAddr, err)
	}
	if c.Output == "json" {
		_, err = std.out.Write(body)
	} else {
		_, err = lipgloss.Fprint(std.out, found.Render())
	}
	switch {
	case err != nil:
		return err
	case found.Left == 1:
		return fmt.Errorf("1 finding")
	case found.Left > 1:
		return fmt.Errorf("%d findings", found.Left)
	}
	return nil
}

// sweep returns the report as JSON.
func (c *fsckCmd) sweep(ctx context.Context, std streams) ([]byte, error) {
	if c.DataDir == "" {
		if c.Config != "" {
			return nil, fmt.Errorf("--config goes with --data-dir: a running server has its settings")
		}
		method := http.MethodGet
		if c.Repair {
			method = http.MethodPost
		}
		return c.ask(ctx, method, "/fsck")
	}
	cfg := config.Default()
	if c.Config != "" {
		if err := config.ReadFile(c.Config, &cfg); err != nil {
			return nil, err
		}
	}
	cfg.DataDir, cfg.LogLevel = c.DataDir, "error"
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	out, err := server.Fsck(ctx, cfg, c.Repair, logger(cfg, std.err))
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(out, "", "  ")
}
