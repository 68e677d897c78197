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
	loop    *loop
	port    *port
	front   loopFront   // nil once it is over
	client  *loopClient // HTTP/1.1: the front
	target  *loopTarget
	timeout time.Duration // idle timeout

	request []byte // as it is sent to the target
	sent    int    // of it
	head    []byte // what has come of the response's head, if that came in pieces

	response http1.Response
	decoder  http1.Decoder
	pipe     *pipe // of the body, while the kernel passes it on
	entry    *entry
	was      int64         // front.sent, when it was begun
	from, to http1.Framing // of the body, as it comes and as it goes on
	begun    bool          // the response is on its way to the client

	isHead   bool // HEAD
	upgrades bool // the client asks for another protocol
	again    bool // may be sent twice
	keeps    bool // the client lets its connection go on
	bodiless bool // the request
	minor    int  // of the client's HTTP/1.x
	interim  int  // responses before the response
	looked   time.Duration
}

// loopFront is the side of an exchange on a loop that its client is on.
type loopFront interface {
	// begin sends the head of the response, of which data is what has come, or
	// returns it appended to out. The body follows as x.to says.
	begin(x *loopExchange, data, out []byte, body http1.Body, now time.Time) []byte

	// interim passes the head of an interim response on.
	interim(x *loopExchange, head []byte)

	// send sends what follows, which isn't kept; room is how much of that there may be
	// next, 0 until the client has taken some, and sent how much it was.
	send(b []byte)
	room() int
	sent() int64

	// The exchange ends once: by finish when the response is whole, by answer with a
	// page of ours in its stead, or by sever if it can't be whole. The latter two
	// release it.
	finish(keeps bool)
	answer(x *loopExchange, status int)
	sever(x *loopExchange)

	// touch notes that a byte came or went, as active tells. left looks whether the
	// client is gone, if that is worth a system call.
	touch()
	active() time.Duration
	left() bool

	// proceed does what can be done now, queue has that done soon, and wake at a
	// time.
	proceed()
	queue()
	wake(due time.Duration)

	// leave is told that the exchange is over, drop that all is.
	leave()
	drop()
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
	x.forwarding, x.loop, x.port, x.front, x.client, x.timeout = f, l, c.port, c, c, t.idleTimeout
	x.entry, x.was = e, c.went
	x.isHead, x.minor, x.keeps, x.bodiless = r.IsHead(head), r.Minor, r.KeepAlive(), r.Body.Empty()
	x.again = x.bodiless && r.Idempotent(head)
	x.upgrades = r.Upgrade(head) != nil
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
	l := x.loop
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
		t.connecting, t.since = false, x.loop.now
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
		x.entry.dispatched(x.loop.clock())
	}
	front := x.front
	if x.pipe != nil && !x.client.writable {
		return
	}
	for reads := 0; t.readable || x.pipe != nil && x.pipe.held > 0; reads++ {
		room := front.room()
		if room == 0 {
			return
		}
		if reads == fairShare {
			front.queue()
			return
		}
		if x.splices() {
			if !x.splice() || x.front != front {
				return
			}
			continue
		}
		buffer := x.loop.buffer[:room]
		n, errno := t.receive(buffer)
		switch {
		case errno == syscall.EAGAIN:
		case errno != 0:
			x.lost(errno)
		case n == 0:
			x.lost(io.EOF)
		default:
			front.touch()
			x.hear(buffer[:n])
		}
		if x.front != front || x.target != t {
			return
		}
	}
}

func (x *loopExchange) connectFailed(err error) {
	x.target.close()
	x.target = nil
	x.group.meter.Add(x.loop.index, meter.TargetConnectionErrors, 1)
	if errors.Is(err, syscall.ETIMEDOUT) {
		x.fail(504)
		return
	}
	x.fail(502)
}

// take deals with what has come from the target.
func (x *loopExchange) take(data []byte) {
	if x.begun {
		x.pass(x.loop.out[:0], data)
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
		if front := x.front; x.response.Status != 100 {
			if front.interim(x, data[:n]); x.front != front {
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
	l := x.loop
	if x.response.Status == 101 && !x.upgrades {
		x.lost(errSwitched)
		return
	}
	x.group.meter.Target(l.index, x.response.Status)
	x.group.meter.Observe(l.index, l.now-x.looked)
	x.answered(x.response.Status)
	now := l.clock()
	x.entry.responded(now, x.response.Status)
	if x.response.Status == 101 {
		x.tunnel(data, n, now)
		return
	}
	body := x.response.BodyTo(x.isHead)
	l.fields = x.appendFields(l.fields[:0], data[:n], &x.response, now)
	x.from, x.begun = body.Framing, true
	x.decoder.Reset(body)
	x.pass(x.front.begin(x, data[:n], l.out[:0], body, now), data[n:])
}

var errSwitched = &http1.Refusal{Status: 502, Reason: "protocol change that wasn't asked for"}

// pass sends out, and what has come of the body behind it, to the client.
func (x *loopExchange) pass(out, data []byte) {
	l, front := x.loop, x.front
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
			l.out = out[:0]
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
		l.out = out[:0]
	}
	if len(out) > 0 {
		if front.send(out); x.front != front {
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
	x.log(0)
	front, keeps := x.front, x.keeps
	x.release()
	front.finish(keeps)
}

// lost ends an exchange whose target can't be heard any more.
func (x *loopExchange) lost(err error) {
	front, t := x.front, x.target
	if x.begun && errors.Is(err, io.EOF) && x.decoder.EOF() == nil {
		if x.to == http1.Chunked {
			front.send([]byte(http1.LastChunk))
		}
		if x.front == front {
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
		front.sever(x)
	}
}

// relaunch connects anew.
func (x *loopExchange) relaunch() {
	t, err := x.loop.connect(x.endpoint, x.endpoint.serverName(x.request))
	if err != nil {
		x.group.meter.Add(x.loop.index, meter.TargetConnectionErrors, 1)
		x.fail(502)
		return
	}
	x.target, t.x, x.sent = t, x, 0
	if t.writable {
		x.front.queue()
	}
}

// fail answers a request that got no response.
func (x *loopExchange) fail(status int) {
	x.failed(status)
	if t := x.target; t != nil {
		x.target, t.x = nil, nil
		t.close()
	}
	x.port.node.meter.ELB(x.loop.index, status)
	x.front.answer(x, status)
}

// expire looks after an exchange on which nothing may be happening.
func (x *loopExchange) expire(now time.Duration) {
	front := x.front
	idle := now - max(front.active(), x.looked)
	switch t := x.target; {
	case t != nil && (t.connecting || t.tls != nil && !t.tls.ready) && now-t.since >= connectTimeout:
		if t.connecting {
			x.group.meter.Add(x.loop.index, meter.TargetConnectionErrors, 1)
		} else {
			x.group.meter.Add(x.loop.index, meter.TargetTLSErrors, 1)
		}
		x.fail(504)
		front.proceed()
		return
	case idle >= x.timeout && !x.begun:
		x.fail(504)
		front.proceed()
		return
	case idle >= x.timeout:
		front.sever(x)
		return
	case idle > watchInterval/2 && front.left():
		front.drop()
		return
	}
	front.wake(now + min(watchInterval, x.timeout-idle))
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
		e.end(x.loop.clock(), status, x.front.sent()-x.was)
	}
}

// release ends the exchange.
func (x *loopExchange) release() {
	x.endpoint.target.End()
	x.recycle()
}

// recycle gives the exchange back to the loop.
func (x *loopExchange) recycle() {
	l := x.loop
	if x.pipe != nil {
		l.sparePipe(x.pipe)
	}
	x.front.leave()
	response, request, head := x.response, x.request[:0], x.head[:0]
	response.Reset()
	*x = loopExchange{response: response, request: request, head: head}
	if len(l.spare) < spareExchanges && cap(request)+cap(head) <= maxOutBuffer {
		l.spare = append(l.spare, x)
	}
}
