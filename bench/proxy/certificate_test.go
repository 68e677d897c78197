package proxy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// certificate is what the proxies show: P-256, in one file with its key.
type certificate struct{ path string }

func newCertificate(b *testing.B) *certificate {
	b.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, DNSNames: []string{"bench"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		b.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		b.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	return &certificate{write(b, "certificate.pem", string(text))}
}

// readCertificate reads the file as a snapshot has it, with the key unsealed.
func readCertificate(path string) (*snapshot.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	first, rest := pem.Decode(text)
	if first == nil {
		return nil, errors.New("no certificate")
	}
	second, _ := pem.Decode(rest)
	if second == nil {
		return nil, errors.New("no key")
	}
	return &snapshot.Certificate{ARN: "certificate", Hosts: []string{"bench"}, PEM: string(pem.EncodeToMemory(first)), Key: second.Bytes}, nil
}
