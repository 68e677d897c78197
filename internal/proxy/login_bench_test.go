package proxy

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/oidc"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// BenchmarkLoginCheck is what the guard of a rule that has clients log in costs a
// request: whose client is known, has cookies of nobody's, or none.
func BenchmarkLoginCheck(b *testing.B) {
	p := New(Options{Loops: -1, OpenKey: func(_ string, sealed []byte) ([]byte, error) { return sealed, nil }})
	b.Cleanup(func() { p.Close(context.Background()) })
	l, err := p.newLogin(&snapshot.LoadBalancer{ARN: "arn:lb", CookieKey: bytes.Repeat([]byte{1}, 32)}, &snapshot.OIDC{
		Issuer: "https://idp.test", AuthorizationEndpoint: "https://idp.test/authorize", ClientID: "client", Secret: []byte("secret"),
		Cookie: "AWSELBAuthSessionCookie", Scope: "openid", Timeout: time.Hour, Unauthenticated: snapshot.Authenticate,
	})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	cookies := func(claims int) string {
		s := oidc.NewSession(now)
		s.Subject, s.Claims, s.AccessToken = "alice", fmt.Appendf(nil, `{"sub":"alice","x":%q}`, strings.Repeat("x", claims)), strings.Repeat("t", 900)
		lines, err := l.rule.AppendCookies(nil, s, 0, false, now)
		if err != nil {
			b.Fatal(err)
		}
		var pairs []string
		for line := range strings.Lines(string(lines)) {
			pair, _, _ := strings.Cut(strings.TrimPrefix(line, "Set-Cookie: "), ";")
			pairs = append(pairs, pair)
		}
		return strings.Join(pairs, "; ")
	}
	small := cookies(300)
	for _, c := range []struct {
		name, cookies string
		want          verdict
	}{
		{"known", small, passes},
		{"known, four cookies", cookies(9000), passes},
		{"altered", small[:200] + "AAAA" + small[204:], refused},
		{"stranger", "theme=dark", refused},
	} {
		b.Run(c.name, func(b *testing.B) {
			head := []byte("GET /cart?id=7 HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: Mozilla/5.0 Chrome/120.0\r\nCookie: " + c.cookies + "\r\n\r\n")
			var r http1.Request
			if _, err := r.Parse(head); err != nil {
				b.Fatal(err)
			}
			q := inquiry{arrival: arrival{now: now}, head: head, request: &r, port: 443, node: new(node)}
			b.ReportAllocs()
			for b.Loop() {
				if d := l.check(&q); d.verdict != c.want {
					b.Fatalf("got %+v", d)
				}
			}
		})
	}
}
