package elb_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// A host is told of actions that have clients log in, with the client secret sealed; of
// a user pool by the provider that it is.
func TestAHostIsToldWhereClientsLogIn(t *testing.T) {
	session := elb.DefaultSession
	session.Extra = map[string]string{"prompt": "login"}
	session.Timeout = time.Hour
	pool := func(domain string) elb.Action {
		return elb.Action{Type: "authenticate-cognito", Order: 1, Cognito: &elb.AuthenticateCognito{
			UserPoolARN: "arn:aws:cognito-idp:eu-test-1:000000000000:userpool/eu-test-1_Ab", ClientID: "client", Domain: domain, Session: session,
		}}
	}
	ofPool := func(at string) *snapshot.OIDC {
		return &snapshot.OIDC{
			Issuer: "https://cognito-idp.eu-test-1.amazonaws.com/eu-test-1_Ab", ClientID: "client",
			AuthorizationEndpoint: at + "/oauth2/authorize", TokenEndpoint: at + "/oauth2/token", UserInfoEndpoint: at + "/oauth2/userInfo",
		}
	}
	for _, tt := range []struct {
		name   string
		action elb.Action
		want   *snapshot.OIDC
	}{
		{"a provider", elb.Action{Type: "authenticate-oidc", Order: 1, OIDC: &elb.AuthenticateOIDC{
			Issuer: "https://idp.test", AuthorizationEndpoint: "https://idp.test/a", TokenEndpoint: "https://idp.test/t", UserInfoEndpoint: "https://idp.test/u",
			ClientID: "client", Secret: "secret", Session: session,
		}}, &snapshot.OIDC{
			Issuer: "https://idp.test", AuthorizationEndpoint: "https://idp.test/a", TokenEndpoint: "https://idp.test/t", UserInfoEndpoint: "https://idp.test/u",
			ClientID: "client", Secret: []byte(sealMark + "secret"),
		}},
		{"a user pool", pool("shop"), ofPool("https://shop.auth.eu-test-1.amazoncognito.com")},
		{"a user pool with a domain of its own", pool("login.shop.test"), ofPool("https://login.shop.test")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, memstore.New(), 2)
				defer w.stop()
				w.certify("arn:a", "shop.example", "1")
				b := w.create(shop("subnet-a", "subnet-b"))
				forward := forward(group(t, w.svc, "web").ARN)
				forward[0].Order = 2
				in := listener(b.ARN, 443, append([]elb.Action{tt.action}, forward...))
				in.Protocol, in.TLS = "HTTPS", elb.TLSSettings{Policy: elb.DefaultSSLPolicy, Certificates: []string{"arn:a"}}
				open(t, w.svc, in)
				synctest.Wait()
				told := w.newest().LoadBalancers[0]
				got := told.Listeners[0].Rules[0].Actions[0]
				want := *tt.want
				if want.Secret != nil {
					want.Secret = append([]byte(b.ARN), want.Secret...)
				}
				want.Cookie, want.Scope, want.Timeout, want.Extra, want.Unauthenticated = "AWSELBAuthSessionCookie", "openid", time.Hour, session.Extra, snapshot.Authenticate
				if diff := cmp.Diff(snapshot.Action{Type: snapshot.ActionAuthenticateOIDC, OIDC: &want}, got); diff != "" {
					t.Error(diff)
				}
				if len(told.CookieKey) == 0 {
					t.Error("the host has no key to seal sessions with")
				}
			})
		})
	}
}
