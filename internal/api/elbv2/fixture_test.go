package elbv2_test

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"regexp"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
	"github.com/fairlead/fairlead/internal/testkit/wirefixture"
	"github.com/fairlead/fairlead/internal/truststore"
)

const fixtures = "testdata/wire"

// made is what differs each time: the ends of ARNs and of DNS names, times.
var made = []wirefixture.New{
	{Pattern: regexp.MustCompile(`/[0-9a-f]{16}\b`), As: "/NEW"},
	{Pattern: regexp.MustCompile(`-[0-9]{1,10}(\.us-east-1\.elb\.example)`), As: "-NEW$1"},
	{Pattern: regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]+)?Z`), As: "TIME"},
	{Pattern: regexp.MustCompile(`/[0-9a-z]{32}/`), As: "/NEW/"},
}

// names are those of what is there, and of what isn't, in every fixture's world.
var names = map[string]string{
	"anyBalancer": anyBalancer, "anyListener": anyListener, "anyRule": anyRule, "anyGroup": anyGroup, "anyTrustStore": anyTrustStore, "pool": pool,
	"shopCertificate": certificate + "shop", "moreCertificate": certificate + "more", "aCertificate": certificate + "a", "bCertificate": certificate + "b",
	"goneCertificate": certificate + "gone", "strangeCertificate": certificate + "strange", "farCertificate": certificate + "far",
	"namelessCertificate": certificate + "nameless", "shortCertificate": certificate + "short", "weakCertificate": certificate + "weak",
}

func TestRequestsAreAnsweredAsWritten(t *testing.T) {
	wirefixture.Run(t, fixtures, func(t *testing.T, noun string) wirefixture.World {
		quotas := elb.DefaultQuotas
		if noun == "quota" {
			quotas = small()
		}
		w := newWorld(t, quotas)
		fill(t, w.objects)
		return wirefixture.World{
			Send: func(t *testing.T, action string, params ...string) (status int, body string) {
				t.Helper()
				status, body = w.send(t, action, params...)
				w.checkEcho(t, action, params, status, body)
				return status, body
			},
			Revision: func() int64 { return w.store.Snapshot().Revision() },
			Names:    names,
			New:      made,
		}
	})
}

// small returns quotas that a few calls fill.
func small() elb.Quotas {
	q := elb.DefaultQuotas
	q.LoadBalancers, q.TargetGroups, q.ListenersPerBalancer, q.RulesPerBalancer = 2, 3, 2, 2
	q.TargetGroupsPerBalancer, q.TargetsPerGroup, q.CertificatesPerBalancer = 2, 3, 2
	return q
}

const anyTrustStore = "arn:aws:elasticloadbalancing:us-east-1:111122223333:truststore/none/0123456789abcdef"

// fill puts bundles and a revocation list into the bucket cas.
func fill(t *testing.T, objects map[truststore.Object][]byte) {
	t.Helper()
	root := issuer.New(t, "Root")
	list, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(7), RevocationTime: time.Now()}}},
		&x509.Certificate{KeyUsage: x509.KeyUsageCRLSign, SubjectKeyId: []byte{1}}, issuer.Key(t))
	if err != nil {
		t.Fatal(err)
	}
	for key, content := range map[string][]byte{
		"root.pem":    root.PEM,
		"two.pem":     append(append([]byte{}, root.PEM...), issuer.New(t, "Other").PEM...),
		"revoked.crl": pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list}),
		"notes":       []byte("# nothing"),
	} {
		objects[truststore.Object{Bucket: "cas", Key: key}] = content
	}
}
