package acme_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/certs"
	"github.com/fairlead/fairlead/internal/certs/acme"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

func openStorage(t *testing.T, engine store.Engine, sealer *certs.Sealer, account string) *acme.Storage {
	t.Helper()
	st := store.New(engine, "/test", slog.New(slog.DiscardHandler))
	s := acme.StorageOf(st, sealer, account)
	if err := st.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(st.Close)
	return s
}

func openSealer(t *testing.T) *certs.Sealer {
	t.Helper()
	s, err := certs.OpenKeyFile(filepath.Join(t.TempDir(), "certificates.key"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The contract of certmagic's Storage, and that accounts don't see each other's (I8).
func TestStorageIsATreeOfFiles(t *testing.T) {
	engine, sealer, ctx := memstore.New(), openSealer(t), t.Context()
	other := openStorage(t, engine, sealer, "1")
	if err := other.Store(ctx, "acme/ca/users/a/private.key", []byte("theirs")); err != nil {
		t.Fatal(err)
	}
	s := openStorage(t, engine, sealer, "11")
	for _, key := range []string{"acme/ca/users/a/private.key", "acme/ca/users/a/registration.json", "acme/ca/users/ab/private.key", "acme/cab"} {
		if err := s.Store(ctx, key, []byte("secret of "+key)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Load(ctx, "acme/cab"); err != nil || string(got) != "secret of acme/cab" {
		t.Errorf("got %q, %v", got, err)
	}
	list := func(dir string, recursive bool, want ...string) {
		t.Helper()
		got, err := s.List(ctx, dir, recursive)
		if !slices.Equal(got, want) || (err == nil) != (len(want) > 0) || err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("list %q, recursive %v: got %q, %v, want %q", dir, recursive, got, err, want)
		}
	}
	list("acme/ca/users", false, "acme/ca/users/a", "acme/ca/users/ab")
	list("acme/ca/users/a", false, "acme/ca/users/a/private.key", "acme/ca/users/a/registration.json")
	list("acme/ca", true, "acme/ca/users/a/private.key", "acme/ca/users/a/registration.json", "acme/ca/users/ab/private.key")
	list("", false, "acme")
	list("acme/c", true)
	for key, want := range map[string]bool{"acme/ca": true, "acme/c": false, "acme/cab": true, "acme/cab/x": false} {
		if got := s.Exists(ctx, key); got != want {
			t.Errorf("%s exists: %v", key, got)
		}
	}
	if info, err := s.Stat(ctx, "acme/cab"); err != nil || !info.IsTerminal || info.Size != int64(len("secret of acme/cab")) || info.Modified.IsZero() {
		t.Errorf("a file: got %+v, %v", info, err)
	}
	if info, err := s.Stat(ctx, "acme/ca/users"); err != nil || info.IsTerminal || info.Modified.IsZero() {
		t.Errorf("a directory: got %+v, %v", info, err)
	}
	if err := s.Delete(ctx, "acme/ca"); err != nil {
		t.Fatal(err)
	}
	list("", true, "acme/cab")
	for _, key := range []string{"acme/ca/users/a/private.key", "never"} {
		if _, err := s.Load(ctx, key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("load %s: got %v", key, err)
		}
		if err := s.Delete(ctx, key); err != nil {
			t.Errorf("delete %s again: got %v", key, err)
		}
	}
	if got, err := other.Load(ctx, "acme/ca/users/a/private.key"); err != nil || string(got) != "theirs" {
		t.Errorf("the other account's: got %q, %v", got, err)
	}
	if _, err := engine.Load(ctx, "", func(kv store.KV) error {
		if strings.Contains(string(kv.Value), "secret") || strings.Contains(string(kv.Value), "c2VjcmV0") {
			t.Errorf("record %s is in plain text", kv.Key)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestALockIsKeptAndLapsesWithItsHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, sealer := memstore.New(), openSealer(t)
		one, two := openStorage(t, engine, sealer, "1"), openStorage(t, engine, sealer, "1")
		try := func(s *acme.Storage, name string) bool {
			t.Helper()
			synctest.Wait()
			ok, err := s.TryLock(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		if !try(one, "order") || try(two, "order") || try(one, "order") || !try(two, "another") {
			t.Error("a lock has one holder, and another name is another lock")
		}
		time.Sleep(10 * time.Minute)
		if try(two, "order") {
			t.Error("it lapsed while its holder lives")
		}
		waited := make(chan time.Duration)
		go func() {
			begun := time.Now()
			if err := two.Lock(t.Context(), "order"); err != nil {
				t.Error(err)
			}
			waited <- time.Since(begun)
		}()
		time.Sleep(time.Minute)
		if err := one.Unlock(t.Context(), "order"); err != nil {
			t.Fatal(err)
		}
		if got := <-waited; got < time.Minute || got > time.Minute+time.Second {
			t.Errorf("waited %v for a lock that was held for a minute", got)
		}
		two.Abandon("order") // as a process that is killed
		time.Sleep(29 * time.Second)
		if try(one, "order") {
			t.Error("it was taken before it lapsed")
		}
		time.Sleep(2 * time.Second)
		if !try(one, "order") {
			t.Error("it hasn't lapsed after its holder's death")
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := two.Lock(ended, "order"); !errors.Is(err, context.Canceled) {
			t.Errorf("a wait that was given up: got %v", err)
		}
		for s, name := range map[*acme.Storage]string{one: "order", two: "another"} {
			if err := s.Unlock(t.Context(), name); err != nil {
				t.Error(err)
			}
		}
	})
}
