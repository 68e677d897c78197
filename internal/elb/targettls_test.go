package elb_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// secureGroup makes a target group whose targets speak TLS.
func secureGroup(t *testing.T, svc *elb.Service, name string) elb.TargetGroup {
	t.Helper()
	g, err := svc.CreateTargetGroup(t.Context(), elb.CreateTargetGroup{Account: account, Region: region, Name: name, TargetType: "ip",
		Protocol: "HTTPS", Port: 443, VPCID: "vpc-1", Hex: "00000000000000aa"})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Hosts are told whether targets are to be believed, and get to offer them what a
// listener that forwards to them asks of clients.
func TestHostsAreToldHowTargetsAreSpokenTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 2)
		defer w.stop()
		w.certify("arn:a", "shop.example", "1")
		b, web := w.create(shop("subnet-a", "subnet-b")), secureGroup(t, w.svc, "secure")
		in := listener(b.ARN, 443, forward(web.ARN))
		in.Protocol, in.TLS = "HTTPS", elb.TLSSettings{Certificates: []string{"arn:a"}}
		l := open(t, w.svc, in)
		check := func(when string, want snapshot.TargetTLS) {
			t.Helper()
			synctest.Wait()
			if diff := cmp.Diff(want, w.newest().TargetGroups[0].TLS); diff != "" {
				t.Errorf("%s (-want +got):\n%s", when, diff)
			}
		}
		policy := func(name string) {
			t.Helper()
			if _, _, err := w.svc.ModifyListener(t.Context(), elb.ModifyListener{Account: account, Region: region, ARN: l.ARN, TLS: elb.TLSSettings{Policy: name}}); err != nil {
				t.Fatal(err)
			}
		}
		check("at first", snapshot.TargetTLS{})
		w.setGroup(web, "fairlead.target_tls.verification=system")
		check("verified", snapshot.TargetTLS{Verify: true})
		w.setGroup(web, "fairlead.target_tls.server_name=shop.internal")
		check("by a name", snapshot.TargetTLS{Verify: true, ServerName: "shop.internal"})
		policy("ELBSecurityPolicy-TLS13-1-3-PQ-2025-09")
		check("behind hybrid key exchange", snapshot.TargetTLS{Verify: true, ServerName: "shop.internal", PostQuantum: true})
		w.setGroup(web, "fairlead.target_tls.server_name=", "fairlead.target_tls.verification=none")
		policy(elb.DefaultSSLPolicy)
		check("as at first", snapshot.TargetTLS{})
	})
}

func TestAttributesOfTargetsTLSAreChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 2)
		defer w.stop()
		web, plain := secureGroup(t, w.svc, "secure"), group(t, w.svc, "plain")
		for _, c := range []struct {
			group      elb.TargetGroup
			key, value string
			want       string // part of the refusal; "": accepted
		}{
			{web, "verification", "system", ""},
			{web, "verification", "none", ""},
			{web, "verification", "strict", "must be one of 'none', 'system'"},
			{web, "verification", "", "must be one of"},
			{web, "server_name", "shop.internal", ""},
			{web, "server_name", "shop", ""},
			{web, "server_name", "1.shop", ""},
			{web, "server_name", "", ""},
			{web, "server_name", "10.0.0.1", "must be a DNS name"},
			{web, "server_name", "::1", "must be a DNS name"},
			{web, "server_name", "*.shop.internal", "must be a DNS name"},
			{web, "server_name", "Shop.internal", "must be a DNS name"},
			{web, "server_name", "shop.internal.", "must be a DNS name"},
			{web, "server_name", "shop..internal", "must be a DNS name"},
			{web, "server_name", "-shop.internal", "must be a DNS name"},
			{web, "server_name", strings.Repeat("a", 64), "must be a DNS name"},
			{web, "server_name", "shop.internal:443", "must be a DNS name"},
			{plain, "verification", "system", "requires a target group with the protocol HTTPS"},
			{plain, "server_name", "shop.internal", "requires a target group with the protocol HTTPS"},
		} {
			key := "fairlead.target_tls." + c.key
			all, err := w.svc.ModifyTargetGroupAttributes(t.Context(), account, region, c.group.ARN, map[string]string{key: c.value})
			switch {
			case c.want == "" && (err != nil || all[key] != c.value):
				t.Errorf("%s=%s: got %q, %v", key, c.value, all[key], err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%s=%s: got %v, want %q", key, c.value, err, c.want)
			case c.want != "":
				if _, ok := errors.AsType[*elb.Error](err); !ok {
					t.Errorf("%s=%s: got %T, want an error for the caller", key, c.value, err)
				}
			}
		}
		if got := web.AllAttributes()["fairlead.target_tls.verification"]; got != "none" {
			t.Errorf("by default targets are verified by %q", got)
		}
		if _, told := plain.AllAttributes()["fairlead.target_tls.verification"]; told {
			t.Error("a group without TLS tells how targets are verified")
		}
	})
}
