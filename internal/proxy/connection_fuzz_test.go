package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// FuzzConnection: whatever a client sends and a target answers, both shells tell
// the client the same, send the same requests on, and abandon none. at is where the
// client pauses, so that the shells have a part of it first.
func FuzzConnection(f *testing.F) {
	if os.Getenv(shell) != "" || runtime.GOOS != "linux" {
		f.Skip("it compares the shells")
	}
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for _, s := range []struct{ requests, response string }{
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\nHEAD /b HTTP/1.1\r\nHost: a\r\n\r\n", ok},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /canary HTTP/1.1\r\nHost: a\r\n\r\n", ok},
		{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nX: y\r\n\r\nGET /canary HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
		{"GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nuntil the end"},
		{"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello"},
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /canary HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"},
		{"\r\n\r\nGET http://b/ HTTP/1.1\r\nHost: a\r\nConnection: close, x\r\nX: y\r\n\r\nGET / HTTP/1.1\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n"},
		{"GET\r\n\r\n", "nonsense"},
		{"GET /fixed HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /fixed HTTP/1.1\r\nHost: a\r\n\r\n", ok},
		{"PUT /fixed HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /redirect?x=y HTTP/1.1\r\nHost: a\r\n\r\n", ok},
		{"PUT /redirect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", ok},
		{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nX: a\x00b\r\n\r\n", ok + "more"},
	} {
		f.Add([]byte(s.requests), []byte(s.response), uint(20))
		f.Add([]byte(s.requests), []byte(s.response), uint(1<<16))
	}
	loops, streams := newShellUnderFuzz(f, 1), newShellUnderFuzz(f, -1)
	f.Fuzz(func(t *testing.T, requests, response []byte, at uint) {
		if len(requests) > 64<<10 || len(response) > 64<<10 {
			return // what the system buffers of it depends on the time
		}
		a, b := loops.exchange(t, requests, response, at), streams.exchange(t, requests, response, at)
		if a.told != b.told && !a.cut && !b.cut {
			t.Errorf("%q, answered %q, at %d:\nloops say      %q\ngoroutines say %q", requests, response, at, a.told, b.told)
		}
		if !alike(a.forwarded, b.forwarded) {
			t.Errorf("%q, answered %q, at %d:\nloops send      %q\ngoroutines send %q", requests, response, at, a.forwarded, b.forwarded)
		}
	})
}

func alike(a, b []string) bool {
	return strings.Join(a, "\n") == strings.Join(b, "\n")
}

// shellUnderFuzz is one shell, and its target.
type shellUnderFuzz struct {
	world    *world
	response atomic.Pointer[[]byte]
	mistakes atomic.Pointer[string] // what the proxy says that it has done wrong

	mu   sync.Mutex
	seen []string
}

// outcome is what came of a connection.
type outcome struct {
	told      string // to the client
	cut       bool   // the client's connection was reset, which may have taken some of it away
	forwarded []string
}

func newShellUnderFuzz(f *testing.F, loops int) *shellUnderFuzz {
	s := &shellUnderFuzz{}
	s.prepare(newWorldFor(f, proxy.Options{Loops: loops, Log: slog.New(&mistakes{to: &s.mistakes})}))
	return s
}

// prepare has the world carry requests to the target, and answer some by itself.
func (s *shellUnderFuzz) prepare(w *world) {
	s.world = w
	w.lb().IdleTimeout = time.Second
	rules := &w.lb().Listeners[0].Rules
	*rules = append([]snapshot.Rule{
		pathRule("fixed", 1, "/fixed*", []snapshot.Action{{Type: snapshot.ActionFixedResponse, FixedResponse: &snapshot.FixedResponse{StatusCode: 404, ContentType: "text/plain", Body: "no"}}}),
		pathRule("redirect", 2, "/redirect*", []snapshot.Action{{Type: snapshot.ActionRedirect, Redirect: &snapshot.Redirect{StatusCode: 302, Protocol: "HTTPS", Host: "#{host}", Port: "443", Path: "/#{path}", Query: "#{query}"}}}),
	}, *rules...)
	w.register(w.rawTarget(s.serve))
	w.apply()
}

// mistakes keeps the last error of a log.
type mistakes struct{ to *atomic.Pointer[string] }

func (m *mistakes) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (m *mistakes) WithAttrs([]slog.Attr) slog.Handler           { return m }
func (m *mistakes) WithGroup(string) slog.Handler                { return m }

func (m *mistakes) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	m.to.Store(&text)
	return nil
}

// serve notes each request that comes whole and answers it. The connection goes on
// if by the answer it may: then the proxy knows where that ends, too.
func (s *shellUnderFuzz) serve(c net.Conn, r *bufio.Reader) {
	var in []byte
	more := func() bool {
		b := make([]byte, 32<<10)
		n, err := r.Read(b)
		in = append(in, b[:n]...)
		return err == nil
	}
	for {
		var request http1.Request
		n, err := request.Parse(in)
		for ; errors.Is(err, http1.ErrIncomplete); n, err = request.Parse(in) {
			if !more() {
				return
			}
		}
		if err != nil {
			s.note("unreadable: " + string(in))
			return
		}
		text, head := string(in[:n]), request.IsHead(in)
		in = in[n:]
		var d http1.Decoder
		for d.Reset(request.Body); !d.Done(); {
			if len(in) == 0 && !more() {
				return // the client hasn't sent all of it
			}
			data, n, err := d.Next(in)
			if err != nil {
				s.note("unreadable body of: " + text)
				return
			}
			text += string(data)
			in = in[n:]
		}
		s.note(text)
		response := *s.response.Load()
		if _, err := c.Write(response); err != nil || !stays(response, head) {
			return
		}
	}
}

// stays says whether a connection goes on after the response.
func stays(response []byte, head bool) bool {
	for {
		var r http1.Response
		n, err := r.Parse(response)
		if err != nil {
			return false
		}
		response = response[n:]
		if r.Interim() {
			continue
		}
		body := r.BodyTo(head)
		if r.Status == 101 || body.Framing == http1.UntilClose || !r.KeepAlive() {
			return false
		}
		var d http1.Decoder
		for d.Reset(body); !d.Done(); {
			_, n, err := d.Next(response)
			if err != nil || n == 0 {
				return false
			}
			response = response[n:]
		}
		return len(response) == 0
	}
}

func (s *shellUnderFuzz) note(request string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, changing.ReplaceAllString(request, ""))
}

// changing is what is another at each time.
var changing = regexp.MustCompile(`(?m)^(Date|X-Amzn-Trace-Id): .*\r\n|127\.\d+\.\d+\.\d+`)

func (s *shellUnderFuzz) exchange(t *testing.T, requests, response []byte, at uint) (o outcome) {
	t.Helper()
	s.response.Store(&response)
	c, err := net.Dial("tcp", s.world.address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if at < uint(len(requests)) {
		_, _ = c.Write(requests[:at]) // a refusal is what is read below
		time.Sleep(time.Millisecond)  // for the first part to come by itself; nothing depends on it
		requests = requests[at:]
	}
	_, _ = c.Write(requests)
	_ = c.(*net.TCPConn).CloseWrite()
	told, err := io.ReadAll(c)
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		t.Errorf("no end of %q", told)
	}
	if m := s.mistakes.Swap(nil); m != nil {
		t.Error(*m)
	}
	o.told, o.cut = changing.ReplaceAllString(string(bytes.TrimSpace(told)), ""), err != nil
	s.mu.Lock()
	defer s.mu.Unlock()
	o.forwarded, s.seen = s.seen, nil
	return o
}
