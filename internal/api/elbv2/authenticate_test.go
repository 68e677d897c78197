package elbv2_test

import (
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fairlead/fairlead/internal/elb"
)

func oidc(edit func(*types.AuthenticateOidcActionConfig)) types.Action {
	cfg := &types.AuthenticateOidcActionConfig{
		Issuer: new("https://id.example"), AuthorizationEndpoint: new("https://id.example/authorize"), TokenEndpoint: new("https://id.example/token"),
		UserInfoEndpoint: new("https://id.example/userinfo"), ClientId: new("shop"), ClientSecret: new("correct horse battery staple"),
	}
	if edit != nil {
		edit(cfg)
	}
	return types.Action{Type: types.ActionTypeEnumAuthenticateOidc, Order: new(int32(1)), AuthenticateOidcConfig: cfg}
}

func cognito() types.Action {
	return types.Action{Type: types.ActionTypeEnumAuthenticateCognito, Order: new(int32(1)), AuthenticateCognitoConfig: &types.AuthenticateCognitoActionConfig{
		UserPoolArn: new("arn:aws:cognito-idp:us-east-1:111122223333:userpool/us-east-1_abc"), UserPoolClientId: new("client"), UserPoolDomain: new("shop"),
	}}
}

func jwt() types.Action {
	return types.Action{Type: types.ActionTypeEnumJwtValidation, Order: new(int32(1)), JwtValidationConfig: &types.JwtValidationActionConfig{
		Issuer: new("https://id.example"), JwksEndpoint: new("https://id.example/keys"),
		AdditionalClaims: []types.JwtValidationActionAdditionalClaim{{Name: new("aud"), Format: types.JwtValidationActionAdditionalClaimFormatEnumStringArray, Values: []string{"shop"}}},
	}}
}

// then is the action and a forward behind it.
func then(a types.Action, group string) []types.Action {
	f := to(group)
	f[0].Order = new(int32(2))
	return append([]types.Action{a}, f...)
}

func TestAuthenticatingActionsAreToldWithTheirDefaults(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	group := w.group("web")
	l := w.listener(secure(*w.balancer(shop()).LoadBalancerArn, 443, to(group)))
	ignore := cmpopts.IgnoreUnexported(types.AuthenticateOidcActionConfig{}, types.AuthenticateCognitoActionConfig{}, types.JwtValidationActionConfig{}, types.JwtValidationActionAdditionalClaim{})
	rule := func(actions []types.Action) []types.Action {
		t.Helper()
		out, err := w.CreateRule(t.Context(), &sdk.CreateRuleInput{ListenerArn: l.ListenerArn, Priority: new(int32(len(actions[0].Type))), Conditions: path("/" + string(actions[0].Type)), Actions: actions})
		if err != nil {
			t.Fatal(err)
		}
		described, err := w.DescribeRules(t.Context(), &sdk.DescribeRulesInput{RuleArns: []string{*out.Rules[0].RuleArn}})
		if err != nil {
			t.Fatal(err)
		}
		return described.Rules[0].Actions
	}

	got := rule(then(oidc(func(c *types.AuthenticateOidcActionConfig) {
		c.AuthenticationRequestExtraParams = map[string]string{"display": "page"}
	}), group))
	want := oidc(nil).AuthenticateOidcConfig
	want.ClientSecret, want.AuthenticationRequestExtraParams = nil, map[string]string{"display": "page"}
	want.SessionCookieName, want.Scope, want.SessionTimeout = new("AWSELBAuthSessionCookie"), new("openid"), new(int64(604800))
	want.OnUnauthenticatedRequest = types.AuthenticateOidcActionConditionalBehaviorEnumAuthenticate
	if diff := cmp.Diff(want, got[0].AuthenticateOidcConfig, ignore); diff != "" || *got[0].Order != 1 || *got[1].Order != 2 || *got[1].TargetGroupArn != group {
		t.Errorf("OIDC (-want +got):\n%s", diff)
	}

	got = rule(then(cognito(), group))
	pool := cognito().AuthenticateCognitoConfig
	pool.SessionCookieName, pool.Scope, pool.SessionTimeout = want.SessionCookieName, want.Scope, want.SessionTimeout
	pool.OnUnauthenticatedRequest = types.AuthenticateCognitoActionConditionalBehaviorEnumAuthenticate
	if diff := cmp.Diff(pool, got[0].AuthenticateCognitoConfig, ignore); diff != "" {
		t.Errorf("Cognito (-want +got):\n%s", diff)
	}

	got = rule(then(jwt(), group))
	if diff := cmp.Diff(jwt().JwtValidationConfig, got[0].JwtValidationConfig, ignore); diff != "" {
		t.Errorf("JWT (-want +got):\n%s", diff)
	}
}

func TestAClientSecretIsKeptAndNotTold(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	group := w.group("web")
	l := w.listener(secure(*w.balancer(shop()).LoadBalancerArn, 443, then(oidc(nil), group)))
	modify := func(edit func(*types.AuthenticateOidcActionConfig)) error {
		_, err := w.ModifyListener(t.Context(), &sdk.ModifyListenerInput{ListenerArn: l.ListenerArn, DefaultActions: then(oidc(edit), group)})
		return err
	}
	for _, text := range w.records() {
		if strings.Contains(text, "battery") {
			t.Errorf("a record has the secret: %s", text)
		}
	}
	again := func(c *types.AuthenticateOidcActionConfig) {
		c.ClientSecret, c.UseExistingClientSecret = nil, new(true)
	}
	if err := modify(again); err != nil {
		t.Errorf("with the secret that is there: %v", err)
	}
	if err := modify(again); err != nil {
		t.Errorf("once more: %v", err)
	}
	if _, err := w.ModifyListener(t.Context(), &sdk.ModifyListenerInput{ListenerArn: l.ListenerArn, DefaultActions: to(group)}); err != nil {
		t.Fatal(err)
	}
	if code, text := refusal(t, modify(again)); code != "InvalidLoadBalancerAction" || text != "There is no client secret to use again; specify one" {
		t.Errorf("once it is gone: %s: %s", code, text)
	}
	if _, err := w.ModifyListener(t.Context(), &sdk.ModifyListenerInput{ListenerArn: l.ListenerArn, DefaultActions: then(oidc(nil), group)}); err != nil {
		t.Fatal(err)
	}
	_, err := w.ModifyListener(t.Context(), &sdk.ModifyListenerInput{ListenerArn: l.ListenerArn, Protocol: types.ProtocolEnumHttp})
	if code, text := refusal(t, err); code != "InvalidLoadBalancerAction" || text != "Actions of type 'authenticate-oidc' are supported only on HTTPS listeners" {
		t.Errorf("as HTTP: %s: %s", code, text)
	}
}

func TestAuthenticatingActionsThatAreRefused(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	group := w.group("web")
	arn := *w.balancer(shop()).LoadBalancerArn
	config := func(edit func(*types.AuthenticateOidcActionConfig)) []types.Action { return then(oidc(edit), group) }
	token := func(edit func(*types.JwtValidationActionConfig)) []types.Action {
		a := jwt()
		edit(a.JwtValidationConfig)
		return then(a, group)
	}
	const endless = "A value of an action that authenticates is too long; the limit is '2048'"
	plain := on(arn, 80, then(oidc(nil), group))
	if _, err := w.CreateListener(t.Context(), plain); err == nil || !strings.Contains(err.Error(), "supported only on HTTPS listeners") {
		t.Errorf("on HTTP: %v", err)
	}
	for _, c := range []struct {
		name    string
		actions []types.Action
		text    string
	}{
		{"alone", []types.Action{oidc(nil)}, "You can specify only one forward, redirect or fixed-response action, and it must be the last one"},
		{"behind the forward", func() []types.Action {
			a := then(oidc(nil), group)
			a[0].Order = new(int32(3))
			return a
		}(), "You can specify only one forward, redirect or fixed-response action, and it must be the last one"},
		{"two of them", func() []types.Action {
			second := cognito()
			second.Order = new(int32(2))
			a := then(oidc(nil), group)
			a[1].Order = new(int32(3))
			return slices.Insert(a, 1, second)
		}(), "You can specify only one action that authenticates"},
		{"without an order", func() []types.Action {
			a := then(oidc(nil), group)
			a[0].Order = nil
			return a
		}(), "You must specify an order for each action when you specify several actions"},
		{"in the same place", func() []types.Action {
			a := then(oidc(nil), group)
			a[1].Order = new(int32(1))
			return a
		}(), "The action order '1' was specified more than once"},
		{"no secret", config(func(c *types.AuthenticateOidcActionConfig) { c.ClientSecret = nil }), "A client secret must be specified for an action of type 'authenticate-oidc'"},
		{"a secret and the former one", config(func(c *types.AuthenticateOidcActionConfig) { c.UseExistingClientSecret = new(true) }),
			"A client secret and 'UseExistingClientSecret' cannot be specified at the same time"},
		{"an endpoint in the clear", config(func(c *types.AuthenticateOidcActionConfig) { c.TokenEndpoint = new("http://id.example/token") }),
			"The token endpoint 'http://id.example/token' must be a full URL, with the HTTPS protocol, the domain and the path"},
		{"a session without an end", config(func(c *types.AuthenticateOidcActionConfig) { c.SessionTimeout = new(int64(0)) }), "The session timeout '0' must be between '1-604800' inclusive"},
		{"a cookie that isn't one", config(func(c *types.AuthenticateOidcActionConfig) { c.SessionCookieName = new("a;b") }),
			"The session cookie name 'a;b' must be the name of a cookie, of at most 64 characters"},
		{"an endless secret", config(func(c *types.AuthenticateOidcActionConfig) { c.ClientSecret = new(strings.Repeat("s", 2049)) }), endless},
		{"an endless client ID", config(func(c *types.AuthenticateOidcActionConfig) { c.ClientId = new(strings.Repeat("i", 2049)) }), endless},
		{"an endless parameter", config(func(c *types.AuthenticateOidcActionConfig) {
			c.AuthenticationRequestExtraParams = map[string]string{"display": strings.Repeat("p", 2049)}
		}), endless},
		{"a claim that is always checked", token(func(c *types.JwtValidationActionConfig) { c.AdditionalClaims[0].Name = new("iss") }),
			"The claim 'iss' cannot be an additional one; exp, iss, nbf and iat are always checked"},
		{"keys in the clear", token(func(c *types.JwtValidationActionConfig) { c.JwksEndpoint = new("http://id.example/keys") }),
			"The JWKS endpoint 'http://id.example/keys' must be a full URL, with the HTTPS protocol, the domain and the path"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.unchanged(t, func() {
				_, err := w.CreateListener(t.Context(), secure(arn, 443, c.actions))
				if code, text := refusal(t, err); code != "InvalidLoadBalancerAction" || text != c.text {
					t.Errorf("got  %s: %s\nwant InvalidLoadBalancerAction: %s", code, text, c.text)
				}
			})
		})
	}
}
