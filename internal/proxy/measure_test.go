package proxy_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/proxy/meter"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// counted returns what the node has counted, without what is zero.
func (w *world) counted() map[string]uint64 {
	out := map[string]uint64{}
	m := w.proxy.Measurements()[0]
	for c := range meter.Counters {
		if m.Counts[c] > 0 {
			out[c.String()] = m.Counts[c]
		}
	}
	return out
}

func pathRule(arn string, priority int, path string, actions []snapshot.Action) snapshot.Rule {
	return snapshot.Rule{ARN: arn, Priority: priority, Actions: actions, Conditions: []snapshot.Condition{{Field: snapshot.FieldPathPattern, Values: []string{path}}}}
}

func TestWhatPassesIsCounted(t *testing.T) {
	w := newWorldWith(t, proxy.Options{MaxConnections: 2})
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(strings.Trim(r.URL.Path, "/"))
		rw.WriteHeader(n)
		_, _ = io.WriteString(rw, strings.Repeat("x", 1000))
	}))
	w.a.TargetGroups = append(w.a.TargetGroups, &snapshot.TargetGroup{ARN: "dead", Protocol: snapshot.HTTP, Targets: []snapshot.Target{{Addr: w.bound["node-1"], Port: 1}}})
	l := &w.lb().Listeners[0]
	l.Rules = append([]snapshot.Rule{
		pathRule("fixed", 1, "/fixed", []snapshot.Action{{Type: snapshot.ActionFixedResponse, FixedResponse: &snapshot.FixedResponse{StatusCode: 404}}}),
		pathRule("redirect", 2, "/redirect", []snapshot.Action{{Type: snapshot.ActionRedirect, Redirect: &snapshot.Redirect{
			StatusCode: 302, Protocol: "HTTPS", Host: "#{host}", Port: "443", Path: "/#{path}",
		}}}),
		pathRule("dead", 3, "/dead", forwardTo("dead")),
	}, l.Rules...)
	w.apply()

	c, other := w.dial(), w.dial()
	eventually(t, "two connections", func() bool { return w.proxy.Status()[0].OpenConnections == 2 })
	w.refused()
	for _, path := range []string{"/200", "/204", "/302", "/404", "/500", "/503", "/fixed", "/redirect", "/dead"} {
		c.say("GET %s HTTP/1.1\nHost: a\n\n", path)
		c.hear("GET")
	}
	other.say("BROKEN\n\n")
	if resp, _ := other.hear("GET"); resp.StatusCode != 400 {
		t.Fatalf("a broken request: %d", resp.StatusCode)
	}

	got := w.counted()
	want := map[string]uint64{
		"NewConnectionCount": 2, "RejectedConnectionCount": 1,
		"RequestCount": 7, "RuleEvaluations": 6*3 + 1 + 2 + 3,
		"HTTP_Fixed_Response_Count": 1, "HTTP_Redirect_Count": 1,
		"HTTPCode_Target_2XX_Count": 2, "HTTPCode_Target_3XX_Count": 1, "HTTPCode_Target_4XX_Count": 1, "HTTPCode_Target_5XX_Count": 2,
		"HTTPCode_ELB_3XX_Count": 1, "HTTPCode_ELB_4XX_Count": 2, "HTTPCode_ELB_5XX_Count": 1, "HTTPCode_ELB_502_Count": 1,
		"TargetConnectionErrorCount": 1, "UnhealthyRoutingRequestCount": 7, "DesyncMitigationMode_NonCompliant_Request_Count": 1,
	}
	bytes := got["ProcessedBytes"]
	delete(got, "ProcessedBytes")
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%s: got %d, want %d", name, got[name], n)
		}
		delete(got, name)
	}
	for name, n := range got {
		t.Errorf("%s: got %d, want none", name, n)
	}
	if bytes < 5*1000+10*30 || bytes > 5*1000+10*600 {
		t.Errorf("%d bytes in ten requests, five of them with a response of 1000", bytes)
	}
	m := w.proxy.Measurements()[0]
	if m.LoadBalancerARN != lbARN || m.Zone != "a" || m.ActiveConnections == 0 || len(m.Groups) != 2 {
		t.Errorf("measured of %s in %s: %d connections, %d target groups", m.LoadBalancerARN, m.Zone, m.ActiveConnections, len(m.Groups))
	}
	for _, g := range m.Groups {
		if want := map[string]uint64{tgARN: 6}[g.ARN]; g.ResponseTimes.Count != want {
			t.Errorf("%s: %d response times, want %d", g.ARN, g.ResponseTimes.Count, want)
		}
	}

	w.lb().IdleTimeout *= 2 // another assignment
	w.apply()
	if n := w.counted()["RequestCount"]; n != 7 {
		t.Errorf("after another assignment %d requests, want 7", n)
	}
}

// Large bodies pass by the kernel alone, and within TLS they are longer.
func TestBytesAreCountedAsTheClientSpeaksThem(t *testing.T) {
	w := newSecureWorld(t)
	body := string(large(1))
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		rw.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = io.WriteString(rw, body)
	}))
	w.certify("arn:1", w.root.Issue("a.test"))
	w.a.LoadBalancers[0].Listeners = append(w.a.LoadBalancers[0].Listeners, snapshot.Listener{
		ARN: "plain", Port: port + 1, Protocol: snapshot.HTTP, Rules: []snapshot.Rule{{ARN: "plain-default", Actions: forwardTo(tgARN)}},
	})
	w.apply()
	client := newClient(t)
	client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	for _, url := range []string{"https://" + w.address(), "http://" + strings.Replace(w.address(), strconv.Itoa(port), strconv.Itoa(port+1), 1)} {
		before := w.counted()["ProcessedBytes"]
		resp, err := client.Post(url+"/", "", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		least := uint64(2 * len(body))
		eventually(t, "the count of bytes", func() bool {
			n := w.counted()["ProcessedBytes"] - before
			if n > least+8000 {
				t.Fatalf("%s: %d bytes more than the bodies", url, n-least)
			}
			return n > least
		})
	}
}

// What says how targets are chosen: requests that couldn't stay, new clients'
// included, and those that went to any target.
func TestChoicesAreCounted(t *testing.T) {
	for _, cookie := range []string{"", "sid"} {
		counter := map[string]string{"": "NonStickyRequestCount", "sid": "AppCookieNonStickinessCount"}[cookie]
		w := newStayWorld(t, 2, snapshot.TargetStickiness{Duration: time.Hour, Cookie: cookie})
		c := w.dial()
		check := func(when string, nonSticky, unhealthy uint64) {
			t.Helper()
			got := w.counted()
			if got[counter] != nonSticky || got["UnhealthyRoutingRequestCount"] != unhealthy {
				t.Errorf("%s: %v, want %s %d, and %d requests to any target", when, got, counter, nonSticky, unhealthy)
			}
		}
		c.say("GET /?sid HTTP/1.1\nHost: a\n\n")
		resp, _ := c.hear("GET")
		cookies := "sid=x"
		for _, found := range resp.Cookies() {
			cookies += "; " + found.Name + "=" + found.Value
		}
		check("a new client", 1, 0)
		w.ask(c, cookies)
		check("one that stays", 1, 0)
		w.ask(c, "AWSALB=nonsense")
		check("one whose cookie isn't ours", 2, 0)
		w.health(snapshot.TargetUnhealthy)
		w.ask(c, cookies)
		check("one that stays with an unhealthy target", 2, 1)
	}
}
