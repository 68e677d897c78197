package truststore

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
)

// Limits of ELBv2's trust stores.
const (
	maxCertificates    = 25
	maxCertificateSize = 16 << 10 // as PEM
	maxSubjects        = 10_000   // bytes of all subjects
	maxBundleSize      = 1 << 20  // with comments; ours
	maxEntries         = 500_000  // revoked, of one trust store
	maxLists           = 30       // of one trust store
	maxListSize        = 50 << 20
)

// checkBundle counts the certificates of a bundle, each of which a client's could
// be verified with: PEM, with lines of comment between that begin with # and have
// no hyphen, and no empty lines (Application Load Balancer user guide, "mutual
// authentication").
func checkBundle(text []byte) (int, error) {
	blocks, err := checkLines(text)
	if err != nil {
		return 0, err
	}
	n, subjects := 0, 0
	for rest := text; ; {
		var block *pem.Block
		before := len(rest)
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		n++
		switch {
		case block.Type != "CERTIFICATE":
			return 0, fail(InvalidBundle, "The CA certificates bundle has a PEM block of type '%s'; only CERTIFICATE is allowed", block.Type)
		case before-len(rest) > maxCertificateSize:
			return 0, fail(InvalidBundle, "Certificate %d of the CA certificates bundle is larger than %d KB", n, maxCertificateSize>>10)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return 0, fail(InvalidBundle, "Certificate %d of the CA certificates bundle cannot be read", n)
		}
		if why := unfit(c); why != "" {
			return 0, fail(InvalidBundle, "Certificate %d of the CA certificates bundle, '%s', %s", n, c.Subject, why)
		}
		subjects += len(c.RawSubject)
	}
	switch {
	case n != blocks: // the decoder passes over what it can't read
		return 0, fail(InvalidBundle, "The CA certificates bundle has a PEM block that cannot be read")
	case n == 0:
		return 0, fail(InvalidBundle, "The CA certificates bundle has no certificate in PEM format")
	case n > maxCertificates:
		return 0, fail(InvalidBundle, "The CA certificates bundle has %d certificates; the limit is %d", n, maxCertificates)
	case subjects > maxSubjects:
		return 0, fail(InvalidBundle, "The subjects of the CA certificates bundle have %d bytes; the limit is %d", subjects, maxSubjects)
	}
	return n, nil
}

// checkLines counts the PEM blocks, and refuses what is neither within one nor a
// comment.
func checkLines(text []byte) (blocks int, err error) {
	within := false
	n := 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n")
		n++
		switch {
		case strings.HasPrefix(line, "-----BEGIN ") && !within:
			within = true
			blocks++
		case strings.HasPrefix(line, "-----END ") && within:
			within = false
		case within && line != "":
		case line == "":
			return 0, fail(InvalidBundle, "Line %d of the CA certificates bundle is empty; empty lines are not allowed", n)
		case !strings.HasPrefix(line, "#"):
			return 0, fail(InvalidBundle, "Line %d of the CA certificates bundle is neither PEM nor a comment that begins with '#'", n)
		case strings.Contains(line, "-"):
			return 0, fail(InvalidBundle, "Line %d of the CA certificates bundle is a comment with a '-', which is not allowed", n)
		}
	}
	if within {
		return 0, fail(InvalidBundle, "The CA certificates bundle ends within a PEM block")
	}
	return blocks, nil
}

// unfit says why a certificate can't be an authority's here, "" if it can.
func unfit(c *x509.Certificate) string {
	switch {
	case c.Version != 3:
		return "is not of X.509 version 3"
	case !c.BasicConstraintsValid || !c.IsCA:
		return "is not that of a certificate authority"
	}
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < 2048 || bits > 8192 {
			return "has an RSA key that is not of 2048 to 8192 bits"
		}
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() && key.Curve != elliptic.P384() && key.Curve != elliptic.P521() {
			return "has a key on a curve other than P-256, P-384 and P-521"
		}
	default:
		return "has neither an RSA nor an elliptic-curve key"
	}
	switch c.SignatureAlgorithm {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA, x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512,
		x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS:
		return ""
	default:
		return "is not signed with SHA-256, SHA-384 or SHA-512"
	}
}

// checkRevocations counts the entries of a revocation list, in PEM or DER.
func checkRevocations(content []byte) (int, error) {
	if bytes.Contains(content, []byte("-----BEGIN ")) {
		block, rest := pem.Decode(content)
		if block == nil || block.Type != "X509 CRL" || len(bytes.TrimSpace(rest)) > 0 {
			return 0, fail(InvalidRevocation, "The revocation content must be one certificate revocation list, in PEM or DER format")
		}
		content = block.Bytes
	}
	list, err := x509.ParseRevocationList(content)
	if err != nil {
		return 0, fail(InvalidRevocation, "The revocation content is not a certificate revocation list")
	}
	return len(list.RevokedCertificateEntries), nil
}
