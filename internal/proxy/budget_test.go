package proxy_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/snapshot"
)

func hello(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "hello") }

// refused connects once too often.
func (w *world) refused() {
	w.t.Helper()
	c, err := net.Dial("tcp", w.address())
	if err != nil { // reset before it was looked at
		return
	}
	defer c.Close()
	if n, err := c.Read(make([]byte, 1)); err == nil {
		w.t.Errorf("read %d bytes from a connection beyond the budget", n)
	}
}

func TestConnectionsBeyondTheBudgetAreRefusedAndTheOthersGoOn(t *testing.T) {
	w := newWorldWith(t, proxy.Options{MaxConnections: 8})
	w.register(w.httpTarget(hello))
	w.apply()
	var conns []*wire
	for range 8 {
		conns = append(conns, w.dial())
	}
	eventually(t, "eight connections", func() bool { return w.proxy.Status()[0].OpenConnections == 8 })
	for range 3 {
		w.refused()
	}
	for _, c := range conns {
		c.say("GET / HTTP/1.1\nHost: a\n\n")
		if resp, body := c.hear("GET"); body != "hello" || resp.Close {
			t.Errorf("a connection within the budget: %q, close %t", body, resp.Close)
		}
	}
	conns[0].Close()
	eventually(t, "room for another one", func() bool { return w.proxy.Status()[0].OpenConnections == 7 })
	if _, body := get(t, newClient(t), w.url("/")); body != "hello" {
		t.Errorf("with room again: %q", body)
	}
}

// One node can't take all that its host has.
func TestANodeLeavesConnectionsToTheOthers(t *testing.T) {
	w := newWorldWith(t, proxy.Options{MaxConnections: 8})
	w.register(w.httpTarget(hello))
	other := newAddress()
	w.bound["node-2"] = other
	w.a.Nodes = append(w.a.Nodes, &snapshot.Node{ID: "node-2", LoadBalancerARN: lbARN, Zone: "b", Private: other, Phase: snapshot.NodeServing})
	w.apply()
	for range 4 {
		w.dial()
	}
	w.refused()
	if _, body := get(t, newClient(t), strings.Replace(w.url("/"), w.bound["node-1"].String(), other.String(), 1)); body != "hello" {
		t.Errorf("the other node: %q", body)
	}
}

// A client that sends a byte now and then is never idle (slowloris).
func TestAHeadHasItsTime(t *testing.T) {
	w := newWorldWith(t, proxy.Options{HeadTimeout: 500 * time.Millisecond})
	w.lb().IdleTimeout = 300 * time.Millisecond
	w.apply()
	c := w.dial()
	begin := time.Now()
	go func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for _, b := range "GET / HTTP/1.1\r\nX-Slow: " + strings.Repeat("x", 1000) {
			if _, err := c.Write([]byte{byte(b)}); err != nil {
				return
			}
			<-tick.C
		}
	}()
	if resp, _ := c.hear("GET"); resp.StatusCode != 408 {
		t.Errorf("got %d, want 408", resp.StatusCode)
	}
	if took := time.Since(begin); took < 450*time.Millisecond {
		t.Errorf("after %v", took)
	}
	c.Close()
}

// What has come of requests, and not all of it, is bounded for all clients
// together; whoever holds no memory goes on.
func TestHalfRequestsAreBounded(t *testing.T) {
	if os.Getenv(shell) != "" {
		t.Skip("a goroutine's buffers are bounded by its connection")
	}
	w := newWorldWith(t, proxy.Options{Loops: 1, Memory: 256 << 10})
	w.register(w.httpTarget(hello))
	w.apply()
	quiet := w.dial()
	half := "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X-Long: "+strings.Repeat("x", 15<<10)+"\r\n", 3)
	refused := 0
	for range 20 {
		c := w.dial()
		if _, err := io.WriteString(c, half); err != nil {
			t.Fatal(err)
		}
		if err := c.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if b, err := c.r.ReadString('\n'); strings.Contains(b, " 503 ") {
			refused++
		} else if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("a half request: %q, %v", b, err)
		}
	}
	if refused < 10 {
		t.Errorf("%d of 20 half requests of 45 KiB were refused with 256 KiB for them", refused)
	}
	quiet.say("GET / HTTP/1.1\nHost: a\n\n")
	if _, body := quiet.hear("GET"); body != "hello" {
		t.Errorf("a client that holds nothing: %q", body)
	}
}
