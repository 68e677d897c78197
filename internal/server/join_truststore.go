package server

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/bucket"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/truststore"
)

// objects is the configured buckets as the truststore room needs them.
type objects struct{ set bucket.Set }

func (o objects) fetch(ctx context.Context, at truststore.Object, limit int64) ([]byte, error) {
	b, err := o.set.Fetch(ctx, at.Bucket, at.Key, at.Version, limit)
	if errors.Is(err, bucket.ErrNotFound) {
		return nil, errors.Join(truststore.ErrNoObject, err)
	}
	return b, err
}

// trusted is the truststore room as the elb room needs it.
type trusted struct{ stores *truststore.Service }

func (t trusted) Has(r store.Reader, account, region, arn string) bool {
	_, err := t.stores.TrustStore(r, account, region, arn)
	return err == nil
}

func (t trusted) Use(tx *store.Tx, arn string) { t.stores.Use(tx, arn) }

func (t trusted) Trust(r store.Reader, arn string) (*snapshot.TrustStore, bool) {
	return t.stores.Trust(r, arn)
}

func (t trusted) Collection() string { return t.stores.Collection() }

// contents serves the contents of trust stores, beside the APIs, to who has a
// location that was given out. Locations are signed with a key of this process:
// those of another are as good as expired.
type contents struct {
	rooms *rooms
	base  string // URL of the APIs, known once they are listened for
	key   []byte
}

// contentPath begins the paths of contents. No API has it: theirs is /.
const contentPath = "/trust-store-contents/"

func newContents(r *rooms) *contents {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails (crypto/rand)
	return &contents{rooms: r, key: key}
}

func (c *contents) location(content, name string, expires time.Time) string {
	at := strconv.FormatInt(expires.Unix(), 10)
	q := url.Values{"expires": {at}, "signature": {c.sign(content, at)}}
	return c.base + contentPath + content + "/" + url.PathEscape(name) + "?" + q.Encode()
}

func (c *contents) sign(content, expires string) string {
	mac := hmac.New(sha256.New, c.key)
	_, _ = fmt.Fprintf(mac, "%s %s", content, expires) // a hash takes everything
	return hex.EncodeToString(mac.Sum(nil))
}

// beside returns the handler of contents, and of all else that next answers.
func (c *contents) beside(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ok := strings.CutPrefix(r.URL.Path, contentPath)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		content, _, _ := strings.Cut(rest, "/")
		c.serve(w, r, content)
	})
}

func (c *contents) serve(w http.ResponseWriter, r *http.Request, content string) {
	expires := r.URL.Query().Get("expires")
	until, err := strconv.ParseInt(expires, 10, 64)
	signed := hmac.Equal([]byte(c.sign(content, expires)), []byte(r.URL.Query().Get("signature")))
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		http.Error(w, "only GET is served here", http.StatusMethodNotAllowed)
		return
	case err != nil || !signed || time.Now().Unix() >= until:
		http.Error(w, "this location has expired: ask the API for another", http.StatusForbidden)
		return
	}
	parts := c.rooms.trustStores.Content(c.rooms.store.Snapshot(), content)
	if parts == nil {
		http.Error(w, "the trust store has another content now", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	for _, p := range parts {
		if _, err := w.Write(p); err != nil {
			return // the client is gone
		}
	}
}
