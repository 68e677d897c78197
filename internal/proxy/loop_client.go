//go:build linux

package proxy

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/internal/accesslog"
	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/route"
)

// maxGathered is how large a request's body may be for the loop to wait until all
// of it is there. A larger one is the stream shell's.
const maxGathered = 16 << 10

// loopClient is a client's connection on a loop. While nothing is under way it
// has no memory but this.
type loopClient struct {
	loop   *loop
	port   *port
	peer   netip.AddrPort
	born   time.Time
	maxAge time.Duration // as in client

	lively time.Duration // when the last byte came or went, by the loop's clock
	timer  timer
	in     *inbound       // nil: nothing has come that isn't dealt with
	unsent []byte         // what the client hasn't taken yet
	x      *loopExchange  // the request under way
	tunnel *loopTunnel    // after a protocol change
	tls    *channel       // nil: in the clear
	many   *loopMultiplex // nil: it speaks HTTP/1.1
	thrown int            // bytes that came while lingering
	went   int64          // bytes that were sent, as the client has them without TLS
	trace  accesslog.ConnTrace
	held   int           // of the loop's memory, as of the last tally
	stuck  time.Duration // since when the client hasn't taken all of unsent

	edge
	state  clientState
	queued bool // is in loop.ready
}

// clientState is what a client's connection is up to.
type clientState uint8

const (
	awaiting     clientState = iota // a request
	shaking                         // hands, for TLS
	multiplexing                    // requests of HTTP/2, see many
	answering                       // x is under way
	tunnelling                      // bytes both ways
	closing                         // as soon as unsent has gone
	parting                         // the same, but the client may have more to say, which nobody hears
	lingering                       // the client is waited for to end its side
	dropped
)

// inbound is what has come of a request, and not all of it, or of the one after.
type inbound struct {
	bytes   []byte
	request http1.Request
	parsed  bool // nothing new since the last Parse
	need    int  // of bytes, head and body, once the head is known; 0 before

	since time.Duration // when its first byte came, by the loop's clock
}

var inbounds = sync.Pool{New: func() any { return new(inbound) }}

func newLoopClient(p *port, fd int, peer netip.AddrPort) *loopClient {
	return &loopClient{port: p, edge: edge{fd: fd}, peer: peer, born: time.Now(), maxAge: p.table.Load().clientKeepAlive}
}

// adopt takes a connection on.
func (l *loop) adopt(c *loopClient) {
	c.loop, c.lively = l, l.now
	c.timer = timer{slot: -1, owner: c}
	t := c.port.table.Load()
	c.trace = t.logs.newConnTrace()
	// Nothing is asked of the descriptor before: what has come meanwhile is told.
	if err := l.add(c.fd, c); err != nil {
		l.proxy.log.Error("connection not carried", "error", err)
		sysClose(c.fd)
		c.state = dropped
		c.port.looped.Add(-1)
		c.port.left()
		return
	}
	c.writable = true
	if s := t.tls; s != nil {
		c.tls = newChannel(s.config, c.peer)
		c.state = shaking
		l.wheel.set(&c.timer, l.now+handshakeTimeout)
		return
	}
	t.connected(l.index, c.peer, c.trace, nil, 0, l.clock())
	c.await()
	if c.port.closing.Load() {
		c.closeIfIdle()
	}
}

// happened implements sock.
func (c *loopClient) happened(events uint32) {
	if c.state == answering && events&(syscall.EPOLLHUP|syscall.EPOLLERR) != 0 {
		c.drop() // it was reset: nobody waits for the response
		return
	}
	if c.state == tunnelling && c.tunnel.over(events) {
		return
	}
	c.told(events)
	c.proceed()
}

// touch notes that a byte came or went.
func (c *loopClient) touch() { c.lively = c.loop.now }

// proceed does what can be done now.
func (c *loopClient) proceed() {
	c.advance()
	c.tally()
}

func (c *loopClient) advance() {
	if c.state != tunnelling && len(c.unsent) > 0 && !c.flush() && c.state != multiplexing {
		return
	}
	for requests := 0; ; requests++ {
		switch c.state {
		case answering:
			c.x.proceed()
		case tunnelling:
			c.tunnel.proceed()
		case shaking:
			if c.shake() {
				continue
			}
		case multiplexing:
			c.many.proceed()
		case closing:
			c.drop()
		case parting:
			c.part()
		case lingering:
			c.throwAway()
		case awaiting:
			if requests == fairShare {
				c.queue()
				return
			}
			if c.readRequest() {
				continue // it is answered, or under way
			}
		case dropped:
		}
		if c.state != awaiting || len(c.unsent) > 0 || c.in == nil && !c.readable || c.in != nil && c.in.parsed && !c.readable {
			return
		}
	}
}

// queue has the connection go on when the others have had their turn.
func (c *loopClient) queue() {
	if !c.queued {
		c.queued = true
		c.loop.ready = append(c.loop.ready, c)
	}
}

// again implements eager.
func (c *loopClient) again() {
	c.queued = false
	c.proceed()
}

// connection implements eager.
func (c *loopClient) connection() sock { return c }

// await waits for a request, for as long as the idle timeout says.
func (c *loopClient) await() {
	c.state = awaiting
	c.loop.wheel.set(&c.timer, c.lively+c.port.table.Load().idleTimeout)
}

// readRequest reads until a request is there and begins to answer it; false if
// there is none yet, or none will be.
func (c *loopClient) readRequest() bool {
	for {
		data, request, ok := c.gathered()
		if !ok {
			return false
		}
		if in := c.in; in != nil && in.need > 0 { // the head is known
			if len(data) < in.need {
				continue
			}
			return c.take(data, request, request.Size)
		}
		request.Policy = c.port.table.Load().policy
		n, err := request.Parse(data)
		if errors.Is(err, http1.ErrIncomplete) {
			c.hold(data, request)
			continue
		}
		if err != nil {
			c.refuse(err, request)
			return true
		}
		body := request.Body
		if len(data) < n+int(min(body.Length, maxGathered+1)) && c.gathers(request) {
			c.hold(data, request)
			c.in.need = n + int(body.Length)
			continue
		}
		return c.take(data, request, n)
	}
}

// gathers says whether the loop waits for all of the request's body.
func (c *loopClient) gathers(r *http1.Request) bool {
	return r.Body.Framing == http1.ByLength && r.Body.Length <= maxGathered && !r.Expect100
}

// gathered returns what has come and isn't dealt with, after reading once if need
// be, and the request to parse it into; false if nothing more is there.
func (c *loopClient) gathered() ([]byte, *http1.Request, bool) {
	in := c.in
	if in != nil && !in.parsed {
		in.parsed = true
		return in.bytes, &in.request, true
	}
	if !c.readable || c.unwanted() {
		return nil, nil, false
	}
	if c.tls != nil && c.tls.ended {
		c.drop()
		return nil, nil, false
	}
	n, errno := c.receive(c.loop.buffer)
	switch {
	case errno == syscall.EAGAIN:
		return nil, nil, false
	case n == 0 || errno != 0:
		c.drop()
		return nil, nil, false
	}
	c.touch()
	data := c.loop.buffer[:n]
	if c.tls != nil {
		var ok bool
		if data, ok = c.open(data); !ok || len(data) == 0 {
			return nil, nil, false
		}
	}
	if c.tls == nil {
		c.port.node.countBytes(c.loop.index, c.peer.Addr(), len(data))
	}
	if in != nil {
		in.bytes = append(in.bytes, data...)
		return in.bytes, &in.request, true
	}
	c.loop.request.Reset()
	return data, &c.loop.request, true
}

// unwanted ends the connection if no request has begun on it and none is wanted
// any more.
func (c *loopClient) unwanted() bool {
	if c.in == nil && c.port.closing.Load() && sysPeek(c.fd) != pending {
		c.drop()
		return true
	}
	return false
}

// hold keeps what has come of a request until there is more. request is where it
// was parsed into.
func (c *loopClient) hold(data []byte, request *http1.Request) {
	if c.in == nil {
		c.in = inbounds.Get().(*inbound)
		c.in.bytes = append(c.in.bytes[:0], data...)
		c.in.need, c.in.since = 0, c.loop.now
		c.in.request, *request = *request, c.in.request // they keep their memory
	}
	c.in.parsed = true
	if c.in.request.Begun() {
		timeout := c.port.table.Load().idleTimeout
		due := c.lively + timeout
		if c.in.need == 0 {
			due = c.headDue(c.in.since, timeout)
		}
		c.loop.wheel.set(&c.timer, due)
	}
}

// keepRest keeps what came behind a request.
func (c *loopClient) keepRest(rest []byte) {
	in := c.in
	if len(rest) == 0 {
		c.in = nil
		c.recycle(in)
		return
	}
	if in == nil {
		in = inbounds.Get().(*inbound)
		c.in = in
	}
	in.bytes = append(in.bytes[:0], rest...)
	in.request.Reset()
	in.parsed, in.need, in.since = false, 0, c.loop.now
}

// recycle gives back memory for what comes in.
func (c *loopClient) recycle(in *inbound) {
	if in == nil || cap(in.bytes) > maxOutBuffer {
		return
	}
	in.bytes = in.bytes[:0]
	in.request.Reset()
	inbounds.Put(in)
}

// take answers a request, or has it answered. data begins with its head of n
// bytes. False: the connection isn't the loop's any more.
func (c *loopClient) take(data []byte, r *http1.Request, n int) bool {
	head := r.Source(data[:n])
	t := c.port.table.Load()
	if !r.Body.Empty() && !c.gathers(r) {
		c.hand(data)
		return false
	}
	size := n + int(r.Body.Length)
	l := c.loop
	at := arrival{peer: c.peer, trace: c.trace, now: l.clock()}
	if c.tls != nil {
		at.tls = &c.tls.session
	}
	rule := t.rules.Match(head, r, c.peer.Addr(), &l.scratch)
	d := t.check(rule, head, r, &at, c.port.node, l.index)
	if d.verdict == open {
		c.hand(data)
		return false
	}
	c.port.node.countRequest(l.index, rule, r, c.peer.Addr())
	e := t.entry(l.index, &at, size)
	e.request(t, head, r, rule)
	t.guarded(rule, head, r, &d, c.port.node, l.index, e)
	was, status := c.went, 0
	keep := c.port.persists(r, c.born, c.maxAge, at.now)
	if d.verdict == passes && rule != nil && rule.Action.Kind == route.Forward {
		if status = c.forward(t, rule, data[n:size], head, r, &at, &d, e); status == 0 {
			if c.state != dropped {
				c.keepRest(data[size:])
			}
			return true
		}
		c.port.node.meter.ELB(l.index, status)
		l.out = http1.AppendPage(l.out[:0], status, r.IsHead(head), c.delivery(t.edits, keep, at.now))
	} else {
		l.out, status = t.appendAnswer(l.out[:0], rule, head, r, &at, &d, c.delivery(t.edits, keep, at.now), e)
		c.port.node.countAnswer(l.index, rule, &d, status)
	}
	c.keepRest(data[size:])
	c.send(l.out)
	e.end(at.now, status, c.went-was)
	if c.state == dropped {
		return true
	}
	if !keep {
		c.end(closing)
		return true
	}
	c.await()
	return true
}

func (c *loopClient) delivery(e edits, keep bool, now time.Time) *http1.Delivery {
	return &http1.Delivery{Close: !keep, Keep: keep, Date: c.port.proxy.dates.at(now), Edits: e.responses}
}

// refuse ends a connection whose request can't be read.
func (c *loopClient) refuse(err error, r *http1.Request) {
	refusal, ok := errors.AsType[*http1.Refusal](err)
	if !ok {
		c.drop()
		return
	}
	c.port.node.countVerdict(c.loop.index, r)
	c.giveUpFor(refusal.Status, r.Verdict)
}

// giveUp answers with an error page and ends the connection, on which there may
// be more to come.
func (c *loopClient) giveUp(status int) { c.giveUpFor(status, http1.Verdict{}) }

// giveUpFor is giveUp for what the request was found to be.
func (c *loopClient) giveUpFor(status int, v http1.Verdict) {
	l := c.loop
	c.port.node.meter.ELB(l.index, status)
	t := c.port.table.Load()
	was := c.went
	l.out = http1.AppendPage(l.out[:0], status, false, c.delivery(t.edits, false, l.clock()))
	c.send(l.out)
	at, received := arrival{peer: c.peer, trace: c.trace, now: l.clock()}, 0
	if c.tls != nil {
		at.tls = &c.tls.session
	}
	if c.in != nil {
		received = len(c.in.bytes)
	}
	t.unreadable(l.index, &at, v, status, received, c.went-was)
	if c.state != dropped {
		c.end(parting)
	}
}

// send writes to the client; what it doesn't take at once goes when it can.
func (c *loopClient) send(b []byte) {
	c.went += int64(len(b))
	c.port.node.countBytes(c.loop.index, c.peer.Addr(), len(b))
	if c.tls != nil {
		b = c.tls.seal(b, c.loop.sealed[:0])
		c.loop.sealed = b[:0]
	}
	c.sendSealed(b)
}

// sendSealed is send for what is as the client gets it.
func (c *loopClient) sendSealed(b []byte) {
	if len(c.unsent) == 0 && c.writable {
		n, errno := sysWrite(c.fd, b)
		switch {
		case errno == 0:
			c.touch()
			b = b[n:]
			c.writable = len(b) == 0
		case errno == syscall.EAGAIN:
			c.writable = false
		case errno != syscall.EINTR:
			c.drop()
			return
		}
	}
	if len(b) > 0 {
		if c.unsent == nil {
			c.unsent = (*outBuffers.Get().(*[]byte))[:0]
			c.stuck = c.loop.now
		}
		c.unsent = append(c.unsent, b...)
	}
}

// flush writes what is due; false if the client doesn't take all of it yet.
func (c *loopClient) flush() bool {
	for c.writable && len(c.unsent) > 0 {
		n, errno := sysWrite(c.fd, c.unsent)
		switch {
		case errno == 0:
			c.touch()
			c.unsent = c.unsent[:copy(c.unsent, c.unsent[n:])]
		case errno == syscall.EAGAIN:
			c.writable = false
		case errno != syscall.EINTR:
			c.drop()
			return false
		}
	}
	if len(c.unsent) > 0 {
		return false
	}
	if b := c.unsent; cap(b) <= maxOutBuffer {
		outBuffers.Put(&b)
	}
	c.unsent = nil
	return true
}

// end has the connection end, in a state that follows when all is sent.
func (c *loopClient) end(how clientState) {
	if c.tls != nil && c.tls.ready {
		b := c.tls.sealEnd(c.loop.sealed[:0])
		c.loop.sealed = b[:0]
		if c.sendSealed(b); c.state == dropped {
			return
		}
	}
	c.state = how
	c.loop.wheel.set(&c.timer, c.lively+c.port.table.Load().idleTimeout)
	if len(c.unsent) == 0 && how == closing {
		c.drop()
	}
}

// part ends our side and waits for the client to end its own.
func (c *loopClient) part() {
	if syscall.Shutdown(c.fd, syscall.SHUT_WR) != nil {
		c.drop()
		return
	}
	c.state = lingering
	c.loop.wheel.set(&c.timer, c.loop.now+lingerTime)
	c.throwAway()
}

// throwAway reads what the client has still sent.
func (c *loopClient) throwAway() {
	for reads := 0; c.readable && reads < fairShare; reads++ {
		n, errno := c.receive(c.loop.buffer)
		if c.thrown += n; errno == syscall.EAGAIN {
			return
		}
		if n == 0 || c.thrown > lingerBytes {
			c.drop()
			return
		}
	}
	if c.readable {
		c.queue()
	}
}

// expire implements the timer's owner.
func (c *loopClient) expire(now time.Duration) {
	switch c.state {
	case answering:
		c.x.expire(now)
	case tunnelling:
		c.tunnel.expire(now)
	case lingering:
		c.drop()
	case shaking:
		c.unshaken(errIdle)
		c.drop()
	case multiplexing:
		c.many.expire(now)
	case awaiting, closing, parting:
		timeout := c.port.table.Load().idleTimeout
		due := c.lively + timeout
		if c.state == awaiting && c.in != nil && c.in.need == 0 && c.in.request.Begun() {
			due = c.headDue(c.in.since, timeout)
		}
		if due > now {
			c.loop.wheel.set(&c.timer, due)
			return
		}
		if c.state == awaiting && c.in != nil && c.in.request.Begun() {
			c.giveUp(408)
			c.proceed()
			return
		}
		c.drop()
	case dropped:
	}
}

// closeIfIdle ends the connection if it waits for a request.
func (c *loopClient) closeIfIdle() {
	switch {
	case c.state == multiplexing:
		c.many.drain()
	case c.state == awaiting && len(c.unsent) == 0:
		c.unwanted()
	}
}

// drop implements sock.
func (c *loopClient) drop() {
	if c.state == dropped {
		return
	}
	c.release()
	c.loop.close(c.fd)
	c.port.looped.Add(-1)
	if m := c.many; m != nil && m.delegated {
		c.port.proxy.wg.Go(func() {
			m.requests.Wait()
			c.port.left()
		})
		return
	}
	c.port.left()
}

// release takes the connection off the loop.
func (c *loopClient) release() {
	c.state = dropped
	if c.x != nil {
		c.x.abandon()
	}
	if c.many != nil {
		c.many.lose()
	}
	if c.tunnel != nil {
		c.tunnel.close()
	}
	c.tls.release()
	c.loop.wheel.remove(&c.timer)
	c.recycle(c.in)
	c.in, c.unsent = nil, nil
	c.loop.held -= c.held
	c.held = 0
}

// hand gives the connection to the stream shell, with what has come of a request
// and isn't answered.
func (c *loopClient) hand(data []byte) {
	conn, err := c.loop.detach(c.fd)
	if err != nil {
		c.loop.proxy.log.Error("connection not handed over", "error", err)
		c.drop()
		return
	}
	if c.tls != nil {
		c.tls.wire.below, c.tls.wire.out = conn, append([]byte(nil), c.unsent...)
		conn = c.tls.conn
	}
	s := newClient(c.port, conn)
	s.born, s.maxAge, s.trace = c.born, c.maxAge, c.trace
	s.buf = make([]byte, max(headBuffer, len(data)))
	s.w = copy(s.buf, data)
	c.release()
	c.port.take(s)
	c.port.looped.Add(-1)
}

// detach makes a connection of package net of a descriptor of the loop's.
func (l *loop) detach(fd int) (net.Conn, error) {
	if err := epollRemove(l.epoll, fd); err != nil {
		return nil, err
	}
	l.socks[fd] = nil
	return connOf(fd)
}

// connOf makes a connection of package net of a descriptor, which it closes.
func connOf(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "")
	conn, err := net.FileConn(f) // a duplicate
	return conn, errors.Join(err, f.Close())
}
