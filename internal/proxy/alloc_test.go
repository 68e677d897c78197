package proxy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// raceDetector says that the race detector is on: it has sync.Pool drop what it
// is given, at random.
var raceDetector bool

// A request on a connection that stays allocates nothing on the loops, whatever is
// configured: what client and target of the same process allocate counts, too, and
// they allocate nothing either. A hundred allocations may be those of the
// runtime and of what runs once a second.
func TestARequestAllocatesNothing(t *testing.T) {
	if os.Getenv(shell) != "" || runtime.GOOS != "linux" {
		t.Skip("it is the loops that don't allocate")
	}
	if raceDetector {
		t.Skip("what is kept for later is dropped at random")
	}
	const (
		get    = "GET /products/1234?color=red HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: test\r\nAccept: */*\r\nCookie: a=b; c=d\r\n\r\n"
		small  = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 128\r\n\r\n"
		chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n%s\r\n40\r\n%[1]s\r\n0\r\n\r\n"
	)
	plain := small + strings.Repeat("x", 128)
	logged := proxy.Options{Logs: func(*snapshot.LoadBalancer, *snapshot.Node, proxy.LogKind) proxy.Lines { return lines(func([]byte) {}) }}
	for _, c := range []struct {
		name, request, response string
		options                 proxy.Options
		configure               func(*world)
	}{
		{"a plain one", get, plain, proxy.Options{}, nil},
		{"with an answer in chunks", get, fmt.Sprintf(chunks, strings.Repeat("x", 64)), proxy.Options{}, nil},
		{"with a large answer", get, "HTTP/1.1 200 OK\r\nContent-Length: 10240\r\n\r\n" + strings.Repeat("x", 10240), proxy.Options{}, nil},
		{"with a body", "POST /cart HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + strings.Repeat("y", 1000), plain, proxy.Options{}, nil},
		{"that is logged", get, plain, logged, func(w *world) { w.lb().Logs.Access.Name = "logs" }},
		{"that meets the last of 100 rules", get, plain, proxy.Options{}, func(w *world) {
			rules := &w.lb().Listeners[0].Rules
			for i := range 100 {
				path := fmt.Sprintf("/service-%d/*", i)
				if i == 99 {
					path = "/products/*"
				}
				*rules = append(*rules, pathRule(fmt.Sprint("rule-", i), i+1, path, forwardTo(tgARN)))
			}
		}},
		{"that we answer", get, "", proxy.Options{}, func(w *world) {
			w.lb().Listeners[0].Rules[0].Actions = []snapshot.Action{{Type: snapshot.ActionFixedResponse, FixedResponse: &snapshot.FixedResponse{StatusCode: 200, ContentType: "text/plain", Body: "hello"}}}
		}},
		{"that we redirect", get, "", proxy.Options{}, func(w *world) {
			w.lb().Listeners[0].Rules[0].Actions = []snapshot.Action{{Type: snapshot.ActionRedirect, Redirect: &snapshot.Redirect{StatusCode: 301, Protocol: "HTTPS", Host: "#{host}", Port: "443", Path: "/#{path}", Query: "#{query}"}}}
		}},
		{"of a client that stays with its target", get, plain, proxy.Options{OpenKey: opened}, func(w *world) {
			w.lb().CookieKey = key(1)
			w.a.TargetGroups[0].Stickiness = snapshot.TargetStickiness{Duration: time.Hour}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.options.Loops = 1
			w := newWorldWith(t, c.options)
			answer := []byte(c.response)
			w.register(w.rawTarget(func(conn net.Conn, _ *bufio.Reader) {
				buf := make([]byte, 16<<10)
				for {
					if _, err := conn.Read(buf); err != nil { // a request comes in one piece here
						return
					}
					if _, err := conn.Write(answer); err != nil {
						return
					}
				}
			}))
			if c.configure != nil {
				c.configure(w)
			}
			w.apply()
			conn := w.dial().Conn
			request, buf := []byte(c.request), make([]byte, 64<<10)
			size := 0 // of a response, which is the same each time
			exchange := func(n int) {
				for range n {
					if _, err := conn.Write(request); err != nil {
						t.Fatal(err)
					}
					if _, err := io.ReadFull(conn, buf[:size]); err != nil {
						t.Fatal(err)
					}
				}
			}
			if _, err := conn.Write(request); err != nil {
				t.Fatal(err)
			}
			size = wholeResponse(t, conn, buf)
			if status := string(buf[:len("HTTP/1.1 200")]); status != "HTTP/1.1 200" && status != "HTTP/1.1 301" {
				t.Fatalf("got %s", status)
			}
			exchange(500)
			const requests = 4000
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			exchange(requests)
			runtime.ReadMemStats(&after)
			mallocs, bytes := after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
			t.Logf("%d allocations of %d bytes in %d requests", mallocs, bytes, requests)
			if mallocs > requests/40 {
				t.Errorf("%d allocations of %d bytes in %d requests", mallocs, bytes, requests)
			}
		})
	}
}

// wholeResponse reads one response, and returns its size.
func wholeResponse(t *testing.T, conn net.Conn, buf []byte) (n int) {
	t.Helper()
	for {
		m, err := conn.Read(buf[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += m
		head, body, ok := bytes.Cut(buf[:n], []byte("\r\n\r\n"))
		if !ok {
			continue
		}
		if bytes.HasSuffix(body, []byte("0\r\n\r\n")) {
			return n
		}
		if _, length, ok := bytes.Cut(head, []byte("Content-Length: ")); ok {
			want := 0
			if _, err := fmt.Sscan(string(length), &want); err != nil {
				t.Fatal(err)
			}
			if len(body) == want {
				return n
			}
		}
	}
}
