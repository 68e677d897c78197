package proxy

import (
	"context"
	"errors"
	"slices"

	"github.com/fairlead/fairlead/internal/proxy/jwks"
	"github.com/fairlead/fairlead/internal/proxy/jwt"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// tokens is the guard of a rule whose requests need a token (ELBv2 action
// jwt-validation).
type tokens struct {
	checker *jwt.Checker
	source  *jwks.Source
}

func (p *Proxy) newTokens(c *snapshot.JWTValidation) *tokens {
	claims := make([]jwt.Claim, len(c.Claims))
	for i, m := range c.Claims {
		claims[i] = jwt.Claim{Name: m.Name, Format: jwt.Format(m.Format), Values: slices.Clone(m.Values)}
	}
	return &tokens{jwt.New(c.Issuer, claims), p.keys.Source(c.JWKSEndpoint)}
}

func (*tokens) action() string { return "jwt-validation" }

func (g *tokens) check(q *inquiry) ruling {
	token, d := tokenOf(q)
	if token == nil {
		return d
	}
	keys, err := g.source.Keys(q.now)
	switch {
	case err != nil:
		return withoutKeys(err)
	case keys == nil:
		return ruling{verdict: open}
	}
	reason := g.checker.Check(token, keys, q.now)
	if reason == jwt.KeyUnknown && g.source.MayHaveOthers(keys, q.now) {
		return ruling{verdict: open}
	}
	return tokenRuling(reason)
}

func (g *tokens) ask(ctx context.Context, q *inquiry) ruling {
	token, d := tokenOf(q)
	if token == nil {
		return d
	}
	keys, err := g.source.Wait(ctx, q.now)
	if err != nil {
		return withoutKeys(err)
	}
	reason := g.checker.Check(token, keys, q.now)
	if reason == jwt.KeyUnknown {
		if keys, err = g.source.Others(ctx, keys, q.now); err != nil {
			return withoutKeys(err)
		}
		reason = g.checker.Check(token, keys, q.now)
	}
	return tokenRuling(reason)
}

// tokenOf returns the request's token; nil, and what is decided about it, if it has
// none that could be one, or two.
func tokenOf(q *inquiry) ([]byte, ruling) {
	var field []byte
	n := 0
	for field = range q.request.Header(q.head, "authorization") {
		n++
	}
	if n == 0 {
		return nil, tokenRuling(jwt.HeaderNotPresent)
	}
	token, ok := jwt.Token(field)
	if n > 1 || !ok {
		return nil, tokenRuling(jwt.FormatInvalid)
	}
	return token, ruling{}
}

// What a request is told that needs a token, or a better one (RFC 6750 §3, which RFC
// 9110 §15.5.2 asks for in some form). What is wrong with it is for logs alone.
var (
	wantsToken      = []byte("WWW-Authenticate: Bearer\r\n")
	wantsOtherToken = []byte("WWW-Authenticate: Bearer error=\"invalid_token\"\r\n")
)

func tokenRuling(reason jwt.Reason) ruling {
	switch reason {
	case jwt.Valid:
		return ruling{verdict: passes}
	case jwt.HeaderNotPresent:
		return ruling{verdict: refused, status: 401, reason: reason.String(), set: wantsToken}
	case jwt.FormatInvalid, jwt.KeyUnknown, jwt.SignatureInvalid, jwt.ClaimNotPresent, jwt.ClaimFormatInvalid, jwt.ClaimValueInvalid:
	}
	return ruling{verdict: refused, status: 401, reason: reason.String(), set: wantsOtherToken}
}

// withoutKeys is what is decided about requests that can't be for want of keys.
func withoutKeys(err error) ruling {
	d := ruling{verdict: refused, status: 500, reason: "JWKSRequestFailed"}
	if e, ok := errors.AsType[*jwks.Error](err); ok && e.TimedOut {
		d.reason = "JWKSRequestTimeout"
	}
	return d
}
