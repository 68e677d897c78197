package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/balance"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/targettls"
)

// maxIdlePerTarget bounds the connections kept for one target. One more takes the
// place of the one that hasn't been used for the longest.
const maxIdlePerTarget = 1024

// maxLooked bounds the idle connections that are looked at for one that asked for the
// right name.
const maxLooked = 128

// endpointKey names a target of a target group as one connects to it.
type endpointKey struct {
	balance.Key
	https bool
	tls   snapshot.TargetTLS // of https
	http2 bool
}

// endpoint is a target as one connects to it, with the connections that it has.
// It outlives the assignments that name the target.
type endpoint struct {
	key    endpointKey
	ref    targetRef
	target *balance.Target
	proxy  *Proxy
	tls    *tls.Config // nil: cleartext

	distrusted atomic.Bool  // its certificate was told of
	capacity   atomic.Int64 // streams that it takes on a connection of HTTP/2; 0: it hasn't said
	token      atomic.Pointer[keptToken]

	retired atomic.Bool // no assignment names it: nothing is kept
	pools   []loopPool  // connections of the loops, by loop

	mu     sync.Mutex               // guards the following, and the setting of retired
	idle   []*targetConn            // the one used last at the end
	active map[*targetConn]struct{} // in the hands of a request
	many   []*streamTarget          // of HTTP/2
}

// targetConn is a connection to a target.
type targetConn struct {
	stream
	endpoint *endpoint
	name     string    // that it asked the target for; "": of one that asks for none, or for the same always
	reused   bool      // it has answered a request before
	until    time.Time // while idle: when it is closed
}

// newEndpoint makes a target's endpoint; first says that the target is among the
// first of its group.
func (p *Proxy) newEndpoint(k endpointKey, first bool) *endpoint {
	e := &endpoint{key: k, ref: refOf(k.Key), proxy: p, target: p.registry.Target(k.Key, first), active: map[*targetConn]struct{}{}, pools: make([]loopPool, p.loops.count())}
	if k.https {
		e.tls = targettls.Config(k.tls, p.targetRoots)
		if k.http2 {
			e.tls.NextProtos = []string{"h2"}
		}
	}
	return e
}

// serverName returns the name that a connection must have asked the target for to
// carry the request, whose head is written: the host that this is for. It is empty
// where any connection will do.
func (e *endpoint) serverName(request []byte) []byte {
	if e.tls == nil || e.key.tls.ServerName != "" {
		return nil
	}
	_, rest, _ := bytes.Cut(request, hostField) // the first field
	host, _, _ := bytes.Cut(rest, crlf)
	if len(host) > 0 && host[0] == '[' {
		host, _, _ = bytes.Cut(host[1:], []byte{']'})
		return host
	}
	host, _, _ = bytes.Cut(host, []byte{':'})
	return host
}

var hostField, crlf = []byte("\r\nHost: "), []byte("\r\n")

// config returns how a connection that asks for the name is begun.
func (e *endpoint) config(name []byte) *tls.Config {
	if len(name) == 0 {
		return e.tls
	}
	c := e.tls.Clone()
	c.ServerName = string(name)
	return c
}

// distrust tells once if the target's certificate is why there is no connection.
func (e *endpoint) distrust(err error) {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok && !e.distrusted.Swap(true) {
		e.proxy.log.Warn("target not believed: requests for it fail (see the target group's fairlead.target_tls attributes)",
			"target group", e.key.Group, "target", e.key.Addr, "error", err)
	}
}

// take returns the idle connection for the name that was used last, nil if there is
// none. The older ones get to rest and are closed in time.
func (e *endpoint) take(name []byte) *targetConn {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := len(e.idle) - 1
	for last := max(0, i-maxLooked); i >= last && e.idle[i].name != string(name); i-- {
	}
	if i < 0 || e.idle[i].name != string(name) {
		return nil
	}
	t := e.idle[i]
	e.idle = slices.Delete(e.idle, i, i+1)
	e.active[t] = struct{}{}
	t.reused = true
	return t
}

// takeLive is take for a request that can't be sent twice: it leaves out
// connections that are seen to be dead.
func (e *endpoint) takeLive(name []byte) *targetConn {
	for {
		t := e.take(name)
		if t == nil || t.peek() == quiet {
			return t
		}
		e.discard(t)
	}
}

// dialTarget opens a connection, on which the target is asked for the name.
func (e *endpoint) dialTarget(name []byte) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(e.proxy.ctx, connectTimeout)
	defer cancel()
	conn, err := e.proxy.dial(ctx, e.key.Addr)
	if err != nil {
		return nil, err
	}
	if e.tls != nil {
		secure := tls.Client(conn, e.config(name))
		hctx, cancel := context.WithTimeout(e.proxy.ctx, connectTimeout)
		defer cancel()
		if err := secure.HandshakeContext(hctx); err != nil {
			_ = conn.Close() // the handshake's error says more
			e.distrust(err)
			return nil, &handshakeError{err}
		}
		if err := e.agreed(secure.ConnectionState()); err != nil {
			_ = conn.Close() // nothing was said on it
			return nil, &handshakeError{err}
		}
		conn = secure
	}
	return conn, nil
}

// errNoHTTP2 says that a target doesn't speak what its target group says.
var errNoHTTP2 = errors.New("the target doesn't take HTTP/2 (ALPN h2)")

// agreed says whether a handshake has agreed on the version of HTTP that is spoken.
func (e *endpoint) agreed(s tls.ConnectionState) error {
	if e.key.http2 && s.NegotiatedProtocol != "h2" {
		return errNoHTTP2
	}
	return nil
}

// connect opens a connection for one request at a time.
func (e *endpoint) connect(name []byte) (*targetConn, error) {
	conn, err := e.dialTarget(name)
	if err != nil {
		return nil, err
	}
	// The first deadline; the later ones are the waiter's.
	if err := conn.SetReadDeadline(time.Now().Add(watchInterval)); err != nil {
		_ = conn.Close()
		return nil, err
	}
	t := &targetConn{stream: newStream(conn), endpoint: e, name: string(name)}
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
	var over *targetConn // that isn't kept
	if e.retired.Load() {
		over = t
	} else {
		t.until = time.Now().Add(idleTimeout)
		if e.idle = append(e.idle, t); len(e.idle) > maxIdlePerTarget {
			over = e.idle[0]
			e.idle = slices.Delete(e.idle, 0, 1)
		}
	}
	e.mu.Unlock()
	if over != nil {
		over.close()
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
	e.sweepMany(now)
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
	e.retireMany(cut)
	if cut {
		for t := range e.active {
			t.close()
		}
	}
}
