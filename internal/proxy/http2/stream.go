package http2

import "io"

// Sizes of what a stream holds.
const (
	// streamWindow is how much of a request's body may have come and not gone on.
	streamWindow = 256 << 10
	// maxUnsent is how much of a response waits in a stream until it may be sent.
	maxUnsent = 32 << 10
	// crowded is how much of all responses may wait before those that have some waiting
	// get no more.
	crowded = 1 << 20
)

// Stream is a request and its response.
type Stream struct {
	// Head is the request's, as HTTP/1.1 has it, and doesn't change. Where the
	// header list was too large, it is nil. On a client's side there is none.
	Head []byte

	// Changed is called when more of what the peer sends has come, its end, when what
	// is sent to it may go on, and when the stream was reset. It must not call the
	// session.
	Changed func()

	session *Session
	id      uint32
	err     error // why the stream was reset

	// The request's body; of a client's side the response's.
	body     []byte // came and wasn't read
	read     int    // of body
	declared int64  // length, -1: it wasn't
	got      int64
	ended    bool   // all has come
	window   int    // that the client may still send
	owed     int    // of the window, for what was read
	trailers []byte // behind the body, as a header block

	// Of a client's side.
	came     []byte // heads, as HTTP/1.1 has them
	interim  int    // of them, so far
	headed   bool   // the response's own has come
	bodiless bool   // the request was HEAD

	// The response; of a client's side the request.
	heads      []byte // frames that precede the rest
	unsent     []byte // of its body
	unsentFrom int
	last       bool   // nothing follows unsent
	bare       bool   // the head says so already
	tail       []byte // trailers, a header block; nil: none
	opened     bool   // the first head was sent
	sent       bool   // its end
	room       int    // that the client grants
	queued     bool   // in session.ready

	released bool
	received int64
}

// ID returns the stream's identifier.
func (st *Stream) ID() uint32 { return st.id }

// Err returns a *ResetError once the stream was reset, or its session is over.
func (st *Stream) Err() error { return st.err }

// Malformed says whether the stream was reset because of what the client has sent on it.
func (st *Stream) Malformed() bool {
	r, ok := st.err.(*ResetError) //nolint:errorlint // ours, and never wrapped
	return ok && !r.Peer && r.Code == ProtocolError
}

// Ended says whether the request's body has come whole.
func (st *Stream) Ended() bool { return st.ended }

// Received returns how many bytes of frames have come of the stream.
func (st *Stream) Received() int64 { return st.received }

// Buffered returns how much of the body can be read at once.
func (st *Stream) Buffered() int { return len(st.body) - st.read }

// Unread returns what has come of the body and wasn't used. It is valid until anything
// else is called.
func (st *Stream) Unread() []byte { return st.body[st.read:] }

// Use takes n bytes of Unread.
func (st *Stream) Use(n int) {
	if n == 0 {
		return
	}
	if st.read += n; st.read == len(st.body) {
		st.body, st.read = st.body[:0], 0
	}
	st.session.consumed(st, n)
}

// Read reads what has come of the request's body; 0 and nil: nothing has, for now.
// io.EOF is its end.
func (st *Stream) Read(b []byte) (int, error) {
	n := copy(b, st.Unread())
	if n > 0 {
		st.Use(n)
		return n, nil
	}
	switch {
	case st.err != nil:
		return 0, st.err
	case st.ended:
		return 0, io.EOF
	}
	return 0, nil
}

// Trailers returns the header block of what has come behind the body, once that has
// ended; nil: nothing. It is made as Respond and Trail take it.
func (st *Stream) Trailers() []byte { return st.trailers }

// Trail has a header block go behind what was written, and end it; nothing if it is
// empty.
func (st *Stream) Trail(block []byte) {
	if st.err == nil && !st.last {
		st.tail = append(st.tail[:0], block...)
	}
	st.End()
}

// Respond has a head go to the client, as AppendHead has made it of an interim
// response's or the response's. end says that no body follows.
func (st *Stream) Respond(block []byte, end bool) error {
	if st.err != nil {
		return st.err
	}
	st.heads = appendHeaders(st.heads, st.id, block, end)
	st.last, st.bare = end, end
	st.session.queue(st)
	return nil
}

// Write has the response's body go on, and returns how much of it was taken: less
// than all until the client has taken some.
func (st *Stream) Write(b []byte) (int, error) {
	if st.err != nil {
		return 0, st.err
	}
	if st.sent {
		return len(b), nil // the peer has no use for it
	}
	n := min(len(b), maxUnsent-(len(st.unsent)-st.unsentFrom))
	if n > 0 {
		if st.unsentFrom > 0 && len(st.unsent)+n > maxUnsent {
			st.unsent = st.unsent[:copy(st.unsent, st.unsent[st.unsentFrom:])]
			st.unsentFrom = 0
		}
		st.unsent = append(st.unsent, b[:n]...)
		st.session.unsent += n
		st.session.queue(st)
	}
	return n, nil
}

// Put has all of it go on: for who asks for Room before.
func (st *Stream) Put(b []byte) error {
	if st.err != nil {
		return st.err
	}
	if st.sent {
		return nil // likewise
	}
	if st.unsentFrom > 0 {
		st.unsent = st.unsent[:copy(st.unsent, st.unsent[st.unsentFrom:])]
		st.unsentFrom = 0
	}
	st.unsent = append(st.unsent, b...)
	st.session.unsent += len(b)
	st.session.queue(st)
	return nil
}

// Room returns how much more of the response's body there may be; 0: the client is to
// take some of it first, of which Changed tells.
func (st *Stream) Room() int {
	switch held := len(st.unsent) - st.unsentFrom; {
	case held >= maxUnsent || held > 0 && st.session.unsent > crowded:
		return 0
	}
	return maxUnsent
}

// Taken says whether the client has been sent all that was written.
func (st *Stream) Taken() bool { return len(st.unsent) == st.unsentFrom && len(st.heads) == 0 }

// End ends the response.
func (st *Stream) End() {
	if st.err == nil && !st.last {
		st.last = true
		st.session.queue(st)
	}
}

// Reset ends the stream before it is done. One that is over already stays so.
func (st *Stream) Reset(code Code) {
	if st.err == nil && !(st.sent && st.ended) {
		st.session.reset(st, code, false)
	}
}

// Release says that nobody reads or writes any more. What was written still goes
// to the client.
func (st *Stream) Release() {
	st.released, st.Changed = true, nil
	s := st.session
	s.heads -= st.heldByHead()
	if st.err != nil {
		s.abandoned--
		return
	}
	switch {
	case s.asks:
		if !st.over() {
			s.reset(st, Cancel, false)
		}
		s.discard(st)
		return
	case !st.last:
		s.reset(st, InternalError, false)
		return
	}
	s.discard(st)
	if st.ended {
		s.forget(st)
	}
}

// heldByHead is how much memory the request's head takes until the stream is released:
// it is there a second time as the target gets it.
func (st *Stream) heldByHead() int { return 2 * len(st.Head) }

// changed tells whoever waits.
func (st *Stream) changed() {
	if st.Changed != nil {
		st.Changed()
	}
}

// over says whether both sides have ended the stream.
func (st *Stream) over() bool { return st.ended && st.sent }
