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

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/route"
)

// table is all that decides about the requests of one port. It never changes;
// Apply puts another one in its place.
type table struct {
	rules    *route.Table
	guards   []guard          // by route.Rule.Index; nil: no rule has one
	callback *callback        // for what clients bring back from providers; nil: no rule sends them there
	groups   []*group         // by route.Share.Group
	cursors  []*atomic.Uint64 // by route.Rule.Index: places among target groups

	port            uint16
	host            []byte  // for requests without a Host
	tls             *secure // nil: clients speak in the clear
	sticky          *sticky // nil: no client can be kept with a target group
	edits           edits
	policy          http1.Policy
	logs            *logs // nil: nothing is logged
	idleTimeout     time.Duration
	clientKeepAlive time.Duration
}

// port is one listener of a node, open.
type port struct {
	proxy   *Proxy
	node    *node
	number  uint16
	on      listening
	table   atomic.Pointer[table]
	closing atomic.Bool
	looped  atomic.Int64 // connections on loops

	mu    sync.Mutex // guards the following
	conns map[*client]struct{}
	since time.Time // when it began to close
}

// listening is a port's open socket.
type listening interface {
	start() // accepts connections
	close() // gives the address up before it returns
}

// openPort listens. An error says what to do about it.
func (p *Proxy) openPort(n *node, number uint16, t *table) (*port, error) {
	at := netip.AddrPortFrom(n.bound, number)
	port := &port{proxy: p, node: n, number: number, conns: map[*client]struct{}{}}
	port.table.Store(t)
	if err := port.listen(at); err != nil {
		return nil, fmt.Errorf("listen on %s: %w%s", at, err, remedy(err, number))
	}
	return port, nil
}

// listenStream opens the port's socket for the stream shell.
func (p *port) listenStream(at netip.AddrPort) error {
	lc := net.ListenConfig{KeepAlive: -1} // as dialTCP
	l, err := lc.Listen(p.proxy.ctx, "tcp", at.String())
	if err != nil {
		return err
	}
	p.on = &streamListener{listener: l, port: p}
	return nil
}

// streamListener accepts a port's connections in a goroutine.
type streamListener struct {
	listener net.Listener
	port     *port
}

func (n *streamListener) start() { n.port.proxy.wg.Go(n.accept) }

func (n *streamListener) close() { _ = n.listener.Close() } // it can only say that it is closed already

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
func (p *port) start() { p.on.start() }

func (n *streamListener) accept() {
	var pause time.Duration
	p := n.port
	for {
		conn, err := n.listener.Accept()
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

// serve has the stream shell carry a connection.
func (p *port) serve(conn net.Conn) {
	if !p.enter() {
		if c, ok := conn.(*net.TCPConn); ok {
			_ = c.SetLinger(0) // it learns at once
		}
		_ = conn.Close()
		return
	}
	t := p.table.Load()
	if t.tls != nil {
		conn = tls.Server(&memory{below: conn}, t.tls.config)
	}
	c := newClient(p, conn)
	if t.tls == nil { // of others the handshake tells
		t.connected(c.thread, c.peer, c.trace, nil, 0, c.born)
	}
	p.take(c)
}

// enter puts a connection on the books; false if the port closes, or there are
// too many.
func (p *port) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing.Load() || !p.proxy.take(p.node) {
		return false
	}
	p.node.conns.Add(1)
	return true
}

// take starts the goroutine of a connection that is on the books.
func (p *port) take(c *client) {
	p.mu.Lock()
	p.conns[c] = struct{}{}
	p.mu.Unlock()
	p.proxy.wg.Go(func() {
		c.serve()
		p.mu.Lock()
		delete(p.conns, c)
		p.mu.Unlock()
		p.left()
	})
}

// left takes a closed connection off the books.
func (p *port) left() {
	p.proxy.budget.open.Add(-1)
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
	p.proxy.loops.each(func(l *loop) { l.closeIdle(p) })
	p.on.close()
}

// drain has sessions of HTTP/2 told that nothing more is to begin on them. Others
// learn it with their next response.
func (p *port) drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.lookUp()
	}
	p.proxy.loops.each(func(l *loop) { l.drain(p) })
}

// cut ends every connection now.
func (p *port) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.cut()
	}
	p.proxy.loops.each(func(l *loop) { l.cut(p) })
}

// overdue says whether the port has been closing for longer than closeGrace.
func (p *port) overdue(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.since.IsZero() && now.Sub(p.since) >= closeGrace && p.looped.Load()+int64(len(p.conns)) > 0
}

// empty says that no connection is left.
func (p *port) empty() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.looped.Load()+int64(len(p.conns)) == 0
}
