package proxy_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// http2Target has a target that speaks HTTP/2 and nothing else, within TLS or in the
// clear by prior knowledge.
func (w *secureWorld) http2Target(secure bool, h http.HandlerFunc) *httptest.Server {
	w.t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = new(http.Protocols)
	w.a.TargetGroups[0].ProtocolVersion, w.a.TargetGroups[0].Protocol = snapshot.HTTP2, snapshot.HTTP
	if secure {
		w.a.TargetGroups[0].Protocol = snapshot.HTTPS
		s.Config.Protocols.SetHTTP2(true)
		s.TLS = &tls.Config{NextProtos: []string{"h2"}}
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		s.Start()
	}
	w.t.Cleanup(s.Close)
	w.register(s.Listener.Addr().String())
	return s
}

func TestTargetsAreSpokenToInHTTP2(t *testing.T) {
	for _, secure := range []bool{false, true} {
		w := newHTTP2World(t)
		w.http2Target(secure, func(rw http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			rw.Header().Set("Trailer", "X-Sum")
			fmt.Fprintf(rw, "%s %s %s %s %d %s", r.Proto, r.Method, r.URL, r.Host, len(b), r.Trailer.Get("X-Asked"))
			rw.Header().Set("X-Sum", "12")
			if got := r.Header.Get("X-Forwarded-Proto") + r.Header.Get("X-Forwarded-For") + r.Header.Get("Connection"); got != "https127.0.0.1" {
				t.Errorf("fields of %q", got)
			}
		})
		w.apply()
		c := w.http2Client()
		for _, tt := range []struct {
			method, path string
			body         int
		}{{"GET", "", 0}, {"POST", "x?y", 5}, {"POST", "", 1 << 20}, {"PUT", "", 100}, {"DELETE", "z", 0}} {
			var body io.Reader = strings.NewReader(strings.Repeat("x", tt.body))
			if tt.body == 0 {
				body = nil
			}
			req, _ := http.NewRequest(tt.method, w.https()+tt.path, body)
			if tt.body > 0 {
				req.ContentLength = -1
				req.Trailer = http.Header{"X-Asked": {"yes"}}
			}
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			asked := ""
			if tt.body > 0 {
				asked = "yes"
			}
			want := fmt.Sprintf("HTTP/2.0 %s /%s %s %d %s", tt.method, tt.path, w.address(), tt.body, asked)
			if err != nil || string(b) != want || resp.StatusCode != 200 || resp.Trailer.Get("X-Sum") != "12" {
				t.Errorf("%d: got %q, %v, want %q; trailers %v", resp.StatusCode, b, err, want, resp.Trailer)
			}
		}
	}
}
