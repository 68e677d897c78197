package elb_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// I8: a load balancer's name is its account's, and nobody's once it is deleted.
func TestWhoseNameItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 2)
		defer w.stop()
		b := w.create(shop("subnet-a", "subnet-b"))
		check := func(when, account, name string, want bool) {
			t.Helper()
			if got := w.svc.OwnsName(w.st.Snapshot(), account, name); got != want {
				t.Errorf("%s: %s of %s: got %v, want %v", when, name, account, got, want)
			}
		}
		check("its own", account, b.DNSName, true)
		check("in another case", account, strings.ToUpper(b.DNSName), true)
		check("for both families", account, "dualstack."+b.DNSName, true)
		check("a stranger's", "444455556666", b.DNSName, false)
		check("below it", account, "www."+b.DNSName, false)
		check("above it", account, strings.SplitN(b.DNSName, ".", 2)[1], false)
		check("nothing", account, "", false)
		if err := w.svc.DeleteLoadBalancer(t.Context(), account, region, b.ARN); err != nil {
			t.Fatal(err)
		}
		check("deleted", account, b.DNSName, false)
	})
}

// A certificate that isn't issued yet has nothing to serve with.
func TestAPendingCertificateIsNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 2)
		defer w.stop()
		w.certify("arn:a", "shop.example", "")
		b := w.create(shop("subnet-a", "subnet-b"))
		in := listener(b.ARN, 443, forward(group(t, w.svc, "web").ARN))
		in.Protocol, in.TLS = "HTTPS", elb.TLSSettings{Certificates: []string{"arn:a"}}
		_, _, err := w.svc.CreateListener(t.Context(), in)
		if got := kind(t, err); got != elb.UnsupportedCertificate {
			t.Errorf("got %v, want UnsupportedCertificate", err)
		}
	})
}
