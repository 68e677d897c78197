// Package tokens is an issuer of JSON Web Tokens for tests, with the endpoint that its keys are
// at: over TLS, on loopback. Its keys can be rotated, and the endpoint can fail.
//
// Start reading at Issuer.
package tokens

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Issuer issues tokens. It is safe for concurrent use.
type Issuer struct {
	Name string // the claim iss

	t      testing.TB
	server *httptest.Server

	mu     sync.Mutex // guards the following
	keys   []jose.JSONWebKey
	fetch  http.HandlerFunc // instead of telling the keys; nil: they are told
	asked  int
	number int
}

// New returns an issuer that has no keys. It ends with the test.
func New(t testing.TB) *Issuer {
	i := &Issuer{t: t, Name: "https://id.test/"}
	i.server = httptest.NewUnstartedServer(http.HandlerFunc(i.serve))
	i.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	i.server.StartTLS()
	t.Cleanup(i.server.Close)
	return i
}

// JWKS returns the URL of the keys.
func (i *Issuer) JWKS() string { return i.server.URL + "/keys" }

// Roots returns who vouches for the one at the URL.
func (i *Issuer) Roots() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(i.server.Certificate())
	return p
}

// CA returns the same in PEM.
func (i *Issuer) CA() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.server.Certificate().Raw})
}

// Stop ends the endpoint, as if its host had.
func (i *Issuer) Stop() { i.server.Close() }

// Asked returns how many times the keys have been fetched.
func (i *Issuer) Asked() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

// Answer has a fetch of the keys answered by h; by the keys again with nil.
func (i *Issuer) Answer(h http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.fetch = h
}

// Rotate gives the issuer a new key of the algorithm in the place of all that it has.
func (i *Issuer) Rotate(alg jose.SignatureAlgorithm) {
	i.t.Helper()
	var private crypto.Signer
	var err error
	if alg == jose.RS256 {
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		i.t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.number++
	i.keys = []jose.JSONWebKey{{Key: private, KeyID: "key-" + strconv.Itoa(i.number), Algorithm: string(alg), Use: "sig"}}
}

func (i *Issuer) serve(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.asked++
	fetch := i.fetch
	var set jose.JSONWebKeySet
	for _, k := range i.keys {
		set.Keys = append(set.Keys, k.Public())
	}
	i.mu.Unlock()
	if fetch != nil {
		fetch(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	_ = json.NewEncoder(w).Encode(set) // or the client is gone
}

// Token returns a token that is good for a minute, with the claims beside those that it
// has to have, or instead of them; nil leaves one out.
func (i *Issuer) Token(claims map[string]any) string {
	i.t.Helper()
	all := map[string]any{"iss": i.Name, "exp": time.Now().Add(time.Minute).Unix(), "iat": time.Now().Unix(), "sub": "tests"}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	i.mu.Lock()
	key := i.keys[0]
	i.mu.Unlock()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.Algorithm), Key: key}, new(jose.SignerOptions).WithType("JWT"))
	if err != nil {
		i.t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(all).Serialize()
	if err != nil {
		i.t.Fatal(err)
	}
	return token
}
