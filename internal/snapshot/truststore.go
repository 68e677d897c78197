package snapshot

import (
	"bytes"
	"slices"
	"sort"
)

// MutualMode is how clients authenticate themselves (ELBv2
// MutualAuthenticationAttributes.Mode).
type MutualMode string

// The modes in which clients are asked for a certificate.
const (
	MutualPassthrough MutualMode = "passthrough" // whatever it is, targets are told of it
	MutualVerify      MutualMode = "verify"      // it must be one that a trust store vouches for
)

// Mutual is how a listener has its clients authenticate themselves.
type Mutual struct {
	Mode         MutualMode
	TrustStore   string `json:",omitempty"` // ARN; of MutualVerify, as the following
	IgnoreExpiry bool   `json:",omitempty"` // clients' certificates may have expired
	Advertise    bool   `json:",omitempty"` // clients are told whom the trust store believes
}

// TrustStore is what clients' certificates are verified against.
type TrustStore struct {
	ARN         string
	Authorities [][]byte       // certificates, in DER
	Revocations []*Revocations `json:",omitempty"`

	// Error says why nobody can be verified by it, with the remedy; "": it is whole.
	Error string `json:",omitempty"`
}

// Revocations is a certificate revocation list, checked, as far as it matters to
// who verifies.
type Revocations struct {
	ID      int64  // ELBv2 TrustStoreRevocation.RevocationId
	Issuer  []byte // the name of whose certificates are revoked, in DER
	Serials SerialSet

	// Error says why certificates of the issuer can't be told revoked or not by the
	// list; "": they can.
	Error string `json:",omitempty"`
}

// SerialSet is a set of serial numbers of certificates that takes little more room
// than the numbers themselves: a million of 16 bytes are 16 MB, and found in 20
// comparisons.
type SerialSet []SerialRun // by width

// SerialRun is the serial numbers of one width.
type SerialRun struct {
	Width  int    // bytes
	Sorted []byte // the numbers, in big endian, one behind the other
}

// NewSerialSet returns the set of the numbers, each in big endian.
func NewSerialSet(serials [][]byte) SerialSet {
	byWidth := map[int][][]byte{}
	for _, s := range serials {
		s = canonical(s)
		byWidth[len(s)] = append(byWidth[len(s)], s)
	}
	var out SerialSet
	for width, list := range byWidth {
		slices.SortFunc(list, bytes.Compare)
		list = slices.CompactFunc(list, bytes.Equal)
		out = append(out, SerialRun{width, bytes.Join(list, nil)})
	}
	slices.SortFunc(out, func(a, b SerialRun) int { return a.Width - b.Width })
	return out
}

// canonical is without leading zeros; zero itself has one.
func canonical(serial []byte) []byte {
	if s := bytes.TrimLeft(serial, "\x00"); len(s) > 0 {
		return s
	}
	return []byte{0}
}

// Has says whether the number is in the set.
func (s SerialSet) Has(serial []byte) bool {
	serial = canonical(serial)
	for _, r := range s {
		if r.Width != len(serial) {
			continue
		}
		n := len(r.Sorted) / r.Width
		at := func(i int) []byte { return r.Sorted[i*r.Width : (i+1)*r.Width] }
		i := sort.Search(n, func(i int) bool { return bytes.Compare(at(i), serial) >= 0 })
		return i < n && bytes.Equal(at(i), serial)
	}
	return false
}

// Len returns how many numbers are in the set.
func (s SerialSet) Len() (n int) {
	for _, r := range s {
		n += len(r.Sorted) / r.Width
	}
	return n
}
