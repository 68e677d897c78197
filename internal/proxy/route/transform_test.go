package route_test

import (
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// rewritten returns what a rule with the transforms makes of a request: its host
// and its target, "-" for what stays.
func rewritten(t *testing.T, head string, transforms ...snapshot.Transform) string {
	t.Helper()
	l := snapshot.Listener{Port: 80, Protocol: snapshot.HTTP, Rules: []snapshot.Rule{{ARN: "rule", Actions: fixed(200), Transforms: transforms}}}
	buf, r := parse(t, head)
	rule := mustCompile(t, l).Match(buf, r, peer, scratch())
	host, target, ok := rule.Rewrite(buf, r)
	if !ok {
		return "invalid"
	}
	tell := func(b []byte) string {
		if b == nil {
			return "-"
		}
		return string(b)
	}
	return tell(host) + " " + tell(target)
}

// ELBv2 RuleTransform.
func TestTransforms(t *testing.T) {
	url := func(regex, replace string) snapshot.Transform {
		return snapshot.Transform{Type: snapshot.TransformURL, Regex: regex, Replace: replace}
	}
	host := func(regex, replace string) snapshot.Transform {
		return snapshot.Transform{Type: snapshot.TransformHost, Regex: regex, Replace: replace}
	}
	for _, c := range []struct {
		name, target, host string
		transforms         []snapshot.Transform
		want               string
	}{
		{"a path with a group", "/dp/B09G3HRMW", "a.b", []snapshot.Transform{url(`^/dp/([A-Za-z0-9]+)/?$`, "/product.php?id=$1")}, "- /product.php?id=B09G3HRMW"},
		{"no match", "/dq/1", "a.b", []snapshot.Transform{url(`^/dp/`, "/")}, "- -"},
		{"the query is seen too", "/a?b=1", "a.b", []snapshot.Transform{url(`\?b=(\d)`, "/b/$1")}, "- /a/b/1"},
		{"every match", "/x/x", "a.b", []snapshot.Transform{url("x", "y")}, "- /y/y"},
		{"groups in any order, one empty", "/a-b", "a.b", []snapshot.Transform{url(`(a)-(b)(c)?`, "$2$1$3.")}, "- /ba."},
		{"more digits than groups", "/a", "a.b", []snapshot.Transform{url(`(a)`, "$12$0$$9$")}, "- /a2$0$$9$"},
		{"a host", "/", "Web-EU.example.com", []snapshot.Transform{host(`^web-(.+)\.example\.com$`, "$1.internal")}, "eu.internal -"},
		{"a host with its port", "/", "a.b:8080", []snapshot.Transform{host(`^a\.b$`, "c.d")}, "c.d -"},
		{"both", "/v1/x", "a.b", []snapshot.Transform{host("a", "z"), url("^/v1", "")}, "z.b /x"},
		{"nothing is left of the path", "/v1", "a.b", []snapshot.Transform{url("^/v1", "")}, "invalid"},
		{"a line end comes in by no way", "/a", "a.b", []snapshot.Transform{url("a", "a b")}, "invalid"},
		{"a fragment", "/a", "a.b", []snapshot.Transform{url("a", "a#b")}, "invalid"},
		{"a path that isn't one", "/a", "a.b", []snapshot.Transform{url("^/a", "a")}, "invalid"},
		{"a host with a slash", "/", "a.b", []snapshot.Transform{host("a", "a/")}, "invalid"},
		{"no host", "/", "a.b", []snapshot.Transform{host(".*", "")}, "invalid"},
		{"as many replacements as there may be", "/" + strings.Repeat("a", 1000), "a.b", []snapshot.Transform{url("a", "b")}, "- /" + strings.Repeat("b", 1000)},
		{"one more", "/" + strings.Repeat("a", 1001), "a.b", []snapshot.Transform{url("a", "b")}, "invalid"},
		{"too long", "/" + strings.Repeat("a", 9000), "a.b", []snapshot.Transform{url("a", "aa")}, "invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := rewritten(t, "GET "+c.target+" HTTP/1.1\nHost: "+c.host+"\n\n", c.transforms...); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// raceDetector says that the race detector is on.
var raceDetector bool

// A client chooses how long a path is, and with it how often it matches: what that
// costs stays within bounds.
func TestTransformsOfHostileRequestsAreBounded(t *testing.T) {
	if raceDetector {
		t.Skip("sync.Pool, which package regexp has its memory from, drops some of it at random")
	}
	path := "/" + strings.Repeat("a", 15<<10)
	for name, c := range map[string]struct{ regex, replace string }{
		"long replacements":                {"", strings.Repeat("b", 1024)},
		"long replacements, few of them":   {"aaaaaaaaaaaaaaaa", strings.Repeat("b", 1024)},
		"groups, each of them in a result": {strings.Repeat("(a)|", 200) + "(b)", strings.Repeat("$1", 500)},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := rewritten(t, "GET "+path+" HTTP/1.1\nHost: a\n\n", snapshot.Transform{Type: snapshot.TransformURL, Regex: c.regex, Replace: c.replace})
		runtime.ReadMemStats(&after)
		if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; got != "invalid" || allocated > 8 {
			t.Errorf("%s: got %.20q, and %d MiB were allocated; want it invalid, and 8 at most", name, got, allocated)
		}
	}
}

// Whatever a rule makes of a request, a parser reads it as we meant it.
func FuzzRewrittenRequestsAreReadAsMeant(f *testing.F) {
	f.Add("/dp/x?y=1", "a.b", `^/dp/(.*)$`, "/p?id=$1", "a", "c")
	f.Add("/", "[::1]:80", `/`, "/ HTTP/1.1\r\nX: y", `:`, ".")
	f.Fuzz(func(t *testing.T, target, host, urlRegex, urlReplace, hostRegex, hostReplace string) {
		buf := []byte("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
		var r http1.Request
		if n, err := r.Parse(buf); err != nil || n != len(buf) {
			return
		}
		table, err := compileOne(snapshot.Rule{ARN: "rule", Actions: fixed(200), Transforms: []snapshot.Transform{
			{Type: snapshot.TransformURL, Regex: urlRegex, Replace: urlReplace}, {Type: snapshot.TransformHost, Regex: hostRegex, Replace: hostReplace}}})
		if err != nil {
			return
		}
		rule := table.Match(buf, &r, peer, scratch())
		authority, path, ok := rule.Rewrite(buf, &r)
		if !ok {
			return
		}
		sent := http1.AppendRequest(nil, buf, &r, &http1.Hop{Client: netip.AddrPortFrom(peer, 4321), Port: 80, Host: []byte("own.host"), Authority: authority, Target: path})
		var again http1.Request
		n, err := again.Parse(sent)
		if err != nil || n != len(sent) {
			t.Fatalf("%q is read to %d: %v", sent, n, err)
		}
		if got := again.AppendTarget(nil, sent); path != nil && string(got) != string(path) {
			t.Errorf("the target is read as %q, want %q", got, path)
		}
		if got := again.Host.Of(sent); authority != nil && string(got) != string(authority) {
			t.Errorf("the host is read as %q, want %q", got, authority)
		}
	})
}
