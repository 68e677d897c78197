package proxy

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/balance"
	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/meter"
	"github.com/fairlead/fairlead/internal/proxy/route"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// watchInterval is how often, while a target is silent, the client is looked
// after: whether it is still there, and whether its body has failed.
const watchInterval = time.Second

// maxInterim bounds the interim responses before a response.
const maxInterim = 16

// group is a target group as one node forwards to it.
type group struct {
	version   snapshot.ProtocolVersion
	secure    bool // targets speak TLS
	balance   *balance.Group
	endpoints []*endpoint // beside the balance's targets
	meter     *meter.Meter

	stay   snapshot.TargetStickiness // with a target
	places map[targetRef]int         // in endpoints; nil: clients don't stay with one
}

// exchange is one request forwarded and its response.
type exchange struct {
	forwarding
	client   *client
	target   *targetConn
	timeout  time.Duration // idle timeout
	response http1.Response
	body     carrier // of the response
	upload   *upload // nil if the request's body went with its head
	stopped  atomic.Bool
	fields   []byte // room for what we add to the response
	entry    *entry

	dispatched time.Time

	isHead, again bool // HEAD; may be sent twice
}

// forward sends the request to a target and the response back. It returns
// whether the client's connection goes on.
func (c *client) forward(t *table, rule *route.Rule, head []byte, at *arrival, out *[]byte, e *entry) bool {
	f, status := t.forward(rule, head, &c.request, at)
	if status != 0 {
		return c.answerPage(t, head, status, out)
	}
	defer f.endpoint.target.End()
	c.port.node.countForward(c.thread, &f)

	x := &c.exchange
	x.forwarding, x.timeout, x.upload = f, t.idleTimeout, nil
	x.stopped.Store(false)
	x.entry = e
	x.dispatched = at.now
	x.isHead = c.request.IsHead(head)
	x.again = c.request.Body.Empty() && c.request.Idempotent(head)
	upgrade := c.request.Upgrade(head) != nil
	*out = f.appendRequest((*out)[:0], t, head, &c.request, at, e)

	n, status := x.send(out)
	if status != 0 {
		x.failed(status)
		return x.fail(t, status, out)
	}
	x.answered(x.response.Status)
	// From here on the head's bytes may be overwritten.
	return x.receive(t, n, upgrade, out)
}

// send gets the request to the target until the head of its response is there,
// and returns the head's length; or the status to answer with instead, -1 for
// none because the client is gone.
func (x *exchange) send(out *[]byte) (n, status int) {
	e := x.endpoint
	name := e.serverName(*out)
	x.target = e.takeLive(name)
	for {
		if x.target == nil {
			var err error
			if x.target, err = e.connect(name); err != nil {
				c := meter.TargetConnectionErrors
				if _, shaking := errors.AsType[*handshakeError](err); shaking {
					c = meter.TargetTLSErrors
				}
				x.group.meter.Add(x.client.thread, c, 1)
				if timedOut(err) {
					return 0, 504
				}
				return 0, 502
			}
		}
		n, err := 0, x.sendRequest(out)
		x.entry.dispatched(time.Now())
		if err == nil {
			if n, err = x.readHead(); err == nil {
				return n, 0
			}
		}
		stale := x.again && x.target.reused && len(x.target.unread()) == 0 && closed(err) && !e.retired.Load()
		x.stopUpload()
		e.discard(x.target)
		x.target = nil
		if !stale {
			return 0, x.statusOf(err)
		}
		// The target closed a connection that it had kept, as it may at any
		// time. Nothing but our copy of the head was sent: try once more, on a
		// connection of its own.
	}
}

func timedOut(err error) bool {
	netErr, ok := errors.AsType[net.Error](err)
	return ok && netErr.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

// closed says whether the error came from the connection, not from us.
func closed(err error) bool {
	_, refused := errors.AsType[*http1.Refusal](err)
	return !refused && !errors.Is(err, errIdle) && !errors.Is(err, errGone) && !errors.Is(err, errStopped)
}

// bodyError says that the client's body is malformed.
type bodyError struct{ cause error }

func (e *bodyError) Error() string { return "request body: " + e.cause.Error() }

// sendRequest writes the head and what has come of the body, and starts the
// upload of the rest. A target that takes no more may still have something to
// say, so a failure to write shows when the response is read. An error is one of
// the client's body.
func (x *exchange) sendRequest(out *[]byte) error {
	c := x.client
	if c.request.Body.Empty() {
		_ = x.target.write(*out, x.timeout)
		return nil
	}
	u := &upload{exchange: x, done: make(chan struct{}), carrier: carrier{
		from: &c.stream, to: &x.target.stream, timeout: x.timeout, chunked: c.request.Body.Framing == http1.Chunked, client: c,
	}}
	u.decoder.Reset(c.request.Body)
	var err error
	if *out, err = u.take(*out); err != nil {
		return &bodyError{err}
	}
	if u.decoder.Done() {
		_ = x.target.write(*out, x.timeout)
		return nil
	}
	if c.request.Expect100 && len(c.unread()) == 0 && c.write([]byte(http1.Continue), x.timeout) != nil {
		return errGone
	}
	x.upload = u
	first := append([]byte(nil), *out...) // out is needed for the response meanwhile
	c.port.proxy.wg.Go(func() { u.run(first) })
	return nil
}

// readHead reads the head of the final response and returns its length.
func (x *exchange) readHead() (int, error) {
	t, c := x.target, x.client
	for interim := 0; ; {
		x.response.Reset()
		n, err := 0, error(http1.ErrIncomplete)
		for {
			if len(t.unread()) > 0 {
				n, err = x.response.Parse(t.unread())
			}
			if !errors.Is(err, http1.ErrIncomplete) {
				break
			}
			if err := t.read(x); err != nil {
				return 0, err
			}
			c.touch(time.Now())
		}
		if err != nil || !x.response.Interim() {
			return n, err
		}
		if interim++; interim > maxInterim {
			return 0, &http1.Refusal{Status: 502, Reason: "too many interim responses"}
		}
		// We have answered the expectation ourselves; and HTTP/1.0 knows no
		// interim responses (RFC 9110 §15.2).
		if x.response.Status != 100 && c.request.Minor > 0 {
			if c.write(http1.AppendResponse(nil, t.unread()[:n], &x.response, x.isHead, &http1.Delivery{}), x.timeout) != nil {
				return 0, errGone
			}
		}
		x.again = false
		t.use(n)
	}
}

// extend implements waiter, while the target is silent.
func (x *exchange) extend(now time.Time) error {
	left := x.timeout - x.client.idleFor(now)
	switch {
	case x.upload != nil && x.upload.lost.Load():
		return errStopped
	case left <= 0:
		return errIdle
	case !x.uploading() && x.client.idleFor(now) > watchInterval/2 && x.client.peek() == gone:
		return errGone
	}
	return x.target.conn.SetReadDeadline(now.Add(min(left, watchInterval)))
}

// uploading says whether the request's body is still on its way.
func (x *exchange) uploading() bool {
	if x.upload == nil {
		return false
	}
	select {
	case <-x.upload.done:
		return false
	default:
		return true
	}
}

// statusOf returns what to answer when no response could be had, -1 for nothing.
func (x *exchange) statusOf(err error) int {
	if u := x.upload; u != nil && u.err != nil && !u.refused && !errors.Is(u.err, errStopped) {
		err = u.err // the client's body made the rest fail
		if errors.Is(err, errIdle) {
			return 408
		}
		if _, malformed := errors.AsType[*http1.Refusal](err); malformed {
			return 400
		}
		return -1
	}
	switch _, malformed := errors.AsType[*bodyError](err); {
	case malformed:
		return 400
	case errors.Is(err, errGone):
		return -1
	case errors.Is(err, errIdle):
		return 504
	}
	return 502
}

// fail answers a request that got no response. The body may have been read in
// part, so the connection ends, unless there is none.
func (x *exchange) fail(t *table, status int, out *[]byte) bool {
	c := x.client
	if status < 0 {
		return false
	}
	now := time.Now()
	keep := c.request.Body.Empty() && c.persists(now)
	c.status = status
	c.port.node.meter.ELB(c.thread, status)
	*out = http1.AppendPage((*out)[:0], status, x.isHead, c.delivery(x.edits, keep, now))
	if c.write(*out, x.timeout) != nil {
		return false
	}
	c.touch(time.Now())
	if !keep && !c.request.Body.Empty() {
		c.linger()
	}
	return keep
}

// receive passes the response on, whose head of n bytes has come.
func (x *exchange) receive(t *table, n int, upgrade bool, out *[]byte) bool {
	c, target := x.client, x.target
	e := target.endpoint
	x.group.meter.Target(c.thread, x.response.Status)
	x.group.meter.Observe(c.thread, time.Since(x.dispatched))
	if x.response.Status == 101 {
		defer e.discard(target)
		if !upgrade {
			return x.fail(t, 502, out)
		}
		now := time.Now()
		x.entry.responded(now, 101)
		x.entry.tunnelled()
		x.fields = x.appendFields(x.fields[:0], target.unread()[:n], &x.response, now)
		*out = http1.AppendResponse((*out)[:0], target.unread()[:n], &x.response, false, &http1.Delivery{Date: c.port.proxy.dates.at(now), Edits: x.edits.responses, Fields: x.fields})
		target.use(n)
		if c.write(*out, x.timeout) == nil {
			x.tunnel()
		}
		return false
	}

	from := x.response.BodyTo(x.isHead)
	to, closes := http1.Deliver(from, c.request.Minor)
	now := time.Now()
	x.entry.responded(now, x.response.Status)
	// A client whose body hasn't been read to its end can't be told from its
	// next request; it learns now that there is none.
	whole := x.upload == nil || x.upload.read.Load()
	keep := !closes && whole && c.persists(now)
	x.fields = x.appendFields(x.fields[:0], target.unread()[:n], &x.response, now)
	d := http1.Delivery{Body: to, Close: !keep, Keep: keep, Date: c.port.proxy.dates.at(now), Edits: x.edits.responses, Fields: x.fields}
	*out = http1.AppendResponse((*out)[:0], target.unread()[:n], &x.response, x.isHead, &d)
	target.use(n)

	b := &x.body
	*b = carrier{from: &target.stream, to: &c.stream, timeout: x.timeout, chunked: to.Framing == http1.Chunked, client: c}
	b.decoder.Reset(from)
	b.carry(out, x)
	target.release()

	uploaded := true
	if u := x.upload; u != nil {
		if uploaded = u.read.Load(); !uploaded {
			x.stopUpload()
		}
		<-u.done
		uploaded = uploaded && u.err == nil
	}
	if b.err == nil && uploaded && from.Framing != http1.UntilClose && x.response.KeepAlive() && len(target.unread()) == 0 && !x.parts {
		e.keep(target, x.timeout)
	} else {
		e.discard(target)
	}
	switch {
	case b.err != nil:
		if !b.refused && to.Framing == http1.UntilClose {
			x.reset()
		}
		return false
	case !whole:
		c.linger()
		return false
	}
	return keep
}

// reset makes the client see that a response isn't whole whose end it can tell
// by nothing but the connection's.
func (x *exchange) reset() {
	conn := socket(x.client.conn)
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetLinger(0) // otherwise it ends as if it were whole; there is no third way
	}
	if x.client.https {
		_ = conn.Close() // before TLS says that this is the end
	}
}

// stopUpload ends the upload, if there is one, and waits for it.
func (x *exchange) stopUpload() {
	if x.upload == nil {
		return
	}
	x.stopped.Store(true)
	_ = x.client.conn.SetReadDeadline(past)  // what fails here is closed already
	_ = x.target.conn.SetWriteDeadline(past) // likewise; nobody writes to it any more
	<-x.upload.done
}

// upload is a request's body that didn't come with its head, on its way in a
// goroutine of its own: the target may answer before it has all of it.
type upload struct {
	carrier
	exchange *exchange
	done     chan struct{}
}

// run carries the body; head is what is due to the target before.
func (u *upload) run(head []byte) {
	defer close(u.done)
	out := &head
	u.carry(out, u)
	u.from.release()
	if u.err != nil && !u.refused {
		// The client's side failed: nothing that the target says matters now.
		_ = u.exchange.target.conn.SetReadDeadline(past) // what fails here is closed already
	}
}

// extend implements waiter, while the client's body doesn't come.
func (u *upload) extend(now time.Time) error {
	c := u.exchange.client
	left := u.timeout - c.idleFor(now)
	switch {
	case u.exchange.stopped.Load():
		return errStopped
	case left <= 0:
		return errIdle
	}
	return c.conn.SetReadDeadline(now.Add(min(left, watchInterval)))
}
