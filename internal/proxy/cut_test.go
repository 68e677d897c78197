package proxy_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// heard is what a target has seen of a connection.
type heard struct {
	text string
	end  error // nil: it ended as if nothing was missing
}

// listener is a target that hears connections out and says nothing.
type listener struct {
	begun chan struct{}
	heard chan heard
}

// hearing has such a target, within TLS if secure is set.
func (w *secureWorld) hearing(secure bool) *listener {
	out := &listener{make(chan struct{}, 16), make(chan heard, 16)}
	cfg := &tls.Config{Certificates: []tls.Certificate{pairOf(w.t, w.root.Issue("target.example"))}}
	w.register(w.rawTarget(func(c net.Conn, r *bufio.Reader) {
		if secure {
			c = tls.Server(c, cfg)
			r = bufio.NewReader(c)
			defer c.Close()
		}
		if _, err := r.Peek(1); err == nil {
			out.begun <- struct{}{}
		}
		b, err := io.ReadAll(r)
		out.heard <- heard{string(b), err}
	}))
	if secure {
		w.a.TargetGroups[0].Protocol = snapshot.HTTPS
	}
	return out
}

// breaksOff waits for a request to arrive, has it break off, and looks at how.
func (l *listener) breaksOff(t *testing.T, breakOff func()) {
	t.Helper()
	for _, step := range []string{"begins", "ends"} {
		select {
		case <-l.begun:
			breakOff()
		case h := <-l.heard:
			if whole(h.text) || !errors.Is(h.end, syscall.ECONNRESET) || !strings.HasPrefix(h.text, "POST / HTTP/1.1\r\n") {
				t.Errorf("%q, and then %v", h.text, h.end)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("nothing %s at the target", step)
		}
	}
}

func pairOf(t testing.TB, p issuer.Pair) tls.Certificate {
	t.Helper()
	out, err := tls.X509KeyPair(p.Certificate, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// below returns what is below a connection's TLS.
func below(c net.Conn) *net.TCPConn {
	if s, ok := c.(*tls.Conn); ok {
		c = s.NetConn()
	}
	return c.(*net.TCPConn)
}

// whole says whether a request is there with all of its body.
func whole(text string) bool {
	var r http1.Request
	n, err := r.Parse([]byte(text))
	if err != nil {
		return false
	}
	var d http1.Decoder
	d.Reset(r.Body)
	for b := []byte(text)[n:]; !d.Done() && len(b) > 0; {
		_, used, err := d.Next(b)
		if err != nil {
			return false
		}
		b = b[used:]
	}
	return d.Done()
}

// A request's body that breaks off looks so to its target: it ends before its length
// or without a last chunk, and in a reset, for targets that take any end for one.
func TestBodiesThatBreakOffNeverLookWhole(t *testing.T) {
	t.Parallel()
	const (
		byLength = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nfirst part"
		inChunks = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\na\r\nfirst part\r\n"
		expected = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 20\r\n\r\nfirst part"
	)
	half := func(c net.Conn) { _ = below(c).CloseWrite() }
	for _, tt := range []struct {
		name, text string
		breakOff   func(net.Conn)
	}{
		{"the client is gone, short of the length", byLength, func(c net.Conn) { _ = c.Close() }},
		{"the client is gone, between chunks", inChunks, func(c net.Conn) { _ = c.Close() }},
		{"the client is gone, within a chunk", inChunks + "8\r\nhal", func(c net.Conn) { _ = c.Close() }},
		{"the client is gone, before the last line", inChunks + "0\r\n", func(c net.Conn) { _ = c.Close() }},
		{"the client is gone, within trailers", inChunks + "0\r\nX: y\r\n", func(c net.Conn) { _ = c.Close() }},
		{"the client ends its side, short of the length", byLength, half},
		{"the client ends its side, between chunks", inChunks, half},
		{"the client ends its side, in a body that it asked for", expected, half},
		{"the client resets", inChunks, func(c net.Conn) { _ = below(c).SetLinger(0); _ = below(c).Close() }},
		{"the client is silent, short of the length", byLength, func(net.Conn) {}},
		{"the client is silent, between chunks", inChunks, func(net.Conn) {}},
		{"a chunk is malformed", inChunks, func(c net.Conn) { _, _ = io.WriteString(c, "x\r\n") }},
		{"the trailers are malformed", inChunks, func(c net.Conn) { _, _ = io.WriteString(c, "0\r\n: \r\n\r\n") }},
	} {
		for _, secure := range []bool{false, true} {
			for _, secureTarget := range []bool{false, true} {
				t.Run(tt.name+map[bool]string{true: ", in TLS"}[secure]+map[bool]string{true: ", to a target in TLS"}[secureTarget], func(t *testing.T) {
					w := newSecureWorld(t)
					target := w.hearing(secureTarget)
					w.lb().IdleTimeout = 300 * time.Millisecond
					l := &w.lb().Listeners[0]
					if secure {
						w.certify("arn:1", w.root.Issue("shop.example"))
					} else {
						l.Protocol, l.TLS = snapshot.HTTP, nil
					}
					w.apply()
					c := net.Conn(w.dial().Conn)
					if secure {
						c = tls.Client(c, w.trusting("shop.example"))
					}
					if _, err := io.WriteString(c, tt.text); err != nil {
						t.Fatal(err)
					}
					target.breaksOff(t, func() { tt.breakOff(c) })
				})
			}
		}
	}
}

// The same of what comes in HTTP/2.
func TestBodiesThatBreakOffInHTTP2NeverLookWhole(t *testing.T) {
	t.Parallel()
	data := func(f *framed, n int) { _ = f.WriteData(1, false, make([]byte, n)) }
	for _, tt := range []struct {
		name     string
		length   string
		breakOff func(*framed)
	}{
		{"the stream is reset", "", func(f *framed) { _ = f.WriteRSTStream(1, http2.ErrCodeCancel) }},
		{"the stream is reset without an error", "", func(f *framed) { _ = f.WriteRSTStream(1, http2.ErrCodeNo) }},
		{"the stream is reset, short of the length", "100000", func(f *framed) { _ = f.WriteRSTStream(1, http2.ErrCodeNo) }},
		{"the client is gone", "", func(f *framed) { _ = f.Close() }},
		{"the client is gone, short of the length", "100000", func(f *framed) { _ = f.Close() }},
		{"the client resets the connection", "", func(f *framed) { _ = below(f.Conn).SetLinger(0); _ = below(f.Conn).Close() }},
		{"the session is at fault", "", func(f *framed) { _ = f.WriteRawFrame(http2.FrameData, 0, 0, nil) }},
		{"the session is over", "", func(f *framed) { _ = f.WriteGoAway(0, http2.ErrCodeNo, nil); _ = f.Close() }},
		{"the stream ends short of its length", "100000", func(f *framed) { _ = f.WriteData(1, true, nil) }},
		{"the stream goes on beyond its length", "20", func(f *framed) { data(f, 30) }},
		{"trailers are malformed", "", func(f *framed) { f.trail(":path", "/") }},
		{"trailers come short of the length", "100000", func(f *framed) { f.trail("a", "b") }},
		{"the client is silent", "", func(*framed) {}},
		{"the client is silent, short of the length", "100000", func(*framed) {}},
	} {
		for _, secureTarget := range []bool{false, true} {
			t.Run(tt.name+map[bool]string{true: ", to a target in TLS"}[secureTarget], func(t *testing.T) {
				w := newHTTP2World(t)
				target := w.hearing(secureTarget)
				w.lb().IdleTimeout = 300 * time.Millisecond
				w.apply()
				f := w.dialFrames()
				f.begin(tt.length)
				data(f, 10)
				target.breaksOff(t, func() { tt.breakOff(f) })
			})
		}
	}
}

// begin sends the head of a POST on stream 1, with a length if it isn't "".
func (f *framed) begin(length string) {
	fields := []string{":method", "POST", ":scheme", "https", ":path", "/", ":authority", "shop.example"}
	if length != "" {
		fields = append(fields, "content-length", length)
	}
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.encode(fields...), EndHeaders: true})
}

// trail sends trailers on stream 1.
func (f *framed) trail(fields ...string) {
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.encode(fields...), EndHeaders: true, EndStream: true})
}

// encode returns the header block of names and values by turns.
func (f *framed) encode(fields ...string) []byte {
	f.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		_ = f.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}) // memory takes all there is
	}
	return f.block.Bytes()
}
