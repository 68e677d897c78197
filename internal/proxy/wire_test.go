package proxy_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// head reads a request's head line by line; "" at the connection's end.
func head(r *bufio.Reader) string {
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return ""
		}
		b.WriteString(line)
		if line == "\r\n" {
			return b.String()
		}
	}
}

func TestConnectionsPersistOnBothSides(t *testing.T) {
	w := newWorldWith(t, proxy.Options{Loops: 1}) // each has connections of its own
	var conns atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, r.URL.Path) }))
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	w.register(s.Listener.Addr().String())
	w.apply()
	for range 2 { // clients share the target's connection
		c := w.dial()
		for i := range 3 {
			c.say("GET /%d HTTP/1.1\nHost: a\n\n", i)
			if resp, body := c.hear("GET"); body != fmt.Sprint("/", i) || resp.Close {
				t.Errorf("request %d: %q, close %t", i, body, resp.Close)
			}
		}
		eventually(t, "the target's connection is put back", func() bool {
			return w.proxy.InFlight(tgARN, w.a.TargetGroups[0].Targets[0].AddrPort()) == 0
		})
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections to the target for 6 requests, want 1", n)
	}
	if got := w.proxy.Status()[0].OpenConnections; got != 2 {
		t.Errorf("%d open connections, want 2", got)
	}
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	w := newWorld(t)
	first := make(chan struct{})
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/1" {
			<-first
		}
		fmt.Fprintf(rw, "%s %s", r.URL.Path, b)
	}))
	w.apply()
	c := w.dial()
	c.say("GET /1 HTTP/1.1\nHost: a\n\nPOST /2 HTTP/1.1\nHost: a\nContent-Length: 3\n\nabcPOST /3 HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n3\ndef\n0\n\nGET /4 HTTP/1.1\nHost: a\nConnection: close\n\n")
	close(first)
	for _, want := range []string{"/1 ", "/2 abc", "/3 def", "/4 "} {
		if _, body := c.hear("GET"); body != want {
			t.Errorf("got %q, want %q", body, want)
		}
	}
	c.ended()
}

func TestExpectationIsAnsweredAtOnce(t *testing.T) {
	w := newWorld(t)
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(rw, "%s %q", b, r.Header.Get("Expect"))
	}))
	w.apply()
	c := w.dial()
	for range 2 {
		c.say("PUT / HTTP/1.1\nHost: a\nExpect: 100-continue\nContent-Length: 5\n\n")
		if line, _ := c.r.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" {
			t.Fatalf("got %q, want 100 Continue", line)
		}
		c.r.ReadString('\n')
		c.say("hello")
		if _, body := c.hear("PUT"); body != `hello ""` {
			t.Errorf("target saw %q", body)
		}
	}
}

func TestResponsesWithoutABodyLeaveTheConnectionInOrder(t *testing.T) {
	w := newWorld(t)
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/204":
			rw.WriteHeader(204)
		case "/304":
			rw.Header().Set("Etag", "x")
			rw.WriteHeader(304)
		default:
			rw.Header().Set("Content-Length", "5")
			io.WriteString(rw, "hello")
		}
	}))
	w.apply()
	c := w.dial()
	for _, tt := range []struct{ method, path, body string }{
		{"HEAD", "/", ""}, {"GET", "/204", ""}, {"GET", "/304", ""}, {"GET", "/", "hello"},
	} {
		c.say("%s %s HTTP/1.1\nHost: a\n\n", tt.method, tt.path)
		resp, body := c.hear(tt.method)
		if body != tt.body || tt.method == "HEAD" && resp.ContentLength != 5 {
			t.Errorf("%s %s: %d bytes announced, body %q", tt.method, tt.path, resp.ContentLength, body)
		}
	}
}

func TestOldClientsGetWhatTheyUnderstand(t *testing.T) {
	w := newWorld(t)
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
		if r.ProtoMinor != 1 || r.Host != w.bound["node-1"].String() {
			t.Errorf("target saw HTTP/1.%d at %q", r.ProtoMinor, r.Host)
		}
		if r.URL.Path == "/stream" {
			rw.WriteHeader(http.StatusProcessing) // no interim response for HTTP/1.0
			flusher{rw}.Write([]byte("hel"))
			io.WriteString(rw, "lo")
			return
		}
		rw.Header().Set("Content-Length", "5")
		io.WriteString(rw, "hello")
	}))
	w.apply()
	c := w.dial()
	c.say("GET / HTTP/1.0\nConnection: keep-alive\n\n")
	if resp, body := c.hear("GET"); body != "hello" || resp.Header.Get("Connection") != "keep-alive" {
		t.Errorf("%q, Connection %q, want it kept", body, resp.Header.Get("Connection"))
	}
	c.say("GET /stream HTTP/1.0\nConnection: keep-alive\n\n")
	if resp, body := c.hear("GET"); body != "hello" || len(resp.TransferEncoding) > 0 || !resp.Close {
		t.Errorf("%q, coding %q, close %t", body, resp.TransferEncoding, resp.Close)
	}
	c.ended()
}

func TestInterimResponsesPass(t *testing.T) {
	w := newWorld(t)
	w.register(w.rawTarget(func(c net.Conn, r *bufio.Reader) {
		head(r)
		io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	}))
	w.apply()
	c := w.dial()
	c.say("GET / HTTP/1.1\nHost: a\n\n")
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil || resp.StatusCode != 103 || resp.Header.Get("Link") != "x" {
		t.Fatalf("first %v, %v, want 103", resp, err)
	}
	if resp, body := c.hear("GET"); resp.StatusCode != 200 || body != "ok" {
		t.Errorf("then %d %q", resp.StatusCode, body)
	}
}

// Nothing of a refused request reaches a target, and nothing behind it is read.
func TestMalformedRequestsAreRefusedAndEnd(t *testing.T) {
	w := newWorld(t)
	var seen atomic.Int32
	w.register(w.httpTarget(func(_ http.ResponseWriter, r *http.Request) { seen.Add(1) }))
	w.apply()
	for request, status := range map[string]int{
		"GET / HTTP/1.1\nHost : a\n\nGET / HTTP/1.1\nHost: a\n\n":                                            400,
		"TRACE / HTTP/1.1\nHost: a\n\n":                                                                      405,
		"PRI * HTTP/2.0\n\nSM\n\n":                                                                           505,
		"GET /" + strings.Repeat("x", 20000) + " HTTP/1.1\nHost: a\n\n":                                      414,
		"POST / HTTP/1.1\nHost: a\nTransfer-Encoding: gzip\n\n":                                              501,
		"POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\nxyz\nabc\n0\n\nGET / HTTP/1.1\nHost: a\n\n": 400,
	} {
		c := w.dial()
		c.say("%s", request)
		resp, _ := c.hear("GET")
		if resp.StatusCode != status || !resp.Close || resp.Header.Get("Server") != "awselb/2.0" {
			t.Errorf("%.60q: %d, close %t, want %d and close", request, resp.StatusCode, resp.Close, status)
		}
		c.Conn.(*net.TCPConn).CloseWrite()
		c.ended()
	}
	if n := seen.Load(); n != 0 {
		t.Errorf("%d requests reached the target", n)
	}
}

func TestTimeouts(t *testing.T) {
	const idle = 150 * time.Millisecond
	silent := make(chan struct{})
	tests := []struct {
		name, request string
		status        int // 0: closed without a word
	}{
		{"idle without a request", "", 0},
		{"only an empty line", "\n", 0},
		{"within a head", "GET / HTTP/1.1\nHo", 408},
		{"within a body", "POST / HTTP/1.1\nHost: a\nContent-Length: 10\n\nhel", 408},
		{"within chunks", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n5\nhel", 408},
		{"no answer from the target", "GET / HTTP/1.1\nHost: a\n\n", 504},
		{"no answer from the target to a body", "POST / HTTP/1.1\nHost: a\nContent-Length: 3\n\nabc", 504},
	}
	w := newWorld(t)
	w.lb().IdleTimeout = idle
	w.register(w.rawTarget(func(c net.Conn, r *bufio.Reader) {
		head(r)
		<-silent
	}))
	t.Cleanup(func() { close(silent) })
	w.apply()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := w.dial()
			c.t = t
			begin := time.Now()
			c.say("%s", tt.request)
			if tt.status == 0 {
				c.ended()
			} else if resp, _ := c.hear("GET"); resp.StatusCode != tt.status {
				t.Errorf("got %d, want %d", resp.StatusCode, tt.status)
			}
			if took := time.Since(begin); took < idle*9/10 {
				t.Errorf("after %v, want %v", took, idle)
			}
		})
	}
}

// Time passes only while nothing does: each byte begins the wait anew.
func TestSlowBodiesAreNotCut(t *testing.T) {
	w := newWorld(t)
	w.lb().IdleTimeout = 300 * time.Millisecond
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
		http.NewResponseController(rw).EnableFullDuplex()
		io.Copy(flusher{rw}, r.Body)
	}))
	w.apply()
	c := w.dial()
	c.say("POST / HTTP/1.1\nHost: a\nContent-Length: 10\n\n")
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := range 10 {
		<-tick.C
		c.say("%d", i)
	}
	if _, body := c.hear("POST"); body != "0123456789" {
		t.Errorf("got %q", body)
	}
}

func TestTargetLearnsThatTheClientIsGone(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*wire){
		"while the target thinks": func(c *wire) { c.say("GET / HTTP/1.1\nHost: a\n\n") },
		"within its body":         func(c *wire) { c.say("POST / HTTP/1.1\nHost: a\nContent-Length: 100000\n\nabc") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			begun, gone := make(chan struct{}), make(chan struct{})
			w.register(w.rawTarget(func(c net.Conn, r *bufio.Reader) {
				head(r)
				close(begun)
				io.Copy(io.Discard, r)
				close(gone)
			}))
			w.apply()
			c := w.dial()
			leave(c)
			<-begun
			c.Close()
			select {
			case <-gone:
			case <-time.After(10 * time.Second):
				t.Error("the target's connection is still open")
			}
		})
	}
}

func TestUpgradedConnectionsAreTunnels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.lb().IdleTimeout = 400 * time.Millisecond
	ended := make(chan struct{})
	w.register(w.rawTarget(func(c net.Conn, r *bufio.Reader) {
		h := head(r)
		if !strings.Contains(h, "Connection: Upgrade\r\nUpgrade: websocket\r\n") {
			io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
			return
		}
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi ")
		io.Copy(c, r)
		close(ended)
	}))
	w.apply()
	c := w.dial()
	c.say("GET /chat HTTP/1.1\nHost: a\nConnection: keep-alive, Upgrade\nUpgrade: websocket\nSec-WebSocket-Key: x\n\nearly ")
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil || resp.StatusCode != 101 || resp.Header.Get("Upgrade") != "websocket" {
		t.Fatalf("got %v, %v, want 101", resp, err)
	}
	expect := func(want string) {
		t.Helper()
		b := make([]byte, len(want))
		if _, err := io.ReadFull(c.r, b); err != nil || string(b) != want {
			t.Fatalf("got %q, %v, want %q", b, err, want)
		}
	}
	expect("hi early ")
	target := w.a.TargetGroups[0].Targets[0].AddrPort()
	if n := w.proxy.InFlight(tgARN, target); n != 1 {
		t.Errorf("%d requests under way, want the tunnel to count", n)
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range 8 { // longer than the idle timeout
		<-tick.C
		c.say("ping")
		expect("ping")
	}
	c.ended() // for being idle
	<-ended
	eventually(t, "nothing is under way", func() bool { return w.proxy.InFlight(tgARN, target) == 0 })
}

func TestTunnelPassesTheEndOn(t *testing.T) {
	w := newWorld(t)
	w.register(w.rawTarget(func(c net.Conn, r *bufio.Reader) {
		head(r)
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		b, _ := io.ReadAll(r)
		fmt.Fprintf(c, "read %s", b)
	}))
	w.apply()
	c := w.dial()
	c.say("GET / HTTP/1.1\nHost: a\nConnection: upgrade\nUpgrade: x\n\nhalf")
	c.Conn.(*net.TCPConn).CloseWrite()
	if _, err := http.ReadResponse(c.r, nil); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c.r); err != nil || string(b) != "read half" {
		t.Errorf("got %q, %v", b, err)
	}
}

func TestTargetsOverTLS(t *testing.T) {
	for _, size := range []int{0, 100, 100_000} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(fmt.Sprint(size, " bytes, ", tls.VersionName(version)), func(t *testing.T) { targetOverTLS(t, size, version) })
		}
	}
}

func targetOverTLS(t *testing.T, size int, version uint16) {
	w := newWorldWith(t, proxy.Options{Loops: 1}) // each has connections of its own
	var conns atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(rw, "%s %d %t %s", r.Proto, len(b), r.TLS != nil, strings.Repeat("x", size))
	}))
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			conns.Add(1)
		}
	}
	s.TLS = &tls.Config{MinVersion: version, MaxVersion: version}
	s.StartTLS()
	t.Cleanup(s.Close)
	w.a.TargetGroups[0].Protocol = snapshot.HTTPS
	w.register(s.Listener.Addr().String())
	w.apply()
	c := newClient(t)
	for range 3 {
		resp, err := c.Post(w.url("/"), "", strings.NewReader(strings.Repeat("x", size)))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if want := fmt.Sprintf("HTTP/1.1 %d true %s", size, strings.Repeat("x", size)); string(b) != want {
			t.Errorf("got %d %.50q", resp.StatusCode, b)
		}
		eventually(t, "the target's connection is put back", func() bool {
			return w.proxy.InFlight(tgARN, w.a.TargetGroups[0].Targets[0].AddrPort()) == 0
		})
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections to the target, want 1", n)
	}

	plain := w.httpTarget(func(http.ResponseWriter, *http.Request) {})
	w.register(plain)
	w.apply()
	if status, _ := get(t, c, w.url("/")); status != 502 {
		t.Errorf("a target that doesn't speak TLS: %d, want 502", status)
	}
}

// A client that reads nothing holds neither memory nor the target for ever.
func TestClientThatReadsNothingIsCut(t *testing.T) {
	w := newWorld(t)
	w.lb().IdleTimeout = 300 * time.Millisecond
	gone := make(chan error, 1)
	w.register(w.rawTarget(func(c net.Conn, r *bufio.Reader) {
		head(r)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
		_, err := io.Copy(c, zeros{})
		gone <- err
	}))
	w.apply()
	c := w.dial()
	c.say("GET / HTTP/1.1\nHost: a\n\n")
	select {
	case err := <-gone:
		if err == nil {
			t.Error("the client was sent a gigabyte")
		}
	case <-time.After(15 * time.Second):
		t.Error("the target is still writing")
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// A response must survive that its client is still sending what nobody reads:
// closing at once would have the kernel answer with a reset.
func TestRefusalReachesAClientThatIsStillSending(t *testing.T) {
	w := newWorld(t)
	w.apply()
	for range 20 {
		c := w.dial()
		c.say("GET /%s", strings.Repeat("x", 200_000))
		if resp, _ := c.hear("GET"); resp.StatusCode != 414 {
			t.Errorf("got %d, want 414", resp.StatusCode)
		}
	}
}

func TestBodyUntilCloseBecomesChunked(t *testing.T) {
	w := newWorld(t)
	w.register(w.rawTarget(func(c net.Conn, r *bufio.Reader) {
		head(r)
		io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\nhello "+strings.Repeat("x", 100_000))
	}))
	w.apply()
	c := w.dial()
	for range 2 { // the client's connection goes on
		c.say("GET / HTTP/1.1\nHost: a\n\n")
		resp, body := c.hear("GET")
		if len(body) != 100_006 || len(resp.TransferEncoding) != 1 || resp.Close {
			t.Errorf("%d bytes, coding %q, close %t", len(body), resp.TransferEncoding, resp.Close)
		}
	}
}
