package proxy

import (
	"bytes"
	"errors"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/http2"
)

// Of requests between streams of HTTP/2.
const (
	// maxReplay is how much of a request's body is kept, until it is answered, for the
	// case that the target doesn't take it.
	maxReplay = 64 << 10
	// maxLaunches bounds how often a request is sent that no target works on.
	maxLaunches = 8
)

// bridge carries a request and its response between a stream of a client's and one of
// a target's: heads, bodies and trailers, each as far as the other side takes it. It
// never waits: pump does what can be done, whenever something has changed on either
// side or its time has come. Both shells drive it, one thread at a time.
type bridge struct {
	forwarding
	port    *port
	near    *multiplex
	kick    func() // has what is due to the client written; near.lock is held
	st      *http2.Stream
	far     *targetMultiplex // with the following; nil: no target has it now
	ask     *http2.Stream
	launch  func(*bridge, time.Time) error // begins the request at its target
	changed func()                         // of both streams
	entry   *entry
	thread  int
	timeout time.Duration // idle timeout

	text  []byte // the request's head, as HTTP/1.1 has it; then header blocks for the client
	block []byte // the request's head, as the target gets it
	name  []byte // that the target is asked for
	kept  []byte // of its body, from the beginning
	given int    // of kept, to the present stream
	held  int    // of kept, as the host's memory has it on its books

	heads    []byte // of responses
	out      []byte
	fields   []byte
	response http1.Response

	begun, last time.Time // last: when a byte went either way
	launches    int
	status      int   // of an answer of our own, 0: there is none
	went        int64 // to the client

	isHead, grpc bool
	again        bool // may be sent twice
	reused       bool // on a connection that had others before
	hollow, bare bool // the request has no body; and nothing behind it
	whole        bool // kept is all of the body that was read
	asked        bool // the request's end was passed on
	responded    bool // the response's head was
}

// begin prepares for a request that goes where f says. What of its body was read
// already is first.
func (r *bridge) begin(f forwarding, t *table, m *multiplex, st *http2.Stream, head []byte, request *http1.Request, first []byte, at *arrival, e *entry) {
	r.forwarding, r.port, r.near, r.st, r.entry, r.timeout = f, m.port, m, st, e, t.idleTimeout
	r.isHead, r.grpc = request.IsHead(head), isGRPC(head, request)
	r.hollow = request.Body.Empty()
	r.again = r.hollow && request.Idempotent(head)
	r.begun, r.last = at.now, at.now
	r.text = f.appendRequest(r.text[:0], t, head, request, at, e)
	r.block = http2.AppendRequest(r.block[:0], r.text, f.endpoint.tls != nil)
	for _, name := range [...]string{"te", "trailer"} { // between HTTP/2 and HTTP/2 they are end to end
		for v := range request.Header(head, name) {
			r.block = http2.AppendField(r.block, name, v)
		}
	}
	r.name = append(r.name[:0], f.endpoint.serverName(r.text)...)
	r.kept = append(r.kept[:0], first...)
	r.whole = true
}

// reset gives up what belongs to one request, and keeps the memory.
func (r *bridge) reset() {
	r.forgo()
	r.response.Reset()
	*r = bridge{
		text: spare(r.text), block: spare(r.block), name: spare(r.name), kept: spare(r.kept), heads: spare(r.heads), out: spare(r.out), fields: spare(r.fields),
		response: r.response,
	}
}

// spare returns the memory if it is worth keeping, and not too much.
func spare(b []byte) []byte {
	if cap(b) > headBuffer {
		return nil
	}
	return b[:0]
}

// pump does what can be done now; true: the request is over.
func (r *bridge) pump(now time.Time) (over bool) {
	for {
		if r.ask == nil {
			if gone := r.prepare(); gone {
				return true
			}
			if err := r.send(now); err != nil {
				r.fail(statusOfDial(err))
				return true
			}
		}
		why, done := r.exchange(now)
		switch {
		case done:
			r.part()
			return true
		case why == nil:
			return false
		case r.responded:
			r.sever(why)
			return true
		case r.retries(why):
			r.part()
		case r.cancelled(why):
			r.status = 502
			r.failed(r.status)
			r.port.node.meter.ELB(r.thread, r.status)
			r.sever(why)
			return true
		default:
			r.fail(r.statusOf(why))
			return true
		}
	}
}

// statusOfDial is what is answered when there is no connection to the target.
func statusOfDial(err error) int {
	if timedOut(err) {
		return 504
	}
	return 502
}

// prepare looks at the client before anything is sent; true: it is gone.
func (r *bridge) prepare() bool {
	r.near.lock.Lock()
	defer r.near.lock.Unlock()
	r.st.Changed = r.changed
	// Servers of gRPC wait for DATA where the client's head didn't say that none comes.
	r.bare = r.hollow && r.st.Ended() && r.st.Trailers() == nil
	r.asked, r.given = r.bare, 0
	return r.st.Err() != nil
}

// send begins the request at its target.
func (r *bridge) send(now time.Time) error {
	r.launches++
	if err := r.launch(r, now); err != nil {
		return err
	}
	r.far.lock.Lock()
	r.ask.Changed = r.changed
	r.far.kick()
	r.far.lock.Unlock()
	r.entry.dispatched(now)
	return nil
}

// exchange moves what can be moved. why tells that the target gives no response, or
// not all of one; or that the client is gone. done: the response has been passed on.
func (r *bridge) exchange(now time.Time) (why error, done bool) {
	r.near.lock.Lock()
	defer r.near.lock.Unlock()
	if r.st.Err() != nil {
		return errGone, false
	}
	r.far.lock.Lock()
	defer r.far.lock.Unlock()
	up := r.upload()
	r.heads = r.ask.AppendHeads(r.heads[:0])
	if len(r.heads) > 0 {
		if why = r.hear(now); why != nil {
			return why, false
		}
	}
	down := false
	if r.responded {
		down, done = r.download()
	}
	if up || down {
		r.last = now
	}
	if up || down && !done {
		r.far.kick()
	}
	if len(r.heads) > 0 || up || down || done {
		r.kick()
	}
	if why = r.ask.Err(); why != nil && r.far.failed != nil {
		why = &connectError{r.far.failed}
	}
	return why, done
}

// connectError says that there was no connection for the request.
type connectError struct{ cause error }

func (e *connectError) Error() string { return "connect: " + e.cause.Error() }
func (e *connectError) Unwrap() error { return e.cause }

// upload moves what has come of the request's body, and returns whether there was
// any. Both locks are held.
func (r *bridge) upload() (moved bool) {
	if r.asked {
		return false
	}
	for {
		again := r.given < len(r.kept)
		data := r.st.Unread()
		if again {
			data = r.kept[r.given:]
		}
		room := r.ask.Room()
		if len(data) == 0 || room == 0 {
			break
		}
		data = data[:min(len(data), room)]
		if r.ask.Put(data) != nil {
			return moved // the target has ended it
		}
		moved = true
		if again {
			r.given += len(data)
			continue
		}
		r.keep(data)
		r.st.Use(len(data))
	}
	if r.st.Ended() && r.st.Buffered() == 0 && (r.given == len(r.kept) || !r.whole) {
		r.ask.Trail(r.st.Trailers())
		r.asked, moved = true, true
	}
	return moved
}

// keep keeps what has been sent for another time, if there can be one, and memory for
// it: what sessions of HTTP/2 hold goes before.
func (r *bridge) keep(data []byte) {
	if !r.whole {
		return
	}
	b := &r.port.proxy.budget
	if r.responded || len(r.kept)+len(data) > maxReplay || b.bodies.Load() > b.memory/2 {
		r.forgo()
		return
	}
	r.kept = append(r.kept, data...)
	r.given = len(r.kept)
	b.bodies.Add(int64(len(data)))
	r.held += len(data)
}

// forgo gives up what was kept, all of which the present stream has.
func (r *bridge) forgo() {
	r.whole, r.kept, r.given = false, r.kept[:0], 0
	r.port.proxy.budget.bodies.Add(-int64(r.held))
	r.held = 0
}

var errHead = errors.New("the target's response has a malformed head")

// hear deals with the heads of responses that have come. Both locks are held.
func (r *bridge) hear(now time.Time) error {
	for head := r.heads; len(head) > 0; {
		r.response.Reset()
		n, err := r.response.Parse(head)
		if err != nil {
			return errHead
		}
		if r.response.Interim() {
			// We have answered the expectation ourselves.
			if r.response.Status != 100 {
				r.out = http1.AppendResponse(r.out[:0], head[:n], &r.response, r.isHead, &http1.Delivery{})
				r.text = http2.AppendHead(r.text[:0], r.out)
				r.pass(false)
			}
			r.again = false
		} else {
			r.respond(head[:n], now)
		}
		head = head[n:]
	}
	return nil
}

// respond passes the response's head on.
func (r *bridge) respond(head []byte, now time.Time) {
	r.group.meter.Target(r.thread, r.response.Status)
	r.group.meter.Observe(r.thread, now.Sub(r.begun))
	r.answered(r.response.Status)
	r.entry.responded(now, r.response.Status)
	r.responded, r.last = true, now
	if r.given == len(r.kept) {
		r.forgo()
	}
	r.fields = r.appendFields(r.fields[:0], head, &r.response, now)
	d := http1.Delivery{Body: r.response.BodyTo(r.isHead), Date: r.port.proxy.dates.at(now), Edits: r.edits.responses, Fields: r.fields}
	r.out = http1.AppendResponse(r.out[:0], head, &r.response, r.isHead, &d)
	r.text = http2.AppendHead(r.text[:0], r.out)
	for i := range r.response.Fields {
		if f := &r.response.Fields[i]; bytes.EqualFold(f.Name.Of(head), trailerName) {
			r.text = http2.AppendField(r.text, trailerName, f.Value.Of(head))
		}
	}
	r.pass(r.ask.Ended() && r.ask.Buffered() == 0 && len(r.ask.Trailers()) == 0)
}

var trailerName = []byte("trailer")

// pass sends the header block in r.text to the client; end says that nothing follows.
func (r *bridge) pass(end bool) {
	r.went += int64(len(r.text))
	_ = r.st.Respond(r.text, end) // an error is the stream's end, which is told of
}

// download moves what has come of the response's body, and returns whether there was
// any, and whether that was all. Both locks are held.
func (r *bridge) download() (moved, done bool) {
	for {
		data := r.ask.Unread()
		room := r.st.Room()
		if len(data) == 0 || room == 0 {
			break
		}
		data = data[:min(len(data), room)]
		_ = r.st.Put(data) // likewise
		r.went += int64(len(data))
		r.ask.Use(len(data))
		moved = true
	}
	if !r.ask.Ended() || r.ask.Buffered() > 0 {
		return moved, false
	}
	r.st.Trail(r.ask.Trailers())
	return moved, true
}

// retries says whether a request is sent once more that the target hasn't answered:
// because it hasn't worked on it for sure, or because that does no harm and the
// connection may have ended while it was idle.
func (r *bridge) retries(why error) bool {
	reset, ok := errors.AsType[*http2.ResetError](why)
	if !ok || !r.whole || r.launches >= maxLaunches || r.endpoint.retired.Load() {
		return false
	}
	if reset.Unprocessed {
		return true
	}
	stale := r.again && r.reused && reset.Lost
	r.again = false
	return stale
}

// cancelled says whether the target has cancelled a call, as servers of gRPC do when its
// deadline is over. Its client has the same deadline, and is told the same: a page of
// ours would be another error to it, depending on who is first.
func (r *bridge) cancelled(why error) bool {
	reset, ok := errors.AsType[*http2.ResetError](why)
	return ok && r.grpc && reset.Peer && reset.Code == http2.Cancel
}

// statusOf returns what is answered in the response's stead, -1: nothing, as the
// client is gone.
func (r *bridge) statusOf(why error) int {
	if errors.Is(why, errGone) {
		return -1
	}
	if c, ok := errors.AsType[*connectError](why); ok {
		return statusOfDial(c.cause)
	}
	return 502
}

// expire looks at a request that nothing happens with; true: it is over. Otherwise due
// is when it is to be looked at again.
func (r *bridge) expire(now time.Time) (due time.Time, over bool) {
	if due = r.last.Add(r.timeout); now.Before(due) {
		return due, false
	}
	r.suspect(now)
	if r.responded {
		r.sever(errIdle)
		return due, true
	}
	status := 504
	if !r.asked && !r.grpc { // a call may well end before its client does
		status = 408
	}
	r.fail(status)
	return due, true
}

// suspect has no more requests go where nothing has come from for half of that time: what
// comes at its beginning may be settings and windows, which say nothing of the requests.
func (r *bridge) suspect(now time.Time) {
	if r.far == nil {
		return
	}
	r.far.lock.Lock()
	silent := now.Sub(r.far.heard) >= r.timeout/2
	r.far.lock.Unlock()
	if silent {
		r.far.finish()
	}
}

// fail answers a request that got no response; status is -1 if the client is gone.
func (r *bridge) fail(status int) {
	r.part()
	if status < 0 {
		return
	}
	r.failed(status)
	r.status = status
	r.port.node.meter.ELB(r.thread, status)
	r.out = http1.AppendPage(r.out[:0], status, r.isHead, &http1.Delivery{Date: r.port.proxy.dates.at(time.Now()), Edits: r.edits.responses, Fields: r.set})
	n := bytes.Index(r.out, crlfcrlf) + len(crlfcrlf)
	body := r.out[n:]
	r.near.lock.Lock()
	defer r.near.lock.Unlock()
	r.text = http2.AppendHead(r.text[:0], r.out[:n])
	r.pass(len(body) == 0)
	if len(body) > 0 && r.st.Put(body) == nil {
		r.went += int64(len(body))
		r.st.End()
	}
	r.kick()
}

var crlfcrlf = []byte("\r\n\r\n")

// sever has the client see that the response isn't whole, by the target's own code
// where it has one.
func (r *bridge) sever(why error) {
	code := http2.InternalError
	if reset, ok := errors.AsType[*http2.ResetError](why); ok && reset.Peer && reset.Code != http2.NoError && reset.Code != http2.RefusedStream {
		code = reset.Code
	}
	r.near.lock.Lock()
	r.st.Reset(code)
	r.kick()
	r.near.lock.Unlock()
	r.part()
}

// part gives the target's stream up, if there is one: it is reset unless it is over.
func (r *bridge) part() {
	if r.ask == nil {
		return
	}
	m := r.far
	m.lock.Lock()
	r.ask.Release()
	m.lively = time.Now()
	if m.endpoint.retired.Load() {
		m.session.Finish()
	}
	m.kick()
	m.lock.Unlock()
	r.far, r.ask = nil, nil
}
