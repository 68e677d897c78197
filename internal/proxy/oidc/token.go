package oidc

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// The fields that a target has of a client that has logged in (ELB user guide, "User
// claims encoding and signature verification"). No client can send them itself.
const (
	AccessTokenField = "x-amzn-oidc-accesstoken"
	IdentityField    = "x-amzn-oidc-identity"
	DataField        = "x-amzn-oidc-data"
)

// A token counts for tokenLife. It is sent for no longer than half of that, so that a
// target has time to look at it.
const tokenLife = 2 * time.Minute

// Fields are the lines that a session's requests have for their targets.
type Fields struct {
	Lines []byte
	Until time.Time // they count no longer than that
}

// Fields returns the lines of a session, with a token that is signed now.
func (c *Client) Fields(s *Session, now time.Time) (*Fields, error) {
	token, err := c.sign(s, now)
	if err != nil {
		return nil, err
	}
	lines := make([]byte, 0, len(AccessTokenField)+len(s.AccessToken)+len(IdentityField)+len(s.Subject)+len(DataField)+len(token)+3*len(": \r\n"))
	for _, f := range []struct {
		name  string
		value []byte
	}{{AccessTokenField, []byte(s.AccessToken)}, {IdentityField, []byte(s.Subject)}, {DataField, token}} {
		lines = append(lines, f.name...)
		lines = append(lines, ": "...)
		lines = append(lines, f.value...)
		lines = append(lines, "\r\n"...)
	}
	until := now.Add(tokenLife / 2)
	if end := s.Made.Add(c.config.Timeout); end.Before(until) {
		until = end
	}
	if s.RefreshToken != "" && !s.Refresh.IsZero() && s.Refresh.Before(until) {
		until = s.Refresh
	}
	return &Fields{lines, until}, nil
}

// tokenHeader returns the header of all tokens of a client, but for the time and what
// follows it.
func tokenHeader(kid string, c Config) (string, error) {
	b, err := json.Marshal(struct {
		Typ    string `json:"typ"`
		Kid    string `json:"kid"`
		Alg    string `json:"alg"`
		Iss    string `json:"iss"`
		Client string `json:"client"`
		Signer string `json:"signer"`
	}{"JWT", kid, "ES256", c.Issuer, c.ClientID, c.LoadBalancer})
	if err != nil {
		return "", fmt.Errorf("encode the header of tokens: %w", err)
	}
	return string(b[:len(b)-1]) + `,"exp":`, nil
}

// sign makes the token of a session: a JWT, but with the padding that ELB gives each
// of its parts, which is signed too.
func (c *Client) sign(s *Session, now time.Time) ([]byte, error) {
	exp := strconv.FormatInt(now.Add(tokenLife).Unix(), 10)
	header := c.header + exp + "}"
	payload, err := withTimes(s.Claims, c.config.Issuer, exp)
	if err != nil {
		return nil, err
	}
	enc := base64.URLEncoding
	token := make([]byte, 0, enc.EncodedLen(len(header))+enc.EncodedLen(len(payload))+enc.EncodedLen(64)+2)
	token = enc.AppendEncode(token, []byte(header))
	token = append(token, '.')
	token = enc.AppendEncode(token, payload)
	sum := sha256.Sum256(token)
	r, t, err := ecdsa.Sign(rand.Reader, c.keys.signer, sum[:])
	if err != nil {
		return nil, fmt.Errorf("sign a token: %w", err)
	}
	var signature [64]byte // RFC 7518 §3.4
	r.FillBytes(signature[:32])
	t.FillBytes(signature[32:])
	token = append(token, '.')
	return enc.AppendEncode(token, signature[:]), nil
}

// withTimes returns the claims, which are a JSON object, with "exp" and "iss" at their
// end, as ELB adds them. What the provider said of these is the same claim before:
// it is left out.
func withTimes(claims []byte, issuer, exp string) ([]byte, error) {
	iss, err := json.Marshal(issuer)
	if err != nil {
		return nil, fmt.Errorf("encode the issuer: %w", err)
	}
	if bytes.Contains(claims, []byte(`"exp"`)) || bytes.Contains(claims, []byte(`"iss"`)) || bytes.Contains(claims, []byte(`\u`)) {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(claims, &members); err != nil {
			return nil, fmt.Errorf("decode the claims of a session: %w", err)
		}
		delete(members, "exp")
		delete(members, "iss")
		if claims, err = json.Marshal(members); err != nil {
			return nil, fmt.Errorf("encode the claims of a session: %w", err)
		}
	}
	claims = bytes.TrimRight(claims, " \t\r\n")
	if len(claims) < 2 || claims[len(claims)-1] != '}' {
		return nil, fmt.Errorf("the claims of a session are no JSON object")
	}
	out := append([]byte(nil), claims[:len(claims)-1]...)
	if last := bytes.TrimRight(out, " \t\r\n"); last[len(last)-1] != '{' {
		out = append(out, ',')
	}
	out = append(out, `"exp":`...)
	out = append(out, exp...)
	out = append(out, `,"iss":`...)
	out = append(out, iss...)
	return append(out, '}'), nil
}
