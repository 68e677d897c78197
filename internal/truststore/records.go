package truststore

import (
	"fmt"
	"time"
)

// TrustStore is a bundle and its revocation lists, by ARN.
type TrustStore struct {
	ARN, Name, Account, Region string

	Bundle         string // the content's id
	Certificates   int    // in the bundle
	Revocations    []Revocation
	LastRevocation int64 // the highest id that was given
}

// RevokedEntries returns how many certificates its lists revoke.
func (t TrustStore) RevokedEntries() (n int) {
	for _, r := range t.Revocations {
		n += r.Entries
	}
	return n
}

// Revocation is a certificate revocation list (RFC 5280 §5).
type Revocation struct {
	ID      int64
	Entries int
	Content string // its id
}

// part is a piece of a content, by the content's id, a slash and its number.
type part struct {
	Data []byte
	Made time.Time
}

// partSize leaves room in a transaction for what JSON makes of it.
const partSize = 512 << 10

func partKey(content string, n int) string { return fmt.Sprintf("%s/%04d", content, n) }

// Kind says what was wrong with a call, by the ELBv2 error that it becomes.
type Kind string

// The kinds.
const (
	Invalid            Kind = "ValidationError"
	NotFound           Kind = "TrustStoreNotFound"
	Duplicate          Kind = "DuplicateTrustStoreName"
	TooMany            Kind = "TooManyTrustStores"
	InUse              Kind = "TrustStoreInUse"
	InvalidBundle      Kind = "InvalidCaCertificatesBundle"
	BundleNotFound     Kind = "CaCertificatesBundleNotFound"
	InvalidRevocation  Kind = "InvalidRevocationContent"
	RevocationMissing  Kind = "RevocationContentNotFound"
	RevocationNotFound Kind = "RevocationIdNotFound"
	TooManyEntries     Kind = "TooManyTrustStoreRevocationEntries"
	TooManyTags        Kind = "TooManyTags"
)

// Error is a call's fault, with the message for the caller.
type Error struct {
	Kind    Kind
	Message string
}

func (e *Error) Error() string { return string(e.Kind) + ": " + e.Message }

func fail(k Kind, format string, args ...any) error {
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...)}
}
