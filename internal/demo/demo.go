package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/server"
)

// DefaultPort is the listener's port where no other is asked for.
const DefaultPort = 8080

// DefaultCIDR is where the load balancer's addresses come from where nothing
// else is asked for. Linux serves it on the loopback interface as it is.
var DefaultCIDR = netip.MustParsePrefix("127.192.2.144/29")

// targetCount is how many targets serve.
const targetCount = 3

// settleTime bounds how long the load balancer may take until it serves. The
// slowest part is a target's first health check.
const settleTime = time.Minute

// Options is what the demo is run with.
type Options struct {
	Config  config.Config // of the server; DataDir is an existing or a new directory
	Version string
	Log     *slog.Logger

	CIDR netip.Prefix // the pool's; IPv4
	Port uint16       // the listener's

	Out  io.Writer
	Live bool // Out is a terminal: repaint it when something changes
}

// Run runs the demo until ctx ends, which is no error. An address that something
// else has is a *server.ListenError.
func Run(ctx context.Context, o Options) error {
	if err := o.checkPort(ctx); err != nil {
		return err
	}
	targets, err := startTargets(targetCount)
	if err != nil {
		return err
	}
	defer targets.stop() // after the server, which may have requests on their way

	group, running := errgroup.WithContext(ctx)
	ready := make(chan server.Addresses, 1)
	group.Go(func() error {
		err := server.Run(running, o.Config, o.Version, o.Log, func(a server.Addresses) { ready <- a })
		if err == nil && running.Err() == nil {
			err = errors.New("the server stopped by itself")
		}
		return err
	})
	group.Go(func() error {
		select {
		case a := <-ready:
			err := o.perform(running, a, targets)
			if running.Err() != nil {
				return nil // the step was interrupted; why is told by whoever ended it
			}
			return err
		case <-running.Done():
			return nil
		}
	})
	return group.Wait()
}

// checkPort finds out early whether the listener's port can be had on the pool's
// first address. It can't where another program listens on all addresses.
func (o Options) checkPort(ctx context.Context) error {
	addr := netip.AddrPortFrom(o.CIDR.Addr(), o.Port).String()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp4", addr)
	if err != nil {
		return &server.ListenError{Flag: "port", Addr: addr, Err: err}
	}
	return l.Close()
}

// perform sets the stage on a server that is ready, and shows it until ctx ends.
func (o Options) perform(ctx context.Context, a server.Addresses, t *targets) error {
	key, err := readCredentials(filepath.Join(o.Config.DataDir, "aws", "credentials"))
	if err != nil {
		return err
	}
	c := newClient(a, o.Config.Regions[0], key)
	defer c.close()
	st, err := c.stage(ctx, o, t.addrs())
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	settling, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	if err := c.settle(settling, st); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return o.show(ctx, c, st)
}
