// Package issuer makes certificates for tests: authorities, and what they issue.
//
// Start reading at New. An Issuer is safe for concurrent use.
package issuer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"sync/atomic"
	"testing"
	"time"
)

// Issuer is a certificate authority.
type Issuer struct {
	Certificate *x509.Certificate
	PEM         []byte

	t      testing.TB
	key    crypto.Signer
	serial atomic.Int64
}

// Pair is a certificate with its private key, in PEM.
type Pair struct {
	Certificate, Key []byte
	Leaf             *x509.Certificate
}

// New returns an authority that certifies itself.
func New(t testing.TB, name string) *Issuer {
	return (*Issuer)(nil).authority(t, name, func(*x509.Certificate) {})
}

// Intermediate returns an authority that this one certifies.
func (i *Issuer) Intermediate(name string) *Issuer {
	return i.IntermediateAs(name, func(*x509.Certificate) {})
}

// IntermediateAs is Intermediate with a certificate as edit changes it.
func (i *Issuer) IntermediateAs(name string, edit func(*x509.Certificate)) *Issuer {
	return i.authority(i.t, name, edit)
}

func (i *Issuer) authority(t testing.TB, name string, edit func(*x509.Certificate)) *Issuer {
	t.Helper()
	next := &Issuer{t: t, key: Key(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	edit(template)
	by := next
	if i != nil {
		by = i
	} else {
		next.Certificate = template
	}
	next.PEM, next.Certificate = sign(t, template, by.Certificate, next.key.Public(), by.key)
	return next
}

// Key returns an ECDSA key on P-256.
func Key(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Issue certifies a new key for the names, the first of them the subject's too.
func (i *Issuer) Issue(names ...string) Pair {
	i.t.Helper()
	return i.IssueFor(Key(i.t), func(c *x509.Certificate) {
		c.Subject, c.DNSNames = pkix.Name{CommonName: names[0]}, names
	})
}

// IssueFor certifies a key: for a server, for a day, and as edit changes that. The
// pair has no Key if the key is of a type that has no written form.
func (i *Issuer) IssueFor(key crypto.Signer, edit func(*x509.Certificate)) Pair {
	i.t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1<<40 + i.serial.Add(1)), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	edit(template)
	text, leaf := sign(i.t, template, i.Certificate, key.Public(), i.key)
	p := Pair{Certificate: text, Leaf: leaf}
	if der, err := x509.MarshalPKCS8PrivateKey(key); err == nil {
		p.Key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	return p
}

// Pool returns a pool that trusts the authority.
func (i *Issuer) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(i.Certificate)
	return pool
}

func sign(t testing.TB, template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) ([]byte, *x509.Certificate) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), made
}
