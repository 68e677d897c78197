package truststore_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
	"github.com/fairlead/fairlead/internal/truststore"
)

// trusting is a world with a trust store of the authorities' certificates.
func trusting(t *testing.T, authorities ...*issuer.Issuer) (*world, truststore.TrustStore) {
	t.Helper()
	w := newWorld(t)
	for _, a := range authorities {
		w.objects["bundle"] = append(w.objects["bundle"], a.PEM...)
	}
	made, err := w.create("clients", "bundle")
	if err != nil {
		t.Fatal(err)
	}
	return w, made
}

func (w *world) revoke(at string, list []byte) {
	w.t.Helper()
	w.objects["list"] = list
	if _, err := w.AddRevocations(w.t.Context(), account, region, at, []truststore.Object{{Bucket: "b", Key: "list"}}, now); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) trust(at string) *snapshot.TrustStore {
	w.t.Helper()
	s, ok := w.Trust(w.st.Snapshot(), at)
	if !ok {
		w.t.Fatal("no such trust store")
	}
	return s
}

func TestHostsLearnWhatATrustStoreHas(t *testing.T) {
	root, other := issuer.New(t, "Root"), issuer.New(t, "Other")
	w, made := trusting(t, root, other)
	serials := []*big.Int{big.NewInt(7), new(big.Int).Lsh(big.NewInt(1), 150)}
	w.revoke(made.ARN, root.Revoke(serials))
	w.revoke(made.ARN, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: other.Revoke(nil)}))
	s := w.trust(made.ARN)
	if s.Error != "" || len(s.Authorities) != 2 || !bytes.Equal(s.Authorities[1], other.Certificate.Raw) || len(s.Revocations) != 2 {
		t.Fatalf("got %+v", s)
	}
	list := s.Revocations[0]
	if list.ID != 1 || list.Error != "" || !bytes.Equal(list.Issuer, root.Certificate.RawSubject) || list.Serials.Len() != 2 {
		t.Errorf("got %+v", list)
	}
	for _, n := range serials {
		if !list.Serials.Has(n.Bytes()) {
			t.Errorf("%s isn't revoked", n)
		}
	}
	if list.Serials.Has([]byte{8}) || s.Revocations[1].Serials.Len() != 0 {
		t.Error("others are revoked too")
	}
	w.revoke(made.ARN, other.Revoke(serials[:1]))
	again := w.trust(made.ARN)
	if len(again.Revocations) != 3 || again.Revocations[0] != list {
		t.Error("a list that stays was read again")
	}
	if _, ok := w.Trust(w.st.Snapshot(), "arn:none"); ok {
		t.Error("a trust store that nobody made")
	}
}

// Certificates of an issuer are refused whose list can't be relied on, and no others.
func TestListsThatCannotBeReliedOnSaySo(t *testing.T) {
	root, impostor, other := issuer.New(t, "Root"), issuer.New(t, "Root"), issuer.New(t, "Other")
	for name, tt := range map[string]struct {
		list []byte
		want string
	}{
		"signed by the bundle's":            {root.Revoke(nil), ""},
		"overdue":                           {root.Revoke(nil, func(l *x509.RevocationList) { l.NextUpdate = time.Now().Add(-time.Minute) }), ""},
		"of somebody of the same name":      {impostor.Revoke(nil), "signature"},
		"of somebody who isn't there":       {other.Revoke(nil), "its issuer"},
		"of what changed since another one": {root.Revoke(nil, critical(2, 5, 29, 27)), "2.5.29.27"},
		"of some of its certificates":       {root.Revoke(nil, critical(2, 5, 29, 28)), ""},
		"of several issuers": {root.Revoke([]*big.Int{big.NewInt(7)}, func(l *x509.RevocationList) {
			l.RevokedCertificateEntries[0].ExtraExtensions = []pkix.Extension{{Id: []int{2, 5, 29, 29}, Critical: true, Value: []byte{5, 0}}}
		}), "critical"},
	} {
		w, made := trusting(t, root)
		w.revoke(made.ARN, tt.list)
		s := w.trust(made.ARN)
		if got := s.Revocations[0].Error; s.Error != "" || (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q %q, want %q", name, s.Error, got, tt.want)
		}
	}
}

func critical(id ...int) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		l.ExtraExtensions = []pkix.Extension{{Id: id, Critical: true, Value: []byte{0x30, 0}}}
	}
}

// A list counts by the bundle that there is: with the issuer's certificate it can be
// relied on.
func TestAnotherBundleHasListsReadAgain(t *testing.T) {
	root, other := issuer.New(t, "Root"), issuer.New(t, "Other")
	w, made := trusting(t, root)
	w.revoke(made.ARN, other.Revoke(nil))
	if w.trust(made.ARN).Revocations[0].Error == "" {
		t.Error("a list of nobody in the bundle")
	}
	w.objects["bundle"] = append(w.objects["bundle"], other.PEM...)
	if _, err := w.Modify(t.Context(), account, region, made.ARN, truststore.Object{Bucket: "b", Key: "bundle"}, now); err != nil {
		t.Fatal(err)
	}
	if why := w.trust(made.ARN).Revocations[0].Error; why != "" {
		t.Error(why)
	}
	if err := w.RemoveRevocations(t.Context(), account, region, made.ARN, []int64{1}); err != nil {
		t.Fatal(err)
	}
	if got := w.trust(made.ARN).Revocations; len(got) != 0 {
		t.Errorf("got %v after it was removed", got)
	}
}

// As many entries as a trust store may have take 8 MB as they go to hosts.
func TestALargeListStaysSmall(t *testing.T) {
	root := issuer.New(t, "Root")
	serials := make([]*big.Int, 500_000)
	for i := range serials {
		b := make([]byte, 16)
		_, _ = rand.Read(b)
		b[0] |= 1
		serials[i] = new(big.Int).SetBytes(b)
	}
	w, made := trusting(t, root)
	w.revoke(made.ARN, root.Revoke(serials))
	begin := time.Now()
	list := w.trust(made.ARN).Revocations[0]
	first := time.Since(begin)
	begin = time.Now()
	if w.trust(made.ARN).Revocations[0] != list {
		t.Error("the list was read again")
	}
	t.Logf("read in %v, then in %v", first, time.Since(begin))
	size := 0
	for _, run := range list.Serials {
		size += len(run.Sorted)
	}
	if size != 16*len(serials) || list.Error != "" {
		t.Errorf("%d bytes, %q", size, list.Error)
	}
}
