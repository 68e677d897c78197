package proof_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/ipam/proof"
)

// Keys are made once for all tests: it takes a while.
var (
	theKey   = sync.OnceValue(func() *rsa.PrivateKey { return rsaKey(2048) })
	otherKey = sync.OnceValue(func() *rsa.PrivateKey { return rsaKey(2048) })
)

func rsaKey(bits int) *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return k
}

// certificate returns the PEM of a self-signed certificate that holds for a year
// around now, or from and until other times.
func certificate(t *testing.T, key crypto.Signer, validity ...time.Time) []byte {
	t.Helper()
	if validity == nil {
		validity = []time.Time{now.AddDate(0, -6, 0), now.AddDate(0, 6, 0)}
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "holder"}, NotBefore: validity[0], NotAfter: validity[1]}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// sign signs as `openssl dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt
// rsa_pss_saltlen:-1` does, and writes the signature as AWS wants it.
func sign(t *testing.T, key *rsa.PrivateKey, message string) string {
	t.Helper()
	digest := sha256.Sum256([]byte(message))
	b, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("+", "-", "=", "_", "/", "~").Replace(base64.StdEncoding.EncodeToString(b))
}

// registry is a directory with the files.
func registry(t *testing.T, files map[string][]byte) proof.Directory {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return proof.Directory(dir)
}

func claim(message, signature string) proof.Claim {
	return proof.Claim{
		Account: account, CIDR: netip.MustParsePrefix("198.18.0.0/16"), Method: proof.RemarksX509, Time: now,
		Message: message, Signature: signature,
	}
}

// S7.
func TestASignatureProvesControl(t *testing.T) {
	right := sign(t, theKey(), rightMessage)
	mine := map[string][]byte{"198.18.0.0_16.pem": certificate(t, theKey())}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		files map[string][]byte
		claim proof.Claim
		want  outcome
		text  string
	}{
		"a right one": {mine, claim(rightMessage, right), proven, ""},
		"a certificate of the range around": {
			map[string][]byte{"198.18.0.0_15.pem": certificate(t, theKey())}, claim(rightMessage, right), proven, ""},
		"the smallest range around decides": {
			map[string][]byte{"198.18.0.0_15.pem": certificate(t, theKey()), "198.18.0.0_16.pem": certificate(t, otherKey())},
			claim(rightMessage, right), unproven, "another key"},
		"one of several certificates": {
			map[string][]byte{"198.18.0.0_16.pem": bytes.Join([][]byte{certificate(t, otherKey()), certificate(t, theKey())}, []byte("\n"))},
			claim(rightMessage, right), proven, ""},
		"no certificate of the range": {
			map[string][]byte{"198.19.0.0_16.pem": certificate(t, theKey())}, claim(rightMessage, right), unproven, "There is no certificate for 198.18.0.0/16."},
		"another key's signature": {mine, claim(rightMessage, sign(t, otherKey(), rightMessage)), unproven, "another key"},
		"another message's signature": {
			mine, claim(rightMessage, sign(t, theKey(), strings.Replace(rightMessage, "20260102", "20270102", 1))), unproven, "of another message"},
		"a certificate that has expired": {
			map[string][]byte{"198.18.0.0_16.pem": certificate(t, theKey(), now.AddDate(-2, 0, 0), now.AddDate(-1, 0, 0))},
			claim(rightMessage, right), unproven, "holds from 2024-01-02 to 2025-01-02"},
		"a key that isn't RSA": {
			map[string][]byte{"198.18.0.0_16.pem": certificate(t, ec)}, claim(rightMessage, right), unproven, "isn't RSA"},
		"a key that is too short": {
			map[string][]byte{"198.18.0.0_16.pem": certificate(t, rsaKey(1024))}, claim(rightMessage, right), unproven, "1024 bits"},
		"a file that isn't a certificate": {
			map[string][]byte{"198.18.0.0_16.pem": []byte("nothing")}, claim(rightMessage, right), unproven, "no certificate"},

		"a certificate that can't be read": {
			map[string][]byte{"198.18.0.0_16.pem": []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")}, claim(rightMessage, right), failed, "198.18.0.0_16.pem"},

		"no message":       {mine, claim("", right), mistaken, "must be 1|aws|"},
		"no signature":     {mine, claim(rightMessage, ""), mistaken, "signature"},
		"standard base64":  {mine, claim(rightMessage, right[:len(right)-1]+"="), mistaken, "- for +, _ for = and ~ for /"},
		"not base64":       {mine, claim(rightMessage, "%%%"), mistaken, "base64"},
		"a long signature": {mine, claim(rightMessage, strings.Repeat("A", 100_000)), mistaken, "1 to 684 characters"},
		"another account's message": {
			mine, claim(strings.Replace(rightMessage, account, "444455556666", 1), right), mistaken, "for account 444455556666"},
		"another CIDR's message": {
			mine, claim(strings.Replace(rightMessage, "198.18.0.0/16", "198.18.0.0/17", 1), right), mistaken, "for 198.18.0.0/17"},
		"yesterday's message": {
			mine, claim(strings.Replace(rightMessage, "20260102", "20260101", 1), right), mistaken, "expired on 2026-01-01"},
	} {
		t.Run(name, func(t *testing.T) {
			wantOutcome(t, proof.X509{Certificates: registry(t, c.files)}.Verify(t.Context(), c.claim), c.want, c.text)
		})
	}
}

func TestAMessageHoldsThroughItsLastDay(t *testing.T) {
	x := proof.X509{Certificates: registry(t, map[string][]byte{"198.18.0.0_16.pem": certificate(t, theKey())})}
	c := claim(rightMessage, sign(t, theKey(), rightMessage))
	c.Time = time.Date(2026, 1, 2, 23, 59, 59, 999_999_999, time.UTC)
	wantOutcome(t, x.Verify(t.Context(), c), proven, "")
	c.Time = c.Time.Add(1)
	wantOutcome(t, x.Verify(t.Context(), c), mistaken, "expired")
}

func TestACertificateOfIPv6(t *testing.T) {
	c := claim("1|aws|111122223333|2001:db8:80::/48|20260102|SHA256|RSAPSS", "")
	c.CIDR = netip.MustParsePrefix("2001:db8:80::/48")
	c.Signature = sign(t, theKey(), c.Message)
	x := proof.X509{Certificates: registry(t, map[string][]byte{proof.FileName(netip.MustParsePrefix("2001:db8::/32")): certificate(t, theKey())})}
	wantOutcome(t, x.Verify(t.Context(), c), proven, "")
}

// Whatever a claim holds, it is judged and not believed.
func FuzzX509(f *testing.F) {
	f.Add(rightMessage, "AAAA")
	f.Add(rightMessage, "-_~")
	dir := proof.Directory(f.TempDir())
	f.Fuzz(func(t *testing.T, message, signature string) {
		if err := (proof.X509{Certificates: dir}).Verify(t.Context(), claim(message, signature)); err == nil {
			t.Errorf("%q, %q: believed without a certificate", message, signature)
		}
	})
}
