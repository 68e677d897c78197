package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strconv"
	"strings"
	"time"
)

// Material is what makes up a certificate, each part in PEM.
type Material struct {
	Certificate []byte // one certificate
	Chain       []byte // what certifies it, in order; none for a self-signed one
	PrivateKey  []byte // in plain text
}

// content is material that has been checked.
type content struct {
	facts Facts
	body  string // PEM
	chain string // PEM
	key   []byte // PKCS #8 DER: secret
}

// read checks material as ACM ImportCertificate does, at the time now. No error
// of it shows the private key.
func (m Material) read(now time.Time) (content, error) {
	leaves, err := parseCertificates(m.Certificate, "certificate")
	switch {
	case err != nil:
		return content{}, err
	case len(leaves) > 1:
		return content{}, fail(Invalid, "The certificate field contains more than one certificate. You can specify only one certificate in this field.")
	}
	leaf := leaves[0]
	key, err := parseKey(m.PrivateKey)
	if err != nil {
		return content{}, err
	}
	algorithm, err := keyAlgorithm(key.Public())
	if err != nil {
		return content{}, err
	}
	if public, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(key.Public()) {
		return content{}, fail(Invalid, "The private key does not match the certificate: it must be the one that the certificate was requested with.")
	}
	if err := checkLeaf(leaf, now); err != nil {
		return content{}, err
	}
	var chain []*x509.Certificate
	if len(m.Chain) > 0 {
		if chain, err = parseCertificates(m.Chain, "certificate chain"); err != nil {
			return content{}, err
		}
		if err := checkChain(leaf, chain); err != nil {
			return content{}, err
		}
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return content{}, fail(Invalid, "The private key is not supported.")
	}
	return content{facts: factsOf(leaf, algorithm), body: encode(leaf), chain: encode(chain...), key: der}, nil
}

// checkLeaf holds the rules for what a certificate says of itself.
func checkLeaf(c *x509.Certificate, now time.Time) error {
	switch {
	case c.Version != 3:
		return fail(Invalid, "The certificate is of X.509 version %d; only version 3 is supported.", c.Version)
	case now.Before(c.NotBefore):
		return fail(Invalid, "The certificate is not valid before %s.", c.NotBefore.UTC().Format(time.RFC3339))
	case now.After(c.NotAfter):
		return fail(Invalid, "The certificate has expired: it was valid until %s.", c.NotAfter.UTC().Format(time.RFC3339))
	case len(c.Issuer.Names) == 0:
		return fail(Invalid, "The certificate's Issuer field must not be empty.")
	}
	for _, url := range c.OCSPServer {
		if len(url) > 1000 {
			return fail(Invalid, "The certificate's OCSP authority URL must not exceed 1000 characters.")
		}
	}
	return nil
}

// maxIssuerBits is the largest RSA key of a chain. Nobody issues with a larger one,
// and one that fills a request would take minutes to verify with.
const maxIssuerBits = 8192

// checkChain has each certificate of a chain certify the one before it.
func checkChain(leaf *x509.Certificate, chain []*x509.Certificate) error {
	if chain[0].Equal(leaf) {
		return fail(Invalid, "The certificate chain must not contain the certificate itself.")
	}
	for _, issuer := range chain {
		if key, ok := issuer.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxIssuerBits {
			return fail(Invalid, "The certificate chain has a key of %d bits; at most %d are supported.", key.N.BitLen(), maxIssuerBits)
		}
		if leaf.CheckSignatureFrom(issuer) != nil {
			return fail(Invalid, "Could not validate the certificate with the certificate chain.")
		}
		leaf = issuer
	}
	return nil
}

func parseCertificates(text []byte, field string) ([]*x509.Certificate, error) {
	unreadable := fail(Invalid, "The %s body/chain provided is not in a valid PEM format. Unable to parse certificate. Please ensure the certificate is in PEM format.", field)
	var out []*x509.Certificate
	for len(bytes.TrimSpace(text)) > 0 {
		block, rest := pem.Decode(text)
		if block == nil || block.Type != "CERTIFICATE" {
			return nil, unreadable
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, unreadable
		}
		out, text = append(out, c), rest
	}
	if len(out) == 0 {
		return nil, unreadable
	}
	return out, nil
}

// parseKey reads the one private key of a PEM text, in any form that tools write.
func parseKey(text []byte) (crypto.Signer, error) {
	unsupported := fail(Invalid, "The private key is not supported. It must be one RSA or ECDSA key in PEM format.")
	block, rest := pem.Decode(text)
	if block != nil && block.Type == "EC PARAMETERS" { // openssl ecparam -genkey puts it before the key
		block, rest = pem.Decode(rest)
	}
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, unsupported
	}
	if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
		return nil, fail(Invalid, "The private key must not be encrypted: take away its passphrase before you import it.")
	}
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, unsupported
	}
	if err != nil {
		return nil, unsupported
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return key, nil
	case *ecdsa.PrivateKey:
		return key, nil
	}
	return nil, unsupported
}

// keyAlgorithm names a public key as ACM does; an error for what ACM doesn't take.
func keyAlgorithm(public crypto.PublicKey) (string, error) {
	switch public := public.(type) {
	case *rsa.PublicKey:
		switch bits := public.N.BitLen(); bits {
		case 1024, 2048, 3072, 4096:
			return "RSA_" + strconv.Itoa(bits), nil
		}
	case *ecdsa.PublicKey:
		switch public.Curve {
		case elliptic.P256():
			return "EC_prime256v1", nil
		case elliptic.P384():
			return "EC_secp384r1", nil
		case elliptic.P521():
			return "EC_secp521r1", nil
		}
	}
	return "", fail(Invalid, "The private key length is not supported for key algorithm. Use RSA of 1024, 2048, 3072 or 4096 bits, or ECDSA on P-256, P-384 or P-521.")
}

func encode(certs ...*x509.Certificate) string {
	var b strings.Builder
	for _, c := range certs {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	return b.String()
}
