package oidc_test

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/oidc"
)

// BenchmarkSession is what a request with a session costs: one that is known, and the
// first one of a minute.
func BenchmarkSession(b *testing.B) {
	for _, size := range []struct {
		name          string
		claims, token int
	}{{"small", 300, 900}, {"largest", 6000, 5000}} {
		c, cache := newClient(b, nil), oidc.NewCache()
		lines, err := c.AppendCookies(nil, session(size.claims, size.token, 100), 0, true, now)
		if err != nil {
			b.Fatal(err)
		}
		text := textOf(b, cookiesOf(lines))
		first := func(now time.Time) *oidc.Fields {
			s, ok := c.Open(text, now)
			if !ok {
				b.Fatal("it isn't known")
			}
			f, err := c.Fields(s, now)
			if err != nil {
				b.Fatal(err)
			}
			return f
		}
		b.Run(size.name+"/known", func(b *testing.B) {
			cache.Put(c, text, first(now), now)
			b.ReportAllocs()
			for b.Loop() {
				if cache.Get(c, text, now) == nil {
					b.Fatal("it isn't known")
				}
			}
		})
		b.Run(size.name+"/first", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				first(now)
			}
		})
	}
}
