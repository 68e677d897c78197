package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
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

// oddTarget is one connection to a target that speaks frames.
type oddTarget struct {
	*http2.Framer
	conn    net.Conn
	number  int64  // of the target's connections
	gone    func() // called when it has ended; nil: nobody asks
	block   bytes.Buffer
	encoder *hpack.Encoder
}

// respond sends the head of a response.
func (o *oddTarget) respond(stream uint32, end bool, fields ...string) {
	o.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		o.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	o.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: o.block.Bytes(), EndStream: end, EndHeaders: true})
}

// oddTarget has a target that hears frames as hear says, until that returns false, and
// returns how many connections it has had. DATA is given back at once.
func (w *secureWorld) oddTarget(hear func(o *oddTarget, f http2.Frame) bool, settings ...http2.Setting) *atomic.Int64 {
	w.t.Helper()
	connections := new(atomic.Int64)
	w.a.TargetGroups[0].ProtocolVersion = snapshot.HTTP2
	w.register(w.rawTarget(func(c net.Conn, r *bufio.Reader) {
		if _, err := r.Discard(len(http2.ClientPreface)); err != nil {
			return
		}
		o := &oddTarget{Framer: http2.NewFramer(c, r), conn: c, number: connections.Add(1)}
		o.encoder = hpack.NewEncoder(&o.block)
		o.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		o.WriteSettings(settings...)
		for {
			f, err := o.ReadFrame()
			if err != nil {
				if o.gone != nil {
					o.gone()
				}
				return
			}
			switch f := f.(type) {
			case *http2.SettingsFrame:
				if !f.IsAck() {
					o.WriteSettingsAck()
				}
			case *http2.DataFrame:
				if f.Length > 0 {
					o.WriteWindowUpdate(0, f.Length)
					if !f.StreamEnded() {
						o.WriteWindowUpdate(f.StreamID, f.Length)
					}
				}
			}
			if !hear(o, f) {
				return
			}
		}
	}))
	return connections
}

// ended says whether a frame is a request's last.
func ended(f http2.Frame) bool {
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		return f.StreamEnded()
	case *http2.DataFrame:
		return f.StreamEnded()
	}
	return false
}

// requests makes that many at a time, by turns with a body and without, and returns
// the statuses that weren't 200.
func (w *secureWorld) requests(c *http.Client, rounds, atOnce, size int) (bad []string) {
	var mu sync.Mutex
	for range rounds {
		var all sync.WaitGroup
		for i := range atOnce {
			all.Go(func() {
				method, body := "GET", io.Reader(nil)
				if i%2 == 0 {
					method, body = "POST", strings.NewReader(strings.Repeat("x", size))
				}
				req, _ := http.NewRequest(method, w.https(), body)
				resp, err := c.Do(req)
				got := "200"
				if err != nil {
					got = err.Error()
				} else {
					if _, err := io.Copy(io.Discard, resp.Body); err != nil {
						got = err.Error()
					} else if resp.StatusCode != 200 {
						got = resp.Status
					}
					resp.Body.Close()
				}
				if got != "200" {
					mu.Lock()
					defer mu.Unlock()
					bad = append(bad, method+": "+got)
				}
			})
		}
		all.Wait()
	}
	return bad
}

// RFC 9113 §6.8: what came behind the last stream that a target has taken is asked of
// it anew, on another connection.
func TestNoRequestIsLostWhenTargetsLeave(t *testing.T) {
	w := newHTTP2World(t)
	connections := w.oddTarget(func(o *oddTarget, f http2.Frame) bool {
		id := f.Header().StreamID
		switch {
		case id > 9: // nobody works on it
		case ended(f):
			o.respond(id, true, ":status", "200")
			if id == 9 {
				o.WriteGoAway(9, 0, nil)
			}
		}
		if g, ok := f.(*http2.GoAwayFrame); ok {
			return g == nil
		}
		return true
	})
	w.apply()
	if bad := w.requests(w.http2Client(), 10, 20, 1000); len(bad) > 0 {
		t.Errorf("%d failed: %v", len(bad), bad)
	}
	if n := connections.Load(); n < 20 {
		t.Errorf("%d connections", n)
	}
}

func TestRefusedStreamsAreAskedAgain(t *testing.T) {
	w := newHTTP2World(t)
	var n atomic.Int64
	w.oddTarget(func(o *oddTarget, f http2.Frame) bool {
		if id := f.Header().StreamID; ended(f) {
			if n.Add(1)%2 == 0 {
				o.WriteRSTStream(id, http2.ErrCodeRefusedStream)
			} else {
				o.respond(id, true, ":status", "200")
			}
		}
		return true
	})
	w.apply()
	if bad := w.requests(w.http2Client(), 20, 1, 40<<10); len(bad) > 0 {
		t.Errorf("%d failed: %v", len(bad), bad)
	}
}

// A target that refuses all isn't asked for ever.
func TestTargetsThatRefuseEveryRequest(t *testing.T) {
	w := newHTTP2World(t)
	var n atomic.Int64
	w.oddTarget(func(o *oddTarget, f http2.Frame) bool {
		if _, ok := f.(*http2.MetaHeadersFrame); ok {
			n.Add(1)
			o.WriteRSTStream(f.Header().StreamID, http2.ErrCodeRefusedStream)
		}
		return true
	})
	w.apply()
	if bad := w.requests(w.http2Client(), 1, 1, 10); len(bad) != 1 || bad[0] != "POST: 502 Bad Gateway" {
		t.Errorf("got %v", bad)
	}
	if n := n.Load(); n < 2 || n > 10 {
		t.Errorf("asked %d times", n)
	}
}

// As many connections as it takes, and no more than the target's limit on each.
func TestTargetsAreAskedForWhatTheyTakeAtOnce(t *testing.T) {
	w := newHTTP2World(t)
	var mu sync.Mutex
	type open struct {
		o  *oddTarget
		id uint32
	}
	var waiting []open
	most := map[int64]int{}
	w.oddTarget(func(o *oddTarget, f http2.Frame) bool {
		if !ended(f) {
			return true
		}
		mu.Lock()
		defer mu.Unlock()
		if most[o.number]++; most[o.number] > 3 {
			o.WriteRSTStream(f.Header().StreamID, http2.ErrCodeRefusedStream)
			most[o.number]--
			return true
		}
		if waiting = append(waiting, open{o, f.Header().StreamID}); len(waiting) == 20 {
			for _, one := range waiting {
				one.o.respond(one.id, true, ":status", "200")
			}
		}
		return true
	}, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 3})
	w.apply()
	if bad := w.requests(w.http2Client(), 1, 20, 100); len(bad) > 0 {
		t.Errorf("%d failed: %v", len(bad), bad)
	}
	if len(most) < 7 {
		t.Errorf("%d connections", len(most))
	}
}

func TestTargetsThatBreakOff(t *testing.T) {
	for _, tt := range []struct {
		name string
		hear func(o *oddTarget, f http2.Frame) bool
		want string
	}{
		{"the connection", func(_ *oddTarget, f http2.Frame) bool { return !ended(f) }, "502 Bad Gateway"},
		{"the stream", func(o *oddTarget, f http2.Frame) bool {
			if ended(f) {
				o.WriteRSTStream(f.Header().StreamID, http2.ErrCodeInternal)
			}
			return true
		}, "502 Bad Gateway"},
		{"a malformed head", func(o *oddTarget, f http2.Frame) bool {
			if ended(f) {
				o.respond(f.Header().StreamID, true, ":status", "200", "Connection", "close")
			}
			return true
		}, "502 Bad Gateway"},
		{"HTTP/1.1", func(o *oddTarget, _ http2.Frame) bool {
			io.WriteString(o.conn, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
			return false
		}, "502 Bad Gateway"},
		{"the connection within a response", func(o *oddTarget, f http2.Frame) bool {
			if ended(f) {
				o.respond(f.Header().StreamID, false, ":status", "200")
				o.WriteData(f.Header().StreamID, false, []byte("half"))
			}
			return !ended(f)
		}, "INTERNAL_ERROR"},
		{"the stream within a response", func(o *oddTarget, f http2.Frame) bool {
			if ended(f) {
				o.respond(f.Header().StreamID, false, ":status", "200")
				o.WriteData(f.Header().StreamID, false, []byte("half"))
				o.WriteRSTStream(f.Header().StreamID, http2.ErrCodeEnhanceYourCalm)
			}
			return true
		}, "ENHANCE_YOUR_CALM"},
	} {
		w := newHTTP2World(t)
		w.oddTarget(tt.hear)
		w.apply()
		if bad := w.requests(w.http2Client(), 1, 1, 10); len(bad) != 1 || !strings.Contains(bad[0], tt.want) {
			t.Errorf("%s: got %v, want %s", tt.name, bad, tt.want)
		}
	}
}

// A request that does no harm when it is made twice survives a connection that ended
// while it was idle; one that might is answered 502.
func TestIdleConnectionsMayEndBeforeARequest(t *testing.T) {
	w := newHTTP2World(t)
	w.oddTarget(func(o *oddTarget, f http2.Frame) bool {
		if !ended(f) {
			return true
		}
		if id := f.Header().StreamID; id == 1 {
			o.respond(id, true, ":status", "200")
			return true
		}
		return false
	})
	w.apply()
	c := w.http2Client()
	for range 3 {
		if resp, err := c.Get(w.https()); err != nil || resp.StatusCode != 200 {
			t.Fatalf("GET: %v, %v", resp, err)
		}
	}
	if resp, err := c.Post(w.https(), "text/plain", strings.NewReader("x")); err != nil || resp.StatusCode != 502 {
		t.Errorf("POST: %v, %v", resp, err)
	}
}

func TestTargetsThatAreNotThere(t *testing.T) {
	w := newHTTP2World(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	w.a.TargetGroups[0].ProtocolVersion = snapshot.HTTP2
	for _, secure := range []snapshot.Protocol{snapshot.HTTP, snapshot.HTTPS} {
		w.a.TargetGroups[0].Protocol = secure
		w.register(l.Addr().String())
		w.apply()
		bad := w.requests(w.http2Client(), 1, 5, 10)
		if len(bad) != 5 || !strings.Contains(bad[0], "502") {
			t.Errorf("%s: got %v", secure, bad)
		}
	}
}

func TestSilentTargetsOfHTTP2AreGivenUp(t *testing.T) {
	t.Parallel()
	w := newHTTP2World(t)
	w.lb().IdleTimeout = time.Second
	connections := w.oddTarget(func(o *oddTarget, f http2.Frame) bool {
		if o.number > 1 && ended(f) {
			o.respond(f.Header().StreamID, true, ":status", "200")
		}
		return true
	})
	w.apply()
	c := w.http2Client()
	if bad := w.requests(c, 1, 1, 10); len(bad) != 1 || !strings.Contains(bad[0], "504") {
		t.Errorf("got %v", bad)
	}
	// Nothing more is asked where nothing comes from.
	if bad := w.requests(c, 1, 1, 10); len(bad) != 0 || connections.Load() != 2 {
		t.Errorf("got %v, %d connections", bad, connections.Load())
	}
}

func TestIdleConnectionsToTargetsAreClosed(t *testing.T) {
	t.Parallel()
	w := newHTTP2World(t)
	w.lb().IdleTimeout = time.Second
	told := make(chan struct{})
	w.oddTarget(func(o *oddTarget, f http2.Frame) bool {
		if ended(f) {
			o.respond(f.Header().StreamID, true, ":status", "200")
		}
		if _, ok := f.(*http2.GoAwayFrame); ok {
			close(told)
			return false
		}
		return true
	})
	w.apply()
	w.requests(w.http2Client(), 1, 1, 10)
	select {
	case <-told:
	case <-time.After(20 * time.Second):
		t.Error("the connection stays")
	}
}

// What is under way on a connection whose target group goes is finished, and the
// connection ends with it.
func TestConnectionsToTargetsEndWithTheirGroup(t *testing.T) {
	w := newHTTP2World(t)
	begun, over, finish := make(chan struct{}), make(chan struct{}), make(chan struct{})
	w.oddTarget(func(o *oddTarget, f http2.Frame) bool {
		if id := f.Header().StreamID; ended(f) {
			o.gone = func() { close(over) }
			close(begun)
			<-finish
			o.respond(id, false, ":status", "200")
			o.WriteData(id, true, []byte("whole"))
		}
		return true
	})
	w.apply()
	got := make(chan string)
	go func() {
		resp, err := w.http2Client().Get(w.https())
		if err != nil {
			got <- err.Error()
			return
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		got <- fmt.Sprint(string(b), err)
	}()
	<-begun
	w.a.TargetGroups = nil
	w.lb().Listeners[0].Rules[0].Actions = []snapshot.Action{{Type: snapshot.ActionFixedResponse, FixedResponse: &snapshot.FixedResponse{StatusCode: 200}}}
	w.apply()
	close(finish)
	if got := <-got; got != "whole<nil>" {
		t.Errorf("got %q", got)
	}
	select {
	case <-over:
	case <-time.After(10 * time.Second):
		t.Error("the connection stays")
	}
}

func TestCancellationReachesTargetsOfHTTP2(t *testing.T) {
	w := newHTTP2World(t)
	begun, over := make(chan struct{}), make(chan struct{})
	w.http2Target(false, func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/begun" {
			rw.(http.Flusher).Flush()
		}
		begun <- struct{}{}
		<-r.Context().Done()
		over <- struct{}{}
	})
	w.apply()
	c := w.http2Client()
	for _, path := range []string{"", "begun"} {
		ctx, cancel := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		asking.Go(func() {
			req, _ := http.NewRequestWithContext(ctx, "GET", w.https()+path, nil)
			if resp, err := c.Do(req); err == nil {
				_, err = io.Copy(io.Discard, resp.Body)
				if resp.Body.Close(); !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
			}
		})
		<-begun
		cancel()
		select {
		case <-over:
		case <-time.After(10 * time.Second):
			t.Error("the target isn't told")
		}
		asking.Wait()
	}
}

// I9, story of deregistration: what is under way ends with the delay, not before.
func TestDeregisteredTargetsOfHTTP2FinishWhatIsUnderWay(t *testing.T) {
	for _, cut := range []bool{false, true} {
		w := newHTTP2World(t)
		begun, go1 := make(chan struct{}), make(chan struct{})
		s := w.http2Target(false, func(rw http.ResponseWriter, r *http.Request) {
			rw.(http.Flusher).Flush()
			begun <- struct{}{}
			select {
			case <-go1:
			case <-r.Context().Done():
			}
			fmt.Fprint(rw, "whole")
		})
		w.apply()
		got := make(chan string)
		go func() {
			resp, err := w.http2Client().Get(w.https())
			if err != nil {
				got <- err.Error()
				return
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			got <- fmt.Sprint(string(b), err)
		}()
		<-begun
		addr := s.Listener.Addr().String()
		w.register(addr)
		w.a.TargetGroups[0].Targets[0].Draining = true
		w.apply()
		if cut {
			w.a.TargetGroups[0].Targets = nil // the delay is over
			w.apply()
		} else {
			close(go1)
		}
		if got := <-got; (got == "whole<nil>") == cut {
			t.Errorf("cut %t: got %q", cut, got)
		}
	}
}

// I9: no change of the assignment costs a request, whatever targets it has drain and come back.
func TestRequestsInHTTP2WhileTargetsComeAndGo(t *testing.T) {
	w := newHTTP2World(t)
	var addrs []string
	for range 4 {
		s := w.http2Target(false, func(rw http.ResponseWriter, r *http.Request) { _, _ = io.Copy(rw, r.Body) })
		addrs = append(addrs, s.Listener.Addr().String())
	}
	w.apply()
	c := w.http2Client()
	ctx, stop := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for ctx.Err() == nil {
				if bad := w.requests(c, 1, 4, 3000); len(bad) > 0 {
					t.Error(bad)
					return
				}
			}
		})
	}
	for i := range 60 {
		w.register(addrs...)
		w.a.TargetGroups[0].Targets[i%3].Draining = true
		w.a.TargetGroups[0].Targets[i*7%3].Draining = true
		w.lb().Listeners[0].Rules[0].ARN = fmt.Sprint("default ", i)
		w.apply()
		if bad := w.requests(c, 1, 2, 10); len(bad) > 0 {
			t.Error(bad)
		}
	}
	stop()
	asking.Wait()
}

func TestRequestsOfTargetsInHTTP2AreLogged(t *testing.T) {
	var book logBook
	w := newHTTP2WorldWith(t, proxy.Options{Logs: book.open})
	w.lb().Logs.Access.Name = "b"
	w.http2Target(false, func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		rw.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	})
	for version, want := range map[snapshot.ProtocolVersion]string{
		snapshot.HTTP2: "h2 TIME", snapshot.GRPC: "grpcs TIME",
	} {
		w.a.TargetGroups[0].ProtocolVersion = version
		w.apply()
		req, _ := http.NewRequest("POST", w.https(), strings.NewReader("hello"))
		req.Header.Set("Content-Type", "application/grpc")
		resp, err := w.http2Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		line := book.take(t, w.world, proxy.AccessLog)
		if !strings.HasPrefix(line, want) || !strings.Contains(line, "TARGET0 SECONDS SECONDS SECONDS 200 200 ") || !strings.Contains(line, `HTTP/2.0"`) {
			t.Errorf("%s: got %s", version, line)
		}
	}
	if got := w.counted(); got["GrpcRequestCount"] != 1 || got["RequestCount"] != 2 {
		t.Errorf("%d calls are counted, of %d requests", got["GrpcRequestCount"], got["RequestCount"])
	}
}

func TestCurlReachesATargetInHTTP2(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl")
	}
	w := newHTTP2World(t)
	w.http2Target(false, func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, r.Proto) })
	w.apply()
	out, err := exec.CommandContext(t.Context(), "curl", "-sS", "--http2", "-k", "-w", " %{http_version} %{response_code}", w.https()).CombinedOutput()
	if err != nil || string(out) != "HTTP/2.0 2 200" {
		t.Errorf("got %q, %v", out, err)
	}
}
