package elb_test

import (
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// ELBv2 CreateListener, an action jwt-validation.
func TestAHostIsToldHowTokensAreValidated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 2)
		defer w.stop()
		w.certify("arn:a", "shop.example", "1")
		b := w.create(shop("subnet-a", "subnet-b"))
		routes := forward(group(t, w.svc, "web").ARN)
		routes[0].Order = 2
		in := listener(b.ARN, 443, append([]elb.Action{{Type: "jwt-validation", Order: 1, JWT: &elb.JWTValidation{
			JWKSEndpoint: "https://id.example/keys", Issuer: "https://id.example/",
			Claims: []elb.JWTClaim{{Name: "scope", Format: "space-separated-values", Values: []string{"a", "b"}}},
		}}}, routes...))
		in.Protocol, in.TLS = "HTTPS", elb.TLSSettings{Policy: "ELBSecurityPolicy-TLS13-1-3-PQ-2025-09", Certificates: []string{"arn:a"}}
		open(t, w.svc, in)
		synctest.Wait()
		got := w.newest().LoadBalancers[0].Listeners[0].Rules[0].Actions
		want := snapshot.Action{Type: snapshot.ActionValidateJWT, JWT: &snapshot.JWTValidation{
			JWKSEndpoint: "https://id.example/keys", Issuer: "https://id.example/",
			Claims: []snapshot.JWTClaim{{Name: "scope", Format: "space-separated-values", Values: []string{"a", "b"}}},
		}}
		if len(got) != 2 || got[1].Type != snapshot.ActionForward {
			t.Fatalf("got %+v, want two actions", got)
		}
		if diff := cmp.Diff(want, got[0]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
