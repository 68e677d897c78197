package elbv2_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/fairlead/fairlead/internal/elb"
)

func certified(ids ...string) []types.Certificate {
	out := []types.Certificate{}
	for _, id := range ids {
		out = append(out, types.Certificate{CertificateArn: new(certificate + id)})
	}
	return out
}

// secure is an HTTPS listener's settings.
func secure(balancer string, port int32, actions []types.Action) *sdk.CreateListenerInput {
	in := on(balancer, port, actions)
	in.Protocol, in.Certificates = types.ProtocolEnumHttps, certified("one")
	return in
}

func TestAnHTTPSListenerIsEchoed(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	arn, actions := *w.balancer(shop()).LoadBalancerArn, to(w.group("web"))
	l := w.listener(secure(arn, 443, actions))
	check := func(l types.Listener, policy, id string) {
		t.Helper()
		if l.Protocol != types.ProtocolEnumHttps || l.SslPolicy == nil || *l.SslPolicy != policy || len(l.Certificates) != 1 ||
			*l.Certificates[0].CertificateArn != certificate+id || l.Certificates[0].IsDefault != nil || *l.MutualAuthentication.Mode != "off" || l.AlpnPolicy != nil {
			t.Errorf("got %+v, want policy %s and certificate %s", l, policy, id)
		}
	}
	check(l, "ELBSecurityPolicy-2016-08", "one") // AWS's default
	if again := w.listener(secure(arn, 443, actions)); *again.ListenerArn != *l.ListenerArn {
		t.Errorf("created again: got %s, want the same", *again.ListenerArn)
	}
	other := secure(arn, 443, actions)
	other.SslPolicy = new("ELBSecurityPolicy-TLS13-1-2-2021-06")
	if _, err := w.CreateListener(t.Context(), other); err == nil || !strings.Contains(err.Error(), "DuplicateListener") {
		t.Errorf("with another policy: got %v", err)
	}
	modify := func(in *sdk.ModifyListenerInput) types.Listener {
		t.Helper()
		in.ListenerArn = l.ListenerArn
		out, err := w.ModifyListener(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		return out.Listeners[0]
	}
	check(modify(&sdk.ModifyListenerInput{SslPolicy: other.SslPolicy}), *other.SslPolicy, "one")
	check(modify(&sdk.ModifyListenerInput{Certificates: certified("two")}), *other.SslPolicy, "two")
	check(modify(&sdk.ModifyListenerInput{MutualAuthentication: &types.MutualAuthenticationAttributes{Mode: new("off")}}), *other.SslPolicy, "two")

	plain := modify(&sdk.ModifyListenerInput{Protocol: types.ProtocolEnumHttp})
	if plain.SslPolicy != nil || plain.Certificates != nil || plain.MutualAuthentication != nil {
		t.Errorf("as HTTP: got %+v", plain)
	}
	check(modify(&sdk.ModifyListenerInput{Protocol: types.ProtocolEnumHttps, SslPolicy: other.SslPolicy, Certificates: certified("one")}), *other.SslPolicy, "one")
	described, err := w.DescribeListeners(t.Context(), &sdk.DescribeListenersInput{LoadBalancerArn: &arn})
	if err != nil {
		t.Fatal(err)
	}
	check(described.Listeners[0], *other.SslPolicy, "one")
}

// listed are a listener's certificates as "ID" or "ID*" for the default one.
func (w *world) listed(listener string, size *int32) []string {
	w.t.Helper()
	var got []string
	for in := (&sdk.DescribeListenerCertificatesInput{ListenerArn: &listener, PageSize: size}); ; {
		out, err := w.DescribeListenerCertificates(w.t.Context(), in)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, c := range out.Certificates {
			id := strings.TrimPrefix(*c.CertificateArn, certificate)
			if *c.IsDefault {
				id += "*"
			}
			got = append(got, id)
		}
		if in.Marker = out.NextMarker; in.Marker == nil {
			return got
		}
	}
}

func TestCertificatesOfAListener(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	arn := *w.balancer(shop()).LoadBalancerArn
	l := *w.listener(secure(arn, 443, to(w.group("web")))).ListenerArn
	for _, id := range []string{"two", "three", "two", "one"} { // one of them twice, and the default one
		out, err := w.AddListenerCertificates(t.Context(), &sdk.AddListenerCertificatesInput{ListenerArn: &l, Certificates: certified(id)})
		if err != nil || len(out.Certificates) != 1 || *out.Certificates[0].CertificateArn != certificate+id || *out.Certificates[0].IsDefault {
			t.Fatalf("add %s: got %+v, %v", id, out, err)
		}
	}
	want := []string{"one*", "one", "three", "two"}
	for _, size := range []*int32{nil, new(int32(1)), new(int32(3))} {
		if got := w.listed(l, size); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := w.svc.CertificateUsers(w.store.Snapshot(), certificate+"three"); !slices.Equal(got, []string{arn}) {
		t.Errorf("users: got %q", got)
	}
	for _, id := range []string{"two", "one", "never-there"} {
		if _, err := w.RemoveListenerCertificates(t.Context(), &sdk.RemoveListenerCertificatesInput{ListenerArn: &l, Certificates: certified(id)}); err != nil {
			t.Fatalf("remove %s: %v", id, err)
		}
	}
	if got := w.listed(l, nil); !slices.Equal(got, []string{"one*", "three"}) {
		t.Errorf("got %q", got)
	}
	if _, err := w.DeleteListener(t.Context(), &sdk.DeleteListenerInput{ListenerArn: &l}); err != nil {
		t.Fatal(err)
	}
	if got := w.svc.CertificateUsers(w.store.Snapshot(), certificate+"three"); len(got) != 0 {
		t.Errorf("without the listener: got users %q", got)
	}
}

func TestTLSRefusals(t *testing.T) {
	quotas := elb.DefaultQuotas
	quotas.CertificatesPerBalancer = 2
	w := newWorld(t, quotas)
	arn, actions := *w.balancer(shop()).LoadBalancerArn, to(w.group("web"))
	https, http := *w.listener(secure(arn, 443, actions)).ListenerArn, *w.listener(on(arn, 80, actions)).ListenerArn
	second := *w.listener(secure(arn, 8443, actions)).ListenerArn
	for l, id := range map[string]string{https: "a", second: "b"} {
		if _, err := w.AddListenerCertificates(t.Context(), &sdk.AddListenerCertificatesInput{ListenerArn: &l, Certificates: certified(id)}); err != nil {
			t.Fatal(err)
		}
	}
	create := func(edit func(*sdk.CreateListenerInput)) func() error {
		return func() error {
			in := secure(arn, 9443, actions)
			edit(in)
			_, err := w.CreateListener(t.Context(), in)
			return err
		}
	}
	mutual := func(m types.MutualAuthenticationAttributes) func() error {
		return create(func(in *sdk.CreateListenerInput) { in.MutualAuthentication = &m })
	}
	having := func(id string) func() error {
		return create(func(in *sdk.CreateListenerInput) { in.Certificates = certified(id) })
	}
	modify := func(listener string, in sdk.ModifyListenerInput) func() error {
		return func() error { in.ListenerArn = &listener; _, err := w.ModifyListener(t.Context(), &in); return err }
	}
	add := func(listener string, c ...types.Certificate) func() error {
		return func() error {
			_, err := w.AddListenerCertificates(t.Context(), &sdk.AddListenerCertificatesInput{ListenerArn: &listener, Certificates: c})
			return err
		}
	}
	remove := func(listener string, c ...types.Certificate) func() error {
		return func() error {
			_, err := w.RemoveListenerCertificates(t.Context(), &sdk.RemoveListenerCertificatesInput{ListenerArn: &listener, Certificates: c})
			return err
		}
	}
	const unsupported = "must have a fully-qualified domain name, a supported signature, and a supported key size."
	for name, c := range map[string]struct {
		do         func() error
		code, text string
	}{
		"no certificate":                {create(func(in *sdk.CreateListenerInput) { in.Certificates = nil }), "ValidationError", "A certificate must be specified for HTTPS listeners"},
		"two certificates":              {create(func(in *sdk.CreateListenerInput) { in.Certificates = certified("one", "two") }), "ValidationError", "exactly one certificate"},
		"a certificate marked":          {create(func(in *sdk.CreateListenerInput) { in.Certificates[0].IsDefault = new(true) }), "ValidationError", "IsDefault"},
		"a certificate without ARN":     {create(func(in *sdk.CreateListenerInput) { in.Certificates = []types.Certificate{{CertificateArn: new("")}} }), "ValidationError", "certificate ARN"},
		"what isn't there":              {having("gone"), "CertificateNotFound", "Certificate '" + certificate + "gone' not found"},
		"another account's":             {having("strange"), "CertificateNotFound", "strange"},
		"another region's":              {having("far"), "CertificateNotFound", "far"},
		"no name":                       {having("nameless"), "UnsupportedCertificate", unsupported},
		"a short key":                   {having("short"), "UnsupportedCertificate", unsupported},
		"a weak signature":              {having("weak"), "UnsupportedCertificate", unsupported},
		"an unknown policy":             {create(func(in *sdk.CreateListenerInput) { in.SslPolicy = new("ELBSecurityPolicy-FIPS-2023-04") }), "SSLPolicyNotFound", "SSL policy 'ELBSecurityPolicy-FIPS-2023-04' not found"},
		"a policy of FIPS":              {create(func(in *sdk.CreateListenerInput) { in.SslPolicy = new("ELBSecurityPolicy-TLS13-1-3-FIPS-2023-04") }), "SSLPolicyNotFound", "'ELBSecurityPolicy-TLS13-1-3-FIPS-2023-04' is not supported by this installation: it promises"},
		"modify: a policy of RFC 9151":  {modify(https, sdk.ModifyListenerInput{SslPolicy: new("ELBSecurityPolicy-TLS13-1-3-RFC9151-FIPS-2023-07")}), "SSLPolicyNotFound", "leaves out ciphers"},
		"ALPN":                          {create(func(in *sdk.CreateListenerInput) { in.AlpnPolicy = []string{"HTTP2Only"} }), "ValidationError", "ALPN"},
		"client certificates":           {mutual(types.MutualAuthenticationAttributes{Mode: new("verify"), TrustStoreArn: new("arn:x")}), "TrustStoreNotFound", "Trust store 'arn:x' not found"},
		"client certificates of nobody": {mutual(types.MutualAuthenticationAttributes{Mode: new("verify")}), "ValidationError", "A trust store must be specified with the mutual authentication mode 'verify'"},
		"an unknown mode":               {mutual(types.MutualAuthenticationAttributes{Mode: new("maybe")}), "ValidationError", "must be one of 'off, passthrough, verify'"},
		"off with a trust store":        {mutual(types.MutualAuthenticationAttributes{Mode: new("off"), TrustStoreArn: new("arn:x")}), "ValidationError", "only with the mutual authentication mode 'verify'"},
		"HTTP with a certificate":       {create(func(in *sdk.CreateListenerInput) { in.Protocol = types.ProtocolEnumHttp }), "ValidationError", "only for HTTPS listeners"},
		"modify: HTTP with a policy":    {modify(http, sdk.ModifyListenerInput{SslPolicy: new("ELBSecurityPolicy-2016-08")}), "ValidationError", "only for HTTPS listeners"},
		"modify: to HTTPS, half":        {modify(http, sdk.ModifyListenerInput{Protocol: types.ProtocolEnumHttps, Certificates: certified("one")}), "ValidationError", "security policy"},
		"modify: to HTTPS, other half":  {modify(http, sdk.ModifyListenerInput{Protocol: types.ProtocolEnumHttps, SslPolicy: new("ELBSecurityPolicy-2016-08")}), "ValidationError", "certificate must be specified"},
		"modify: two certificates":      {modify(https, sdk.ModifyListenerInput{Certificates: certified("one", "two")}), "ValidationError", "You must provide a list containing exactly one certificate"},
		"modify: unknown policy":        {modify(https, sdk.ModifyListenerInput{SslPolicy: new("strong")}), "SSLPolicyNotFound", "strong"},
		"modify: what isn't there":      {modify(https, sdk.ModifyListenerInput{Certificates: certified("gone")}), "CertificateNotFound", "gone"},
		"add: two":                      {add(https, certified("c", "d")...), "ValidationError", "exactly one"},
		"add: marked":                   {add(https, types.Certificate{CertificateArn: new(certificate + "c"), IsDefault: new(false)}), "ValidationError", "IsDefault"},
		"add: what isn't there":         {add(https, certified("gone")...), "CertificateNotFound", "gone"},
		"add: past the quota":           {add(https, certified("c")...), "TooManyCertificates", ": 2"},
		"add: to HTTP":                  {add(http, certified("c")...), "ValidationError", "HTTPS listeners alone"},
		"add: to no listener":           {add(strings.Replace(https, "listener/", "listener/x", 1), certified("c")...), "ListenerNotFound", "not found"},
		"remove: the default one":       {remove(https, certified("one")...), "OperationNotPermitted", "default certificate"},
		"remove: from HTTP":             {remove(http, certified("one")...), "ValidationError", "HTTPS listeners alone"},
	} {
		t.Run(name, func(t *testing.T) {
			w.unchanged(t, func() {
				if code, text := refusal(t, c.do()); code != c.code || !strings.Contains(text, c.text) {
					t.Errorf("got %s: %s, want %s with %q", code, text, c.code, c.text)
				}
			})
		})
	}
}

func TestSSLPolicies(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	var all []types.SslPolicy
	for in := (&sdk.DescribeSSLPoliciesInput{PageSize: new(int32(4))}); ; {
		out, err := w.DescribeSSLPolicies(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, out.SslPolicies...)
		if in.Marker = out.NextMarker; in.Marker == nil {
			break
		}
	}
	if len(all) != 24 {
		t.Errorf("got %d policies, want 24", len(all))
	}
	seen := map[string]string{}
	for _, p := range all {
		var names []string
		for i, c := range p.Ciphers {
			if int(*c.Priority) != i+1 {
				t.Errorf("%s: cipher %s has priority %d, want %d", *p.Name, *c.Name, *c.Priority, i+1)
			}
			names = append(names, *c.Name)
		}
		seen[*p.Name] = strings.Join(p.SslProtocols, " ") + ": " + strings.Join(names, " ")
	}
	const gcm = "ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256 "
	const gcm256 = "ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-RSA-AES256-GCM-SHA384"
	const tls13 = "TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256"
	for name, want := range map[string]string{
		"ELBSecurityPolicy-TLS13-1-3-2021-06":        "TLSv1.3: " + tls13,
		"ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09": "TLSv1.2 TLSv1.3: " + tls13 + " " + gcm + gcm256,
		"ELBSecurityPolicy-TLS13-1-2-2021-06":        "TLSv1.2 TLSv1.3: " + tls13 + " " + gcm + "ECDHE-ECDSA-AES128-SHA256 ECDHE-RSA-AES128-SHA256 " + gcm256,
		"ELBSecurityPolicy-FS-1-2-Res-2020-10":       "TLSv1.2: " + gcm + gcm256,
		"ELBSecurityPolicy-2016-08": "TLSv1 TLSv1.1 TLSv1.2: " + gcm + "ECDHE-ECDSA-AES128-SHA256 ECDHE-RSA-AES128-SHA256 ECDHE-ECDSA-AES128-SHA ECDHE-RSA-AES128-SHA " + gcm256 +
			" ECDHE-RSA-AES256-SHA ECDHE-ECDSA-AES256-SHA AES128-GCM-SHA256 AES128-SHA256 AES128-SHA AES256-GCM-SHA384 AES256-SHA",
	} {
		if got := seen[name]; got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
	named, err := w.DescribeSSLPolicies(t.Context(), &sdk.DescribeSSLPoliciesInput{Names: []string{"ELBSecurityPolicy-2016-08", "ELBSecurityPolicy-2015-05"}})
	if err != nil || len(named.SslPolicies) != 2 || fmt.Sprint(named.SslPolicies[0].SupportedLoadBalancerTypes) != "[application]" {
		t.Errorf("named: got %+v, %v", named, err)
	}
	if _, err := w.DescribeSSLPolicies(t.Context(), &sdk.DescribeSSLPoliciesInput{Names: []string{"ELBSecurityPolicy-2016-08", "nobody's"}}); err == nil || !strings.Contains(err.Error(), "SSLPolicyNotFound") {
		t.Errorf("an unknown name among them: got %v", err)
	}
	if out, err := w.DescribeSSLPolicies(t.Context(), &sdk.DescribeSSLPoliciesInput{LoadBalancerType: types.LoadBalancerTypeEnumNetwork}); err != nil || len(out.SslPolicies) != 0 {
		t.Errorf("network: got %+v, %v", out, err)
	}
}
