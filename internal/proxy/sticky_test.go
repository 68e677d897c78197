package proxy_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// stickyTo forwards to two target groups, between which clients don't change.
func stickyTo(duration time.Duration, one, two int) []snapshot.Action {
	return []snapshot.Action{{Type: snapshot.ActionForward, Forward: &snapshot.Forward{Stickiness: duration, TargetGroups: []snapshot.WeightedTargetGroup{
		{ARN: tgARN, Weight: one}, {ARN: tgARN + "-2", Weight: two},
	}}}}
}

// opened decrypts cookie keys as a host that has the key file does: what is sealed
// says for whom.
func opened(subject string, sealed []byte) ([]byte, error) {
	key, ok := bytes.CutPrefix(sealed, []byte(subject+" "))
	if !ok {
		return nil, errors.New("sealed for another subject")
	}
	return key, nil
}

// key is the cookie key of the load balancer, as its record has it.
func key(fill byte) []byte {
	return append([]byte(lbARN+"#cookies "), bytes.Repeat([]byte{fill}, 32)...)
}

// newStickyWorld carries a load balancer with two target groups, "one" and "two".
func newStickyWorld(t *testing.T, actions []snapshot.Action) *world {
	t.Helper()
	w := newWorldWith(t, proxy.Options{OpenKey: opened})
	w.lb().CookieKey = key(1)
	w.lb().Listeners[0].Rules[0].Actions = actions
	w.register(w.httpTarget(func(rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, "one") }))
	two := netip.MustParseAddrPort(w.httpTarget(func(rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, "two") }))
	w.a.TargetGroups = append(w.a.TargetGroups, &snapshot.TargetGroup{ARN: tgARN + "-2", Protocol: snapshot.HTTP, Targets: []snapshot.Target{{Addr: two.Addr(), Port: two.Port()}}})
	w.apply()
	return w
}

// ask sends a request with cookies, and returns who answered and the cookies that
// were set, by name.
func (w *world) ask(c *wire, cookies string) (who string, set map[string]*http.Cookie) {
	w.t.Helper()
	if cookies != "" {
		cookies = "Cookie: " + cookies + "\n"
	}
	c.say("GET / HTTP/1.1\nHost: a\n%s\n", cookies)
	resp, body := c.hear("GET")
	set = map[string]*http.Cookie{}
	for _, found := range resp.Cookies() {
		set[found.Name] = found
	}
	return body, set
}

func TestAClientStaysWithItsTargetGroup(t *testing.T) {
	w := newStickyWorld(t, stickyTo(time.Hour, 1, 1))
	c := w.dial()
	seen := map[string]bool{}
	for range 4 {
		first, set := w.ask(c, "")
		seen[first] = true
		for _, name := range []string{"AWSALBTG", "AWSALBTGCORS"} {
			cookie := set[name]
			if cookie == nil {
				t.Fatalf("%s isn't set, but %v", name, set)
			}
			cors := name == "AWSALBTGCORS"
			if life := time.Until(cookie.Expires); life < 7*24*time.Hour-time.Minute || life > 7*24*time.Hour || cookie.Path != "/" || cookie.MaxAge != 0 ||
				cookie.Secure != cors || (cookie.SameSite == http.SameSiteNoneMode) != cors {
				t.Errorf("got %s", cookie.Raw)
			}
			if cookie.Value != set["AWSALBTG"].Value {
				t.Errorf("%s says something else than AWSALBTG", name)
			}
			for _, request := range []string{name + "=" + cookie.Value, "a=b; " + name + "=" + cookie.Value + "; AWSALBTG=x"} {
				for range 3 {
					again, renewed := w.ask(c, request)
					if again != first {
						t.Errorf("%s: went to %s, then to %s", request, first, again)
					}
					if renewed[name] == nil {
						t.Errorf("the response to a request with the cookie renews it: got %v", renewed)
					}
				}
			}
		}
	}
	if !seen["one"] || !seen["two"] {
		t.Errorf("clients without a cookie go to %v, want both by weight", seen)
	}
}

// Every node has the key, so a cookie of one counts at all, also when the weights
// have changed since: who is there stays, and nobody comes.
func TestACookieOutlivesWeightsAndNodes(t *testing.T) {
	w := newStickyWorld(t, stickyTo(time.Hour, 1, 0))
	_, set := w.ask(w.dial(), "")
	cookie := "AWSALBTG=" + set["AWSALBTG"].Value

	other := newStickyWorld(t, stickyTo(time.Hour, 0, 1))
	c := other.dial()
	if who, _ := other.ask(c, ""); who != "two" {
		t.Errorf("without a cookie: %s, want two", who)
	}
	if who, _ := other.ask(c, cookie); who != "one" {
		t.Errorf("with the other node's cookie: %s, want one", who)
	}
	other.register() // the target group has nobody left
	other.apply()
	if who, set := other.ask(c, cookie); who != "two" || set["AWSALBTG"] == nil {
		t.Errorf("to a target group without targets: %s, cookies %v; want two, and a new cookie", who, set)
	}
}

func TestCookiesThatDontCount(t *testing.T) {
	w := newStickyWorld(t, stickyTo(time.Hour, 1, 0))
	_, set := w.ask(w.dial(), "")
	value := set["AWSALBTG"].Value
	flip := func(i int) string {
		b := []byte(value)
		if b[i] == 'A' {
			b[i] = 'B'
		} else {
			b[i] = 'A'
		}
		return string(b)
	}
	for _, c := range []struct {
		name, cookie string
		change       func(w *world)
	}{
		{name: "one of another name", cookie: "AWSALB=" + value},
		{name: "one in another case", cookie: "awsalbtg=" + value},
		{name: "one whose nonce was altered", cookie: "AWSALBTG=" + flip(0)},
		{name: "one whose content was altered", cookie: "AWSALBTG=" + flip(40)},
		{name: "one that was cut", cookie: "AWSALBTG=" + value[:70]},
		{name: "one that was encoded", cookie: "AWSALBTG=%41" + value[3:]},
		{name: "the fifth of those that could be ours", cookie: strings.Repeat("AWSALBTG="+flip(3)+"; ", 4) + "AWSALBTG=" + value},
		{name: "one of another load balancer", cookie: "AWSALBTG=" + value, change: func(w *world) { w.lb().CookieKey = key(2) }},
		{name: "one for a target group that the action hasn't", cookie: "AWSALBTG=" + value, change: func(w *world) {
			w.a.TargetGroups[0].ARN += "-0"
			w.lb().Listeners[0].Rules[0].Actions[0].Forward.TargetGroups[0].ARN += "-0"
		}},
		{name: "one from before the action's time", cookie: "AWSALBTG=" + value, change: func(w *world) {
			w.lb().Listeners[0].Rules[0].Actions = stickyTo(time.Nanosecond, 0, 1)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newStickyWorld(t, stickyTo(time.Hour, 0, 1))
			if c.change != nil {
				c.change(w)
				w.apply()
			}
			if who, set := w.ask(w.dial(), c.cookie); who != "two" || set["AWSALBTG"] == nil {
				t.Errorf("went to %s, cookies %v; want two by weight, and a new cookie", who, set)
			}
		})
	}
}

func TestOneTargetGroupNeedsNoCookie(t *testing.T) {
	actions := stickyTo(time.Hour, 1, 1)
	actions[0].Forward.TargetGroups = actions[0].Forward.TargetGroups[:1]
	w := newStickyWorld(t, actions)
	w.lb().CookieKey = nil
	w.apply()
	if who, set := w.ask(w.dial(), ""); who != "one" || len(set) > 0 {
		t.Errorf("got %s, cookies %v", who, set)
	}
}

// A tunnel's beginning is a response, too.
func TestAProtocolChangeSetsTheCookie(t *testing.T) {
	w := newStickyWorld(t, stickyTo(time.Hour, 1, 0))
	w.register(w.rawTarget(func(c net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err == nil {
			io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		}
	}))
	w.apply()
	c := w.dial()
	c.say("GET / HTTP/1.1\nHost: a\nConnection: Upgrade\nUpgrade: echo\n\n")
	resp, _ := c.hear("GET")
	if resp.StatusCode != 101 || len(resp.Cookies()) != 2 {
		t.Errorf("got %d with %v, want 101 with two cookies", resp.StatusCode, resp.Cookies())
	}
}

// Who can't know clients again says so, and sends nobody astray.
func TestStickyRulesWithoutAKeyAnswer501(t *testing.T) {
	for name, c := range map[string]struct {
		open func(string, []byte) ([]byte, error)
		key  []byte
		want string
	}{
		"the assignment has none": {opened, nil, "the assignment has no key for cookies"},
		"the host can open none":  {nil, key(1), "this host has no key to open private keys with"},
		"it is sealed for others": {opened, []byte("secret"), "sealed for another subject"},
		"it is no key":            {opened, []byte(lbARN + "#cookies short"), "bad key length"},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			w := newWorldWith(t, proxy.Options{Log: slog.New(slog.NewTextHandler(&log, nil)), OpenKey: c.open})
			w.lb().CookieKey = c.key
			w.lb().Listeners[0].Rules[0].Actions = stickyTo(time.Hour, 1, 1)
			w.a.TargetGroups = append(w.a.TargetGroups, &snapshot.TargetGroup{ARN: tgARN + "-2", Protocol: snapshot.HTTP})
			w.register(w.httpTarget(func(http.ResponseWriter, *http.Request) { t.Error("a target was asked") }))
			w.apply()
			if status, _ := get(t, newClient(t), w.url("/")); status != 501 {
				t.Errorf("got %d, want 501", status)
			}
			if !strings.Contains(log.String(), c.want) || strings.Contains(log.String(), "secret") {
				t.Errorf("logged %s, want %q", log.String(), c.want)
			}
		})
	}
}

func BenchmarkStickyRequest(b *testing.B) {
	w := newWorldFor(b, proxy.Options{OpenKey: opened})
	w.lb().CookieKey = key(1)
	w.lb().Listeners[0].Rules[0].Actions = stickyTo(time.Hour, 1, 0)
	w.a.TargetGroups = append(w.a.TargetGroups, &snapshot.TargetGroup{ARN: tgARN + "-2", Protocol: snapshot.HTTP})
	w.register(w.rawTarget(func(c net.Conn, _ *bufio.Reader) {
		buf, answer := make([]byte, 4096), []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
	}))
	w.apply()
	c := w.dial()
	_, set := w.ask(c, "")
	request := fmt.Appendf(nil, "GET / HTTP/1.1\r\nHost: a\r\nCookie: AWSALBTG=%s\r\n\r\n", set["AWSALBTG"].Value)
	buf := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		for n := 0; !bytes.HasSuffix(buf[:n], []byte("ok")); {
			m, err := c.Read(buf[n:])
			if err != nil {
				b.Fatal(err)
			}
			n += m
		}
	}
}
