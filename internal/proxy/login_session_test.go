package proxy_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// A session outlives its access token by its refresh token, which is used once however
// many requests come at a time (RFC 9700 §4.14.2).
func TestSessionsAreRefreshedOnce(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %t", http2), func(t *testing.T) {
			w := newLoginWorld(t)
			w.idp.Refreshes, w.idp.Lifetime = true, time.Second
			w.apply()
			b := w.browser(true, http2)
			_, page := b.get(shop("/"))
			first := b.userOf(page)
			former := b.cookies()["AWSELBAuthSessionCookie-0"]
			w.idp.Lock()
			w.idp.Claims["email"], w.idp.Lifetime = "alice@new.test", time.Hour
			w.idp.Unlock()
			eventually(t, "a refresh", func() bool { b.get(shop("/")); return w.idp.Asked("refresh") > 0 })

			late := w.browser(false, http2) // that hasn't seen the new cookies
			late.set("AWSELBAuthSessionCookie-0", former)
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					resp, err := late.Get(shop("/"))
					if err != nil || resp.StatusCode != 200 {
						t.Errorf("%v %v", resp, err)
					}
					if err == nil {
						resp.Body.Close()
					}
				})
			}
			wg.Wait()
			for _, browser := range []*browser{b, late} {
				_, page = browser.get(shop("/"))
				if u := b.userOf(page); u.claims["email"] != "alice@new.test" || u.token == first.token {
					t.Errorf("after the refresh: %+v", u)
				}
				if browser.cookies()["AWSELBAuthSessionCookie-0"] == former {
					t.Error("the browser has the former session still")
				}
			}
			if n := w.idp.Asked("refresh"); n != 1 {
				t.Errorf("%d refreshes, want 1", n)
			}
			if n := w.counts()["ELBAuthRefreshTokenSuccess"]; n == 0 {
				t.Error("no refresh was counted")
			}
		})
	}
}

// Who has logged out with the provider is to log in again once the access token has
// expired; a provider that is down says nothing about it.
func TestSessionsEndWithTheirRefreshTokens(t *testing.T) {
	for _, tt := range []struct {
		name                        string
		spoil                       func(*loginWorld)
		authenticate, allowed, deny int
	}{
		{"logged out", func(w *loginWorld) { w.idp.LogOut() }, 302, 200, 302},
		{"another user", func(w *loginWorld) {
			w.idp.Lock()
			defer w.idp.Unlock()
			w.idp.UserInfo = func(_ http.ResponseWriter, c map[string]any) bool { c["sub"] = "root"; return false }
		}, 302, 200, 302},
		{"unreachable", func(w *loginWorld) {
			w.idp.Lock()
			defer w.idp.Unlock()
			w.idp.Token = func(http.ResponseWriter, map[string]any) bool { panic(http.ErrAbortHandler) }
		}, 500, 500, 500},
	} {
		for way, want := range map[snapshot.Unauthenticated]int{snapshot.Authenticate: tt.authenticate, snapshot.Allow: tt.allowed, snapshot.Deny: tt.deny} {
			t.Run(tt.name+", "+string(way), func(t *testing.T) {
				t.Parallel()
				w := newLoginWorld(t)
				w.idp.Refreshes, w.idp.Lifetime = true, time.Second
				w.apply()
				b := w.browser(true, false)
				b.get(shop("/"))
				w.oidc().Unauthenticated = way
				w.apply()
				b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				tt.spoil(w)
				eventually(t, "the end", func() bool {
					resp, page := b.get(shop("/"))
					return resp.StatusCode == want && (want != 200 || b.userOf(page).identity == "")
				})
			})
		}
	}
}

// An application logs a client out by the session's cookie, on the very request too
// that has the session refreshed.
func TestApplicationsLogClientsOut(t *testing.T) {
	w := newLoginWorld(t)
	w.idp.Refreshes, w.idp.Lifetime = true, time.Second
	w.apply()
	b := w.browser(true, false)
	b.get(shop("/"))
	session := b.cookies()["AWSELBAuthSessionCookie-0"]
	eventually(t, "a refresh on the way out", func() bool {
		b.set("AWSELBAuthSessionCookie-0", session)
		b.get(shop("/logout"))
		return w.idp.Asked("refresh") > 0
	})
	if s := b.cookies()["AWSELBAuthSessionCookie-0"]; s != "" {
		t.Errorf("the browser has a session of %d bytes", len(s))
	}
}

// What is too much for one cookie is in several, and nothing of it is left behind.
func TestLargeSessionsHaveSeveralCookies(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %t", http2), func(t *testing.T) {
			w := newLoginWorld(t)
			w.idp.Refreshes = true
			w.apply()
			b := w.browser(true, http2)
			sizes := []struct{ claims, cookies int }{{10_800, 4}, {6000, 3}, {100, 1}}
			for _, size := range sizes {
				w.idp.Lock()
				w.idp.Claims["x"] = strings.Repeat("x", size.claims)
				w.idp.Unlock()
				b.set("AWSELBAuthSessionCookie-0", "") // as it has expired
				_, page := b.get(shop("/"))
				if u := b.userOf(page); len(fmt.Sprint(u.claims["x"])) != size.claims {
					t.Fatalf("%d bytes of claims: %.300s", size.claims, page)
				}
				cookies, total := 0, 0
				for name, value := range b.cookies() {
					if strings.HasPrefix(name, "AWSELBAuthSessionCookie-") {
						cookies++
						total += len(value)
						if len(name)+1+len(value) > 4096 {
							t.Errorf("%s has %d bytes", name, len(value))
						}
					}
				}
				if cookies != size.cookies {
					t.Errorf("%d bytes of claims: %d cookies of %d bytes, want %d cookies", size.claims, cookies, total, size.cookies)
				}
			}
		})
	}
}

// Rules have providers of their own, and sessions where they say so.
func TestRulesHaveProvidersOfTheirOwn(t *testing.T) {
	w := newLoginWorld(t)
	other := w.action()
	other.OIDC.ClientID, other.OIDC.Cookie, other.OIDC.Scope = "client", "Other", "openid admin"
	w.lb().Listeners[0].Rules = slices.Insert(w.lb().Listeners[0].Rules, 0, snapshot.Rule{
		ARN: "admin", Priority: 1, Conditions: []snapshot.Condition{{Field: snapshot.FieldPathPattern, Values: []string{"/admin*"}}},
		Actions: append([]snapshot.Action{other}, forwardTo(tgARN)...),
	})
	w.apply()
	b := w.browser(true, false)
	b.get(shop("/"))
	if c := b.cookies(); c["AWSELBAuthSessionCookie-0"] == "" || c["Other-0"] != "" {
		t.Errorf("cookies %v", c)
	}
	_, page := b.get(shop("/admin"))
	if u := b.userOf(page); u.identity != "alice" || b.cookies()["Other-0"] == "" {
		t.Errorf("%+v", u)
	}
	if n := w.idp.Asked("authorize"); n != 2 {
		t.Errorf("%d logins, want one for each", n)
	}

	// The session of one client isn't another's, whatever the cookie is called.
	session := b.cookies()["AWSELBAuthSessionCookie-0"]
	w.lb().Listeners[0].Rules[0].Actions[0].OIDC.ClientID = "another"
	w.apply()
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	b.set("Other-0", session)
	if resp, _ := b.get(shop("/admin")); resp.StatusCode != 302 {
		t.Errorf("a session of another client: %s", resp.Status)
	}
}

// What a browser begins in several windows can be ended in each.
func TestLoginsInSeveralWindows(t *testing.T) {
	w := newLoginWorld(t)
	w.apply()
	b := w.browser(false, false)
	one, two := b.begin("/one"), b.begin("/two")
	for path, callback := range map[string]string{"/one": one, "/two": two} {
		if resp, _ := b.get(callback); resp.StatusCode != 302 || resp.Header.Get("Location") != shop(path) {
			t.Errorf("%s: %s to %s", path, resp.Status, resp.Header.Get("Location"))
		}
	}
}

// A client without a secret proves that it has asked for its codes (RFC 7636), and one
// with a secret says it where the provider wants it.
func TestProvidersKnowTheClient(t *testing.T) {
	for _, tt := range []struct {
		name   string
		secret string
		inBody bool
	}{{"a secret in the header", "x:/ y", false}, {"a secret in the body", "x:/ y", true}, {"no secret", "", false}} {
		t.Run(tt.name, func(t *testing.T) {
			w := newLoginWorld(t)
			w.idp.ClientSecret, w.idp.SecretInBody = tt.secret, tt.inBody
			w.lb().Listeners[0].Rules[0].Actions[0] = w.action()
			w.apply()
			b := w.browser(false, false)
			callback := b.begin("/")
			if resp, _ := b.get(callback); resp.StatusCode != 302 {
				t.Errorf("got %s", resp.Status)
			}
		})
	}
}

// A provider that publishes no keys is believed for its TLS (OpenID Connect Core
// §3.1.3.7, rule 6).
func TestProvidersNeedNotPublishKeys(t *testing.T) {
	w := newLoginWorld(t)
	w.idp.NoDiscovery = true
	w.apply()
	b := w.browser(true, false)
	if resp, page := b.get(shop("/")); resp.StatusCode != 200 || b.userOf(page).identity != "alice" {
		t.Errorf("%s %q", resp.Status, page)
	}
}

// Each node knows what another has sealed: they share a key, and nothing else.
func TestSessionsCountAtEachNode(t *testing.T) {
	one, two := newLoginWorld(t), newLoginWorld(t)
	*two.oidc() = *one.oidc()
	one.apply()
	two.apply()
	b := one.browser(false, false)
	callback := b.begin("/")
	resp, _ := b.get(callback)
	if resp.StatusCode != 302 {
		t.Fatalf("got %s", resp.Status)
	}
	c := two.browser(false, false)
	for name, value := range b.cookies() {
		c.set(name, value)
	}
	if resp, page := c.get(shop("/")); resp.StatusCode != 200 || c.userOf(page).identity != "alice" {
		t.Errorf("%s %q", resp.Status, page)
	}
	c.w.lb().CookieKey[5]++
	c.w.apply()
	if resp, _ := c.get(shop("/")); resp.StatusCode != 302 {
		t.Errorf("with another key: %s", resp.Status)
	}
}

// A rule whose secrets this host can't open lets nobody pass.
func TestLoginsNeedTheirSecrets(t *testing.T) {
	for name, spoil := range map[string]func(*loginWorld){
		"no cookie key":     func(w *loginWorld) { w.lb().CookieKey = nil },
		"an altered secret": func(w *loginWorld) { w.oidc().Secret[0]++ },
	} {
		t.Run(name, func(t *testing.T) {
			w := newLoginWorld(t)
			spoil(w)
			w.apply()
			if resp, _ := w.browser(false, false).get(shop("/")); resp.StatusCode != 501 {
				t.Errorf("got %s", resp.Status)
			}
		})
	}
}

// What a login can't be begun for.
func TestRequestsThatCannotBeSentToAProvider(t *testing.T) {
	w := newLoginWorld(t)
	w.apply()
	b := w.browser(false, false)
	if resp, _ := b.get(shop("/?" + strings.Repeat("x", 7000))); resp.StatusCode != 414 {
		t.Errorf("a long URL: %s", resp.Status)
	}
	conn, err := tls.Dial("tcp", w.address(), w.trusting("shop.example"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &wire{t: t, Conn: conn, r: bufio.NewReader(conn)}
	c.say("GET / HTTP/1.0\n\n")
	if resp, _ := c.hear("GET"); resp.StatusCode != 401 {
		t.Errorf("no host: %s", resp.Status)
	}
	if resp, _ := b.get(shop("/oauth2/public-keys/00000000-0000-0000-0000-000000000000")); resp.StatusCode != 404 {
		t.Errorf("a key of nobody's: %s", resp.Status)
	}
	for _, path := range []string{"/oauth2/idpresponse/", "/oauth2/", "/Oauth2/idpresponse", "/oauth2/public-keys/"} { // the application's
		if resp, _ := b.get(shop(path)); resp.StatusCode != 302 {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	resp, err := b.PostForm(shop("/form?x=y"), url.Values{"a": {"b"}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 302 {
		t.Errorf("a form: %s", resp.Status)
	}
}

// Targets that speak HTTP/2 are told the same, and their clients get the same cookies.
func TestTargetsInHTTP2AreToldOfUsers(t *testing.T) {
	w := newLoginWorld(t)
	w.http2Target(false, tellUser)
	w.idp.Refreshes, w.idp.Lifetime = true, time.Second
	w.apply()
	b := w.browser(true, true)
	_, page := b.get(shop("/cart"))
	if u := b.userOf(page); u.identity != "alice" || u.asked != "GET /cart" {
		t.Errorf("got %+v", u)
	}
	session := b.cookies()["AWSELBAuthSessionCookie-0"]
	eventually(t, "a refresh", func() bool { b.get(shop("/")); return w.idp.Asked("refresh") > 0 })
	if b.cookies()["AWSELBAuthSessionCookie-0"] == session {
		t.Error("the browser has the former session still")
	}
	b.set("AWSELBAuthSessionCookie-0", session)
	b.get(shop("/logout"))
	if s := b.cookies()["AWSELBAuthSessionCookie-0"]; s != "" {
		t.Errorf("after a logout the browser has a session of %d bytes", len(s))
	}
}

// A refresh isn't lost with a target's response: the former refresh token is used up.
func TestARefreshIsToldWithAnErrorToo(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		http2   bool
		targets []string
		status  int
	}{{false, nil, 503}, {true, nil, 503}, {false, []string{"127.0.0.1:1"}, 502}, {true, []string{"127.0.0.1:1"}, 502}} {
		t.Run(fmt.Sprintf("%d, HTTP/2 %t", tt.status, tt.http2), func(t *testing.T) {
			w := newLoginWorld(t)
			w.idp.Refreshes, w.idp.Lifetime = true, time.Second
			w.apply()
			b := w.browser(true, tt.http2)
			b.get(shop("/"))
			session := b.cookies()["AWSELBAuthSessionCookie-0"]
			w.register(tt.targets...) // where nobody is
			w.apply()
			eventually(t, "a refresh", func() bool {
				resp, _ := b.get(shop("/"))
				return resp.StatusCode == tt.status && w.idp.Asked("refresh") > 0
			})
			if b.cookies()["AWSELBAuthSessionCookie-0"] == session {
				t.Error("the browser has the former session still")
			}
		})
	}
}
