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

// peer is a client whose frames golang.org/x/net writes and reads.
type peer struct {
	t       testing.TB
	s       *http2.Session
	now     time.Time
	out     bytes.Buffer // to the session
	in      bytes.Buffer // from it
	framer  *xhttp2.Framer
	encoder *hpack.Encoder
	block   bytes.Buffer
	begun   []*http2.Stream
}

// newPeer returns one that has greeted, and has read what it was greeted with.
func newPeer(t testing.TB, settings ...xhttp2.Setting) *peer {
	t.Helper()
	p := &peer{t: t, s: http2.NewSession(), now: time.Unix(1000, 0)}
	p.framer = xhttp2.NewFramer(&p.out, &p.in)
	p.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	p.framer.AllowIllegalWrites = true
	p.encoder = hpack.NewEncoder(&p.block)
	p.out.WriteString(xhttp2.ClientPreface)
	p.framer.WriteSettings(settings...)
	p.send()
	p.frames()
	return p
}

// send has the session take what was written, and returns its verdict.
func (p *peer) send() error {
	p.t.Helper()
	n, err := p.s.Receive(p.out.Bytes(), p.now)
	p.out.Next(n)
	p.begun = append(p.begun, slices.Clone(p.s.Begun())...)
	return err
}

// frames returns what the session has to say, a line each.
func (p *peer) frames() []string {
	p.t.Helper()
	p.in.Write(p.s.Append(nil, 1<<20))
	var out []string
	for {
		f, err := p.framer.ReadFrame()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			p.t.Fatalf("what the session says can't be read: %v", err)
		}
		out = append(out, describe(f))
	}
}

func describe(f xhttp2.Frame) string {
	var b strings.Builder
	h := f.Header()
	b.WriteString(h.Type.String())
	b.WriteString(" " + itoa(h.StreamID))
	switch f := f.(type) {
	case *xhttp2.MetaHeadersFrame:
		for _, field := range f.Fields {
			b.WriteString(" " + field.Name + "=" + field.Value)
		}
		if f.StreamEnded() {
			b.WriteString(" END")
		}
	case *xhttp2.DataFrame:
		if len(f.Data()) > 40 {
			b.WriteString(" " + itoa(uint32(len(f.Data()))) + " bytes")
		} else {
			b.WriteString(" " + string(f.Data()))
		}
		if f.StreamEnded() {
			b.WriteString(" END")
		}
	case *xhttp2.RSTStreamFrame:
		b.WriteString(" " + f.ErrCode.String())
	case *xhttp2.GoAwayFrame:
		b.WriteString(" " + itoa(f.LastStreamID) + " " + f.ErrCode.String())
	case *xhttp2.WindowUpdateFrame:
		b.WriteString(" " + itoa(f.Increment))
	case *xhttp2.PingFrame:
		b.WriteString(" " + string(bytes.Trim(f.Data[:], "\x00")))
		if f.IsAck() {
			b.WriteString(" ACK")
		}
	case *xhttp2.SettingsFrame:
		if f.IsAck() {
			b.WriteString(" ACK")
		}
	}
	return b.String()
}

func itoa(n uint32) string {
	if n == 0 {
		return "0"
	}
	var b []byte
	for ; n > 0; n /= 10 {
		b = append([]byte{byte('0' + n%10)}, b...)
	}
	return string(b)
}

// encode returns the header block of names and values by turns.
func (p *peer) encode(fields ...string) []byte {
	p.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		p.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return bytes.Clone(p.block.Bytes())
}

// get is a request's head.
var get = []string{":method", "GET", ":scheme", "https", ":path", "/", ":authority", "a.test"}

// ask writes a request's head.
func (p *peer) ask(stream uint32, end bool, fields ...string) {
	p.framer.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: stream, BlockFragment: p.encode(fields...), EndStream: end, EndHeaders: true})
}

// answer answers a stream whole.
func answer(st *http2.Stream, body string) {
	st.Respond(http2.AppendHead(nil, []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: keep-alive\r\nX-Own: Some\r\n\r\n")), body == "")
	if body != "" {
		st.Write([]byte(body))
		st.End()
	}
	st.Release()
}

func (p *peer) want(want ...string) {
	p.t.Helper()
	if got := p.frames(); !slices.Equal(got, want) {
		p.t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestARequestComesAndIsAnswered(t *testing.T) {
	p := newPeer(t)
	p.ask(1, false, ":method", "POST", ":scheme", "https", ":path", "/x?y", ":authority", "a.test", "cookie", "a=1", "x-forwarded-for", "10.0.0.1", "cookie", "b=2", "x-y", "")
	p.framer.WriteData(1, true, []byte("hello"))
	if err := p.send(); err != nil {
		t.Fatal(err)
	}
	st := p.begun[0]
	want := "POST /x?y HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 10.0.0.1\r\nx-y: \r\nTransfer-Encoding: chunked\r\nCookie: a=1; b=2\r\n\r\n"
	if string(st.Head) != want {
		t.Errorf("head: got %q, want %q", st.Head, want)
	}
	b := make([]byte, 100)
	n, _ := st.Read(b)
	if _, err := st.Read(b[n:]); string(b[:n]) != "hello" || !errors.Is(err, io.EOF) {
		t.Errorf("body %q, then %v", b[:n], err)
	}
	answer(st, "goodbye")
	p.want("HEADERS 1 :status=200 content-type=text/plain x-own=Some", "DATA 1 goodbye END")
	if n := p.s.Streams(); n != 0 {
		t.Errorf("%d streams left", n)
	}
}
