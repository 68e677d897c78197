package http2

import "golang.org/x/net/http2/hpack"

// Of a client's side.
const (
	// answersWindow is how much of all responses' bodies may be on its way. It is given
	// back as it comes.
	answersWindow = 16 << 20
	// answerWindow is how much of a response's body may have come and not gone on.
	answerWindow = 128 << 10
	// maxInterim bounds the interim responses before a response.
	maxInterim = 16
	// lastStream is the last identifier that there is.
	lastStream = 1<<31 - 1
)

// DefaultCapacity is how many streams a server is thought to take at a time until it
// has said how many: RFC 9113 §6.5.2 asks servers for no fewer.
const DefaultCapacity = 100

// NewClientSession returns the client's side of a connection, that has its preface and
// its settings to send. capacity is how many streams the server is thought to take at
// a time, until its settings have come.
func NewClientSession(capacity int) *Session {
	s := &Session{
		streams: map[uint32]*Stream{}, most: answersWindow, window: answersWindow, grant: answerWindow,
		room: defaultWindow, streamRoom: defaultWindow, asks: true, greeted: true, capacity: capacity,
	}
	s.decoder = hpack.NewDecoder(4096, func(f hpack.HeaderField) { s.field(f) })
	s.control = append(s.control, Preface...)
	s.control = appendFrameHeader(s.control, settingsFrame, 0, 0, 3*6)
	s.control = appendSetting(s.control, settingEnablePush, 0)
	s.control = appendSetting(s.control, settingInitialWindowSize, answerWindow)
	s.control = appendSetting(s.control, settingMaxHeaderListSize, maxResponseList)
	s.control = appendWindowUpdate(s.control, 0, answersWindow-defaultWindow)
	return s
}

// Capacity returns how many streams the server takes at a time, as far as is known.
func (s *Session) Capacity() int { return s.capacity }

// Settled says whether the peer's settings have come.
func (s *Session) Settled() bool { return s.settled }

// Vacant says whether another request can be made on the session now.
func (s *Session) Vacant() bool {
	return len(s.streams) < s.capacity && s.Usable()
}

// Usable says whether there can be another request on the session, at some time.
func (s *Session) Usable() bool {
	return !s.leaving && s.ending == open && s.err == nil && s.highest < lastStream-1
}

// Open makes a request, whose header block AppendRequest has made; nil if the session
// isn't Vacant. end says that no body follows, bodiless that no response to it has one:
// it is HEAD.
func (s *Session) Open(block []byte, end, bodiless bool) *Stream {
	if !s.Vacant() {
		return nil
	}
	if s.highest == 0 {
		s.highest = 1
	} else {
		s.highest += 2
	}
	st := &Stream{session: s, id: s.highest, declared: -1, window: s.grant, room: s.streamRoom, bodiless: bodiless}
	s.requests++
	s.streams[st.id] = st
	_ = st.Respond(block, end) // it has just begun
	return st
}

// AppendHeads appends the heads of responses that have come since the last call, as
// HTTP/1.1 has them: interim ones and at last the response's.
func (st *Stream) AppendHeads(dst []byte) []byte {
	dst = append(dst, st.came...)
	st.came = st.came[:0]
	return dst
}

// takeResponse deals with the head of a response.
func (s *Session) takeResponse(st *Stream, b *block) error {
	t := &s.list
	st.received += int64(b.parts*frameHeader + b.size)
	interim := t.status != "" && t.status[0] == '1'
	switch {
	case t.wrong != "" || t.tooLarge() || b.self:
		return s.breach(st, ProtocolError)
	case st.ended:
		return s.breach(st, StreamClosed)
	case interim:
		if st.interim++; b.end || st.interim > maxInterim {
			return s.breach(st, ProtocolError)
		}
	default:
		st.headed = true
		st.declared = t.length
		if st.bodiless || t.status == "204" || t.status == "304" { // RFC 9110 §6.4.1
			st.declared = 0
		}
		if b.end && st.declared > 0 {
			return s.breach(st, ProtocolError)
		}
	}
	st.came = append(st.came, t.head...)
	s.head = t.head
	if b.end {
		st.ended = true
		if st.over() {
			s.forget(st)
		}
	}
	s.patience.give(patienceAnswered)
	st.changed()
	return nil
}

// refused ends a stream by the server's word, or its connection's end. One whose
// response has come whole stays as it is: there is only no use for the rest of the
// request (RFC 9113 §8.1).
func (s *Session) refused(st *Stream, why *ResetError) {
	if !st.ended {
		s.drop(st, why)
		return
	}
	s.unsent -= len(st.unsent) - st.unsentFrom
	st.heads, st.unsent, st.unsentFrom = nil, nil, 0
	st.sent, st.last = true, true
	s.forget(st)
	st.changed()
}

// unprocessed ends the streams that the server has said it won't work on: those behind
// the last one that it has taken (RFC 9113 §6.8).
func (s *Session) unprocessed(last uint32) {
	for id, st := range s.streams {
		if id > last {
			s.drop(st, &ResetError{Code: RefusedStream, Peer: true, Unprocessed: true})
		}
	}
}
