package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/route"
)

// table is all that decides about the requests of one port. It never changes;
// Apply puts another one in its place.
type table struct {
	rules   *route.Table
	groups  []*group         // by route.Share.Group
	cursors []*atomic.Uint64 // by route.Rule.Index: places among target groups

	port            uint16
	host            []byte  // for requests without a Host
	tls             *secure // nil: clients speak in the clear
	idleTimeout     time.Duration
	clientKeepAlive time.Duration
}

// port is one listener of a node, open.
type port struct {
	proxy    *Proxy
	node     *node
	number   uint16
	listener net.Listener
	table    atomic.Pointer[table]
	closing  atomic.Bool

	mu    sync.Mutex // guards the following
	conns map[*client]struct{}
	since time.Time // when it began to close
}

// openPort listens. An error says what to do about it.
func (p *Proxy) openPort(n *node, number uint16, t *table) (*port, error) {
	at := netip.AddrPortFrom(n.bound, number)
	lc := net.ListenConfig{KeepAlive: -1} // as dialTCP
	l, err := lc.Listen(p.ctx, "tcp", at.String())
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w%s", at, err, remedy(err, number))
	}
	port := &port{proxy: p, node: n, number: number, listener: l, conns: map[*client]struct{}{}}
	port.table.Store(t)
	return port, nil
}

// remedy says what to do about an address that can't be bound.
func remedy(err error, number uint16) string {
	switch {
	case errors.Is(err, syscall.EACCES) && number < 1024:
		return " (grant CAP_NET_BIND_SERVICE or set net.ipv4.ip_unprivileged_port_start)"
	case errors.Is(err, syscall.EADDRINUSE):
		return " (stop the process that listens there)"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return " (the address isn't on this host: check the attachment driver)"
	}
	return ""
}

// start accepts connections until close.
func (p *port) start() { p.proxy.wg.Go(p.accept) }

func (p *port) accept() {
	var pause time.Duration
	for {
		conn, err := p.listener.Accept()
		if err == nil {
			pause = 0
			p.serve(conn)
			continue
		}
		if p.closing.Load() || errors.Is(err, net.ErrClosed) {
			return
		}
		// Out of descriptors, most likely: what is open may free some.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		p.proxy.log.Warn("accept failed", "node", p.node.id, "port", p.number, "error", err, "pause", pause)
		if !sleep(p.proxy.ctx, pause) {
			return
		}
	}
}

// sleep waits; it returns false if ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// serve starts a connection's goroutine.
func (p *port) serve(conn net.Conn) {
	if s := p.table.Load().tls; s != nil {
		conn = tls.Server(conn, s.config)
	}
	c := newClient(p, conn)
	p.mu.Lock()
	if p.closing.Load() {
		p.mu.Unlock()
		_ = conn.Close() // it came while the listener closed
		return
	}
	p.conns[c] = struct{}{}
	p.node.open.Add(1)
	p.node.conns.Add(1)
	p.mu.Unlock()
	p.proxy.wg.Go(func() {
		c.serve()
		p.forget(c)
	})
}

// forget takes a closed connection off the books.
func (p *port) forget(c *client) {
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
	left := p.node.open.Add(-1)
	if left == 0 && (p.closing.Load() || p.node.draining.Load()) {
		p.proxy.changed(p.node.id)
	}
	p.node.conns.Done()
}

// close stops accepting and has every connection end with the response that is
// due. Idle connections end at once.
func (p *port) close() {
	p.mu.Lock()
	p.closing.Store(true)
	p.since = time.Now()
	for c := range p.conns {
		c.closeIfIdle()
	}
	p.mu.Unlock()
	_ = p.listener.Close() // it can only say that it is closed already
}

// cut ends every connection now.
func (p *port) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.cut()
	}
}

// overdue says whether the port has been closing for longer than closeGrace.
func (p *port) overdue(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.since.IsZero() && now.Sub(p.since) >= closeGrace && len(p.conns) > 0
}

// empty says that no connection is left.
func (p *port) empty() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns) == 0
}
