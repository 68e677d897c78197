package px

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// listenerState is a node's present state, for readers without a lock.
type listenerState = atomic.Pointer[nodeState]

// listener is one port of a node. With err it isn't open.
type listener struct {
	arn string
	ln  net.Listener
	err error
}

// open opens a port on the node's address.
func (n *node) open(l snapshot.Listener) *listener {
	at := netip.AddrPortFrom(n.bound, l.Port)
	ln, err := (&net.ListenConfig{}).Listen(n.proxy.ctx, "tcp", at.String())
	if err != nil {
		return &listener{arn: l.ARN, err: remedy(at, err)}
	}
	n.proxy.tasks.Go(func() { n.accept(ln, l.Port) })
	return &listener{arn: l.ARN, ln: ln}
}

func (l *listener) close() {
	if l.ln != nil {
		_ = l.ln.Close()
	}
}

// remedy says what the operator can do about a port that can't be opened.
func remedy(at netip.AddrPort, err error) error {
	switch {
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("port %d needs a privilege that the process lacks: grant CAP_NET_BIND_SERVICE, or lower net.ipv4.ip_unprivileged_port_start, or use a port from 1024 on", at.Port())
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%v is in use by another process", at)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%v is not an address of this host", at.Addr())
	}
	return fmt.Errorf("open %v: %w", at, err)
}

// accept hands connections to their goroutines until the listener is closed.
func (n *node) accept(ln net.Listener, port uint16) {
	pause := time.Duration(0)
	for {
		conn, err := ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			// Out of file descriptors, most likely: connections wait in the
			// kernel's queue meanwhile.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			n.proxy.opts.Log.Warn("accepting connections failed", "node", n.id, "port", port, "error", err, "again_in", pause)
			select {
			case <-time.After(pause):
				continue
			case <-n.proxy.ctx.Done():
				return
			}
		}
		pause = 0
		c := newClient(n, conn, port)
		if !n.enter(c) {
			_ = conn.Close()
			continue
		}
		n.proxy.tasks.Go(c.serve)
	}
}
