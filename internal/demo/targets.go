package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// targets are small HTTP servers that say who they are and what they were asked.
type targets struct {
	listeners []net.Listener
	servers   []*http.Server
	serving   sync.WaitGroup
}

// startTargets starts n targets on 127.0.0.1, each on a port of its own.
func startTargets(n int) (*targets, error) {
	t := new(targets)
	for i := range n {
		l, err := new(net.ListenConfig).Listen(context.Background(), "tcp4", "127.0.0.1:0")
		if err != nil {
			t.stop()
			return nil, fmt.Errorf("start target %d: %w", i+1, err)
		}
		s := &http.Server{Handler: answer(fmt.Sprintf("target-%d", i+1)), ReadHeaderTimeout: 5 * time.Second}
		t.listeners = append(t.listeners, l)
		t.servers = append(t.servers, s)
		t.serving.Go(func() { _ = s.Serve(l) }) // until it is closed
	}
	return t, nil
}

func answer(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s\nHost: %s\nX-Forwarded-For: %s\n", name, r.Host, r.Header.Get("X-Forwarded-For"))
	}
}

func (t *targets) addrs() []netip.AddrPort {
	var out []netip.AddrPort
	for _, l := range t.listeners {
		out = append(out, l.Addr().(*net.TCPAddr).AddrPort())
	}
	return out
}

// stop closes the targets and waits until they are closed.
func (t *targets) stop() {
	for _, s := range t.servers {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		if err := s.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
			_ = s.Close() // somebody keeps a request open
		}
		cancel()
	}
	t.serving.Wait()
}
