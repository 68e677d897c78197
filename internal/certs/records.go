package certs

import (
	"slices"
	"strings"
	"time"
)

// Type is how a certificate came.
type Type string

// The types of ACM CertificateType that there can be here.
const (
	Imported     Type = "IMPORTED"
	AmazonIssued Type = "AMAZON_ISSUED" // ACM's word for one that was requested here, whoever the authority is
)

// Status is ACM's CertificateStatus.
type Status string

// The statuses that a certificate here can have.
const (
	PendingValidation  Status = "PENDING_VALIDATION"
	Issued             Status = "ISSUED"
	Expired            Status = "EXPIRED"
	ValidationTimedOut Status = "VALIDATION_TIMED_OUT"
	Failed             Status = "FAILED"
)

// Certificate is one certificate, by ARN.
type Certificate struct {
	ARN     string
	Account string
	Region  string
	Type    Type
	Created time.Time
	Updated time.Time // when the present content came: imported or issued

	Facts
	Body  string `json:",omitempty"` // PEM of the leaf; "": there is no content yet
	Chain string `json:",omitempty"` // PEM of what certifies it, in order
	Key   []byte `json:",omitempty"` // PKCS #8, sealed for ARN; see Sealer

	Issuance *Issuance `json:",omitempty"` // nil: imported
}

// HasContent says whether there is anything to serve with.
func (c Certificate) HasContent() bool { return c.Body != "" }

// Facts are what a certificate says of itself.
type Facts struct {
	Domain             string   // the subject's common name, else the first name; "" for neither
	Names              []string // Domain and the DNS names of the subjectAltName extension, each once
	Subject            string   // RFC 2253
	Issuer             string   // organization, else common name
	Serial             string   // "0a:1b:…"
	KeyAlgorithm       string   // ACM KeyAlgorithm: "RSA_2048", "EC_prime256v1"
	SignatureAlgorithm string   // "SHA256WITHRSA"
	NotBefore          time.Time
	NotAfter           time.Time
	KeyUsages          []string           // ACM KeyUsageName
	ExtendedKeyUsages  []ExtendedKeyUsage `json:",omitempty"`
}

// ExtendedKeyUsage is a purpose of a certificate's key.
type ExtendedKeyUsage struct {
	Name string // ACM ExtendedKeyUsageName
	OID  string
}

// Status returns the certificate's status at a time.
func (c Certificate) Status(now time.Time) Status {
	if c.Issuance != nil && c.Issuance.Status != Issued {
		return c.Issuance.Status
	}
	if now.After(c.NotAfter) {
		return Expired
	}
	return Issued
}

// Hosts returns the names that a TLS client may ask the certificate for, in lower
// case: host names, or one with "*" for its first label.
func (c Certificate) Hosts() []string {
	var hosts []string
	for _, n := range c.Names {
		if n = strings.ToLower(n); isHost(n) && !slices.Contains(hosts, n) {
			hosts = append(hosts, n)
		}
	}
	return hosts
}

// isHost says whether a name is a fully qualified domain name, perhaps with "*"
// for its first label.
func isHost(name string) bool {
	rest, wild := strings.CutPrefix(name, "*.")
	labels := strings.Split(rest, ".")
	if len(name) > 253 || len(labels) < 2 && !wild {
		return false
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return false
		}
		for _, c := range []byte(l) {
			switch {
			case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
			default:
				return false
			}
		}
	}
	return true
}
