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

// exchange is one request forwarded and its response, as far as it has to do with
// the target: what its client is spoken to in is the front's business.
type exchange struct {
	forwarding
	front    front
	proxy    *Proxy
	thread   int
	request  *http1.Request
	active   *activity // of the client
	target   *targetConn
	timeout  time.Duration // idle timeout
	response http1.Response
	upload   *upload // nil if the request's body went with its head
	stopped  atomic.Bool
	entry    *entry

	dispatched time.Time

	isHead, again bool // HEAD; may be sent twice
}

// front is the side of an exchange that its client is on.
type front interface {
	// source returns where the request's body comes from, and how its end is known
	// there.
	source() (*stream, http1.Body)

	// proceed tells the client that its body is awaited.
	proceed(timeout time.Duration) error

	// interim passes an interim response on, whose head it is given.
	interim(head []byte, r *http1.Response, timeout time.Duration) error

	// awaits says that what comes next is the target's to send.
	awaits(t *targetConn)

	// gone looks whether the client has left.
	gone(now time.Time) bool
}

// activity is when something last happened between us and a client. Readers and
// writers may note it at the same time.
type activity struct {
	born time.Time
	last atomic.Int64 // since born
}

// touch notes that a byte came or went.
func (a *activity) touch(now time.Time) { a.last.Store(int64(now.Sub(a.born))) }

// idleFor returns how long nothing has come or gone.
func (a *activity) idleFor(now time.Time) time.Duration {
	return now.Sub(a.born) - time.Duration(a.last.Load())
}

// begin prepares for a request that goes where f says.
func (x *exchange) begin(f forwarding, t *table, head []byte, at *arrival, e *entry) {
	x.forwarding, x.timeout, x.upload, x.target = f, t.idleTimeout, nil, nil
	x.stopped.Store(false)
	x.entry = e
	x.dispatched = at.now
	x.isHead = x.request.IsHead(head)
	x.again = x.request.Body.Empty() && x.request.Idempotent(head)
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
				x.group.meter.Add(x.thread, c, 1)
				if timedOut(err) {
					return 0, 504
				}
				return 0, 502
			}
		}
		n, err := 0, x.sendRequest(out)
		x.entry.dispatched(time.Now())
		if err == nil {
			x.front.awaits(x.target)
			if n, err = x.readHead(); err == nil {
				return n, 0
			}
		}
		stale := x.again && x.target.reused && len(x.target.unread()) == 0 && closed(err) && !e.retired.Load()
		x.stopUpload()
		x.part()
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
	if x.request.Body.Empty() {
		_ = x.target.write(*out, x.timeout)
		return nil
	}
	from, framed := x.front.source()
	u := &upload{exchange: x, done: make(chan struct{}), carrier: carrier{
		from: from, to: &x.target.stream, timeout: x.timeout, chunked: x.request.Body.Framing == http1.Chunked, active: x.active,
	}}
	u.decoder.Reset(framed)
	var err error
	if *out, err = u.take(*out); err != nil {
		return &bodyError{err}
	}
	if u.decoder.Done() {
		_ = x.target.write(*out, x.timeout)
		return nil
	}
	if x.request.Expect100 && len(from.unread()) == 0 && x.front.proceed(x.timeout) != nil {
		return errGone
	}
	x.upload = u
	first := append([]byte(nil), *out...) // out is needed for the response meanwhile
	x.proxy.wg.Go(func() { u.run(first) })
	return nil
}

// readHead reads the head of the final response and returns its length.
func (x *exchange) readHead() (int, error) {
	t := x.target
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
			x.active.touch(time.Now())
		}
		if err != nil || !x.response.Interim() {
			return n, err
		}
		if interim++; interim > maxInterim {
			return 0, &http1.Refusal{Status: 502, Reason: "too many interim responses"}
		}
		// We have answered the expectation ourselves; and HTTP/1.0 knows no
		// interim responses (RFC 9110 §15.2).
		if x.response.Status != 100 && x.request.Minor > 0 {
			if x.front.interim(t.unread()[:n], &x.response, x.timeout) != nil {
				return 0, errGone
			}
		}
		x.again = false
		t.use(n)
	}
}

// extend implements waiter, while the target is silent.
func (x *exchange) extend(now time.Time) error {
	left := x.timeout - x.active.idleFor(now)
	uploading := x.uploading()
	if uploading { // which tells itself if it is the client that is idle
		left = watchInterval
	}
	if left <= 0 {
		return errIdle
	}
	// Whoever wakes us sets a deadline that has passed, and the reason before: so we
	// look for one after we have set our own.
	err := x.target.conn.SetReadDeadline(now.Add(min(left, watchInterval)))
	switch {
	case x.upload != nil && x.upload.lost.Load():
		return errStopped
	case !uploading && x.front.gone(now):
		return errGone
	}
	return err
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

// stopUpload ends the upload, if there is one, and waits for it.
func (x *exchange) stopUpload() {
	if x.upload == nil {
		return
	}
	x.stopped.Store(true)
	_ = x.upload.from.conn.SetReadDeadline(past) // what fails here is closed already
	_ = x.target.conn.SetWriteDeadline(past)     // likewise; nobody writes to it any more
	<-x.upload.done
}

// settle ends the upload, once all of the response has come or gone astray, and
// keeps the target's connection if another request can use it. passed says that the
// response, delimited as from says, went to the client whole.
func (x *exchange) settle(from http1.Body, passed bool) {
	uploaded := true
	if u := x.upload; u != nil {
		if uploaded = u.read.Load(); !uploaded {
			x.stopUpload()
		}
		<-u.done
		uploaded = uploaded && u.err == nil
	}
	e := x.target.endpoint
	if passed && uploaded && from.Framing != http1.UntilClose && x.response.KeepAlive() && len(x.target.unread()) == 0 && !x.parts {
		e.keep(x.target, x.timeout)
	} else {
		x.part()
	}
}

// part ends the target's connection, once nothing is under way on it. One that was
// promised more of a request's body is reset: a target that takes any end for the
// body's must not take what has come for all of it.
func (x *exchange) part() {
	if u := x.upload; u != nil && (u.err != nil || !u.read.Load()) {
		x.target.reset()
	}
	x.endpoint.discard(x.target)
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
	left := u.timeout - u.active.idleFor(now)
	if left <= 0 {
		return errIdle
	}
	err := u.from.conn.SetReadDeadline(now.Add(min(left, watchInterval)))
	switch { // as in exchange.extend
	case u.exchange.stopped.Load():
		return errStopped
	case u.from.unwanted.Load():
		return errIdle
	}
	return err
}
