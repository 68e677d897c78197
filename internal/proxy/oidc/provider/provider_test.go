package provider_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/proxy/oidc"
	"github.com/fairlead/fairlead/internal/proxy/oidc/provider"
	"github.com/fairlead/fairlead/internal/proxy/outbound"
	"github.com/fairlead/fairlead/internal/testkit/idp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a provider, and a client of it.
type world struct {
	t        *testing.T
	idp      *idp.Provider
	http     *http.Client
	provider *provider.Provider
}

func newWorld(t *testing.T) *world {
	t.Helper()
	p := idp.New(t)
	// What an ID token says of times holds for days: the tests' go faster.
	p.IDToken = func(claims map[string]any) { claims["exp"] = time.Now().Add(48 * time.Hour).Unix() }
	w := &world{t: t, idp: p, http: outbound.New(outbound.Options{Roots: p.Roots(), Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})}
	t.Cleanup(w.http.CloseIdleConnections)
	w.provider = provider.New(provider.Config{
		Issuer: p.Issuer, TokenEndpoint: p.TokenEndpoint(), UserInfoEndpoint: p.UserInfoEndpoint(), ClientID: p.ClientID, ClientSecret: p.ClientSecret,
	}, w.http)
	return w
}

// login has a client log in, and says why it can't, "" if it can.
func (w *world) login(now time.Time) oidc.Reason {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodHead, w.idp.Authorize()+"?response_type=code&nonce=n&redirect_uri=https://shop.test&client_id="+w.idp.ClientID, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := w.http.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	back, err := url.Parse(resp.Header.Get("Location"))
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := w.provider.Login(w.t.Context(), provider.Code{Code: back.Query().Get("code"), RedirectURI: "https://shop.test", Nonce: "n"}, now)
	if err == nil {
		if s.Subject != "alice" {
			w.t.Errorf("%q has logged in", s.Subject)
		}
		return ""
	}
	failed, ok := errors.AsType[*provider.Failed](err)
	if !ok {
		w.t.Fatalf("got %T: %v", err, err)
	}
	return failed.Reason
}

// rotate gives the provider another key.
func (w *world) rotate(id string) {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	w.idp.Lock()
	defer w.idp.Unlock()
	w.idp.Key, w.idp.KeyID = key, id
}

// A provider's keys are asked for once an hour, and once a minute for one that isn't
// known; while they can't be had, the known ones count.
func TestKeysAreFollowed(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	for _, step := range []struct {
		name   string
		change func()
		after  time.Duration
		want   oidc.Reason
		asked  int
	}{
		{"the first login", nil, 0, "", 1},
		{"another one", nil, 59 * time.Minute, "", 1},
		{"an hour later", nil, time.Hour, "", 2},
		{"with another key, at once", func() { w.rotate("two") }, time.Hour + 30*time.Second, oidc.InvalidIDToken, 2},
		{"a minute later", nil, time.Hour + time.Minute, "", 3},
		{"with a key by a name that is known", func() { w.rotate("two") }, time.Hour + 2*time.Minute, oidc.InvalidIDToken, 3},
		{"when the keys can't be had", func() { w.idp.Lock(); w.idp.NoDiscovery = true; w.idp.Unlock() }, 3 * time.Hour, oidc.InvalidIDToken, 4},
		{"when they can again", func() { w.idp.Lock(); w.idp.NoDiscovery = false; w.idp.Unlock() }, 4*time.Hour + time.Minute, "", 5},
	} {
		if step.change != nil {
			step.change()
		}
		if got := w.login(now.Add(step.after)); got != step.want || w.idp.Asked("keys") != step.asked {
			t.Errorf("%s: got %q, keys asked for %d times, want %q and %d", step.name, got, w.idp.Asked("keys"), step.want, step.asked)
		}
	}
}

// An issuer that has no keys isn't asked for them with each login.
func TestTheAbsenceOfKeysIsRemembered(t *testing.T) {
	w := newWorld(t)
	w.idp.NoDiscovery = true
	now := time.Now()
	for i, after := range []time.Duration{0, 4 * time.Minute, 5 * time.Minute} {
		if got := w.login(now.Add(after)); got != "" {
			t.Errorf("after %v: %s", after, got)
		}
		if want := []int{1, 1, 2}[i]; w.idp.Asked("keys") != want {
			t.Errorf("after %v: asked %d times, want %d", after, w.idp.Asked("keys"), want)
		}
	}
}

// What came of a refresh is known for a minute, and not what came of none.
func TestRefreshesAreRemembered(t *testing.T) {
	w, r, now := newWorld(t), provider.NewRefreshes(), time.Now()
	w.idp.Refreshes = true
	former := oidc.NewSession(now)
	former.Subject, former.RefreshToken = "alice", "of nobody"
	try := func(after time.Duration) oidc.Reason {
		_, err := r.Do(t.Context(), w.provider, former, now.Add(after))
		failed, _ := errors.AsType[*provider.Failed](err)
		return failed.Reason
	}
	for i, after := range []time.Duration{0, 59 * time.Second, time.Minute} {
		if got := try(after); got != oidc.InvalidGrant {
			t.Errorf("after %v: %s", after, got)
		}
		if want := []int{1, 1, 2}[i]; w.idp.Asked("refresh") != want {
			t.Errorf("after %v: asked %d times, want %d", after, w.idp.Asked("refresh"), want)
		}
	}
	former.ID[0]++ // another session
	w.idp.Lock()
	w.idp.Down = true
	w.idp.Unlock()
	if got := try(0); got != oidc.TokenTimeout {
		t.Errorf("of a provider that is down: %s", got)
	}
	w.idp.Lock()
	w.idp.Down = false
	w.idp.Unlock()
	if got := try(0); got != oidc.InvalidGrant {
		t.Errorf("of one that is back: %s", got)
	}
}
