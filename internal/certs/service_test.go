package certs_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/certs"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	account = "111122223333"
	region  = "local-1"
)

type world struct {
	*certs.Service
	t      *testing.T
	st     *store.Store
	engine store.Engine
	sealer *certs.Sealer
	users  map[string][]string // certificate ARN → ARNs of what uses it
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, engine: memstore.New(), users: map[string][]string{}}
	w.sealer = sealer(t, filepath.Join(t.TempDir(), "certificates.key"))
	w.st = store.New(w.engine, "/test", slog.New(slog.DiscardHandler))
	w.Service = certs.New(w.st, tags.New(w.st), certs.Options{
		Sealer: w.sealer, Quota: 3, InUseBy: func(_ store.Reader, arn string) []string { return w.users[arn] },
	})
	if err := w.st.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.st.Close)
	return w
}

func imported(p issuer.Pair, chain ...*issuer.Issuer) certs.Import {
	in := certs.Import{
		Account: account, Region: region, ID: rand.Text(), Time: time.Now().UTC(),
		Material: certs.Material{Certificate: p.Certificate, PrivateKey: p.Key},
	}
	for _, i := range chain {
		in.Material.Chain = append(in.Material.Chain, i.PEM...)
	}
	return in
}

func (w *world) imports(in certs.Import) certs.Certificate {
	w.t.Helper()
	c, err := w.Import(w.t.Context(), in)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// records is all that the store holds.
func (w *world) records() map[string]string {
	w.t.Helper()
	all := map[string]string{}
	if _, err := w.engine.Load(w.t.Context(), "", func(kv store.KV) error { all[kv.Key] = string(kv.Value); return nil }); err != nil {
		w.t.Fatal(err)
	}
	return all
}

// refused checks an error's kind and text, and that nothing was written (I10).
func (w *world) refused(t *testing.T, do func() error, kind certs.Kind, text string) {
	t.Helper()
	before := w.records()
	err := do()
	e, ok := errors.AsType[*certs.Error](err)
	if !ok || e.Kind != kind || !strings.Contains(e.Message, text) {
		t.Errorf("got %v, want %s with %q", err, kind, text)
	}
	if after := w.records(); !maps.Equal(before, after) {
		t.Errorf("records were %d and are %d, want none written", len(before), len(after))
	}
}

func TestAnImportedCertificateIsToldAndItsKeyIsSealed(t *testing.T) {
	w := newWorld(t)
	root := issuer.New(t, "Root")
	mid := root.Intermediate("Intermediate")
	pair := mid.Issue("shop.example", "*.shop.example")
	c := w.imports(imported(pair, mid, root))

	if c.Domain != "shop.example" || !slices.Equal(c.Names, []string{"shop.example", "*.shop.example"}) || !slices.Equal(c.Hosts(), c.Names) {
		t.Errorf("names: got %q, %q, hosts %q", c.Domain, c.Names, c.Hosts())
	}
	if c.KeyAlgorithm != "EC_prime256v1" || c.SignatureAlgorithm != "SHA256WITHECDSA" || c.Issuer != "Intermediate" || c.Subject != "CN=shop.example" || !strings.HasPrefix(c.Serial, "01:00:") {
		t.Errorf("facts: got %+v", c.Facts)
	}
	if !slices.Equal(c.KeyUsages, []string{"DIGITAL_SIGNATURE"}) || len(c.ExtendedKeyUsages) != 1 || c.ExtendedKeyUsages[0].OID != "1.3.6.1.5.5.7.3.1" {
		t.Errorf("usages: got %v, %v", c.KeyUsages, c.ExtendedKeyUsages)
	}
	if !strings.HasPrefix(c.ARN, "arn:aws:acm:local-1:111122223333:certificate/") || c.Body != string(pair.Certificate) || c.Chain != string(mid.PEM)+string(root.PEM) {
		t.Errorf("got %+v", c)
	}
	if got := c.Status(c.NotAfter.Add(time.Second)); c.Status(time.Now()) != certs.Issued || got != certs.Expired {
		t.Errorf("after its time: got %s", got)
	}

	der, err := w.sealer.Open(c.Key, c.ARN)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil || !pair.Leaf.PublicKey.(*ecdsa.PublicKey).Equal(key.(crypto.Signer).Public()) {
		t.Errorf("the sealed key isn't the certificate's: %v", err)
	}
	block, _ := pem.Decode(pair.Key)
	for key, value := range w.records() {
		if strings.Contains(value, "PRIVATE KEY") || strings.Contains(value, string(block.Bytes)) || strings.Contains(value, encoded(block.Bytes)[:64]) {
			t.Errorf("record %s has the private key in plain text", key)
		}
	}
}

// encoded is base64 as JSON has it.
func encoded(b []byte) string {
	text := string(pem.EncodeToMemory(&pem.Block{Type: "X", Bytes: b}))
	return strings.ReplaceAll(strings.Join(strings.Split(strings.TrimSpace(text), "\n")[1:], ""), "-----END X-----", "")
}

// Every key that ACM takes, in each form that openssl writes it.
func TestKeysThatAreTaken(t *testing.T) {
	w := newWorld(t)
	root := issuer.New(t, "Root")
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	named := func(c *x509.Certificate) { c.DNSNames = []string{"shop.example"} }
	pkcs1 := root.IssueFor(small, named)
	pkcs1.Key = pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(small)})
	sec1 := root.IssueFor(p384, named)
	der, err := x509.MarshalECPrivateKey(p384)
	if err != nil {
		t.Fatal(err)
	}
	sec1.Key = append([]byte("-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})...)
	for _, c := range []struct {
		pair issuer.Pair
		want string
	}{{pkcs1, "RSA_1024"}, {sec1, "EC_secp384r1"}, {root.IssueFor(issuer.Key(t), named), "EC_prime256v1"}} {
		got := w.imports(imported(c.pair))
		if got.KeyAlgorithm != c.want || got.Domain != "shop.example" {
			t.Errorf("got %s for %q, want %s: without a common name the first name is the domain", got.KeyAlgorithm, got.Domain, c.want)
		}
	}
}

// publicKey is half of a key, which is enough to be certified.
type publicKey struct{ key crypto.PublicKey }

func (k publicKey) Public() crypto.PublicKey { return k.key }
func (publicKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("there is no private key")
}

func TestMaterialThatIsRefused(t *testing.T) {
	w := newWorld(t)
	root, stranger := issuer.New(t, "Root"), issuer.New(t, "Stranger")
	mid := root.Intermediate("Intermediate")
	good := mid.Issue("shop.example")
	odd, err := rsa.GenerateKey(rand.Reader, 1536)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	with := func(key crypto.Signer, edit func(*x509.Certificate)) certs.Material {
		p := root.IssueFor(key, func(c *x509.Certificate) { c.DNSNames = []string{"shop.example"}; edit(c) })
		return certs.Material{Certificate: p.Certificate, PrivateKey: p.Key}
	}
	plain := func(*x509.Certificate) {}
	huge := root.IssueFor(publicKey{&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(3), 1<<20), E: 65537}}, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	})
	locked := []byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n")
	for name, c := range map[string]struct {
		m    certs.Material
		want string
	}{
		"no certificate":                   {certs.Material{PrivateKey: good.Key}, "in PEM format"},
		"a certificate that is no PEM":     {certs.Material{Certificate: []byte("shop"), PrivateKey: good.Key}, "in PEM format"},
		"a key where a certificate is due": {certs.Material{Certificate: good.Key, PrivateKey: good.Key}, "in PEM format"},
		"a certificate cut in the middle":  {certs.Material{Certificate: good.Certificate[:len(good.Certificate)-60], PrivateKey: good.Key}, "in PEM format"},
		"something behind it":              {certs.Material{Certificate: append(slices.Clone(good.Certificate), "more"...), PrivateKey: good.Key}, "in PEM format"},
		"the chain in the same field":      {certs.Material{Certificate: slices.Concat(good.Certificate, mid.PEM), PrivateKey: good.Key}, "more than one certificate"},
		"no key":                           {certs.Material{Certificate: good.Certificate}, "not supported"},
		"a key that is no PEM":             {certs.Material{Certificate: good.Certificate, PrivateKey: []byte("key")}, "not supported"},
		"two keys":                         {certs.Material{Certificate: good.Certificate, PrivateKey: slices.Concat(good.Key, good.Key)}, "not supported"},
		"a key with a passphrase":          {certs.Material{Certificate: good.Certificate, PrivateKey: locked}, "must not be encrypted"},
		"another certificate's key":        {certs.Material{Certificate: good.Certificate, PrivateKey: mid.Issue("shop.example").Key}, "does not match"},
		"RSA of an odd length":             {with(odd, plain), "key length is not supported"},
		"P-224":                            {with(p224, plain), "key length is not supported"},
		"Ed25519":                          {with(ed, plain), "not supported"},
		"expired":                          {with(issuer.Key(t), func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), "has expired"},
		"not yet valid":                    {with(issuer.Key(t), func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }), "is not valid before"},
		"an OCSP URL without end": {with(issuer.Key(t), func(c *x509.Certificate) {
			c.OCSPServer = []string{"http://" + strings.Repeat("a", 1000)}
		}), "OCSP"},
		"a stranger's chain":            {certs.Material{Certificate: good.Certificate, PrivateKey: good.Key, Chain: stranger.PEM}, "Could not validate"},
		"a chain with a gap":            {certs.Material{Certificate: good.Certificate, PrivateKey: good.Key, Chain: root.PEM}, "Could not validate"},
		"a chain in the wrong order":    {certs.Material{Certificate: good.Certificate, PrivateKey: good.Key, Chain: slices.Concat(root.PEM, mid.PEM)}, "Could not validate"},
		"a chain with itself":           {certs.Material{Certificate: good.Certificate, PrivateKey: good.Key, Chain: slices.Concat(good.Certificate, mid.PEM)}, "must not contain the certificate itself"},
		"a chain without end to verify": {certs.Material{Certificate: good.Certificate, PrivateKey: good.Key, Chain: huge.Certificate}, "at most 8192 are supported"},
		"a chain that is no PEM":        {certs.Material{Certificate: good.Certificate, PrivateKey: good.Key, Chain: []byte("\nno")}, "in PEM format"},
		"a chain with something in PEM": {certs.Material{Certificate: good.Certificate, PrivateKey: good.Key, Chain: slices.Concat(mid.PEM, good.Key)}, "in PEM format"},
	} {
		t.Run(name, func(t *testing.T) {
			in := imported(good)
			in.Material = c.m
			w.refused(t, func() error { _, err := w.Import(t.Context(), in); return err }, certs.Invalid, c.want)
		})
	}
}

func TestAReimportReplacesTheContentAndNothingElse(t *testing.T) {
	w := newWorld(t)
	root := issuer.New(t, "Root")
	in := imported(root.Issue("shop.example"))
	in.Tags = []tags.Tag{{Key: "team", Value: "web"}}
	first := w.imports(in)

	again := imported(root.Issue("new.example"))
	again.ARN, again.Time = first.ARN, first.Created.Add(time.Hour)
	second := w.imports(again)
	if second.ARN != first.ARN || second.Domain != "new.example" || second.Body == first.Body || !second.Created.Equal(first.Created) || !second.Updated.Equal(again.Time) {
		t.Errorf("got %+v", second)
	}
	if tg, err := w.Tags(w.st.Snapshot(), account, region, first.ARN); err != nil || len(tg) != 1 {
		t.Errorf("tags: got %v, %v", tg, err)
	}

	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		edit func(*certs.Import)
		kind certs.Kind
		want string
	}{
		"another key type": {func(in *certs.Import) {
			*in = imported(root.IssueFor(p384, func(c *x509.Certificate) { c.DNSNames = []string{"shop.example"} }))
		}, certs.Invalid, "key type and size"},
		"no names": {func(in *certs.Import) {
			*in = imported(root.IssueFor(issuer.Key(t), func(c *x509.Certificate) { c.Subject = pkix.Name{Organization: []string{"Shop"}} }))
		}, certs.Invalid, "all of the domain names"},
		"a usage less": {func(in *certs.Import) {
			*in = imported(root.IssueFor(issuer.Key(t), func(c *x509.Certificate) { c.DNSNames, c.ExtKeyUsage = []string{"shop.example"}, nil }))
		}, certs.Invalid, "TLS_WEB_SERVER_AUTHENTICATION"},
		"tags":              {func(in *certs.Import) { in.Tags = []tags.Tag{{Key: "a"}} }, certs.Invalid, "tags"},
		"another account's": {func(in *certs.Import) { in.Account = "444455556666" }, certs.NotFound, "Could not find"},
		"another region's":  {func(in *certs.Import) { in.Region = "far-1" }, certs.NotFound, "Could not find"},
	} {
		t.Run(name, func(t *testing.T) {
			in := imported(root.Issue("shop.example"))
			c.edit(&in)
			in.ARN = first.ARN
			w.refused(t, func() error { _, err := w.Import(t.Context(), in); return err }, c.kind, c.want)
		})
	}
}

func TestACertificateInUseStays(t *testing.T) {
	w := newWorld(t)
	c := w.imports(imported(issuer.New(t, "Root").Issue("shop.example")))
	err := w.st.Update(t.Context(), func(tx *store.Tx) error { w.Use(tx, []string{c.ARN}); return nil })
	if err != nil {
		t.Fatal(err)
	}
	w.users[c.ARN] = []string{"arn:lb"}
	w.refused(t, func() error { return w.Delete(t.Context(), account, region, c.ARN) }, certs.InUse, "is in use")
	w.refused(t, func() error { return w.Delete(t.Context(), "444455556666", region, c.ARN) }, certs.NotFound, c.ARN)
	delete(w.users, c.ARN)
	if err := w.Delete(t.Context(), account, region, c.ARN); err != nil {
		t.Fatal(err)
	}
	w.refused(t, func() error { return w.Delete(t.Context(), account, region, c.ARN) }, certs.NotFound, c.ARN)
	for key, value := range w.records() {
		if strings.Contains(value, c.ARN) || strings.Contains(key, c.ARN) {
			t.Errorf("record %s is left of it", key)
		}
	}
}

// A listener takes a certificate up while it is being deleted: whichever commits
// first, the other decides again.
func TestUseRacesWithDeletion(t *testing.T) {
	w := newWorld(t)
	c := w.imports(imported(issuer.New(t, "Root").Issue("shop.example")))
	deciding := 0
	err := w.st.Update(t.Context(), func(tx *store.Tx) error {
		if deciding++; deciding == 1 {
			if _, err := w.Certificate(tx, account, region, c.ARN); err != nil {
				return err
			}
			w.Use(tx, []string{c.ARN})
			return w.Delete(t.Context(), account, region, c.ARN) // another's, in between
		}
		_, err := w.Certificate(tx, account, region, c.ARN)
		return err
	})
	if e, ok := errors.AsType[*certs.Error](err); !ok || e.Kind != certs.NotFound || deciding != 2 {
		t.Errorf("got %v after %d decisions, want NotFound after 2", err, deciding)
	}
}

func TestTheQuotaOfCertificates(t *testing.T) {
	w := newWorld(t)
	root := issuer.New(t, "Root")
	for range 3 {
		w.imports(imported(root.Issue("shop.example")))
	}
	w.refused(t, func() error { _, err := w.Import(t.Context(), imported(root.Issue("shop.example"))); return err }, certs.TooMany, "maximum number of certificates, 3")
	other := imported(root.Issue("shop.example"))
	other.Account = "444455556666"
	w.imports(other)
	if got := len(w.Certificates(w.st.Snapshot(), account, region)); got != 3 {
		t.Errorf("got %d certificates, want 3: another account's aren't seen (I8)", got)
	}
}

func TestAnotherKeyFileIsNoticed(t *testing.T) {
	w := newWorld(t)
	if err := w.CheckKeys(nothing); err != nil {
		t.Errorf("without certificates: got %v", err)
	}
	c := w.imports(imported(issuer.New(t, "Root").Issue("shop.example")))
	if err := w.CheckKeys(nothing); err != nil {
		t.Errorf("with its own: got %v", err)
	}
	st := store.New(w.engine, "/test", slog.New(slog.DiscardHandler))
	other := certs.New(st, tags.New(st), certs.Options{Sealer: sealer(t, filepath.Join(t.TempDir(), "another.key"))})
	if err := st.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := other.CheckKeys(nothing); err == nil || !strings.Contains(err.Error(), c.ARN) || !strings.Contains(err.Error(), "another.key") {
		t.Errorf("with another: got %v, want the certificate and the file named", err)
	}
	elsewhere := maps.All(map[string][]byte{"arn:shop": sealer(t, filepath.Join(t.TempDir(), "yet-another.key")).Seal([]byte("secret"), "arn:shop")})
	if err := w.CheckKeys(elsewhere); err == nil || !strings.Contains(err.Error(), "1 keys and secrets (that of arn:shop first)") {
		t.Errorf("something else under another: got %v, want whose it is", err)
	}
}

func nothing(func(string, []byte) bool) {}
