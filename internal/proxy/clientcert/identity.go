package clientcert

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"time"
)

// Identity is what is said of a client's certificates. Nothing in it has a byte that
// doesn't belong into a header or a line of a log, whatever the certificates have.
type Identity struct {
	Serial          string // in hexadecimal, whole bytes
	Issuer, Subject string // RFC 2253
	NotBefore       time.Time
	NotAfter        time.Time
	Validity        string // "NotBefore=…;NotAfter=…", each as RFC 3339
}

// Identify says who a certificate is of.
func Identify(c *x509.Certificate) *Identity {
	before, after := c.NotBefore.UTC(), c.NotAfter.UTC()
	serial := c.SerialNumber.Bytes()
	if len(serial) == 0 {
		serial = []byte{0}
	}
	return &Identity{
		Serial: fmt.Sprintf("%X", serial), Issuer: nameOf(c.RawIssuer), Subject: nameOf(c.RawSubject), NotBefore: before, NotAfter: after,
		Validity: "NotBefore=" + before.Format(time.RFC3339) + ";NotAfter=" + after.Format(time.RFC3339),
	}
}

// PEM returns certificates as headers have them: in PEM, with what isn't unreserved in
// URLs escaped but for plus, equals sign and slash.
func PEM(certs ...*x509.Certificate) string {
	var out strings.Builder
	for _, c := range certs {
		_, _ = inURL.WriteString(&out, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))) // a Builder takes all
	}
	return out.String()
}

// inURL escapes the only bytes of PEM that have to be.
var inURL = strings.NewReplacer(" ", "%20", "\n", "%0A")
