package bucket_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/fairlead/fairlead/internal/bucket"
)

func TestObjectsComeFromDirectoriesAndURLs(t *testing.T) {
	dir := t.TempDir()
	inside := filepath.Join(dir, "inside")
	for name, text := range map[string]string{"secret": "no", "inside/a": "hello", "inside/deep/b": "there"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../secret", filepath.Join(inside, "link")); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.EscapedPath() == "/base/100%2525%20%3F" {
			_, _ = io.WriteString(w, "odd")
			return
		}
		if r.URL.Path != "/base/a" {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, "remote"+r.URL.Query().Get("versionId"))
	}))
	defer srv.Close()
	defer http.DefaultClient.CloseIdleConnections()

	set := bucket.Set{"local": inside, "remote": srv.URL + "/base", "gone": filepath.Join(dir, "none")}
	for _, c := range []struct {
		name, bucket, key, version string
		limit                      int64
		want                       string
		err                        error // nil with want "": any
	}{
		{"a file", "local", "a", "", 5, "hello", nil},
		{"a file further down", "local", "deep/b", "", 10, "there", nil},
		{"a large file", "local", "a", "", 4, "", bucket.ErrTooLarge},
		{"no such file", "local", "c", "", 10, "", bucket.ErrNotFound},
		{"a directory", "local", "deep", "", 10, "", bucket.ErrNotFound},
		{"a version of a file", "local", "a", "7", 10, "", bucket.ErrNotFound},
		{"a file outside", "local", "../secret", "", 10, "", nil},
		{"a link to outside", "local", "link", "", 10, "", nil},
		{"a rooted name", "local", filepath.Join(dir, "secret"), "", 10, "", nil},
		{"an object", "remote", "a", "", 10, "remote", nil},
		{"a version of an object", "remote", "a", "7", 10, "remote7", nil},
		{"an object beside the bucket", "remote", "../base/a", "", 10, "", bucket.ErrNotFound},
		{"an object with an odd name", "remote", "100%25 ?", "", 20, "odd", nil},
		{"no such object", "remote", "c", "", 10, "", bucket.ErrNotFound},
		{"no such bucket", "other", "a", "", 10, "", bucket.ErrNotFound},
		{"a directory that isn't there", "gone", "a", "", 10, "", nil},
	} {
		got, err := set.Fetch(t.Context(), c.bucket, c.key, c.version, c.limit)
		if string(got) != c.want || (c.want == "") != (err != nil) || c.err != nil && !errors.Is(err, c.err) {
			t.Errorf("%s: got %q, %v; want %q, %v", c.name, got, err, c.want, c.err)
		}
	}
}
