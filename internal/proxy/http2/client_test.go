package http2_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	xhttp2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/fairlead/fairlead/internal/proxy/http2"
)

// server is what a client's session speaks to: its frames golang.org/x/net writes and
// reads.
type server struct{ *peer }

// newServer returns one whose settings the session has, and that has read what it was
// greeted with.
func newServer(t testing.TB, settings ...xhttp2.Setting) *server {
	t.Helper()
	p := &peer{t: t, s: http2.NewClientSession(http2.DefaultCapacity), now: time.Unix(1000, 0)}
	p.framer = xhttp2.NewFramer(&p.out, &p.in)
	p.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	p.framer.AllowIllegalWrites = true
	p.encoder = hpack.NewEncoder(&p.block)
	greeting := p.s.Append(nil, 1<<20)
	rest, ok := bytes.CutPrefix(greeting, []byte(xhttp2.ClientPreface))
	if !ok {
		t.Fatalf("greeted with %q", greeting)
	}
	p.in.Write(rest)
	p.framer.WriteSettings(settings...)
	if err := p.send(); err != nil {
		t.Fatal(err)
	}
	s := &server{p}
	if got := s.frames(); !slices.Equal(got, []string{"SETTINGS 0", "WINDOW_UPDATE 0 16711681", "SETTINGS 0 ACK"}) {
		t.Fatalf("greeted with %q", got)
	}
	return s
}

const asking = "POST /x?y HTTP/1.1\r\nHost: a.test\r\nX-Own: Some\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n"

// open begins a request, with a body unless end is set.
func (s *server) open(end bool) *http2.Stream {
	s.t.Helper()
	st := s.s.Open(http2.AppendRequest(nil, []byte(asking), true), end, false)
	if st == nil {
		s.t.Fatal("no stream")
	}
	return st
}

var fine = []string{":status", "200", "content-type", "text/plain"}

// heard returns what there is to read of a response.
func heard(st *http2.Stream) (head, body string, err error) {
	head = string(st.AppendHeads(nil))
	var b [1 << 16]byte
	n, err := st.Read(b[:])
	if n > 0 {
		_, err = st.Read(b[n:])
	}
	return head, string(b[:n]), err
}

func TestARequestGoesAndIsAnswered(t *testing.T) {
	s := newServer(t)
	st := s.open(false)
	if _, err := st.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	st.Trail(http2.AppendField([]byte{0x20}, "x-sum", "5"))
	s.want("HEADERS 1 :method=POST :scheme=https :path=/x?y :authority=a.test x-own=Some", "DATA 1 hello", "HEADERS 1 x-sum=5 END")
	s.ask(1, false, ":status", "103", "link", "</a>")
	s.ask(1, false, append(fine, "content-length", "7")...)
	s.framer.WriteData(1, false, []byte("goodbye"))
	s.ask(1, true, "grpc-status", "0", "x-amzn-oidc-data", "forged", "content-length", "9")
	if err := s.send(); err != nil {
		t.Fatal(err)
	}
	head, body, err := heard(st)
	want := "HTTP/1.1 103 \r\nlink: </a>\r\n\r\nHTTP/1.1 200 \r\ncontent-type: text/plain\r\ncontent-length: 7\r\n\r\n"
	if head != want || body != "goodbye" || !errors.Is(err, io.EOF) {
		t.Errorf("got %q, %q, %v", head, body, err)
	}
	fields, err := hpack.NewDecoder(0, nil).DecodeFull(st.Trailers())
	if err != nil || len(fields) != 1 || fields[0].Name != "grpc-status" {
		t.Errorf("trailers %v, %v", fields, err)
	}
	st.Release()
	s.want()
	if s.s.Streams() != 0 || s.s.Holds() != 0 {
		t.Errorf("%d streams, and %d bytes, are left", s.s.Streams(), s.s.Holds())
	}
}

// What has come of a stream stays what it is, whatever comes of others.
func TestTrailersAreTheirStreamsOwn(t *testing.T) {
	s := newServer(t)
	first, second := s.open(true), s.open(true)
	s.frames()
	for _, id := range []uint32{1, 3} {
		s.ask(id, false, fine...)
		s.ask(id, true, "grpc-status", itoa(id))
	}
	s.send()
	for st, want := range map[*http2.Stream]string{first: "1", second: "3"} {
		fields, err := hpack.NewDecoder(0, nil).DecodeFull(st.Trailers())
		head, _, _ := heard(st)
		if err != nil || len(fields) != 1 || fields[0].Value != want || head != "HTTP/1.1 200 \r\ncontent-type: text/plain\r\n\r\n" {
			t.Errorf("stream %s: %q, then %v, %v", want, head, fields, err)
		}
	}
}

func TestResponsesWithoutBodies(t *testing.T) {
	for _, tt := range []struct {
		name   string
		head   bool
		fields []string
		ok     bool
	}{
		{"to HEAD, with a length", true, []string{":status", "200", "content-length", "5"}, true},
		{"of 304, with a length", false, []string{":status", "304", "content-length", "5"}, true},
		{"of 204", false, []string{":status", "204"}, true},
		{"with a length that isn't there", false, []string{":status", "200", "content-length", "5"}, false},
		{"interim", false, []string{":status", "103"}, false},
	} {
		s := newServer(t)
		st := s.s.Open(http2.AppendRequest(nil, []byte(asking), true), true, tt.head)
		s.frames()
		s.ask(1, true, tt.fields...)
		if err := s.send(); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if (st.Err() == nil) != tt.ok || st.Ended() != tt.ok {
			t.Errorf("%s: %v, ended %t", tt.name, st.Err(), st.Ended())
		}
	}
}

// A response that is malformed ends its stream, and no other (RFC 9113 §8.1.1).
func TestMalformedResponsesEndTheirStream(t *testing.T) {
	for name, fields := range map[string][]string{
		"no status":                {"a", "b"},
		"two statuses":             {":status", "200", ":status", "200"},
		"a status of two digits":   {":status", "20"},
		"a status of letters":      {":status", "2x0"},
		"a protocol change":        {":status", "101"},
		"a request's field":        {":status", "200", ":path", "/"},
		"the status behind others": {"a", "b", ":status", "200"},
		"a capital":                {":status", "200", "A", "b"},
		"a line end":               {":status", "200", "a", "b\r\nc: d"},
		"NUL":                      {":status", "200", "a", "b\x00"},
		"Connection":               {":status", "200", "connection", "close"},
		"Transfer-Encoding":        {":status", "200", "transfer-encoding", "chunked"},
		"lengths that differ":      {":status", "200", "content-length", "1", "content-length", "2"},
		"a length with a sign":     {":status", "200", "content-length", "+1"},
		"more than 32 KiB":         append([]string{":status", "200"}, strings.Split(strings.Repeat("a\n"+strings.Repeat("b", 1000)+"\n", 40)+"c\nd", "\n")...),
	} {
		s := newServer(t)
		st, other := s.open(true), s.open(true)
		s.frames()
		s.ask(1, false, fields...)
		s.ask(3, true, fine...)
		if err := s.send(); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if reset, ok := errors.AsType[*http2.ResetError](st.Err()); !ok || reset.Peer || reset.Unprocessed || !other.Ended() {
			t.Errorf("%s: %v; the other ended: %t", name, st.Err(), other.Ended())
		}
		s.want("RST_STREAM 1 PROTOCOL_ERROR")
		st.Release()
		other.Release()
	}
}

func TestServersAtFaultEndTheirSession(t *testing.T) {
	for name, say := range map[string]func(*server){
		"DATA of a stream that hasn't begun":    func(s *server) { s.framer.WriteData(5, false, []byte("x")) },
		"HEADERS of a stream that hasn't begun": func(s *server) { s.ask(5, false, fine...) },
		"HEADERS of a stream of its own":        func(s *server) { s.ask(2, false, fine...) },
		"a push": func(s *server) {
			s.framer.WritePushPromise(xhttp2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: s.encode(get...), EndHeaders: true})
		},
		"a setting that allows pushes":          func(s *server) { s.framer.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingEnablePush, Val: 1}) },
		"a reset of a stream that hasn't begun": func(s *server) { s.framer.WriteRSTStream(7, 0) },
		"pings without end": func(s *server) {
			for range 3000 {
				s.framer.WritePing(false, [8]byte{})
			}
		},
		"settings without end": func(s *server) {
			for range 3000 {
				s.framer.WriteSettings()
			}
		},
		"a header block without end": func(s *server) {
			s.framer.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: 1, BlockFragment: s.encode(fine...)})
			for range 100 {
				s.framer.WriteContinuation(1, false, nil)
			}
		},
		"DATA without content": func(s *server) {
			s.ask(1, false, fine...)
			for range 3000 {
				s.framer.WriteData(1, false, nil)
			}
		},
		"interim responses without end on streams that are over": func(s *server) {
			s.ask(1, true, fine...)
			for range 3000 {
				s.ask(1, false, ":status", "103")
			}
		},
	} {
		s := newServer(t)
		st := s.open(true)
		s.frames()
		say(s)
		err := s.send()
		if _, ok := errors.AsType[*http2.Fault](err); !ok || !s.s.Over() || s.s.Usable() {
			t.Errorf("%s: %v, over %t", name, err, s.s.Over())
		}
		if got := s.frames(); len(got) == 0 || !strings.HasPrefix(got[len(got)-1], "GOAWAY 0 ") {
			t.Errorf("%s: told %q", name, got)
		}
		st.Release()
	}
}

// No request is lost that the server hasn't worked on, and none is sent twice that it
// may have (RFC 9113 §6.8, §8.7).
func TestWhatAServerHasNotWorkedOnIsKnown(t *testing.T) {
	s := newServer(t)
	var all []*http2.Stream
	for range 4 {
		all = append(all, s.open(true))
	}
	s.frames()
	late := s.open(true) // which isn't sent
	s.framer.WriteRSTStream(1, xhttp2.ErrCodeRefusedStream)
	s.framer.WriteRSTStream(3, xhttp2.ErrCodeCancel)
	s.framer.WriteGoAway(1<<31-1, 0, nil)
	s.send()
	if s.s.Usable() || s.s.Streams() != 3 {
		t.Errorf("usable %t, %d streams", s.s.Usable(), s.s.Streams())
	}
	s.framer.WriteGoAway(5, 0, nil)
	s.send()
	s.ask(5, true, fine...)
	if err := s.send(); err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ reset, unprocessed bool }{{true, true}, {true, false}, {false, false}, {true, true}, {true, true}} {
		st := append(all, late)[i]
		reset, ok := errors.AsType[*http2.ResetError](st.Err())
		if ok != want.reset || ok && reset.Unprocessed != want.unprocessed {
			t.Errorf("stream %d: %v", st.ID(), st.Err())
		}
		st.Release()
	}
	if !s.s.Over() {
		t.Error("the session goes on")
	}
	s.want() // nothing of what wasn't sent, and no reset of it
}

func TestALostConnectionLosesWhatWasSentAlone(t *testing.T) {
	s := newServer(t)
	done, sent := s.open(false), s.open(true)
	s.frames()
	s.ask(1, true, fine...)
	s.send()
	unsent := s.open(true)
	s.s.Lose()
	if done.Err() != nil || !done.Ended() {
		t.Errorf("a whole response is lost: %v", done.Err())
	}
	for st, unprocessed := range map[*http2.Stream]bool{sent: false, unsent: true} {
		if reset, ok := errors.AsType[*http2.ResetError](st.Err()); !ok || !reset.Lost || reset.Unprocessed != unprocessed {
			t.Errorf("stream %d: %v", st.ID(), st.Err())
		}
	}
}

// A server that has answered may have no use for the rest of the request (RFC 9113
// §8.1).
func TestAnAnswerBeforeTheRequestsEndIsWhole(t *testing.T) {
	s := newServer(t)
	st := s.open(false)
	st.Write(make([]byte, 30<<10))
	s.ask(1, false, fine...)
	s.framer.WriteData(1, true, []byte("enough"))
	s.framer.WriteRSTStream(1, xhttp2.ErrCodeNo)
	s.frames()
	if err := s.send(); err != nil {
		t.Fatal(err)
	}
	if _, body, err := heard(st); body != "enough" || !errors.Is(err, io.EOF) {
		t.Errorf("got %q, %v", body, err)
	}
	st.Release()
	s.want()
	if s.s.Holds() != 0 {
		t.Errorf("%d bytes are held", s.s.Holds())
	}
}

func TestTheServersLimitsAreKept(t *testing.T) {
	s := newServer(t, xhttp2.Setting{ID: xhttp2.SettingMaxConcurrentStreams, Val: 2}, xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 4})
	st := s.open(false)
	s.open(true)
	if s.s.Vacant() || s.s.Capacity() != 2 || s.s.Open(nil, true, false) != nil {
		t.Error("a third stream is begun")
	}
	st.Write([]byte("0123456789"))
	s.want("HEADERS 1 :method=POST :scheme=https :path=/x?y :authority=a.test x-own=Some", "DATA 1 0123",
		"HEADERS 3 :method=POST :scheme=https :path=/x?y :authority=a.test x-own=Some END")
	s.framer.WriteWindowUpdate(1, 3)
	s.send()
	s.want("DATA 1 456")
	s.framer.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingMaxConcurrentStreams, Val: 3}, xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 10})
	s.send()
	s.want("SETTINGS 0 ACK", "DATA 1 789")
	s.open(true)
	if s.s.Vacant() {
		t.Error("a fourth stream would begin")
	}
}

// What nobody reads costs its stream's window, and not the session's.
func TestAResponseThatNobodyReadsHoldsUpNoOther(t *testing.T) {
	s := newServer(t)
	var stuck []*http2.Stream
	for range 99 {
		stuck = append(stuck, s.open(true))
	}
	s.frames()
	sent := 0
	for i := range stuck {
		s.ask(uint32(2*i+1), false, fine...)
		for range 8 { // a stream's window
			s.framer.WriteData(uint32(2*i+1), false, make([]byte, 16<<10))
			sent += 16 << 10
		}
		if err := s.send(); err != nil {
			t.Fatal(err)
		}
	}
	if s.s.Holds() != sent {
		t.Errorf("%d bytes are held, of %d", s.s.Holds(), sent)
	}
	granted := 0
	for _, f := range s.frames() {
		if strings.HasPrefix(f, "WINDOW_UPDATE 0 ") {
			granted++
		} else {
			t.Errorf("told %s", f)
		}
	}
	if granted == 0 {
		t.Error("the session's window isn't given back")
	}
	st := s.open(true)
	s.frames()
	s.ask(199, false, fine...)
	s.framer.WriteData(199, true, []byte("through"))
	s.send()
	if _, body, err := heard(st); body != "through" || !errors.Is(err, io.EOF) {
		t.Errorf("got %q, %v", body, err)
	}
	s.framer.WriteData(1, false, []byte("x"))
	s.send()
	s.want("RST_STREAM 1 FLOW_CONTROL_ERROR")
	for _, st := range stuck {
		st.Release()
	}
	if s.s.Holds() != 0 {
		t.Errorf("%d bytes are left", s.s.Holds())
	}
}

func TestACancelledRequestIsReset(t *testing.T) {
	s := newServer(t)
	st := s.open(false)
	s.frames()
	st.Release()
	s.want("RST_STREAM 1 CANCEL")
	s.ask(1, false, fine...)
	s.framer.WriteData(1, true, make([]byte, 1000)) // were on their way
	if err := s.send(); err != nil {
		t.Fatal(err)
	}
	s.want()
}
