package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead/internal/proxy"
)

func TestFailingTargets(t *testing.T) {
	closedPort := func(*world) string {
		l, _ := net.Listen("tcp", "127.0.0.1:0")
		defer l.Close()
		return l.Addr().String()
	}
	raw := func(answer string) func(*world) string {
		return func(w *world) string {
			return w.rawTarget(func(c net.Conn, r *bufio.Reader) {
				if head(r) != "" {
					io.WriteString(c, answer)
				}
			})
		}
	}
	tests := []struct {
		name   string
		target func(*world) string
		status int
	}{
		{"nobody listens", closedPort, 502},
		{"it closes without an answer", raw(""), 502},
		{"it closes within the head", raw("HTTP/1.1 200 OK\r\nContent-Le"), 502},
		{"it doesn't speak HTTP", raw("SSH-2.0-OpenSSH_9.2\r\n\r\n"), 502},
		{"its headers are malformed", raw("HTTP/1.1 200 OK\r\nX : y\r\n\r\n"), 502},
		{"its headers are too large", raw("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 40000) + "\r\n\r\n"), 502},
		{"it changes protocols unasked", raw("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"), 502},
		{"it sends nothing but interim responses", raw(strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 40)), 502},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.register(tt.target(w))
			w.apply()
			for range 2 {
				c := w.dial()
				c.say("GET / HTTP/1.0\n\n")
				if resp, _ := c.hear("GET"); resp.StatusCode != tt.status || resp.Header.Get("Server") != "awselb/2.0" {
					t.Errorf("%d from %q, want %d of our own", resp.StatusCode, resp.Header.Get("Server"), tt.status)
				}
				c.say("") // the connection may go on
			}
			eventually(t, "nothing is under way", func() bool {
				return w.proxy.InFlight(tgARN, netip.AddrPortFrom(w.a.TargetGroups[0].Targets[0].Addr, w.a.TargetGroups[0].Targets[0].Port)) == 0
			})
		})
	}
}

func TestConnectTimeoutIs504(t *testing.T) {
	w := newWorldWith(t, proxy.Options{Dial: func(context.Context, netip.AddrPort) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: context.DeadlineExceeded}
	}})
	w.register("127.0.0.1:1")
	w.apply()
	if status, _ := get(t, newClient(t), w.url("/")); status != 504 {
		t.Errorf("got %d, want 504", status)
	}
}

func TestTruncatedResponsesAreSeenToBe(t *testing.T) {
	for _, tt := range []struct{ name, version, answer string }{
		{"a length", "1.1", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhel"},
		{"chunks", "1.1", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"},
		{"chunks to a client that doesn't know them", "1.0", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"},
		{"malformed chunks", "1.1", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\nxx\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.register(w.rawTarget(func(c net.Conn, r *bufio.Reader) {
				head(r)
				io.WriteString(c, tt.answer)
			}))
			w.apply()
			c := w.dial()
			c.say("GET / HTTP/%s\nHost: a\n\n", tt.version)
			resp, err := http.ReadResponse(c.r, nil)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
			}
			if err == nil {
				t.Error("the response looks whole")
			}
		})
	}
}

// A target may close a connection that it kept at any time. A request that can
// be sent twice doesn't suffer from it, one that can't isn't sent twice.
func TestStaleTargetConnections(t *testing.T) {
	w := newWorld(t)
	var conns, requests atomic.Int32
	w.register(w.rawTarget(func(c net.Conn, r *bufio.Reader) {
		conns.Add(1)
		for first := true; head(r) != ""; first = false {
			requests.Add(1)
			if !first {
				return // without a word
			}
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	}))
	w.apply()
	c := w.dial()
	for i := range 3 {
		c.say("GET / HTTP/1.1\nHost: a\n\n")
		if resp, _ := c.hear("GET"); resp.StatusCode != 200 {
			t.Errorf("GET %d: %d, want it to be tried again", i, resp.StatusCode)
		}
	}
	before := requests.Load()
	c.say("POST / HTTP/1.1\nHost: a\n\n")
	if resp, _ := c.hear("POST"); resp.StatusCode != 502 || requests.Load() != before+1 {
		t.Errorf("POST: %d after being sent %d times, want 502 and once", resp.StatusCode, requests.Load()-before)
	}
}

// A connection that the target has closed while it was idle isn't used at all.
func TestClosedTargetConnectionsAreNotUsed(t *testing.T) {
	w := newWorld(t)
	closed := make(chan struct{}, 8)
	w.register(w.rawTarget(func(c net.Conn, r *bufio.Reader) {
		head(r)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		c.Close()
		closed <- struct{}{}
	}))
	w.apply()
	c := w.dial()
	for i := range 5 {
		c.say("POST / HTTP/1.1\nHost: a\nContent-Length: 1\n\nx")
		if resp, _ := c.hear("POST"); resp.StatusCode != 200 {
			t.Errorf("POST %d: %d", i, resp.StatusCode)
		}
		<-closed
	}
}

// What a target sends beyond its response must never become the response to
// somebody else's request.
func TestSurplusOfATargetReachesNobody(t *testing.T) {
	w := newWorld(t)
	var n atomic.Int32
	w.register(w.rawTarget(func(c net.Conn, r *bufio.Reader) {
		for head(r) != "" {
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%dHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", n.Add(1))
		}
	}))
	w.apply()
	c := w.dial()
	for i := 1; i <= 4; i++ {
		c.say("GET / HTTP/1.1\nHost: a\n\n")
		if _, body := c.hear("GET"); body != fmt.Sprint(i) {
			t.Errorf("request %d got %q", i, body)
		}
	}
}

func TestEarlyResponseEndsTheUpload(t *testing.T) {
	w := newWorld(t)
	w.register(w.rawTarget(func(c net.Conn, r *bufio.Reader) {
		head(r)
		io.WriteString(c, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
		c.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, io.LimitReader(r, 1000)) // then it closes with bytes unread
	}))
	w.apply()
	c := w.dial()
	c.say("POST / HTTP/1.1\nHost: a\nContent-Length: 100000000\n\n")
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		buf := make([]byte, 64<<10)
		for range 1000 {
			if _, err := c.Write(buf); err != nil {
				return
			}
		}
	}()
	if resp, body := c.hear("POST"); resp.StatusCode != 413 || body != "big" || !resp.Close {
		t.Errorf("got %d %q, close %t, want 413 and close", resp.StatusCode, body, resp.Close)
	}
	c.Close()
	<-sent
}
