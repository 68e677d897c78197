package proxy

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/route"
)

// Whatever a client sends, only what we made decides where it goes.
func FuzzOnlyOurCookiesCount(f *testing.F) {
	aead, err := chacha20poly1305.NewX(bytes.Repeat([]byte{1}, chacha20poly1305.KeySize))
	if err != nil {
		f.Fatal(err)
	}
	s := &sticky{aead}
	now := time.Unix(1700000000, 0)
	action := &route.Action{Stickiness: time.Hour, Shares: []route.Share{{Mark: route.Mark{1}}, {Mark: route.Mark{2}}}}
	fields := string(s.appendCookies(nil, route.Mark{2}, now))
	ours, _, _ := strings.Cut(strings.TrimPrefix(fields, "Set-Cookie: AWSALBTG="), ";")
	f.Add("AWSALBTG=$")
	f.Add("a=b; AWSALBTGCORS=$;")
	f.Add(" ;;=; AWSALBTG = $; AWSALBTG=" + strings.Repeat("A", stickyText))
	f.Fuzz(func(t *testing.T, cookie string) {
		named := strings.Contains(cookie, groupCookie)
		head := []byte("GET / HTTP/1.1\r\nHost: a\r\nCookie: " + strings.ReplaceAll(cookie, "$", ours) + "\r\n\r\n")
		var r http1.Request
		if n, err := r.Parse(head); err != nil || n != len(head) {
			return
		}
		got := s.share(action, &r, head, now)
		if got != -1 && (got != 1 || !named || !strings.Contains(cookie, "$")) {
			t.Errorf("%q leads to %d", head, got)
		}
		if late := s.share(action, &r, head, now.Add(time.Hour+time.Millisecond)); late != -1 {
			t.Errorf("%q still leads to %d after an hour", head, late)
		}
		if early := s.share(action, &r, head, now.Add(-clockSkew-time.Millisecond)); early != -1 {
			t.Errorf("%q leads to %d before it was made", head, early)
		}
		if exact := s.share(action, &r, head, now.Add(time.Hour)); exact != got {
			t.Errorf("%q leads to %d within the hour, and to %d at its end", head, got, exact)
		}
	})
}
