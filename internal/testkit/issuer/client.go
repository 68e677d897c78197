package issuer

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"time"
)

// IssueClient certifies a new key for a client, as edit changes that.
func (i *Issuer) IssueClient(name string, edit ...func(*x509.Certificate)) Pair {
	i.t.Helper()
	return i.IssueFor(Key(i.t), func(c *x509.Certificate) {
		c.Subject, c.ExtKeyUsage = pkix.Name{CommonName: name}, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		for _, e := range edit {
			e(c)
		}
	})
}

// WithVersion1 is a client's certificate of X.509 version 1: without extensions.
func (i *Issuer) WithVersion1(p Pair) Pair {
	i.t.Helper()
	var tbs struct {
		Raw        asn1.RawContent
		Version    int `asn1:"explicit,tag:0"`
		Serial     *big.Int
		Signature  pkix.AlgorithmIdentifier
		Issuer     asn1.RawValue
		Validity   asn1.RawValue
		Subject    asn1.RawValue
		PublicKey  asn1.RawValue
		Extensions asn1.RawValue `asn1:"optional,explicit,tag:3"`
	}
	if _, err := asn1.Unmarshal(p.Leaf.RawTBSCertificate, &tbs); err != nil {
		i.t.Fatal(err)
	}
	bare, err := asn1.Marshal(struct {
		Serial                               *big.Int
		Signature                            pkix.AlgorithmIdentifier
		Issuer, Validity, Subject, PublicKey asn1.RawValue
	}{tbs.Serial, tbs.Signature, tbs.Issuer, tbs.Validity, tbs.Subject, tbs.PublicKey})
	if err != nil {
		i.t.Fatal(err)
	}
	sum := sha256.Sum256(bare)
	signature, err := i.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		i.t.Fatal(err)
	}
	der, err := asn1.Marshal(struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: bare}, tbs.Signature, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})
	if err != nil {
		i.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		i.t.Fatal(err)
	}
	return Pair{Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Key: p.Key, Leaf: leaf}
}

// Revoke returns a list of what the authority has revoked, in DER, as edit changes it.
func (i *Issuer) Revoke(serials []*big.Int, edit ...func(*x509.RevocationList)) []byte {
	i.t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(24 * time.Hour)}
	for _, n := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: n, RevocationTime: list.ThisUpdate})
	}
	for _, e := range edit {
		e(list)
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, i.Certificate, i.key)
	if err != nil {
		i.t.Fatal(err)
	}
	return der
}
