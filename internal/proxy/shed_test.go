//go:build linux

package proxy_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"syscall"
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
				_, _ = io.Copy(c, zeros{})
				return
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
	silence := time.NewTimer(5500 * time.Millisecond) // longer than anybody may hold a connection up
	<-silence.C

	eventually(t, "all connections", func() bool { return w.proxy.Status()[0].OpenConnections == 9 })
	// A client's system may take a little more of what it was sent, now and then: then
	// it isn't the first that comes which makes it go.
	for tries := 0; len(slow) > 0 && tries < 5; tries++ {
		for range 20 {
			w.dial()
		}
		for until := time.Now().Add(5 * time.Second); len(slow) > 0 && time.Now().Before(until); time.Sleep(10 * time.Millisecond) { // of that nobody tells
			maps.DeleteFunc(slow, func(_ string, conn net.Conn) bool { return hungUp(t, conn) })
		}
	}
	for name := range slow {
		t.Errorf("%s goes on", name)
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

// hungUp says whether the other side has ended a connection, whatever there still is to
// read.
func hungUp(t *testing.T, conn net.Conn) bool {
	t.Helper()
	if c, ok := conn.(*tls.Conn); ok {
		conn = c.NetConn()
	}
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	look, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(look)
	n := 0
	control := raw.Control(func(fd uintptr) {
		if err = syscall.EpollCtl(look, syscall.EPOLL_CTL_ADD, int(fd), &syscall.EpollEvent{Events: syscall.EPOLLRDHUP}); err == nil {
			n, err = syscall.EpollWait(look, make([]syscall.EpollEvent, 1), 0)
		}
	})
	if err = errors.Join(control, err); err != nil && !errors.Is(err, syscall.EINTR) {
		t.Fatal(err)
	}
	return n > 0
}
