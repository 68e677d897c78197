package testkit

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/server"
	"github.com/fairlead/fairlead/internal/status"
)

// Server is a running server.
type Server struct {
	API, Ops string // URLs
	DNS      string // HOST:PORT
	Dir      string // data directory
	Region   string
	Key      config.AccessKey // the root account's

	stop func() error
}

// Config returns settings for tests: free ports, a data directory that goes with
// the test, and a DNS TTL short enough to wait for.
func Config(t testing.TB) config.Config {
	cfg := config.Default()
	cfg.DataDir = filepath.Join(t.TempDir(), "data")
	cfg.APIAddr, cfg.DNSAddr, cfg.OpsAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.DNS.TTL = time.Second
	cfg.LogLevel = "warn"
	return cfg
}

// Start runs a server in this process until the test ends.
func Start(t testing.TB, cfg config.Config) *Server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready := make(chan server.Addresses, 1)
	ended := make(chan error, 1)
	log := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	go func() {
		ended <- server.Run(ctx, cfg, "test", log, func(a server.Addresses) { ready <- a })
	}()
	select {
	case a := <-ready:
		s := &Server{API: "http://" + a.API, Ops: "http://" + a.Ops, DNS: a.DNS, Dir: cfg.DataDir, Region: cfg.Regions[0].Name}
		s.stop = func() error { cancel(); return <-ended }
		if !cfg.Dev {
			s.Key = rootKey(t, cfg.DataDir)
		} else {
			s.Key = config.AccessKey{ID: "test", Secret: "test"}
		}
		t.Cleanup(func() { s.Stop(t) })
		t.Cleanup(func() { s.checkRecords(t, s.stop != nil) })
		return s
	case err := <-ended:
		cancel()
		t.Fatalf("the server ended before it was ready: %v", err)
	case <-time.After(30 * time.Second):
		cancel()
		t.Fatal("the server isn't ready after 30 s")
	}
	return nil
}

// Stop stops the server, once, and fails the test unless it ends cleanly.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if s.stop == nil {
		return
	}
	if err := s.stop(); err != nil {
		t.Errorf("the server ended with: %v", err)
	}
	s.stop = nil
}

// checkRecords fails a test whose server, if it still runs, has records that don't
// fit together: whatever a test does ends with a clean `fairlead fsck`.
func (s *Server) checkRecords(t testing.TB, runs bool) {
	if _, measures := t.(*testing.B); measures || !runs {
		return
	}
	resp, err := http.Get(s.Ops + "/fsck")
	if err != nil {
		t.Errorf("fsck: %v", err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	var found status.Fsck
	if err := json.NewDecoder(resp.Body).Decode(&found); err != nil {
		t.Errorf("fsck: %v", err)
	}
	if found.Left > 0 || len(found.NotChecked) > 0 {
		t.Errorf("fsck:\n%s", found.Render())
	}
}

func rootKey(t testing.TB, dir string) config.AccessKey {
	t.Helper()
	keys, err := config.ReadKeys(filepath.Join(dir, "keys", "root.yaml"))
	if err != nil || len(keys) != 1 {
		t.Fatalf("root key: %v, %v", keys, err)
	}
	return keys[0]
}

// testWriter sends log lines to the test's log.
type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Logf("%s", b)
	return len(b), nil
}

var _ io.Writer = testWriter{}
