package jwt_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/jwt"
)

var (
	now    = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	b64    = base64.RawURLEncoding.EncodeToString
	issuer = "https://id.test/"

	rsaKey, _  = rsa.GenerateKey(rand.Reader, 2048)
	rsaLess, _ = rsa.GenerateKey(rand.Reader, 1024)
	ecKey, _   = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	otherEC, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	bigEC, _   = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
)

// jwk writes a public key.
func jwk(id string, k crypto.PublicKey, more ...string) string {
	var fields []string
	if id != "" {
		fields = append(fields, fmt.Sprintf(`"kid":%q`, id))
	}
	switch k := k.(type) {
	case *rsa.PublicKey:
		fields = append(fields, `"kty":"RSA"`, fmt.Sprintf(`"n":%q`, b64(k.N.Bytes())), fmt.Sprintf(`"e":%q`, b64(big.NewInt(int64(k.E)).Bytes())))
	case *ecdsa.PublicKey:
		point, _ := k.Bytes()
		half := len(point) / 2
		fields = append(fields, `"kty":"EC"`, fmt.Sprintf(`"crv":%q`, k.Params().Name), fmt.Sprintf(`"x":%q`, b64(point[1:1+half])), fmt.Sprintf(`"y":%q`, b64(point[1+half:])))
	}
	return "{" + strings.Join(append(fields, more...), ",") + "}"
}

func jwks(keys ...string) []byte { return []byte(`{"keys":[` + strings.Join(keys, ",") + `]}`) }

func mustParse(t testing.TB, b []byte) *jwt.Set {
	t.Helper()
	s, err := jwt.ParseSet(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// bothKeys is a set of a key of each algorithm.
func bothKeys(t testing.TB) *jwt.Set {
	return mustParse(t, jwks(jwk("r", &rsaKey.PublicKey), jwk("e", &ecKey.PublicKey)))
}

// sign writes a token with whatever header and payload, signed by the key.
func sign(k crypto.Signer, header, payload string) []byte {
	signed := b64([]byte(header)) + "." + b64([]byte(payload))
	return []byte(signed + "." + b64(signature(k, signed)))
}

func signature(k crypto.Signer, signed string) []byte {
	digest := sha256.Sum256([]byte(signed))
	switch k := k.(type) {
	case *rsa.PrivateKey:
		s, _ := rsa.SignPKCS1v15(nil, k, crypto.SHA256, digest[:])
		return s
	case *ecdsa.PrivateKey:
		r, s, _ := ecdsa.Sign(rand.Reader, k, digest[:])
		n := (k.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, n)), s.FillBytes(make([]byte, n))...)
	}
	return nil
}

// good is a payload that may pass, with more members.
func good(more ...string) string {
	return fmt.Sprintf(`{"iss":%q,"exp":%d%s}`, issuer, now.Unix()+60, strings.Join(append([]string{""}, more...), ","))
}

const (
	byRSA = `{"alg":"RS256","kid":"r","typ":"JWT"}`
	byEC  = `{"alg":"ES256","kid":"e","typ":"JWT"}`
)
