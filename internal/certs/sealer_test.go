package certs_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/certs"
)

func sealer(t *testing.T, path string) *certs.Sealer {
	t.Helper()
	s, err := certs.OpenKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheKeyFileIsMadeOnceAndForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "certificates.key")
	sealers := make([]*certs.Sealer, 8)
	var starts sync.WaitGroup
	for i := range sealers { // servers that start at once
		starts.Go(func() { sealers[i] = sealer(t, path) })
	}
	starts.Wait()
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("got mode %v, %v, want 0600", st.Mode(), err)
	}
	sealed := sealers[0].Seal([]byte("secret"), "arn:1")
	for i, s := range sealers {
		if got, err := s.Open(sealed, "arn:1"); err != nil || string(got) != "secret" {
			t.Errorf("server %d opens what server 0 sealed: got %q, %v", i, got, err)
		}
	}
	if names, err := os.ReadDir(filepath.Dir(path)); err != nil || len(names) != 1 {
		t.Errorf("got %v, %v beside the key file, want nothing", names, err)
	}
}

func TestWhatIsSealedIsWorthNothingElsewhere(t *testing.T) {
	dir := t.TempDir()
	s, other := sealer(t, filepath.Join(dir, "a.key")), sealer(t, filepath.Join(dir, "b.key"))
	secret := []byte("the private key of shop.example")
	sealed := s.Seal(secret, "arn:1")
	if bytes.Contains(sealed, secret[:8]) {
		t.Error("the secret is in what was sealed")
	}
	if bytes.Equal(sealed, s.Seal(secret, "arn:1")) {
		t.Error("sealing twice gives the same: the nonce is no nonce")
	}
	altered := bytes.Clone(sealed)
	altered[len(altered)-1] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"for another certificate":  func() ([]byte, error) { return s.Open(sealed, "arn:2") },
		"with another key file":    func() ([]byte, error) { return other.Open(sealed, "arn:1") },
		"altered":                  func() ([]byte, error) { return s.Open(altered, "arn:1") },
		"cut short":                func() ([]byte, error) { return s.Open(sealed[:12], "arn:1") },
		"nothing":                  func() ([]byte, error) { return s.Open(nil, "arn:1") },
		"in a form of later times": func() ([]byte, error) { return s.Open(append([]byte{9}, sealed[1:]...), "arn:1") },
	} {
		if got, err := open(); err == nil || got != nil || strings.Contains(err.Error(), "shop.example") {
			t.Errorf("opened %s: got %q, %v, want an error that shows nothing", name, got, err)
		}
	}
	if text := fmt.Sprintf("%v %+v", s, err(s.Open(altered, "arn:1"))); strings.Contains(text, "shop") {
		t.Errorf("printed: %s", text)
	}
}

func err(_ []byte, err error) error { return err }

func TestAKeyFileThatCantBeTrustedIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		mode    os.FileMode
		want    string
	}{
		"others can read it": {"fairlead-sealing-key-1 AAAA", 0o640, "chmod 600"},
		"it is empty":        {"", 0o600, "damaged"},
		"it is too short":    {"fairlead-sealing-key-1 AAAA\n", 0o600, "damaged"},
		"it is another file": {"-----BEGIN PRIVATE KEY-----\n", 0o600, "damaged"},
	} {
		path := filepath.Join(t.TempDir(), "certificates.key")
		if err := os.WriteFile(path, []byte(c.content), c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := certs.OpenKeyFile(path); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want an error with %q and the path", name, err, c.want)
		}
	}
}
