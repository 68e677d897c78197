package proxy_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// echo starts a target that answers with the head of the request that it got, less
// what differs from one to the next, and with extra lines of its own.
func (w *world) echo(extra string) string {
	return w.rawTarget(func(c net.Conn, r *bufio.Reader) {
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return
			}
			lines := []string{"Host: " + req.Host}
			for name, values := range req.Header {
				for _, v := range values {
					if name != "X-Amzn-Trace-Id" && name != "User-Agent" {
						lines = append(lines, name+": "+v)
					}
				}
			}
			slices.Sort(lines[1:])
			body := strings.Join(lines, "\n")
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", extra, len(body), body)
		}
	})
}

// ELBv2 LoadBalancerAttributes: what targets see follows the attributes, from one
// request of a connection to the next.
func TestTargetsSeeTheHeadersThatTheAttributesSay(t *testing.T) {
	w := newWorld(t)
	w.register(w.echo(""))
	w.apply()
	c := w.dial()
	own := c.LocalAddr().String()
	ip, _, _ := net.SplitHostPort(own)
	proto := fmt.Sprintf("\nX-Forwarded-Port: %d\nX-Forwarded-Proto: http", port)
	usual := fmt.Sprintf("Host: shop.example:%d\nX-Forwarded-For: 10.0.0.1, ", port)
	for _, tt := range []struct {
		name    string
		headers snapshot.RequestHeaders
		want    string
	}{
		{"as they come", snapshot.RequestHeaders{}, usual + ip + proto},
		{"with the client's port", snapshot.RequestHeaders{ClientPort: true}, usual + own + proto},
		{"addresses preserved", snapshot.RequestHeaders{ForwardedFor: snapshot.PreserveForwardedFor}, usual[:len(usual)-2] + proto},
		{"addresses removed", snapshot.RequestHeaders{ForwardedFor: snapshot.RemoveForwardedFor}, fmt.Sprintf("Host: shop.example:%d", port) + proto},
		{"Host preserved", snapshot.RequestHeaders{PreserveHost: true}, "Host: Shop.example\nX-Forwarded-For: 10.0.0.1, " + ip + proto},
		{"nothing of TLS in the clear", snapshot.RequestHeaders{TLS: true}, usual + ip + proto},
	} {
		w.lb().RequestHeaders = tt.headers
		w.apply()
		c.say("GET / HTTP/1.1\nHost: Shop.example\nX-Forwarded-For: 10.0.0.1\nX-Amzn-Tls-Version: mine\n\n")
		if _, got := c.hear("GET"); got != tt.want {
			t.Errorf("%s: the target got\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

// The headers about TLS have the names that the listener gives them, and nobody
// else can say them, on loops and after a change of shells.
func TestTargetsLearnWhatTheClientsTLSIs(t *testing.T) {
	w := newSecureWorldFor(t, issuer.New(t, "Root"))
	w.certify("arn:1", w.root.Issue("shop.example"))
	w.register(w.echo(""))
	l := &w.lb().Listeners[0]
	for _, tt := range []struct {
		name    string
		on      bool
		names   snapshot.HeaderNames
		version uint16
		suite   uint16
		want    []string
	}{
		{"off", false, snapshot.HeaderNames{}, tls.VersionTLS13, 0, []string{"X-Mine: x", "X-Subject: x"}},
		{"TLS 1.3", true, snapshot.HeaderNames{}, tls.VersionTLS13, 0,
			[]string{"X-Amzn-Tls-Cipher-Suite: TLS_AES_", "X-Amzn-Tls-Version: TLSv1.3", "X-Mine: x", "X-Subject: x"}},
		{"TLS 1.2", true, snapshot.HeaderNames{}, tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			[]string{"X-Amzn-Tls-Cipher-Suite: ECDHE-ECDSA-AES128-GCM-SHA256", "X-Amzn-Tls-Version: TLSv1.2", "X-Mine: x", "X-Subject: x"}},
		{"renamed", true, snapshot.HeaderNames{TLSVersion: "X-Mine", ClientSubject: "X-Subject"}, tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			[]string{"X-Amzn-Tls-Cipher-Suite: ECDHE-ECDSA-AES128-GCM-SHA256", "X-Mine: TLSv1.2"}},
		{"off, but renamed", false, snapshot.HeaderNames{TLSVersion: "X-Mine"}, tls.VersionTLS13, 0, []string{"X-Subject: x"}},
	} {
		w.lb().RequestHeaders.TLS, l.HeaderNames = tt.on, tt.names
		w.apply()
		config := w.trusting("shop.example")
		config.MinVersion, config.MaxVersion = tt.version, tt.version
		if tt.suite != 0 {
			config.CipherSuites = []uint16{tt.suite}
		}
		conn, err := tls.Dial("tcp", w.address(), config)
		if err != nil {
			t.Fatal(err)
		}
		c := &wire{t: t, Conn: conn, r: bufio.NewReader(conn)}
		large := strings.Repeat("x", 100<<10) // no loop gathers as much
		for _, request := range []string{
			"GET / HTTP/1.1\n%s\n",
			"POST / HTTP/1.1\n%sContent-Length: 102400\n\n" + large,
			"GET / HTTP/1.1\n%s\n",
		} {
			c.say(request, "Host: shop.example\nx-mine: x\nX-SUBJECT: x\nX-Amzn-Tls-Version: x\nX-Amzn-Tls-Cipher-Suite: x\n")
			_, body := c.hear("GET")
			var got []string
			for line := range strings.SplitSeq(body, "\n") {
				if !strings.HasPrefix(line, "X-Forwarded") && !strings.HasPrefix(line, "Host") && !strings.HasPrefix(line, "Content") {
					got = append(got, line)
				}
			}
			if !slices.EqualFunc(got, tt.want, func(a, b string) bool { return a == b || strings.HasSuffix(b, "_") && strings.HasPrefix(a, b) }) {
				t.Errorf("%s: %.5s: the target got %q, want %q", tt.name, request, got, tt.want)
			}
		}
		conn.Close()
	}
}

// ELBv2 ListenerAttributes: every response has the headers that are set, whoever
// made it, and interim responses have none of them.
func TestResponsesHaveTheHeadersThatTheAttributesSay(t *testing.T) {
	w := newWorld(t)
	w.register(w.rawTarget(func(c net.Conn, r *bufio.Reader) {
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			if req.URL.Path == "/upgrade" {
				fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\nX-Frame-Options: mine\r\n\r\n")
				return
			}
			fmt.Fprint(c, "HTTP/1.1 103 Early Hints\r\nX-Frame-Options: hint\r\n\r\nHTTP/1.1 200 OK\r\nServer: app\r\nx-frame-options: mine\r\nX-Frame-Options: twice\r\nContent-Length: 0\r\n\r\n")
		}
	}))
	rule := func(path string, a snapshot.Action) snapshot.Rule {
		return snapshot.Rule{ARN: path, Priority: 1, Conditions: []snapshot.Condition{{Field: snapshot.FieldPathPattern, Values: []string{path}}}, Actions: []snapshot.Action{a}}
	}
	l := &w.lb().Listeners[0]
	none := forwardTo("none")[0]
	w.a.TargetGroups = append(w.a.TargetGroups, &snapshot.TargetGroup{ARN: "none", Protocol: snapshot.HTTP})
	slices.SortFunc(w.a.TargetGroups, func(a, b *snapshot.TargetGroup) int { return strings.Compare(a.ARN, b.ARN) })
	w.a.TargetGroups = append(w.a.TargetGroups, &snapshot.TargetGroup{ARN: "refuses", Protocol: snapshot.HTTP, Targets: []snapshot.Target{{Addr: w.bound["node-1"], Port: 1}}})
	l.Rules = append([]snapshot.Rule{
		rule("/fixed", snapshot.Action{Type: snapshot.ActionFixedResponse, FixedResponse: &snapshot.FixedResponse{StatusCode: 200, ContentType: "text/plain", Body: "x"}}),
		rule("/redirect", snapshot.Action{Type: snapshot.ActionRedirect, Redirect: &snapshot.Redirect{StatusCode: 301, Protocol: "HTTP", Host: "a", Port: "80", Path: "/"}}),
		rule("/none", none), rule("/refuses", forwardTo("refuses")[0]),
	}, l.Rules...)

	for _, tt := range []struct {
		name      string
		headers   snapshot.ResponseHeaders
		ours, app string // Server
		set       []string
		frame     []string // X-Frame-Options of the target's response
	}{
		{"nothing is set", snapshot.ResponseHeaders{}, "awselb/2.0", "app", nil, []string{"mine", "twice"}},
		{"headers are set", snapshot.ResponseHeaders{Set: []snapshot.Header{{Name: "X-Frame-Options", Value: "DENY"}}}, "awselb/2.0", "app", []string{"DENY"}, []string{"DENY"}},
		{"and no Server", snapshot.ResponseHeaders{Set: []snapshot.Header{{Name: "X-Frame-Options", Value: "DENY"}}, Anonymous: true}, "", "app", []string{"DENY"}, []string{"DENY"}},
	} {
		l.ResponseHeaders = tt.headers
		w.apply()
		for request, status := range map[string]int{
			"GET /fixed HTTP/1.1\nHost: a\n\n":    200,
			"GET /redirect HTTP/1.1\nHost: a\n\n": 301,
			"GET /none HTTP/1.1\nHost: a\n\n":     503,
			"GET /refuses HTTP/1.1\nHost: a\n\n":  502,
			"GET /bad\x00 HTTP/1.1\nHost: a\n\n":  400,
		} {
			c := w.dial()
			c.say("%s", request)
			resp, _ := c.hear("GET")
			if resp.StatusCode != status || resp.Header.Get("Server") != tt.ours || !slices.Equal(resp.Header.Values("X-Frame-Options"), tt.set) {
				t.Errorf("%s: %q: %d %v", tt.name, request, resp.StatusCode, resp.Header)
			}
		}
		c := w.dial()
		c.say("GET / HTTP/1.1\nHost: a\n\n")
		resp, _ := c.hear("GET")
		if got := resp.Header.Values("X-Frame-Options"); resp.StatusCode != 103 || !slices.Equal(got, []string{"hint"}) {
			t.Errorf("%s: interim: %d %v", tt.name, resp.StatusCode, resp.Header)
		}
		resp, _ = c.hear("GET")
		if resp.StatusCode != 200 || resp.Header.Get("Server") != tt.app || !slices.Equal(resp.Header.Values("X-Frame-Options"), tt.frame) {
			t.Errorf("%s: of the target: %d %v", tt.name, resp.StatusCode, resp.Header)
		}
		c.say("GET /upgrade HTTP/1.1\nHost: a\nConnection: upgrade\nUpgrade: x\n\n")
		resp, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := tt.set
		if want == nil {
			want = []string{"mine"}
		}
		if got := resp.Header.Values("X-Frame-Options"); resp.StatusCode != 101 || !slices.Equal(got, want) {
			t.Errorf("%s: upgrade: %d %v", tt.name, resp.StatusCode, resp.Header)
		}
	}
}
