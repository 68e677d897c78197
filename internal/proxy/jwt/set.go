package jwt

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// Limits of a key set, those of the first two the service's (ALB user guide, "JWT validation
// limits").
const (
	MaxSetBytes = 150 << 10
	MaxKeys     = 10

	minModulus = 2048 // bits: RFC 7518 §3.3
	maxModulus = 8192 // what is more takes a host's time
)

// Set is the keys of an issuer (RFC 7517 §5). It never changes.
type Set struct{ keys []key }

// algorithm is what a key is for: its own, not that of a token.
type algorithm uint8

const (
	none algorithm = iota
	rs256
	es256
)

// algorithmOf returns an algorithm by its name. There are no others, "none" and those
// with a secret least of all.
func algorithmOf[T string | []byte](name T) algorithm {
	switch string(name) {
	case "RS256":
		return rs256
	case "ES256":
		return es256
	}
	return none
}

// key is a key with what it is for.
type key struct {
	id  string // "": it has no name
	alg algorithm
	rsa *rsa.PublicKey   // of rs256
	ec  *ecdsa.PublicKey // of es256
}

var base64URL = base64.RawURLEncoding.Strict()

// ErrTooManyKeys is a set with more than MaxKeys.
var ErrTooManyKeys = errors.New("the set has too many keys")

// ParseSet reads a set. Keys that no token can be checked by are passed over (RFC 7517
// §5): those of other kinds, for encryption, or too short. A set without any is none.
func ParseSet(b []byte) (*Set, error) {
	if len(b) > MaxSetBytes {
		return nil, fmt.Errorf("the key set has %d bytes, the limit is %d", len(b), MaxSetBytes)
	}
	var outer, inner scanner
	members, ok := outer.object(b)
	if !ok {
		return nil, errors.New("the key set is not a JSON object with each member once")
	}
	list := find(members, "keys")
	if list == nil || list.kind != array {
		return nil, errors.New("the key set has no list of keys")
	}
	set, n := new(Set), 0
	for raw := range outer.raw(list.value) {
		if n++; n > MaxKeys {
			return nil, fmt.Errorf("%w: the limit is %d", ErrTooManyKeys, MaxKeys)
		}
		if members, ok := inner.object(raw); ok {
			if k, ok := parseKey(members); ok {
				set.keys = append(set.keys, k)
			}
		}
	}
	if len(set.keys) == 0 {
		return nil, errors.New("the key set has no key for RS256 or ES256")
	}
	return set, nil
}

// raw yields the elements of an array as they are written.
func (s *scanner) raw(value []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		s.rest = value[1:]
		for !s.next(']') {
			s.next(',')
			s.space()
			before := s.rest
			_, _ = s.skip(0)
			if !yield(before[:len(before)-len(s.rest)]) {
				return
			}
		}
	}
}

// parseKey makes a key of its members; false if it is for something else.
func parseKey(members []member) (k key, ok bool) {
	say := func(name string) (string, bool) {
		m := find(members, name)
		switch {
		case m == nil:
			return "", true
		case m.kind != text:
			return "", false
		}
		return string(m.value), true
	}
	fields := map[string]string{}
	for _, name := range []string{"kty", "use", "alg", "kid", "crv", "n", "e", "x", "y"} {
		if fields[name], ok = say(name); !ok {
			return key{}, false
		}
	}
	if use := fields["use"]; use != "" && use != "sig" {
		return key{}, false
	}
	if ops := find(members, "key_ops"); ops != nil {
		var s scanner
		verifies := false
		if ops.kind != array {
			return key{}, false
		}
		s.elements(ops.value, func(_ kind, op []byte) bool { verifies = string(op) == "verify"; return !verifies })
		if !verifies {
			return key{}, false
		}
	}
	k.id = fields["kid"]
	switch {
	case fields["kty"] == "RSA":
		k.alg, k.rsa = rs256, parseRSA(fields["n"], fields["e"])
		ok = k.rsa != nil
	case fields["kty"] == "EC" && fields["crv"] == "P-256":
		k.alg, k.ec = es256, parseP256(fields["x"], fields["y"])
		ok = k.ec != nil
	default:
		return key{}, false
	}
	return k, ok && (fields["alg"] == "" || algorithmOf(fields["alg"]) == k.alg)
}

// parseRSA makes a public key of its parameters (RFC 7518 §6.3.1); nil of what is no
// good one.
func parseRSA(n, e string) *rsa.PublicKey {
	modulus, err := base64URL.DecodeString(n)
	if err != nil {
		return nil
	}
	exponent, err := base64URL.DecodeString(e)
	if err != nil || len(exponent) > 4 {
		return nil
	}
	k := &rsa.PublicKey{N: new(big.Int).SetBytes(modulus)}
	for _, b := range exponent {
		k.E = k.E<<8 | int(b)
	}
	if bits := k.N.BitLen(); bits < minModulus || bits > maxModulus || k.N.Bit(0) == 0 || k.E < 3 || k.E&1 == 0 || k.E > 1<<31-1 {
		return nil
	}
	return k
}

// parseP256 makes a public key of its coordinates (RFC 7518 §6.2.1); nil of what is no
// point of the curve.
func parseP256(x, y string) *ecdsa.PublicKey {
	const size = 32
	a, err := base64URL.DecodeString(x)
	if err != nil || len(a) != size {
		return nil
	}
	b, err := base64URL.DecodeString(y)
	if err != nil || len(b) != size {
		return nil
	}
	k, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, a, b))
	if err != nil {
		return nil
	}
	return k
}

// candidates yields the keys that a token may be signed by: those of its algorithm
// that have the name which it says; and the only one of its algorithm, if it says none (OpenID
// Connect Core §10.1).
func (s *Set) candidates(alg algorithm, id []byte, named bool) func(yield func(*key) bool) {
	return func(yield func(*key) bool) {
		if alg == none {
			return
		}
		var only *key
		for i := range s.keys {
			k := &s.keys[i]
			switch {
			case k.alg != alg:
			case !named && only != nil:
				return
			case !named:
				only = k
			case k.id == string(id) && !yield(k):
				return
			}
		}
		if only != nil {
			yield(only)
		}
	}
}
