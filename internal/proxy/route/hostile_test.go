package route_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/route"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// Patterns that take engines that backtrack more than the age of the universe take
// time that grows with the request's length alone.
func TestNoPatternTakesLong(t *testing.T) {
	const most = 5 * time.Second // a hundred times what is needed
	path := "/" + strings.Repeat("a", 15_000)
	rule := func(c snapshot.Condition) snapshot.Listener {
		return listener(snapshot.Rule{ARN: "rule", Priority: 1, Conditions: []snapshot.Condition{c}, Actions: fixed(200)})
	}
	for _, c := range []snapshot.Condition{
		{Field: snapshot.FieldPathPattern, Regex: []string{`^/(a+)+$b`, `^/(a|aa)+b`, `^/(a*)*b`, `(.*a){20}b`, `(a?){60}b`}},
		{Field: snapshot.FieldPathPattern, Values: []string{"/*a*a*a*a*b", "*a?*a*ab"}},
		{Field: snapshot.FieldHTTPHeader, Header: "X", Regex: []string{`^(([a-z])+.)+[0-9]([a-z])+$`}},
		{Field: snapshot.FieldHTTPHeader, Header: "X", Values: []string{"*a*a*a*a*b"}},
		{Field: snapshot.FieldQueryString, Values: []string{"*a*a*a*a*b"}, Keys: []string{""}},
	} {
		table := mustCompile(t, rule(c))
		target, header := path, "a"
		switch c.Field {
		case snapshot.FieldHTTPHeader:
			target, header = "/", path[1:]
		case snapshot.FieldQueryString:
			target = "/?q=" + path[1:]
		}
		buf, r := parse(t, "GET "+target+" HTTP/1.1\nHost: a\nX: "+header+"\n\n")
		began := time.Now()
		if got := table.Match(buf, r, netip.MustParseAddr("::1"), new(route.Scratch)).ARN; got == "rule" {
			t.Errorf("%+v matches", c)
		}
		if took := time.Since(began); took > most {
			t.Errorf("%+v took %v", c, took)
		}
	}
}
