package proxy_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy"
)

// When hardly any connections are left, those are ended that wait for their client:
// to ask, to go on, to take what it asked for. Who waits for a target is not, nor is a
// tunnel.
func TestTheSlowestClientsMakeRoom(t *testing.T) {
	t.Parallel()
	w := newHTTP2WorldWith(t, proxy.Options{MaxConnections: 32})
	release := make(chan struct{})
	var flowed atomic.Int64 // pieces of the endless response
	w.register(w.rawTarget(func(c net.Conn, r *bufio.Reader) {
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			switch req.URL.Path {
			case "/silent":
				<-release
			case "/tunnel":
				_, _ = io.WriteString(c, switched)
				_, _ = io.Copy(c, r)
				return
			case "/endless":
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
				for piece := make([]byte, 16<<10); ; flowed.Add(1) {
					if _, err := c.Write(piece); err != nil {
						return
					}
				}
			case "/upload":
				_, _ = io.Copy(io.Discard, req.Body)
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	}))
	w.apply()
	dial := func(text string) *wire {
		conn := tls.Client(w.dial().Conn, w.trusting("shop.example"))
		c := &wire{t: t, Conn: conn, r: bufio.NewReader(conn)}
		c.say("%s", text)
		return c
	}

	slow := map[string]net.Conn{
		"one that shakes no hands": w.dial().Conn,
		"one amid its head":        dial("GET / HTTP/1.1\n").Conn,
		"one amid its body":        dial("PUT /upload HTTP/1.1\nHost: a\nContent-Length: 1000000\n\n" + strings.Repeat("x", 100_000)).Conn,
		"one that takes nothing":   dial("GET /endless HTTP/1.1\nHost: a\n\n").Conn,
		"an idle session":          w.dialFrames().Conn,
	}
	idle := dial("GET / HTTP/1.1\nHost: a\n\n")
	idle.hear("GET")
	slow["an idle one"] = idle.Conn
	waits := dial("GET /silent HTTP/1.1\nHost: a\n\n")
	session := w.dialFrames()
	session.ask(1, true, "GET", "/silent")
	tunnel := dial(upgrade)
	if resp, err := http.ReadResponse(tunnel.r, nil); err != nil || resp.StatusCode != 101 {
		t.Fatalf("upgrade: %v, %v", resp, err)
	}
	for before := int64(-1); before != flowed.Load(); { // it takes a while to fill what lies between
		before = flowed.Load()
		silence := time.NewTimer(5500 * time.Millisecond) // longer than anybody may hold a connection up
		<-silence.C
	}

	eventually(t, "all connections", func() bool { return w.proxy.Status()[0].OpenConnections == 9 })
	for range 20 {
		w.dial()
	}
	for name, conn := range slow {
		if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s goes on", name)
		}
	}
	close(release)
	if resp, body := waits.hear("GET"); resp.StatusCode != 200 || body != "ok" {
		t.Errorf("one that waits for its target: %d %q", resp.StatusCode, body)
	}
	if got := session.status(1); got != "200" {
		t.Errorf("one that waits for its target in HTTP/2: %s", got)
	}
	tunnel.echoes("spared")
}
