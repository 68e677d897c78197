package targettls_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/targettls"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// shake has a client meet a target that shows the chain.
func shake(t *testing.T, client *tls.Config, leaf issuer.Pair, chain ...[]byte) error {
	t.Helper()
	cert, err := tls.X509KeyPair(slices.Concat(append([][]byte{leaf.Certificate}, chain...)...), leaf.Key)
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = tls.Server(far, &tls.Config{Certificates: []tls.Certificate{cert}, SessionTicketsDisabled: true}).Handshake() // the client tells
		_ = far.Close()
	}()
	err = tls.Client(near, client).Handshake()
	_ = near.Close()
	<-done
	return err
}

// What vouches for a target may lie between its certificate and the root, where the
// target sends it along; and a probe that asks for no name looks at the rest all the
// same.
func TestTargetsAreVerifiedByTheirChains(t *testing.T) {
	root := issuer.New(t, "Root")
	between := root.Intermediate("Between")
	leaf := between.Issue("shop.internal")
	expired := between.IssueFor(issuer.Key(t), func(c *x509.Certificate) {
		c.DNSNames, c.NotBefore, c.NotAfter = []string{"shop.internal"}, time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	})
	verified, named := snapshot.TargetTLS{Verify: true}, snapshot.TargetTLS{Verify: true, ServerName: "shop.internal"}
	for _, c := range []struct {
		name  string
		tls   snapshot.TargetTLS
		leaf  issuer.Pair
		chain [][]byte
		roots *x509.CertPool
		want  bool
	}{
		{"the whole chain", named, leaf, [][]byte{between.PEM}, root.Pool(), true},
		{"a part of it", named, leaf, nil, root.Pool(), false},
		{"of another root", named, leaf, [][]byte{between.PEM}, issuer.New(t, "Other").Pool(), false},
		{"of the past", named, expired, [][]byte{between.PEM}, root.Pool(), false},
		{"without a name", verified, leaf, [][]byte{between.PEM}, root.Pool(), true},
		{"without a name, a part of it", verified, leaf, nil, root.Pool(), false},
		{"without a name, of another root", verified, leaf, [][]byte{between.PEM}, issuer.New(t, "Other").Pool(), false},
		{"without a name, of the past", verified, expired, [][]byte{between.PEM}, root.Pool(), false},
		{"not verified", snapshot.TargetTLS{}, expired, nil, root.Pool(), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			configs := map[string]*tls.Config{"probe": targettls.ProbeConfig(c.tls, c.roots)}
			if c.tls != verified { // of which requests set the name
				configs["request"] = targettls.Config(c.tls, c.roots)
			}
			for kind, cfg := range configs {
				err := shake(t, cfg, c.leaf, c.chain...)
				if (err == nil) != c.want {
					t.Errorf("%s: got %v, want a handshake: %v", kind, err, c.want)
				}
				if _, told := errors.AsType[*tls.CertificateVerificationError](err); err != nil && !told {
					t.Errorf("%s: got %T, want to be told that the certificate is why", kind, err)
				}
			}
		})
	}
}

// Nobody is reached who isn't named, where a name counts.
func TestRequestsToVerifiedTargetsNeedAName(t *testing.T) {
	root := issuer.New(t, "Root")
	if err := shake(t, targettls.Config(snapshot.TargetTLS{Verify: true}, root.Pool()), root.Issue("shop.internal")); err == nil {
		t.Error("a request for no host came through")
	}
}
