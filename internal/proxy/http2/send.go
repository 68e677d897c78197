package http2

// consumed notes that n bytes of a stream's window have been used up by what went
// on, and gives the client more once half of it has.
func (s *Session) consumed(st *Stream, n int) {
	if st.owed += n; st.owed >= streamWindow/2 && !st.ended && st.err == nil {
		s.control = appendWindowUpdate(s.control, st.id, st.owed)
		st.window += st.owed
		st.owed = 0
	}
	s.credit(n)
}

// credit does so for the session's window.
func (s *Session) credit(n int) {
	if s.owed += n; s.owed >= sessionWindow/2 {
		s.control = appendWindowUpdate(s.control, 0, s.owed)
		s.window += s.owed
		s.owed = 0
	}
}

// queue has a stream take its turns if it may have something to send.
func (s *Session) queue(st *Stream) {
	if !st.queued && st.due() {
		st.queued = true
		s.ready = append(s.ready, st)
	}
}

// due says whether there is something that the stream's own window doesn't hold
// back.
func (st *Stream) due() bool {
	return st.err == nil && !st.sent && (len(st.heads) > 0 || st.room > 0 && len(st.unsent) > st.unsentFrom || st.last && len(st.unsent) == st.unsentFrom)
}

// Pending says whether Append would append something.
func (s *Session) Pending() bool {
	return len(s.control) > 0 || len(s.ready) > 0 && (s.room > 0 || s.pendingWithoutWindow())
}

// pendingWithoutWindow says whether a stream can send what needs no window.
func (s *Session) pendingWithoutWindow() bool {
	for _, st := range s.ready {
		if st.due() && (len(st.heads) > 0 || len(st.unsent) == st.unsentFrom) {
			return true
		}
	}
	return false
}

// Append appends what is due to be sent, until that is size bytes or more. Streams
// take turns, a frame each, so that none waits for another's large response.
func (s *Session) Append(dst []byte, size int) []byte {
	dst = append(dst, s.control...)
	s.control = s.control[:0]
	for stalled := 0; len(dst) < size && stalled < len(s.ready); {
		st := s.ready[0]
		s.ready = s.ready[:copy(s.ready, s.ready[1:])]
		before := len(dst)
		dst = st.appendTurn(dst)
		st.queued = false
		s.queue(st)
		if len(dst) > before {
			stalled = 0
			st.changed()
		} else {
			stalled++
		}
	}
	return dst
}

// appendTurn appends what a stream may send in its turn.
func (st *Stream) appendTurn(dst []byte) []byte {
	s := st.session
	if st.err != nil || st.sent {
		return dst
	}
	dst = append(dst, st.heads...)
	st.heads = st.heads[:0]
	body := st.unsent[st.unsentFrom:]
	n := max(0, min(len(body), maxFrameSize, st.room, s.room))
	end := st.last && n == len(body)
	if n > 0 || end && !st.bare {
		var flags uint8
		if end {
			flags = flagEndStream
		}
		dst = appendFrameHeader(dst, dataFrame, flags, st.id, n)
		dst = append(dst, body[:n]...)
		st.room -= n
		s.room -= n
		s.unsent -= n
		if st.unsentFrom += n; st.unsentFrom == len(st.unsent) {
			st.unsent, st.unsentFrom = st.unsent[:0], 0
		}
		s.patience.give(n / patienceContent)
	}
	if end {
		s.answered(st)
	}
	return dst
}

// answered notes that the end of a response has gone.
func (s *Session) answered(st *Stream) {
	st.sent = true
	s.patience.give(patienceAnswered)
	if st.ended {
		s.forget(st)
		return
	}
	// The rest of the request is of no use any more (RFC 9113 §8.1).
	s.reset(st, NoError, false)
}
