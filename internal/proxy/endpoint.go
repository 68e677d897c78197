package proxy

import (
	"context"
	"crypto/tls"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/balance"
)

// maxIdlePerTarget bounds the connections kept for one target.
const maxIdlePerTarget = 1024

// endpointKey names a target of a target group as one connects to it.
type endpointKey struct {
	balance.Key
	tls bool
}

// endpoint is a target as one connects to it, with the connections that it has.
// It outlives the assignments that name the target.
type endpoint struct {
	key    endpointKey
	ref    targetRef
	target *balance.Target
	proxy  *Proxy
	tls    *tls.Config // nil: cleartext

	retired atomic.Bool // no assignment names it: nothing is kept
	pools   []loopPool  // connections of the loops, by loop

	mu     sync.Mutex               // guards the following, and the setting of retired
	idle   []*targetConn            // the one used last at the end
	active map[*targetConn]struct{} // in the hands of a request
}

// targetConn is a connection to a target.
type targetConn struct {
	stream
	endpoint *endpoint
	reused   bool      // it has answered a request before
	until    time.Time // while idle: when it is closed
}

// newEndpoint makes a target's endpoint; first says that the target is among the
// first of its group.
func (p *Proxy) newEndpoint(k endpointKey, first bool) *endpoint {
	e := &endpoint{key: k, ref: refOf(k.Key), proxy: p, target: p.registry.Target(k.Key, first), active: map[*targetConn]struct{}{}, pools: make([]loopPool, p.loops.count())}
	if k.tls {
		e.tls = &tls.Config{
			// ALB doesn't validate the certificates of targets: they are reached
			// by address, and trusted for being registered.
			InsecureSkipVerify: true,
			ClientSessionCache: tls.NewLRUClientSessionCache(16),
			NextProtos:         []string{"http/1.1"},
		}
	}
	return e
}

// take returns the idle connection that was used last, nil if there is none. The
// older ones get to rest and are closed in time.
func (e *endpoint) take() *targetConn {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := len(e.idle) - 1
	if n < 0 {
		return nil
	}
	t := e.idle[n]
	e.idle[n] = nil
	e.idle = e.idle[:n]
	e.active[t] = struct{}{}
	t.reused = true
	return t
}

// takeLive is take for a request that can't be sent twice: it leaves out
// connections that are seen to be dead.
func (e *endpoint) takeLive() *targetConn {
	for {
		t := e.take()
		if t == nil || t.peek() == quiet {
			return t
		}
		e.discard(t)
	}
}

// connect opens a connection.
func (e *endpoint) connect() (*targetConn, error) {
	ctx, cancel := context.WithTimeout(e.proxy.ctx, connectTimeout)
	defer cancel()
	conn, err := e.proxy.dial(ctx, e.key.Addr)
	if err != nil {
		return nil, err
	}
	if e.tls != nil {
		secure := tls.Client(conn, e.tls)
		hctx, cancel := context.WithTimeout(e.proxy.ctx, connectTimeout)
		defer cancel()
		if err := secure.HandshakeContext(hctx); err != nil {
			_ = conn.Close() // the handshake's error says more
			return nil, &handshakeError{err}
		}
		conn = secure
	}
	// The first deadline; the later ones are the waiter's.
	if err := conn.SetReadDeadline(time.Now().Add(watchInterval)); err != nil {
		_ = conn.Close()
		return nil, err
	}
	t := &targetConn{stream: newStream(conn), endpoint: e}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.active[t] = struct{}{}
	return t, nil
}

// handshakeError is why a target can't be spoken to within TLS.
type handshakeError struct{ cause error }

func (e *handshakeError) Error() string { return "TLS handshake: " + e.cause.Error() }
func (e *handshakeError) Unwrap() error { return e.cause }

// keep puts a connection back for the next request.
func (e *endpoint) keep(t *targetConn, idleTimeout time.Duration) {
	e.mu.Lock()
	delete(e.active, t)
	kept := !e.retired.Load() && len(e.idle) < maxIdlePerTarget
	if kept {
		t.until = time.Now().Add(idleTimeout)
		e.idle = append(e.idle, t)
	}
	e.mu.Unlock()
	if !kept {
		t.close()
	}
}

// discard closes a connection that was taken or opened.
func (e *endpoint) discard(t *targetConn) {
	e.mu.Lock()
	delete(e.active, t)
	e.mu.Unlock()
	t.close()
}

func (t *targetConn) close() { _ = t.conn.Close() } // nothing of value is lost with it

// sweep closes idle connections whose time has come and those that the target
// has closed.
func (e *endpoint) sweep(now time.Time) {
	var dead []*targetConn
	e.mu.Lock()
	rest := e.idle[:0]
	for _, t := range e.idle {
		if now.After(t.until) || t.peek() != quiet {
			dead = append(dead, t)
		} else {
			rest = append(rest, t)
		}
	}
	clear(e.idle[len(rest):])
	e.idle = rest
	e.mu.Unlock()
	for _, t := range dead {
		t.close()
	}
}

// retire closes the idle connections for good. cut ends requests under way too,
// as when a target's deregistration delay is over.
func (e *endpoint) retire(cut bool) {
	e.proxy.loops.each(func(l *loop) { l.retire(e, cut) })
	e.mu.Lock()
	defer e.mu.Unlock()
	e.retired.Store(true)
	for _, t := range e.idle {
		t.close()
	}
	e.idle = nil
	if cut {
		for t := range e.active {
			t.close()
		}
	}
}
