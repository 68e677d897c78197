package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/fairlead/fairlead/internal/status"
)

type statusCmd struct {
	OpsAddr string `name:"ops-addr" help:"Ask the server that has the ops address (default ${default})." default:"${ops_addr}" placeholder:"HOST:PORT"`
	Output  string `help:"Write text for people, or json (default ${default})." enum:"text,json" default:"text" placeholder:"FORMAT"`
}

// statusTime is how long a server may take to answer.
const statusTime = 10 * time.Second

// Run shows the report of a running server.
func (c *statusCmd) Run(ctx context.Context, std streams) error {
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	body, err := c.fetch(ctx)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no server answers on %s; choose its address with --ops-addr", c.OpsAddr)
	case err != nil:
		return err
	}
	if c.Output == "json" {
		_, err := std.out.Write(body) // as it is: a newer server may say more than this version knows
		return err
	}
	var r status.Report
	if err := json.Unmarshal(body, &r); err != nil {
		return fmt.Errorf("%s answered no status: %w", c.OpsAddr, err)
	}
	_, err = lipgloss.Fprint(std.out, r.Render())
	return err
}

func (c *statusCmd) fetch(ctx context.Context) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.OpsAddr+"/status", nil)
	if err != nil {
		return nil, fmt.Errorf("read status: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("read status: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read status: %w", err)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("read status: %s answered %s", c.OpsAddr, resp.Status)
	}
	return body, nil
}
