package targettls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// sessions is how many sessions are kept for a target: one for each name that it is
// asked for.
const sessions = 64

// ciphers are those of the security policy TLS13-1-0-2021-06, which AWS has for
// targets of listeners with a policy of TLS 1.3, as far as crypto/tls has them; those
// of TLS 1.3 can't be chosen from. For other listeners it has 2016-08, which is the
// same without TLS 1.3.
var ciphers = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
	tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_128_CBC_SHA256, tls.TLS_RSA_WITH_AES_128_CBC_SHA,
	tls.TLS_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_RSA_WITH_AES_256_CBC_SHA,
}

var (
	classical = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}
	hybrid    = append([]tls.CurveID{tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024}, classical...)
)

// Config returns how requests reach a target. Without t.ServerName the name that a
// connection asks for is the caller's to set, in a clone; where targets are verified,
// it must. roots are believed, nil: those of the system.
func Config(t snapshot.TargetTLS, roots *x509.CertPool) *tls.Config {
	c := &tls.Config{
		MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS13, CipherSuites: ciphers, CurvePreferences: classical,
		NextProtos: []string{"http/1.1"},
		ServerName: t.ServerName, RootCAs: roots,
		// Unless it is told to, ELB doesn't validate the certificates of targets: they
		// are reached by address, and trusted for being registered (ALB user guide).
		InsecureSkipVerify: !t.Verify,
		ClientSessionCache: tls.NewLRUClientSessionCache(sessions),
	}
	if t.PostQuantum {
		c.CurvePreferences = hybrid
	}
	return c
}

// ProbeConfig returns how health checks reach a target. They are for no host: where
// targets are verified, and t.ServerName isn't there to hold them to, a certificate of
// any name will do.
func ProbeConfig(t snapshot.TargetTLS, roots *x509.CertPool) *tls.Config {
	c := Config(t, roots)
	c.ClientSessionCache = nil // a probe finds out whether the target shakes hands
	if t.Verify && t.ServerName == "" {
		c.InsecureSkipVerify = true
		c.VerifyConnection = func(s tls.ConnectionState) error { return verify(s.PeerCertificates, roots) }
	}
	return c
}

// verify says whether somebody whom roots believe vouches for the first certificate.
func verify(chain []*x509.Certificate, roots *x509.CertPool) error {
	if len(chain) == 0 {
		return errors.New("the target has no certificate")
	}
	o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, c := range chain[1:] {
		o.Intermediates.AddCert(c)
	}
	_, err := chain[0].Verify(o)
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
	}
	return nil
}
