package server

import (
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/fairlead/fairlead/internal/proxy/oidc"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// authKeys serves, beside the APIs, the public halves of the keys by which load
// balancers sign what they tell targets of users: under a path, and at the host that
// applications written for ELB ask, which is to be given the server's address.
type authKeys struct {
	rooms *rooms

	mu    sync.Mutex        // guards the following
	known map[string][]byte // key ID → PEM
	seen  map[string]string // ARN of a load balancer → its sealed key, whose ID is known
}

// authKeyPath begins the paths of keys. No API has it: theirs is /.
const authKeyPath = "/public-keys/"

// authKeyHost is what the names begin with at which ELB serves keys.
const authKeyHost = "public-keys.auth.elb."

func newAuthKeys(r *rooms) *authKeys {
	return &authKeys{rooms: r, known: map[string][]byte{}, seen: map[string]string{}}
}

// beside returns the handler of keys, and of all else that next answers.
func (k *authKeys) beside(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, ok := strings.CutPrefix(r.URL.Path, authKeyPath)
		if host, _, err := net.SplitHostPort(r.Host); strings.HasPrefix(r.Host, authKeyHost) || err == nil && strings.HasPrefix(host, authKeyHost) {
			id, ok = strings.TrimPrefix(r.URL.Path, "/"), true
		}
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "keys can be got alone", http.StatusMethodNotAllowed)
			return
		}
		pem := k.lookup(id)
		if pem == nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Cache-Control", "max-age=86400") // a key has its ID for all time
		_, _ = w.Write(pem)                              // who asks sees that it is cut short
	})
}

// lookup returns a key, nil if no load balancer has it. A key is derived once: those
// of load balancers that have come since are, when one is asked for that isn't known.
func (k *authKeys) lookup(id string) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	if pem := k.known[id]; pem != nil || len(id) != 36 {
		return pem
	}
	r := k.rooms.store.Snapshot()
	for arn, sealed := range k.rooms.elb.CookieKeys(r) {
		if k.seen[arn] == string(sealed) {
			continue
		}
		k.seen[arn] = string(sealed)
		secret, err := k.rooms.openKey(snapshot.CookieSubject(arn), sealed)
		if err != nil {
			continue // its nodes can't sign with it either, and have said so
		}
		keys, err := oidc.NewKeys(secret)
		if err != nil {
			continue // likewise
		}
		k.known[keys.ID] = keys.PEM
	}
	return k.known[id]
}
