package certs_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/certs"
)

func TestARepeatedRequestReturnsTheFirstOnesCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		ask := func(token string, names ...string) string {
			t.Helper()
			in := requested(names...)
			in.Token = token
			return s.requests(in).ARN
		}
		first := ask("one", "shop.example", "www.shop.example")
		for name, c := range map[string]struct {
			arn  string
			same bool
		}{
			"the same call":         {ask("one", "shop.example", "www.shop.example"), true},
			"in capitals":           {ask("one", "SHOP.example", "www.shop.example"), true},
			"another token":         {ask("two", "shop.example", "www.shop.example"), false},
			"for other names":       {ask("one", "shop.example"), false},
			"without a token":       {ask("", "shop.example", "www.shop.example"), false},
			"without a token again": {ask("", "shop.example", "www.shop.example"), false},
		} {
			if same := c.arn == first; same != c.same {
				t.Errorf("%s: the same certificate: %v, want %v", name, same, c.same)
			}
		}
		time.Sleep(time.Hour - time.Second)
		if ask("one", "shop.example", "www.shop.example") != first {
			t.Error("a second before the hour is over: another certificate")
		}
		time.Sleep(time.Second)
		if ask("one", "shop.example", "www.shop.example") == first {
			t.Error("after an hour: the same certificate")
		}
	})
}

// I8: a CNAME that one account had made proves nothing for another, and names in our
// zone are for whose load balancer has them.
func TestAccountsProveForThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		ask := func(account string, names ...string) certs.Certificate {
			t.Helper()
			in := requested(names...)
			in.Account = account
			return s.requests(in)
		}
		target := func(c certs.Certificate) string {
			_, at := s.Delegation(c, "shop.example")
			return at
		}
		mine, again, theirs := ask(account, "shop.example"), ask(account, "*.shop.example"), ask(stranger, "shop.example")
		if target(mine) != target(again) || target(mine) == target(theirs) {
			t.Errorf("got %s, again %s, for a stranger %s", target(mine), target(again), target(theirs))
		}
		for _, c := range []certs.Certificate{mine, theirs} {
			if err := s.Delete(t.Context(), c.Account, region, c.ARN); err != nil {
				t.Fatal(err)
			}
		}
		if left := s.texts(); len(left) != 1 || !strings.HasPrefix(left[0], strings.TrimSuffix(target(again), ".")) {
			t.Errorf("our zone says %q, want what the account's other certificate needs", left)
		}

		own := "shop-1.local-1.elb.example"
		for name, c := range map[string]struct {
			account string
			names   []string
			allowed bool
		}{
			"one's own load balancer":        {account, []string{own}, true},
			"beside a name outside":          {account, []string{"www.example", own}, true},
			"a stranger's load balancer":     {stranger, []string{own}, false},
			"hidden behind a name outside":   {stranger, []string{"www.example", own}, false},
			"a name of nobody's":             {account, []string{"new.local-1.elb.example"}, false},
			"all load balancers of a region": {account, []string{"*.local-1.elb.example"}, false},
			"the zone":                       {account, []string{"elb.example"}, false},
		} {
			got := ask(c.account, c.names...)
			if failed := got.Status(time.Now()) == certs.Failed; failed == c.allowed || failed && got.Issuance.Reason != certs.DomainNotAllowed {
				t.Errorf("%s: got %s %s", name, got.Status(time.Now()), got.Issuance.Reason)
			}
		}
		if !slices.ContainsFunc(s.texts(), func(x string) bool { return strings.HasPrefix(x, "_acme-challenge."+own+" fairlead-validation=") }) {
			t.Errorf("our zone says %q, want a marker at the load balancer's own name", s.texts())
		}
	})
}

func TestNamesThatCantBeRequested(t *testing.T) {
	label := strings.Repeat("a", 63)
	long := strings.Join([]string{label, label, label, label[:50]}, ".") // 242
	var many []string
	for i := range 101 {
		many = append(many, strings.Repeat("x", 1+i%50)+string(rune('a'+i/50))+".example")
	}
	for name, c := range map[string]struct {
		names []string
		kind  certs.Kind // "": none
		want  string
	}{
		"a long label":           {[]string{label + "a.example"}, certs.Invalid, "longer than 64"},
		"a long label, besides":  {[]string{"shop.example", label + "a.example"}, certs.Invalid, "at most 63"},
		"a domain of 65":         {[]string{label[:57] + ".example"}, certs.Invalid, "longer than 64"},
		"a domain of 64":         {[]string{label[:56] + ".example"}, "", ""},
		"a name without a place": {[]string{"shop.example", long}, certs.Invalid, "_acme-challenge"},
		"too many":               {many, certs.TooMany, "at most 100"},
		"as many as can be":      {many[:100], "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				if c.kind == "" {
					if got := s.requests(requested(c.names...)); !slices.Equal(got.Names, c.names) {
						t.Errorf("got %q", got.Names)
					}
					return
				}
				s.refused(t, func() error { _, err := s.Request(t.Context(), requested(c.names...)); return err }, c.kind, c.want)
			})
		})
	}
}
