package route_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/px/route"
	"github.com/fairlead/fairlead/internal/snapshot"
)

type request struct {
	method, host, path, query, peer string
	headers                         [][2]string
}

func (r request) Method() string   { return r.method }
func (r request) Host() string     { return r.host }
func (r request) Path() string     { return r.path }
func (r request) Query() string    { return r.query }
func (r request) Peer() netip.Addr { return netip.MustParseAddr(r.peer) }
func (r request) EachHeader(name string, f func(string) bool) {
	for _, h := range r.headers {
		if strings.ToLower(h[0]) == name && !f(h[1]) {
			return
		}
	}
}

var get = request{method: "GET", host: "Shop.Example.com", path: "/Cart/7", query: "color=Blue&x=1", peer: "198.51.100.7",
	headers: [][2]string{{"Accept", "text/html"}, {"X-Env", "prod"}, {"X-Env", "canary"}}}

func TestConditions(t *testing.T) {
	for name, c := range map[string]struct {
		conditions []snapshot.Condition
		want       bool
	}{
		"none is the default rule":     {nil, true},
		"host without case":            {[]snapshot.Condition{{Field: snapshot.FieldHostHeader, Values: []string{"shop.example.com"}}}, true},
		"host wildcard":                {[]snapshot.Condition{{Field: snapshot.FieldHostHeader, Values: []string{"*.example.com"}}}, true},
		"wildcard needs its dot":       {[]snapshot.Condition{{Field: snapshot.FieldHostHeader, Values: []string{"*.shop.example.com"}}}, false},
		"path with case":               {[]snapshot.Condition{{Field: snapshot.FieldPathPattern, Values: []string{"/cart/*"}}}, false},
		"path":                         {[]snapshot.Condition{{Field: snapshot.FieldPathPattern, Values: []string{"/Cart/?"}}}, true},
		"any of the values":            {[]snapshot.Condition{{Field: snapshot.FieldPathPattern, Values: []string{"/a", "/Cart/7"}}}, true},
		"all of the conditions":        {[]snapshot.Condition{{Field: snapshot.FieldPathPattern, Values: []string{"/Cart/*"}}, {Field: snapshot.FieldMethod, Values: []string{"POST"}}}, false},
		"method is exact":              {[]snapshot.Condition{{Field: snapshot.FieldMethod, Values: []string{"G*"}}}, false},
		"any occurrence of a header":   {[]snapshot.Condition{{Field: snapshot.FieldHTTPHeader, Header: "x-env", Values: []string{"CANARY"}}}, true},
		"a header that isn't there":    {[]snapshot.Condition{{Field: snapshot.FieldHTTPHeader, Header: "X-None", Values: []string{"*"}}}, false},
		"query key and value":          {[]snapshot.Condition{{Field: snapshot.FieldQueryString, Keys: []string{"COLOR"}, Values: []string{"blue"}}}, true},
		"query value of any key":       {[]snapshot.Condition{{Field: snapshot.FieldQueryString, Keys: []string{""}, Values: []string{"1"}}}, true},
		"query value of another key":   {[]snapshot.Condition{{Field: snapshot.FieldQueryString, Keys: []string{"color"}, Values: []string{"1"}}}, false},
		"source address":               {[]snapshot.Condition{{Field: snapshot.FieldSourceIP, Values: []string{"10.0.0.0/8", "198.51.100.0/24"}}}, true},
		"a field that isn't known yet": {[]snapshot.Condition{{Field: "phase-of-moon", Values: []string{"*"}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			lb := &snapshot.LoadBalancer{Listeners: []snapshot.Listener{{Port: 80, Rules: []snapshot.Rule{
				{Priority: 5, Conditions: c.conditions, Actions: []snapshot.Action{{Type: snapshot.ActionFixedResponse, FixedResponse: &snapshot.FixedResponse{StatusCode: 200}}}},
				{Priority: 0},
			}}}}
			priority, a := route.Compile(lb).Listener(80).Match(get)
			if got := priority == 5 && a.Fixed != nil; got != c.want {
				t.Errorf("got priority %d, action %+v; want a match: %v", priority, a, c.want)
			}
		})
	}
}

func TestWeightsShareTheNumbers(t *testing.T) {
	lb := &snapshot.LoadBalancer{Listeners: []snapshot.Listener{{Port: 80, Rules: []snapshot.Rule{{Actions: []snapshot.Action{{Type: snapshot.ActionForward,
		Forward: &snapshot.Forward{TargetGroups: []snapshot.WeightedTargetGroup{{ARN: "a", Weight: 3}, {ARN: "b", Weight: 0}, {ARN: "c", Weight: 1}}}}}}}}}}
	_, a := route.Compile(lb).Listener(80).Match(get)
	got := map[string]int{}
	for n := range uint64(400) {
		got[a.Forward.Pick(n)]++
	}
	if got["a"] != 300 || got["b"] != 0 || got["c"] != 100 {
		t.Errorf("got %v, want 300, 0, 100", got)
	}
	if arn := (&route.Forward{}).Pick(7); arn != "" {
		t.Errorf("all weights zero: got %q", arn)
	}
}

// An authentication step that isn't served must not be passed over.
func TestAnActionThatIsNotServedHasNoRoute(t *testing.T) {
	for _, actions := range [][]snapshot.Action{
		{{Type: "redirect"}},
		{{Type: "authenticate-oidc"}, {Type: snapshot.ActionForward, Forward: &snapshot.Forward{}}},
	} {
		lb := &snapshot.LoadBalancer{Listeners: []snapshot.Listener{{Port: 80, Rules: []snapshot.Rule{{Actions: actions}}}}}
		if _, a := route.Compile(lb).Listener(80).Match(get); a.Forward != nil || a.Fixed != nil {
			t.Errorf("%v: got %+v, want no action", actions, a)
		}
	}
}
