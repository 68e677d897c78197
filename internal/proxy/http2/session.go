package http2

import (
	"encoding/binary"
	"time"

	"golang.org/x/net/http2/hpack"
)

// Limits of a session.
const (
	// MaxStreams is how many requests a client may have under way (ELB user guide,
	// "HTTP connections": 128).
	MaxStreams = 128
	// MaxRequests is how many a session has in its life (the same: 10,000). A
	// client that hasn't heard of the end may have maxLate more.
	MaxRequests = 10_000
	maxLate     = 1000

	// sessionWindow is how much of all requests' bodies may have come and not gone
	// on.
	sessionWindow = 1 << 20
	// defaultWindow is what either side begins with (RFC 9113 §6.9.2).
	defaultWindow = 1<<16 - 1
	maxWindow     = 1<<31 - 1

	// maxBlock and maxFragments bound a header block, compressed: a client must see
	// to it that one is taken in at once, as it holds all streams up (RFC 9113
	// §10.5.1).
	maxBlock     = 128 << 10
	maxFragments = 32

	// maxControl is how much of answers to pings and settings waits for a client
	// that doesn't read.
	maxControl = 64 << 10

	// maxForgotten is how many streams that we have reset are remembered, so that
	// what was on its way to them is passed over.
	maxForgotten = MaxStreams
)

// Session is one side of one connection: the server's, unless NewClientSession has
// made it.
type Session struct {
	decoder   *hpack.Decoder
	list      translation
	block     block // header block that has begun and not ended
	begun     []*Stream
	malformed []int // requests that were malformed, by their size in bytes

	streams   map[uint32]*Stream // that aren't over
	abandoned int                // were reset, and somebody is still at work on them
	requests  int
	highest   uint32   // stream that the client has begun
	forgotten []uint32 // we have reset, the oldest is overwritten
	oldest    int

	window     int // that the peer may still send
	owed       int // of it, for what went on
	most       int // window when nothing is under way
	grant      int // window that each stream begins with
	room       int // that the peer grants
	unsent     int // of all streams' bodies that are sent
	heads      int // of all requests that came and weren't released, in bytes
	streamRoom int // and each stream begins with
	sent       int64
	control    []byte
	ready      []*Stream // have something to send, in turn
	patience   patience

	greeted, settled bool // the preface has come, and the settings behind it

	asks     bool   // we are the client
	capacity int    // asks: streams that the server takes at a time
	kept     int    // asks: of bodies that came, what hasn't gone on
	head     []byte // asks: memory for the head of a response

	ending  stage
	limit   uint32 // highest stream that is served, from lastCall on
	leaving bool   // the client begins nothing more; asks: nor may we
	err     *Fault
}

// stage is how far the end of a session has come (RFC 9113 §6.8).
type stage uint8

const (
	open     stage = iota
	warned         // the client was told to begin nothing more, and may not have heard
	lastCall       // what it begins now isn't served
)

// block is a header block on its way.
type block struct {
	stream      uint32 // 0: none
	target      *Stream
	end         bool // END_STREAM
	size, parts int
	self        bool // the stream depends on itself
}

// NewSession returns a session that has its settings to send.
func NewSession() *Session {
	s := &Session{
		streams: map[uint32]*Stream{}, most: sessionWindow, window: sessionWindow, grant: streamWindow,
		room: defaultWindow, streamRoom: defaultWindow,
	}
	s.decoder = hpack.NewDecoder(4096, func(f hpack.HeaderField) { s.field(f) })
	s.control = appendFrameHeader(s.control, settingsFrame, 0, 0, 3*6)
	s.control = appendSetting(s.control, settingMaxConcurrentStreams, MaxStreams)
	s.control = appendSetting(s.control, settingInitialWindowSize, streamWindow)
	s.control = appendSetting(s.control, settingMaxHeaderListSize, maxHeaderList)
	s.control = appendWindowUpdate(s.control, 0, sessionWindow-defaultWindow)
	return s
}

// Receive takes what has come, as far as it is whole frames, and returns how many
// bytes that was. An error is a *Fault: the session is over once what it has to
// say about it was sent.
func (s *Session) Receive(in []byte, now time.Time) (n int, err error) {
	if s.err != nil {
		return len(in), s.err
	}
	s.patience.wait(now)
	if !s.greeted {
		if k := min(len(in), len(Preface)); string(in[:k]) != Preface[:k] {
			return 0, s.fail(fault(ProtocolError, "no preface"))
		} else if k < len(Preface) {
			return 0, nil
		}
		n, s.greeted = len(Preface), true
	}
	for {
		f, size, err := parseFrame(in[n:])
		if err == nil && size > 0 {
			n += size
			err = s.take(&f)
		}
		if err == nil && len(s.control) > maxControl {
			err = fault(EnhanceYourCalm, "answers aren't read")
		}
		if err == errPatience { //nolint:errorlint // ours, and never wrapped
			err = f.kind.flood()
		}
		if err != nil {
			return n, s.fail(err)
		}
		if size == 0 {
			return n, nil
		}
	}
}

// Begun returns the streams that have begun since the last call. It is valid until
// the next Receive.
func (s *Session) Begun() []*Stream {
	out := s.begun
	s.begun = s.begun[:0]
	return out
}

// Refused returns the requests that were refused since the last call because they
// were malformed, by how many bytes of frames have come of each. It is valid until the
// next Receive.
func (s *Session) Refused() []int {
	out := s.malformed
	s.malformed = s.malformed[:0]
	return out
}

// Streams returns how many requests are under way.
func (s *Session) Streams() int { return len(s.streams) }

// Attended says whether somebody is at work on a request. Otherwise what is under way
// are responses that wait for the client alone.
func (s *Session) Attended() bool {
	for _, st := range s.streams {
		if !st.released {
			return true
		}
	}
	return false
}

// Sent returns how many bytes of bodies have gone.
func (s *Session) Sent() int64 { return s.sent }

// Requests returns how many have begun.
func (s *Session) Requests() int { return s.requests }

// Holds returns how many bytes the session holds of bodies, of requests and responses,
// and of the heads of requests that have come.
func (s *Session) Holds() int {
	if s.asks {
		return s.kept + s.unsent
	}
	return s.heads + s.most - s.window - s.owed + s.unsent
}

// take deals with a frame.
func (s *Session) take(f *frame) error {
	if !s.settled {
		if f.kind != settingsFrame || f.has(flagAck) {
			return fault(ProtocolError, "the first frame isn't SETTINGS")
		}
		s.settled = true
	}
	if s.block.stream != 0 && (f.kind != continuationFrame || f.stream != s.block.stream) {
		return fault(ProtocolError, "another frame within a header block")
	}
	switch f.kind {
	case dataFrame:
		return s.takeData(f)
	case headersFrame:
		return s.takeHeaders(f)
	case continuationFrame:
		return s.takeContinuation(f)
	case priorityFrame:
		return s.takePriority(f)
	case resetFrame:
		return s.takeReset(f)
	case settingsFrame:
		return s.takeSettings(f)
	case pushPromiseFrame:
		return fault(ProtocolError, "PUSH_PROMISE that nobody allowed")
	case pingFrame:
		return s.takePing(f)
	case goAwayFrame:
		return s.takeGoAway(f)
	case windowUpdateFrame:
		return s.takeWindowUpdate(f)
	}
	return s.patience.cost(costFrame) // RFC 9113 §4.1: ignored
}

// idle says whether a stream hasn't begun yet.
func (s *Session) idle(stream uint32) bool { return stream&1 == 0 || stream > s.highest }

// unserved says whether a stream began after the session's end.
func (s *Session) unserved(stream uint32) bool { return s.ending == lastCall && stream > s.limit }

func (s *Session) takeData(f *frame) error {
	data, err := f.content()
	switch {
	case f.stream == 0:
		return fault(ProtocolError, "DATA of no stream")
	case err != nil:
		return err
	case s.idle(f.stream):
		return fault(ProtocolError, "DATA of a stream that hasn't begun")
	case len(f.payload) > s.window:
		return fault(FlowControlError, "more DATA than the session's window")
	}
	if len(data) == 0 && !f.has(flagEndStream) {
		if err := s.patience.cost(costFrame); err != nil {
			return err
		}
	}
	s.took(len(f.payload))
	st := s.streams[f.stream]
	if st == nil {
		s.freed(len(f.payload))
		if s.asks || s.unserved(f.stream) || s.remembers(f.stream) {
			return s.patience.cost(costFrame)
		}
		return s.refuse(f.stream, StreamClosed)
	}
	st.received += int64(frameHeader + len(f.payload))
	switch {
	case st.ended:
		s.freed(len(f.payload))
		return s.breach(st, StreamClosed)
	case s.asks && !st.headed:
		s.freed(len(f.payload))
		return s.breach(st, ProtocolError) // RFC 9113 §8.1: a head comes first
	case len(f.payload) > st.window:
		s.freed(len(f.payload))
		return s.breach(st, FlowControlError)
	}
	st.window -= len(f.payload)
	st.got += int64(len(data))
	if st.declared >= 0 && (st.got > st.declared || f.has(flagEndStream) && st.got < st.declared) {
		s.freed(len(f.payload))
		return s.breach(st, ProtocolError) // RFC 9113 §8.1.1
	}
	s.consumed(st, len(f.payload)-len(data)) // padding goes no further
	s.patience.give(len(data) / patienceContent)
	st.ended = f.has(flagEndStream)
	if st.last && st.released {
		s.consumed(st, len(data)) // it is answered already
	} else {
		st.body = append(st.body, data...)
	}
	if st.ended && st.over() {
		s.forget(st)
	}
	st.changed()
	return nil
}

func (s *Session) takeHeaders(f *frame) error {
	if f.stream&1 == 0 {
		return fault(ProtocolError, "HEADERS of a stream that isn't a client's")
	}
	p, err := f.content()
	if err != nil {
		return err
	}
	b := block{stream: f.stream, end: f.has(flagEndStream)}
	if f.has(flagPriority) {
		if len(p) < 5 {
			return fault(FrameSizeError, "no priority")
		}
		b.self = binary.BigEndian.Uint32(p)&^(1<<31) == f.stream
		p = p[5:]
	}
	switch st := s.streams[f.stream]; {
	case st != nil:
		b.target = st
		switch {
		case !s.asks || st.headed:
			s.list.reset(ofTrailers, make([]byte, 0, 64))
		default:
			s.list.reset(ofResponse, s.head[:0])
		}
	case f.stream <= s.highest:
		if !s.asks && !s.remembers(f.stream) {
			return fault(StreamClosed, "HEADERS of a stream that is over")
		}
		s.list.reset(ofTrailers, nil)
	case s.asks:
		return fault(ProtocolError, "HEADERS of a stream that hasn't begun")
	default:
		s.highest = f.stream
		s.list.reset(ofRequest, make([]byte, 0, 512))
	}
	s.decoder.SetEmitEnabled(true)
	s.block = b
	return s.takeFragment(f, p)
}

func (s *Session) takeContinuation(f *frame) error {
	if s.block.stream == 0 {
		return fault(ProtocolError, "CONTINUATION without a header block")
	}
	return s.takeFragment(f, f.payload)
}

// takeFragment takes a part of a header block.
func (s *Session) takeFragment(f *frame, p []byte) error {
	b := &s.block
	b.size += len(p)
	if b.parts++; b.size > maxBlock || b.parts > maxFragments {
		return fault(EnhanceYourCalm, "header block without an end")
	}
	if _, err := s.decoder.Write(p); err != nil {
		return fault(CompressionError, "invalid header block")
	}
	if !f.has(flagEndHeaders) {
		return nil
	}
	if s.decoder.Close() != nil {
		return fault(CompressionError, "header block that isn't whole")
	}
	done := *b
	*b = block{}
	return s.takeList(&done)
}

// field takes a field of the header block under way.
func (s *Session) field(f hpack.HeaderField) {
	s.list.field(f.Name, f.Value)
	if s.list.tooLarge() {
		s.decoder.SetEmitEnabled(false) // the rest is only kept in step with
	}
}

// takeList deals with a header list that has come whole.
func (s *Session) takeList(b *block) error {
	t := &s.list
	t.finish(b.end)
	if st := b.target; st != nil {
		if t.of == ofResponse {
			return s.takeResponse(st, b)
		}
		return s.takeTrailers(st, b)
	}
	switch {
	case t.of == ofTrailers: // of a stream that we have reset
		return s.patience.cost(costFrame)
	case s.unserved(b.stream):
		return s.patience.cost(costFrame)
	case len(s.streams) >= MaxStreams || len(s.streams)+s.abandoned >= 2*MaxStreams:
		return s.refuse(b.stream, RefusedStream)
	case t.wrong != "" || b.self:
		s.malformed = append(s.malformed, b.parts*frameHeader+b.size)
		return s.refuse(b.stream, ProtocolError)
	}
	st := &Stream{
		session: s, id: b.stream, Head: t.head, declared: t.length, ended: b.end, window: s.grant, room: s.streamRoom,
		received: int64(b.parts*frameHeader + b.size),
	}
	if t.tooLarge() {
		st.Head = nil
		if err := s.patience.cost(costTooLarge + b.size/costTooLargePerByte); err != nil {
			return err
		}
	}
	t.head = nil
	s.heads += st.heldByHead()
	s.streams[st.id] = st
	s.begun = append(s.begun, st)
	if s.requests++; s.requests >= MaxRequests+maxLate {
		s.lastCall()
	} else if s.requests >= MaxRequests {
		s.Drain()
	}
	return nil
}

// takeTrailers ends a body.
func (s *Session) takeTrailers(st *Stream, b *block) error {
	st.received += int64(b.parts*frameHeader + b.size)
	switch {
	case st.ended:
		return s.breach(st, StreamClosed)
	case !b.end || s.list.wrong != "" || s.list.tooLarge() || st.declared >= 0 && st.got != st.declared || b.self:
		return s.breach(st, ProtocolError)
	}
	st.ended, st.trailers = true, s.list.head
	if st.over() {
		s.forget(st)
	}
	st.changed()
	return nil
}

// takePriority checks what it then ignores (RFC 9113 §5.3.2).
func (s *Session) takePriority(f *frame) error {
	if f.stream == 0 {
		return fault(ProtocolError, "PRIORITY of no stream")
	}
	if err := s.patience.cost(costFrame); err != nil {
		return err
	}
	code := NoError
	if len(f.payload) != 5 {
		code = FrameSizeError
	} else if binary.BigEndian.Uint32(f.payload)&^(1<<31) == f.stream {
		code = ProtocolError
	}
	if code == NoError {
		return nil
	}
	if st := s.streams[f.stream]; st != nil {
		return s.breach(st, code)
	}
	return s.refuse(f.stream, code)
}

func (s *Session) takeReset(f *frame) error {
	switch {
	case f.stream == 0:
		return fault(ProtocolError, "RST_STREAM of no stream")
	case len(f.payload) != 4:
		return fault(FrameSizeError, "RST_STREAM of another size")
	case s.idle(f.stream):
		return fault(ProtocolError, "RST_STREAM of a stream that hasn't begun")
	}
	st := s.streams[f.stream]
	if st == nil {
		return s.patience.cost(costFrame)
	}
	code := Code(binary.BigEndian.Uint32(f.payload))
	if s.asks {
		s.refused(st, &ResetError{Code: code, Peer: true, Unprocessed: code == RefusedStream})
		return nil
	}
	s.reset(st, code, true)
	return s.patience.cost(costReset)
}

func (s *Session) takeSettings(f *frame) error {
	switch {
	case f.stream != 0:
		return fault(ProtocolError, "SETTINGS of a stream")
	case f.has(flagAck) && len(f.payload) > 0 || len(f.payload)%6 != 0:
		return fault(FrameSizeError, "SETTINGS of another size")
	case f.has(flagAck):
		return s.patience.cost(costFrame)
	}
	if err := s.patience.cost(costFrame + len(f.payload)/6); err != nil {
		return err
	}
	room := s.streamRoom
	for p := f.payload; len(p) > 0; p = p[6:] {
		v := binary.BigEndian.Uint32(p[2:])
		switch binary.BigEndian.Uint16(p) {
		case settingEnablePush:
			if v > 1 || s.asks && v > 0 {
				return fault(ProtocolError, "ENABLE_PUSH out of range")
			}
		case settingMaxConcurrentStreams:
			s.capacity = int(v)
		case settingInitialWindowSize:
			if v > maxWindow {
				return fault(FlowControlError, "INITIAL_WINDOW_SIZE too large")
			}
			room = int(v)
		case settingMaxFrameSize:
			if v < maxFrameSize || v >= 1<<24 {
				return fault(ProtocolError, "MAX_FRAME_SIZE out of range")
			}
		}
	}
	if err := s.resize(room); err != nil {
		return err
	}
	s.control = appendFrameHeader(s.control, settingsFrame, flagAck, 0, 0)
	return nil
}

// resize changes what streams begin with, and those that have begun have left
// (RFC 9113 §6.9.2).
func (s *Session) resize(room int) error {
	delta := room - s.streamRoom
	if delta == 0 {
		return nil
	}
	s.streamRoom = room
	for _, st := range s.streams {
		if st.room += delta; st.room > maxWindow {
			return fault(FlowControlError, "window too large")
		}
		s.queue(st)
	}
	return nil
}

func (s *Session) takePing(f *frame) error {
	switch {
	case f.stream != 0:
		return fault(ProtocolError, "PING of a stream")
	case len(f.payload) != 8:
		return fault(FrameSizeError, "PING of another size")
	}
	if f.has(flagAck) {
		if s.ending == warned && string(f.payload) == farewell {
			s.lastCall()
			return nil
		}
	} else {
		s.control = appendPing(s.control, flagAck, f.payload)
	}
	return s.patience.cost(costFrame)
}

func (s *Session) takeGoAway(f *frame) error {
	switch {
	case f.stream != 0:
		return fault(ProtocolError, "GOAWAY of a stream")
	case len(f.payload) < 8:
		return fault(FrameSizeError, "GOAWAY of another size")
	}
	s.leaving = true
	if s.asks {
		s.unprocessed(binary.BigEndian.Uint32(f.payload) &^ (1 << 31))
	}
	return s.patience.cost(costFrame)
}

func (s *Session) takeWindowUpdate(f *frame) error {
	if len(f.payload) != 4 {
		return fault(FrameSizeError, "WINDOW_UPDATE of another size")
	}
	if err := s.patience.cost(costFrame); err != nil {
		return err
	}
	n := int(binary.BigEndian.Uint32(f.payload) &^ (1 << 31))
	if f.stream == 0 {
		if n == 0 {
			return fault(ProtocolError, "WINDOW_UPDATE of nothing")
		}
		if s.room += n; s.room > maxWindow {
			return fault(FlowControlError, "window too large")
		}
		return nil
	}
	if s.idle(f.stream) {
		return fault(ProtocolError, "WINDOW_UPDATE of a stream that hasn't begun")
	}
	st := s.streams[f.stream]
	if st == nil {
		return nil
	}
	if n == 0 {
		return s.breach(st, ProtocolError)
	}
	if st.room += n; st.room > maxWindow {
		return s.breach(st, FlowControlError)
	}
	s.queue(st)
	return nil
}
