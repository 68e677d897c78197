package oidc_test

import (
	"encoding/base64"
	"strings"
	"testing"
)

// payloadOf returns the claims in a session's token.
func payloadOf(t testing.TB, lines []byte) string {
	t.Helper()
	_, token, _ := strings.Cut(string(lines), "x-amzn-oidc-data: ")
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("token %q", token)
	}
	text, err := base64.URLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Whatever a client brings back, it is told from what it was given.
func FuzzOpen(f *testing.F) {
	c := newClient(f, nil)
	q, cookie := begin(f, c)
	lines, err := c.AppendCookies(nil, session(100, 10, 10), 0, true, now)
	if err != nil {
		f.Fatal(err)
	}
	text := string(textOf(f, cookiesOf(lines)))
	f.Add(text, q.Get("state"), cookie)
	f.Add("", "", "")
	f.Add("1", "A", "A")
	f.Add(text[:len(text)-1], q.Get("state")[:40], cookie[1:])
	f.Fuzz(func(t *testing.T, session, state, nonce string) {
		// Another process of the fuzzer's has sealed other texts, of the same content.
		if s, ok := c.Open([]byte(session), now); ok && (s.Subject != "alice" || len(s.Claims) != 108 || len(s.AccessToken) != 10) {
			t.Errorf("session %q is taken for ours: %+v", session, s)
		}
		if s, err := c.OpenState([]byte(state), []byte("shop.test"), []byte(nonce), now); err == nil && (s.Target != "/a?b" || !s.Made.Equal(now)) {
			t.Errorf("state %q with %q is taken for ours: %+v", state, nonce, s)
		}
	})
}
