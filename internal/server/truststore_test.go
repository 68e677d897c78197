package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/bucket"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
	"github.com/fairlead/fairlead/internal/truststore"
)

// What a call says where a content is can be fetched from there, by whoever has
// it, until it expires, and by nobody else.
func TestContentsAreServedToWhoHasTheirLocation(t *testing.T) {
	engine := memstore.New()
	st := store.New(engine, "/test", nil)
	dir := t.TempDir()
	root := issuer.New(t, "Root")
	if err := os.WriteFile(filepath.Join(dir, "root.pem"), root.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	r := &rooms{store: st}
	r.trustStores = truststore.New(st, tags.New(st), truststore.Options{Fetch: objects{bucket.Set{"cas": dir}}.fetch})
	if err := st.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		st.Close()
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	}()
	made, err := r.trustStores.Create(t.Context(), truststore.Create{
		Account: "111122223333", Region: "local-1", Name: "clients", Bundle: truststore.Object{Bucket: "cas", Key: "root.pem"}, Time: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	c := newContents(r)
	get := func(method, location string) (int, string) {
		w := httptest.NewRecorder()
		c.beside(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(method, location, nil))
		body, _ := io.ReadAll(w.Result().Body)
		return w.Code, string(body)
	}
	soon := time.Now().Add(10 * time.Minute)
	good := c.location(made.Bundle, "clients.pem", soon)
	if code, body := get("GET", good); code != 200 || body != string(root.PEM) {
		t.Errorf("got %d %q", code, body)
	}
	for name, location := range map[string]string{
		"expired":               c.location(made.Bundle, "clients.pem", time.Now().Add(-time.Second)),
		"of another process":    newContents(r).location(made.Bundle, "clients.pem", soon),
		"for longer":            strings.Replace(good, "expires=1", "expires=2", 1),
		"of another content":    strings.Replace(good, made.Bundle, "00", 1),
		"without a signature":   contentPath + made.Bundle + "/clients.pem",
		"of nothing whatsoever": contentPath,
	} {
		if code, body := get("GET", location); code != 403 || strings.Contains(body, "CERTIFICATE") {
			t.Errorf("%s: got %d %q", name, code, body)
		}
	}
	if code, _ := get("POST", good); code != 405 {
		t.Errorf("POST: got %d", code)
	}
	if code, _ := get("GET", "/"); code != 404 {
		t.Errorf("what is no content: got %d, want the next handler's answer", code)
	}
	if code, _ := get("GET", c.location("00", "clients.pem", soon)); code != 404 {
		t.Errorf("a content that is gone: got %d", code)
	}
}
