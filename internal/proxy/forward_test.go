package proxy_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/snapshot"
)

func TestTwoTargetsTakeTurns(t *testing.T) {
	w := newWorld(t)
	one := w.httpTarget(func(rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, "one") })
	two := w.httpTarget(func(rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, "two") })
	w.register(one, two)
	w.apply()
	c := newClient(t)
	var got []string
	for range 6 {
		_, body := get(t, c, w.url("/"))
		got = append(got, body)
	}
	if s := strings.Join(got, " "); s != "one two one two one two" {
		t.Errorf("got %s", s)
	}
}

func TestTargetSeesWhoAsks(t *testing.T) {
	w := newWorld(t)
	seen := make(chan *http.Request, 1)
	w.register(w.httpTarget(func(_ http.ResponseWriter, r *http.Request) { seen <- r }))
	w.apply()
	req, _ := http.NewRequest("GET", w.url("/a%20b?c=d"), nil)
	req.Header.Set("X-Forwarded-For", "198.51.100.1")
	req.Header.Set("X-Forwarded-Proto", "https")
	req.Header.Set("Connection", "X-Secret")
	req.Header.Set("X-Secret", "1")
	resp, err := newClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	r := <-seen
	for name, want := range map[string]string{
		"X-Forwarded-For":   "198.51.100.1, 127.0.0.1",
		"X-Forwarded-Proto": "http",
		"X-Forwarded-Port":  fmt.Sprint(port),
		"X-Secret":          "",
		"Connection":        "",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := r.Header.Get("X-Amzn-Trace-Id"); !strings.HasPrefix(got, "Root=1-") || len(got) != len("Root=1-5e6722a7-000000000000000000000000") {
		t.Errorf("X-Amzn-Trace-Id: %q", got)
	}
	if r.RequestURI != "/a%20b?c=d" || r.Host != w.address() {
		t.Errorf("target saw %s at %s", r.RequestURI, r.Host)
	}
}

// Bodies arrive whole in every framing, both ways.
func TestBodiesArriveWhole(t *testing.T) {
	w := newWorld(t)
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("length") != "" {
			b, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			rw.Header().Set("Content-Length", fmt.Sprint(len(b)))
			rw.Write(b)
			return
		}
		if err := http.NewResponseController(rw).EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		io.Copy(flusher{rw}, r.Body)
	}))
	w.apply()
	c := newClient(t)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, 100, 4095, 4096, 4097, 32 << 10, 100_000, 8 << 20} {
		body := make([]byte, size)
		for i := range body {
			body[i] = byte(rng.Uint32())
		}
		for _, path := range []string{"/?length=1", "/"} {
			for _, chunked := range []bool{false, true} {
				var r io.Reader = bytes.NewReader(body)
				if chunked {
					r = struct{ io.Reader }{r}
				}
				resp, err := c.Post(w.url(path), "application/octet-stream", r)
				if err != nil {
					t.Fatalf("%d bytes, chunked %t, to %s: %v", size, chunked, path, err)
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || !bytes.Equal(got, body) {
					t.Errorf("%d bytes, chunked %t, to %s: got %d bytes back, %v", size, chunked, path, len(got), err)
				}
			}
		}
	}
}

// flusher sends what is written at once.
type flusher struct{ http.ResponseWriter }

func (f flusher) Write(b []byte) (int, error) {
	n, err := f.ResponseWriter.Write(b)
	f.ResponseWriter.(http.Flusher).Flush()
	return n, err
}

func TestTargetsOfAnotherProtocolVersionGetNoRequest(t *testing.T) {
	w := newWorld(t)
	asked := false
	w.register(w.httpTarget(func(http.ResponseWriter, *http.Request) { asked = true }))
	w.a.TargetGroups[0].ProtocolVersion = snapshot.GRPC
	w.apply()
	if status, _ := get(t, newClient(t), w.url("/")); status != 464 || asked {
		t.Errorf("got %d, want 464; target asked: %v", status, asked)
	}
	w.a.TargetGroups[0].ProtocolVersion = snapshot.HTTP1
	w.apply()
	if status, _ := get(t, newClient(t), w.url("/")); status != 200 || !asked {
		t.Errorf("HTTP1: got %d, target asked: %v", status, asked)
	}
}

func TestAnswersOfOurOwn(t *testing.T) {
	fixed := func(f snapshot.FixedResponse) []snapshot.Action {
		return []snapshot.Action{{Type: snapshot.ActionFixedResponse, FixedResponse: &f}}
	}
	zero := forwardTo(tgARN)
	zero[0].Forward.TargetGroups[0].Weight = 0
	tests := []struct {
		name    string
		actions []snapshot.Action
		status  int
		body    string
	}{
		{"a fixed response", fixed(snapshot.FixedResponse{StatusCode: 418, ContentType: "text/plain", Body: "short"}), 418, "short"},
		{"a fixed response without a body", fixed(snapshot.FixedResponse{StatusCode: 204}), 204, ""},
		{"no target is registered", forwardTo(tgARN), 503, "<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n<body>\r\n<center><h1>503 Service Temporarily Unavailable</h1></center>\r\n</body>\r\n</html>\r\n"},
		{"all weights are zero", zero, 503, "<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n<body>\r\n<center><h1>503 Service Temporarily Unavailable</h1></center>\r\n</body>\r\n</html>\r\n"},
		{"an action that a node can't perform", []snapshot.Action{{Type: "redirect"}}, 501, "<html>\r\n<head><title>501 Not Implemented</title></head>\r\n<body>\r\n<center><h1>501 Not Implemented</h1></center>\r\n</body>\r\n</html>\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.lb().Listeners[0].Rules[0].Actions = tt.actions
			w.apply()
			c := w.dial()
			for _, method := range []string{"GET", "HEAD", "POST", "GET"} { // on one connection
				length := ""
				if method == "POST" {
					length = "Content-Length: 5\n"
				}
				c.say("%s / HTTP/1.1\nHost: a\n%s\n", method, length)
				if method == "POST" {
					c.say("hello")
				}
				resp, body := c.hear(method)
				want := tt.body
				if method == "HEAD" {
					want = ""
				}
				if resp.StatusCode != tt.status || body != want || resp.Header.Get("Server") != "awselb/2.0" || resp.Header.Get("Date") == "" {
					t.Errorf("%s: %d %q, Server %q, Date %q; want %d %q", method, resp.StatusCode, body, resp.Header.Get("Server"), resp.Header.Get("Date"), tt.status, want)
				}
			}
		})
	}
}

func TestRulesChooseTheTargetGroup(t *testing.T) {
	w := newWorld(t)
	api := tgARN + "-api"
	w.register(w.httpTarget(func(rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, "web") }))
	ap := netip.MustParseAddrPort(w.httpTarget(func(rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, "api") }))
	w.a.TargetGroups = append(w.a.TargetGroups, &snapshot.TargetGroup{ARN: api, Protocol: snapshot.HTTP, Targets: []snapshot.Target{{Addr: ap.Addr(), Port: ap.Port()}}})
	l := &w.lb().Listeners[0]
	l.Rules = append([]snapshot.Rule{{ARN: "api", Priority: 1, Conditions: []snapshot.Condition{{Field: snapshot.FieldPathPattern, Values: []string{"/api/*"}}}, Actions: forwardTo(api)}}, l.Rules...)
	w.apply()
	c := newClient(t)
	for path, want := range map[string]string{"/api/x": "api", "/": "web", "/ap": "web"} {
		if _, got := get(t, c, w.url(path)); got != want {
			t.Errorf("%s goes to %s, want %s", path, got, want)
		}
	}
}

// Health decides who gets requests; with nobody healthy everybody does.
func TestHealthDecidesWhoGetsRequests(t *testing.T) {
	w := newWorld(t)
	var addrs []netip.AddrPort
	for i := range 3 {
		addrs = append(addrs, netip.MustParseAddrPort(w.httpTarget(func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, i) })))
	}
	w.register(addrs[0].String(), addrs[1].String(), addrs[2].String())
	w.apply()
	c := newClient(t)
	three := func() string {
		seen := map[string]bool{}
		for range 6 {
			_, body := get(t, c, w.url("/"))
			seen[body] = true
		}
		out := ""
		for i := range 3 {
			if seen[fmt.Sprint(i)] {
				out += fmt.Sprint(i)
			}
		}
		return out
	}
	set := func(i int, s snapshot.TargetState) { w.proxy.SetHealth(tgARN, addrs[i], s) }
	if got := three(); got != "012" {
		t.Errorf("all initial: %s, want all", got)
	}
	set(1, snapshot.TargetHealthy)
	if got := three(); got != "1" {
		t.Errorf("1 healthy: %s", got)
	}
	set(2, snapshot.TargetUnavailable)
	if got := three(); got != "12" {
		t.Errorf("1 healthy, 2 unchecked: %s", got)
	}
	set(1, snapshot.TargetUnhealthy)
	set(2, snapshot.TargetUnhealthy)
	if got := three(); got != "012" {
		t.Errorf("none healthy: %s, want all", got)
	}
	set(1, snapshot.TargetHealthy)
	w.a.TargetGroups[0].Targets[1].Draining = true
	w.apply()
	if got := three(); got != "02" {
		t.Errorf("the healthy one drains: %s, want the others", got)
	}
}

func TestTargetsAreAskedForWhatTransformsSay(t *testing.T) {
	w := newWorld(t)
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, r.Host, " ", r.RequestURI) }))
	l := &w.lb().Listeners[0]
	l.Rules = append([]snapshot.Rule{
		{ARN: "shop", Priority: 1, Conditions: []snapshot.Condition{{Field: snapshot.FieldPathPattern, Values: []string{"/shop/*"}}}, Actions: forwardTo(tgARN),
			Transforms: []snapshot.Transform{{Type: snapshot.TransformHost, Regex: "^www[.]", Replace: "shop."}, {Type: snapshot.TransformURL, Regex: "^/shop", Replace: ""}}},
		{ARN: "broken", Priority: 2, Conditions: []snapshot.Condition{{Field: snapshot.FieldPathPattern, Values: []string{"/broken"}}}, Actions: forwardTo(tgARN),
			Transforms: []snapshot.Transform{{Type: snapshot.TransformURL, Regex: "/", Replace: ""}}},
	}, l.Rules...)
	w.apply()
	c := w.dial()
	for _, request := range []struct{ target, want string }{
		{"/shop/cart?x=1", "shop.example /cart?x=1"}, {"/other", "www.example:28080 /other"},
	} {
		c.say("GET %s HTTP/1.1\nHost: WWW.example\n\n", request.target)
		if _, body := c.hear("GET"); body != request.want {
			t.Errorf("%s: the target was asked for %q, want %q", request.target, body, request.want)
		}
	}
	c.say("GET /broken HTTP/1.1\nHost: a\n\n")
	if resp, _ := c.hear("GET"); resp.StatusCode != 500 {
		t.Errorf("a transform without a result: %d, want 500", resp.StatusCode)
	}
}

// Nothing passes by an action that the node can't perform.
func TestActionsThatAreNotPerformedAnswer501(t *testing.T) {
	w := newWorld(t)
	w.register(w.httpTarget(func(http.ResponseWriter, *http.Request) { t.Error("a target was asked") }))
	sticky := stickyTo(time.Minute, 1, 1)
	w.a.TargetGroups = append(w.a.TargetGroups, &snapshot.TargetGroup{ARN: tgARN + "-2", Protocol: snapshot.HTTP})
	for name, actions := range map[string][]snapshot.Action{
		"an authentication before the forward": append([]snapshot.Action{{Type: "authenticate-oidc"}}, forwardTo(tgARN)...),
		"sticky target groups without a key":   sticky,
	} {
		w.lb().Listeners[0].Rules[0].Actions = actions
		w.apply()
		resp, err := newClient(t).Get(w.url("/"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 501 {
			t.Errorf("%s: %d, want 501", name, resp.StatusCode)
		}
	}
}
