package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/fairlead/fairlead/internal/api/ec2"
	"github.com/fairlead/fairlead/internal/api/elbv2"
	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/server"
	"github.com/fairlead/fairlead/internal/status"
	"github.com/fairlead/fairlead/internal/wire"
)

// client is an account's way into one server.
type client struct {
	addrs  server.Addresses
	region config.Region
	http   *http.Client
	ec2    *wire.Client
	elb    *wire.Client
}

func newClient(a server.Addresses, region config.Region, key config.AccessKey) *client {
	c := &client{addrs: a, region: region, http: &http.Client{Transport: &http.Transport{}}}
	service := func(spec wire.ServiceSpec) *wire.Client {
		return &wire.Client{Endpoint: "http://" + a.API, Spec: spec, Region: region.Name,
			AccessKeyID: key.ID, Secret: key.Secret, HTTP: c.http}
	}
	c.ec2, c.elb = service(ec2.Spec), service(elbv2.Spec)
	return c
}

func (c *client) close() { c.http.CloseIdleConnections() }

// call sends one request and returns the reply.
func call[Out any](ctx context.Context, w *wire.Client, action string, in any) (*Out, error) {
	out := new(Out)
	err := w.Do(ctx, action, in, out)
	if refusal, ok := errors.AsType[*apierr.Error](err); ok { // which doesn't say of what
		return nil, fmt.Errorf("%s: %w", action, refusal)
	}
	return out, err
}

// refused says whether a call was refused with the code.
func refused(err error, code string) bool {
	refusal, ok := errors.AsType[*apierr.Error](err)
	return ok && refusal.Code == code
}

// report returns the server's report of itself.
func (c *client) report(ctx context.Context) (status.Report, error) {
	var r status.Report
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.addrs.Ops+"/status", nil)
	if err != nil {
		return r, fmt.Errorf("read status: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return r, fmt.Errorf("read status: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return r, fmt.Errorf("read status: %s", resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		return r, fmt.Errorf("read status: %w", err)
	}
	return r, nil
}

// readCredentials returns the first key of an AWS credentials file.
func readCredentials(path string) (config.AccessKey, error) {
	var k config.AccessKey
	f, err := os.Open(path)
	if err != nil {
		return k, fmt.Errorf("read credentials: %w", err)
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan() && (k.ID == "" || k.Secret == ""); {
		name, value, _ := strings.Cut(lines.Text(), "=")
		switch strings.TrimSpace(name) {
		case "aws_access_key_id":
			k.ID = strings.TrimSpace(value)
		case "aws_secret_access_key":
			k.Secret = strings.TrimSpace(value)
		}
	}
	if k.ID == "" || k.Secret == "" {
		return k, fmt.Errorf("read credentials: %s holds no key", path)
	}
	return k, nil
}
