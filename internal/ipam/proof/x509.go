package proof

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Certificates are those that stand where only the holder of a CIDR can put
// them: at AWS, in the remarks of the range's RDAP record (RFC 9083 §4.3).
type Certificates interface {
	// Of returns the certificates of the smallest range around the CIDR that has
	// any, none if there is no such range.
	Of(ctx context.Context, cidr netip.Prefix) ([]*x509.Certificate, error)
}

// X509 verifies claims by the signature of their message.
type X509 struct{ Certificates Certificates }

const (
	// maxSignatureBytes is a signature of the largest key, in base64.
	maxSignatureBytes = (maxKeyBits/8 + 2) / 3 * 4

	// Keys outside these bounds aren't tried: weak ones prove nothing, and the
	// time that one takes grows with its length.
	minKeyBits = 2048
	maxKeyBits = 4096

	// maxCertificates is how many of a range are tried. Two are enough to change keys.
	maxCertificates = 8
)

// Verify implements Verifier.
func (x X509) Verify(ctx context.Context, c Claim) error {
	m, err := ParseMessage(c.Message)
	if err != nil {
		return err
	}
	if err := m.check(c); err != nil {
		return err
	}
	signature, err := decodeSignature(c.Signature)
	if err != nil {
		return err
	}
	certificates, err := x.Certificates.Of(ctx, c.CIDR)
	if err != nil {
		return fmt.Errorf("find the certificates of %s: %w", c.CIDR, err)
	}
	if len(certificates) == 0 {
		return unproven(nil, "There is no certificate for %s.", c.CIDR)
	}
	digest := sha256.Sum256([]byte(c.Message))
	reasons := make([]string, 0, maxCertificates)
	for _, certificate := range certificates[:min(len(certificates), maxCertificates)] {
		reason := fault(certificate, digest[:], signature, c.Time)
		if reason == "" {
			return nil
		}
		reasons = append(reasons, reason)
	}
	return unproven(nil, "No certificate for %s confirms the signature: %s.", c.CIDR, strings.Join(reasons, "; "))
}

// fault says why a certificate doesn't confirm a signature, "" if it does.
func fault(c *x509.Certificate, digest, signature []byte, now time.Time) string {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	switch {
	case !ok:
		return "the key isn't RSA"
	case key.N.BitLen() < minKeyBits || key.N.BitLen() > maxKeyBits:
		return fmt.Sprintf("the key has %d bits, not %d to %d", key.N.BitLen(), minKeyBits, maxKeyBits)
	case now.Before(c.NotBefore) || now.After(c.NotAfter):
		return fmt.Sprintf("the certificate holds from %s to %s", c.NotBefore.UTC().Format(time.DateOnly), c.NotAfter.UTC().Format(time.DateOnly))
	}
	// openssl's rsa_pss_saltlen:-1, as AWS has it signed.
	if err := rsa.VerifyPSS(key, crypto.SHA256, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}); err != nil {
		return "another key made it, or of another message"
	}
	return ""
}

// urlUnsafe turns AWS's variant of base64, safe in a URL, into the standard one.
var urlUnsafe = strings.NewReplacer("-", "+", "_", "=", "~", "/")

func decodeSignature(s string) ([]byte, error) {
	if len(s) == 0 || len(s) > maxSignatureBytes {
		return nil, mistaken("the signature must have 1 to %d characters", maxSignatureBytes)
	}
	if strings.ContainsAny(s, "+=/\r\n") {
		return nil, mistaken("the signature must be in base64 with - for +, _ for = and ~ for /")
	}
	b, err := base64.StdEncoding.Strict().DecodeString(urlUnsafe.Replace(s))
	if err != nil {
		return nil, mistaken("the signature must be in base64 with - for +, _ for = and ~ for /")
	}
	return b, nil
}
