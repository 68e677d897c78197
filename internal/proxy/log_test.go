package proxy_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// logBook takes the lines of all logs.
type logBook struct {
	mu    sync.Mutex
	lines map[proxy.LogKind][]string
}

func (b *logBook) open(_ *snapshot.LoadBalancer, _ *snapshot.Node, kind proxy.LogKind) proxy.Lines {
	return bookLines{b, kind}
}

type bookLines struct {
	book *logBook
	kind proxy.LogKind
}

func (l bookLines) Line(_ int, line []byte) {
	l.book.mu.Lock()
	defer l.book.mu.Unlock()
	if l.book.lines == nil {
		l.book.lines = map[proxy.LogKind][]string{}
	}
	l.book.lines[l.kind] = append(l.book.lines[l.kind], strings.TrimSuffix(string(line), "\n"))
}

var (
	times   = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z`)
	seconds = regexp.MustCompile(` \d+\.\d{3}`)
	clients = regexp.MustCompile(`127\.0\.0\.1[: ]\d+`)
	traces  = regexp.MustCompile(`Root=1-[0-9a-f]{8}-[0-9a-f]{24}`)
	tids    = regexp.MustCompile(`TID_[0-9a-f]{32}`)
)

// take returns the next line of a log, once it is there, with what is another each
// time named.
func (b *logBook) take(t *testing.T, w *world, kind proxy.LogKind) (line string) {
	t.Helper()
	eventually(t, "another line", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.lines[kind]) == 0 {
			return false
		}
		line, b.lines[kind] = b.lines[kind][0], b.lines[kind][1:]
		return true
	})
	for i, target := range w.a.TargetGroups[0].Targets {
		line = strings.ReplaceAll(line, target.AddrPort().String(), fmt.Sprintf("TARGET%d", i))
	}
	line = strings.ReplaceAll(line, w.bound["node-1"].String(), "NODE")
	for _, r := range []struct {
		is   *regexp.Regexp
		name string
	}{{times, "TIME"}, {seconds, " SECONDS"}, {clients, "CLIENT"}, {traces, "TRACE"}, {tids, "TID"}} {
		line = r.is.ReplaceAllString(line, r.name)
	}
	return line
}

func (b *logBook) want(t *testing.T, w *world, name, want string) {
	t.Helper()
	if diff := cmp.Diff(want, b.take(t, w, proxy.AccessLog)); diff != "" {
		t.Errorf("%s (-want +got)\n%s", name, diff)
	}
}

// countingConn knows what a client has sent and got since the last look.
type countingConn struct {
	net.Conn
	sent, got int
}

func (c *countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.got += n
	return n, err
}

func (c *countingConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.sent += n
	return n, err
}

// bytes returns how many were sent and got, as a line has them.
func (c *countingConn) bytes() string {
	defer func() { c.sent, c.got = 0, 0 }()
	return fmt.Sprintf("%d %d", c.sent, c.got)
}

func (w *world) dialCounting() (*wire, *countingConn) {
	c := w.dial()
	counting := &countingConn{Conn: c.Conn}
	c.Conn, c.r = counting, bufio.NewReader(counting)
	return c, counting
}

func TestRequestsAreLogged(t *testing.T) {
	book := &logBook{}
	w := newWorldWith(t, proxy.Options{Logs: book.open})
	w.lb().Logs.Access.Name = "logs"
	target := w.rawTarget(func(c net.Conn, r *bufio.Reader) {
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			body, _ := io.ReadAll(req.Body)
			switch req.URL.Path {
			case "/close":
				return
			case "/half":
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
				return
			case "/ws":
				_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
				_, _ = io.Copy(c, r)
				return
			default:
				_, _ = fmt.Fprintf(c, "HTTP/1.1 201 Created\r\nDate: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			}
		}
	})
	w.register(target)
	l := &w.lb().Listeners[0]
	l.Rules = append([]snapshot.Rule{
		pathRule("fixed", 7, "/fixed", []snapshot.Action{{Type: snapshot.ActionFixedResponse, FixedResponse: &snapshot.FixedResponse{StatusCode: 404}}}),
		pathRule("redirect", 8, "/redirect", []snapshot.Action{{Type: snapshot.ActionRedirect, Redirect: &snapshot.Redirect{
			StatusCode: 302, Protocol: "HTTPS", Host: "#{host}", Port: "443", Path: "/#{path}", Query: "#{query}",
		}}}),
		pathRule("rewritten", 9, "/old*", forwardTo(tgARN)),
	}, l.Rules...)
	l.Rules[2].Transforms = []snapshot.Transform{{Type: snapshot.TransformURL, Regex: "^/old", Replace: "/new"}}
	w.apply()

	const head = "GET %s HTTP/1.1\nHost: Shop.test:80\nUser-Agent: a \"quoted\" one\n\n"
	c, n := w.dialCounting()
	ask := func(path string) {
		c.say(head, path)
		c.hear("GET")
	}
	ask("/a?b=c")
	book.want(t, w, "forwarded", `http TIME app/web/0123456789abcdef CLIENT TARGET0 SECONDS SECONDS SECONDS 201 201 `+n.bytes()+` "GET http://Shop.test:28080/a?b=c HTTP/1.1" "a \x22quoted\x22 one" - - `+tgARN+` "TRACE" "-" "-" 0 TIME "forward" "-" "-" "TARGET0" "201" "-" "-" TID "-" "-" "-" NODE`)
	ask("/old/1")
	book.want(t, w, "rewritten", `http TIME app/web/0123456789abcdef CLIENT TARGET0 SECONDS SECONDS SECONDS 201 201 `+n.bytes()+` "GET http://Shop.test:28080/old/1 HTTP/1.1" "a \x22quoted\x22 one" - - `+tgARN+` "TRACE" "-" "-" 9 TIME "forward" "-" "-" "TARGET0" "201" "-" "-" TID "-" "/new/1" "TransformSuccess" NODE`)
	ask("/fixed")
	book.want(t, w, "a fixed response", `http TIME app/web/0123456789abcdef CLIENT - -1 -1 -1 404 - `+n.bytes()+` "GET http://Shop.test:28080/fixed HTTP/1.1" "a \x22quoted\x22 one" - - - "-" "-" "-" 7 TIME "fixed-response" "-" "-" "-" "-" "-" "-" TID "-" "-" "-" NODE`)
	ask("/redirect?x=1")
	book.want(t, w, "a redirect", `http TIME app/web/0123456789abcdef CLIENT - -1 -1 -1 302 - `+n.bytes()+` "GET http://Shop.test:28080/redirect?x=1 HTTP/1.1" "a \x22quoted\x22 one" - - - "-" "-" "-" 8 TIME "redirect" "https://Shop.test:443/redirect?x=1" "-" "-" "-" "-" "-" TID "-" "-" "-" NODE`)
	ask("/close")
	book.want(t, w, "a target that closes", `http TIME app/web/0123456789abcdef CLIENT TARGET0 SECONDS -1 -1 502 - `+n.bytes()+` "GET http://Shop.test:28080/close HTTP/1.1" "a \x22quoted\x22 one" - - `+tgARN+` "TRACE" "-" "-" 0 TIME "forward" "-" "-" "TARGET0" "-" "-" "-" TID "-" "-" "-" NODE`)
	c.say("POST /up HTTP/1.1\nHost: a\nContent-Length: 100000\n\n%s", strings.Repeat("x", 100_000))
	c.hear("POST")
	book.want(t, w, "an upload", `http TIME app/web/0123456789abcdef CLIENT TARGET0 SECONDS SECONDS SECONDS 201 201 `+n.bytes()+` "POST http://a:28080/up HTTP/1.1" "-" - - `+tgARN+` "TRACE" "-" "-" 0 TIME "forward" "-" "-" "TARGET0" "201" "-" "-" TID "-" "-" "-" NODE`)
	c, n = w.dialCounting()
	c.say(head, "/half")
	c.say("") // the connection ends with the half
	_, _ = io.ReadAll(c.r)
	book.want(t, w, "a response that isn't whole", `http TIME app/web/0123456789abcdef CLIENT TARGET0 SECONDS SECONDS SECONDS 200 200 `+n.bytes()+` "GET http://Shop.test:28080/half HTTP/1.1" "a \x22quoted\x22 one" - - `+tgARN+` "TRACE" "-" "-" 0 TIME "forward" "-" "-" "TARGET0" "200" "-" "-" TID "-" "-" "-" NODE`)
	c, n = w.dialCounting()
	c.say("GET /ws HTTP/1.1\nHost: a\nConnection: upgrade\nUpgrade: echo\n\n")
	if resp, _ := http.ReadResponse(c.r, nil); resp.StatusCode != 101 {
		t.Fatalf("upgrade: %d", resp.StatusCode)
	}
	c.say("hello")
	if _, err := io.ReadFull(c.r, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	book.want(t, w, "a tunnel", `ws TIME app/web/0123456789abcdef CLIENT TARGET0 SECONDS SECONDS SECONDS 101 101 `+n.bytes()+` "GET http://a:28080/ws HTTP/1.1" "-" - - `+tgARN+` "TRACE" "-" "-" 0 TIME "forward" "-" "-" "TARGET0" "101" "-" "-" TID "-" "-" "-" NODE`)
	c = w.dial()
	c.say("GET / HTTP/3.0\n\n")
	c.hear("GET")
	line := book.take(t, w, proxy.AccessLog)
	if !strings.Contains(line, ` 505 - `) || !strings.Contains(line, `"- http://NODE:28080- -" "-" - - - "-" "-" "-" - TIME "-"`) {
		t.Errorf("one that can't be read: %s", line)
	}
}

func TestConnectionsAreLogged(t *testing.T) {
	book := &logBook{}
	w := newSecureWorldWith(t, proxy.Options{Logs: book.open})
	w.lb().Logs.Connections.Name, w.lb().Logs.Access.Name = "logs", "logs"
	w.certify("arn:1", w.root.Issue("shop.example"))
	w.apply()
	client := w.client("shop.example")
	client.Transport.(*http.Transport).TLSClientConfig.CurvePreferences = []tls.CurveID{tls.X25519}
	get(t, client, w.https())
	if got, want := book.take(t, w.world, proxy.ConnectionLog), `TIME CLIENT 28080 TLSv1.3 TLS_AES_128_GCM_SHA256 SECONDS "-" - - - TID X25519 app/web/0123456789abcdef NODE`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if line := book.take(t, w.world, proxy.AccessLog); !strings.HasPrefix(line, "https ") || !strings.Contains(line, ` TLS_AES_128_GCM_SHA256 TLSv1.3 `+tgARN+` "TRACE" "shop.example" "arn:1" 0 `) {
		t.Errorf("the request: %s", line)
	}
	c := w.dial()
	c.say("this isn't TLS\n")
	_, _ = io.ReadAll(c.r)
	if got, want := book.take(t, w.world, proxy.ConnectionLog), `TIME CLIENT 28080 - - - "-" - - Failed:UnmappedConnectionError TID - app/web/0123456789abcdef NODE`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// reset ends the connection at once, for the other side to notice.
func (c *wire) reset() {
	_ = c.Conn.(*net.TCPConn).SetLinger(0)
	c.Close()
}

// A request is logged however it ends, once.
func TestRequestsThatGoWrongAreLogged(t *testing.T) {
	t.Parallel()
	book := &logBook{}
	w := newWorldWith(t, proxy.Options{Logs: book.open})
	w.lb().Logs.Access.Name = "logs"
	w.lb().IdleTimeout = 300 * time.Millisecond
	asked := make(chan struct{}, 1)
	w.register(w.rawTarget(func(c net.Conn, r *bufio.Reader) {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		asked <- struct{}{}
		switch req.URL.Path {
		case "/silent":
			_, _ = io.Copy(io.Discard, r)
		case "/garbage":
			_, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.9\r\n\r\n")
		case "/endless":
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
			_, _ = io.Copy(io.Discard, r)
		case "/early":
			_, _ = io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
		}
	}))
	w.apply()
	onLoops := runtime.GOOS == "linux" && os.Getenv(shell) != "streams"
	line := func(name, processing, statuses, request string) {
		t.Helper()
		got := book.take(t, w, proxy.AccessLog)
		if !strings.Contains(got, ` CLIENT TARGET0 `+processing+` `+statuses+` `) || !strings.Contains(got, ` "`+request+` HTTP/1.1" `) {
			t.Errorf("%s: got %s\nwant %s, %s, %s", name, got, processing, statuses, request)
		}
		if !strings.Contains(got, ` 0 TIME "forward" `) || !strings.HasSuffix(got, ` TID "-" "-" "-" NODE`) {
			t.Errorf("%s: %s", name, got)
		}
	}
	ask := func(head string) *wire {
		c := w.dial()
		c.say("%s", head)
		<-asked
		return c
	}
	if onLoops { // which are told of it; others find out when they write
		c := ask("GET /silent HTTP/1.1\nHost: a\n\n")
		c.reset()
		line("a client that went away", "SECONDS -1 -1", "460 -", "GET http://a:28080/silent")
	}
	c := ask("GET /silent HTTP/1.1\nHost: a\n\n")
	c.hear("GET")
	line("a target that doesn't answer", "SECONDS -1 -1", "504 -", "GET http://a:28080/silent")
	c = ask("GET /garbage HTTP/1.1\nHost: a\n\n")
	c.hear("GET")
	line("a target that doesn't speak HTTP", "SECONDS -1 -1", "502 -", "GET http://a:28080/garbage")
	c = ask("GET /endless HTTP/1.1\nHost: a\n\n")
	if _, err := c.r.ReadString('x'); err != nil {
		t.Fatal(err)
	}
	c.Close()
	line("a client that went away amid the response", "SECONDS SECONDS SECONDS", "200 200", "GET http://a:28080/endless")
	c = ask("GET /endless HTTP/1.1\nHost: a\n\n")
	_, _ = io.ReadAll(c.r)
	line("a target that stops amid the response", "SECONDS SECONDS SECONDS", "200 200", "GET http://a:28080/endless")
	c = ask("POST /silent HTTP/1.1\nHost: a\nContent-Length: 1000000\n\n" + strings.Repeat("x", 100_000))
	c.reset()
	line("a client that went away amid the request", "SECONDS -1 -1", "460 -", "POST http://a:28080/silent")
	c = ask("POST /early HTTP/1.1\nHost: a\nContent-Length: 1000000\n\n" + strings.Repeat("x", 100_000))
	c.hear("POST")
	line("a target that doesn't wait for the request", "SECONDS SECONDS SECONDS", "403 403", "POST http://a:28080/early")
	c = ask("GET /silent HTTP/1.1\nHost: a\n\n")
	w.a.LoadBalancers[0].Logs = snapshot.Logs{}
	w.apply()
	c.hear("GET")
	line("one that was begun while the log was on", "SECONDS -1 -1", "504 -", "GET http://a:28080/silent")
	c = ask("GET /garbage HTTP/1.1\nHost: a\n\n")
	c.hear("GET")
	book.mu.Lock()
	defer book.mu.Unlock()
	if left := book.lines[proxy.AccessLog]; len(left) > 0 {
		t.Errorf("more lines: %q", left)
	}
}

// A connection in the clear is logged once it is made, with the name that its
// requests have.
func TestConnectionsInTheClearAreLogged(t *testing.T) {
	book := &logBook{}
	w := newWorldWith(t, proxy.Options{Logs: book.open})
	w.lb().Logs.Connections.Name, w.lb().Logs.Access.Name = "logs", "logs"
	w.apply()
	c := w.dial()
	raw := func(kind proxy.LogKind) (line string) {
		eventually(t, "a line", func() bool {
			book.mu.Lock()
			defer book.mu.Unlock()
			if len(book.lines[kind]) == 0 {
				return false
			}
			line, book.lines[kind] = book.lines[kind][0], book.lines[kind][1:]
			return true
		})
		return line
	}
	made := raw(proxy.ConnectionLog)
	trace := tids.FindString(made)
	want := fmt.Sprintf(` 127.0.0.1 %d 28080 - - - "-" - - - %s - app/web/0123456789abcdef %s`, c.LocalAddr().(*net.TCPAddr).Port, trace, w.bound["node-1"])
	if trace == "" || !strings.HasSuffix(made, want) {
		t.Errorf("got %s\nwant %s", made, want)
	}
	for range 2 {
		c.say("GET / HTTP/1.1\nHost: a\n\n")
		c.hear("GET")
		if line := raw(proxy.AccessLog); !strings.Contains(line, " "+trace+" ") {
			t.Errorf("a request of the connection %s: %s", trace, line)
		}
	}
}
