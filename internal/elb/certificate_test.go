package elb_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// certificates are records of the test's own.
type certificates struct {
	records *store.Collection[elb.Certificate]
	used    *store.Collection[int]
}

func newCertificates(st *store.Store) certificates {
	return certificates{store.NewCollection[elb.Certificate](st, "test.certificate", 1), store.NewCollection[int](st, "test.use", 1)}
}

func (c certificates) Certificate(r store.Reader, arn string) (elb.Certificate, bool) {
	return c.records.Get(r, arn)
}

func (c certificates) Use(tx *store.Tx, arns []string) {
	for _, arn := range arns {
		n, _ := c.used.Get(tx, arn)
		c.used.Put(tx, arn, n+1)
	}
}

func (c certificates) Collection() string { return c.records.Name() }

// certify puts a certificate for a host in the place of what was there.
func (w *world) certify(arn, host, text string) {
	w.t.Helper()
	err := w.st.Update(w.t.Context(), func(tx *store.Tx) error {
		w.certificates.records.Put(tx, arn, elb.Certificate{
			Account: account, Region: region, KeyAlgorithm: "RSA_2048", SignatureAlgorithm: "SHA256WITHRSA", Hosts: []string{host}, PEM: text, Key: []byte("sealed " + text),
		})
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// told are the certificates that the host was told last, as "ARN PEM".
func (w *world) told() []string {
	synctest.Wait()
	var got []string
	for _, c := range w.newest().Certificates {
		got = append(got, c.ARN+" "+c.PEM)
	}
	return got
}

// A host is told of the certificates that its listeners name, of a new content at
// once, and of no others.
func TestAHostIsToldOfItsCertificates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 2)
		defer w.stop()
		for _, arn := range []string{"arn:a", "arn:b", "arn:c"} {
			w.certify(arn, "shop.example", "1")
		}
		b := w.create(shop("subnet-a", "subnet-b"))
		in := listener(b.ARN, 443, forward(group(t, w.svc, "web").ARN))
		in.Protocol, in.TLS = "HTTPS", elb.TLSSettings{Policy: "ELBSecurityPolicy-TLS13-1-3-PQ-2025-09", Certificates: []string{"arn:b"}}
		l := open(t, w.svc, in)
		check := func(when string, want ...string) {
			t.Helper()
			if got := w.told(); !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", when, got, want)
			}
		}
		check("one listener", "arn:b 1")
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(w.svc.AddCertificate(t.Context(), account, region, l.ARN, "arn:a"))
		check("one more", "arn:a 1", "arn:b 1")
		got := w.newest().LoadBalancers[0].Listeners[0]
		if got.Protocol != snapshot.HTTPS || !slices.Equal(got.TLS.Certificates, []string{"arn:b", "arn:a"}) || !got.TLS.PostQuantum ||
			!slices.Equal(got.TLS.Protocols, []string{"TLSv1.3"}) || len(got.TLS.Ciphers) != 3 {
			t.Errorf("the listener: got %+v, %+v", got, got.TLS)
		}
		if c := w.newest().Certificates[0]; string(c.Key) != "sealed 1" || !slices.Equal(c.Hosts, []string{"shop.example"}) {
			t.Errorf("the certificate: got %+v", c)
		}

		w.certify("arn:a", "shop.example", "2")
		check("a new content", "arn:a 2", "arn:b 1")
		before := w.newest()
		w.certify("arn:c", "shop.example", "2")
		synctest.Wait()
		if w.newest() != before {
			t.Error("a certificate that no listener names made an assignment")
		}

		in = listener(b.ARN, 8443, forward(group(t, w.svc, "api").ARN))
		in.Protocol, in.TLS = "HTTPS", elb.TLSSettings{Certificates: []string{"arn:a"}}
		second := open(t, w.svc, in)
		must(w.svc.RemoveCertificate(t.Context(), account, region, l.ARN, "arn:a"))
		check("another listener has it", "arn:a 2", "arn:b 1")
		must(w.svc.DeleteListener(t.Context(), account, region, second.ARN))
		check("that is gone", "arn:b 1")
		_, _, err := w.svc.ModifyListener(t.Context(), elb.ModifyListener{Account: account, Region: region, ARN: l.ARN, Protocol: "HTTP"})
		must(err)
		check("HTTP")
	})
}

// A deleted load balancer serves until it has drained, and its certificates stay
// for as long.
func TestADrainingLoadBalancerUsesItsCertificates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 2)
		defer w.stop()
		w.certify("arn:a", "shop.example", "1")
		b := w.create(shop("subnet-a", "subnet-b"))
		in := listener(b.ARN, 443, forward(group(t, w.svc, "web").ARN))
		in.Protocol, in.TLS = "HTTPS", elb.TLSSettings{Certificates: []string{"arn:a"}}
		open(t, w.svc, in)
		synctest.Wait()
		if err := w.svc.DeleteLoadBalancer(t.Context(), account, region, b.ARN); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := w.svc.CertificateUsers(w.st.Snapshot(), "arn:a"); !slices.Equal(got, []string{b.ARN}) || len(w.told()) != 1 {
			t.Errorf("while it drains: got users %q, certificates %q", got, w.told())
		}
		after(time.Hour)
		if got := w.svc.CertificateUsers(w.st.Snapshot(), "arn:a"); len(got) != 0 || len(w.told()) != 0 {
			t.Errorf("when it is gone: got users %q, certificates %q", got, w.told())
		}
	})
}
