package health

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/targettls"
)

// maxDrain is how much of an answer's body is read before the connection is
// closed, so that a target isn't told that its answer was lost.
const maxDrain = 64 << 10

// check is how one target is asked: its target group's health check, made ready.
type check struct {
	snapshot.HealthCheck
	version snapshot.ProtocolVersion
	tls     snapshot.TargetTLS
	at      netip.AddrPort
	matcher matcher // nil: it can't be read, and nothing passes
}

func newCheck(g *snapshot.TargetGroup, m matcher, t snapshot.Target) check {
	c := check{HealthCheck: g.HealthCheck, version: g.ProtocolVersion, tls: g.TLS, at: t.AddrPort(), matcher: m}
	if c.Port != 0 {
		c.at = netip.AddrPortFrom(t.Addr, c.Port)
	}
	if c.Interval <= 0 {
		c.Interval = defaultInterval
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	return c
}

// The defaults of CreateTargetGroup, for what an assignment leaves out.
const (
	defaultInterval = 30 * time.Second
	defaultTimeout  = 5 * time.Second
)

// dialer connects to a target.
type dialer func(context.Context, netip.AddrPort) (net.Conn, error)

// network is how targets are reached.
type network struct {
	dial  dialer
	roots *x509.CertPool // believed where targets are verified; nil: the system's
}

// probe asks the target once, on a connection of its own. tell gets the outcome
// as soon as it is known; afterwards the rest of the answer is read and thrown
// away. Nothing is told if ctx ends before.
func (c check) probe(ctx context.Context, n network, tell func(outcome)) {
	if c.matcher == nil {
		tell(outcome{result: broken})
		return
	}
	limited, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	conn, err := c.connect(limited, n)
	if err != nil {
		c.fail(ctx, err, tell)
		return
	}
	defer conn.Close()
	// The deadline bounds reading and writing; the end of ctx breaks them off.
	stop := context.AfterFunc(limited, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	ask := c.ask
	if c.version != snapshot.HTTP1 {
		ask = c.askHTTP2
	}
	status, err := ask(conn)
	switch {
	case err != nil:
		c.fail(ctx, err, tell)
		return
	case c.matcher.matches(status):
		tell(outcome{result: passed, status: status})
	default:
		tell(outcome{result: mismatch, status: status})
	}
	if c.version == snapshot.HTTP1 {
		_, _ = io.Copy(io.Discard, io.LimitReader(conn, maxDrain)) // only for the target's sake
	}
}

func (c check) fail(ctx context.Context, err error, tell func(outcome)) {
	netErr, isNet := errors.AsType[net.Error](err)
	switch {
	case ctx.Err() != nil:
	case isNet && netErr.Timeout() || errors.Is(err, context.DeadlineExceeded):
		tell(outcome{result: timeout})
	case errors.Is(err, errNoResponse):
		tell(outcome{result: invalid})
	default:
		tell(outcome{result: failed})
	}
}

func (c check) connect(ctx context.Context, n network) (net.Conn, error) {
	conn, err := n.dial(ctx, c.at)
	if err != nil || c.Protocol != snapshot.HTTPS {
		return conn, err
	}
	config := targettls.ProbeConfig(c.tls, n.roots)
	if c.version != snapshot.HTTP1 {
		config.NextProtos = []string{"h2"}
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if c.version != snapshot.HTTP1 && secure.ConnectionState().NegotiatedProtocol != "h2" {
		return nil, errors.Join(errNoHTTP2, conn.Close())
	}
	return secure, nil
}

// errNoHTTP2 says that a target doesn't speak what its target group says.
var errNoHTTP2 = errors.New("the target doesn't take HTTP/2 (ALPN h2)")

// errNoResponse says that what a target answered can't be read.
var errNoResponse = errors.New("the target answers what is no HTTP response")

// path returns what is asked for.
func (c check) path() string {
	if c.Path == "" {
		return "/"
	}
	return c.Path
}

// ask sends the request and returns the status of the answer. Redirects are not
// followed.
func (c check) ask(conn net.Conn) (int, error) {
	request := "GET " + c.path() + " HTTP/1.1\r\nHost: " + c.at.String() +
		"\r\nUser-Agent: ELB-HealthChecker/2.0\r\nConnection: close\r\n\r\n"
	if _, err := io.WriteString(conn, request); err != nil {
		return 0, err
	}
	var r http1.Response
	buf := make([]byte, 0, 4<<10)
	for {
		n, err := 0, error(http1.ErrIncomplete)
		if len(buf) > 0 {
			n, err = r.Parse(buf)
		}
		switch {
		case err == nil && r.Interim():
			buf = append(buf[:0], buf[n:]...)
			r.Reset()
			continue
		case err == nil:
			return r.Status, nil
		case !errors.Is(err, http1.ErrIncomplete):
			return 0, errors.Join(errNoResponse, err)
		}
		if len(buf) == cap(buf) {
			buf = append(make([]byte, 0, 2*cap(buf)), buf...)
		}
		m, err := conn.Read(buf[len(buf):cap(buf)])
		if buf = buf[:len(buf)+m]; m == 0 && err != nil {
			return 0, err
		}
	}
}
