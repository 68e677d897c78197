package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"
)

// envReverse makes a process of this program the standard library's proxy.
const envReverse = "FAIRLEAD_BENCH_REVERSE"

// startReverseProxy starts net/http's ReverseProxy as its users tune it.
func startReverseProxy(b *testing.B, to setup) *contestant {
	return startSelf(b, "reverseproxy", to, envReverse+"=1")
}

func reverse(addr, server string) error {
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: server})
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 4096, DisableCompression: true}
	proxy.BufferPool = new(buffers)
	s := &http.Server{Addr: addr, Handler: proxy}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, func() { _ = s.Close() })
	serve := s.ListenAndServe
	if path := os.Getenv(envCert); path != "" {
		serve = func() error { return s.ListenAndServeTLS(path, path) }
	}
	if err := serve(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// buffers lends buffers to ReverseProxy.
type buffers struct{ pool sync.Pool }

func (p *buffers) Get() []byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		return *b
	}
	return make([]byte, 32<<10)
}

func (p *buffers) Put(b []byte) { p.pool.Put(&b) }

// startCaddy starts Caddy.
func startCaddy(b *testing.B, to setup) *contestant {
	addr := freeAddr(b)
	dir := b.TempDir() // for what it keeps of itself
	conf := write(b, "Caddyfile", "{\n admin off\n auto_https off\n}\nhttp://"+addr+" {\n reverse_proxy "+to.server+" {\n  transport http {\n   keepalive_idle_conns_per_host 4096\n  }\n }\n}\n")
	return &contestant{name: "caddy", addr: addr, pid: start(b, 0, addr, []string{"XDG_CONFIG_HOME=" + dir, "XDG_DATA_HOME=" + dir}, "caddy", "run", "--adapter", "caddyfile", "--config", conf)}
}
