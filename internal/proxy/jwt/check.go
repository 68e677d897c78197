package jwt

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"strconv"
	"strings"
	"sync"
	"time"
)

// MaxTokenBytes is how long a token may be: as long as a field of a request (Elastic Load
// Balancing quotas: a header line of 16 K).
const MaxTokenBytes = 16 << 10

// Reason is why a request may not pass.
type Reason uint8

// The reasons, by what access logs call them.
const (
	Valid              Reason = iota // it may
	HeaderNotPresent                 // there is no Authorization
	FormatInvalid                    // there is no token in it that could be one of ours
	KeyUnknown                       // the token says that it is signed by a key that isn't in the set
	SignatureInvalid                 // it isn't signed by the key
	ClaimNotPresent                  // a claim is missing
	ClaimFormatInvalid               // a claim is not what it has to be
	ClaimValueInvalid                // a claim says what it must not
)

var reasons = [...]string{
	Valid: "", HeaderNotPresent: "JWTHeaderNotPresent", FormatInvalid: "JWTRequestFormatInvalid",
	KeyUnknown: "JWTSignatureValidationError", SignatureInvalid: "JWTSignatureValidationError",
	ClaimNotPresent: "JWTClaimNotPresent", ClaimFormatInvalid: "JWTClaimFormatInvalid", ClaimValueInvalid: "JWTClaimValueInvalid",
}

// String returns what access logs call it (ALB user guide, "Error reason codes").
func (r Reason) String() string { return reasons[r] }

// Format is what a claim has to be (ELBv2 JwtValidationActionAdditionalClaim.Format).
type Format string

// The formats.
const (
	SingleString Format = "single-string"          // a text, one of the values
	StringArray  Format = "string-array"           // a list of texts, one of the values among them
	SpaceValues  Format = "space-separated-values" // a text of words, one of the values among them
)

// Claim is what a token has to say beside what all have to.
type Claim struct {
	Name   string
	Format Format
	Values []string
}

// Checker checks tokens of one issuer.
type Checker struct {
	issuer string
	claims []Claim
	known  known
}

// New returns a checker of tokens of the issuer that have the claims.
func New(issuer string, claims []Claim) *Checker { return &Checker{issuer: issuer, claims: claims} }

// scratch is what a check works with.
type scratch struct {
	scanner scanner
	decoded []byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// Token returns the token of an Authorization field (RFC 6750 §2.1); false if there is
// none that could be a JWT.
func Token(authorization []byte) ([]byte, bool) {
	const scheme = "Bearer "
	if len(authorization) < len(scheme) || !strings.EqualFold(string(authorization[:len(scheme)]), scheme) {
		return nil, false
	}
	token := bytes.TrimLeft(authorization[len(scheme):], " ")
	return token, len(token) > 0 && len(token) <= MaxTokenBytes
}

// Check says whether a token is good at a time, by the keys.
func (c *Checker) Check(token []byte, keys *Set, now time.Time) Reason {
	if len(token) > MaxTokenBytes {
		return FormatInvalid
	}
	digest := sha256.Sum256(token)
	if c.known.has(&digest, keys, now) {
		return Valid
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	payload, reason := s.verify(token, keys)
	if reason != Valid {
		return reason
	}
	times, reason := c.checkClaims(s, payload, now)
	if reason == Valid {
		c.known.add(&digest, keys, times)
	}
	return reason
}

// decode appends what a part of a token stands for.
func (s *scratch) decode(part []byte) ([]byte, bool) {
	if bytes.ContainsAny(part, "\r\n") { // which the decoder passes over
		return nil, false
	}
	n := len(s.decoded)
	b, err := base64URL.AppendDecode(s.decoded, part)
	if err != nil {
		return nil, false
	}
	s.decoded = b
	return b[n:len(b):len(b)], true
}

// verify holds a token against the keys, and returns what is signed.
func (s *scratch) verify(token []byte, keys *Set) (payload []byte, _ Reason) {
	s.decoded = s.decoded[:0]
	head, rest, _ := bytes.Cut(token, []byte{'.'})
	body, sign, ok := bytes.Cut(rest, []byte{'.'})
	if !ok {
		return nil, FormatInvalid
	}
	alg, id, named, ok := s.header(head)
	if !ok {
		return nil, FormatInvalid
	}
	if payload, ok = s.decode(body); !ok {
		return nil, FormatInvalid
	}
	signature, ok := s.decode(sign)
	if !ok {
		return nil, FormatInvalid
	}
	digest := sha256.Sum256(token[:len(head)+1+len(body)])
	reason := KeyUnknown
	for k := range keys.candidates(alg, id, named) {
		if k.signed(&digest, signature) {
			return payload, Valid
		}
		reason = SignatureInvalid
	}
	return nil, reason
}

// header reads a token's header (RFC 7515 §4.1). It says which key of ours to try, and
// nothing else: that it brings a key, or wants to be understood in another way, is no token for
// us. A digest of a certificate is only another name.
func (s *scratch) header(part []byte) (alg algorithm, id []byte, named, ok bool) {
	b, ok := s.decode(part)
	if !ok {
		return none, nil, false, false
	}
	members, ok := s.scanner.object(b)
	if !ok {
		return none, nil, false, false
	}
	for i := range members {
		switch m := &members[i]; string(m.name) {
		case "alg":
			if m.kind == text {
				alg = algorithmOf(m.value)
			}
		case "kid":
			if id, named = m.value, true; m.kind != text {
				return none, nil, false, false
			}
		case "crit", "jwk", "jku", "x5u", "x5c":
			return none, nil, false, false
		}
	}
	return alg, id, named, alg != none
}

// signed says whether the signature is the key's.
func (k *key) signed(digest *[sha256.Size]byte, signature []byte) bool {
	switch k.alg {
	case rs256:
		return rsa.VerifyPKCS1v15(k.rsa, crypto.SHA256, digest[:], signature) == nil
	case es256:
		const half = 32 // RFC 7518 §3.4: R and S, each as long as the key
		if len(signature) != 2*half {
			return false
		}
		var room [72]byte
		der := appendInteger(append(room[:0], 0x30, 0), signature[:half])
		der = appendInteger(der, signature[half:])
		der[1] = byte(len(der) - 2)
		return ecdsa.VerifyASN1(k.ec, digest[:], der)
	case none:
	}
	return false
}

// appendInteger appends a number that isn't negative in DER (X.690 §8.3).
func appendInteger(dst, n []byte) []byte {
	for len(n) > 1 && n[0] == 0 {
		n = n[1:]
	}
	if n[0] >= 0x80 {
		dst = append(dst, 2, byte(len(n)+1), 0)
	} else {
		dst = append(dst, 2, byte(len(n)))
	}
	return append(dst, n...)
}

// times are when a token counts: in seconds since 1970, not before from, and before until.
type times struct{ from, until float64 }

func (t times) include(now time.Time) bool {
	at := float64(now.UnixMilli()) / 1000
	return t.from <= at && at < t.until
}

// checkClaims holds what is signed to what it has to say. Clocks may not differ: the service
// documents no leeway.
func (c *Checker) checkClaims(s *scratch, payload []byte, now time.Time) (t times, _ Reason) {
	members, ok := s.scanner.object(payload)
	if !ok {
		return t, FormatInvalid
	}
	iss, exp := find(members, "iss"), find(members, "exp")
	if iss == nil || exp == nil {
		return t, ClaimNotPresent
	}
	if t.until, ok = exp.date(); !ok || iss.kind != text {
		return t, ClaimFormatInvalid
	}
	for _, name := range [...]string{"nbf", "iat"} {
		if m := find(members, name); m != nil {
			from, ok := m.date()
			if !ok {
				return t, ClaimFormatInvalid
			}
			t.from = max(t.from, from)
		}
	}
	if string(iss.value) != c.issuer || !t.include(now) {
		return t, ClaimValueInvalid
	}
	for i := range c.claims {
		if r := c.claims[i].check(&s.scanner, members); r != Valid {
			return t, r
		}
	}
	return t, Valid
}

// date reads a NumericDate (RFC 7519 §2).
func (m *member) date() (seconds float64, ok bool) {
	if m.kind != number || len(m.value) > 32 {
		return 0, false
	}
	seconds, err := strconv.ParseFloat(string(m.value), 64)
	return seconds, err == nil
}

// check says whether the members have the claim.
func (c *Claim) check(s *scanner, members []member) Reason {
	m := find(members, c.Name)
	want := text
	if c.Format == StringArray {
		want = array
	}
	switch {
	case m == nil:
		return ClaimNotPresent
	case m.kind != want:
		return ClaimFormatInvalid
	}
	found := false
	switch c.Format {
	case SingleString:
		found = c.allows(m.value)
	case SpaceValues:
		for word := range bytes.SplitSeq(m.value, []byte{' '}) {
			found = found || c.allows(word)
		}
	case StringArray:
		texts := true
		s.elements(m.value, func(k kind, t []byte) bool {
			found, texts = found || k == text && c.allows(t), texts && k == text
			return texts
		})
		if !texts {
			return ClaimFormatInvalid
		}
	}
	if !found {
		return ClaimValueInvalid
	}
	return Valid
}

func (c *Claim) allows(value []byte) bool {
	for _, v := range c.Values {
		if v == string(value) {
			return true
		}
	}
	return false
}
