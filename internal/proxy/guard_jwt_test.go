package proxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/proxy/outbound"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/testkit/tokens"
)

// tokenWorld is a world whose requests to /api need a token, on a listener of HTTPS.
type tokenWorld struct {
	*secureWorld
	issuer *tokens.Issuer
	book   *logBook
	plain  *http.Client // of HTTP/1.1
}

func newTokenWorld(t *testing.T, claims ...snapshot.JWTClaim) *tokenWorld {
	t.Helper()
	w := &tokenWorld{issuer: tokens.New(t), book: new(logBook)}
	w.issuer.Rotate(jose.ES256)
	w.secureWorld = newHTTP2WorldWith(t, proxy.Options{
		Logs:      w.book.open,
		Providers: outbound.Options{Roots: w.issuer.Roots(), Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	})
	w.lb().Logs.Access.Name = "logs"
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(rw, "%s %d", r.Header.Get("Authorization"), len(b))
	}))
	l := &w.lb().Listeners[0]
	l.Rules = append([]snapshot.Rule{{
		ARN: "api", Priority: 1,
		Conditions: []snapshot.Condition{{Field: snapshot.FieldPathPattern, Values: []string{"/api*"}}},
		Actions: append([]snapshot.Action{{
			Type: snapshot.ActionValidateJWT,
			JWT:  &snapshot.JWTValidation{JWKSEndpoint: w.issuer.JWKS(), Issuer: w.issuer.Name, Claims: claims},
		}}, forwardTo(tgARN)...),
	}}, l.Rules...)
	w.apply()
	w.plain = w.client("shop.example")
	return w
}

// answer is what a request is answered.
type answer struct {
	status int
	wants  string // WWW-Authenticate
	body   string
}

func (w *tokenWorld) send(c *http.Client, method, path, authorization string, body int) answer {
	w.t.Helper()
	r, _ := http.NewRequest(method, strings.TrimSuffix(w.https(), "/")+path, strings.NewReader(strings.Repeat("x", body)))
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	resp, err := c.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header.Get("WWW-Authenticate"), string(b)}
}

// logged returns actions_executed and error_reason of the next request.
func (w *tokenWorld) logged() (actions, reason string) {
	w.t.Helper()
	quoted := strings.Split(w.book.take(w.t.(*testing.T), w.world, proxy.AccessLog), `"`)
	return quoted[11], quoted[15]
}

func page(title string) string {
	return "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title + "</h1></center>\r\n</body>\r\n</html>\r\n"
}

func TestRequestsPassByTheirToken(t *testing.T) {
	w := newTokenWorld(t, snapshot.JWTClaim{Name: "scope", Format: "space-separated-values", Values: []string{"shop"}})
	unauthorized := page("401 Authorization Required")
	good := w.issuer.Token(map[string]any{"scope": "shop admin"})
	for name, c := range map[string]*http.Client{"HTTP/1.1": w.plain, "HTTP/2": w.http2Client()} {
		for _, tt := range []struct {
			what, authorization string
			want                answer
			actions, reason     string
		}{
			{"a token", "Bearer " + good, answer{200, "", "Bearer " + good + " 0"}, "jwt-validation,forward", "-"},
			{"nothing", "", answer{401, "Bearer", unauthorized}, "jwt-validation", "JWTHeaderNotPresent"},
			{"another scheme", "Basic abc", answer{401, `Bearer error="invalid_token"`, unauthorized}, "jwt-validation", "JWTRequestFormatInvalid"},
			{"no token", "Bearer abc", answer{401, `Bearer error="invalid_token"`, unauthorized}, "jwt-validation", "JWTRequestFormatInvalid"},
			{"a token with another signature", "Bearer " + good[:len(good)-86] + strings.Repeat("A", 86), answer{401, `Bearer error="invalid_token"`, unauthorized}, "jwt-validation", "JWTSignatureValidationError"},
			{"a token without the scope", "Bearer " + w.issuer.Token(nil), answer{401, `Bearer error="invalid_token"`, unauthorized}, "jwt-validation", "JWTClaimNotPresent"},
			{"a token with another scope", "Bearer " + w.issuer.Token(map[string]any{"scope": "shops"}), answer{401, `Bearer error="invalid_token"`, unauthorized}, "jwt-validation", "JWTClaimValueInvalid"},
			{"a token whose scope is a list", "Bearer " + w.issuer.Token(map[string]any{"scope": []string{"shop"}}), answer{401, `Bearer error="invalid_token"`, unauthorized}, "jwt-validation", "JWTClaimFormatInvalid"},
			{"a token of before", "Bearer " + w.issuer.Token(map[string]any{"scope": "shop", "exp": 1}), answer{401, `Bearer error="invalid_token"`, unauthorized}, "jwt-validation", "JWTClaimValueInvalid"},
			{"a token again", "Bearer " + good, answer{200, "", "Bearer " + good + " 0"}, "jwt-validation,forward", "-"},
		} {
			if got := w.send(c, "GET", "/api", tt.authorization, 0); got != tt.want {
				t.Errorf("%s, %s: got %+v, want %+v", name, tt.what, got, tt.want)
			}
			if actions, reason := w.logged(); actions != tt.actions || reason != tt.reason {
				t.Errorf("%s, %s: logged %q, %q; want %q, %q", name, tt.what, actions, reason, tt.actions, tt.reason)
			}
		}
		for _, body := range []int{10, 1 << 20} { // gathered, and not
			if got := w.send(c, "POST", "/api", "Bearer "+good, body); got.status != 200 || got.body != fmt.Sprintf("Bearer %s %d", good, body) {
				t.Errorf("%s, %d bytes: got %.60v", name, body, got)
			}
			if got := w.send(c, "POST", "/api", "", body); got.status != 401 {
				t.Errorf("%s, %d bytes without a token: got %.60v", name, body, got)
			}
		}
		if got := w.send(c, "GET", "/", "", 0); got.status != 200 {
			t.Errorf("%s: got %d by another rule, want 200", name, got.status)
		}
		for range 5 {
			w.logged()
		}
	}
	if got := w.issuer.Asked(); got != 1 {
		t.Errorf("the keys were fetched %d times, want 1", got)
	}
}

// One token is what a target and the load balancer agree on.
func TestTwoAuthorizationsAreNone(t *testing.T) {
	w := newTokenWorld(t)
	good := w.issuer.Token(nil)
	r, _ := http.NewRequest("GET", w.https()+"api", nil)
	r.Header["Authorization"] = []string{"Bearer " + good, "Bearer " + good}
	resp, err := w.plain.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if _, reason := w.logged(); resp.StatusCode != 401 || reason != "JWTRequestFormatInvalid" {
		t.Errorf("got %d, %s", resp.StatusCode, reason)
	}
}

func TestKeysCanBeRotated(t *testing.T) {
	w := newTokenWorld(t)
	if got := w.send(w.plain, "GET", "/api", "Bearer "+w.issuer.Token(nil), 0); got.status != 200 {
		t.Fatalf("got %+v", got)
	}
	w.issuer.Rotate(jose.RS256)
	next := w.issuer.Token(nil)
	for range 5 { // it was just asked, and isn't for each name of a key
		if got := w.send(w.plain, "GET", "/api", "Bearer "+next, 0); got.status != 401 {
			t.Errorf("got %+v, want 401", got)
		}
	}
	if got := w.issuer.Asked(); got != 1 {
		t.Errorf("the keys were fetched %d times, want 1", got)
	}
	// Another assignment, and it is asked for the first time at another URL.
	rule := &w.lb().Listeners[0].Rules[0]
	rule.Actions[0].JWT.JWKSEndpoint += "?2"
	w.apply()
	if got := w.send(w.plain, "GET", "/api", "Bearer "+next, 0); got.status != 200 {
		t.Errorf("got %+v, want 200", got)
	}
}

// What is known of an issuer outlives the table (I9): a change of rules asks nobody.
func TestKeysOutliveChangesOfRules(t *testing.T) {
	w := newTokenWorld(t)
	token := "Bearer " + w.issuer.Token(nil)
	for i := range 5 {
		w.lb().Listeners[0].Rules[0].Priority = i + 1
		w.apply()
		if got := w.send(w.plain, "GET", "/api", token, 0); got.status != 200 {
			t.Errorf("got %+v", got)
		}
	}
	if got := w.issuer.Asked(); got != 1 {
		t.Errorf("the keys were fetched %d times, want 1", got)
	}
}

func TestRequestsAreAnswered500WhileThereAreNoKeys(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fetch  http.HandlerFunc
		reason string
	}{
		"an error": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, "JWKSRequestFailed"},
		"elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://127.0.0.1:1/", http.StatusFound)
		}, "JWKSRequestFailed"},
		"too many keys": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"keys":[{}%s]}`, strings.Repeat(",{}", 10))
		}, "JWKSRequestFailed"},
		"nobody answers":  {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "JWKSRequestTimeout"},
		"without an end":  {endless, "JWKSRequestFailed"},
		"drop after drop": {drops, "JWKSRequestTimeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTokenWorld(t)
			w.issuer.Answer(tt.fetch)
			token := "Bearer " + w.issuer.Token(nil)
			c := w.http2Client()
			var wg sync.WaitGroup
			for range 4 { // they wait for the same fetch
				wg.Go(func() {
					if got := w.send(c, "GET", "/api", token, 0); got != (answer{500, "", page("500 Internal Server Error")}) {
						t.Errorf("got %+v", got)
					}
				})
			}
			if got := w.send(c, "GET", "/", "", 0); got.status != 200 {
				t.Errorf("got %d by another rule meanwhile, want 200", got.status)
			}
			wg.Wait()
			if got := w.send(w.plain, "GET", "/api", "", 0); got.status != 401 {
				t.Errorf("got %d without a token, want 401", got.status)
			}
			reasons := map[string]int{}
			for range 6 {
				_, reason := w.logged()
				reasons[reason]++
			}
			if reasons[tt.reason] != 4 {
				t.Errorf("logged %v, want 4 of %s", reasons, tt.reason)
			}
		})
	}
}

func endless(w http.ResponseWriter, _ *http.Request) {
	for {
		if _, err := io.WriteString(w, strings.Repeat(" ", 1<<16)); err != nil {
			return
		}
	}
}

func drops(w http.ResponseWriter, r *http.Request) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
			_, _ = io.WriteString(w, " ")
			w.(http.Flusher).Flush()
		}
	}
}

// Issuers are no way into what only the host reaches.
func TestIssuersAreNotAskedWhereTheOperatorHasNotAllowedIt(t *testing.T) {
	w := newTokenWorld(t)
	w.lb().Listeners[0].Rules[0].Actions[0].JWT.JWKSEndpoint = "https://169.254.169.254/latest/meta-data"
	w.apply()
	if got := w.send(w.plain, "GET", "/api", "Bearer "+w.issuer.Token(nil), 0); got.status != 500 {
		t.Errorf("got %+v, want 500", got)
	}
	if _, reason := w.logged(); reason != "JWKSRequestFailed" {
		t.Errorf("logged %s", reason)
	}
}

// Keys that were there serve on when the issuer is gone.
func TestTokensPassWhenTheIssuerIsGone(t *testing.T) {
	w := newTokenWorld(t)
	for range 2 {
		if got := w.send(w.plain, "GET", "/api", "Bearer "+w.issuer.Token(map[string]any{"jti": time.Now()}), 0); got.status != 200 {
			t.Errorf("got %+v, want 200", got)
		}
		w.issuer.Stop()
	}
}

// A request that nobody can answer in time doesn't hold the proxy up when it closes.
func TestCloseEndsWaitingForKeys(t *testing.T) {
	w := newTokenWorld(t)
	asked := make(chan struct{}, 8)
	w.issuer.Answer(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	})
	r, _ := http.NewRequest("GET", w.https()+"api", nil)
	r.Header.Set("Authorization", "Bearer "+w.issuer.Token(nil))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if resp, err := w.plain.Do(r); err == nil {
			resp.Body.Close()
		}
	}()
	<-asked
	began := time.Now()
	closeNow(w.proxy)
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("closing took %v", took)
	}
	<-done
}

func closeNow(p *proxy.Proxy) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p.Close(ctx)
}
