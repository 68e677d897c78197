package px

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"time"

	"github.com/fairlead/fairlead/internal/px/balance"
	"github.com/fairlead/fairlead/internal/px/http1"
	"github.com/fairlead/fairlead/internal/px/route"
)

// exchange is one request with a target.
type exchange struct {
	c     *client
	state *nodeState
	to    http1.ToClient
	body  http1.Body // of the request, as far as it hasn't been sent
	sent  []byte     // the request as it was sent, head and what was here of the body
	retry bool       // it may be sent a second time
	begun bool       // a part of the response went to the client
	group *balance.Group
	turns *balance.Turns
	resp  http1.Response
}

// attempts is how many connections a request may be tried on, where that is safe.
const attempts = 2

// forward sends the client's request to a target and the response back.
func (c *client) forward(state *nodeState, f *route.Forward, to http1.ToClient) bool {
	arn := f.Groups[0].ARN
	if len(f.Groups) > 1 {
		arn = f.Pick(c.node.turn("").Next())
	} else if f.Groups[0].Weight == 0 {
		arn = ""
	}
	x := exchange{c: c, state: state, to: to, body: c.req.Body()}
	if arn != "" {
		x.group, x.turns = c.node.proxy.opts.Targets.Group(arn), c.node.turn(arn)
	}
	if x.group == nil {
		return c.page(503, to, x.body)
	}
	if !x.assemble() {
		return false
	}
	var last *balance.Target
	status := 503
	for range attempts {
		t := x.group.Pick(x.turns, last)
		if t == nil {
			break
		}
		last = t
		t.InFlight.Add(1)
		again := false
		status, again = x.try(t)
		t.InFlight.Add(-1)
		if !again {
			break
		}
	}
	switch {
	case status == 0:
		return c.finish(x.to.Close)
	case x.begun:
		return false // the response broke off: the client must see that
	}
	return c.page(status, x.to, x.body)
}

// assemble writes the request for the target, with what is here of its body;
// false if it can't be sent, with the answer to the client.
func (x *exchange) assemble() bool {
	c := x.c
	out, err := http1.AppendRequest(c.out[:0], &c.req, &http1.Forwarding{
		Client: c.peer, Proto: "http", Port: c.port, Host: x.state.host, TraceID: traceID(time.Now()),
	})
	if err == nil {
		// A body that is here whole makes the request complete: it can be sent again.
		out, err = x.appendBody(out)
	}
	c.out = out
	var bad *http1.Error
	if errors.As(err, &bad) {
		c.refuse(bad.Status)
		return false
	}
	x.sent = out
	x.retry = x.body.Done()
	if c.req.Expect && !x.body.Done() {
		_ = c.conn.SetWriteDeadline(time.Now().Add(x.state.idleTimeout))
		if _, err := c.conn.Write([]byte(http1.Continue)); err != nil {
			return false
		}
	}
	return true
}

// appendBody appends what is here of the request's body, framed for the target.
func (x *exchange) appendBody(out []byte) ([]byte, error) {
	for !x.body.Done() && x.c.in.len() > 0 {
		data, n, err := x.body.Take(x.c.in.bytes())
		if err != nil {
			return out, err
		}
		out = x.frame(out, data)
		x.c.in.use(n)
		if n == 0 {
			break
		}
	}
	return out, nil
}

// frame appends a piece of the request's body as the target is to get it.
func (x *exchange) frame(out, data []byte) []byte {
	if x.body.Kind() != http1.Chunked {
		return append(out, data...)
	}
	out = http1.AppendChunk(out, data)
	if x.body.Done() {
		out = append(out, http1.LastChunk...)
	}
	return out
}

func traceID(now time.Time) string {
	return fmt.Sprintf("1-%08x-%016x%08x", uint32(now.Unix()), rand.Uint64(), rand.Uint32())
}

// try sends the request to a target. status is what to answer the client, 0 if
// it was answered; again says that another target may be tried.
func (x *exchange) try(bt *balance.Target) (status int, again bool) {
	pool := x.c.node.proxy.pool
	t := pool.take(bt.Addr)
	if t == nil {
		var err error
		if t, err = pool.dial(x.c.node.proxy.ctx, bt.Addr); err != nil {
			if isTimeout(err) {
				return 504, false
			}
			return 502, x.retry // nothing was sent
		}
	}
	status, again, keep := x.over(t)
	if keep {
		pool.put(t)
	} else {
		t.drop()
	}
	return status, again
}

// over makes the exchange over a connection. keep says that it can carry
// another request.
func (x *exchange) over(t *target) (status int, again, keep bool) {
	_ = t.SetDeadline(time.Now().Add(x.state.idleTimeout))
	if _, err := t.Write(x.sent); err != nil {
		return 502, x.retry && t.reused, false
	}
	var up *upload
	if !x.body.Done() {
		up = x.upload(t)
	}
	status, again, keep = x.response(t)
	if up != nil && !up.stop() {
		// The target answered before it had the whole request: what of it is
		// still to come belongs to nobody.
		keep, x.to.Close = false, true
	}
	return status, again, keep
}

// response brings the response to the client.
func (x *exchange) response(t *target) (status int, again, keep bool) {
	for {
		n, err := x.readHead(t)
		switch {
		case err == nil:
		case isTimeout(err):
			return 504, false, false
		default:
			// A connection that was kept may have been closed by the target while
			// the request was on its way: it has seen nothing of it.
			stale := t.reused && t.in.len() == 0 && !x.begun
			return 502, stale && x.retry && x.c.req.Idempotent(), false
		}
		if !x.resp.Interim() {
			return x.relay(t, n)
		}
		if x.resp.Status != 100 && x.to.Minor == 1 {
			x.c.out, _ = http1.AppendResponse(x.c.out[:0], &x.resp, x.to)
			x.begun = true
			if !x.c.send(x.state) {
				return 502, false, false
			}
		}
		t.in.use(n)
	}
}

// readHead reads a response's head, which stays in t.in.
func (x *exchange) readHead(t *target) (int, error) {
	x.resp.Reset()
	for {
		if t.in.len() > 0 {
			n, err := x.resp.Parse(t.in.bytes())
			if !errors.Is(err, http1.ErrIncomplete) {
				return n, err
			}
		}
		_ = t.SetReadDeadline(time.Now().Add(x.state.idleTimeout))
		if err := t.in.fill(t); err != nil {
			return 0, err
		}
	}
}

// relay sends the response, whose head of n bytes has been read, to the client.
func (x *exchange) relay(t *target, n int) (status int, again, keep bool) {
	c := x.c
	if x.resp.NeedsClose(x.to) {
		x.to.Close = true
	}
	if x.resp.Status == 101 {
		if !c.req.Upgrade {
			return 502, false, false // a protocol that nobody asked for
		}
		c.out, _ = http1.AppendResponse(c.out[:0], &x.resp, x.to)
		t.in.use(n)
		x.begun = true
		if c.send(x.state) {
			c.tunnel(t, x.state)
		}
		x.to.Close = true
		return 0, false, false
	}
	var chunked bool
	c.out, chunked = http1.AppendResponse(c.out[:0], &x.resp, x.to)
	body := x.resp.Body(x.to.Head)
	keep = !x.resp.Close && body.Kind() != http1.UntilClose
	t.in.use(n)
	for {
		for !body.Done() && t.in.len() > 0 {
			data, n, err := body.Take(t.in.bytes())
			if err != nil {
				return 502, false, false
			}
			if chunked {
				c.out = http1.AppendChunk(c.out, data)
			} else {
				c.out = append(c.out, data...)
			}
			t.in.use(n)
			if n == 0 {
				break
			}
		}
		done := body.Done()
		if done && chunked {
			c.out = append(c.out, http1.LastChunk...)
		}
		if len(c.out) > 0 {
			x.begun = true
			if !c.send(x.state) {
				return 502, false, false
			}
		}
		if done {
			return 0, false, keep
		}
		_ = t.SetReadDeadline(time.Now().Add(x.state.idleTimeout))
		if err := t.in.fill(t); err != nil {
			if body.Kind() == http1.UntilClose && !isTimeout(err) && !isReset(err) {
				if chunked {
					c.out = append(c.out, http1.LastChunk...)
					if !c.send(x.state) {
						return 502, false, false
					}
				}
				return 0, false, false
			}
			return 502, false, false
		}
	}
}

// upload sends the rest of a request's body while the response may already come.
type upload struct {
	x    *exchange
	done chan struct{}
	ok   bool // the whole body was sent; valid once done is closed
}

func (x *exchange) upload(t *target) *upload {
	u := &upload{x: x, done: make(chan struct{})}
	go u.run(t)
	return u
}

func (u *upload) run(t *target) {
	defer close(u.done)
	x, c := u.x, u.x.c
	out := getBuffer()
	defer putBuffer(out)
	buf := out.b[:0]
	for !x.body.Done() {
		_ = c.conn.SetReadDeadline(time.Now().Add(x.state.idleTimeout))
		if err := c.in.fill(c.conn); err != nil {
			// The client is gone, or sends nothing: the target gets no more either.
			_ = t.SetReadDeadline(time.Unix(1, 0))
			return
		}
		buf = buf[:0]
		for !x.body.Done() && c.in.len() > 0 {
			data, n, err := x.body.Take(c.in.bytes())
			if err != nil {
				_ = t.SetReadDeadline(time.Unix(1, 0))
				return
			}
			buf = x.frame(buf, data)
			c.in.use(n)
			if n == 0 {
				break
			}
		}
		now := time.Now().Add(x.state.idleTimeout)
		_ = t.SetWriteDeadline(now)
		if _, err := t.Write(buf); err != nil {
			return // the response, if there is one, says why
		}
		_ = t.SetReadDeadline(now) // bytes in either direction are activity
	}
	u.ok = true
}

// stop ends the upload and says whether it had sent everything.
func (u *upload) stop() bool {
	select {
	case <-u.done:
		return u.ok
	default:
	}
	_ = u.x.c.conn.SetReadDeadline(time.Unix(1, 0))
	<-u.done
	return u.ok
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || (errors.As(err, &ne) && ne.Timeout())
}
