package http2_test

import (
	"bufio"
	"bytes"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	xhttp2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/http2"
)

// answerOddly writes a frame of a server's, most likely one that makes sense.
func (h *hostile) answerOddly() {
	stream := h.highest - min(h.highest-1, uint32(h.next()%16)*2)
	switch kind := h.next() % 16; kind {
	case 0, 1, 2, 3:
		h.framer.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: stream, BlockFragment: h.encode(fine...), EndStream: h.next()%4 == 0, EndHeaders: h.next()%64 > 0})
	case 4:
		h.framer.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: stream, BlockFragment: h.encode(":status", "103", "x", strings.Repeat("y", h.next()*50)), EndHeaders: true, PadLength: uint8(h.next())})
	case 5:
		h.framer.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: stream, BlockFragment: h.encode("x-trailer", "y"), EndStream: h.next()%4 > 0, EndHeaders: true})
	case 6:
		h.framer.WriteGoAway(stream+uint32(h.next()), xhttp2.ErrCode(h.next()), nil)
	case 7:
		h.framer.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingMaxConcurrentStreams, Val: uint32(h.next())})
	default:
		h.script = append([]byte{byte(kind), byte(h.next()), byte(h.next() | 1)}, h.script...)
		h.say()
	}
}

// use has somebody do something about a response, or make a request.
func (h *hostile) use() {
	if h.next()%2 == 0 || len(h.working) == 0 {
		if st := h.s.Open(http2.AppendRequest(nil, []byte(asking), true), h.next()%2 == 0, h.next()%8 == 0); st != nil {
			h.working = append(h.working, st)
			h.highest = st.ID()
		}
		return
	}
	i := h.next() % len(h.working)
	st := h.working[i]
	switch h.next() % 8 {
	case 0:
		st.AppendHeads(nil)
	case 1, 2:
		st.Write(make([]byte, h.next()*h.next()))
	case 3:
		st.Trail(http2.AppendField(nil, "a", strings.Repeat("b", h.next()%2)))
	case 4, 5:
		st.Read(make([]byte, h.next()*h.next()))
	case 6:
		st.Reset(http2.Code(h.next()))
	case 7:
		st.Release()
		h.working = append(h.working[:i], h.working[i+1:]...)
	}
}

// FuzzClientSession has a server do what it wants, in pieces, while requests are made,
// written, given up, and their responses read at will: nothing panics, the books add
// up, what is held is bounded, and what is sent is HTTP/2 and within the window.
func FuzzClientSession(f *testing.F) {
	f.Add([]byte{2, 0, 0, 1, 3, 0, 0, 0, 1})
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 2))
		script := make([]byte, 2000)
		for i := range script {
			script[i] = byte(r.Uint32())
		}
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		s := newServer(t, xhttp2.Setting{ID: xhttp2.SettingMaxConcurrentStreams, Val: 50})
		h := &hostile{peer: s.peer, script: script, room: 1<<16 - 1, highest: 1}
		for len(h.script) > 0 {
			switch h.next() % 4 {
			case 0, 1:
				h.answerOddly()
				// In pieces, and frames of which the end isn't there.
				n, err := h.s.Receive(h.out.Bytes()[:h.out.Len()*(1+h.next()%4)/4], h.now)
				h.out.Next(n)
				if err != nil {
					h.script = append([]byte{255}, h.script...)
					h.hear()
					if h.s.Pending() || !h.s.Over() || h.s.Usable() {
						t.Fatalf("after %v there is something left", err)
					}
					h.script = nil
				}
			case 2:
				h.use()
			case 3:
				h.hear()
				if h.next()%64 == 0 {
					h.s.Finish()
				}
				h.now = h.now.Add(time.Duration(h.next()) * time.Millisecond)
			}
			if err := h.s.Check(h.working); err != nil {
				t.Fatal(err)
			}
			if held := h.s.Held(); held > 100*(128<<10+32<<10) {
				t.Fatalf("%d bytes are held", held)
			}
		}
		h.s.Lose()
		for _, st := range h.working {
			st.Release()
		}
		if n := h.s.Holds(); n != 0 || h.s.Streams() != 0 {
			t.Fatalf("%d bytes and %d streams are left", n, h.s.Streams())
		}
	})
}

// FuzzAsking: what http1 writes for a target goes on in HTTP/2 as what it is in
// HTTP/1.1, whatever the client has put into it, and comes back as that.
func FuzzAsking(f *testing.F) {
	f.Add("GET", "/x?y", "a.test", "x-y", "z", "cookie", "a=b")
	f.Add("POST", "/", "a.test:8443", "content-length", "5", "connection", "x-y")
	f.Add("PUT", "/%00", "[::1]:80", "TE", "trailers, gzip", "Host", "b.test")
	f.Add("OPTIONS", "*", "", "Expect", "100-continue", "Upgrade", "h2c")
	f.Fuzz(func(t *testing.T, method, path, host, name1, value1, name2, value2 string) {
		raw := method + " " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + name1 + ": " + value1 + "\r\n" + name2 + ": " + value2 + "\r\n\r\n"
		var r http1.Request
		n, err := r.Parse([]byte(raw))
		if err != nil || n != len(raw) {
			return
		}
		head := http1.AppendRequest(nil, r.Source([]byte(raw)), &r, &http1.Hop{Port: 443, HTTPS: true, Host: []byte("lb.test")})
		p := newPeer(t)
		block := http2.AppendRequest(nil, head, true)
		fields, err := hpack.NewDecoder(0, nil).DecodeFull(block)
		if err != nil {
			t.Fatalf("%q goes on as no header block: %v", head, err)
		}
		for i, f := range fields {
			if strings.HasPrefix(f.Name, ":") && i > 3 || f.Name != strings.ToLower(f.Name) || f.Name == "connection" || f.Name == "host" || f.Name == "transfer-encoding" {
				t.Errorf("%q goes on as %v", head, fields)
			}
		}
		p.framer.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndStream: r.Body.Empty(), EndHeaders: true})
		if err := p.send(); err != nil || len(p.begun) == 0 {
			t.Fatalf("%q goes on as what is refused: %v", head, err)
		}
		other, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(p.begun[0].Head)))
		was, errWas := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
		if (err == nil) != (errWas == nil) || err == nil && (was.Method != other.Method || was.RequestURI != other.RequestURI || was.Host != other.Host) {
			t.Errorf("%q comes to be %q", head, p.begun[0].Head)
		}
	})
}
