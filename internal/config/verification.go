package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Verification is the set of proofs of control that are accepted for a prefix
// that an account brings: VerificationNone alone, or any of the others. It is
// written as a list, or as a text with plus signs.
type Verification []string

// The proofs.
const (
	VerificationNone = "none" // none is asked for: the prefixes are the operator's own
	VerificationDNS  = "dns"  // a token in the reverse DNS
	VerificationX509 = "x509" // a signature whose certificate stands in a registry
)

// Has says whether a proof is accepted.
func (v Verification) Has(proof string) bool { return slices.Contains(v, proof) }

// UnmarshalText reads a text such as "dns+x509".
func (v *Verification) UnmarshalText(text []byte) error {
	*v = strings.Split(string(text), "+")
	return nil
}

// UnmarshalYAML reads a list, or such a text.
func (v *Verification) UnmarshalYAML(unmarshal func(any) error) error {
	var list []string
	if unmarshal(&list) == nil {
		*v = list
		return nil
	}
	var text string
	if unmarshal(&text) != nil {
		return errors.New("byoip.verification must be a text such as none or dns+x509, or a list of such")
	}
	return v.UnmarshalText([]byte(text))
}

func (v Verification) check() error {
	for _, proof := range v {
		if !slices.Contains([]string{VerificationNone, VerificationDNS, VerificationX509}, proof) {
			return fmt.Errorf("%q is not one of none, dns, x509, or several of them as in dns+x509", proof)
		}
	}
	switch {
	case len(v) == 0:
		return errors.New("is empty; none asks for no proof")
	case v.Has(VerificationNone) && len(v) > 1:
		return errors.New("none can't be combined: it asks for no proof")
	}
	return nil
}
