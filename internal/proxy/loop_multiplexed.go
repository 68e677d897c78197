//go:build linux

package proxy

import (
	"bytes"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/http2"
	"github.com/fairlead/fairlead/internal/proxy/route"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// loopRequest is a request on a stream of HTTP/2 that a loop forwards: the front of its
// exchange.
type loopRequest struct {
	m      *loopMultiplex
	stream *http2.Stream
	x      *loopExchange
	timer  timer
	lively time.Duration // when a byte came or went, by the loop's clock
	went   int64
	noted  bool // is in m.changed
	queued bool // is in loop.ready
}

// spareRequests is how many a loop keeps for later ones.
const spareRequests = 256

// begin answers a request, or has it answered.
func (m *loopMultiplex) begin(st *http2.Stream) {
	c := m.client
	l := c.loop
	t := c.port.table.Load()
	m.lock.Lock()
	gone, ended, length := st.Err() != nil, st.Ended(), st.Buffered()
	if gone {
		st.Release() // over before it began
	}
	m.lock.Unlock()
	if gone {
		return
	}
	r := &l.request
	r.Reset()
	r.Policy = t.policy
	if st.Head == nil {
		m.delegate(st)
		return
	}
	if _, err := r.Parse(st.Head); err != nil {
		m.delegate(st)
		return
	}
	head := r.Source(st.Head)
	rule := t.rules.Match(head, r, c.peer.Addr(), &l.scratch)
	if plain, bridged := t.plain(rule); !bridged && (!plain || !ended || length > maxGathered) {
		m.delegate(st)
		return
	}
	at := arrival{peer: c.peer, trace: c.trace, tls: m.tls, http2: true, now: l.clock()}
	d := t.check(rule, head, r, &at, c.port.node, l.index)
	if d.verdict == open {
		m.delegate(st)
		return
	}
	c.port.node.countRequest(l.index, rule, r, c.peer.Addr())
	e := t.entry(l.index, &at, int(st.Received()))
	e.request(t, head, r, rule)
	t.guarded(rule, head, r, &d, c.port.node, l.index, e)
	var status int
	if d.verdict == passes && rule != nil && rule.Action.Kind == route.Forward {
		if status = m.forward(st, t, rule, head, length, r, &at, &d, e); status == 0 {
			return
		}
		c.port.node.meter.ELB(l.index, status)
		l.out = http1.AppendPage(l.out[:0], status, r.IsHead(head), c.shared(t.edits, at.now))
	} else {
		l.out, status = t.appendAnswer(l.out[:0], rule, head, r, &at, &d, c.shared(t.edits, at.now), e)
		c.port.node.countAnswer(l.index, rule, &d, status)
	}
	e.end(at.now, status, m.reply(st, l.out))
	m.lock.Lock()
	st.Release()
	m.lock.Unlock()
}

// plain says whether all targets that what meets the rule goes to, if there are any,
// speak HTTP/1.1; bridged, whether none does.
func (t *table) plain(rule *route.Rule) (plain, bridged bool) {
	plain, bridged = true, rule != nil && len(rule.Action.Shares) > 0
	if bridged {
		for _, s := range rule.Action.Shares {
			is := t.groups[s.Group].version == snapshot.HTTP1
			plain, bridged = plain && is, bridged && !is
		}
	}
	return plain, bridged
}

// delegate gives a request a goroutine.
func (m *loopMultiplex) delegate(st *http2.Stream) {
	m.delegated = true
	m.lock.Lock()
	m.start(st)
	m.lock.Unlock()
}

// shared is delivery on a connection that other requests go on on.
func (c *loopClient) shared(e edits, now time.Time) *http1.Delivery {
	return &http1.Delivery{Date: c.port.proxy.dates.at(now), Edits: e.responses}
}

// reply sends a whole response of ours, and returns how much that is.
func (m *loopMultiplex) reply(st *http2.Stream, response []byte) int64 {
	n := bytes.Index(response, headEnd) + len(headEnd)
	l := m.client.loop
	l.block = http2.AppendHead(l.block[:0], response[:n])
	body := response[n:]
	m.lock.Lock()
	defer m.lock.Unlock()
	// An error is the stream's end, which whoever is to hear of it has heard of.
	if st.Respond(l.block, len(body) == 0) == nil && len(body) > 0 && st.Put(body) == nil {
		st.End()
	}
	return int64(len(l.block) + len(body))
}

var headEnd = []byte("\r\n\r\n")

// forward begins to forward a request with its body, and returns 0, or the status to
// answer with instead.
func (m *loopMultiplex) forward(st *http2.Stream, t *table, rule *route.Rule, head []byte, length int, r *http1.Request, at *arrival, d *ruling, e *entry) (status int) {
	f, status := t.forward(rule, head, r, at, d)
	if status != 0 {
		return status
	}
	c := m.client
	l := c.loop
	c.port.node.countForward(l.index, &f)
	if f.endpoint.key.http2 {
		m.bridge(st, t, head, r, f, at, e)
		return 0
	}
	q := l.newRequest()
	q.m, q.stream, q.lively = m, st, l.now
	x := l.exchange()
	q.x = x
	x.forwarding, x.loop, x.port, x.front, x.timeout = f, l, c.port, q, t.idleTimeout
	x.entry = e
	x.isHead, x.minor, x.bodiless = r.IsHead(head), 1, r.Body.Empty()
	x.again = x.bodiless && r.Idempotent(head)
	x.looked = l.now
	if r.Body.Framing == http1.Chunked { // of no length that was told, but all of it is here
		r.Body = http1.Body{Framing: http1.ByLength, Length: int64(length)}
	}
	x.request = f.appendRequest(x.request[:0], t, head, r, at, e)
	m.lock.Lock()
	if length > 0 {
		n := len(x.request)
		x.request = append(x.request, make([]byte, length)...)
		_, _ = st.Read(x.request[n:]) // it is there
	}
	st.Changed = q.changed
	m.lock.Unlock()
	l.wheel.set(&q.timer, l.now+min(watchInterval, x.timeout))
	x.launch()
	q.proceed()
	return 0
}

// newRequest returns one to fill in.
func (l *loop) newRequest() *loopRequest {
	n := len(l.requests) - 1
	if n < 0 {
		q := new(loopRequest)
		q.timer = timer{slot: -1, owner: q}
		return q
	}
	q := l.requests[n]
	l.requests = l.requests[:n]
	return q
}

// changed is told by the session, on the loop: only the loop has it take and give.
func (q *loopRequest) changed() {
	if !q.noted {
		q.noted = true
		q.m.changed = append(q.m.changed, q)
	}
}

// settle looks at what has become of the stream.
func (q *loopRequest) settle() {
	q.noted = false
	if q.x == nil {
		q.recycle()
		return
	}
	q.m.lock.Lock()
	gone := q.stream.Err() != nil
	q.m.lock.Unlock()
	if gone {
		q.x.abandon()
		q.over()
		return
	}
	q.proceed()
}

// over gives the stream up, and what was needed for it back.
func (q *loopRequest) over() {
	m := q.m
	m.lively = m.client.loop.now
	m.lock.Lock()
	q.stream.Release()
	m.lock.Unlock()
	m.client.loop.wheel.remove(&q.timer)
	m.soil()
	q.recycle()
}

// recycle gives the request back to the loop, unless something leads to it still.
func (q *loopRequest) recycle() {
	if q.noted || q.queued {
		return
	}
	l := q.m.client.loop
	*q = loopRequest{timer: timer{slot: -1, owner: q}}
	if len(l.requests) < spareRequests {
		l.requests = append(l.requests, q)
	}
}

// begin implements loopFront.
func (q *loopRequest) begin(x *loopExchange, data, out []byte, body http1.Body, now time.Time) []byte {
	if x.to = body.Framing; x.to == http1.Chunked {
		x.to = http1.UntilClose // the stream's end is the body's
	}
	l := x.loop
	d := http1.Delivery{Body: body, Date: x.port.proxy.dates.at(now), Edits: x.edits.responses, Fields: l.fields}
	out = http1.AppendResponse(out, data, &x.response, x.isHead, &d)
	q.respond(out, body.Empty())
	return out[:0]
}

// respond sends a head; end says that no body follows.
func (q *loopRequest) respond(head []byte, end bool) {
	l := q.m.client.loop
	l.block = http2.AppendHead(l.block[:0], head)
	q.went += int64(len(l.block))
	q.m.lock.Lock()
	_ = q.stream.Respond(l.block, end) // an error is the stream's end, which is told of
	q.m.lock.Unlock()
	q.m.soil()
}

// interim implements loopFront.
func (q *loopRequest) interim(x *loopExchange, head []byte) {
	q.respond(http1.AppendResponse(nil, head, &x.response, x.isHead, &http1.Delivery{}), false)
}

// send implements loopFront.
func (q *loopRequest) send(b []byte) {
	q.went += int64(len(b))
	q.m.lock.Lock()
	_ = q.stream.Put(b) // likewise
	q.m.lock.Unlock()
	q.m.soil()
}

// room implements loopFront.
func (q *loopRequest) room() int {
	q.m.lock.Lock()
	defer q.m.lock.Unlock()
	return q.stream.Room()
}

// sent implements loopFront.
func (q *loopRequest) sent() int64 { return q.went }

// finish implements loopFront.
func (q *loopRequest) finish(bool) {
	q.m.lock.Lock()
	q.stream.End()
	q.m.lock.Unlock()
	q.over()
}

// answer implements loopFront.
func (q *loopRequest) answer(x *loopExchange, status int) {
	l, now := x.loop, x.loop.clock()
	l.out = http1.AppendPage(l.out[:0], status, x.isHead, q.m.client.shared(x.edits, now))
	e := x.entry
	x.release()
	e.end(now, status, q.m.reply(q.stream, l.out))
	q.over()
}

// sever implements loopFront.
func (q *loopRequest) sever(x *loopExchange) {
	q.m.lock.Lock()
	q.stream.Reset(http2.InternalError)
	q.m.lock.Unlock()
	x.abandon()
	q.over()
}

// touch implements loopFront.
func (q *loopRequest) touch() { q.lively = q.m.client.loop.now }

// active implements loopFront.
func (q *loopRequest) active() time.Duration { return q.lively }

// left implements loopFront. The session tells of clients that leave.
func (q *loopRequest) left() bool { return false }

// proceed implements loopFront.
func (q *loopRequest) proceed() {
	if q.x != nil {
		q.x.proceed()
	}
}

// queue implements loopFront.
func (q *loopRequest) queue() {
	if !q.queued {
		q.queued = true
		l := q.m.client.loop
		l.ready = append(l.ready, q)
	}
}

// again implements eager.
func (q *loopRequest) again() {
	q.queued = false
	if q.x == nil {
		q.recycle()
		return
	}
	q.proceed()
}

// connection implements eager.
func (q *loopRequest) connection() sock { return q.m.client }

// wake implements loopFront.
func (q *loopRequest) wake(due time.Duration) { q.m.client.loop.wheel.set(&q.timer, due) }

// expire implements the timer's owner.
func (q *loopRequest) expire(now time.Duration) {
	if q.x != nil {
		q.x.expire(now)
	}
}

// leave implements loopFront.
func (q *loopRequest) leave() { q.x = nil }

// drop implements loopFront.
func (q *loopRequest) drop() { q.m.client.drop() }
