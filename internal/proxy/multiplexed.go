package proxy

import (
	"bytes"
	"errors"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/http2"
	"github.com/fairlead/fairlead/internal/proxy/route"
)

// multiplexed is a request on a stream of HTTP/2, while it is worked on.
type multiplexed struct {
	activity
	m      *multiplex
	stream *http2.Stream

	request  http1.Request
	scratch  route.Scratch
	exchange exchange
	bridge   bridge                     // instead of exchange, where the target speaks HTTP/2
	waits    atomic.Pointer[targetConn] // for the target's response
	conn     streamConn
	from, to stream  // over conn: the request's body, the response's
	body     carrier // of a target's response
	fields   []byte
	block    []byte // a header block
	whole    bool   // the request's body came with its head: all of it is in from
	status   int    // of an answer of our own, 0: there is none
	sent     int64
}

var multiplexedRequests = sync.Pool{New: func() any {
	q := new(multiplexed)
	q.conn = streamConn{request: q, readable: make(chan struct{}, 1), writable: make(chan struct{}, 1)}
	return q
}}

// start has a request worked on. m.lock is held.
func (m *multiplex) start(st *http2.Stream) {
	if st.Err() != nil { // over before it began
		st.Release()
		return
	}
	q := multiplexedRequests.Get().(*multiplexed)
	now := time.Now()
	q.m, q.stream, q.born = m, st, now
	q.touch(now)
	q.conn.reset()
	q.body.read.Store(false)
	q.from, q.to = stream{conn: &q.conn}, stream{conn: &q.conn}
	if n := min(st.Buffered(), maxGatheredBody); n > 0 {
		q.from.buf = make([]byte, n)
		q.from.w, _ = st.Read(q.from.buf) // it is there
	}
	q.whole = st.Ended() && st.Buffered() == 0
	st.Changed = q.changed
	m.requests.Go(q.serve)
}

// maxGatheredBody is how much of a request's body that has come is sent with the
// request's head.
const maxGatheredBody = 16 << 10

// changed wakes whoever waits for the stream. m.lock is held.
func (q *multiplexed) changed() {
	signal(q.conn.readable)
	signal(q.conn.writable)
	if q.stream.Err() != nil {
		if t := q.waits.Load(); t != nil {
			_ = t.conn.SetReadDeadline(past) // fails only when it is closed already
		}
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // there is one
	}
}

// serve answers the request.
func (q *multiplexed) serve() {
	defer q.end()
	out := outBuffers.Get().(*[]byte)
	defer func() {
		if cap(*out) <= maxOutBuffer {
			*out = (*out)[:0]
			outBuffers.Put(out)
		}
	}()
	t, now := q.m.port.table.Load(), time.Now()
	at := arrival{peer: q.m.peer, trace: q.m.trace, tls: q.m.tls, http2: true, now: now}
	head := q.stream.Head
	q.request.Policy = t.policy
	if _, err := q.request.Parse(head); err != nil || head == nil {
		q.refuse(t, &at, err, out)
		return
	}
	head = q.request.Source(head)
	rule := t.rules.Match(head, &q.request, q.m.peer.Addr(), &q.scratch)
	q.m.port.node.countRequest(q.m.thread, rule, &q.request, q.m.peer.Addr())
	d := t.ask(q.m.port.proxy.ctx, rule, head, &q.request, &at, q.m.port.node, q.m.thread)
	e := t.entry(q.m.thread, &at, 0)
	e.request(t, head, &q.request, rule)
	t.guarded(rule, head, &q.request, &d, q.m.port.node, q.m.thread, e)
	defer func() {
		if e != nil {
			e.Received = q.received()
			e.end(time.Now(), q.status, q.sent)
		}
	}()
	if d.verdict == passes && rule != nil && rule.Action.Kind == route.Forward {
		q.forward(t, rule, head, &at, &d, out, e)
		return
	}
	*out, q.status = t.appendAnswer((*out)[:0], rule, head, &q.request, &at, &d, q.delivery(t.edits, now), e)
	q.m.port.node.countAnswer(q.m.thread, rule, &d, q.status)
	q.answer(*out)
}

// end gives the stream up, and what was needed for it back.
func (q *multiplexed) end() {
	// One request that breaks an invariant of ours must not take the others of
	// this host with it.
	if v := recover(); v != nil {
		q.m.port.proxy.log.Error("request abandoned", "node", q.m.port.node.id, "peer", q.m.peer, "panic", v, "stack", string(debug.Stack()))
	}
	m := q.m
	m.carrier.touch(time.Now())
	m.lock.Lock()
	q.stream.Release()
	m.kick()
	m.lock.Unlock()
	m.carrier.ended()
	q.request.Reset()
	q.m, q.stream, q.status, q.sent = nil, nil, 0, 0
	q.from, q.to = stream{}, stream{}
	q.waits.Store(nil)
	multiplexedRequests.Put(q)
}

// received returns how many bytes of the request have come.
func (q *multiplexed) received() int64 {
	q.m.lock.Lock()
	defer q.m.lock.Unlock()
	return q.stream.Received()
}

func (q *multiplexed) delivery(e edits, now time.Time) *http1.Delivery {
	return &http1.Delivery{Date: q.m.port.proxy.dates.at(now), Edits: e.responses}
}

// refuse answers a request that can't be read. err is nil if it is too large.
func (q *multiplexed) refuse(t *table, at *arrival, err error, out *[]byte) {
	q.status = 400
	if refusal, ok := errors.AsType[*http1.Refusal](err); ok {
		q.status = refusal.Status
	}
	q.m.port.node.countVerdict(q.m.thread, &q.request)
	q.m.port.node.meter.ELB(q.m.thread, q.status)
	*out = http1.AppendPage((*out)[:0], q.status, false, q.delivery(t.edits, at.now))
	q.answer(*out)
	t.unreadable(q.m.thread, at, q.request.Verdict, q.status, int(q.received()), q.sent)
}

// answerPage answers with an error page of ours, which has the lines that the rule's
// guard has for the response.
func (q *multiplexed) answerPage(e edits, status int, set []byte, out *[]byte) {
	q.status = status
	q.m.port.node.meter.ELB(q.m.thread, status)
	d := q.delivery(e, time.Now())
	d.Fields = set
	*out = http1.AppendPage((*out)[:0], status, q.request.IsHead(q.request.Source(q.stream.Head)), d)
	q.answer(*out)
}

// answer sends a response of ours.
func (q *multiplexed) answer(response []byte) {
	n := bytes.Index(response, []byte("\r\n\r\n")) + len("\r\n\r\n")
	head, body := response[:n], response[n:]
	if q.respond(head, len(body) == 0, false) == nil && len(body) > 0 {
		q.body.read.Store(true) // the end goes with what is written
		if q.to.write(body, q.m.port.table.Load().idleTimeout) == nil {
			q.close()
		}
	}
}

// respond sends a head. end says that no body follows, now that it is to go at once.
func (q *multiplexed) respond(head []byte, end, now bool) error {
	q.block = http2.AppendHead(q.block[:0], head)
	q.sent += int64(len(q.block))
	q.m.lock.Lock()
	defer q.m.lock.Unlock()
	err := q.stream.Respond(q.block, end)
	if end || now {
		q.m.kick()
	}
	return err
}

// close ends the response.
func (q *multiplexed) close() {
	q.m.lock.Lock()
	defer q.m.lock.Unlock()
	q.stream.End()
	q.m.kick()
}

// abandon has the client see that it gets no response, or not all of one.
func (q *multiplexed) abandon(code http2.Code) {
	q.m.lock.Lock()
	defer q.m.lock.Unlock()
	q.stream.Reset(code)
	q.m.kick()
}

// forward sends the request to a target and the response back.
func (q *multiplexed) forward(t *table, rule *route.Rule, head []byte, at *arrival, d *ruling, out *[]byte, e *entry) {
	f, status := t.forward(rule, head, &q.request, at, d)
	if status != 0 {
		q.answerPage(t.edits, status, d.set, out)
		return
	}
	defer f.endpoint.target.End()
	q.m.port.node.countForward(q.m.thread, &f)
	if f.endpoint.key.http2 {
		q.cross(f, t, head, at, e)
		return
	}
	x := &q.exchange
	x.front, x.proxy, x.thread, x.request, x.active = q, q.m.port.proxy, q.m.thread, &q.request, &q.activity
	x.begin(f, t, head, at, e)
	*out = f.appendRequest((*out)[:0], t, head, &q.request, at, e)
	n, status := x.send(out)
	if status == 0 && x.response.Status == 101 {
		x.settle(http1.Body{Framing: http1.UntilClose}, false)
		status = 502 // nobody has asked for it
	}
	switch {
	case status > 0:
		x.failed(status)
		q.answerPage(x.edits, status, x.set, out)
	case status < 0 && q.malformed():
		q.status = 400 // that its client doesn't hear, as the stream is reset
		q.m.port.node.meter.ELB(q.m.thread, q.status)
	case status < 0:
		q.abandon(http2.Cancel)
	default:
		x.answered(x.response.Status)
		q.receive(n, out)
	}
}

// receive passes the response on, whose head of n bytes has come.
func (q *multiplexed) receive(n int, out *[]byte) {
	x := &q.exchange
	target := x.target
	x.group.meter.Target(q.m.thread, x.response.Status)
	x.group.meter.Observe(q.m.thread, time.Since(x.dispatched))
	from := x.response.BodyTo(x.isHead)
	now := time.Now()
	x.entry.responded(now, x.response.Status)
	q.fields = x.appendFields(q.fields[:0], target.unread()[:n], &x.response, now)
	d := http1.Delivery{Body: from, Date: q.m.port.proxy.dates.at(now), Edits: x.edits.responses, Fields: q.fields}
	*out = http1.AppendResponse((*out)[:0], target.unread()[:n], &x.response, x.isHead, &d)
	target.use(n)

	b := &q.body
	*b = carrier{from: &target.stream, to: &q.to, timeout: x.timeout, active: &q.activity}
	b.decoder.Reset(from)
	b.err = q.respond(*out, from.Empty(), len(target.unread()) == 0)
	if *out = (*out)[:0]; b.err == nil && !from.Empty() {
		b.carry(out, x)
	}
	target.release()
	if b.err == nil {
		q.close()
	}
	x.settle(from, b.err == nil)
	if b.err != nil {
		q.abandon(http2.InternalError)
	}
}

// source implements front.
func (q *multiplexed) source() (*stream, http1.Body) {
	switch {
	case q.request.Body.Framing != http1.Chunked:
		return &q.from, q.request.Body
	case q.whole:
		return &q.from, http1.Body{Framing: http1.ByLength, Length: int64(len(q.from.unread()))}
	}
	return &q.from, http1.Body{Framing: http1.UntilClose}
}

// proceed implements front.
func (q *multiplexed) proceed(time.Duration) error {
	return q.respond([]byte(http1.Continue), false, true)
}

// interim implements front.
func (q *multiplexed) interim(head []byte, r *http1.Response, _ time.Duration) error {
	return q.respond(http1.AppendResponse(nil, head, r, q.exchange.isHead, &http1.Delivery{}), false, true)
}

// awaits implements front.
func (q *multiplexed) awaits(t *targetConn) {
	q.waits.Store(t)
	if q.gone(time.Time{}) {
		_ = t.conn.SetReadDeadline(past) // fails only when it is closed already
	}
}

// malformed says whether the stream was reset because of what the client has sent.
func (q *multiplexed) malformed() bool {
	q.m.lock.Lock()
	defer q.m.lock.Unlock()
	return q.stream.Malformed()
}

// gone implements front.
func (q *multiplexed) gone(time.Time) bool {
	q.m.lock.Lock()
	defer q.m.lock.Unlock()
	return q.stream.Err() != nil
}
