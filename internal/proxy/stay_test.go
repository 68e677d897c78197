package proxy_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// newStayWorld carries a load balancer whose clients stay with one of n targets,
// which answer with their names: "0", "1" and so on. A target sets the cookies
// that the query names.
func newStayWorld(t *testing.T, n int, s snapshot.TargetStickiness) *world {
	t.Helper()
	w := newWorldWith(t, proxy.Options{OpenKey: opened})
	w.lb().CookieKey = key(1)
	var addrs []string
	for i := range n {
		addrs = append(addrs, w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
			for name := range r.URL.Query() {
				http.SetCookie(rw, &http.Cookie{Name: name, Value: "x"})
			}
			fmt.Fprint(rw, i)
		}))
	}
	w.register(addrs...)
	w.a.TargetGroups[0].Stickiness = s
	w.apply()
	w.health(snapshot.TargetHealthy)
	return w
}

// health tells that all targets are in the state.
func (w *world) health(s snapshot.TargetState) {
	for _, target := range w.a.TargetGroups[0].Targets {
		w.proxy.SetHealth(tgARN, target.AddrPort(), s)
	}
}

// others counts, of ten requests, those that go to another target.
func (w *world) others(c *wire, target, cookies string) (n int) {
	w.t.Helper()
	for range 10 {
		if who, _ := w.ask(c, cookies); who != target {
			n++
		}
	}
	return n
}

func TestAClientStaysWithItsTarget(t *testing.T) {
	w := newStayWorld(t, 3, snapshot.TargetStickiness{Duration: time.Hour})
	c := w.dial()
	seen := map[string]bool{}
	for range 3 {
		first, set := w.ask(c, "")
		seen[first] = true
		plain, cors := set["AWSALB"], set["AWSALBCORS"]
		if plain == nil || cors == nil || len(set) != 2 || plain.Value != cors.Value || plain.Secure || !cors.Secure || cors.SameSite != http.SameSiteNoneMode ||
			plain.Path != "/" || plain.MaxAge != 0 || time.Until(plain.Expires) < 7*24*time.Hour-time.Minute {
			t.Fatalf("got %v", set)
		}
		for _, name := range []string{"AWSALB", "AWSALBCORS"} {
			if n := w.others(c, first, name+"="+plain.Value); n > 0 {
				t.Errorf("%d of 10 requests with %s go elsewhere", n, name)
			}
		}
		if _, again := w.ask(c, "AWSALB="+plain.Value); again["AWSALB"] == nil {
			t.Errorf("the response to a request with the cookie renews it: got %v", again)
		}
		if n := w.others(c, first, "AWSALBTG="+plain.Value); n == 0 {
			t.Error("a cookie of a target group is taken for one of a target")
		}
	}
	if len(seen) != 3 {
		t.Errorf("clients without a cookie go to %v, want all in turn", seen)
	}
}

// Every host that has the load balancer's key knows the cookie.
func TestACookieOfATargetCountsAtEveryNode(t *testing.T) {
	stay := snapshot.TargetStickiness{Duration: time.Hour}
	w, other := newStayWorld(t, 3, stay), newStayWorld(t, 1, stay)
	other.a.TargetGroups[0].Targets = append(other.a.TargetGroups[0].Targets, w.a.TargetGroups[0].Targets...)
	other.apply()
	other.health(snapshot.TargetHealthy)
	_, set := w.ask(w.dial(), "")
	first, _ := w.ask(w.dial(), "AWSALB="+set["AWSALB"].Value)
	c := other.dial()
	if n := other.others(c, first, "AWSALB="+set["AWSALB"].Value); n > 0 {
		t.Errorf("%d of 10 requests go elsewhere at the other node", n)
	}
	other.lb().CookieKey = key(2)
	other.apply()
	if n := other.others(c, first, "AWSALB="+set["AWSALB"].Value); n == 0 {
		t.Error("a cookie made with another key counts")
	}
}

// The client moves once, and stays where it has gone to.
func TestWhatEndsAStay(t *testing.T) {
	for name, change := range map[string]func(w *world, i int){
		"the target isn't healthy": func(w *world, i int) {
			w.proxy.SetHealth(tgARN, w.a.TargetGroups[0].Targets[i].AddrPort(), snapshot.TargetUnhealthy)
		},
		"the target is being deregistered": func(w *world, i int) {
			w.a.TargetGroups[0].Targets[i].Draining = true
			w.apply()
		},
		"the target is gone": func(w *world, i int) {
			g := w.a.TargetGroups[0]
			g.Targets = append(g.Targets[:i:i], g.Targets[i+1:]...)
			w.apply()
		},
		"the time is over": func(w *world, i int) {
			w.a.TargetGroups[0].Stickiness.Duration = time.Nanosecond
			w.apply()
			w.a.TargetGroups[0].Stickiness.Duration = time.Hour
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newStayWorld(t, 3, snapshot.TargetStickiness{Duration: time.Hour})
			c := w.dial()
			first, set := w.ask(c, "")
			cookie := "AWSALB=" + set["AWSALB"].Value
			change(w, int(first[0]-'0'))
			next, set := w.ask(c, cookie)
			if next == first {
				next, set = w.ask(c, cookie) // after the time a choice may be the same
			}
			if next == first || set["AWSALB"] == nil {
				t.Fatalf("went to %s, then to %s with cookies %v; want another one and a new cookie", first, next, set)
			}
			w.apply()
			if n := w.others(c, next, "AWSALB="+set["AWSALB"].Value); n > 0 {
				t.Errorf("%d of 10 requests go away from where the client has moved", n)
			}
		})
	}
}

// With too few healthy targets an unhealthy one is as good as another.
func TestAClientStaysWhenItsGroupFailsOpen(t *testing.T) {
	w := newStayWorld(t, 3, snapshot.TargetStickiness{Duration: time.Hour})
	c := w.dial()
	first, set := w.ask(c, "")
	w.health(snapshot.TargetUnhealthy)
	if n := w.others(c, first, "AWSALB="+set["AWSALB"].Value); n > 0 {
		t.Errorf("%d of 10 requests go elsewhere", n)
	}
}

func TestAClientStaysAsTheApplicationSays(t *testing.T) {
	w := newStayWorld(t, 3, snapshot.TargetStickiness{Duration: time.Hour, Cookie: "sid"})
	c := w.dial()
	ask := func(query, cookies string) (string, map[string]*http.Cookie) {
		t.Helper()
		c.say("GET /?%s HTTP/1.1\nHost: a\nCookie: %s\nUser-Agent: Mozilla/5.0 Chrome/120.0.0.0 Safari/537.36\n\n", query, cookies)
		resp, body := c.hear("GET")
		set := map[string]*http.Cookie{}
		for _, found := range resp.Cookies() {
			set[found.Name] = found
		}
		return body, set
	}
	if _, set := ask("other", ""); set["AWSALBAPP-0"] != nil || set["AWSALB"] != nil {
		t.Errorf("a response without the application's cookie sets %v", set)
	}
	first, set := ask("sid", "")
	token := set["AWSALBAPP-0"]
	if token == nil || token.Path != "/" || token.Secure || time.Until(token.Expires) < 7*24*time.Hour-time.Minute {
		t.Fatalf("got %v", set)
	}
	if n := w.others(c, first, "sid=anything; AWSALBAPP-0="+token.Value); n > 0 {
		t.Errorf("%d of 10 requests with both cookies go elsewhere", n)
	}
	for _, cookies := range []string{"AWSALBAPP-0=" + token.Value, "sid=x", "sid=x; AWSALB=" + token.Value, "SID=x; AWSALBAPP-0=" + token.Value} {
		if n := w.others(c, first, cookies); n == 0 {
			t.Errorf("a client with %s alone stays", strings.ReplaceAll(cookies, token.Value, "…"))
		}
	}
	if _, set := ask("", "sid=x; AWSALBAPP-0="+token.Value); set["AWSALBAPP-0"] == nil {
		t.Errorf("the response to a request with both cookies renews ours: got %v", set)
	}
}

// ELB user guide, "Application-based stickiness": Chromium from 80 on keeps a cookie
// from requests of other sites unless it is told that it may send it.
func TestBrowsersThatWantToBeToldAre(t *testing.T) {
	w := newSecureWorld(t)
	w.certify("arn:1", w.root.Issue("shop.example"))
	w.lb().CookieKey = append([]byte{7}, bytes.Repeat([]byte{1}, 32)...)
	w.register(w.httpTarget(func(rw http.ResponseWriter, _ *http.Request) {
		http.SetCookie(rw, &http.Cookie{Name: "sid", Value: "x"})
	}))
	w.a.TargetGroups[0].Stickiness = snapshot.TargetStickiness{Duration: time.Hour, Cookie: "sid"}
	w.apply()
	c := w.client("shop.example")
	for agent, want := range map[string]bool{
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/80.0.3987.0 Safari/537.36":  true,
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36":    true,
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/79.0.3945.88 Safari/537.36": false,
		"Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0":                                   false,
		"Chrome/x": false,
		"":         false,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.https(), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("User-Agent", agent)
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		told := false
		for _, cookie := range resp.Cookies() {
			if cookie.Name == "AWSALBAPP-0" {
				told = cookie.Secure && cookie.SameSite == http.SameSiteNoneMode
			}
		}
		if len(resp.Cookies()) != 2 || told != want {
			t.Errorf("%q: %v, want it to be told %t", agent, resp.Cookies(), want)
		}
	}
}

// Both kinds of stay go together, and one response has one token for both.
func TestAClientStaysWithGroupAndTarget(t *testing.T) {
	w := newStickyWorld(t, stickyTo(time.Hour, 1, 1))
	w.a.TargetGroups[0].Stickiness.Duration = time.Hour
	for i := range 2 {
		at := netip.MustParseAddrPort(w.httpTarget(func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, i) }))
		w.a.TargetGroups[0].Targets = append(w.a.TargetGroups[0].Targets, snapshot.Target{Addr: at.Addr(), Port: at.Port()})
	}
	w.apply()
	c := w.dial()
	seen := map[string]bool{}
	for range 8 {
		first, set := w.ask(c, "")
		seen[first] = true
		if first == "two" { // its group has no stay of its own
			if len(set) != 2 {
				t.Errorf("of a target group without stickiness: %v", set)
			}
			continue
		}
		if len(set) != 4 || set["AWSALB"].Value != set["AWSALBTG"].Value {
			t.Fatalf("got %v, want four cookies that say the same", set)
		}
		if n := w.others(c, first, "AWSALB="+set["AWSALB"].Value+"; AWSALBTG="+set["AWSALBTG"].Value); n > 0 {
			t.Errorf("%d of 10 requests go elsewhere", n)
		}
	}
	if len(seen) != 4 {
		t.Errorf("clients without cookies go to %v, want all targets of both groups", seen)
	}
}

// Without a key clients are served all the same: a stay is no promise.
func TestWithoutAKeyClientsDontStay(t *testing.T) {
	w := newStayWorld(t, 2, snapshot.TargetStickiness{Duration: time.Hour})
	w.lb().CookieKey = nil
	w.apply()
	if who, set := w.ask(w.dial(), ""); len(set) > 0 || who == "" {
		t.Errorf("got %q and %v, want an answer without cookies", who, set)
	}
}

// A node's zone bounds it where the target group doesn't cross zones.
func TestANodeKeepsToItsZone(t *testing.T) {
	w := newWorld(t)
	var addrs []string
	for _, zone := range []string{"a", "b", "", "all"} {
		addrs = append(addrs, w.httpTarget(func(rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, zone) }))
	}
	w.register(addrs...)
	g := w.a.TargetGroups[0]
	for i, zone := range []string{"a", "b", "", "all"} {
		g.Targets[i].Zone = zone
	}
	where := func() map[string]int {
		t.Helper()
		out := map[string]int{}
		for range 12 {
			status, body := get(t, newClient(t), w.url("/"))
			out[fmt.Sprint(status, " ", body)]++
		}
		return out
	}
	for _, healthy := range []bool{false, true} {
		g.Balancing.ZoneOnly = false
		w.apply()
		if healthy {
			w.health(snapshot.TargetHealthy)
		}
		if got := where(); got["200 a"] != 3 || got["200 b"] != 3 {
			t.Errorf("across zones: %v, want all targets alike", got)
		}
		g.Balancing.ZoneOnly = true
		w.apply()
		if got := where(); got["200 b"] != 0 || got["200 a"] != 4 || got["200 "] != 4 || got["200 all"] != 4 {
			t.Errorf("within zone a: %v, want all but the target in zone b", got)
		}
	}
	g.Targets = g.Targets[1:2]
	w.apply()
	if got := where(); got["503 "+page503] != 12 {
		t.Errorf("without a target in the zone: %v, want 503", got)
	}
}

var page503 = "<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n<body>\r\n<center><h1>503 Service Temporarily Unavailable</h1></center>\r\n</body>\r\n</html>\r\n"

// A target that is busy gets nothing, whichever connections the requests come on.
func TestLeastOutstandingRequests(t *testing.T) {
	w := newWorld(t)
	hold, held := make(chan struct{}), make(chan struct{}, 1)
	var addrs []string
	for i := range 3 {
		addrs = append(addrs, w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/hold" {
				held <- struct{}{}
				<-hold
			}
			fmt.Fprint(rw, i)
		}))
	}
	w.register(addrs...)
	w.a.TargetGroups[0].Balancing.Algorithm = snapshot.LeastOutstanding
	w.apply()
	w.health(snapshot.TargetHealthy)
	slow := w.dial()
	slow.say("GET /hold HTTP/1.1\nHost: a\n\n")
	<-held
	seen := map[string]int{}
	c := w.dial()
	for range 10 {
		who, _ := w.ask(c, "")
		seen[who]++
	}
	close(hold)
	_, busy := slow.hear("GET")
	if len(seen) != 2 || seen[busy] > 0 {
		t.Errorf("while target %s is busy: %v, want the two others", busy, seen)
	}
}

// How requests end is known of every target: of one that nobody can connect to,
// one that answers 500, and those that are well.
func TestAnomaliesAreNoticed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	well := func(rw http.ResponseWriter, _ *http.Request) {}
	w.register(w.httpTarget(well), w.httpTarget(well), w.httpTarget(well), w.httpTarget(well), w.httpTarget(well),
		w.httpTarget(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(500) }), "127.0.0.1:1")
	w.a.TargetGroups[0].Balancing = snapshot.Balancing{Algorithm: snapshot.WeightedRandom, AnomalyMitigation: true}
	w.apply()
	w.health(snapshot.TargetHealthy)
	c := w.dial()
	anomalies := func() (out string) {
		for _, target := range w.a.TargetGroups[0].Targets {
			anomalous, mitigated := w.proxy.Anomaly(tgARN, target.AddrPort())
			out += fmt.Sprint(anomalous, mitigated, " ")
		}
		return out
	}
	const want = "false false false false false false false false false false true true true true "
	for range 500 {
		c.say("GET / HTTP/1.1\nHost: a\n\n")
		c.hear("GET")
	}
	eventually(t, "what the last 500 requests came to", func() bool { return anomalies() == want })
}
