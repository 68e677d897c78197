package proxy_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// A client that closes its connection while its target is silent is noticed long before
// anybody is idle for too long; its request is logged with 460 and leaves the target.
func TestAClientThatLeavesIsNoticed(t *testing.T) {
	for _, tt := range []struct {
		name, request string
		secure        bool
	}{
		{"in the clear", "GET / HTTP/1.1\nHost: a\n\n", false},
		{"within TLS", "GET / HTTP/1.1\nHost: a\n\n", true},
		{"after an upload", "PUT / HTTP/1.1\nHost: a\nContent-Length: 100000\n\n" + strings.Repeat("x", 100_000), false},
		{"after an upload within TLS", "PUT / HTTP/1.1\nHost: a\nContent-Length: 100000\n\n" + strings.Repeat("x", 100_000), true},
		{"after it asked for another protocol", upgrade, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			book := &logBook{}
			w := newSecureWorldWith(t, proxy.Options{Logs: book.open})
			w.lb().Logs.Access.Name = "logs"
			w.certify("arn:1", w.root.Issue("shop.example"))
			if !tt.secure {
				w.lb().Listeners[0].Protocol, w.lb().Listeners[0].TLS = snapshot.HTTP, nil
			}
			asked, over := make(chan struct{}), make(chan struct{})
			size := len(tt.request) - strings.Index(tt.request, "\n\n") - 2
			w.register(w.rawTarget(func(_ net.Conn, r *bufio.Reader) {
				head(r)
				_, _ = io.CopyN(io.Discard, r, int64(size))
				close(asked)
				_, _ = io.Copy(io.Discard, r)
				close(over)
			}))
			w.apply()
			conn := w.dial().Conn
			if tt.secure {
				conn = tls.Client(conn, w.trusting("shop.example"))
			}
			(&wire{t: t, Conn: conn}).say("%s", tt.request)
			<-asked
			begin := time.Now()
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			if line := book.take(t, w.world, proxy.AccessLog); !strings.Contains(line, " 460 - ") {
				t.Errorf("got %s, want 460", line)
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			<-over
			w.over()
		})
	}
}
