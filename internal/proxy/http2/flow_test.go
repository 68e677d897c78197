package http2_test

import (
	"slices"
	"strings"
	"testing"

	xhttp2 "golang.org/x/net/http2"

	"github.com/fairlead/fairlead/internal/proxy/http2"
)

var ok200 = http2.AppendHead(nil, []byte("HTTP/1.1 200 OK\r\n\r\n"))

func TestResponsesKeepToTheWindows(t *testing.T) {
	p := newPeer(t, xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 3})
	p.ask(1, true, get...)
	p.send()
	st := p.begun[0]
	st.Respond(ok200, false)
	st.Write([]byte("hello world"))
	st.End()
	p.want("HEADERS 1 :status=200", "DATA 1 hel")
	p.want()
	p.framer.WriteWindowUpdate(1, 2)
	p.send()
	p.want("DATA 1 lo")
	p.framer.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 4})
	p.send()
	p.want("SETTINGS 0 ACK", "DATA 1  ")
	p.framer.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 0}) // below what was used
	p.framer.WriteWindowUpdate(1, 4)
	p.send()
	p.want("SETTINGS 0 ACK")
	p.framer.WriteWindowUpdate(1, 100)
	p.send()
	p.want("DATA 1 world END")
}

func TestTheSessionsWindowHoldsAllStreams(t *testing.T) {
	p := newPeer(t, xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 1 << 20})
	p.ask(1, true, get...)
	p.ask(3, true, get...)
	p.send()
	st := p.begun[0]
	st.Respond(ok200, false)
	for sent := 0; sent < 1<<16-1; {
		n, _ := st.Write(make([]byte, 20_000))
		sent += n
		p.s.Append(nil, 1<<20)
	}
	answer(p.begun[1], "")
	p.want("HEADERS 3 :status=200 content-type=text/plain x-own=Some END") // which needs none
	if p.s.Pending() {
		t.Error("more is pending")
	}
	p.framer.WriteWindowUpdate(0, 7)
	p.send()
	if !p.s.Pending() {
		t.Error("nothing is pending")
	}
	p.want("DATA 1 " + strings.Repeat("\x00", 7))
}

// A client has as much under way as was granted, and is granted what has gone on.
func TestClientsAreGrantedWhatHasGoneOn(t *testing.T) {
	p := newPeer(t)
	p.ask(1, false, get...)
	for range 16 {
		p.framer.WriteData(1, false, make([]byte, 16<<10))
	}
	if err := p.send(); err != nil {
		t.Fatal(err)
	}
	p.want()
	st, b := p.begun[0], make([]byte, 128<<10)
	for read := 0; read < len(b); {
		n, err := st.Read(b[read:])
		if err != nil || n == 0 {
			t.Fatal(n, err)
		}
		read += n
	}
	p.want("WINDOW_UPDATE 1 131072")
	for range 8 {
		p.framer.WriteData(1, false, make([]byte, 16<<10))
	}
	p.send()
	if st.Err() != nil {
		t.Fatal(st.Err())
	}
	p.framer.WriteData(1, false, []byte("x"))
	p.send()
	p.want("RST_STREAM 1 FLOW_CONTROL_ERROR")
}

// One stream with much to say doesn't hold up the others.
func TestStreamsTakeTurns(t *testing.T) {
	p := newPeer(t, xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 1 << 20})
	for id := range uint32(3) {
		p.ask(2*id+1, true, get...)
	}
	p.send()
	large := p.begun[0]
	large.Respond(ok200, false)
	large.Write(make([]byte, 32<<10))
	answer(p.begun[1], "one")
	answer(p.begun[2], "two")
	p.want("HEADERS 1 :status=200", "DATA 1 16384 bytes",
		"HEADERS 3 :status=200 content-type=text/plain x-own=Some", "DATA 3 one END",
		"HEADERS 5 :status=200 content-type=text/plain x-own=Some", "DATA 5 two END",
		"DATA 1 16384 bytes")
}

// Streams that are reset while they wait for their turn take none from others.
func TestStreamsThatAreResetHoldUpNoOther(t *testing.T) {
	p := newPeer(t)
	for id := range uint32(6) {
		p.ask(2*id+1, true, get...)
	}
	p.send()
	for _, st := range p.begun {
		answer(st, "body")
	}
	for id := range uint32(5) {
		p.framer.WriteRSTStream(2*id+1, xhttp2.ErrCodeCancel)
	}
	p.send()
	p.want("HEADERS 11 :status=200 content-type=text/plain x-own=Some", "DATA 11 body END")
}

func TestNoMoreThan128StreamsAreOpen(t *testing.T) {
	p := newPeer(t)
	for id := range uint32(129) {
		p.ask(2*id+1, true, get...)
	}
	p.send()
	p.want("RST_STREAM 257 REFUSED_STREAM")
	if n := len(p.begun); n != 128 {
		t.Fatalf("%d have begun", n)
	}
	answer(p.begun[0], "")
	p.frames()
	p.ask(301, true, get...)
	p.send()
	if n := len(p.begun); n != 129 {
		t.Error("another one after one is over: refused")
	}
	// Those that were reset count until nobody is at work on them any more.
	p = newPeer(t)
	id := uint32(1)
	for range 3 {
		for range 100 {
			p.ask(id, true, get...)
			id += 2
		}
		p.send()
		for _, st := range slices.Clone(p.begun) {
			if st.Err() == nil {
				p.framer.WriteRSTStream(st.ID(), xhttp2.ErrCodeCancel)
			}
		}
		p.now = p.now.Add(30e9)
		p.send()
	}
	if n := len(p.begun); n > 256 {
		t.Errorf("%d are worked on", n)
	}
}

// A large response head goes in several frames, that nothing comes between.
func TestLargeHeadsGoInContinuations(t *testing.T) {
	p := newPeer(t)
	p.ask(1, true, get...)
	p.send()
	head := "HTTP/1.1 404 Not Found\r\nSet-Cookie: " + strings.Repeat("x", 20_000) + "\r\nSet-Cookie: y\r\nTransfer-Encoding: chunked\r\nUpgrade: z\r\nKeep-Alive: 1\r\nProxy-Connection: close\r\n\r\n"
	p.begun[0].Respond(http2.AppendHead(nil, []byte(head)), true)
	p.want("HEADERS 1 :status=404 set-cookie=" + strings.Repeat("x", 20_000) + " set-cookie=y END")
}

// What nobody has read of a request's body counts against the session no longer
// than somebody might.
func TestWhatNobodyReadsIsGivenBack(t *testing.T) {
	p := newPeer(t)
	p.ask(1, false, get...)
	p.framer.WriteData(1, true, make([]byte, 1000))
	p.ask(3, false, get...)
	p.framer.WriteData(3, false, make([]byte, 1000))
	p.send()
	if n := p.s.Holds() - 2*len(p.begun[0].Head) - 2*len(p.begun[1].Head); n != 2000 {
		t.Fatalf("%d bytes are held", n)
	}
	for _, st := range p.begun {
		answer(st, "")
	}
	p.frames()
	p.framer.WriteData(3, false, make([]byte, 1000)) // on its way
	p.send()
	if err := p.s.Check(nil); err != nil || p.s.Holds() != 0 {
		t.Errorf("%d bytes are held, %v", p.s.Holds(), err)
	}
}
