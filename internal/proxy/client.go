package proxy

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/accesslog"
	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/route"
)

// Why waiting ends.
var (
	errIdle    = errors.New("idle for too long")
	errClosing = errors.New("the listener closes")
	errGone    = errors.New("the client is gone")
	errStopped = errors.New("not wanted any more")
)

// maxDiscard is how much of a body that nobody wants is read to keep the
// client's connection. Reading more would cost more than a new connection.
const maxDiscard = 64 << 10

// past is a deadline that wakes a reader at once.
var past = time.Unix(1, 0)

// outBuffers are lent to clients while they have a request.
var outBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 8<<10); return &b }}

// maxOutBuffer is how large a buffer may be to be lent again.
const maxOutBuffer = 64 << 10

// client is a connection from a client.
type client struct {
	stream
	port   *port
	peer   netip.AddrPort
	thread int // that counts
	trace  accesslog.ConnTrace
	https  bool    // as the listener was when the connection was accepted
	tls    session // with https, once the handshake is done
	activity
	maxAge time.Duration // fixed when the connection was accepted (ALB HTTP client keepalive duration)

	begun    time.Time // when the first byte of the head under way came; zero: none has
	request  http1.Request
	status   int // of the answer of our own to it, 0: there is none
	scratch  route.Scratch
	exchange exchange
	body     carrier // of a target's response
	fields   []byte  // room for what we add to it

	tunnelled atomic.Bool // after a protocol change

	mu          sync.Mutex // guards the following, and read deadlines while idle
	idle        bool       // waits for the first byte of a request
	multiplexed bool       // HTTP/2 is spoken: whoever reads looks up by himself
}

func newClient(p *port, conn net.Conn) *client {
	c := &client{stream: newStream(conn), port: p, thread: p.proxy.streamThread(), activity: activity{born: time.Now()}, maxAge: p.table.Load().clientKeepAlive}
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		at := a.AddrPort()
		c.peer = netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
	}
	c.trace = p.table.Load().logs.newConnTrace()
	c.carried = func(n int) { p.node.countBytes(c.thread, c.peer.Addr(), n) }
	if _, c.https = conn.(*tls.Conn); c.https {
		c.peeker.expectAlert()
	}
	c.exchange = exchange{front: c, proxy: p.proxy, thread: c.thread, request: &c.request, active: &c.activity}
	return c
}

// serve answers the connection's requests, one after the other, and closes it.
func (c *client) serve() {
	defer func() {
		// One request that breaks an invariant of ours must not take the
		// others of this host with it.
		if v := recover(); v != nil {
			c.port.proxy.log.Error("request abandoned", "node", c.port.node.id, "peer", c.peer, "panic", v, "stack", string(debug.Stack()))
		}
		_ = c.conn.Close() // nothing of value is lost with it
	}()
	if secure, ok := c.conn.(*tls.Conn); ok && !c.handshake(secure) {
		return
	}
	c.touch(time.Now())
	if c.extend(time.Now()) != nil {
		return
	}
	if c.tls.http2 {
		c.serveHTTP2()
		return
	}
	for c.serveRequest() {
		c.stream.release()
	}
}

// serveRequest answers one request; it returns whether another one may follow.
func (c *client) serveRequest() bool {
	c.request.Reset()
	c.request.Policy = c.port.table.Load().policy
	n, err := c.readHead()
	now := time.Now()
	was := c.went
	c.touch(now)
	out := outBuffers.Get().(*[]byte)
	defer func() {
		if cap(*out) <= maxOutBuffer {
			*out = (*out)[:0]
			outBuffers.Put(out)
		}
	}()
	t := c.port.table.Load()
	at := arrival{peer: c.peer, trace: c.trace, now: now}
	if c.https {
		at.tls = &c.tls
	}
	if err != nil {
		c.refuse(t, &at, err, out)
		return false
	}
	start := c.came - int64(len(c.unread()))
	head := c.request.Source(c.unread()[:n])
	c.use(n)

	rule := t.rules.Match(head, &c.request, c.peer.Addr(), &c.scratch)
	c.port.node.countRequest(c.thread, rule, &c.request, c.peer.Addr())
	c.status = 0
	d := t.ask(c.port.proxy.ctx, rule, head, &c.request, &at, c.port.node, c.thread)
	e := t.entry(c.thread, &at, 0)
	e.request(t, head, &c.request, rule)
	t.guarded(rule, head, &c.request, &d, c.port.node, c.thread, e)
	defer func() {
		if e != nil {
			e.Received = c.came - int64(len(c.unread())) - start
			e.end(time.Now(), c.status, c.went-was)
		}
	}()
	if d.verdict == passes && rule != nil && rule.Action.Kind == route.Forward {
		return c.forward(t, rule, head, &at, &d, out, e)
	}
	keep := c.keepsAfterAnswer(now)
	*out, c.status = t.appendAnswer((*out)[:0], rule, head, &c.request, &at, &d, c.delivery(t.edits, keep, now), e)
	c.port.node.countAnswer(c.thread, rule, &d, c.status)
	return c.answer(t, keep, *out)
}

// readHead reads until the request's head is complete and returns its length.
func (c *client) readHead() (int, error) {
	c.begun = time.Time{}
	for {
		n, err := c.request.Parse(c.unread())
		if !errors.Is(err, http1.ErrIncomplete) {
			return n, err
		}
		if c.begun.IsZero() && c.request.Begun() {
			c.begun = time.Now()
		}
		if !c.request.Begun() && !c.rest() {
			return 0, errClosing
		}
		err = c.read(c)
		c.wake()
		if err != nil {
			return 0, err
		}
		c.touch(time.Now())
	}
}

// rest begins to wait for a request; false if none is wanted any more.
func (c *client) rest() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = !c.port.closing.Load() || c.peek() == pending
	return c.idle
}

func (c *client) wake() {
	c.mu.Lock()
	c.idle = false
	c.mu.Unlock()
}

// closeIfIdle ends the connection if it waits for a request.
func (c *client) closeIfIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle || c.multiplexed {
		_ = c.conn.SetReadDeadline(past) // fails only when it is closed already
	}
}

// lookUp has who reads HTTP/2 look whether the session is to end.
func (c *client) lookUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.multiplexed {
		_ = c.conn.SetReadDeadline(past) // likewise
	}
}

// cut ends the connection, whatever it does.
func (c *client) cut() { _ = socket(c.conn).Close() }

// extend implements waiter, while a request is awaited or its head comes in.
func (c *client) extend(now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle && c.port.closing.Load() && c.peek() != pending {
		return errClosing
	}
	timeout := c.port.table.Load().idleTimeout
	left := timeout - c.idleFor(now)
	if !c.begun.IsZero() {
		left = min(left, max(timeout, c.port.proxy.headTimeout)-now.Sub(c.begun))
	}
	if left <= 0 || c.unwanted.Load() {
		return errIdle
	}
	return c.conn.SetReadDeadline(now.Add(left))
}

// refuse ends a connection whose request can't be read.
func (c *client) refuse(t *table, at *arrival, err error, out *[]byte) {
	status := 0
	if refusal, ok := errors.AsType[*http1.Refusal](err); ok {
		status = refusal.Status
	} else if errors.Is(err, errIdle) && c.request.Begun() {
		status = 408
	}
	if status == 0 {
		return // it ended between requests, or its client did
	}
	c.port.node.countVerdict(c.thread, &c.request)
	c.port.node.meter.ELB(c.thread, status)
	*out = http1.AppendPage((*out)[:0], status, false, c.delivery(t.edits, false, time.Now()))
	was, received := c.went, len(c.unread())
	if c.write(*out, t.idleTimeout) == nil {
		c.linger()
	}
	t.unreadable(c.thread, at, c.request.Verdict, status, received, c.went-was)
}

// persists says whether another request is welcome after the present one.
func (c *client) persists(now time.Time) bool {
	return c.port.persists(&c.request, c.born, c.maxAge, now)
}

// keepsAfterAnswer says whether the connection goes on after an answer of ours,
// for which the request's body isn't read.
func (c *client) keepsAfterAnswer(now time.Time) bool {
	b := c.request.Body
	unread := b.Framing == http1.Chunked || b.Length > maxDiscard || c.request.Expect100 && !b.Empty()
	return !unread && c.persists(now)
}

func (c *client) delivery(e edits, keep bool, now time.Time) *http1.Delivery {
	return &http1.Delivery{Close: !keep, Keep: keep, Date: c.port.proxy.dates.at(now), Edits: e.responses}
}

// answerPage answers with an error page of ours, which has the lines that the rule's
// guard has for the response.
func (c *client) answerPage(t *table, head []byte, status int, set []byte, out *[]byte) bool {
	now := time.Now()
	keep := c.keepsAfterAnswer(now)
	c.status = status
	c.port.node.meter.ELB(c.thread, status)
	d := c.delivery(t.edits, keep, now)
	d.Fields = set
	*out = http1.AppendPage((*out)[:0], status, c.request.IsHead(head), d)
	return c.answer(t, keep, *out)
}

// answer writes a response of ours and passes over the request's body.
func (c *client) answer(t *table, keep bool, response []byte) bool {
	if c.write(response, t.idleTimeout) != nil {
		return false
	}
	c.touch(time.Now())
	if c.request.Body.Empty() {
		return keep
	}
	if !keep {
		c.linger()
		return false
	}
	var d http1.Decoder
	d.Reset(c.request.Body)
	for {
		_, n, err := d.Next(c.unread())
		c.use(n)
		switch {
		case err != nil:
			return false
		case d.Done():
			return true
		}
		if len(c.unread()) == 0 && c.read(c) != nil {
			return false
		}
		c.touch(time.Now())
	}
}
