package etcd_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/etcd"
)

func TestADirectoryHasOneEngine(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "on the way")
	e, err := etcd.Open(t.Context(), etcd.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	_, err = etcd.Open(t.Context(), etcd.Options{Dir: dir})
	if !errors.Is(err, etcd.ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v, want ErrLocked and the directory's name", err)
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("refusal took %v", took)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	openDir(t, dir)
}

func TestDataOutlivesClose(t *testing.T) {
	dir := t.TempDir()
	var rev int64
	for round := range 3 {
		e, err := etcd.Open(t.Context(), etcd.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		r, err := e.Commit(t.Context(), store.Txn{
			Guards: []store.Guard{{Key: "k", ModRevision: rev}},
			Ops:    []store.Op{{Key: "k", Value: []byte("v")}},
		})
		if err != nil || !r.Committed {
			t.Fatalf("round %d: %+v, %v", round, r, err)
		}
		rev = r.Revision
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, dir, want string }{
		{"no directory", "", "no directory"},
		{"a file in its place", file, file},
	} {
		e, err := etcd.Open(t.Context(), etcd.Options{Dir: c.dir, Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			e.Close()
			t.Errorf("%s: opened", c.name)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
	}
}

// A member that panics leaves goroutines behind, so this one has a process of
// its own.
func TestADamagedLogIsAnErrorThatNamesTheDirectory(t *testing.T) {
	damaged := t.TempDir()
	e, err := etcd.Open(t.Context(), etcd.Options{Dir: damaged})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	logs, err := filepath.Glob(filepath.Join(damaged, "etcd", "member", "wal", "0*.wal"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("no log files in %s: %v", damaged, err)
	}
	if err := os.WriteFile(logs[0], bytes.Repeat([]byte("damage! "), 8192), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := victimCommand(damaged)
	out, err := cmd.Output()
	if err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "open etcd in "+damaged) {
		t.Errorf("got %v and %q, want exit code 1 and an error with the directory", err, out)
	}
}

func TestOpenEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	e, err := etcd.Open(ctx, etcd.Options{Dir: dir})
	if err == nil {
		e.Close()
		t.Fatal("opened")
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	openDir(t, dir) // nothing of it is left
}

// What an operator reads on a healthy first start and restart: nothing.
func TestAHealthyStartIsSilent(t *testing.T) {
	var mu sync.Mutex
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(lockedWriter{&mu, &out}, nil))
	dir := t.TempDir()
	for range 2 {
		e, err := etcd.Open(t.Context(), etcd.Options{Dir: dir, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if out.Len() > 0 {
		t.Errorf("logged:\n%s", out.String())
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	to *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}
