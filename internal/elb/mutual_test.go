package elb_test

import (
	"testing"
	"testing/synctest"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// Nobody is let in who wasn't asked for a certificate: until hosts verify clients,
// each rule of such a listener begins with an action that they don't perform.
func TestAListenerThatVerifiesClientsForwardsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		w.certify("arn:a", "shop.example", "1")
		b, web := w.create(shop("subnet-a", "subnet-b")), group(t, w.svc, "web")
		c := listener(b.ARN, 443, forward(web.ARN))
		c.Protocol, c.TLS = "HTTPS", elb.TLSSettings{Certificates: []string{"arn:a"}, Mutual: elb.Mutual{Mode: elb.MutualPassthrough}}
		open(t, w.svc, c)
		synctest.Wait()
		for _, r := range w.newest().LoadBalancers[0].Listeners[0].Rules {
			if len(r.Actions) != 2 || r.Actions[1].Type != snapshot.ActionForward || r.Actions[0].Type == snapshot.ActionForward {
				t.Errorf("rule %s: actions %+v", r.ARN, r.Actions)
			}
		}
	})
}
