package oidc_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/proxy/oidc"
)

var now = time.UnixMilli(1_790_000_000_123)

func newClient(t testing.TB, change func(*oidc.Config)) *oidc.Client {
	t.Helper()
	c := oidc.Config{
		LoadBalancer: "arn:lb", Issuer: "https://idp.test", AuthorizationEndpoint: "https://idp.test/authorize?tenant=a&scope=x", ClientID: "client",
		Cookie: "Session", Scope: "openid email", Timeout: time.Hour,
	}
	if change != nil {
		change(&c)
	}
	keys, err := oidc.NewKeys(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	client, err := oidc.New(c, keys)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// cookiesOf returns the values of the cookies that lines set, by name.
func cookiesOf(lines []byte) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(string(lines)) {
		pair, _, _ := strings.Cut(strings.TrimPrefix(line, "Set-Cookie: "), ";")
		name, value, _ := strings.Cut(pair, "=")
		out[name] = value
	}
	return out
}

// begin sends a client to its provider, and returns the state and the nonce's cookie.
func begin(t testing.TB, c *oidc.Client) (q url.Values, cookie string) {
	t.Helper()
	location, lines, err := c.Begin([]byte("shop.test"), []byte("/a?b"), nil, true, now)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(string(location))
	if err != nil {
		t.Fatal(err)
	}
	return u.Query(), cookiesOf(lines)[oidc.NonceCookie]
}

// What tells a provider who asks is ours to say, whatever parameters are configured;
// those of the endpoint itself stay (RFC 6749 §3.1).
func TestConfiguredParametersDoNotTakeThePlaceOfOurs(t *testing.T) {
	c := newClient(t, func(c *oidc.Config) {
		c.Extra = map[string]string{
			"client_id": "x", "state": "x", "nonce": "x", "redirect_uri": "https://evil.test", "response_type": "token", "scope": "x", "code_challenge": "x",
			"prompt": "a&b=c d",
		}
	})
	q, _ := begin(t, c)
	for _, name := range []string{"state", "nonce"} {
		if len(q[name]) != 1 || q.Get(name) == "x" {
			t.Errorf("%s: %q", name, q[name])
		}
		q.Del(name)
	}
	want := url.Values{
		"tenant": {"a"}, "client_id": {"client"}, "redirect_uri": {"https://shop.test/oauth2/idpresponse"}, "response_type": {"code"}, "scope": {"openid email"}, "prompt": {"a&b=c d"},
	}
	if diff := cmp.Diff(want, q); diff != "" {
		t.Error(diff)
	}
}

// A state counts for who has begun it, for 15 minutes, and for nobody else.
func TestStates(t *testing.T) {
	c := newClient(t, nil)
	q, cookie := begin(t, c)
	state := q.Get("state")
	for _, tt := range []struct {
		name             string
		by               *oidc.Client
		state, authority string
		cookie           string
		after            time.Duration
		want             error
	}{
		{"at once", c, state, "shop.test", cookie, 0, nil},
		{"in the end", c, state, "shop.test", cookie, 15 * time.Minute, nil},
		{"too late", c, state, "shop.test", cookie, 15*time.Minute + time.Millisecond, oidc.ErrState},
		{"by a clock that is behind", c, state, "shop.test", cookie, -5 * time.Minute, nil},
		{"by a clock that is too far behind", c, state, "shop.test", cookie, -6 * time.Minute, oidc.ErrState},
		{"at another host", c, state, "other.test", cookie, 0, oidc.ErrState},
		{"without its cookie", c, state, "shop.test", "", 0, oidc.ErrNonce},
		{"with another cookie", c, state, "shop.test", strings.Repeat("A", 43), 0, oidc.ErrNonce},
		{"cut short", c, state[:len(state)-1], "shop.test", cookie, 0, oidc.ErrState},
		{"with more", c, state + "A", "shop.test", cookie, 0, oidc.ErrState},
		{"empty", c, "", "shop.test", cookie, 0, oidc.ErrState},
		{"of another load balancer", newClient(t, func(c *oidc.Config) { c.LoadBalancer = "arn:other" }), state, "shop.test", cookie, 0, oidc.ErrState},
		{"of another issuer", newClient(t, func(c *oidc.Config) { c.Issuer = "https://other.test" }), state, "shop.test", cookie, 0, oidc.ErrState},
		{"of another client", newClient(t, func(c *oidc.Config) { c.ClientID = "other" }), state, "shop.test", cookie, 0, oidc.ErrState},
		{"for another cookie", newClient(t, func(c *oidc.Config) { c.Cookie = "Other" }), state, "shop.test", cookie, 0, oidc.ErrState},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := tt.by.OpenState([]byte(tt.state), []byte(tt.authority), []byte(tt.cookie), now.Add(tt.after))
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if err == nil && (s.Authority != "shop.test" || s.Target != "/a?b" || s.Nonce() != q.Get("nonce")) {
				t.Errorf("got %+v", s)
			}
		})
	}
}

// The provider and whoever sees the URL learn neither the nonce in the cookie nor what
// proves that the client has asked.
func TestWhatStaysSecret(t *testing.T) {
	c := newClient(t, func(c *oidc.Config) { c.Public = true })
	q, cookie := begin(t, c)
	s, err := c.OpenState([]byte(q.Get("state")), []byte("shop.test"), []byte(cookie), now)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range q {
		if v := strings.Join(values, " "); strings.Contains(v, cookie) || strings.Contains(v, s.Verifier()) {
			t.Errorf("%s gives it away: %s", name, v)
		}
	}
	if q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" {
		t.Errorf("challenge %q by %q", q.Get("code_challenge"), q.Get("code_challenge_method"))
	}
}

func session(claims, token, refresh int) *oidc.Session {
	s := oidc.NewSession(now)
	s.Subject, s.Claims, s.AccessToken = "alice", fmt.Appendf(nil, `{"x":%q}`, strings.Repeat("x", claims)), strings.Repeat("t", token)
	s.RefreshToken, s.Refresh = strings.Repeat("r", refresh), now.Add(time.Minute)
	return s
}

// textOf joins a session's cookies, as a client sends them back.
func textOf(t testing.TB, cookies map[string]string) []byte {
	t.Helper()
	var text strings.Builder
	for i := range oidc.Shards([]byte(cookies["Session-0"])) {
		text.WriteString(cookies[fmt.Sprintf("Session-%d", i)])
	}
	return []byte(text.String())
}

func TestSessionsComeBackAsTheyWere(t *testing.T) {
	c := newClient(t, nil)
	for _, tt := range []struct {
		name                   string
		claims, token, refresh int
		cookies                int
		kept                   bool // the refresh token
		err                    error
	}{
		{"a small one", 10, 10, 10, 1, true, nil},
		{"without a refresh token", 10, 10, 0, 1, true, nil},
		{"one of two cookies", 2000, 1000, 100, 2, true, nil},
		{"the largest", 5000, oidc.MaxClaims - 5008, 100, 4, true, nil},
		{"too large by a byte", 5000, oidc.MaxClaims - 5007, 0, 0, false, oidc.ErrTooLarge},
		{"with a refresh token that doesn't fit", 5000, 5000, 3000, 4, false, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := session(tt.claims, tt.token, tt.refresh)
			lines, err := c.AppendCookies(nil, s, 4, false, now)
			if !errors.Is(err, tt.err) {
				t.Fatalf("got %v, want %v", err, tt.err)
			}
			if err != nil {
				return
			}
			cookies := cookiesOf(lines)
			n := 0
			for line := range strings.Lines(string(lines)) {
				if len(line)-len("Set-Cookie: \r\n") > 4096 {
					t.Errorf("a cookie of %d bytes", len(line))
				}
				if !strings.HasSuffix(line, "; Path=/; Secure; HttpOnly\r\n") {
					t.Errorf("attributes: %.100q", line[len(line)-80:])
				}
				if !strings.Contains(line, "1970") {
					n++
				}
			}
			if n != tt.cookies || len(cookies) != 4 {
				t.Errorf("%d cookies of %d, want %d of 4: those that the client has had go", n, len(cookies), tt.cookies)
			}
			got, ok := c.Open(textOf(t, cookies), now.Add(6*24*time.Hour))
			if !ok {
				t.Fatal("it isn't known")
			}
			if !tt.kept {
				s.RefreshToken, s.Refresh = "", time.Time{}
			}
			if diff := cmp.Diff(s, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A session of one client is nothing to another, whichever byte it differs in.
func TestSessionsOfOthersAreNotOpened(t *testing.T) {
	c := newClient(t, nil)
	lines, err := c.AppendCookies(nil, session(10, 10, 10), 0, true, now)
	if err != nil {
		t.Fatal(err)
	}
	text := textOf(t, cookiesOf(lines))
	for name, change := range map[string]func(*oidc.Config){
		"load balancer": func(c *oidc.Config) { c.LoadBalancer = "arn:lbh" },
		"issuer":        func(c *oidc.Config) { c.LoadBalancer, c.Issuer = "arn:l", "bhttps://idp.test" },
		"client":        func(c *oidc.Config) { c.ClientID = "Client" },
	} {
		if _, ok := newClient(t, change).Open(text, now); ok {
			t.Errorf("another %s opens it", name)
		}
	}
	if _, ok := newClient(t, func(c *oidc.Config) { c.Cookie, c.Scope, c.Timeout = "Other", "openid", time.Minute }).Open(text, now); !ok {
		t.Error("an action of the same client doesn't open it")
	}
	if _, ok := c.Open(text, now.Add(9*24*time.Hour)); ok {
		t.Error("it is opened with a key that doesn't count any more")
	}
	for i := 1; i < len(text); i++ {
		altered := bytes.Clone(text)
		if altered[i] = 'A'; text[i] == 'A' {
			altered[i] = 'B'
		}
		if _, ok := c.Open(altered, now); ok {
			t.Fatalf("byte %d can be altered", i)
		}
	}
}

func TestSessionsEnd(t *testing.T) {
	c := newClient(t, nil)
	s := session(1, 1, 1)
	for after, want := range map[time.Duration][2]bool{
		0: {false, false}, time.Minute - 1: {false, false}, time.Minute: {false, true}, time.Hour - 1: {false, true}, time.Hour: {true, true}, -6 * time.Minute: {true, false},
	} {
		if got := [2]bool{c.Expired(s, now.Add(after)), s.Stale(now.Add(after))}; got != want {
			t.Errorf("after %v: expired, stale: %v, want %v", after, got, want)
		}
	}
}

// What a provider says of a token's times is not what the token says.
func TestClaimsHaveTheTokensTimes(t *testing.T) {
	c := newClient(t, nil)
	for claims, want := range map[string]string{
		`{}`:                             `{"exp":1790000120,"iss":"https://idp.test"}`,
		`{"sub":"a"}`:                    `{"sub":"a","exp":1790000120,"iss":"https://idp.test"}`,
		`{"exp":1,"sub":"a"}`:            `{"sub":"a","exp":1790000120,"iss":"https://idp.test"}`,
		`{"\u0065xp":9999999999}`:        `{"exp":1790000120,"iss":"https://idp.test"}`,
		`{"iss":"https://x","a":{"b":}}`: ``,
	} {
		f, err := c.Fields(&oidc.Session{Made: now, Subject: "a", Claims: []byte(claims), AccessToken: "t"}, now)
		if err != nil {
			if want != "" {
				t.Errorf("%s: %v", claims, err)
			}
			continue
		}
		if got := payloadOf(t, f.Lines); got != want {
			t.Errorf("%s: got %s, want %s", claims, got, want)
		}
	}
}

// Fields are known until they don't count any more, and by the whole of the cookies.
func TestFieldsAreCached(t *testing.T) {
	c, cache := newClient(t, nil), oidc.NewCache()
	s := session(100, 10, 10)
	f, err := c.Fields(s, now)
	if err != nil {
		t.Fatal(err)
	}
	cache.Put(c, []byte("1text"), f, now)
	for _, tt := range []struct {
		name  string
		by    *oidc.Client
		text  string
		after time.Duration
		want  bool
	}{
		{"at once", c, "1text", 0, true},
		{"until they end", c, "1text", time.Minute - 1, true},
		{"then", c, "1text", time.Minute, false},
		{"another session", c, "1texT", 0, false},
		{"another client", newClient(t, func(c *oidc.Config) { c.ClientID = "other" }), "1text", 0, false},
		{"an action whose sessions are shorter", newClient(t, func(c *oidc.Config) { c.Timeout = time.Second }), "1text", 0, false},
	} {
		if got := cache.Get(tt.by, []byte(tt.text), now.Add(tt.after)) == f; got != tt.want {
			t.Errorf("%s: known: %t, want %t", tt.name, got, tt.want)
		}
	}
}

// However many sessions come, the cache has its bound.
func TestTheCacheIsBounded(t *testing.T) {
	c, cache := newClient(t, nil), oidc.NewCache()
	known := 0
	large := &oidc.Fields{Lines: make([]byte, 32<<10), Until: now.Add(time.Minute)}
	text := func(i int) []byte { return fmt.Appendf(nil, "1%d", i) }
	for i := range 5000 {
		cache.Put(c, text(i), large, now)
	}
	for i := range 5000 {
		if cache.Get(c, text(i), now) != nil {
			known++
		}
	}
	if known > 2048 || known < 1024 {
		t.Errorf("%d of 32 KiB are known", known)
	}
	cache.Put(c, []byte("1new"), large, now.Add(time.Hour))
	later := &oidc.Fields{Lines: large.Lines, Until: now.Add(2 * time.Hour)}
	cache.Put(c, []byte("1new"), later, now.Add(time.Hour))
	if cache.Get(c, []byte("1new"), now.Add(time.Hour)) != later {
		t.Error("there is no room for another when the former have ended")
	}
}
