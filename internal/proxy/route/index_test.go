package route_test

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/route"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// asked is a request as the model of a table knows it.
type asked struct {
	method, host, path, query string // the path as rules see it
	headers                   [][2]string
	client                    netip.Addr
}

// walk is what a table says, read off its rules one by one: slow, and plain to see.
func walk(rules []snapshot.Rule, a asked) int {
	for i, r := range rules {
		holds := true
		for _, c := range r.Conditions {
			holds = holds && condition(c, a)
		}
		if holds {
			return i
		}
	}
	return -1
}

func condition(c snapshot.Condition, a asked) bool {
	anyOf := func(s string, fold bool) bool {
		s = visible(s)
		for _, v := range c.Values {
			if wildcards(v, s, fold, false) {
				return true
			}
		}
		for _, r := range c.Regex {
			if fold {
				r = "(?i)" + r
			}
			if expression(r).MatchString(s) {
				return true
			}
		}
		return false
	}
	switch c.Field {
	case snapshot.FieldHostHeader:
		host, _, _ := strings.Cut(a.host, ":")
		return anyOf(host, true)
	case snapshot.FieldPathPattern:
		return anyOf(a.path, false)
	case snapshot.FieldHTTPHeader:
		for _, h := range a.headers {
			if strings.EqualFold(h[0], c.Header) && anyOf(h[1], true) {
				return true
			}
		}
	case snapshot.FieldMethod:
		for _, v := range c.Values {
			if v == a.method {
				return true
			}
		}
	case snapshot.FieldSourceIP:
		for _, v := range c.Values {
			if netip.MustParsePrefix(v).Contains(a.client) {
				return true
			}
		}
	case snapshot.FieldQueryString:
		for pair := range strings.SplitSeq(visible(a.query), "&") {
			if pair == "" {
				continue
			}
			key, value, _ := strings.Cut(pair, "=")
			for i, v := range c.Values {
				k := "*"
				if len(c.Keys) > 0 && c.Keys[i] != "" {
					k = c.Keys[i]
				}
				if wildcards(k, key, true, true) && wildcards(v, value, true, true) {
					return true
				}
			}
		}
	}
	return false
}

// expression compiles an expression once: that is most of what the model costs.
func expression(text string) *regexp.Regexp {
	r := expressions[text]
	if r == nil {
		r = regexp.MustCompile(text)
		expressions[text] = r
	}
	return r
}

var expressions = map[string]*regexp.Regexp{}

func visible(s string) string {
	out := ""
	for _, c := range []byte(s) {
		if ' ' <= c && c <= '~' {
			out += string(rune(c))
		}
	}
	return out
}

// wildcards says whether the value matches, by the expression that it stands for.
func wildcards(value, s string, fold, escapes bool) bool {
	text := "(?s)^"
	if fold {
		text = "(?si)^"
	}
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '\\' && escapes && i+1 < len(value) && strings.IndexByte(`*?\`, value[i+1]) >= 0:
			i++
			text += regexp.QuoteMeta(value[i : i+1])
		case c == '*':
			text += ".*"
		case c == '?':
			text += "."
		default:
			text += regexp.QuoteMeta(value[i : i+1])
		}
	}
	return expression(text + "$").MatchString(s)
}

func conditions(t *rapid.T) snapshot.Condition {
	word := func(alphabet string) *rapid.Generator[string] {
		return rapid.StringOfN(rapid.SampledFrom([]rune(alphabet)), 0, 5, -1)
	}
	some := func(g *rapid.Generator[string]) []string { return rapid.SliceOfN(g, 1, 3).Draw(t, "values") }
	c := snapshot.Condition{Field: rapid.SampledFrom([]snapshot.ConditionField{
		snapshot.FieldHostHeader, snapshot.FieldPathPattern, snapshot.FieldHTTPHeader,
		snapshot.FieldMethod, snapshot.FieldQueryString, snapshot.FieldSourceIP,
	}).Draw(t, "field")}
	expressions := rapid.IntRange(0, 3).Draw(t, "expressions") == 0
	switch c.Field {
	case snapshot.FieldHostHeader:
		if c.Values = some(word("aB.*?")); expressions {
			c.Values, c.Regex = nil, some(rapid.SampledFrom([]string{`b$`, `^a.*b$`, `(a|B)\.b$`, `(a\.b)$`, `[ab]+`, `a|b$`, `^$`, `A(?-i:B)$`}))
		}
	case snapshot.FieldPathPattern:
		if c.Values = some(rapid.Map(word("aB/*?"), func(s string) string { return "/" + s })); expressions {
			c.Values, c.Regex = nil, some(rapid.SampledFrom([]string{`^/a`, `^/(a/B)`, `^/a+$`, `^/a|B`, `(?i)^/AB`, `^/(?i:ab)`, `B$`, `(?m)^a`, `^/((a)/|B)`, `^(/a)(/B)?`}))
		}
	case snapshot.FieldHTTPHeader:
		c.Header = rapid.SampledFrom([]string{"X", "x-Y", "XY"}).Draw(t, "name")
		if c.Values = some(word("aB :*?")); expressions {
			c.Values, c.Regex = nil, some(rapid.SampledFrom([]string{`^ab`, `^a b`, `b`, `^(A|b)`, `^$`}))
		}
	case snapshot.FieldMethod:
		c.Values = some(rapid.SampledFrom([]string{"GET", "GETS", "PUT", "get"}))
	case snapshot.FieldQueryString:
		c.Values = some(word(`aB=*?\`))
		if rapid.Bool().Draw(t, "keys") {
			for range c.Values {
				c.Keys = append(c.Keys, word(`aB=*?\`).Draw(t, "key"))
			}
		}
	case snapshot.FieldSourceIP:
		c.Values = some(rapid.SampledFrom([]string{"10.0.0.0/8", "10.1.2.0/23", "10.1.3.7/32", "0.0.0.0/0", "::/0", "2001:db8::/32", "2001:db8::8000:0/97"}))
	}
	return c
}

// request draws what a client sends, and what the model knows of it.
func request(t *rapid.T) (string, asked) {
	word := func(alphabet, label string) string {
		return rapid.StringOfN(rapid.SampledFrom([]rune(alphabet)), 0, 6, -1).Draw(t, label)
	}
	a := asked{
		method: rapid.SampledFrom([]string{"GET", "GETS", "PUT", "P"}).Draw(t, "method"),
		host:   "a" + word("aAbB.", "host") + rapid.SampledFrom([]string{"", ":80"}).Draw(t, "port"),
		query:  word("aAbB=&*?\\é", "query"),
		client: netip.MustParseAddr(rapid.SampledFrom([]string{"10.1.2.3", "10.1.3.7", "11.0.0.1", "2001:db8::1", "2001:db8::8000:1", "::1"}).Draw(t, "client")),
	}
	sent := "/"
	a.path = "/"
	for range rapid.IntRange(0, 6).Draw(t, "pieces") {
		p := rapid.SampledFrom([][2]string{{"a", "a"}, {"%61", "a"}, {"B", "B"}, {"b", "b"}, {"/", "/"}, {"%2F", "%2F"}, {"\xff", ""}, {"x/../", "x/../"}}).Draw(t, "piece")
		if p[0] == "x/../" {
			if !strings.HasSuffix(sent, "/") {
				continue
			}
			p[1] = ""
		}
		sent += p[0]
		a.path += p[1]
	}
	text := a.method + " " + sent
	if a.query != "" {
		text += "?" + a.query
	}
	text += " HTTP/1.1\r\nHost: " + a.host + "\r\n"
	for range rapid.IntRange(0, 3).Draw(t, "headers") {
		h := [2]string{rapid.SampledFrom([]string{"X", "x", "X-Y", "xy", "Y"}).Draw(t, "header"), strings.Trim(word("aAbB :\té", "value"), " \t")}
		a.headers = append(a.headers, h)
		text += h[0] + ": " + h[1] + "\r\n"
	}
	return text + "\r\n", a
}

func compiledEqualsWalked(t *rapid.T) {
	var rules []snapshot.Rule
	for i := range rapid.SampledFrom([]int{0, 1, 3, 10, 63, 64, 65, 130}).Draw(t, "rules") {
		r := snapshot.Rule{ARN: fmt.Sprint(i), Priority: i + 1, Actions: fixed(200)}
		for range rapid.IntRange(1, 3).Draw(t, "conditions") {
			r.Conditions = append(r.Conditions, conditions(t))
		}
		rules = append(rules, r)
	}
	if rapid.Bool().Draw(t, "default") {
		rules = append(rules, snapshot.Rule{ARN: "default", Actions: fixed(404)})
	}
	table, err := route.Compile(snapshot.Listener{Rules: rules}, noGroups)
	if err != nil {
		t.Fatal(err)
	}
	var s route.Scratch
	for range 5 {
		text, a := request(t)
		r := new(http1.Request)
		if _, err := r.Parse([]byte(text)); err != nil {
			t.Skip(err)
		}
		got := -1
		if rule := table.Match([]byte(text), r, a.client, &s); rule != nil {
			got = rule.Index
		}
		if want := walk(rules, a); got != want {
			for _, i := range []int{got, want} {
				if i >= 0 {
					t.Logf("rule %d: %+v", i, rules[i].Conditions)
				}
			}
			t.Fatalf("%q from %v meets rule %d, want %d", text, a.client, got, want)
		}
	}
}

// What the index finds is what a walk over all rules finds.
func TestCompiledTablesEqualAWalk(t *testing.T) { rapid.Check(t, compiledEqualsWalked) }

func FuzzMatch(f *testing.F) { f.Fuzz(rapid.MakeFuzz(compiledEqualsWalked)) }

func TestRulesEvaluatedAreCountedWithoutTheDefaultRule(t *testing.T) {
	path := func(priority int, v string) snapshot.Rule {
		return snapshot.Rule{ARN: v, Priority: priority, Conditions: []snapshot.Condition{{Field: snapshot.FieldPathPattern, Values: []string{v}}}, Actions: fixed(200)}
	}
	table := mustCompile(t, listener(path(5, "/a"), path(10, "/b"), path(11, "/c")))
	for target, want := range map[string]int{"/a": 1, "/b": 2, "/c": 3, "/d": 3} {
		buf, r := parse(t, "GET "+target+" HTTP/1.1\nHost: a\n\n")
		if got := table.Match(buf, r, peer, scratch()).Evaluated; got != want {
			t.Errorf("%s: %d rules evaluated, want %d", target, got, want)
		}
	}
}

// kinds are tables of a kind: the conditions of their i-th rules.
var kinds = []struct {
	name string
	of   func(i int) []snapshot.Condition
}{
	{"path", pathRule},
	{"host", hostRule},
	{"header", func(i int) []snapshot.Condition {
		return []snapshot.Condition{{Field: snapshot.FieldHTTPHeader, Header: "X-Tenant", Values: []string{fmt.Sprintf("tenant-%d", i)}}}
	}},
	{"query", func(i int) []snapshot.Condition {
		return []snapshot.Condition{{Field: snapshot.FieldQueryString, Keys: []string{"version"}, Values: []string{fmt.Sprint(i)}}}
	}},
	{"regex", func(i int) []snapshot.Condition {
		return []snapshot.Condition{{Field: snapshot.FieldPathPattern, Regex: []string{fmt.Sprintf(`^/service/%d/[a-z]+`, i)}}}
	}},
	{"mixed", func(i int) []snapshot.Condition {
		switch i % 4 {
		case 0:
			return pathRule(i)
		case 1:
			return hostRule(i)
		case 2:
			return append(append(hostRule(i), pathRule(i)...), snapshot.Condition{Field: snapshot.FieldMethod, Values: []string{"GET"}})
		}
		return []snapshot.Condition{{Field: snapshot.FieldPathPattern, Values: []string{fmt.Sprintf("/service/%d", i), fmt.Sprintf("/service/%d/*", i)}}, {Field: snapshot.FieldSourceIP, Values: []string{"192.0.2.0/24"}}}
	}},
}

func pathRule(i int) []snapshot.Condition {
	return []snapshot.Condition{{Field: snapshot.FieldPathPattern, Values: []string{fmt.Sprintf("/service/%d/*", i)}}}
}

func hostRule(i int) []snapshot.Condition {
	return []snapshot.Condition{{Field: snapshot.FieldHostHeader, Values: []string{fmt.Sprintf("shop%d.example.com", i)}}}
}

// tableOf returns the listener of n rules of a kind, and a request of a usual
// browser that meets the last one before the default rule.
func tableOf(t testing.TB, conditions func(int) []snapshot.Condition, n int) (snapshot.Listener, []byte, *http1.Request) {
	t.Helper()
	var rules []snapshot.Rule
	for i := range n {
		rules = append(rules, snapshot.Rule{ARN: fmt.Sprint(i), Priority: i + 1, Conditions: conditions(i), Actions: fixed(200)})
	}
	buf := fmt.Appendf(nil, "GET /service/%d/products/42?color=red&version=%d HTTP/1.1\r\nHost: shop%d.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\nAccept: text/html,application/xhtml+xml\r\nAccept-Language: en\r\nAccept-Encoding: gzip, br\r\nX-Tenant: tenant-%d\r\nCookie: session=0123456789abcdef\r\n\r\n", n-1, n-1, n-1, n-1)
	r := new(http1.Request)
	if _, err := r.Parse(buf); err != nil {
		t.Fatal(err)
	}
	return listener(rules...), buf, r
}

func TestAMatchAllocatesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector has pools lose what they hold")
	}
	for _, kind := range kinds {
		l, buf, r := tableOf(t, kind.of, 100)
		table, s := mustCompile(t, l), scratch()
		if got := testing.AllocsPerRun(100, func() { table.Match(buf, r, peer, s) }); got != 0 {
			t.Errorf("%s: %v allocations, want none", kind.name, got)
		}
	}
}

// BenchmarkMatch is the choice of the last rule before the default one.
func BenchmarkMatch(b *testing.B) {
	for _, kind := range kinds {
		for _, n := range []int{1, 20, 100, 1000} {
			b.Run(fmt.Sprintf("%s/rules=%d", kind.name, n), func(b *testing.B) {
				l, buf, r := tableOf(b, kind.of, n)
				table, err := route.Compile(l, noGroups)
				if err != nil {
					b.Fatal(err)
				}
				s := scratch()
				b.ReportAllocs()
				for b.Loop() {
					if rule := table.Match(buf, r, peer, s); rule.Index != n-1 {
						b.Fatal(rule.Index)
					}
				}
			})
		}
	}
}

// BenchmarkCompile is what a change of one rule costs its listener.
func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			l, _, _ := tableOf(b, kinds[len(kinds)-1].of, n)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := route.Compile(l, noGroups); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
