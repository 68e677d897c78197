package elb_test

import (
	"bytes"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// sealMark stands in the tests between whom a secret is for and the secret.
const sealMark = " sealed "

func seal(secret []byte, subject string) []byte {
	return append([]byte(subject+sealMark), secret...)
}

// sticky forwards to target groups that clients stay with.
func sticky(arns ...string) []elb.Action {
	a := forward(arns...)
	a[0].Forward.StickinessEnabled, a[0].Forward.StickinessDuration = true, time.Hour
	return a
}

// A host has the key for cookies once a rule needs it, sealed for that alone, and
// keeps it for all time: with another one, clients would change target groups.
func TestALoadBalancerHasOneCookieKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 2)
		defer w.stop()
		b := w.create(shop("subnet-a", "subnet-b"))
		web, api := group(t, w.svc, "web"), group(t, w.svc, "apis")
		told := func() *snapshot.LoadBalancer {
			synctest.Wait()
			return w.newest().LoadBalancers[0]
		}
		open(t, w.svc, listener(b.ARN, 80, forward(web.ARN, api.ARN)))
		l := open(t, w.svc, listener(b.ARN, 81, sticky(web.ARN)))
		if got := told().CookieKey; got != nil {
			t.Errorf("without a choice to stay with: the host is told the key %q", got)
		}
		rule, err := w.svc.CreateRule(t.Context(), elb.CreateRule{Account: account, Region: region, ListenerARN: l.ARN, Priority: 1, RuleHex: "0000000000000001",
			Conditions: []elb.Condition{{Field: elb.FieldPath, Values: []string{"/"}}}, Actions: sticky(web.ARN, api.ARN)})
		if err != nil {
			t.Fatal(err)
		}
		got := told()
		key, ok := bytes.CutPrefix(got.CookieKey, []byte(b.ARN+"#cookies"+sealMark))
		if !ok || len(key) != 32 || bytes.Equal(key, make([]byte, 32)) {
			t.Errorf("got the key %q, want 32 random bytes, sealed for the cookies of %s", got.CookieKey, b.ARN)
		}
		if f := got.Listeners[1].Rules[0].Actions[0].Forward; f.Stickiness != time.Hour || len(f.TargetGroups) != 2 {
			t.Errorf("got the forward %+v, want it to stay for an hour", f)
		}
		w.certify("arn:a", "shop.example", "1")
		secure := listener(b.ARN, 443, append([]elb.Action{{Type: "authenticate-oidc", Order: 1, OIDC: &elb.AuthenticateOIDC{
			Issuer: "https://id.example", AuthorizationEndpoint: "https://id.example/a", TokenEndpoint: "https://id.example/t", UserInfoEndpoint: "https://id.example/u",
			ClientID: "shop", Secret: "battery", Session: elb.DefaultSession,
		}}}, forward(web.ARN)...))
		secure.Actions[1].Order = 2
		secure.Protocol, secure.TLS = "HTTPS", elb.TLSSettings{Certificates: []string{"arn:a"}}
		https := open(t, w.svc, secure)
		synctest.Wait()
		def, _ := w.svc.DefaultRule(w.st.Snapshot(), https.ARN)
		want := map[string][]byte{b.ARN: got.CookieKey, def.ARN: []byte(b.ARN + sealMark + "battery")}
		if diff := cmp.Diff(want, maps.Collect(w.svc.Sealed(w.st.Snapshot()))); diff != "" {
			t.Errorf("what is kept sealed (-want +got):\n%s", diff)
		}
		for name, change := range map[string]func() error{
			"another sticky rule": func() error {
				_, _, err := w.svc.ModifyListener(t.Context(), elb.ModifyListener{Account: account, Region: region, ARN: l.ARN, Actions: sticky(web.ARN, api.ARN)})
				return err
			},
			"none any more": func() error {
				_, err := w.svc.ModifyRule(t.Context(), elb.ModifyRule{Account: account, Region: region, ARN: rule.ARN, Actions: forward(web.ARN)})
				return err
			},
		} {
			if err := change(); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(told().CookieKey, got.CookieKey) {
				t.Errorf("%s: the key is another one", name)
			}
		}
	})
}

// What two servers decide at the same time holds together.
func TestStickinessHoldsForCallsThatCross(t *testing.T) {
	s := twoServers(t, elb.DefaultQuotas)
	b := balancer(t, s.svc[0], shop("subnet-a", "subnet-b"))
	web, api := group(t, s.svc[0], "web"), group(t, s.svc[0], "apis")
	ended := s.cross(func(i int, svc *elb.Service) error {
		if i == 0 {
			_, err := svc.ModifyTargetGroupAttributes(t.Context(), account, region, web.ARN, map[string]string{"stickiness.enabled": "true"})
			return err
		}
		_, _, err := svc.CreateListener(t.Context(), listener(b.ARN, 80, forward(web.ARN, api.ARN)))
		return err
	})
	if ended[""] != 1 || ended[elb.InvalidConfiguration] != 1 {
		t.Errorf("sticky targets and a rule without sticky groups: %v, want one of them refused", ended)
	}
	ended = s.cross(func(i int, svc *elb.Service) error {
		_, _, err := svc.CreateListener(t.Context(), listener(b.ARN, 81+i, sticky(web.ARN, api.ARN)))
		return err
	})
	if ended[""] != 1 || len(ended) != 1 {
		t.Fatalf("two sticky listeners: %v, want both made", ended)
	}
	stored := map[string]bool{}
	for i, svc := range s.svc {
		b, err := svc.LoadBalancer(store.Reader(s.st[i].Snapshot()), account, region, b.ARN)
		if err != nil || !strings.Contains(string(b.CookieKey), sealMark) {
			t.Errorf("server %d: got the key %q, %v", i, b.CookieKey, err)
		}
		stored[string(b.CookieKey)] = true
	}
	if len(stored) != 1 {
		t.Errorf("got %d keys, want one", len(stored))
	}
}
