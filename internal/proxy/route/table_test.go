package route_test

import (
	"math/rand/v2"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/route"
	"github.com/fairlead/fairlead/internal/snapshot"
)

func parse(t *testing.T, head string) ([]byte, *http1.Request) {
	t.Helper()
	buf := []byte(strings.ReplaceAll(head, "\n", "\r\n"))
	r := new(http1.Request)
	if _, err := r.Parse(buf); err != nil {
		t.Fatalf("%q: %v", head, err)
	}
	return buf, r
}

func fixed(status int) []snapshot.Action {
	return []snapshot.Action{{Type: snapshot.ActionFixedResponse, FixedResponse: &snapshot.FixedResponse{StatusCode: status}}}
}

func listener(rules ...snapshot.Rule) snapshot.Listener {
	return snapshot.Listener{Port: 80, Protocol: snapshot.HTTP, Rules: append(rules, snapshot.Rule{ARN: "default", Actions: fixed(404)})}
}

func noGroups(string) (int, bool) { return 0, false }

func mustCompile(t *testing.T, l snapshot.Listener) *route.Table {
	t.Helper()
	table, err := route.Compile(l, noGroups)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// ELBv2 CreateRule, the conditions as ALB reads them.
func TestConditions(t *testing.T) {
	values := func(f snapshot.ConditionField, v ...string) snapshot.Condition {
		return snapshot.Condition{Field: f, Values: v}
	}
	query := func(key, value string) snapshot.Condition {
		return snapshot.Condition{Field: snapshot.FieldQueryString, Keys: []string{key}, Values: []string{value}}
	}
	header := func(name string, v ...string) snapshot.Condition {
		return snapshot.Condition{Field: snapshot.FieldHTTPHeader, Header: name, Values: v}
	}
	host, path := snapshot.FieldHostHeader, snapshot.FieldPathPattern
	get := func(target string) string { return "GET " + target + " HTTP/1.1\nHost: a.b\n\n" }
	to := func(host string) string { return "GET / HTTP/1.1\nHost: " + host + "\n\n" }
	tests := []struct {
		name      string
		condition snapshot.Condition
		request   string
		want      bool
	}{
		{"a host is compared without case", values(host, "Shop.example.com"), to("sHOP.EXAMPLE.com"), true},
		{"a host is compared without its port", values(host, "shop.example.com"), to("shop.example.com:8080"), true},
		{"the absolute form's host counts", values(host, "x.y"), get("http://x.y/"), true},
		{"a wildcard in front", values(host, "*.example.com"), to("a.b.example.com"), true},
		{"a wildcard in front needs its dot", values(host, "*.example.com"), to("example.com"), false},
		{"any value will do", values(host, "c.d", "a.b"), to("a.b"), true},
		{"no value matches", values(host, "c.d"), to("a.b"), false},

		{"a path is compared with case", values(path, "/Img"), get("/img"), false},
		{"a path is compared without the query", values(path, "/img"), get("/img?x=/y"), true},
		{"a path is compared as a whole", values(path, "/img"), get("/img/a"), false},
		{"a star matches slashes too", values(path, "/img/*"), get("/img/a/b.png"), true},
		{"a star matches nothing too", values(path, "/img/*"), get("/img/"), true},
		{"stars on both sides", values(path, "*/v?/*"), get("/api/v2/x"), true},
		{"a question mark is one byte", values(path, "/v?"), get("/v"), false},
		{"no path is the root", values(path, "/"), get("http://a.b"), true},
		{"dot segments are resolved", values(path, "/admin*"), get("/public/../admin"), true},
		{"escaped dot segments are resolved", values(path, "/admin*"), get("/public/%2e%2E/admin"), true},
		{"dot segments can't leave the root", values(path, "/admin"), get("/../../admin"), true},
		{"escaped letters are decoded", values(path, "/admin"), get("/%61dmin"), true},
		{"an escaped slash stays", values(path, "/a/b"), get("/a%2Fb"), false},
		{"a last dot segment leaves a slash", values(path, "/a/"), get("/a/b/.."), true},
		{"a hidden file is no dot segment", values(path, "/.well-known/*"), get("/.well-known/x"), true},

		{"a header without case", header("X-Color", "Red*"), "GET / HTTP/1.1\nHost: a\nx-color: rEDdish\n\n", true},
		{"a header's second occurrence", header("X", "b"), "GET / HTTP/1.1\nHost: a\nX: a\nX: b\n\n", true},
		{"a header that isn't there", header("X", "*"), get("/"), false},

		{"a method", values(snapshot.FieldMethod, "POST", "GET"), get("/"), true},
		{"a method is compared with case", values(snapshot.FieldMethod, "get"), get("/"), false},

		{"a query pair", query("color", "red"), get("/?a=b&COLOR=Red"), true},
		{"a query pair's value differs", query("color", "red"), get("/?color=blue"), false},
		{"a value under any key", query("", "red"), get("/?x=red"), true},
		{"a value is no key", query("", "red"), get("/?red=x"), false},
		{"a query wildcard", query("c*r", "r?d"), get("/?color=rad"), true},
		{"an escaped wildcard is itself", query("q", `\*`), get("/?q=x"), false},
		{"an escaped wildcard matches itself", query("q", `\*`), get("/?q=*"), true},
		{"no query", query("q", "*"), get("/"), false},

		{"a query's value is compared as sent", query("q", "a b"), get("/?q=a%20b"), false},
		{"an escaped question mark matches itself", query("q", `a\?`), get("/?q=a?"), true},
		{"a backslash before another character is itself", query("q", `a\b`), get(`/?q=a\b`), true},

		{"what isn't ASCII is left out of a path", values(path, "/ad"), get("/\xc3\xa9ad"), true},
		{"a control character is left out of a header", header("X", "ab c"), "GET / HTTP/1.1\nHost: a\nX: a\tb c\n\n", true},
		{"a header of bytes that are left out is empty", header("X", "?*"), "GET / HTTP/1.1\nHost: a\nX: \xe9\n\n", false},
		{"the first of several hosts counts", values(host, "a.b"), "GET / HTTP/1.1\nHost: a.b:80\nHost: a.b:80\n\n", true},

		{"a source network", values(snapshot.FieldSourceIP, "10.0.0.0/8", "203.0.113.0/24"), get("/"), true},
		{"another source network", values(snapshot.FieldSourceIP, "203.0.112.0/24", "2001:db8::/32"), get("/"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table := mustCompile(t, listener(snapshot.Rule{ARN: "rule", Priority: 1, Conditions: []snapshot.Condition{tt.condition}, Actions: fixed(200)}))
			buf, r := parse(t, tt.request)
			rule := table.Match(buf, r, netip.MustParseAddr("203.0.113.7"), new(route.Scratch))
			if got := rule.ARN == "rule"; got != tt.want {
				t.Errorf("%+v on %q: %t, want %t", tt.condition, tt.request, got, tt.want)
			}
		})
	}
}

func TestFirstRuleWithAllConditionsWins(t *testing.T) {
	path := func(v string) snapshot.Condition {
		return snapshot.Condition{Field: snapshot.FieldPathPattern, Values: []string{v}}
	}
	post := snapshot.Condition{Field: snapshot.FieldMethod, Values: []string{"POST"}}
	table := mustCompile(t, listener(
		snapshot.Rule{ARN: "both", Priority: 1, Conditions: []snapshot.Condition{path("/a*"), post}, Actions: fixed(200)},
		snapshot.Rule{ARN: "path", Priority: 2, Conditions: []snapshot.Condition{path("/a*")}, Actions: fixed(200)},
		snapshot.Rule{ARN: "never", Priority: 3, Conditions: []snapshot.Condition{path("/ab")}, Actions: fixed(200)},
	))
	for request, want := range map[string]string{"POST /a": "both", "GET /ab": "path", "GET /b": "default"} {
		buf, r := parse(t, request+" HTTP/1.1\nHost: a\n\n")
		if got := table.Match(buf, r, netip.MustParseAddr("::1"), new(route.Scratch)); got.ARN != want {
			t.Errorf("%s meets %s, want %s", request, got.ARN, want)
		}
	}
}

func TestWeightsAreKeptExactlyAndSpread(t *testing.T) {
	for _, weights := range [][]int{{1}, {1, 1}, {3, 1}, {900, 100}, {0, 5}, {7, 0, 11, 2, 1}} {
		forward := &snapshot.Forward{}
		total := 0
		for i, w := range weights {
			forward.TargetGroups = append(forward.TargetGroups, snapshot.WeightedTargetGroup{ARN: string(rune('a' + i)), Weight: w})
			total += w
		}
		l := snapshot.Listener{Rules: []snapshot.Rule{{Actions: []snapshot.Action{{Type: snapshot.ActionForward, Forward: forward}}}}}
		table, err := route.Compile(l, func(arn string) (int, bool) { return int(arn[0] - 'a'), true })
		if err != nil {
			t.Fatal(err)
		}
		buf, r := parse(t, "GET / HTTP/1.1\nHost: a\n\n")
		action := &table.Match(buf, r, netip.MustParseAddr("::1"), new(route.Scratch)).Action
		got := make([]int, len(weights))
		longest, same, last := 0, 0, -1
		for n := range total {
			i := action.Choose(uint64(n) + 1<<40)
			got[action.Shares[i].Group]++
			if same++; i != last {
				same, last = 1, i
			}
			longest = max(longest, same)
		}
		for i, w := range weights {
			if got[i] != w {
				t.Errorf("weights %v: a round gives %v", weights, got)
			}
		}
		if len(weights) == 2 && weights[0] == 900 && longest > 12 {
			t.Errorf("weights %v: %d in a row for one target group, want at most 12", weights, longest)
		}
	}
	none := route.Action{Kind: route.Forward, Shares: []route.Share{{}}}
	if got := none.Choose(5); got != -1 {
		t.Errorf("weights of zero choose %d, want -1", got)
	}
}

func TestActionsThatANodeCannotPerformAreUnsupported(t *testing.T) {
	for name, actions := range map[string][]snapshot.Action{
		"none":                       nil,
		"a redirect":                 {{Type: "redirect"}},
		"what isn't known before":    append([]snapshot.Action{{Type: "authenticate-otherwise"}}, fixed(200)...),
		"two that authenticate":      append([]snapshot.Action{{Type: snapshot.ActionValidateJWT}, {Type: snapshot.ActionAuthenticateOIDC}}, fixed(200)...),
		"a guard with nothing":       {{Type: snapshot.ActionValidateJWT}},
		"a forward without a config": {{Type: snapshot.ActionForward}},
	} {
		table := mustCompile(t, snapshot.Listener{Rules: []snapshot.Rule{{Actions: actions}}})
		buf, r := parse(t, "GET / HTTP/1.1\nHost: a\n\n")
		if got := table.Match(buf, r, netip.MustParseAddr("::1"), new(route.Scratch)).Action.Kind; got != route.Unsupported {
			t.Errorf("%s: kind %d, want unsupported", name, got)
		}
	}
}

func TestAnActionThatAuthenticatesGuardsTheOneThatRoutes(t *testing.T) {
	actions := append([]snapshot.Action{{Type: snapshot.ActionValidateJWT}}, fixed(200)...)
	table := mustCompile(t, snapshot.Listener{Rules: []snapshot.Rule{{ARN: "guarded", Priority: 1, Actions: actions}, {Actions: fixed(201)}}})
	var got []string
	for r := range table.Guarded() {
		got = append(got, r.ARN)
		if r.Guard != &actions[0] || r.Action.Kind != route.Fixed {
			t.Errorf("rule %s: guard %v before kind %d", r.ARN, r.Guard, r.Action.Kind)
		}
	}
	if len(got) != 1 || got[0] != "guarded" || table.Len() != 2 {
		t.Errorf("guarded of %d: %q", table.Len(), got)
	}
}

func TestCompileRefusesWhatHasNoMeaning(t *testing.T) {
	condition := func(c snapshot.Condition) snapshot.Rule {
		return snapshot.Rule{ARN: "r", Conditions: []snapshot.Condition{c}, Actions: fixed(200)}
	}
	for name, rule := range map[string]snapshot.Rule{
		"an unknown field":        condition(snapshot.Condition{Field: "phase-of-moon"}),
		"a header without a name": condition(snapshot.Condition{Field: snapshot.FieldHTTPHeader}),
		"an address as network":   condition(snapshot.Condition{Field: snapshot.FieldSourceIP, Values: []string{"10.0.0.1"}}),
		"keys without values":     condition(snapshot.Condition{Field: snapshot.FieldQueryString, Keys: []string{"a"}}),
		"an unknown target group": {Actions: []snapshot.Action{{Type: snapshot.ActionForward, Forward: &snapshot.Forward{TargetGroups: []snapshot.WeightedTargetGroup{{ARN: "x"}}}}}},
	} {
		if _, err := route.Compile(listener(rule), noGroups); err == nil {
			t.Errorf("%s compiles", name)
		}
	}
}

// The matcher against a regular expression of the same meaning.
func TestWildcardsAgainstAModel(t *testing.T) {
	const seed = 7
	rng := rand.New(rand.NewPCG(seed, 0))
	word := func(alphabet string, n int) string {
		b := make([]byte, rng.IntN(n))
		for i := range b {
			b[i] = alphabet[rng.IntN(len(alphabet))]
		}
		return string(b)
	}
	for range 20000 {
		pattern, path := "/"+word("ab*?", 8), "/"+word("ab", 10)
		model := regexp.MustCompile("(?s)^" + strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern)) + "$")
		table := mustCompile(t, listener(snapshot.Rule{ARN: "rule", Conditions: []snapshot.Condition{{Field: snapshot.FieldPathPattern, Values: []string{pattern}}}, Actions: fixed(200)}))
		buf, r := parse(t, "GET "+path+" HTTP/1.1\nHost: a\n\n")
		got := table.Match(buf, r, netip.MustParseAddr("::1"), new(route.Scratch)).ARN == "rule"
		if want := model.MatchString(path); got != want {
			t.Fatalf("seed %d: %q on %q: %t, want %t", seed, pattern, path, got, want)
		}
	}
}

var peer = netip.MustParseAddr("192.0.2.1")

func scratch() *route.Scratch { return new(route.Scratch) }

// compileOne makes a table of one rule.
func compileOne(r snapshot.Rule) (*route.Table, error) {
	return route.Compile(snapshot.Listener{Port: 80, Protocol: snapshot.HTTP, Rules: []snapshot.Rule{r}}, noGroups)
}
