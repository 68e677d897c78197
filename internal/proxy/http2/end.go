package http2

import "slices"

// farewell is what the PING says that follows the warning of a session's end: its
// answer shows that the client has heard of it.
const farewell = "farewell"

// Drain begins a session's end (RFC 9113 §6.8): the client is told to begin nothing
// more. What it begins before it hears that is still served.
func (s *Session) Drain() {
	if s.ending == open && s.err == nil {
		s.ending = warned
		s.control = appendGoAway(s.control, maxWindow, NoError, "")
		s.control = appendPing(s.control, 0, []byte(farewell))
	}
}

// Draining says whether the client was told to begin nothing more.
func (s *Session) Draining() bool { return s.ending != open }

// Finish goes on with a session's end: what the client begins now isn't served.
// It is for clients that don't answer Drain. A client's side begins nothing more.
func (s *Session) Finish() {
	if s.err == nil {
		s.lastCall()
	}
}

// Abandon resets the streams that nobody is at work on: their client doesn't take what
// is left of the responses.
func (s *Session) Abandon() {
	for _, st := range s.streams {
		if st.released {
			s.reset(st, Cancel, false)
		}
	}
}

func (s *Session) lastCall() {
	if s.ending == lastCall {
		return
	}
	s.ending, s.limit = lastCall, s.highest
	if s.asks && len(s.streams) > 0 {
		return // servers take it for the end of what isn't sent yet, too
	}
	s.control = appendGoAway(s.control, s.lastTaken(), NoError, "")
}

// lastTaken is the last of the peer's streams that is worked on.
func (s *Session) lastTaken() uint32 {
	if s.asks {
		return 0
	}
	return s.highest
}

// Over says whether the session has come to its end: nothing is under way, and
// nothing will be. What Append returns is still due.
func (s *Session) Over() bool {
	return s.err != nil || len(s.streams) == 0 && (s.ending == lastCall || s.leaving)
}

// Err returns the peer's fault that the session has ended by.
func (s *Session) Err() error {
	if s.err == nil {
		return nil
	}
	return s.err
}

// fail ends the session by the peer's fault.
func (s *Session) fail(err error) error {
	f, ok := err.(*Fault) //nolint:errorlint // ours, and never wrapped
	if !ok {
		f = fault(InternalError, err.Error())
	}
	s.control = appendGoAway(s.control, s.lastTaken(), f.Code, f.Reason)
	s.err = f
	s.Lose()
	return f
}

// Expel ends the session though the client is at no fault, or at none that a
// session can see.
func (s *Session) Expel(reason string) {
	if s.err == nil {
		_ = s.fail(fault(EnhanceYourCalm, reason)) // which is told by Err
	}
}

// Distrust ends the session because the TLS that it is spoken within won't do (RFC 9113
// §9.2).
func (s *Session) Distrust() {
	if s.err == nil {
		_ = s.fail(fault(InadequateSecurity, "cipher suite or version of TLS that HTTP/2 forbids")) // likewise
	}
}

// Lose ends all streams, as the connection is lost.
func (s *Session) Lose() {
	for _, st := range s.streams {
		if s.asks {
			s.refused(st, &ResetError{Code: InternalError, Peer: true, Lost: true})
			continue
		}
		s.drop(st, &ResetError{Code: Cancel, Peer: true})
	}
	s.begun = s.begun[:0]
	s.ready = s.ready[:0]
}

// breach ends a stream by the peer's fault. Of a server there can't be more of them
// than we have requests.
func (s *Session) breach(st *Stream, code Code) error {
	s.reset(st, code, false)
	if s.asks {
		return nil
	}
	return s.patience.cost(costReset)
}

// refuse answers a frame of a stream that there isn't.
func (s *Session) refuse(stream uint32, code Code) error {
	s.control = appendReset(s.control, stream, code)
	s.remember(stream)
	return s.patience.cost(costReset)
}

// reset ends a stream before it is done, by the peer or by us.
func (s *Session) reset(st *Stream, code Code, peer bool) {
	if !peer && (st.opened || !s.asks) {
		s.control = appendReset(s.control, st.id, code)
		s.remember(st.id)
	}
	s.drop(st, &ResetError{Code: code, Peer: peer})
}

// drop takes a stream off the books that wasn't done.
func (s *Session) drop(st *Stream, why *ResetError) {
	why.Unprocessed = why.Unprocessed || s.asks && !st.opened
	st.err = why
	s.discard(st)
	s.unsent -= len(st.unsent) - st.unsentFrom
	st.heads, st.unsent, st.unsentFrom = nil, nil, 0
	delete(s.streams, st.id)
	if !st.released {
		s.abandoned++
	}
	st.changed()
}

// forget takes a stream off the books whose both sides have ended.
func (s *Session) forget(st *Stream) {
	if st.over() {
		delete(s.streams, st.id)
	}
}

// discard gives up what has come of a body and nobody reads.
func (s *Session) discard(st *Stream) {
	s.freed(len(st.body) - st.read)
	st.body, st.read = nil, 0
}

// remember has what is still on its way to a stream passed over.
func (s *Session) remember(stream uint32) {
	if len(s.forgotten) < maxForgotten {
		s.forgotten = append(s.forgotten, stream)
		return
	}
	s.forgotten[s.oldest] = stream
	s.oldest = (s.oldest + 1) % maxForgotten
}

func (s *Session) remembers(stream uint32) bool { return slices.Contains(s.forgotten, stream) }
