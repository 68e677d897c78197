package http2

// took notes that n bytes of the session's window have been used. A client's side
// gives them back at once: what it holds is bounded by the streams' windows alone, so
// that none that nobody reads holds the others up.
func (s *Session) took(n int) {
	s.window -= n
	if s.asks {
		s.kept += n
		s.credit(n)
	}
}

// freed notes that n bytes that were taken have gone on, or are given up.
func (s *Session) freed(n int) {
	if s.asks {
		s.kept -= n
		return
	}
	s.credit(n)
}

// consumed notes that n bytes of a stream's window have been used up by what went
// on, and gives the peer more once half of it has.
func (s *Session) consumed(st *Stream, n int) {
	if st.owed += n; st.owed >= s.grant/2 && !st.ended && st.err == nil {
		s.control = appendWindowUpdate(s.control, st.id, st.owed)
		st.window += st.owed
		st.owed = 0
	}
	s.freed(n)
}

// credit does so for the session's window.
func (s *Session) credit(n int) {
	if s.owed += n; s.owed >= s.most/2 {
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
		switch {
		case len(dst) > before:
			stalled = 0
			st.changed()
		case st.queued: // others were reset, and are gone
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
	st.heads, st.opened = st.heads[:0], true
	body := st.unsent[st.unsentFrom:]
	n := max(0, min(len(body), maxFrameSize, st.room, s.room))
	end := st.last && n == len(body)
	if n > 0 || end && !st.bare && len(st.tail) == 0 {
		var flags uint8
		if end && len(st.tail) == 0 {
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
		s.sent += int64(n)
		s.patience.give(n / patienceContent)
	}
	if end {
		if len(st.tail) > 0 {
			dst = appendHeaders(dst, st.id, st.tail, true)
		}
		s.answered(st)
	}
	return dst
}

// answered notes that the end of what a stream sends has gone.
func (s *Session) answered(st *Stream) {
	st.sent = true
	s.patience.give(patienceAnswered)
	if st.ended || s.asks {
		s.forget(st)
		return
	}
	// The rest of the request is of no use any more (RFC 9113 §8.1).
	s.reset(st, NoError, false)
}
