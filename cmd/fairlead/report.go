package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"time"

	"charm.land/lipgloss/v2"
)

// report is the flags of a command that shows what a running server says on its
// ops address.
type report struct {
	OpsAddr string `name:"ops-addr" help:"Ask the server that has the ops address (default ${default})." default:"${ops_addr}" env:"FAIRLEAD_OPS_ADDR" placeholder:"HOST:PORT"`
	Output  string `help:"Write text for people, or json (default ${default})." enum:"text,json" default:"text" placeholder:"FORMAT"`
	JSON    bool   `name:"json" help:"The same as --output json."`
}

// reportTime is how long a server may take to answer.
const reportTime = 10 * time.Second

// show asks the server for what path names, and writes it as text, for which
// it is decoded into v, or as it came.
func show(ctx context.Context, std streams, f report, path string, v interface{ Render() string }) error {
	ctx, cancel := context.WithTimeout(ctx, reportTime)
	defer cancel()
	body, err := f.ask(ctx, http.MethodGet, path)
	if err != nil {
		return err
	}
	if f.JSON || f.Output == "json" {
		_, err := std.out.Write(body) // as it is: a newer server may say more than this version knows
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%s answered no report: %w", f.OpsAddr, err)
	}
	_, err = lipgloss.Fprint(std.out, v.Render())
	return err
}

func (f report) ask(ctx context.Context, method, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+f.OpsAddr+path, nil)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("no server answers on %s; choose its address with --ops-addr", f.OpsAddr)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", path, err)
	case resp.StatusCode != http.StatusOK:
		reason, _, _ := strings.Cut(string(body), "\n")
		return nil, fmt.Errorf("read %s: %s answered %s: %s", path, f.OpsAddr, resp.Status, reason)
	}
	return body, nil
}
