package truststore_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/truststore"
)

const (
	account = "111122223333"
	region  = "local-1"
)

var now = time.Date(2026, 11, 23, 5, 0, 0, 0, time.UTC)

// world is the room with objects in one bucket.
type world struct {
	*truststore.Service
	t       *testing.T
	st      *store.Store
	objects map[string][]byte
	used    []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	engine := memstore.New()
	st := store.New(engine, "/test", nil)
	w := &world{t: t, st: st, objects: map[string][]byte{}}
	w.Service = truststore.New(st, tags.New(st), truststore.Options{
		Fetch: func(_ context.Context, o truststore.Object, limit int64) ([]byte, error) {
			b, ok := w.objects[o.Key]
			if !ok {
				return nil, truststore.ErrNoObject
			}
			if int64(len(b)) > limit {
				return nil, errors.New("too large")
			}
			return b, nil
		},
		InUseBy: func(store.Reader, string) []string { return w.used },
		Quota:   2,
	})
	if err := st.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		st.Close()
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) create(name, key string) (truststore.TrustStore, error) {
	return w.Create(w.t.Context(), truststore.Create{Account: account, Region: region, Name: name, Bundle: truststore.Object{Bucket: "b", Key: key}, Time: now})
}

func (w *world) content(id string) string {
	return string(bytes.Join(w.Content(w.st.Snapshot(), id), nil))
}

func kind(err error) truststore.Kind {
	if e, ok := errors.AsType[*truststore.Error](err); ok {
		return e.Kind
	}
	return ""
}

func key(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// authority returns a certificate as PEM, changed before it is signed.
func authority(t *testing.T, name string, change func(*x509.Certificate)) []byte {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: now, NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if change != nil {
		change(c)
	}
	k := key(t)
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// revocations returns a list of so many entries, as DER.
func revocations(t *testing.T, entries int) []byte {
	t.Helper()
	k := key(t)
	issuer := &x509.Certificate{Subject: pkix.Name{CommonName: "Root"}, KeyUsage: x509.KeyUsageCRLSign, SubjectKeyId: []byte{1}}
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now.Add(time.Hour)}
	for n := range entries {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: big.NewInt(int64(n + 1)), RevocationTime: now})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, issuer, k)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestABundleIsKeptAndReplacedWhole(t *testing.T) {
	w := newWorld(t)
	one, two := authority(t, "one", nil), authority(t, "two", nil)
	w.objects["one"] = one
	w.objects["both"] = bytes.Join([][]byte{[]byte("# both of them\n"), one, []byte("# the other\n"), two}, nil)
	made, err := w.create("clients", "both")
	if err != nil || made.Certificates != 2 || !strings.HasPrefix(made.ARN, "arn:aws:elasticloadbalancing:local-1:111122223333:truststore/clients/") {
		t.Fatalf("got %+v, %v", made, err)
	}
	if w.content(made.Bundle) != string(w.objects["both"]) {
		t.Error("the bundle isn't kept as it was")
	}
	delete(w.objects, "both") // what happens to the object is of no concern
	changed, err := w.Modify(t.Context(), account, region, made.ARN, truststore.Object{Bucket: "b", Key: "one"}, now.Add(time.Minute))
	if err != nil || changed.Certificates != 1 || w.content(changed.Bundle) != string(one) {
		t.Errorf("modified: got %+v, %v", changed, err)
	}
	if err := w.Sweep(t.Context(), now.Add(61*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if w.content(made.Bundle) != "" || w.content(changed.Bundle) == "" {
		t.Error("after the sweep the former bundle must be gone and the present one there")
	}
}

func TestBundlesThatCannotVerifyClientsAreRefused(t *testing.T) {
	good := string(authority(t, "good", nil))
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, edwards.Public(), edwards)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ bundle, text string }{
		"nothing":                 {"", "no certificate in PEM format"},
		"comments alone":          {"# nothing\n", "no certificate in PEM format"},
		"DER":                     {string(der), "neither PEM nor a comment"},
		"an empty line":           {good + "\n" + good, "is empty"},
		"a comment with a hyphen": {"# our-own\n" + good, "a comment with a '-'"},
		"a bare line":             {"our own\n" + good, "Line 1 of the CA certificates bundle is neither"},
		"a key":                   {string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}})), "type 'PRIVATE KEY'"},
		"a broken certificate":    {string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}})), "Certificate 1 of the CA certificates bundle cannot be read"},
		"one that isn't base64":   {good + "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n", "a PEM block that cannot be read"},
		"half a certificate":      {good[:len(good)/2], "ends within a PEM block"},
		"a server's":              {string(authority(t, "leaf", func(c *x509.Certificate) { c.IsCA = false })), "'CN=leaf', is not that of a certificate authority"},
		"an Ed25519 key":          {string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), "neither an RSA nor an elliptic-curve key"},
		"26 certificates":         {strings.Repeat(good, 26), "has 26 certificates; the limit is 25"},
		"a large certificate":     {string(authority(t, "large", func(c *x509.Certificate) { c.Subject.Organization = []string{strings.Repeat("x", 13<<10)} })), "larger than 16 KB"},
		"long subjects":           {strings.Repeat(string(authority(t, "long", func(c *x509.Certificate) { c.Subject.Organization = []string{strings.Repeat("x", 5100)} })), 2), "the limit is 10000"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.objects["bundle"] = []byte(c.bundle)
			if _, err := w.create("clients", "bundle"); kind(err) != truststore.InvalidBundle || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, want …%s…", err, c.text)
			}
		})
	}
}

func TestNamesAndNumbersOfTrustStores(t *testing.T) {
	w := newWorld(t)
	w.objects["bundle"] = authority(t, "root", nil)
	for _, name := range []string{"", "-a", "a-", "a--b", "a_b", strings.Repeat("a", 33)} {
		if _, err := w.create(name, "bundle"); kind(err) != truststore.Invalid {
			t.Errorf("name %q: got %v", name, err)
		}
	}
	if _, err := w.create("none", "nothing"); kind(err) != truststore.BundleNotFound {
		t.Errorf("no bundle: got %v", err)
	}
	one, err := w.create("one", "bundle")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.create("one", "bundle"); kind(err) != truststore.Duplicate {
		t.Errorf("the same name: got %v", err)
	}
	if _, err := w.create("two", "bundle"); err != nil {
		t.Error(err)
	}
	if _, err := w.create("three", "bundle"); kind(err) != truststore.TooMany {
		t.Errorf("one more than the quota: got %v", err)
	}
	if _, err := w.TrustStore(w.st.Snapshot(), "444455556666", region, one.ARN); kind(err) != truststore.NotFound {
		t.Errorf("I8: another account's: got %v", err)
	}
	w.used = []string{"a listener"}
	if err := w.Delete(t.Context(), account, region, one.ARN); kind(err) != truststore.InUse {
		t.Errorf("deleting one in use: got %v", err)
	}
	w.used = nil
	if err := w.Delete(t.Context(), account, region, one.ARN); err != nil {
		t.Error(err)
	}
	if _, err := w.create("one", "bundle"); err != nil {
		t.Errorf("its name isn't free again: %v", err)
	}
}

func TestRevocationLists(t *testing.T) {
	w := newWorld(t)
	three := revocations(t, 3)
	w.objects["bundle"], w.objects["der"], w.objects["junk"] = authority(t, "root", nil), three, []byte("junk")
	w.objects["pem"] = pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: revocations(t, 2)})
	w.objects["two"] = bytes.Repeat(w.objects["pem"], 2)
	w.objects["long"] = revocations(t, 60_000) // of several parts
	ts, err := w.create("clients", "bundle")
	if err != nil {
		t.Fatal(err)
	}
	add := func(keys ...string) ([]truststore.Revocation, error) {
		var objects []truststore.Object
		for _, k := range keys {
			objects = append(objects, truststore.Object{Bucket: "b", Key: k})
		}
		return w.AddRevocations(t.Context(), account, region, ts.ARN, objects, now)
	}
	expect := func(when, want string) {
		t.Helper()
		ts, err := w.TrustStore(w.st.Snapshot(), account, region, ts.ARN)
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(ts.RevokedEntries(), ":")
		for _, r := range ts.Revocations {
			got += fmt.Sprintf(" %d=%d", r.ID, r.Entries)
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", when, got, want)
		}
	}
	added, err := add("der", "pem")
	if err != nil || w.content(added[0].Content) != string(three) {
		t.Fatalf("got %+v, %v", added, err)
	}
	expect("added", "5: 1=3 2=2")
	for want, keys := range map[truststore.Kind][]string{truststore.RevocationMissing: {"der", "nothing"}, truststore.InvalidRevocation: {"der", "junk"}} {
		if _, err := add(keys...); kind(err) != want {
			t.Errorf("%v: got %v, want %s", keys, err, want)
		}
	}
	if _, err := add("two"); kind(err) != truststore.InvalidRevocation {
		t.Errorf("two lists in one: got %v", err)
	}
	if _, err := add("long", "long", "long", "long", "long", "long", "long", "long", "long"); kind(err) != truststore.TooManyEntries {
		t.Errorf("540,000 entries: got %v", err)
	}
	if _, err := add(strings.Fields(strings.Repeat("pem ", 29))...); kind(err) != truststore.TooManyEntries {
		t.Errorf("31 lists: got %v", err)
	}
	expect("after refusals", "5: 1=3 2=2")
	long, err := add("long")
	if err != nil || w.content(long[0].Content) != string(w.objects["long"]) {
		t.Errorf("a list of %d bytes isn't kept as it was: %v", len(w.objects["long"]), err)
	}
	remove := func(ids ...int64) error { return w.RemoveRevocations(t.Context(), account, region, ts.ARN, ids) }
	if err := remove(1, 7); kind(err) != truststore.RevocationNotFound {
		t.Errorf("removing an unknown one: got %v", err)
	}
	if err := remove(1, 3); err != nil {
		t.Fatal(err)
	}
	expect("removed", "2: 2=2")
	if _, err := add("der"); err != nil {
		t.Fatal(err)
	}
	expect("ids are never used again", "5: 2=2 4=3")
	if err := w.Sweep(t.Context(), now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if w.content(long[0].Content) != "" || w.content(added[1].Content) == "" {
		t.Error("after the sweep removed contents must be gone, and the others there")
	}
}
