package proxy_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// framed is a client that speaks frames.
type framed struct {
	t testing.TB
	*tls.Conn
	*http2.Framer
	block   bytes.Buffer
	encoder *hpack.Encoder
}

func (w *secureWorld) dialFrames(settings ...http2.Setting) *framed {
	w.t.Helper()
	cfg := w.trusting("shop.example")
	cfg.NextProtos = []string{"h2"}
	c, err := tls.Dial("tcp", w.address(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	f := &framed{t: w.t, Conn: c, Framer: http2.NewFramer(c, c)}
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.encoder = hpack.NewEncoder(&f.block)
	io.WriteString(c, http2.ClientPreface)
	f.WriteSettings(settings...)
	f.WriteSettingsAck()
	return f
}

// ask sends a request's head.
func (f *framed) ask(stream uint32, end bool, method, path string) {
	f.t.Helper()
	f.block.Reset()
	for _, h := range []hpack.HeaderField{{Name: ":method", Value: method}, {Name: ":scheme", Value: "https"}, {Name: ":path", Value: path}, {Name: ":authority", Value: "shop.example"}} {
		f.encoder.WriteField(h)
	}
	if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: f.block.Bytes(), EndStream: end, EndHeaders: true}); err != nil {
		f.t.Fatal(err)
	}
}

// hear reads frames until there is one that is wanted, or the connection ends.
func (f *framed) hear(wanted func(http2.Frame) bool) http2.Frame {
	f.t.Helper()
	for {
		got, err := f.ReadFrame()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			f.t.Fatalf("reading frames: %v", err)
		}
		if wanted(got) {
			return got
		}
	}
}

// status waits for the head of a stream's response.
func (f *framed) status(stream uint32) string {
	f.t.Helper()
	got := f.hear(func(got http2.Frame) bool {
		return got.Header().StreamID == stream && got.Header().Type != http2.FrameWindowUpdate
	})
	switch got := got.(type) {
	case *http2.MetaHeadersFrame:
		return got.PseudoValue("status")
	case *http2.RSTStreamFrame:
		return got.ErrCode.String()
	}
	return fmt.Sprint(got)
}

// goAway waits for the session's end to be told, answers that it has heard, and
// returns the highest stream that is served.
func (f *framed) goAway() (last uint32, code http2.ErrCode) {
	f.t.Helper()
	for {
		switch got := f.hear(func(got http2.Frame) bool {
			return got.Header().Type == http2.FrameGoAway || got.Header().Type == http2.FramePing
		}).(type) {
		case *http2.PingFrame:
			f.WritePing(true, got.Data)
		case *http2.GoAwayFrame:
			if got.LastStreamID < 1<<31-1 {
				return got.LastStreamID, got.ErrCode
			}
		case nil:
			f.t.Fatal("the connection ended without GOAWAY")
		}
	}
}

// over waits for the connection's end.
func (f *framed) over() {
	f.t.Helper()
	if got := f.hear(func(got http2.Frame) bool { return got.Header().Type != http2.FrameWindowUpdate }); got != nil {
		f.t.Errorf("the session goes on with %v", got)
	}
}

// ELB user guide: pings don't keep a connection, which ends when no request was
// under way for the idle timeout.
func TestPingsAreNoActivity(t *testing.T) {
	w := newHTTP2World(t)
	w.lb().IdleTimeout = 300 * time.Millisecond
	w.apply()
	f := w.dialFrames()
	f.ask(1, true, "GET", "/")
	if got := f.status(1); got != "200" {
		t.Fatal(got)
	}
	begun := time.Now()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				io.WriteString(f.Conn, "\x00\x00\x08\x06\x00\x00\x00\x00\x00pingpong")
			}
		}
	})
	if last, code := f.goAway(); last != 1 || code != http2.ErrCodeNo {
		t.Errorf("last stream %d, %v", last, code)
	}
	if took := time.Since(begun); took < 250*time.Millisecond || took > 5*time.Second {
		t.Errorf("it ended after %v", took)
	}
	close(stop)
	wg.Wait()
	f.Close()
	eventually(t, "no connection", func() bool { return w.proxy.Status()[0].OpenConnections == 0 })
}

// What is under way when a session is told to end is served, whatever ends it: its
// age, its port's end, its node's drain (I9).
func TestSessionsEndWithoutLosingARequest(t *testing.T) {
	for name, tt := range map[string]struct {
		before, end func(w *secureWorld)
	}{
		"age": {func(w *secureWorld) { w.lb().ClientKeepAlive = 200 * time.Millisecond }, func(*secureWorld) {}},
		"port closes": {nil, func(w *secureWorld) {
			w.lb().Listeners[0].Port++
			w.apply()
		}},
		"node drains": {nil, func(w *secureWorld) {
			w.a.Nodes[0].Phase = snapshot.NodeDraining
			w.apply()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newHTTP2World(t)
			release, asked := make(chan struct{}), make(chan struct{}, 1)
			finish := sync.OnceFunc(func() { close(release) })
			t.Cleanup(finish)
			w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
				asked <- struct{}{}
				<-release
			}))
			if tt.before != nil {
				tt.before(w)
			}
			w.apply()
			f := w.dialFrames()
			f.ask(1, true, "GET", "/")
			<-asked
			tt.end(w)
			if last, code := f.goAway(); last != 1 || code != http2.ErrCodeNo {
				t.Errorf("last stream %d, %v", last, code)
			}
			f.ask(3, true, "GET", "/") // too late
			finish()
			if got := f.status(1); got != "200" {
				t.Errorf("the request under way: %s", got)
			}
			f.hear(func(got http2.Frame) bool {
				d, ok := got.(*http2.DataFrame)
				return ok && d.StreamEnded()
			})
			f.over()
			if len(asked) > 0 {
				t.Error("the late request was served")
			}
		})
	}
}

func TestFailuresOfOneRequestAreItsOwn(t *testing.T) {
	w := newHTTP2World(t)
	w.lb().IdleTimeout = 400 * time.Millisecond
	silent, seen := make(chan struct{}), make(chan struct{})
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/silent":
			<-silent
		case "/cut":
			rw.Header().Set("Content-Length", "10")
			rw.Write([]byte("hello"))
			rw.(http.Flusher).Flush()
			<-seen
			panic(http.ErrAbortHandler)
		case "/body":
			io.Copy(io.Discard, r.Body)
		case "/broken":
			c, _, _ := rw.(http.Hijacker).Hijack()
			io.WriteString(c, "nonsense\r\n\r\n")
			c.Close()
		}
	}))
	t.Cleanup(func() { close(silent) })
	w.a.TargetGroups = append(w.a.TargetGroups, &snapshot.TargetGroup{ARN: "dead", Protocol: snapshot.HTTP, Targets: []snapshot.Target{{Addr: w.bound["node-1"], Port: 1}}})
	l := &w.lb().Listeners[0]
	l.Rules = append([]snapshot.Rule{
		pathRule("dead", 1, "/dead", forwardTo("dead")),
		pathRule("fixed", 2, "/fixed", []snapshot.Action{{Type: snapshot.ActionFixedResponse, FixedResponse: &snapshot.FixedResponse{StatusCode: 418, ContentType: "text/plain", Body: "no"}}}),
	}, l.Rules...)
	w.apply()
	f := w.dialFrames()
	for i, tt := range []struct {
		method, path string
		end          bool
		want         string
	}{
		{"GET", "/silent", true, "504"},
		{"POST", "/body", false, "408"},
		{"GET", "/dead", true, "502"},
		{"GET", "/broken", true, "502"},
		{"TRACE", "/", true, "405"},
		{"GET", "/" + strings.Repeat("x", 17<<10), true, "414"},
		{"GET", "/fixed", false, "418"},
		{"GET", "/ok", true, "200"},
	} {
		id := uint32(2*i + 1)
		f.ask(id, tt.end, tt.method, tt.path)
		if got := f.status(id); got != tt.want {
			t.Errorf("%s %.20s: got %s, want %s", tt.method, tt.path, got, tt.want)
		}
	}
	f.ask(101, true, "GET", "/cut")
	if got := f.status(101); got != "200" {
		t.Errorf("got %s", got)
	}
	close(seen)
	end := f.hear(func(got http2.Frame) bool {
		return got.Header().StreamID == 101 && got.Header().Type == http2.FrameRSTStream
	})
	if r, ok := end.(*http2.RSTStreamFrame); !ok || r.ErrCode != http2.ErrCodeInternal {
		t.Errorf("a response that isn't whole ends with %v", end)
	}
}

// A target learns at once that nobody waits for its response.
func TestResetsReachTargets(t *testing.T) {
	for name, end := range map[string]bool{"while it thinks": true, "within the request's body": false} {
		t.Run(name, func(t *testing.T) {
			w := newHTTP2World(t)
			asked, left := make(chan struct{}), make(chan time.Time, 1)
			w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
				close(asked)
				if !end {
					io.Copy(io.Discard, r.Body)
				}
				<-r.Context().Done()
				left <- time.Now()
			}))
			w.apply()
			f := w.dialFrames()
			f.ask(1, end, "POST", "/")
			<-asked
			begun := time.Now()
			f.WriteRSTStream(1, http2.ErrCodeCancel)
			select {
			case at := <-left:
				if took := at.Sub(begun); took > 500*time.Millisecond {
					t.Errorf("after %v", took)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("it wasn't told")
			}
			f.WritePing(false, [8]byte{})
			if got := f.hear(func(got http2.Frame) bool { return got.Header().Type == http2.FramePing }); got == nil {
				t.Error("the session has ended")
			}
		})
	}
}

// A stream that its client doesn't read holds up neither the others nor, for ever,
// its target.
func TestSlowStreamsHoldUpNobody(t *testing.T) {
	w := newHTTP2World(t)
	w.lb().IdleTimeout = time.Second
	gone := make(chan error, 1)
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" {
			_, err := io.Copy(rw, io.LimitReader(zeros{}, 1<<30))
			gone <- err
		}
	}))
	w.apply()
	f := w.dialFrames(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1000})
	f.ask(1, true, "GET", "/large")
	if got := f.status(1); got != "200" {
		t.Fatal(got)
	}
	for i := range uint32(50) {
		f.ask(3+2*i, true, "GET", "/")
		if got := f.status(3 + 2*i); got != "200" {
			t.Fatal(got)
		}
	}
	end := f.hear(func(got http2.Frame) bool {
		return got.Header().StreamID == 1 && got.Header().Type == http2.FrameRSTStream
	})
	if end == nil {
		t.Error("the session has ended")
	}
	select {
	case err := <-gone:
		if err == nil {
			t.Error("the client was sent a gigabyte")
		}
	case <-time.After(10 * time.Second):
		t.Error("the target is still writing")
	}
}

// A client that reads nothing at all is cut off.
func TestSessionsThatAreNotReadAreCut(t *testing.T) {
	w := newHTTP2World(t)
	w.lb().IdleTimeout = 500 * time.Millisecond
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) { io.Copy(rw, io.LimitReader(zeros{}, 1<<30)) }))
	w.apply()
	f := w.dialFrames(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
	f.WriteWindowUpdate(0, 1<<31-1<<17)
	f.ask(1, true, "GET", "/")
	eventually(t, "no connection", func() bool { return w.proxy.Status()[0].OpenConnections == 0 })
}

// Bodies of both directions, at the same time, on as many streams as there may be,
// while the configuration changes (I9).
func TestStreamsAtOnceWhileTablesChange(t *testing.T) {
	w := newHTTP2World(t)
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
		http.NewResponseController(rw).EnableFullDuplex()
		io.Copy(rw, r.Body)
	}))
	w.apply()
	c := w.http2Client()
	var wg sync.WaitGroup
	var done atomic.Int64
	for i := range 100 {
		wg.Go(func() {
			for j := range 5 {
				want := bytes.Repeat([]byte{byte(i), byte(j)}, 1+i*j*300)
				var body io.Reader = bytes.NewReader(want)
				if i%2 == 0 {
					body = struct{ io.Reader }{body} // of unknown length
				}
				req, _ := http.NewRequest("POST", w.https(), body)
				resp, err := c.Do(req)
				if err != nil {
					t.Errorf("stream %d: %v", i, err)
					return
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("stream %d: %d bytes, %v, want %d", i, len(got), err, len(want))
				}
				done.Add(1)
			}
		})
	}
	for done.Load() < 400 && !t.Failed() {
		w.lb().IdleTimeout += time.Second
		w.apply()
	}
	wg.Wait()
}

func TestHTTP2RequestsAreLoggedAndCounted(t *testing.T) {
	book := &logBook{}
	w := newHTTP2WorldWith(t, proxy.Options{Logs: book.open})
	w.lb().Logs.Access.Name = "logs"
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
		rw.Write([]byte("hello"))
	}))
	w.apply()
	req, _ := http.NewRequestWithContext(context.Background(), "GET", w.https()+"x", nil)
	req.Header.Set("User-Agent", "tester")
	resp, err := w.http2Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	line := book.take(t, w.world, proxy.AccessLog)
	if !strings.HasPrefix(line, "h2 TIME app/web/0123456789abcdef CLIENT TARGET0") || !strings.Contains(line, `"GET https://NODE:28080/x HTTP/2.0" "tester" TLS_AES_128_GCM_SHA256 TLSv1.3`) {
		t.Errorf("got %s", line)
	}
	counted := w.counted()
	for name, want := range map[string]uint64{"RequestCount": 1, "HTTPCode_Target_2XX_Count": 1, "NewConnectionCount": 1} {
		if counted[name] != want {
			t.Errorf("%s: got %d, want %d", name, counted[name], want)
		}
	}
	if n := counted["ProcessedBytes"]; n < 50 || n > 1000 {
		t.Errorf("%d bytes", n)
	}
}

// Requests that are malformed have no response; they are logged and counted as those
// of HTTP/1.1 are.
func TestMalformedRequestsOfHTTP2AreLoggedAndCounted(t *testing.T) {
	book := &logBook{}
	w := newHTTP2WorldWith(t, proxy.Options{Logs: book.open})
	w.lb().Logs.Access.Name = "logs"
	asked := make(chan struct{}, 1)
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		io.Copy(io.Discard, r.Body)
	}))
	w.apply()
	f := w.dialFrames()
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.encode(":method", "GET", ":scheme", "https", ":path", "/", ":authority", "shop.example", "connection", "close"), EndStream: true, EndHeaders: true})
	if got := f.status(1); got != "PROTOCOL_ERROR" {
		t.Errorf("got %s", got)
	}
	const alike = `h2 TIME app/web/0123456789abcdef CLIENT - -1 -1 -1 400 - `
	line := book.take(t, w.world, proxy.AccessLog)
	if !strings.HasPrefix(line, alike) || !strings.Contains(line, `"- https://NODE:28080- -" "-" TLS_AES_128_GCM_SHA256 TLSv1.3`) {
		t.Errorf("got %s", line)
	}
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: f.encode(":method", "POST", ":scheme", "https", ":path", "/", ":authority", "shop.example", "content-length", "5"), EndHeaders: true})
	<-asked
	f.WriteData(3, true, []byte("four"))
	if got := f.status(3); got != "PROTOCOL_ERROR" {
		t.Errorf("got %s", got)
	}
	line = book.take(t, w.world, proxy.AccessLog)
	if !strings.Contains(line, " TARGET0 SECONDS -1 -1 400 - ") || !strings.Contains(line, ` 0 "POST https://shop.example:28080/ HTTP/2.0" `) {
		t.Errorf("got %s", line)
	}
	if n := w.counted()["HTTPCode_ELB_4XX_Count"]; n != 2 {
		t.Errorf("%d responses of the class 4XX, want 2", n)
	}
}

// Clients of HTTP/2 may have much under way each; all of them have no more than the
// host gives them. Who asks for the last of it goes.
func TestSessionsShareTheHostsMemory(t *testing.T) {
	w := newHTTP2WorldWith(t, proxy.Options{Memory: 2 << 20})
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" {
			io.Copy(rw, io.LimitReader(zeros{}, 1<<20))
		}
	}))
	w.apply()
	greedy, modest := w.dialFrames(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}), w.dialFrames()
	modest.ask(1, true, "GET", "/")
	if got := modest.status(1); got != "200" {
		t.Fatal(got)
	}
	for i := range uint32(100) { // 32 KiB each
		greedy.ask(2*i+1, true, "GET", "/large")
	}
	if _, code := greedy.goAway(); code != http2.ErrCodeEnhanceYourCalm {
		t.Errorf("the session ends with %v", code)
	}
	modest.ask(3, true, "GET", "/")
	if got := modest.status(3); got != "200" {
		t.Errorf("the other one: %s", got)
	}
}
