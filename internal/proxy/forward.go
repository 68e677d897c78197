package proxy

import (
	"time"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/route"
)

// forward sends the request to a target and the response back. It returns
// whether the client's connection goes on.
func (c *client) forward(t *table, rule *route.Rule, head []byte, at *arrival, d *ruling, out *[]byte, e *entry) bool {
	f, status := t.forward(rule, head, &c.request, at, d)
	if status != 0 {
		return c.answerPage(t, head, status, d.set, out)
	}
	defer f.endpoint.target.End()
	c.port.node.countForward(c.thread, &f)

	x := &c.exchange
	x.begin(f, t, head, at, e)
	upgrade := c.request.Upgrade(head) != nil
	*out = f.appendRequest((*out)[:0], t, head, &c.request, at, e)

	n, status := x.send(out)
	if status != 0 {
		x.failed(status)
		return c.fail(status, out)
	}
	x.answered(x.response.Status)
	// From here on the head's bytes may be overwritten.
	return c.receive(n, upgrade, out)
}

// source implements front.
func (c *client) source() (*stream, http1.Body) { return &c.stream, c.request.Body }

// proceed implements front.
func (c *client) proceed(timeout time.Duration) error {
	return c.write([]byte(http1.Continue), timeout)
}

// interim implements front.
func (c *client) interim(head []byte, r *http1.Response, timeout time.Duration) error {
	return c.write(http1.AppendResponse(nil, head, r, c.exchange.isHead, &http1.Delivery{}), timeout)
}

// awaits implements front.
func (c *client) awaits(*targetConn) {}

// gone implements front. To look costs a system call.
func (c *client) gone(now time.Time) bool {
	return c.idleFor(now) > watchInterval/2 && c.peek() == gone
}

// fail answers a request that got no response. The body may have been read in
// part, so the connection ends, unless there is none.
func (c *client) fail(status int, out *[]byte) bool {
	x := &c.exchange
	if status < 0 {
		return false
	}
	now := time.Now()
	keep := c.request.Body.Empty() && c.persists(now)
	c.status = status
	c.port.node.meter.ELB(c.thread, status)
	d := c.delivery(x.edits, keep, now)
	d.Fields = x.set
	*out = http1.AppendPage((*out)[:0], status, x.isHead, d)
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
func (c *client) receive(n int, upgrade bool, out *[]byte) bool {
	x := &c.exchange
	target := x.target
	x.group.meter.Target(c.thread, x.response.Status)
	x.group.meter.Observe(c.thread, time.Since(x.dispatched))
	if x.response.Status == 101 {
		defer target.endpoint.discard(target)
		if !upgrade {
			return c.fail(502, out)
		}
		now := time.Now()
		x.entry.responded(now, 101)
		x.entry.tunnelled()
		c.fields = x.appendFields(c.fields[:0], target.unread()[:n], &x.response, now)
		*out = http1.AppendResponse((*out)[:0], target.unread()[:n], &x.response, false, &http1.Delivery{Date: c.port.proxy.dates.at(now), Edits: x.edits.responses, Fields: c.fields})
		target.use(n)
		if c.write(*out, x.timeout) == nil {
			c.tunnel()
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
	c.fields = x.appendFields(c.fields[:0], target.unread()[:n], &x.response, now)
	d := http1.Delivery{Body: to, Close: !keep, Keep: keep, Date: c.port.proxy.dates.at(now), Edits: x.edits.responses, Fields: c.fields}
	*out = http1.AppendResponse((*out)[:0], target.unread()[:n], &x.response, x.isHead, &d)
	target.use(n)

	b := &c.body
	*b = carrier{from: &target.stream, to: &c.stream, timeout: x.timeout, chunked: to.Framing == http1.Chunked, active: &c.activity}
	b.decoder.Reset(from)
	b.carry(out, x)
	target.release()

	x.settle(from, b.err == nil)
	switch {
	case b.err != nil:
		if !b.refused && to.Framing == http1.UntilClose {
			c.reset()
		}
		return false
	case !whole:
		c.linger()
		return false
	}
	return keep
}
