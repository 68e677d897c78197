package proxy_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	"github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"
)

// Every case of h2spec passes, those that ask for more than the RFC's MUSTs too.
func TestH2Spec(t *testing.T) {
	t.Parallel()
	w := newHTTP2World(t)
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
		rw.Write([]byte(strings.Repeat("x", 100)))
	}))
	w.apply()
	c := &config.Config{
		Host: w.bound["node-1"].String(), Port: port, Path: "/", Timeout: 2 * time.Second, MaxHeaderLen: 4000,
		TLS: true, Insecure: true, Strict: true,
	}
	passed := 0
	var report func(g *spec.TestGroup)
	report = func(g *spec.TestGroup) {
		for _, test := range append(g.Tests, g.StrictTests...) {
			switch r := test.Result; {
			case r == nil || r.Skipped:
				t.Errorf("%s/%s: skipped", g.ID(), test.Desc)
			case r.Failed:
				t.Errorf("%s/%s: %v", g.ID(), test.Desc, r.Error)
			default:
				passed++
			}
		}
		for _, g := range g.Groups {
			report(g)
		}
	}
	for _, g := range []*spec.TestGroup{generic.Spec(), http2.Spec(), hpack.Spec()} {
		g.Test(c)
		report(g)
	}
	t.Logf("%d cases passed", passed)
}
