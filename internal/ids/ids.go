// Package ids makes identifiers: a kind's prefix and random hex digits, as AWS
// shapes them. It is safe for concurrent use.
package ids

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
)

// New returns prefix followed by the given number of random hex digits.
func New(prefix string, digits int) string {
	b := make([]byte, (digits+1)/2)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return prefix + hex.EncodeToString(b)[:digits]
}

// EC2 returns an EC2 resource id: prefix, a hyphen and 17 hex digits.
func EC2(prefix string) string { return New(prefix+"-", 17) }

// Decimal returns a random number of exactly the given count of digits, as in
// a load balancer's DNS name.
func Decimal(digits int) string {
	b := make([]byte, digits)
	_, _ = rand.Read(b)
	for i := range b {
		b[i] = '0' + b[i]%10
	}
	if b[0] == '0' {
		b[0] = '1'
	}
	return string(b)
}

// WellFormed says whether id is prefix, a hyphen, and hex digits (at least 8:
// EC2 had ids of that length, and clients' tests still use them).
func WellFormed(id, prefix string) bool {
	hexPart, ok := strings.CutPrefix(id, prefix+"-")
	if !ok || len(hexPart) < 8 {
		return false
	}
	for _, c := range hexPart {
		if !strings.ContainsRune("0123456789abcdef", c) {
			return false
		}
	}
	return true
}
