package clientcert_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/clientcert"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// trusting is a trust store with the authorities, compiled.
func trusting(t testing.TB, lists []*snapshot.Revocations, authorities ...*issuer.Issuer) *clientcert.Trust {
	t.Helper()
	s := &snapshot.TrustStore{ARN: "arn:store", Revocations: lists}
	for _, a := range authorities {
		s.Authorities = append(s.Authorities, a.Certificate.Raw)
	}
	trust, err := clientcert.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

func revoked(by *issuer.Issuer, serials ...*big.Int) *snapshot.Revocations {
	var numbers [][]byte
	for _, n := range serials {
		numbers = append(numbers, n.Bytes())
	}
	return &snapshot.Revocations{Issuer: by.Certificate.RawSubject, Serials: snapshot.NewSerialSet(numbers)}
}

func rsaKey(t testing.TB, bits int) crypto.Signer {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func curveKey(t testing.TB, c elliptic.Curve) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestClientsAreVerified(t *testing.T) {
	root, other := issuer.New(t, "Root"), issuer.New(t, "Other")
	middle := root.Intermediate("Middle")
	lower := middle.Intermediate("Lower")
	lowest := lower.Intermediate("Lowest")
	expired := root.IntermediateAs("Expired", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	early := root.IntermediateAs("Early", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) })
	narrow := root.IntermediateAs("Narrow", func(c *x509.Certificate) { c.MaxPathLenZero = true })
	below := narrow.Intermediate("Below")
	servers := root.IntermediateAs("Servers", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	local := root.IntermediateAs("Local", func(c *x509.Certificate) {
		c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = []string{"local.example"}, true
	})
	notCA := root.IntermediateAs("Leaf", func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature })
	impostor := issuer.New(t, "Root") // the name alone

	good := root.IssueClient("till-7")
	of := func(k crypto.Signer) issuer.Pair {
		return root.IssueFor(k, func(c *x509.Certificate) { c.ExtKeyUsage = nil })
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	old := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }
	for _, tt := range []struct {
		name   string
		leaf   issuer.Pair
		also   []*issuer.Issuer
		lists  []*snapshot.Revocations
		ignore bool
		want   clientcert.Code
	}{
		{name: "of the trust store's authority", leaf: good},
		{name: "of an intermediate that the client sends", leaf: middle.IssueClient("a"), also: []*issuer.Issuer{middle}},
		{name: "in any order, the root too", leaf: lower.IssueClient("a"), also: []*issuer.Issuer{root, lower, middle}},
		{name: "an intermediate is missing", leaf: middle.IssueClient("a"), want: clientcert.Untrusted},
		{name: "of somebody else", leaf: other.IssueClient("a"), also: []*issuer.Issuer{other}, want: clientcert.Untrusted},
		{name: "of somebody with the authority's name", leaf: impostor.IssueClient("a"), want: clientcert.Untrusted},
		{name: "signed by no authority", leaf: notCA.IssueClient("a"), also: []*issuer.Issuer{notCA}, want: clientcert.Untrusted},

		{name: "four certificates", leaf: lower.IssueClient("a"), also: []*issuer.Issuer{lower, middle}},
		{name: "five, of which the trust store has the last", leaf: lowest.IssueClient("a"), also: []*issuer.Issuer{lowest, lower, middle}, want: clientcert.MaxChainDepth},
		{name: "five, all sent", leaf: lowest.IssueClient("a"), also: []*issuer.Issuer{lowest, lower, middle, root}, want: clientcert.MaxChainDepth},
		{name: "more than 16 KiB", leaf: root.IssueClient("a", func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3, 4}, Value: make([]byte, 16<<10)}}
		}), want: clientcert.MaxSize},

		{name: "expired", leaf: root.IssueClient("a", old), want: clientcert.Expired},
		{name: "expired, which is ignored", leaf: root.IssueClient("a", old), ignore: true},
		{name: "expired and of somebody else, which isn't", leaf: other.IssueClient("a", old), ignore: true, want: clientcert.Untrusted},
		{name: "not valid yet", leaf: root.IssueClient("a", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }), ignore: true, want: clientcert.NotYetValid},
		{name: "of an intermediate that has expired", leaf: expired.IssueClient("a"), also: []*issuer.Issuer{expired}, ignore: true, want: clientcert.Expired},
		{name: "of an intermediate that isn't valid yet", leaf: early.IssueClient("a"), also: []*issuer.Issuer{early}, want: clientcert.NotYetValid},

		{name: "version 1", leaf: root.WithVersion1(good), want: clientcert.TypeUnsupported},
		{name: "RSA of 1024 bits", leaf: of(rsaKey(t, 1024)), want: clientcert.TypeUnsupported},
		{name: "RSA of 2048 bits", leaf: of(rsaKey(t, 2048))},
		{name: "P-224", leaf: of(curveKey(t, elliptic.P224())), want: clientcert.TypeUnsupported},
		{name: "P-384", leaf: of(curveKey(t, elliptic.P384()))},
		{name: "P-521", leaf: of(curveKey(t, elliptic.P521()))},
		{name: "Ed25519", leaf: of(edwards), want: clientcert.TypeUnsupported},
		{name: "signed with SHA-1", leaf: root.IssueClient("a", func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }), want: clientcert.TypeUnsupported},
		{name: "signed with SHA-512", leaf: root.IssueClient("a", func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA512 })},

		{name: "for servers", leaf: root.Issue("a.example"), want: clientcert.PurposeInvalid},
		{name: "for anything", leaf: root.IssueClient("a", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} })},
		{name: "without a purpose", leaf: root.IssueClient("a", func(c *x509.Certificate) { c.ExtKeyUsage, c.KeyUsage = nil, 0 })},
		{name: "a key that isn't for signatures", leaf: root.IssueClient("a", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }), want: clientcert.PurposeInvalid},
		{name: "of an authority for servers", leaf: servers.IssueClient("a"), also: []*issuer.Issuer{servers}, want: clientcert.PurposeInvalid},

		{name: "a longer path than an authority allows", leaf: below.IssueClient("a"), also: []*issuer.Issuer{below, narrow}, want: clientcert.Invalid},
		{name: "a name that an authority may not certify", leaf: local.IssueClient("a", func(c *x509.Certificate) { c.DNSNames = []string{"a.other.example"} }),
			also: []*issuer.Issuer{local}, want: clientcert.Invalid},
		{name: "a critical extension that nobody knows", leaf: root.IssueClient("a", func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
		}), want: clientcert.Invalid},

		{name: "revoked", leaf: good, lists: []*snapshot.Revocations{revoked(root, good.Leaf.SerialNumber)}, want: clientcert.Revoked},
		{name: "revoked by the second list", leaf: good, lists: []*snapshot.Revocations{revoked(root), revoked(root, good.Leaf.SerialNumber)}, want: clientcert.Revoked},
		{name: "another one is revoked", leaf: good, lists: []*snapshot.Revocations{revoked(root, big.NewInt(99))}},
		{name: "somebody else has revoked the number", leaf: good, lists: []*snapshot.Revocations{revoked(other, good.Leaf.SerialNumber)}},
		{name: "an intermediate is revoked", leaf: middle.IssueClient("a"), also: []*issuer.Issuer{middle},
			lists: []*snapshot.Revocations{revoked(root, middle.Certificate.SerialNumber)}, want: clientcert.Revoked},
		{name: "the issuer's list can't be relied on", leaf: good, lists: []*snapshot.Revocations{{Issuer: root.Certificate.RawSubject, Error: "x"}}, want: clientcert.RevocationsUnusable},
		{name: "another issuer's can't", leaf: good, lists: []*snapshot.Revocations{{Issuer: other.Certificate.RawSubject, Error: "x"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sent := []*x509.Certificate{tt.leaf.Leaf}
			for _, a := range tt.also {
				sent = append(sent, a.Certificate)
			}
			if got := trusting(t, tt.lists, root).Verify(sent, time.Now(), tt.ignore); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// The trust store's own certificates are no longer valid at some time too, and one
// that isn't a root is revoked like any other.
func TestAuthoritiesOfATrustStoreAreChecked(t *testing.T) {
	root := issuer.New(t, "Root")
	middle := root.Intermediate("Middle")
	client := middle.IssueClient("a", func(c *x509.Certificate) { c.NotAfter = time.Now().AddDate(9, 0, 0) })
	sent := []*x509.Certificate{client.Leaf}
	if got := trusting(t, nil, middle).Verify(sent, time.Now(), false); got != clientcert.Accepted {
		t.Errorf("an intermediate in the trust store: got %q", got)
	}
	if got := trusting(t, nil, middle).Verify(sent, time.Now().AddDate(2, 0, 0), false); got != clientcert.Expired {
		t.Errorf("an authority that has expired: got %q", got)
	}
	lists := []*snapshot.Revocations{revoked(root, middle.Certificate.SerialNumber)}
	if got := trusting(t, lists, root, middle).Verify(sent, time.Now(), false); got != clientcert.Revoked {
		t.Errorf("an authority that is revoked: got %q", got)
	}
}

func TestATrustStoreThatIsNotWholeVerifiesNobody(t *testing.T) {
	root := issuer.New(t, "Root")
	for name, s := range map[string]*snapshot.TrustStore{
		"it says so":         {Authorities: [][]byte{root.Certificate.Raw}, Error: "a content is missing"},
		"no certificates":    {},
		"not a certificate ": {Authorities: [][]byte{{1, 2, 3}}},
	} {
		if _, err := clientcert.New(s); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Whatever a client sends, it is refused or has a path to the authority: the signature
// over what was altered is wrong.
func FuzzVerify(f *testing.F) {
	root := issuer.New(f, "Root")
	middle := root.Intermediate("Middle")
	leaf := middle.IssueClient("till-7", func(c *x509.Certificate) { c.DNSNames = []string{"till.example"} })
	trust := trusting(f, []*snapshot.Revocations{revoked(root, big.NewInt(99)), {Issuer: []byte{}, Error: "x"}}, root)
	f.Add(0, byte(1), true, 0)
	f.Add(40, byte(0x80), false, 3)
	f.Fuzz(func(t *testing.T, at int, change byte, first bool, cut int) {
		raw := [][]byte{append([]byte(nil), leaf.Leaf.Raw...), append([]byte(nil), middle.Certificate.Raw...)}
		i := 0
		if !first {
			i = 1
		}
		b := raw[i]
		at = int(uint(at) % uint(len(b)))
		b[at] ^= change
		raw[i] = b[:len(b)-int(uint(cut)%uint(len(b)))]
		var sent []*x509.Certificate
		for _, der := range raw {
			c, err := x509.ParseCertificate(der)
			if err != nil {
				return
			}
			sent = append(sent, c)
		}
		id := clientcert.Identify(sent[0])
		for _, s := range []string{id.Serial, id.Issuer, id.Subject, id.Validity, clientcert.PEM(sent...)} {
			for _, c := range []byte(s) {
				if c < ' ' || c > '~' {
					t.Fatalf("%q has byte %x", s, c)
				}
			}
		}
		code := trust.Verify(sent, time.Now(), true)
		if same := sent[0].Equal(leaf.Leaf) && sent[1].Equal(middle.Certificate); (code == clientcert.Accepted) != same {
			t.Fatalf("byte %d ^ %x of %d: got %q", at, change, i, code)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	root := issuer.New(b, "Root")
	middle := root.Intermediate("Middle")
	leaf := middle.IssueClient("till-7")
	trust := trusting(b, []*snapshot.Revocations{revoked(root, big.NewInt(99)), revoked(middle, big.NewInt(98))}, root)
	sent := []*x509.Certificate{leaf.Leaf, middle.Certificate}
	b.ReportAllocs()
	for b.Loop() {
		if code := trust.Verify(sent, time.Now(), false); code != clientcert.Accepted {
			b.Fatal(code)
		}
	}
}
