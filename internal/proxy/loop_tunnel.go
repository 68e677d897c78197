//go:build linux

package proxy

import (
	"errors"
	"io"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/http1"
)

// scarceStep is what one read of a tunnel brings at most while half of the loop's
// memory is held: a whole buffer costs half as much for large messages.
const scarceStep = 8 << 10

// loopTunnel carries bytes both ways between a client and a target after a protocol
// change. While nothing is due to either it has no memory but this; else it holds
// what one read has brought, as one side isn't read while the other has something to
// take.
type loopTunnel struct {
	client *loopClient
	target *loopTarget
	entry  *entry
	came   int64 // bytes from the client, as it has them without TLS
	was    int64 // client.went, when the request was begun

	fromClient, fromTarget speech
	orderly                bool // both are told of the end as one that was due
}

// speech is how far one side of a tunnel has got.
type speech uint8

const (
	speaking speech = iota
	ended           // it has said the last
	passedOn        // and the other side knows
)

// tunnel passes on the response with which the target agrees to change protocols,
// whose head is the first n bytes, and has the connections be a tunnel.
func (x *loopExchange) tunnel(data []byte, n int, now time.Time) {
	c, t := x.client, x.target
	l := c.loop
	u := &loopTunnel{client: c, target: t, entry: x.entry, was: x.was}
	u.entry.tunnelled()
	l.fields = x.appendFields(l.fields[:0], data[:n], &x.response, now)
	out := http1.AppendResponse(l.out[:0], data[:n], &x.response, false,
		&http1.Delivery{Date: c.port.proxy.dates.at(now), Edits: x.edits.responses, Fields: l.fields})
	out = append(out, data[n:]...)
	l.out = out[:0]
	t.send(x.request[x.sent:]) // if the target hasn't waited for all of it
	t.x, t.tunnel, c.tunnel, c.state = nil, u, u, tunnelling
	x.recycle() // the target has the request under way until close
	l.wheel.set(&c.timer, l.now+min(tunnelWatch, c.port.table.Load().idleTimeout))
	if c.send(out); c.state == dropped {
		return
	}
	if in := c.in; in != nil { // what the client said right behind the request
		u.toTarget(in.bytes)
		c.in = nil
		c.recycle(in)
	}
	c.queue()
}

// proceed does what can be done now.
func (u *loopTunnel) proceed() {
	c, t := u.client, u.target
	if len(c.unsent) > 0 {
		if c.flush(); c.state == dropped {
			return
		}
	}
	t.flush()
	for reads := 0; ; reads++ {
		if reads == fairShare {
			c.queue()
			return
		}
		up := u.readClient()
		if c.state == dropped {
			return
		}
		down := u.readTarget()
		if c.state == dropped {
			return
		}
		if u.passEnds(); c.state == dropped || !up && !down {
			return
		}
	}
}

// step returns the room for one read of a tunnel, all of which may be left untaken.
func (l *loop) step() []byte {
	if l.held > l.mostHeld/2 {
		return l.buffer[:scarceStep]
	}
	return l.buffer
}

// readClient passes on what has come from the client; false if no more of it can be
// now.
func (u *loopTunnel) readClient() bool {
	c, t := u.client, u.target
	l := c.loop
	switch {
	case u.fromClient != speaking || len(t.unsent) > 0 || t.broken:
		return false
	case c.tls != nil && c.tls.ended:
		u.endClient()
		return false
	case !c.readable:
		return false
	}
	in := l.step()
	n, errno := c.receive(in)
	switch {
	case errno == syscall.EAGAIN:
		return false
	case errno != 0:
		u.reset()
		return false
	case n == 0:
		u.endClient()
		return false
	}
	c.touch()
	text := in[:n]
	if c.tls != nil {
		var sealed []byte
		var err error
		text, sealed, err = c.tls.open(text, l.clear[:0], l.sealed[:0])
		l.sealed = sealed[:0]
		if len(sealed) > 0 { // it was asked for new keys, or told of an error
			if c.sendSealed(sealed); c.state == dropped {
				return false
			}
		}
		if err != nil && !c.tls.ended {
			u.reset()
			return false
		}
	}
	c.port.node.countBytes(l.index, c.peer.Addr(), len(text))
	u.toTarget(text)
	return true
}

// toTarget sends what the client has said.
func (u *loopTunnel) toTarget(text []byte) {
	u.came += int64(len(text))
	t := u.target
	if t.tls != nil && len(text) > 0 {
		text = t.tls.seal(text, t.loop.sealed[:0])
		t.loop.sealed = text[:0]
	}
	t.send(text)
}

// readTarget passes on what has come from the target; false if no more of it can be
// now.
func (u *loopTunnel) readTarget() bool {
	c, t := u.client, u.target
	switch {
	case u.fromTarget != speaking || len(c.unsent) > 0:
		return false
	case t.tls != nil && t.tls.ended:
		u.endTarget()
		return false
	case !t.readable:
		return false
	}
	in := t.loop.step()
	n, errno := t.receive(in)
	switch {
	case errno == syscall.EAGAIN && !t.broken:
		return false
	case errno != 0:
		u.reset()
		return false
	case n == 0:
		u.endTarget()
		return false
	}
	c.touch()
	text := in[:n]
	if t.tls != nil {
		var err error
		if text, err = t.open(text); err != nil && !errors.Is(err, io.EOF) {
			u.reset()
			return false
		}
	}
	if len(text) > 0 {
		c.send(text)
	}
	return true
}

// endClient notes that the client has said the last.
func (u *loopTunnel) endClient() {
	u.fromClient = ended
	if t := u.target; t.tls != nil {
		sealed := t.tls.sealEnd(t.loop.sealed[:0])
		t.loop.sealed = sealed[:0]
		t.send(sealed)
	}
}

// endTarget notes that the target has.
func (u *loopTunnel) endTarget() {
	u.fromTarget = ended
	if c := u.client; c.tls != nil {
		sealed := c.tls.sealEnd(c.loop.sealed[:0])
		c.loop.sealed = sealed[:0]
		c.sendSealed(sealed)
	}
}

// passEnds tells either side that the other has said the last, once it has taken all
// before, and ends the tunnel when both know.
func (u *loopTunnel) passEnds() {
	c, t := u.client, u.target
	if t.broken && u.fromTarget != speaking {
		u.reset() // it has gone, and all that it has said is passed on
		return
	}
	if u.fromClient == ended && len(t.unsent) == 0 {
		u.fromClient = passedOn
		_ = syscall.Shutdown(t.fd, syscall.SHUT_WR) // one that is reset says so itself
	}
	if u.fromTarget == ended && len(c.unsent) == 0 {
		u.fromTarget = passedOn
		_ = syscall.Shutdown(c.fd, syscall.SHUT_WR) // likewise
	}
	if u.fromClient == passedOn && u.fromTarget == passedOn {
		u.orderly = true
		c.drop()
	}
}

// over ends the tunnel of a client that has gone, if nothing that it has said can be
// passed on any more. events are what its socket has met.
func (u *loopTunnel) over(events uint32) bool {
	if events&syscall.EPOLLERR == 0 || u.fromClient == speaking && len(u.target.unsent) == 0 {
		return false
	}
	u.reset()
	return true
}

// expire looks after a tunnel on which nothing may be happening.
func (u *loopTunnel) expire(now time.Duration) {
	c := u.client
	left := c.lively + c.port.table.Load().idleTimeout - now
	if left > 0 {
		c.loop.wheel.set(&c.timer, now+min(tunnelWatch, left))
		return
	}
	u.orderly = true
	c.drop()
}

// reset ends the tunnel as one that hasn't come to its end.
func (u *loopTunnel) reset() {
	sysReset(u.client.fd)
	u.client.drop()
}

// close ends a tunnel whose client is let go.
func (u *loopTunnel) close() {
	c, t := u.client, u.target
	if !u.orderly {
		sysReset(t.fd)
	}
	c.tunnel, t.tunnel = nil, nil
	t.close()
	t.endpoint.target.End()
	if e := u.entry; e != nil {
		e.Received += u.came
		e.end(c.loop.clock(), 0, c.went-u.was)
	}
}
