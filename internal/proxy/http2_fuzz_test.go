package proxy_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// FuzzHTTP2Connection: whatever frames a client sends and a target answers, on either
// shell, what reaches the target are requests that can be read; what reaches the client
// is HTTP/2, within its window; and nothing is abandoned for a mistake of ours. at is
// where the client pauses.
func FuzzHTTP2Connection(f *testing.F) {
	if os.Getenv(shell) != "" || runtime.GOOS != "linux" {
		f.Skip("it runs both shells")
	}
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for _, response := range []string{
		ok, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nuntil the end", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok,
		"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "nonsense", "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + strings.Repeat("x", 60_000),
	} {
		for _, frames := range conversations() {
			f.Add(frames, []byte(response), uint(20))
		}
	}
	root := issuer.New(f, "Root")
	shells := map[string]*secureShell{"loops": newSecureShell(f, root, 1), "goroutines": newSecureShell(f, root, -1)}
	f.Fuzz(func(t *testing.T, frames, response []byte, at uint) {
		if len(frames) > 64<<10 || len(response) > 64<<10 {
			return
		}
		for name, s := range shells {
			s.converse(t, name, frames, response, at)
		}
	})
}

// conversations are what clients say, to begin with.
func conversations() (out [][]byte) {
	var b, block bytes.Buffer
	fr := http2.NewFramer(&b, nil)
	fr.AllowIllegalWrites = true
	encoder := hpack.NewEncoder(&block)
	encode := func(fields ...string) []byte {
		block.Reset()
		for i := 0; i < len(fields); i += 2 {
			_ = encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1], Sensitive: true}) // memory takes all there is
		}
		return bytes.Clone(block.Bytes())
	}
	ask := func(id uint32, end bool, method, path string, more ...string) {
		_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndStream: end, EndHeaders: true, BlockFragment: encode(append([]string{":method", method, ":scheme", "https", ":path", path, ":authority", "shop.example"}, more...)...)})
	}
	done := func() {
		out = append(out, bytes.Clone(b.Bytes()))
		b.Reset()
	}
	ask(1, true, "GET", "/")
	ask(3, true, "HEAD", "/b")
	ask(5, true, "GET", "/fixed")
	ask(7, true, "GET", "/redirect?x=y")
	done()
	ask(1, false, "POST", "/", "content-length", "5")
	_ = fr.WriteData(1, true, []byte("hello"))
	ask(3, false, "POST", "/", "te", "trailers", "cookie", "a=b", "cookie", "c=d")
	_ = fr.WriteDataPadded(3, false, []byte("hello"), make([]byte, 9))
	_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, EndStream: true, EndHeaders: true, BlockFragment: encode("x-trailer", "y")})
	done()
	ask(1, false, "PUT", "/")
	ask(3, true, "GET", "/")
	_ = fr.WriteRSTStream(1, http2.ErrCodeCancel)
	_ = fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
	ask(5, true, "GET", "/")
	_ = fr.WriteWindowUpdate(5, 1000)
	_ = fr.WritePriority(3, http2.PriorityParam{StreamDep: 1})
	_ = fr.WriteGoAway(0, http2.ErrCodeNo, nil)
	done()
	_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndStream: true, BlockFragment: encode(":method", "GET", ":scheme", "https")})
	_ = fr.WriteContinuation(1, true, encode(":path", "/", "x-forwarded-for", "10.0.0.1"))
	ask(3, true, "GET", "/ HTTP/1.1\r\nX: y")
	ask(5, true, "GET", "/", "x", "y\r\nz: a")
	ask(7, true, "OPTIONS", "*", "host", "shop.example", "transfer-encoding", "chunked")
	ask(9, true, "CONNECT", "/")
	ask(11, false, "POST", "/", "content-length", "5", "content-length", "+5", "expect", "100-continue")
	_ = fr.WriteData(11, true, []byte("hello!"))
	done()
	return out
}

// secureShell is a shell under fuzz whose listener speaks HTTP/2.
type secureShell struct {
	*shellUnderFuzz
	config *tls.Config
}

func newSecureShell(f *testing.F, root *issuer.Issuer, loops int) *secureShell {
	f.Helper()
	s := &secureShell{shellUnderFuzz: &shellUnderFuzz{}}
	w := newSecureWorldOf(f, root, proxy.Options{Loops: loops, Log: slog.New(&mistakes{to: &s.mistakes})})
	w.certify("arn:1", root.Issue("shop.example"))
	s.prepare(w.world)
	s.config = w.trusting("shop.example")
	s.config.NextProtos = []string{"h2"}
	s.config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	return s
}

// converse has a client say the frames, and look at what comes of them.
func (s *secureShell) converse(t *testing.T, name string, frames, response []byte, at uint) {
	t.Helper()
	s.response.Store(&response)
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", s.world.address(), s.config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil { // on a machine that is busy besides
		t.Fatal(err)
	}
	heard := make(chan error)
	room, begun := granted(frames)
	go func() { heard <- listen(c, room, begun) }()
	_, _ = io.WriteString(c, http2.ClientPreface+"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	n := min(at, uint(len(frames)))
	_, _ = c.Write(frames[:n]) // a refusal is what is read
	_, _ = c.Write(append(bytes.Clone(frames[n:]), last...))
	if err := <-heard; err != nil {
		t.Errorf("%s: %q, answered %q, at %d: %v", name, frames, response, at, err)
	}
	if m := s.mistakes.Swap(nil); m != nil {
		t.Errorf("%s: %q, answered %q, at %d: %s", name, frames, response, at, *m)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seen := range s.seen {
		if strings.HasPrefix(seen, "unreadable") {
			t.Errorf("%s: %q goes on as what can't be read: %s", name, frames, seen)
		}
	}
	s.seen = nil
}

// last is a PING, whose answer says that all before it was dealt with.
const last = "\x00\x00\x08\x06\x00\x00\x00\x00\x00lastping"

// granted returns how much DATA a client may be sent on its session, as far as it can
// be told from what it says, and how many requests it begins at most. Windows of
// streams aren't looked at.
func granted(frames []byte) (room int64, requests int) {
	room = 65535
	for b := frames; len(b) >= 9; {
		size := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
		if b[3] == byte(http2.FrameHeaders) {
			requests++
		}
		if b[3] == byte(http2.FrameWindowUpdate) && len(b) >= 13 {
			room += int64(binary.BigEndian.Uint32(b[9:]) &^ (1 << 31))
		}
		b = b[min(9+size, len(b)):]
	}
	return room, requests
}

// listen reads what a client is sent until all it has said was dealt with, or the
// session has ended; an error says what is wrong about that. Responses are waited for
// a while.
func listen(c net.Conn, room int64, requests int) error {
	fr := http2.NewFramer(io.Discard, c)
	decoder := hpack.NewDecoder(4096, nil)
	for dealtWith := false; !dealtWith || requests > 0; {
		got, err := fr.ReadFrame()
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() && !dealtWith {
			return errors.New("no end")
		}
		if _, ok := errors.AsType[http2.ConnectionError](err); ok {
			return err
		}
		if _, ok := errors.AsType[http2.StreamError](err); ok {
			return err
		}
		if err != nil {
			return nil // the connection has ended
		}
		switch got := got.(type) {
		case *http2.PingFrame:
			if string(got.Data[:]) == last[9:] {
				dealtWith = true
				_ = c.SetReadDeadline(time.Now().Add(30 * time.Millisecond)) // fails only when it is closed
			}
		case *http2.HeadersFrame:
			if _, err := decoder.DecodeFull(got.HeaderBlockFragment()); got.HeadersEnded() && err != nil {
				return err
			}
		case *http2.DataFrame:
			if room -= int64(got.Length); room < 0 {
				return errors.New("more DATA than the session's window")
			}
		}
		if h := got.Header(); h.Type == http2.FrameRSTStream || (h.Type == http2.FrameData || h.Type == http2.FrameHeaders) && h.Flags.Has(http2.FlagDataEndStream) {
			requests--
		}
	}
	return nil
}
