package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// clockSkew is how far the provider's clock and ours may be apart.
const clockSkew = time.Minute

// maxSubject is how long a subject may be (OpenID Connect Core §2).
const maxSubject = 255

// Algorithms that ID tokens may be signed with: by a key that the provider publishes,
// or by the client's secret. A token that isn't signed isn't accepted, though OpenID
// Connect Core §2 has it.
var (
	published = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA}
	shared    = []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512}
)

// idToken is the claims that count.
type idToken struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience audience `json:"aud"`
	Party    string   `json:"azp"`
	Expires  *float64 `json:"exp"`
	Issued   *float64 `json:"iat"`
	Nonce    string   `json:"nonce"`
}

// audience is one, or an array of several.
type audience []string

// UnmarshalJSON implements json.Unmarshaler.
func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// verify holds an ID token to OpenID Connect Core §3.1.3.7 and returns its subject.
// Without a nonce none is asked for.
//
// The token has come from the provider itself, within TLS, which is enough to know
// whose it is (rule 6). Its signature counts besides, where the provider tells by which
// keys: the issuer's discovery document isn't part of an action, and may not be there.
func (p *Provider) verify(ctx context.Context, token string, nonce *string, now time.Time) (subject string, err error) {
	parsed, err := jose.ParseSigned(token, slices.Concat(published, shared))
	if err != nil {
		return "", fmt.Errorf("the ID token is not a signed JWT: %w", err)
	}
	if len(parsed.Signatures) != 1 {
		return "", errors.New("the ID token has not one signature")
	}
	header := parsed.Signatures[0].Header
	payload := parsed.UnsafePayloadWithoutVerification()
	if slices.Contains(shared, jose.SignatureAlgorithm(header.Algorithm)) {
		if p.config.ClientSecret == "" {
			return "", errors.New("the ID token is signed with a secret that the client doesn't have")
		}
		if payload, err = parsed.Verify([]byte(p.config.ClientSecret)); err != nil {
			return "", fmt.Errorf("the ID token's signature: %w", err)
		}
	} else if keys := p.keys.forKey(ctx, header.KeyID, now); keys != nil {
		if payload, err = verifyWith(parsed, keys, header.KeyID); err != nil {
			return "", err
		}
	}
	var t idToken
	if err := json.Unmarshal(payload, &t); err != nil {
		return "", fmt.Errorf("the ID token's claims: %w", err)
	}
	switch {
	case t.Issuer != p.config.Issuer:
		return "", fmt.Errorf("the ID token is %.200q's, not the issuer's", t.Issuer)
	case !slices.Contains(t.Audience, p.config.ClientID):
		return "", errors.New("the ID token is for another client")
	case t.Party != "" && t.Party != p.config.ClientID:
		return "", errors.New("the ID token is for another authorized party")
	case len(t.Audience) > 1 && t.Party == "":
		return "", errors.New("the ID token is for several clients and doesn't say whose it is")
	case t.Expires == nil || !now.Before(seconds(*t.Expires).Add(clockSkew)):
		return "", errors.New("the ID token has expired")
	case t.Issued != nil && seconds(*t.Issued).After(now.Add(clockSkew)):
		return "", errors.New("the ID token is from the future")
	case nonce != nil && t.Nonce != *nonce:
		return "", errors.New("the ID token has the nonce of another login, or none")
	case t.Subject == "" || len(t.Subject) > maxSubject || !visible(t.Subject):
		return "", errors.New("the ID token has no subject that a header can have")
	}
	return t.Subject, nil
}

// seconds returns the time of a NumericDate (RFC 7519 §2).
func seconds(f float64) time.Time {
	const most = 1 << 40 // beyond all dates
	return time.Unix(int64(max(0, min(f, most))), 0)
}

// verifyWith returns what a key of the set has signed.
func verifyWith(token *jose.JSONWebSignature, keys *jose.JSONWebKeySet, id string) ([]byte, error) {
	err := errors.New("none of the provider's keys is for it")
	for _, k := range keys.Keys {
		if id != "" && k.KeyID != "" && k.KeyID != id || k.Use != "" && k.Use != "sig" || !k.IsPublic() {
			continue
		}
		var payload []byte
		if payload, err = token.Verify(&k); err == nil {
			return payload, nil
		}
	}
	return nil, fmt.Errorf("the ID token's signature: %w", err)
}
