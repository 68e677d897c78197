package jwt_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/proxy/jwt"
)

func TestKeysThatNoTokenCanBeCheckedByArePassedOver(t *testing.T) {
	usable := jwk("e", &ecKey.PublicKey)
	for name, other := range map[string]string{
		"for encryption":             jwk("o", &otherEC.PublicKey, `"use":"enc"`),
		"for another algorithm":      jwk("o", &otherEC.PublicKey, `"alg":"ES512"`),
		"of RSA, for EC's":           jwk("o", &rsaKey.PublicKey, `"alg":"ES256"`),
		"for PSS":                    jwk("o", &rsaKey.PublicKey, `"alg":"PS256"`),
		"to sign":                    jwk("o", &otherEC.PublicKey, `"key_ops":["sign"]`),
		"of another curve":           jwk("o", &bigEC.PublicKey),
		"too short":                  jwk("o", &rsaLess.PublicKey),
		"a secret":                   `{"kty":"oct","kid":"o","k":"AAAA","alg":"HS256"}`,
		"Ed25519":                    `{"kty":"OKP","kid":"o","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
		"a point off the curve":      `{"kty":"EC","kid":"o","crv":"P-256","x":"` + strings.Repeat("A", 43) + `","y":"` + strings.Repeat("A", 43) + `"}`,
		"a member twice":             jwk("o", &otherEC.PublicKey, `"kid":"e"`),
		"a kid that is no text":      jwk("", &otherEC.PublicKey, `"kid":7`),
		"an even exponent":           `{"kty":"RSA","kid":"o","n":"` + strings.Repeat("_", 342) + `","e":"Ag"}`,
		"an exponent without bounds": `{"kty":"RSA","kid":"o","n":"` + strings.Repeat("_", 342) + `","e":"AQAAAAE"}`,
		"a modulus without bounds":   `{"kty":"RSA","kid":"o","n":"` + strings.Repeat("_", 1600) + `","e":"AQAB"}`,
		"no object":                  `"key"`,
	} {
		for i, set := range [][]byte{jwks(other, usable), jwks(usable, other)} {
			if got := jwt.New(issuer, nil).Check(sign(ecKey, byEC, good()), mustParse(t, set), now); got != jwt.Valid {
				t.Errorf("%s, %d: got %v for the key beside it", name, i, got)
			}
			if got := jwt.New(issuer, nil).Check(sign(otherEC, `{"alg":"ES256","kid":"o"}`, good()), mustParse(t, set), now); got != jwt.KeyUnknown {
				t.Errorf("%s, %d: got %v, want %v", name, i, got, jwt.KeyUnknown)
			}
		}
		if _, err := jwt.ParseSet(jwks(other)); err == nil {
			t.Errorf("%s: a set of it alone was taken", name)
		}
	}
}

func TestKeysMaySayWhatTheyAreFor(t *testing.T) {
	for _, more := range []string{`"use":"sig"`, `"alg":"ES256"`, `"key_ops":["verify"]`, `"x5c":["MII="],"x5t":"a"`} {
		set := mustParse(t, jwks(jwk("e", &ecKey.PublicKey, more)))
		if got := jwt.New(issuer, nil).Check(sign(ecKey, byEC, good()), set, now); got != jwt.Valid {
			t.Errorf("%s: got %v", more, got)
		}
	}
}

func TestSetsAreBounded(t *testing.T) {
	many := strings.Split(strings.Repeat(jwk("e", &ecKey.PublicKey)+" ", jwt.MaxKeys), " ")[:jwt.MaxKeys]
	if _, err := jwt.ParseSet(jwks(many...)); err != nil {
		t.Errorf("%d keys: %v", len(many), err)
	}
	if _, err := jwt.ParseSet(jwks(append(many, `{"kty":"oct"}`)...)); !errors.Is(err, jwt.ErrTooManyKeys) {
		t.Errorf("one more: got %v, want %v", err, jwt.ErrTooManyKeys)
	}
	long := append(jwks(many...), strings.Repeat(" ", jwt.MaxSetBytes)...)
	for name, set := range map[string]string{
		"too long": string(long), "nothing": "", "a list": "[]", "no keys": `{"keys":[]}`, "no list": `{"keys":{}}`, "something else": `{"key":[]}`,
		"the keys twice": `{"keys":[],"keys":[` + many[0] + `]}`, "HTML": "<html>", "cut off": `{"keys":[` + many[0],
	} {
		if _, err := jwt.ParseSet([]byte(set)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Without a name a token finds the one key that can be meant.
func TestATokenWithoutAKeysNameIsCheckedByTheOnlyKeyOfItsAlgorithm(t *testing.T) {
	nameless := sign(ecKey, `{"alg":"ES256"}`, good())
	for name, tt := range map[string]struct {
		set  []byte
		want jwt.Reason
	}{
		"the only key":        {jwks(jwk("e", &ecKey.PublicKey)), jwt.Valid},
		"the only one of EC":  {jwks(jwk("r", &rsaKey.PublicKey), jwk("e", &ecKey.PublicKey)), jwt.Valid},
		"the only one of RSA": {jwks(jwk("r", &rsaKey.PublicKey)), jwt.KeyUnknown},
		"one of two":          {jwks(jwk("e", &ecKey.PublicKey), jwk("o", &otherEC.PublicKey)), jwt.KeyUnknown},
	} {
		if got := jwt.New(issuer, nil).Check(nameless, mustParse(t, tt.set), now); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
	twins := mustParse(t, jwks(jwk("e", &otherEC.PublicKey), jwk("e", &ecKey.PublicKey)))
	if got := jwt.New(issuer, nil).Check(sign(ecKey, byEC, good()), twins, now); got != jwt.Valid {
		t.Errorf("two keys of one name: got %v", got)
	}
}
