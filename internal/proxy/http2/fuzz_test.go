package http2_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	xhttp2 "golang.org/x/net/http2"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/http2"
)

// hostile is a client that does what a script says, and knows what it has granted.
type hostile struct {
	*peer
	script  []byte
	working []*http2.Stream
	room    int // the session's window, as it was granted
	highest uint32
}

// next returns the script's next byte, zeros at its end.
func (h *hostile) next() int {
	if len(h.script) == 0 {
		return 0
	}
	b := h.script[0]
	h.script = h.script[1:]
	return int(b)
}

// say writes a frame, most likely one that makes sense.
func (h *hostile) say() {
	kind := h.next() % 16
	stream := h.highest - min(h.highest-1, uint32(h.next()%16)*2)
	switch n := h.next() % 64; {
	case n == 0:
		stream = uint32(n)
	case kind <= 3:
		h.highest += 2
		stream = h.highest
	}
	switch kind {
	case 0, 1, 2:
		end := h.next()%2 == 0
		block := h.encode(get...)
		h.framer.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: stream, BlockFragment: block, EndStream: end, EndHeaders: h.next()%64 > 0})
	case 3:
		block := h.encode(append(get, "content-length", itoa(uint32(h.next())), "x", strings.Repeat("y", h.next()*100))...)
		h.framer.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: stream, BlockFragment: block, EndHeaders: true, PadLength: uint8(h.next())})
	case 4:
		h.framer.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: stream, BlockFragment: h.encode("x-trailer", "y"), EndStream: h.next()%4 > 0, EndHeaders: true})
	case 5, 6, 7:
		data := make([]byte, h.next()*h.next()%(16<<10-256))
		h.framer.WriteDataPadded(stream, h.next()%4 == 0, data, make([]byte, h.next()))
	case 8:
		n := uint32(h.next() * h.next())
		if h.next()%16 == 0 {
			n = 1<<31 - 1
		}
		if h.next()%2 == 0 {
			stream = 0
			h.room += int(n)
		}
		h.framer.WriteWindowUpdate(stream, n)
	case 9:
		h.framer.WriteRSTStream(stream, xhttp2.ErrCode(h.next()))
	case 10:
		h.framer.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: uint32(h.next() * 1000)}, xhttp2.Setting{ID: xhttp2.SettingID(h.next()), Val: 1 << 14})
	case 11:
		h.framer.WritePing(h.next()%2 == 0, [8]byte{byte(h.next())})
	case 12:
		h.framer.WritePriority(stream, xhttp2.PriorityParam{StreamDep: uint32(h.next())})
	case 13:
		if h.next()%16 > 0 {
			return
		}
		h.framer.WriteContinuation(stream, h.next()%2 == 0, h.encode("z", itoa(uint32(h.next()))))
	case 14:
		h.framer.WriteRawFrame(xhttp2.FrameType(h.next()), xhttp2.Flags(h.next()), stream, make([]byte, h.next()%20))
	case 15:
		if h.next()%16 == 0 {
			h.out.WriteByte(byte(h.next()))
		}
	}
}

// do has somebody do something about a request.
func (h *hostile) do() {
	if len(h.working) == 0 {
		return
	}
	i := h.next() % len(h.working)
	st := h.working[i]
	switch h.next() % 8 {
	case 0:
		st.Respond(http2.AppendHead(nil, []byte("HTTP/1.1 200 OK\r\nA: b\r\n\r\n")), h.next()%4 == 0)
	case 1, 2:
		st.Write(make([]byte, h.next()*h.next()))
	case 3:
		st.End()
	case 4, 5:
		st.Read(make([]byte, h.next()*h.next()))
	case 6:
		st.Reset(http2.Code(h.next()))
	case 7:
		st.Release()
		h.working = append(h.working[:i], h.working[i+1:]...)
	}
}

// hear reads what the session sends, and sees that it is HTTP/2 and within the
// window. Of streams' windows a slower test tells.
func (h *hostile) hear() {
	size := h.next() * 200
	text := h.s.Append(nil, size)
	if size > 0 && len(text) == 0 && h.s.Pending() {
		h.t.Fatal("nothing is sent, though something is due")
	}
	h.in.Write(text)
	for {
		f, err := h.framer.ReadFrame()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			h.t.Fatalf("what the session says can't be read: %v", err)
		}
		if d, ok := f.(*xhttp2.DataFrame); ok {
			if h.room -= int(d.Length); h.room < 0 {
				h.t.Fatalf("%d bytes more than the session's window", -h.room)
			}
		}
	}
}

// FuzzSession has a client do what it wants, in pieces, while requests are
// answered, read, reset and given up at will: nothing panics, the books add up,
// what is held is bounded, and what is sent is HTTP/2 and within the window.
func FuzzSession(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 5, 5, 9, 9, 1})
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 1))
		script := make([]byte, 2000)
		for i := range script {
			script[i] = byte(r.Uint32())
		}
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		h := &hostile{peer: newPeer(t), script: script, room: 1<<16 - 1, highest: 1}
		for len(h.script) > 0 {
			switch h.next() % 4 {
			case 0, 1:
				h.say()
				// In pieces, and frames of which the end isn't there.
				n, err := h.s.Receive(h.out.Bytes()[:h.out.Len()*(1+h.next()%4)/4], h.now)
				h.out.Next(n)
				h.working = append(h.working, h.s.Begun()...)
				if err != nil {
					h.script = append([]byte{255}, h.script...)
					h.hear()
					if h.s.Pending() || !h.s.Over() {
						t.Fatalf("after %v there is something left", err)
					}
					h.script = nil
				}
			case 2:
				h.do()
			case 3:
				h.hear()
				if h.next()%64 == 0 {
					h.s.Drain()
				}
				h.now = h.now.Add(time.Duration(h.next()) * time.Millisecond)
			}
			if err := h.s.Check(h.working); err != nil {
				t.Fatal(err)
			}
			if held := h.s.Held(); held > 8<<20 {
				t.Fatalf("%d bytes are held", held)
			}
		}
		h.s.Lose()
		for _, st := range h.working {
			st.Release()
		}
		if err := h.s.Check(nil); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzTranslation: a header list that isn't malformed is one request to HTTP/1.1,
// the one that it says, whatever it has in it; and a body that is declared is
// declared once.
func FuzzTranslation(f *testing.F) {
	f.Add("GET", "/x?y", "a.test", "x-y", "z", "cookie", "a=b", true)
	f.Add("POST", "/", "a.test:8443", "content-length", "5", "content-length", "5", false)
	f.Add("OPTIONS", "*", "", "host", "a.test", "te", "trailers", true)
	f.Add("GET", "/ HTTP/1.1\r\nA: b", "a\r\nb", "x\r\n", "y\r\n\r\nGET / HTTP/1.1", "Transfer-Encoding", "chunked", true)
	f.Fuzz(func(t *testing.T, method, path, authority, name1, value1, name2, value2 string, end bool) {
		p := newPeer(t)
		fields := []string{":method", method, ":scheme", "https", ":path", path}
		if authority != "" {
			fields = append(fields, ":authority", authority)
		}
		p.ask(1, end, append(fields, name1, value1, name2, value2)...)
		if err := p.send(); err != nil || len(p.begun) == 0 || p.begun[0].Head == nil {
			return
		}
		head := p.begun[0].Head
		if diff := cmp.Diff(lines(method, path, authority, name1, value1, name2, value2, end), sortedLines(head)); diff != "" {
			t.Fatalf("it became %q (-want +got)\n%s", head, diff)
		}
		var r http1.Request
		n, err := r.Parse(head)
		if err != nil {
			return
		}
		head = r.Source(head)
		if n != len(p.begun[0].Head) {
			t.Fatalf("%q is a request of %d bytes, and something else", head, n)
		}
		if got := string(r.Method.Of(head)); got != method {
			t.Errorf("method %q became %q", method, got)
		}
		// What isn't compliant http1 may have repaired.
		if got := string(r.AppendTarget(nil, head)); got != path && r.Verdict.Tier == http1.Compliant {
			t.Errorf("path %q became %q", path, got)
		}
		if want := authority; want != "" && string(r.Host.Of(head)) != want {
			t.Errorf("authority %q became %q", want, r.Host.Of(head))
		}
		out := http1.AppendRequest(nil, head, &r, &http1.Hop{Port: 443, HTTPS: true})
		if bytes.Count(out, []byte("\r\n\r\n")) != 1 {
			t.Fatalf("%q goes on as more than one head", out)
		}
		other, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(out)))
		if err != nil {
			if strings.Contains(err.Error(), "parse ") || strings.Contains(err.Error(), "malformed Host") {
				return // net/http reads targets as URLs
			}
			t.Fatalf("%q goes on as %q, which net/http refuses: %v", head, out, err)
		}
		if chunked := len(other.TransferEncoding) > 0; chunked && end || !end && !chunked && other.ContentLength <= 0 && r.Body.Length > 0 {
			t.Errorf("%q: end %t, and codings %q, length %d", out, end, other.TransferEncoding, other.ContentLength)
		}
	})
}

// lines are those of the head that a header list which isn't malformed becomes, by RFC
// 9113 §8.2 and §8.3 alone: the request line, and the others sorted.
func lines(method, path, authority, name1, value1, name2, value2 string, end bool) []string {
	if method == "CONNECT" {
		path = authority
	}
	line := method + " " + path + " HTTP/1.1"
	out := map[string]bool{}
	if authority != "" {
		out["Host: "+authority] = true
	}
	declared, again, cookie := false, []string(nil), ""
	for _, f := range [][2]string{{name1, value1}, {name2, value2}} {
		switch f[0] {
		case "host":
			out["Host: "+first(authority, f[1])] = true
		case "cookie":
			if cookie != "" {
				cookie += "; "
			}
			cookie += f[1]
		case "content-length":
			// Said twice it is there once; the same number can be written in two ways.
			if !declared {
				out["content-length: "+f[1]] = true
			}
			declared = true
		case "x-forwarded-for", "x-forwarded-proto", "x-forwarded-port", "x-amzn-trace-id":
			again = append(again, recased[f[0]]+": "+f[1])
		default:
			again = append(again, f[0]+": "+f[1])
		}
	}
	if cookie != "" {
		again = append(again, "Cookie: "+cookie)
	}
	if !end && !declared {
		again = append(again, "Transfer-Encoding: chunked")
	}
	rest := append(slices.Collect(maps.Keys(out)), again...)
	slices.Sort(rest)
	return append([]string{line}, rest...)
}

var recased = map[string]string{"x-forwarded-for": "X-Forwarded-For", "x-forwarded-proto": "X-Forwarded-Proto", "x-forwarded-port": "X-Forwarded-Port", "x-amzn-trace-id": "X-Amzn-Trace-Id"}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// sortedLines returns those of a head, all but the first sorted.
func sortedLines(head []byte) []string {
	out := strings.Split(strings.TrimSuffix(string(head), "\r\n\r\n"), "\r\n")
	slices.Sort(out[1:])
	return out
}
