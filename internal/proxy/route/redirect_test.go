package route_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/proxy/route"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// ELBv2 RedirectActionConfig.
func TestWhereARedirectLeads(t *testing.T) {
	same := snapshot.Redirect{StatusCode: 301, Protocol: "#{protocol}", Host: "#{host}", Port: "#{port}", Path: "/#{path}", Query: "#{query}"}
	change := func(f func(*snapshot.Redirect)) snapshot.Redirect {
		r := same
		f(&r)
		return r
	}
	at := route.Arrival{Host: []byte("shop.elb.test"), Port: 8080}
	for name, c := range map[string]struct {
		redirect snapshot.Redirect
		request  string
		want     string
	}{
		"to HTTPS": {change(func(r *snapshot.Redirect) { r.Protocol, r.Port = "HTTPS", "443" }),
			"GET /a/b?c=d&e HTTP/1.1\nHost: www.Example.com:8080\n\n", "https://www.Example.com:443/a/b?c=d&e"},
		"to another host": {change(func(r *snapshot.Redirect) { r.Host = "www.#{host}" }),
			"GET / HTTP/1.1\nHost: example.com\n\n", "http://www.example.com:8080/"},
		"under a path": {change(func(r *snapshot.Redirect) { r.Path = "/new/#{host}/#{port}/#{path}" }),
			"GET /a HTTP/1.1\nHost: a.b\n\n", "http://a.b:8080/new/a.b/8080/a"},
		"with everything in the query": {change(func(r *snapshot.Redirect) { r.Query = "from=#{protocol}://#{host}:#{port}/#{path}&#{query}" }),
			"GET /a?x HTTP/1.1\nHost: a.b\n\n", "http://a.b:8080/a?from=http://a.b:8080/a&x"},
		"without the query": {change(func(r *snapshot.Redirect) { r.Query = "" }),
			"GET /a?x HTTP/1.1\nHost: a.b\n\n", "http://a.b:8080/a"},
		"an empty query leaves no mark": {change(func(r *snapshot.Redirect) { r.Port = "1" }),
			"GET /a? HTTP/1.1\nHost: a.b\n\n", "http://a.b:1/a"},
		"a client that names no host": {change(func(r *snapshot.Redirect) { r.Port = "1" }),
			"GET /a HTTP/1.0\n\n", "http://shop.elb.test:1/a"},
		"an absolute target": {change(func(r *snapshot.Redirect) { r.Port = "1" }),
			"GET http://c.d/e HTTP/1.1\nHost: c.d\n\n", "http://c.d:1/e"},
	} {
		t.Run(name, func(t *testing.T) {
			table := mustCompile(t, snapshot.Listener{Rules: []snapshot.Rule{{Actions: []snapshot.Action{{Type: snapshot.ActionRedirect, Redirect: &c.redirect}}}}})
			buf, r := parse(t, c.request)
			rule := table.Match(buf, r, netip.MustParseAddr("::1"), new(route.Scratch))
			if rule.Action.Kind != route.Redirect || rule.Action.RedirectStatus() != 301 {
				t.Fatalf("got %+v, want a redirect", rule.Action)
			}
			if got := string(rule.Action.AppendLocation(nil, buf, r, at)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	for _, text := range []string{"#{weather}", "#{host"} {
		r := change(func(r *snapshot.Redirect) { r.Path = "/" + text })
		_, err := route.Compile(listener(snapshot.Rule{Actions: []snapshot.Action{{Type: snapshot.ActionRedirect, Redirect: &r}}}), noGroups)
		if err == nil || !strings.Contains(err.Error(), "unknown keyword") {
			t.Errorf("%s: got %v, want a refusal of the assignment", text, err)
		}
	}
}
