//go:build linux

package proxy

import (
	"errors"
	"io"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/meter"
	"github.com/fairlead/fairlead/internal/proxy/route"
)

// errCut says that a target's deregistration delay is over.
var errCut = errors.New("the target is gone")

// spareExchanges is how many exchanges a loop keeps for later requests.
const spareExchanges = 256

// loopExchange is one request forwarded from a loop, and its response.
type loopExchange struct {
	forwarding
	client  *loopClient
	target  *loopTarget
	timeout time.Duration // idle timeout

	request []byte // as it is sent to the target
	sent    int    // of it
	head    []byte // what has come of the response's head, if that came in pieces

	response http1.Response
	decoder  http1.Decoder
	pipe     *pipe // of the body, while the kernel passes it on
	entry    *entry
	was      int64         // client.went, when it was begun
	from, to http1.Framing // of the body, as it comes and as it goes on
	begun    bool          // the response is on its way to the client

	isHead   bool // HEAD
	again    bool // may be sent twice
	keeps    bool // the client lets its connection go on
	bodiless bool // the request
	minor    int  // of the client's HTTP/1.x
	interim  int  // responses before the response
	looked   time.Duration
}

// forward begins to forward a request with its body, and returns 0, or the
// status to answer with instead.
func (c *loopClient) forward(t *table, rule *route.Rule, body, head []byte, r *http1.Request, at *arrival, d *ruling, e *entry) (status int) {
	f, status := t.forward(rule, head, r, at, d)
	if status != 0 {
		return status
	}
	l := c.loop
	c.port.node.countForward(l.index, &f)
	x := l.exchange()
	x.forwarding, x.client, x.timeout = f, c, t.idleTimeout
	x.entry, x.was = e, c.went
	x.isHead, x.minor, x.keeps, x.bodiless = r.IsHead(head), r.Minor, r.KeepAlive(), r.Body.Empty()
	x.again = x.bodiless && r.Idempotent(head)
	x.looked = l.now
	x.request = f.appendRequest(x.request[:0], t, head, r, at, e)
	x.request = append(x.request, body...)
	c.x, c.state = x, answering
	l.wheel.set(&c.timer, l.now+min(watchInterval, x.timeout))
	x.launch()
	return 0
}

// exchange returns one to fill in.
func (l *loop) exchange() *loopExchange {
	n := len(l.spare) - 1
	if n < 0 {
		return new(loopExchange)
	}
	x := l.spare[n]
	l.spare = l.spare[:n]
	return x
}

// launch gets the exchange a connection.
func (x *loopExchange) launch() {
	l := x.client.loop
	name := x.endpoint.serverName(x.request)
	t := l.takeIdle(x.endpoint, name)
	if t == nil {
		var err error
		if t, err = l.connect(x.endpoint, name); err != nil {
			x.group.meter.Add(l.index, meter.TargetConnectionErrors, 1)
			x.fail(502)
			return
		}
	}
	x.target, t.x, x.sent = t, x, 0
}

// proceed does what can be done now.
func (x *loopExchange) proceed() {
	t := x.target
	if t == nil {
		return
	}
	if t.connecting {
		if !t.writable {
			return
		}
		if err := socketError(t.fd); err != nil {
			x.connectFailed(err)
			return
		}
		t.connecting, t.since = false, x.client.loop.now
	}
	if t.tls != nil {
		if !x.proceedTLS() {
			return
		}
	}
	if x.sent < len(x.request) {
		x.sent = len(x.request) - len(t.write(x.request[x.sent:]))
	}
	if x.entry != nil && x.sent == len(x.request) {
		x.entry.dispatched(x.client.loop.clock())
	}
	c := x.client
	if x.pipe != nil && !c.writable {
		return
	}
	for reads := 0; (t.readable || x.pipe != nil && x.pipe.held > 0) && len(c.unsent) == 0; reads++ {
		if reads == fairShare {
			c.queue()
			return
		}
		if x.splices() {
			if !x.splice() || c.x != x {
				return
			}
			continue
		}
		buffer := c.loop.buffer
		n, errno := sysRead(t.fd, buffer)
		if n > 0 && n < len(buffer) && !t.over {
			t.readable = false // more will be told of
		}
		switch {
		case errno == syscall.EAGAIN:
			t.readable, t.over = false, false
		case errno == syscall.EINTR:
			t.readable = true
		case errno != 0:
			x.lost(errno)
		case n == 0:
			x.lost(io.EOF)
		default:
			c.touch()
			x.hear(buffer[:n])
		}
		if c.x != x || x.target != t {
			return
		}
	}
}

func (x *loopExchange) connectFailed(err error) {
	x.target.close()
	x.target = nil
	x.group.meter.Add(x.client.loop.index, meter.TargetConnectionErrors, 1)
	if errors.Is(err, syscall.ETIMEDOUT) {
		x.fail(504)
		return
	}
	x.fail(502)
}

// take deals with what has come from the target.
func (x *loopExchange) take(data []byte) {
	if x.begun {
		x.pass(x.client.loop.out[:0], data)
		return
	}
	for {
		if len(x.head) > 0 {
			x.head = append(x.head, data...)
			data = x.head
		}
		n, err := x.response.Parse(data)
		switch {
		case errors.Is(err, http1.ErrIncomplete):
			if len(x.head) == 0 {
				x.head = append(x.head, data...)
			}
			return
		case err != nil:
			x.lost(err)
			return
		case !x.response.Interim():
			x.respond(data, n)
			return
		}
		if x.interim++; x.interim > maxInterim {
			x.lost(errInterim)
			return
		}
		c := x.client
		if x.response.Status != 100 && x.minor > 0 {
			c.send(http1.AppendResponse(nil, data[:n], &x.response, x.isHead, &http1.Delivery{}))
			if c.state == dropped {
				return
			}
		}
		x.again = false
		rest := append([]byte(nil), data[n:]...) // rare
		x.response.Reset()
		x.head = x.head[:0]
		if data = rest; len(data) == 0 {
			return
		}
	}
}

var errInterim = &http1.Refusal{Status: 502, Reason: "too many interim responses"}

// respond begins to pass the response on, whose head is the first n bytes.
func (x *loopExchange) respond(data []byte, n int) {
	c := x.client
	if x.response.Status == 101 {
		x.lost(errSwitched)
		return
	}
	x.group.meter.Target(c.loop.index, x.response.Status)
	x.group.meter.Observe(c.loop.index, c.loop.now-x.looked)
	x.answered(x.response.Status)
	now := c.loop.clock()
	x.entry.responded(now, x.response.Status)
	body := x.response.BodyTo(x.isHead)
	to, closes := http1.Deliver(body, x.minor)
	x.keeps = x.keeps && !closes && c.port.welcomes(c.born, c.maxAge, now)
	c.loop.fields = x.appendFields(c.loop.fields[:0], data[:n], &x.response, now)
	d := http1.Delivery{Body: to, Close: !x.keeps, Keep: x.keeps, Date: c.port.proxy.dates.at(now), Edits: x.edits.responses, Fields: c.loop.fields}
	x.from, x.to, x.begun = body.Framing, to.Framing, true
	x.decoder.Reset(body)
	out := http1.AppendResponse(c.loop.out[:0], data[:n], &x.response, x.isHead, &d)
	x.pass(out, data[n:])
}

var errSwitched = &http1.Refusal{Status: 502, Reason: "protocol change that wasn't asked for"}

// pass sends out, and what has come of the body behind it, to the client.
func (x *loopExchange) pass(out, data []byte) {
	c := x.client
	chunked := x.to == http1.Chunked
	direct := len(out) == 0 && !chunked && x.decoder.Left() >= int64(len(data))
	start := len(out)
	if chunked {
		out = append(out, make([]byte, http1.ChunkRoom)...)
	}
	content := len(out)
	for len(data) > 0 && !x.decoder.Done() {
		part, n, err := x.decoder.Next(data)
		if err != nil {
			c.loop.out = out[:0]
			x.lost(err)
			return
		}
		data = data[n:]
		if direct {
			out = part
		} else {
			out = append(out, part...)
		}
	}
	switch {
	case !chunked:
	case len(out) == content:
		out = out[:start]
	default:
		size := http1.PutChunkSize(out[start:content], len(out)-content)
		copy(out[start:], out[content-size:])
		out = append(out[:len(out)-(http1.ChunkRoom-size)], "\r\n"...)
	}
	if chunked && x.decoder.Done() {
		out = append(out, http1.LastChunk...)
	}
	if !direct {
		c.loop.out = out[:0]
	}
	if len(out) > 0 {
		if c.send(out); c.state == dropped {
			return
		}
	}
	if x.decoder.Done() {
		x.finish(len(data) == 0 && x.from != http1.UntilClose && x.response.KeepAlive() && x.delivered())
	}
}

// delivered says whether the target has been sent all of the request.
func (x *loopExchange) delivered() bool {
	return x.sent == len(x.request) && len(x.target.unsent) == 0
}

// finish ends an exchange whose response has come whole.
func (x *loopExchange) finish(reusable bool) {
	t := x.target
	x.target = nil
	if reusable && !x.parts {
		t.keep(x.timeout)
	} else {
		t.x = nil
		t.close()
	}
	c := x.client
	keep := x.keeps
	x.log(0)
	x.release()
	if !keep {
		c.end(closing)
		return
	}
	c.await()
}

// lost ends an exchange whose target can't be heard any more.
func (x *loopExchange) lost(err error) {
	c, t := x.client, x.target
	if x.begun && errors.Is(err, io.EOF) && x.decoder.EOF() == nil {
		if x.to == http1.Chunked {
			c.send([]byte(http1.LastChunk))
		}
		if c.state != dropped {
			x.finish(false)
		}
		return
	}
	_, refused := errors.AsType[*http1.Refusal](err)
	stale := x.again && t.reused && len(x.head) == 0 && !x.begun && !refused && !errors.Is(err, errCut) && !x.endpoint.retired.Load()
	x.target = nil
	t.x = nil
	t.close()
	switch {
	case stale:
		// The target closed a connection that it had kept, as it may at any time:
		// once more, on a connection of its own.
		x.again = false
		x.response.Reset()
		x.relaunch()
	case !x.begun:
		x.fail(502)
	default:
		if x.to == http1.UntilClose {
			sysReset(c.fd) // otherwise it ends as if it were whole
		}
		c.drop()
	}
}

// relaunch connects anew.
func (x *loopExchange) relaunch() {
	t, err := x.client.loop.connect(x.endpoint, x.endpoint.serverName(x.request))
	if err != nil {
		x.group.meter.Add(x.client.loop.index, meter.TargetConnectionErrors, 1)
		x.fail(502)
		return
	}
	x.target, t.x, x.sent = t, x, 0
	if t.writable {
		x.client.queue()
	}
}

// fail answers a request that got no response.
func (x *loopExchange) fail(status int) {
	x.failed(status)
	c := x.client
	if t := x.target; t != nil {
		x.target, t.x = nil, nil
		t.close()
	}
	c.port.node.meter.ELB(c.loop.index, status)
	now := c.loop.clock()
	keep := x.bodiless && x.keeps && c.port.welcomes(c.born, c.maxAge, now)
	out := http1.AppendPage(c.loop.out[:0], status, x.isHead, c.delivery(x.edits, keep, now))
	c.loop.out = out[:0]
	e, was := x.entry, x.was
	x.release()
	c.send(out)
	e.end(now, status, c.went-was)
	if c.state == dropped {
		return
	}
	if !keep {
		c.end(closing)
		return
	}
	c.await()
}

// expire looks after an exchange on which nothing may be happening.
func (x *loopExchange) expire(now time.Duration) {
	c := x.client
	idle := now - max(c.active, x.looked)
	switch t := x.target; {
	case t != nil && (t.connecting || t.tls != nil && !t.tls.ready) && now-t.since >= connectTimeout:
		if t.connecting {
			x.group.meter.Add(c.loop.index, meter.TargetConnectionErrors, 1)
		} else {
			x.group.meter.Add(c.loop.index, meter.TargetTLSErrors, 1)
		}
		x.fail(504)
		c.proceed()
		return
	case idle >= x.timeout && !x.begun:
		x.fail(504)
		c.proceed()
		return
	case idle >= x.timeout:
		if x.to == http1.UntilClose {
			sysReset(c.fd)
		}
		c.drop()
		return
	case idle > watchInterval/2 && c.readable && sysPeek(c.fd) == gone:
		c.drop() // the client is gone
		return
	}
	c.loop.wheel.set(&c.timer, now+min(watchInterval, x.timeout-idle))
}

// abandon ends the exchange of a client that is gone.
func (x *loopExchange) abandon() {
	if t := x.target; t != nil {
		x.target, t.x = nil, nil
		t.close()
	}
	x.log(0)
	x.release()
}

// log writes the line of the exchange. status is that of an answer of our own.
func (x *loopExchange) log(status int) {
	if e := x.entry; e != nil {
		x.entry = nil
		e.end(x.client.loop.clock(), status, x.client.went-x.was)
	}
}

// release gives the exchange back to the loop.
func (x *loopExchange) release() {
	x.endpoint.target.End()
	l := x.client.loop
	if x.pipe != nil {
		l.sparePipe(x.pipe)
	}
	x.client.x = nil
	response, request, head := x.response, x.request[:0], x.head[:0]
	response.Reset()
	*x = loopExchange{response: response, request: request, head: head}
	if len(l.spare) < spareExchanges && cap(request)+cap(head) <= maxOutBuffer {
		l.spare = append(l.spare, x)
	}
}
