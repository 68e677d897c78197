package elb_test

import (
	"bytes"
	"testing"
	"testing/synctest"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// Every load balancer with a listener of HTTPS has a key that its nodes derive those
// of tickets from: always the same one. Where clients authenticate themselves, they
// do so with each connection.
func TestHostsOfHTTPSListenersHaveAKeyForTickets(t *testing.T) {
	for name, modify := range map[string]bool{"made with HTTPS": false, "changed to HTTPS": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, memstore.New(), 2)
				defer w.stop()
				w.certify("arn:a", "shop.example", "1")
				b, web := w.create(shop("subnet-a", "subnet-b")), group(t, w.svc, "web")
				told := func() *snapshot.LoadBalancer {
					synctest.Wait()
					return w.newest().LoadBalancers[0]
				}
				in := listener(b.ARN, 443, forward(web.ARN))
				secure := elb.TLSSettings{Policy: elb.DefaultSSLPolicy, Certificates: []string{"arn:a"}}
				if !modify {
					in.Protocol, in.TLS = "HTTPS", secure
				}
				l := open(t, w.svc, in)
				change := func(m elb.ModifyListener) {
					t.Helper()
					m.Account, m.Region, m.ARN = account, region, l.ARN
					if _, _, err := w.svc.ModifyListener(t.Context(), m); err != nil {
						t.Fatal(err)
					}
				}
				if modify {
					if got := told().CookieKey; got != nil {
						t.Errorf("with HTTP alone: the host is told the key %q", got)
					}
					change(elb.ModifyListener{Protocol: "HTTPS", TLS: secure})
				}
				first := told()
				if key, ok := bytes.CutPrefix(first.CookieKey, []byte(b.ARN+"#cookies"+sealMark)); !ok || len(key) != 32 || first.Listeners[0].TLS.NoResumption {
					t.Errorf("got the key %q, and %+v", first.CookieKey, first.Listeners[0].TLS)
				}
				change(elb.ModifyListener{TLS: elb.TLSSettings{Mutual: elb.Mutual{Mode: elb.MutualPassthrough}}})
				if got := told(); !bytes.Equal(got.CookieKey, first.CookieKey) || !got.Listeners[0].TLS.NoResumption {
					t.Errorf("with clients that authenticate themselves: got the key %q, and %+v", got.CookieKey, got.Listeners[0].TLS)
				}
			})
		})
	}
}
