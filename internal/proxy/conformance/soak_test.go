package conformance_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy"
)

// soakTime is the variable with the length of the soak; without it the test sees
// that the soak itself works.
const soakTime = "FAIRLEAD_SOAK"

// What there is of a process.
type footprint struct {
	goroutines, descriptors int
	heap                    uint64 // bytes in use after a collection
}

func measure(t *testing.T) footprint {
	t.Helper()
	runtime.GC()
	runtime.GC() // what pools hold goes with the second one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	names, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	return footprint{runtime.NumGoroutine(), len(names), m.HeapAlloc}
}

// Clients that come and go in every way leave nothing behind: no goroutine, no
// descriptor, no memory.
func TestNothingIsLeftOfClientsThatComeAndGo(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("descriptors are counted in /proc")
	}
	length, err := time.ParseDuration(os.Getenv(soakTime))
	if err != nil {
		length = 2 * time.Second
	}
	for name, loops := range map[string]int{"loops": 0, "streams": -1} {
		t.Run(name, func(t *testing.T) {
			target := []netip.AddrPort{startMixedTarget(t)}
			soak(t, length, time.Second, plainClients(startProxy(t, target, proxy.Options{Loops: loops})[0]))
		})
		t.Run(name+", in HTTP/2", func(t *testing.T) {
			target := []netip.AddrPort{startMixedTarget(t)}
			nodes, config := startSecureProxy(t, target, proxy.Options{Loops: loops})
			// Many requests at once need many connections to the target, which are kept
			// for the idle timeout.
			soak(t, length, 6*time.Second, clientsOfHTTP2(nodes[0], config))
		})
	}
}

// soak has clients come and go for the time, and looks at what they leave once nothing
// has changed for a while.
func soak(t *testing.T, length, while time.Duration, visit func(*rand.Rand)) {
	t.Helper()
	connections := churn(visit, length/8) // until pools have what they keep
	settle(t, while)
	before := measure(t)
	for range 4 {
		connections += churn(visit, length/6)
	}
	settle(t, while)
	after := measure(t)
	t.Logf("%d connections; before %+v, after %+v", connections, before, after)
	if after.goroutines > before.goroutines+20 || after.descriptors > before.descriptors+64 || after.heap > before.heap+8<<20 {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

// settle waits until what clients have left is noticed.
func settle(t *testing.T, while time.Duration) {
	t.Helper()
	last, since := -1, time.Now()
	for time.Since(since) < while {
		if n := runtime.NumGoroutine(); n != last {
			last, since = n, time.Now()
		}
		time.Sleep(10 * time.Millisecond) // there is nothing to wait for
	}
}

// churn has clients of all kinds come for a while, and returns how many connections
// they made. visit is one of them, from its connection to its end.
func churn(visit func(*rand.Rand), d time.Duration) int64 {
	var connections atomic.Int64
	var wg sync.WaitGroup
	until := time.Now().Add(d)
	for worker := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(worker), uint64(d)))
			for time.Now().Before(until) {
				connections.Add(1)
				visit(r)
			}
		})
	}
	wg.Wait()
	return connections.Load()
}

// plainClients are clients of HTTP/1.1 in the clear.
func plainClients(addr string) func(*rand.Rand) {
	return func(r *rand.Rand) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		behave(c, r)
	}
}

// behave does what some client does.
func behave(c net.Conn, r *rand.Rand) {
	in := bufio.NewReader(c)
	ask := func(request string) {
		if _, err := io.WriteString(c, request); err != nil {
			return
		}
		if resp, err := http.ReadResponse(in, nil); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	}
	switch r.IntN(10) {
	case 0: // stays
		for range 1 + r.IntN(20) {
			ask("GET /small HTTP/1.1\r\nHost: a\r\n\r\n")
		}
	case 1: // goes before the answer
		_, _ = io.WriteString(c, "GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
	case 2: // goes in the middle of it
		_, _ = io.WriteString(c, "GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
		_, _ = io.ReadFull(in, make([]byte, 100_000))
	case 3: // says half of a request
		_, _ = io.WriteString(c, "GET /small HTTP/1.1\r\nHo")
	case 4: // uploads
		ask("PUT /small HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat("x", 200_000))
	case 5: // uploads, and goes
		_, _ = io.WriteString(c, "PUT /small HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n"+strings.Repeat("x", 50_000))
	case 6: // is in a hurry
		_, _ = io.WriteString(c, strings.Repeat("GET /small HTTP/1.1\r\nHost: a\r\n\r\n", 20))
		for range r.IntN(20) {
			if resp, err := http.ReadResponse(in, nil); err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
			}
		}
	case 7: // wants another protocol
		_, _ = io.WriteString(c, "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello")
		_, _ = io.ReadFull(in, make([]byte, 80))
	case 8: // is odd
		_, _ = c.Write(odd(r.IntN(10_000)))
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, in)
	default: // resets
		_, _ = io.WriteString(c, "GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
		_ = c.(*net.TCPConn).SetLinger(0)
	}
}

// startMixedTarget starts a target for the above.
func startMixedTarget(t *testing.T) netip.AddrPort {
	t.Helper()
	large := []byte(strings.Repeat("x", 1<<20))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/large":
			w.Header().Set("Content-Length", fmt.Sprint(len(large)))
			_, _ = w.Write(large)
		case r.Header.Get("Upgrade") == "echo":
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer c.Close()
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
			_, _ = io.Copy(c, rw)
		default:
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, "small")
		}
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close(); <-done })
	return l.Addr().(*net.TCPAddr).AddrPort()
}
