package jwt_test

import (
	"crypto"
	"encoding/json"
	"strings"
	"testing"

	jose "github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/internal/proxy/jwt"
)

// Whatever passes here, another implementation has to let pass too.
func FuzzNothingPassesThatAnotherLibraryRefuses(f *testing.F) {
	c, keys, set := jwt.New(issuer, nil), bothKeys(f), jose.JSONWebKeySet{}
	if err := json.Unmarshal(jwks(jwk("r", &rsaKey.PublicKey), jwk("e", &ecKey.PublicKey)), &set); err != nil {
		f.Fatal(err)
	}
	f.Add(byEC, good(), false, []byte(nil), uint(0))
	f.Add(byRSA, good(`"nbf":1`), true, []byte("x"), uint(10))
	f.Add(`{"alg":"none"}`, good(), true, []byte("."), uint(100))
	f.Fuzz(func(t *testing.T, header, payload string, byRSA bool, put []byte, at uint) {
		var k crypto.Signer = ecKey
		if byRSA {
			k = rsaKey
		}
		token := string(sign(k, header, payload))
		i := int(at % uint(len(token)+1))
		token = token[:i] + string(put) + token[min(len(token), i+len(put)):]
		if c.Check([]byte(token), keys, now) != jwt.Valid {
			return
		}
		parsed, err := josejwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
		if err != nil {
			t.Fatalf("%q: %v", token, err)
		}
		var claims josejwt.Claims
		if len(parsed.Headers) == 1 && parsed.Headers[0].KeyID != "" {
			err = parsed.Claims(&set, &claims)
		} else {
			err = parsed.Claims(k.Public(), &claims)
		}
		if err == nil {
			err = claims.ValidateWithLeeway(josejwt.Expected{Issuer: issuer, Time: now}, 0)
		}
		if err != nil {
			t.Fatalf("%q: %v", token, err)
		}
	})
}

func FuzzSetsOfKeys(f *testing.F) {
	f.Add(jwks(jwk("r", &rsaKey.PublicKey), jwk("e", &ecKey.PublicKey)))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"","y":""},{"kty":"RSA","n":"","e":""}]}`))
	token := sign(ecKey, byEC, good())
	f.Fuzz(func(t *testing.T, b []byte) {
		set, err := jwt.ParseSet(b)
		if err != nil {
			return
		}
		if !json.Valid(b) {
			t.Errorf("%q is no JSON", b)
		}
		jwt.New(issuer, nil).Check(token, set, now)
	})
}

// Of all tokens that can be made of some keys, names and algorithms, those pass that
// the key of the name has signed, by its own algorithm, unchanged.
func TestOnlyTokensPassThatAKeyOfTheSetHasSignedByItsAlgorithm(t *testing.T) {
	type pair struct {
		id, alg string
		key     crypto.Signer
		in      bool
	}
	pairs := []pair{{"r", "RS256", rsaKey, true}, {"e", "ES256", ecKey, true}, {"x", "ES256", otherEC, false}}
	keys := bothKeys(t)
	passed := 0
	rapid.Check(t, func(t *rapid.T) {
		signer := rapid.SampledFrom(pairs).Draw(t, "signer")
		id := rapid.SampledFrom([]string{"r", "e", "x"}).Draw(t, "kid")
		alg := rapid.SampledFrom([]string{"RS256", "ES256", "HS256", "none", "ES384"}).Draw(t, "alg")
		token := string(sign(signer.key, `{"alg":"`+alg+`","kid":"`+id+`"}`, good()))
		changed := token
		if rapid.Bool().Draw(t, "change") {
			i := rapid.IntRange(0, len(token)-1).Draw(t, "at")
			c := rapid.SampledFrom(strings.Split("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ ", "")).Draw(t, "by")
			changed = token[:i] + c + token[i+1:]
		}
		want := signer.in && id == signer.id && alg == signer.alg && changed == token
		got := jwt.New(issuer, nil).Check([]byte(changed), keys, now) == jwt.Valid
		if got != want {
			t.Fatalf("%s by the key %s: passes %v, want %v", changed, signer.id, got, want)
		}
		if got {
			passed++
		}
	})
	if passed == 0 {
		t.Error("no token has passed")
	}
}
