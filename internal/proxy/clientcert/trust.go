package clientcert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// MaxDepth is how many certificates a chain may have, from the client's own to the
// one that the trust store holds. MaxSize is how large may be, in bytes of DER, what
// the client sends of it: AWS gives no figure; this takes four with the longest keys.
const (
	MaxDepth     = 4
	MaxChainSize = 16 << 10
)

// Trust is a trust store, compiled.
type Trust struct {
	authorities *x509.CertPool
	revoked     map[string][]*snapshot.Revocations // by the issuer's name in DER
}

// New compiles a trust store. An error says why nobody can be verified by it.
func New(s *snapshot.TrustStore) (*Trust, error) {
	if s.Error != "" {
		return nil, errors.New(s.Error)
	}
	if len(s.Authorities) == 0 {
		return nil, errors.New("it has no certificates")
	}
	t := &Trust{authorities: x509.NewCertPool(), revoked: map[string][]*snapshot.Revocations{}}
	for i, der := range s.Authorities {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", i+1, err)
		}
		t.authorities.AddCert(c)
	}
	for _, r := range s.Revocations {
		t.revoked[string(r.Issuer)] = append(t.revoked[string(r.Issuer)], r)
	}
	return t, nil
}

// Authorities are those that the trust store believes, to be told to clients.
func (t *Trust) Authorities() *x509.CertPool { return t.authorities }

// Verify decides about what a client has sent, its own certificate first; that it has
// the key to it is not its concern. The answer is Accepted, or why not.
//
// Paths are found, and names and purposes of authorities checked, by crypto/x509
// (RFC 5280 §6); a certificate that the trust store holds ends a path, whoever has
// issued it. What is checked here is what x509 leaves open or has no code for.
func (t *Trust) Verify(sent []*x509.Certificate, now time.Time, ignoreExpiry bool) Code {
	if code := Measure(sent); code != Accepted {
		return code
	}
	if len(sent) > MaxDepth {
		return MaxChainDepth
	}
	for _, c := range sent {
		if !supported(c) {
			return TypeUnsupported
		}
	}
	leaf := sent[0]
	switch {
	case now.Before(leaf.NotBefore):
		return NotYetValid
	case now.After(leaf.NotAfter) && !ignoreExpiry:
		return Expired
	case !authenticates(leaf):
		return PurposeInvalid
	}
	opts := x509.VerifyOptions{Roots: t.authorities, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if len(sent) > 1 {
		opts.Intermediates = x509.NewCertPool()
		for _, c := range sent[1:] {
			opts.Intermediates.AddCert(c)
		}
	}
	if now.After(leaf.NotAfter) {
		valid := *leaf
		valid.NotAfter = now
		leaf = &valid
	}
	paths, err := leaf.Verify(opts)
	if err != nil {
		return codeOfPath(err, now)
	}
	code := Accepted
	for _, path := range paths {
		found := t.follow(path)
		if found == Accepted {
			return Accepted
		}
		if code == Accepted { // the first path is the likeliest
			code = found
		}
	}
	return code
}

// Measure refuses what is too large to be passed on, or to be verified.
func Measure(sent []*x509.Certificate) Code {
	size := 0
	for _, c := range sent {
		if size += len(c.Raw); size > MaxChainSize {
			return MaxSize
		}
	}
	return Accepted
}

// follow checks a path that leads to an authority.
func (t *Trust) follow(path []*x509.Certificate) Code {
	if len(path) > MaxDepth {
		return MaxChainDepth
	}
	code := Accepted
	for _, c := range path {
		for _, list := range t.revoked[string(c.RawIssuer)] {
			switch {
			case list.Serials.Has(c.SerialNumber.Bytes()):
				return Revoked
			case list.Error != "":
				code = RevocationsUnusable
			}
		}
	}
	return code
}

// supported says whether a certificate is of a kind that ELB takes: X.509 version 3, a
// key of a known kind and size, a signature with SHA-2.
func supported(c *x509.Certificate) bool {
	if c.Version != 3 {
		return false
	}
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < 2048 || bits > 8192 {
			return false
		}
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() && key.Curve != elliptic.P384() && key.Curve != elliptic.P521() {
			return false
		}
	default:
		return false
	}
	return slices.Contains(signatures, c.SignatureAlgorithm)
}

var signatures = []x509.SignatureAlgorithm{
	x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
	x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
	x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512,
}

// authenticates says whether a certificate is for clients of TLS: its key usage has
// signatures and its extended key usage clients, where it has them at all (RFC 5280
// §4.2.1.12).
func authenticates(c *x509.Certificate) bool {
	if c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return false
	}
	return len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 ||
		slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth) || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
}

// codeOfPath returns the code for a certificate from which no path leads on.
func codeOfPath(err error, now time.Time) Code {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &invalid):
		switch invalid.Reason {
		case x509.Expired:
			if now.Before(invalid.Cert.NotBefore) {
				return NotYetValid
			}
			return Expired
		case x509.IncompatibleUsage:
			return PurposeInvalid
		}
		return Invalid
	case errors.As(err, &unknown):
		return Untrusted
	}
	return Invalid
}
