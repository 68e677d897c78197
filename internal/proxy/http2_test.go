package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// newHTTP2World is a world whose listener offers HTTP/2.
func newHTTP2World(t testing.TB) *secureWorld {
	t.Helper()
	return newHTTP2WorldWith(t, proxy.Options{})
}

func newHTTP2WorldWith(t testing.TB, o proxy.Options) *secureWorld {
	t.Helper()
	w := newSecureWorldOf(t, issuer.New(t, "Root"), o)
	w.certify("arn:1", w.root.Issue("shop.example"))
	return w
}

// http2Client is a client that speaks HTTP/2 and nothing else, on one connection.
func (w *secureWorld) http2Client() *http.Client {
	tr := &http.Transport{TLSClientConfig: w.trusting("shop.example"), DisableCompression: true, Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP2(true)
	w.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func TestHTTP2IsServed(t *testing.T) {
	w := newHTTP2World(t)
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		rw.Header().Set("Connection", "keep-alive")
		fmt.Fprintf(rw, "%s %s %s %s %d", r.Proto, r.Method, r.URL, r.Host, len(b))
	}))
	w.apply()
	c := w.http2Client()
	for _, tt := range []struct {
		method, path string
		body         int
	}{{"GET", "", 0}, {"POST", "x?y", 5}, {"POST", "", 1 << 20}, {"PUT", "", 100}} {
		req, _ := http.NewRequest(tt.method, w.https()+tt.path, strings.NewReader(strings.Repeat("x", tt.body)))
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		want := fmt.Sprintf("HTTP/1.1 %s /%s %s %d", tt.method, tt.path, w.address(), tt.body)
		if err != nil || string(b) != want || resp.Proto != "HTTP/2.0" {
			t.Errorf("%s: got %q, %v, want %q", resp.Proto, b, err, want)
		}
	}
	if n := w.proxy.Status()[0].OpenConnections; n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestCurlSpeaksHTTP2(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl")
	}
	w := newHTTP2World(t)
	w.apply()
	out, err := exec.CommandContext(t.Context(), "curl", "-sS", "--http2", "-k", "-w", " %{http_version} %{response_code}", w.https()).CombinedOutput()
	if want := fmt.Sprintf("https %d 2 200", port); err != nil || string(out) != want {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
}

func TestHTTP2CanBeTurnedOff(t *testing.T) {
	w := newHTTP2World(t)
	w.apply()
	offer := w.trusting("shop.example")
	offer.NextProtos = []string{"h2", "http/1.1"}
	for _, tt := range []struct {
		off  bool
		want string
	}{{false, "h2"}, {true, "http/1.1"}, {false, "h2"}} {
		w.lb().Listeners[0].TLS.HTTP1Only = tt.off
		w.apply()
		s, err := w.shake(offer)
		if err != nil || s.NegotiatedProtocol != tt.want {
			t.Errorf("off %t: got %q, %v", tt.off, s.NegotiatedProtocol, err)
		}
	}
}

// The matrix of the ELB user guide, "Protocol versions". The target speaks no HTTP/2,
// so that what it could be asked fails.
func TestRequestsThatTargetsCannotTakeAreRefused(t *testing.T) {
	w := newHTTP2World(t)
	w.register(w.httpTarget(func(http.ResponseWriter, *http.Request) {}))
	two := w.http2Client()
	one := w.client("shop.example")
	for _, tt := range []struct {
		version           snapshot.ProtocolVersion
		client            *http.Client
		method, mediaType string
		want              int
	}{
		{snapshot.HTTP1, one, "GET", "", 200},
		{snapshot.HTTP1, one, "POST", "application/grpc", 200},
		{snapshot.HTTP1, two, "GET", "", 200},
		{snapshot.HTTP1, two, "POST", "application/grpc", 464},
		{snapshot.HTTP1, two, "POST", "application/grpc+proto", 464},
		{snapshot.HTTP1, two, "POST", "application/grpc-web", 200},
		{snapshot.HTTP2, one, "GET", "", 464},
		{snapshot.HTTP2, two, "GET", "", 502},
		{snapshot.GRPC, one, "POST", "application/grpc", 464},
		{snapshot.GRPC, two, "GET", "", 464},
		{snapshot.GRPC, two, "POST", "application/grpc", 502},
	} {
		w.a.TargetGroups[0].ProtocolVersion = tt.version
		w.apply()
		req, _ := http.NewRequest(tt.method, w.https(), nil)
		if tt.mediaType != "" {
			req.Header.Set("Content-Type", tt.mediaType)
		}
		resp, err := tt.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.want {
			t.Errorf("%s %q in %s to %q: got %d, want %d", tt.method, tt.mediaType, resp.Proto, tt.version, resp.StatusCode, tt.want)
		}
	}
}
