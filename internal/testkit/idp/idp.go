// Package idp is an OpenID Connect provider for tests: one that does as it should, and
// whose every answer a test can spoil. It asks nobody for a password: who comes to log
// in is logged in as Subject.
//
// It speaks TLS, with a certificate of its own. Start reading at New.
package idp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Provider is a provider that knows one client. The exported fields are a test's to
// set, before it is asked or under Lock.
type Provider struct {
	sync.Mutex

	Issuer       string // the server's URL
	ClientID     string
	ClientSecret string // "": the client proves with its codes that it has asked for them
	SecretInBody bool   // where the secret is wanted
	Subject      string
	Claims       map[string]any // of the user info endpoint, beside "sub"
	Lifetime     time.Duration  // of access tokens; 0: it isn't told
	Refreshes    bool           // there are refresh tokens; each counts once
	Key          *ecdsa.PrivateKey
	KeyID        string
	NoDiscovery  bool // it publishes nothing
	Down         bool // its token endpoint hangs up on everybody

	// What spoils answers; nil: nothing does.
	Authorization func(back url.Values)                                   // what goes back to the load balancer
	IDToken       func(claims map[string]any)                             // what is signed
	Sign          func(payload []byte) string                             // in place of a signature by Key
	Token         func(w http.ResponseWriter, answer map[string]any) bool // true: it has answered itself
	UserInfo      func(w http.ResponseWriter, claims map[string]any) bool // likewise

	server *httptest.Server
	codes  map[string]code
	tokens map[string]string // access tokens → subjects
	fresh  map[string]string // refresh tokens that haven't been used → subjects
	asked  map[string]int    // endpoints
}

type code struct{ subject, nonce, redirect, challenge string }

// New returns a provider that runs until the test ends.
func New(t testing.TB) *Provider {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &Provider{
		ClientID: "client", ClientSecret: "a secret/with:odd+characters", Subject: "alice", Claims: map[string]any{"email": "alice@example.test"},
		Key: key, KeyID: "one", codes: map[string]code{}, tokens: map[string]string{}, fresh: map[string]string{}, asked: map[string]int{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /keys", p.publish)
	mux.HandleFunc("GET /oauth2/authorize", p.authorize)
	mux.HandleFunc("POST /oauth2/token", p.token)
	mux.HandleFunc("GET /oauth2/userInfo", p.userInfo)
	p.server = httptest.NewUnstartedServer(mux)
	p.server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that fail are meant to
	p.server.StartTLS()
	t.Cleanup(p.server.Close)
	p.Issuer = p.server.URL
	return p
}

// Authorize returns the URL of the authorization endpoint.
func (p *Provider) Authorize() string { return p.server.URL + "/oauth2/authorize" }

// TokenEndpoint returns the URL of the token endpoint.
func (p *Provider) TokenEndpoint() string { return p.server.URL + "/oauth2/token" }

// UserInfoEndpoint returns the URL of the user info endpoint.
func (p *Provider) UserInfoEndpoint() string { return p.server.URL + "/oauth2/userInfo" }

// Roots returns who vouches for the provider's certificate.
func (p *Provider) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.server.Certificate())
	return pool
}

// Certificate returns the provider's certificate, which vouches for itself, in DER.
func (p *Provider) Certificate() []byte { return p.server.Certificate().Raw }

// Asked returns how often an endpoint has been asked: "authorize", "token", "refresh",
// "userinfo", "keys".
func (p *Provider) Asked(endpoint string) int {
	p.Lock()
	defer p.Unlock()
	return p.asked[endpoint]
}

// LogOut takes back all tokens.
func (p *Provider) LogOut() {
	p.Lock()
	defer p.Unlock()
	clear(p.fresh)
	clear(p.tokens)
}

func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	p.Lock()
	defer p.Unlock()
	p.asked["keys"]++
	if p.NoDiscovery {
		http.Error(w, "nothing", http.StatusNotFound)
		return
	}
	answer(w, 200, map[string]any{"issuer": p.Issuer, "jwks_uri": p.server.URL + "/keys"})
}

func (p *Provider) publish(w http.ResponseWriter, _ *http.Request) {
	p.Lock()
	defer p.Unlock()
	answer(w, 200, map[string]any{"keys": []any{
		map[string]any{"kty": "unheard of", "kid": "other"},
		jose.JSONWebKey{Key: &p.Key.PublicKey, KeyID: p.KeyID, Algorithm: "ES256", Use: "sig"},
	}})
}

func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	p.Lock()
	defer p.Unlock()
	p.asked["authorize"]++
	q := r.URL.Query()
	if q.Get("response_type") != "code" || q.Get("client_id") != p.ClientID {
		http.Error(w, "unknown client", http.StatusBadRequest)
		return
	}
	id := rand.Text()
	p.codes[id] = code{p.Subject, q.Get("nonce"), q.Get("redirect_uri"), q.Get("code_challenge")}
	back := url.Values{"code": {id}, "state": {q.Get("state")}, "iss": {p.Issuer}}
	if p.Authorization != nil {
		p.Authorization(back)
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	p.Lock()
	defer p.Unlock()
	if p.Down {
		panic(http.ErrAbortHandler)
	}
	if !p.knows(r) {
		answer(w, 401, map[string]any{"error": "invalid_client"})
		return
	}
	var from code
	switch r.PostFormValue("grant_type") {
	case "authorization_code":
		p.asked["token"]++
		c, ok := p.codes[r.PostFormValue("code")]
		delete(p.codes, r.PostFormValue("code"))
		sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		if !ok || c.redirect != r.PostFormValue("redirect_uri") || c.challenge != "" && c.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
			answer(w, 400, map[string]any{"error": "invalid_grant"})
			return
		}
		from = c
	case "refresh_token":
		p.asked["refresh"]++
		subject, ok := p.fresh[r.PostFormValue("refresh_token")]
		delete(p.fresh, r.PostFormValue("refresh_token"))
		if !ok {
			answer(w, 400, map[string]any{"error": "invalid_grant"})
			return
		}
		from.subject = subject
	default:
		answer(w, 400, map[string]any{"error": "unsupported_grant_type"})
		return
	}
	access := rand.Text()
	p.tokens[access] = from.subject
	said := map[string]any{"access_token": access, "token_type": "Bearer", "id_token": p.idToken(from)}
	if p.Lifetime > 0 {
		said["expires_in"] = p.Lifetime.Seconds()
	}
	if p.Refreshes {
		refresh := rand.Text()
		p.fresh[refresh] = from.subject
		said["refresh_token"] = refresh
	}
	if p.Token == nil || !p.Token(w, said) {
		answer(w, 200, said)
	}
}

// knows says whether the request is the client's. A client without a secret has to
// have proven something else.
func (p *Provider) knows(r *http.Request) bool {
	id, secret, basic := r.BasicAuth()
	if basic {
		id, _ = url.QueryUnescape(id) // what isn't escaped is the same
		secret, _ = url.QueryUnescape(secret)
	} else {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	return id == p.ClientID && secret == p.ClientSecret && (secret == "" || basic != p.SecretInBody)
}

func (p *Provider) idToken(c code) string {
	now := time.Now()
	claims := map[string]any{"iss": p.Issuer, "sub": c.subject, "aud": p.ClientID, "exp": now.Add(time.Hour).Unix(), "iat": now.Unix()}
	if c.nonce != "" {
		claims["nonce"] = c.nonce
	}
	if p.IDToken != nil {
		p.IDToken(claims)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err) // a test's claims can be encoded
	}
	if p.Sign != nil {
		return p.Sign(payload)
	}
	return Sign(payload, jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: p.Key, KeyID: p.KeyID}})
}

// Sign returns the payload, signed.
func Sign(payload []byte, key jose.SigningKey) string {
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		panic(err) // a test's key is one
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		panic(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return text
}

func (p *Provider) userInfo(w http.ResponseWriter, r *http.Request) {
	p.Lock()
	defer p.Unlock()
	p.asked["userinfo"]++
	subject, ok := "", false
	if h := r.Header.Get("Authorization"); len(h) > len("Bearer ") {
		subject, ok = p.tokens[h[len("Bearer "):]]
	}
	claims := maps.Clone(p.Claims)
	if claims == nil {
		claims = map[string]any{}
	}
	claims["sub"] = subject
	if p.UserInfo != nil && p.UserInfo(w, claims) {
		return
	}
	if !ok {
		http.Error(w, "unknown token", http.StatusUnauthorized)
		return
	}
	answer(w, 200, claims)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whoever asks sees that it is cut short
}
