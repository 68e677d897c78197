package proxy_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/proxy/meter"
	"github.com/fairlead/fairlead/internal/proxy/outbound"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/testkit/idp"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// loginWorld is a world whose listener has clients log in with a provider.
type loginWorld struct {
	*secureWorld
	idp *idp.Provider
}

func newLoginWorld(t testing.TB) *loginWorld {
	t.Helper()
	return newLoginWorldWith(t, proxy.Options{})
}

func newLoginWorldWith(t testing.TB, o proxy.Options) *loginWorld {
	t.Helper()
	p := idp.New(t)
	o.Providers = outbound.Options{Roots: p.Roots(), Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	w := &loginWorld{newSecureWorldOf(t, issuer.New(t, "Root"), o), p}
	w.certify("arn:1", w.root.Issue("shop.example", "other.example"))
	w.lb().CookieKey = append([]byte{7}, bytes.Repeat([]byte{1}, 32)...)
	w.lb().Listeners[0].Rules[0].Actions = append([]snapshot.Action{w.action()}, forwardTo(tgARN)...)
	w.register(w.httpTarget(tellUser))
	return w
}

// tellUser answers what a target is told of its user, a line each.
func tellUser(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/logout" {
		rw.Header().Add("Set-Cookie", "AWSELBAuthSessionCookie-0=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/")
	}
	for _, name := range []string{"X-Amzn-Oidc-Accesstoken", "X-Amzn-Oidc-Identity", "X-Amzn-Oidc-Data"} {
		fmt.Fprintf(rw, "%s\n", strings.Join(r.Header[name], "|"))
	}
	fmt.Fprintf(rw, "%s %s\n", r.Method, r.URL)
	for name := range r.Header {
		if strings.Contains(name, "_") {
			fmt.Fprintf(rw, "%s\n", name)
		}
	}
}

// action is the action that logs in, with the defaults of ELBv2.
func (w *loginWorld) action() snapshot.Action {
	o := &snapshot.OIDC{
		Issuer: w.idp.Issuer, AuthorizationEndpoint: w.idp.Authorize(), TokenEndpoint: w.idp.TokenEndpoint(), UserInfoEndpoint: w.idp.UserInfoEndpoint(),
		ClientID: w.idp.ClientID, Cookie: "AWSELBAuthSessionCookie", Scope: "openid", Timeout: 7 * 24 * time.Hour, Unauthenticated: snapshot.Authenticate,
	}
	if w.idp.ClientSecret != "" {
		o.Secret = append([]byte{7}, w.idp.ClientSecret...)
	}
	return snapshot.Action{Type: snapshot.ActionAuthenticateOIDC, OIDC: o}
}

func (w *loginWorld) oidc() *snapshot.OIDC { return w.lb().Listeners[0].Rules[0].Actions[0].OIDC }

// browser is a client with a cookie jar, which trusts the listener and the provider.
// It follows redirects if it is told to.
type browser struct {
	*http.Client
	w *loginWorld
}

func (w *loginWorld) browser(follow, http2 bool) *browser {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	roots := w.root.Pool()
	provider, err := x509.ParseCertificate(w.idp.Certificate())
	if err != nil {
		w.t.Fatal(err)
	}
	roots.AddCert(provider)
	cfg := w.trusting("")
	cfg.RootCAs = roots
	tr := &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: http2}
	tr.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.HasSuffix(address, fmt.Sprintf(".example:%d", port)) {
			address = w.address() // names are the listener's
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	w.t.Cleanup(tr.CloseIdleConnections)
	c := &http.Client{Transport: tr, Jar: jar, Timeout: 20 * time.Second}
	if !follow {
		c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return &browser{c, w}
}

// shop returns a URL of the listener.
func shop(path string) string { return fmt.Sprintf("https://shop.example:%d%s", port, path) }

func (b *browser) get(url string) (*http.Response, string) {
	b.w.t.Helper()
	resp, err := b.Get(url)
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return resp, string(body)
}

// begin asks for a page and returns where the provider sends the browser back to.
func (b *browser) begin(path string) (callback string) {
	b.w.t.Helper()
	resp, _ := b.get(shop(path))
	if resp.StatusCode != 302 {
		b.w.t.Fatalf("%s: got %s, want a redirect to the provider", path, resp.Status)
	}
	resp, _ = b.get(resp.Header.Get("Location"))
	if resp.StatusCode != 302 {
		b.w.t.Fatalf("the provider: got %s", resp.Status)
	}
	return resp.Header.Get("Location")
}

// forget drops a cookie.
func (b *browser) forget(name string) {
	u, _ := url.Parse(shop("/"))
	b.Jar.SetCookies(u, []*http.Cookie{{Name: name, MaxAge: -1, Path: "/", Secure: true}})
}

// set sets a cookie.
func (b *browser) set(name, value string) {
	u, _ := url.Parse(shop("/"))
	b.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/", Secure: true}})
}

// counts returns what the node has counted, by CloudWatch's names.
func (w *loginWorld) counts() map[string]uint64 {
	out := map[string]uint64{}
	counts := w.proxy.Measurements()[0].Counts
	for c := range meter.Counters {
		out[c.String()] = counts[c]
	}
	return out
}

func (b *browser) cookies() map[string]string {
	u, _ := url.Parse(shop("/"))
	out := map[string]string{}
	for _, c := range b.Jar.Cookies(u) {
		out[c.Name] = c.Value
	}
	return out
}

// other returns another character of base64 than c.
func other(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}

// user is what a target was told of a client.
type user struct {
	token, identity string
	header, claims  map[string]any
	asked           string
}

// userOf reads a target's page, and holds the token in it to the key that the load
// balancer serves.
func (b *browser) userOf(page string) (u user) {
	b.w.t.Helper()
	lines := strings.Split(page, "\n")
	u.token, u.identity, u.asked = lines[0], lines[1], lines[3]
	if lines[2] == "" {
		return u
	}
	parts := strings.Split(lines[2], ".")
	if len(parts) != 3 {
		b.w.t.Fatalf("token %q", lines[2])
	}
	for i, into := range []*map[string]any{&u.header, &u.claims} {
		text, err := base64.URLEncoding.DecodeString(parts[i]) // with its padding
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			b.w.t.Fatalf("part %d of %q: %v", i, lines[2], err)
		}
	}
	resp, text := b.get(shop(fmt.Sprintf("/oauth2/public-keys/%s", u.header["kid"])))
	block, _ := pem.Decode([]byte(text))
	if resp.StatusCode != 200 || block == nil {
		b.w.t.Fatalf("public key: %s %q", resp.Status, text)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		b.w.t.Fatal(err)
	}
	signature, err := base64.URLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || len(signature) != 64 || !ecdsa.Verify(key.(*ecdsa.PublicKey), sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		b.w.t.Errorf("the signature of %q doesn't hold", lines[2])
	}
	return u
}

func TestClientsLogIn(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %t", http2), func(t *testing.T) {
			w := newLoginWorld(t)
			w.oidc().Extra = map[string]string{"prompt": "login", "state": "mine"}
			w.apply()
			b := w.browser(false, http2)
			resp, _ := b.get(shop("/cart?id=7&x=%2F"))
			to, err := url.Parse(resp.Header.Get("Location"))
			if err != nil || resp.StatusCode != 302 {
				t.Fatalf("%s %v", resp.Status, err)
			}
			q := to.Query()
			for name, want := range map[string]string{
				"client_id": "client", "response_type": "code", "scope": "openid", "prompt": "login", "redirect_uri": shop("/oauth2/idpresponse"),
			} {
				if got := q.Get(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
			if len(q["state"]) != 1 || q.Get("state") == "mine" || q.Get("nonce") == "" {
				t.Errorf("state %q, nonce %q", q["state"], q["nonce"])
			}

			b.CheckRedirect = nil
			resp, page := b.get(shop("/cart?id=7&x=%2F"))
			u := b.userOf(page)
			if resp.StatusCode != 200 || u.asked != "GET /cart?id=7&x=%2F" || u.identity != "alice" || u.token == "" {
				t.Fatalf("%s %+v", resp.Status, u)
			}
			if u.claims["sub"] != "alice" || u.claims["email"] != "alice@example.test" || u.claims["iss"] != w.idp.Issuer || u.claims["exp"] != u.header["exp"] {
				t.Errorf("claims %v", u.claims)
			}
			exp := u.header["exp"].(float64)
			delete(u.header, "exp")
			delete(u.header, "kid")
			if want := map[string]any{"typ": "JWT", "alg": "ES256", "signer": lbARN, "iss": w.idp.Issuer, "client": "client"}; !maps.Equal(u.header, want) {
				t.Errorf("header %v, want %v", u.header, want)
			}
			if left := time.Until(time.Unix(int64(exp), 0)); left < time.Minute || left > 2*time.Minute {
				t.Errorf("the token counts for %v", left)
			}
			for range 3 { // who is known isn't sent there again
				if resp, page := b.get(shop("/")); resp.StatusCode != 200 || b.userOf(page).identity != "alice" {
					t.Errorf("%s %q", resp.Status, page)
				}
			}
			if n := w.idp.Asked("authorize"); n != 1 {
				t.Errorf("the provider was asked %d times", n)
			}
		})
	}
}

// What a target is told of a user must be the load balancer's word.
func TestClientsCannotSayWhoTheyAre(t *testing.T) {
	w := newLoginWorld(t)
	w.oidc().Unauthenticated = snapshot.Allow
	w.apply()
	b := w.browser(false, false)
	req, _ := http.NewRequest("GET", shop("/"), nil)
	req.Header = http.Header{"X-Amzn-Oidc-Identity": {"root"}, "x-amzn-oidc-DATA": {"e30=.e30=.e30="}, "X_Amzn_Oidc_Identity": {"root"}, "x-amzn_oidc-accesstoken": {"x"}}
	resp, err := b.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 200 || string(page) != "\n\n\nGET /\n" {
		t.Errorf("%s %q", resp.Status, page)
	}
}

func TestWhatBecomesOfStrangersAndOfExpiredSessions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		way                        snapshot.Unauthenticated
		stranger, expired, invalid int
	}{
		{snapshot.Authenticate, 302, 302, 302},
		{snapshot.Deny, 401, 302, 401},
		{snapshot.Allow, 200, 200, 200},
	} {
		t.Run(string(tt.way), func(t *testing.T) {
			w := newLoginWorld(t)
			w.apply()
			b := w.browser(true, false)
			b.get(shop("/"))
			session := b.cookies()["AWSELBAuthSessionCookie-0"]
			w.oidc().Unauthenticated = tt.way
			w.apply()
			b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			if resp, page := b.get(shop("/")); resp.StatusCode != 200 || b.userOf(page).identity != "alice" {
				t.Errorf("who has a session: %s %q", resp.Status, page)
			}
			b.set("AWSELBAuthSessionCookie-0", session[:50]+other(session[50])+session[51:])
			if resp, page := b.get(shop("/")); resp.StatusCode != tt.invalid || resp.StatusCode == 200 && b.userOf(page).identity != "" {
				t.Errorf("altered session: %s %q", resp.Status, page)
			}
			b.forget("AWSELBAuthSessionCookie-0")
			if resp, page := b.get(shop("/")); resp.StatusCode != tt.stranger || resp.StatusCode == 200 && b.userOf(page).identity != "" {
				t.Errorf("stranger: %s %q", resp.Status, page)
			}
			b.set("AWSELBAuthSessionCookie-0", session)
			w.oidc().Timeout = time.Second
			w.apply()
			eventually(t, "the session's end", func() bool {
				resp, page := b.get(shop("/"))
				return resp.StatusCode == tt.expired && (resp.StatusCode != 200 || b.userOf(page).identity == "")
			})
		})
	}
}

// has waits for a line of the access log that has all the texts.
func (b *logBook) has(t *testing.T, w *world, texts ...string) {
	t.Helper()
	for {
		line := b.take(t, w, proxy.AccessLog)
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
			return
		}
	}
}

// Every way in which a login can fail, with what the client is answered and what the
// access log and the metrics say of it (ELB user guide).
func TestLoginsFail(t *testing.T) {
	t.Parallel()
	type spoiled struct {
		name   string
		spoil  func(*loginWorld)
		come   func(b *browser, callback string) string // where the browser goes; nil: where it is sent
		status int
		reason string
		class  string // metric
	}
	answerWith := func(status int, body string) func(http.ResponseWriter, map[string]any) bool {
		return func(rw http.ResponseWriter, _ map[string]any) bool {
			rw.Header().Set("Content-Type", "application/json")
			rw.WriteHeader(status)
			_, _ = io.WriteString(rw, body)
			return true
		}
	}
	token := func(status int, body string) func(*loginWorld) {
		return func(w *loginWorld) { w.idp.Token = answerWith(status, body) }
	}
	info := func(status int, body string) func(*loginWorld) {
		return func(w *loginWorld) { w.idp.UserInfo = answerWith(status, body) }
	}
	claim := func(name string, value any) func(*loginWorld) {
		return func(w *loginWorld) { w.idp.IDToken = func(c map[string]any) { c[name] = value } }
	}
	silent := func(w *loginWorld) func(http.ResponseWriter, map[string]any) bool {
		over := make(chan struct{})
		w.t.Cleanup(func() { close(over) })
		return func(http.ResponseWriter, map[string]any) bool { <-over; return true }
	}
	query := func(change func(url.Values)) func(*browser, string) string {
		return func(_ *browser, callback string) string {
			u, _ := url.Parse(callback)
			q := u.Query()
			change(q)
			u.RawQuery = q.Encode()
			return u.String()
		}
	}
	const failure, fault = "ELBAuthFailure", "ELBAuthError"
	for _, tt := range []spoiled{
		{name: "no state", come: query(func(q url.Values) { q.Del("state") }), status: 401, reason: "AuthMissingStateParam", class: failure},
		{name: "two states", come: query(func(q url.Values) { q.Add("state", "x") }), status: 401, reason: "AuthMissingStateParam", class: failure},
		{name: "a state of nobody's", come: query(func(q url.Values) { q.Set("state", "AAAAAAAAAAAAAAAAAAAAAAAA") }), status: 401, reason: "AuthInvalidStateParam", class: failure},
		{name: "an altered state", come: query(func(q url.Values) { s := q.Get("state"); q.Set("state", s[:60]+other(s[60])+s[61:]) }), status: 401, reason: "AuthInvalidStateParam", class: failure},
		{name: "no code", come: query(func(q url.Values) { q.Del("code") }), status: 401, reason: "AuthMissingCodeParam", class: failure},
		{name: "the answer of another provider", come: query(func(q url.Values) { q.Set("iss", "https://evil.example") }), status: 401, reason: "AuthInvalidStateParam", class: failure},
		{name: "the provider denies access", come: query(func(q url.Values) { q.Del("code"); q.Set("error", "access_denied") }), status: 401, reason: "AuthMissingCodeParam", class: failure},
		{name: "the provider has an error", come: query(func(q url.Values) { q.Del("code"); q.Set("error", "server_error") }), status: 561, reason: "AuthMissingCodeParam", class: failure},
		{name: "a code of nobody's", come: query(func(q url.Values) { q.Set("code", "x") }), status: 401, reason: "AuthInvalidGrantError", class: failure},
		{name: "a code for the second time", come: func(b *browser, callback string) string { b.get(callback); return callback }, status: 401, reason: "AuthInvalidGrantError", class: failure},
		{name: "another browser, without a cookie", come: func(b *browser, callback string) string { b.forget("AWSALBAuthNonce"); return callback }, status: 401, reason: "AuthMissingAWSALBAuthNonce", class: failure},
		{name: "another browser, which logs in too", come: func(b *browser, callback string) string {
			b.forget("AWSALBAuthNonce")
			b.begin("/")
			return callback
		}, status: 401, reason: "AuthInvalidAWSALBAuthNonce", class: failure},
		{name: "another host", come: func(b *browser, callback string) string {
			u, _ := url.Parse(callback)
			b.Jar.SetCookies(&url.URL{Scheme: "https", Host: "other.example"}, []*http.Cookie{{Name: "AWSALBAuthNonce", Value: b.cookies()["AWSALBAuthNonce"], Path: "/"}})
			u.Host = fmt.Sprintf("other.example:%d", port)
			return u.String()
		}, status: 401, reason: "AuthInvalidStateParam", class: failure},

		{name: "no ID token", spoil: func(w *loginWorld) {
			w.idp.Token = func(_ http.ResponseWriter, a map[string]any) bool { delete(a, "id_token"); return false }
		}, status: 401, reason: "AuthInvalidIdToken", class: failure},
		{name: "an ID token of another issuer", spoil: claim("iss", "https://evil.example"), status: 401, reason: "AuthInvalidIdToken", class: failure},
		{name: "an ID token for another client", spoil: claim("aud", "other"), status: 401, reason: "AuthInvalidIdToken", class: failure},
		{name: "an ID token for several clients", spoil: claim("aud", []string{"client", "other"}), status: 401, reason: "AuthInvalidIdToken", class: failure},
		{name: "an ID token for another party", spoil: claim("azp", "other"), status: 401, reason: "AuthInvalidIdToken", class: failure},
		{name: "an ID token that has expired", spoil: claim("exp", 1), status: 401, reason: "AuthInvalidIdToken", class: failure},
		{name: "an ID token that expires some time", spoil: claim("exp", nil), status: 401, reason: "AuthInvalidIdToken", class: failure},
		{name: "an ID token of the future", spoil: claim("iat", time.Now().Add(time.Hour).Unix()), status: 401, reason: "AuthInvalidIdToken", class: failure},
		{name: "an ID token of another login", spoil: claim("nonce", "x"), status: 401, reason: "AuthInvalidIdToken", class: failure},
		{name: "an ID token of no login", spoil: claim("nonce", nil), status: 401, reason: "AuthInvalidIdToken", class: failure},
		{name: "an ID token of nobody", spoil: claim("sub", ""), status: 401, reason: "AuthInvalidIdToken", class: failure},
		{name: "a subject with the end of a line", spoil: claim("sub", "x\r\nx-amzn-oidc-identity: root"), status: 401, reason: "AuthInvalidIdToken", class: failure},
		{name: "an ID token that isn't signed", spoil: func(w *loginWorld) {
			w.idp.Sign = func(b []byte) string {
				return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(b) + "."
			}
		}, status: 401, reason: "AuthInvalidIdToken", class: failure},
		{name: "an ID token signed by somebody", spoil: func(w *loginWorld) {
			other := idp.New(w.t).Key
			w.idp.Sign = func(b []byte) string {
				return idp.Sign(b, jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: other, KeyID: "one"}})
			}
		}, status: 401, reason: "AuthInvalidIdToken", class: failure},
		{name: "an ID token signed with another secret", spoil: func(w *loginWorld) {
			w.idp.Sign = func(b []byte) string {
				return idp.Sign(b, jose.SigningKey{Algorithm: jose.HS256, Key: bytes.Repeat([]byte("x"), 32)})
			}
		}, status: 401, reason: "AuthInvalidIdToken", class: failure},

		{name: "garbage of the token endpoint", spoil: token(200, "<html>"), status: 401, reason: "AuthInvalidTokenResponse", class: failure},
		{name: "a token of another type", spoil: func(w *loginWorld) {
			w.idp.Token = func(_ http.ResponseWriter, a map[string]any) bool { a["token_type"] = "mac"; return false }
		}, status: 401, reason: "AuthInvalidTokenResponse", class: failure},
		{name: "an access token with the end of a line", spoil: func(w *loginWorld) {
			w.idp.Token = func(_ http.ResponseWriter, a map[string]any) bool { a["access_token"] = "x\r\ny: z"; return false }
		}, status: 401, reason: "AuthInvalidTokenResponse", class: failure},
		{name: "a huge answer of the token endpoint", spoil: token(200, strings.Repeat("x", 1<<20)), status: 401, reason: "AuthInvalidTokenResponse", class: failure},
		{name: "an error of the token endpoint", spoil: token(503, "{}"), status: 561, reason: "AuthTokenEpRequestFailed", class: fault},
		{name: "a redirect of the token endpoint", spoil: func(w *loginWorld) {
			w.idp.Token = func(rw http.ResponseWriter, _ map[string]any) bool {
				rw.Header().Set("Location", "https://127.0.0.1:1/")
				rw.WriteHeader(307)
				return true
			}
		}, status: 561, reason: "AuthTokenEpRequestFailed", class: fault},
		{name: "another secret", spoil: func(w *loginWorld) { w.idp.ClientSecret = "x" }, status: 561, reason: "AuthTokenEpRequestFailed", class: fault},
		{name: "no token endpoint", spoil: func(w *loginWorld) { w.oidc().TokenEndpoint = "https://127.0.0.1:1/" }, status: 500, reason: "AuthTokenEpRequestTimeout", class: fault},
		{name: "a token endpoint that hangs up", spoil: func(w *loginWorld) {
			w.idp.Token = func(http.ResponseWriter, map[string]any) bool { panic(http.ErrAbortHandler) }
		}, status: 500, reason: "AuthTokenEpRequestTimeout", class: fault},
		{name: "a token endpoint that doesn't answer", spoil: func(w *loginWorld) { w.idp.Token = silent(w) }, status: 500, reason: "AuthTokenEpRequestTimeout", class: fault},
		{name: "a user info endpoint that doesn't answer", spoil: func(w *loginWorld) { w.idp.UserInfo = silent(w) }, status: 500, reason: "AuthUserinfoEpRequestTimeout", class: fault},
		{name: "garbage of the user info endpoint", spoil: info(200, "<html>"), status: 401, reason: "AuthInvalidUserinfoResponse", class: failure},
		{name: "claims that are an array", spoil: info(200, "[]"), status: 401, reason: "AuthInvalidUserinfoResponse", class: failure},
		{name: "claims that are no text", spoil: info(200, "{\"sub\":\"alice\",\"x\":\"\xff\"}"), status: 401, reason: "AuthInvalidUserinfoResponse", class: failure},
		{name: "claims of another user", spoil: info(200, `{"sub":"root"}`), status: 401, reason: "AuthInvalidUserinfoResponse", class: failure},
		{name: "an error of the user info endpoint", spoil: info(403, "{}"), status: 561, reason: "AuthUserinfoEpRequestFailed", class: fault},
		{name: "no user info endpoint", spoil: func(w *loginWorld) { w.oidc().UserInfoEndpoint = "https://127.0.0.1:1/" }, status: 500, reason: "AuthUserinfoEpRequestTimeout", class: fault},
		{name: "claims of more than 11 KiB", spoil: func(w *loginWorld) { w.idp.Claims["x"] = strings.Repeat("x", 11<<10) }, status: 500, reason: "AuthUserinfoResponseSizeExceeded", class: "ELBAuthUserClaimsSizeExceeded"},
		{name: "huge claims", spoil: func(w *loginWorld) { w.idp.Claims["x"] = strings.Repeat("x", 1<<20) }, status: 500, reason: "AuthUserinfoResponseSizeExceeded", class: "ELBAuthUserClaimsSizeExceeded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			book := new(logBook)
			w := newLoginWorldWith(t, proxy.Options{Logs: book.open})
			w.lb().Logs.Access.Name = "logs"
			if tt.spoil != nil {
				tt.spoil(w)
			}
			w.apply()
			b := w.browser(false, false)
			callback := b.begin("/")
			if tt.come != nil {
				callback = tt.come(b, callback)
			}
			before := w.counts()
			resp, _ := b.get(callback)
			asked := callback[strings.Index(callback, "?"):]
			if resp.StatusCode != tt.status {
				t.Errorf("got %s, want %d", resp.Status, tt.status)
			}
			if _, there := b.cookies()["AWSELBAuthSessionCookie-0"]; there && !strings.Contains(tt.name, "second time") {
				t.Error("it has a session all the same")
			}
			book.has(t, w.world, asked, fmt.Sprintf(" %d - ", tt.status), `"authenticate" "-" "`+tt.reason+`"`)
			after := w.counts()
			for _, class := range []string{failure, fault, "ELBAuthUserClaimsSizeExceeded"} {
				want := uint64(0)
				if class == tt.class {
					want = 1
				}
				if got := after[class] - before[class]; got != want {
					t.Errorf("%s: %d more, want %d", class, got, want)
				}
			}
		})
	}
}
