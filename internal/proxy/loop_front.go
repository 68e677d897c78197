//go:build linux

package proxy

import (
	"time"

	"github.com/fairlead/fairlead/internal/proxy/http1"
)

// A client that speaks HTTP/1.1 is the front of its exchange, one at a time.

// begin implements loopFront.
func (c *loopClient) begin(x *loopExchange, data, out []byte, body http1.Body, now time.Time) []byte {
	to, closes := http1.Deliver(body, x.minor)
	x.to = to.Framing
	x.keeps = x.keeps && !closes && c.port.welcomes(c.born, c.maxAge, now)
	d := http1.Delivery{Body: to, Close: !x.keeps, Keep: x.keeps, Date: c.port.proxy.dates.at(now), Edits: x.edits.responses, Fields: c.loop.fields}
	return http1.AppendResponse(out, data, &x.response, x.isHead, &d)
}

// interim implements loopFront.
func (c *loopClient) interim(x *loopExchange, head []byte) {
	if x.minor > 0 {
		c.send(http1.AppendResponse(nil, head, &x.response, x.isHead, &http1.Delivery{}))
	}
}

// room implements loopFront.
func (c *loopClient) room() int {
	if len(c.unsent) > 0 {
		return 0
	}
	return readBuffer
}

// sent implements loopFront.
func (c *loopClient) sent() int64 { return c.went }

// finish implements loopFront.
func (c *loopClient) finish(keeps bool) {
	if !keeps {
		c.end(closing)
		return
	}
	c.await()
}

// answer implements loopFront.
func (c *loopClient) answer(x *loopExchange, status int) {
	now := c.loop.clock()
	keep := x.bodiless && x.keeps && c.port.welcomes(c.born, c.maxAge, now)
	out := http1.AppendPage(c.loop.out[:0], status, x.isHead, c.delivery(x.edits, keep, now))
	c.loop.out = out[:0]
	e, was := x.entry, x.was
	x.release()
	c.send(out)
	e.end(now, status, c.went-was)
	if c.state != dropped {
		c.finish(keep)
	}
}

// sever implements loopFront.
func (c *loopClient) sever(x *loopExchange) {
	if x.to == http1.UntilClose {
		sysReset(c.fd) // otherwise it ends as if it were whole
	}
	c.drop()
}

// active implements loopFront.
func (c *loopClient) active() time.Duration { return c.lively }

// left implements loopFront.
func (c *loopClient) left() bool {
	if !c.readable {
		return false
	}
	state := sysPeek(c.fd)
	return state == gone || state == pending && c.tls != nil && finished(c.fd) // behind an alert that says so
}

// wake implements loopFront.
func (c *loopClient) wake(due time.Duration) { c.loop.wheel.set(&c.timer, due) }

// leave implements loopFront.
func (c *loopClient) leave() { c.x = nil }
