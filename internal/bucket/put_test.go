package bucket_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/bucket"
)

func TestObjectsArePutIntoDirectoriesAndURLs(t *testing.T) {
	dir := t.TempDir()
	got := map[string]string{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Hash") != "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" {
			http.Error(w, "who are you?", http.StatusForbidden)
			return
		}
		text, _ := io.ReadAll(r.Body)
		got[r.Method+" "+r.URL.EscapedPath()] = string(text)
	}))
	defer srv.Close()
	defer http.DefaultClient.CloseIdleConnections()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "inside"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("..", filepath.Join(dir, "inside", "out")); err != nil {
		t.Fatal(err)
	}
	w := &bucket.Writer{
		Set:    bucket.Set{"local": filepath.Join(dir, "inside"), "remote": srv.URL + "/base", "file": filepath.Join(dir, "file")},
		Others: filepath.Join(dir, "others"),
		Sign:   func(r *http.Request, hash string) { r.Header.Set("X-Hash", hash) },
	}
	for _, tt := range []struct {
		name, bucket, key string
		at                string // where the object is then; "": it is refused
	}{
		{"a directory", "local", "a/b.gz", "inside/a/b.gz"},
		{"the same again", "local", "a/b.gz", "inside/a/b.gz"},
		{"one that isn't configured", "mine", "AWSLogs/1/x", "others/mine/AWSLogs/1/x"},
		{"one whose name leads elsewhere", "../mine", "x", ""},
		{"a key that leads out", "local", "../../x", ""},
		{"a link that leads out", "local", "out/x", ""},
		{"what isn't a directory", "file", "x", ""},
		{"no key", "local", "", ""},
		{"the directory of all others", ".", "x", ""},
		{"a server's other bucket", "remote", "../x", ""},
		{"a server's other bucket, on the way", "remote", "a/../../x", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := w.Put(t.Context(), tt.bucket, tt.key, strings.NewReader("hello"))
			if tt.at == "" {
				if !errors.Is(err, bucket.ErrRefused) {
					t.Errorf("got %v, want ErrRefused", err)
				}
				return
			}
			text, readErr := os.ReadFile(filepath.Join(dir, tt.at))
			if err != nil || readErr != nil || string(text) != "hello" {
				t.Errorf("got %v; %q, %v", err, text, readErr)
			}
		})
	}
	for key, path := range map[string]string{"p x/y": "p%20x/y", "100%25/+=(a)?b#c": "100%2525/%2B%3D%28a%29%3Fb%23c", "a//b": "a//b", "ü": "%C3%BC"} {
		if err := w.Put(t.Context(), "remote", key, strings.NewReader("hello")); err != nil || got["PUT /base/"+path] != "hello" {
			t.Errorf("a URL and the key %s: %v; the server got %v", key, err, got)
		}
	}
	w.Sign = nil
	if err := w.Put(t.Context(), "remote", "z", strings.NewReader("hello")); !errors.Is(err, bucket.ErrRefused) {
		t.Errorf("without a signature: %v", err)
	}
}
