package proxy

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/meter"
	"github.com/fairlead/fairlead/internal/proxy/oidc"
	"github.com/fairlead/fairlead/internal/proxy/oidc/provider"
)

// callback is the guard of what clients bring back from the providers of a listener's
// rules, and of the keys that tell applications who has told them of a user. It lets
// nobody pass: the paths are the load balancer's own.
type callback struct{ logins []*login }

// callbackOf returns the callback of a listener's guards; nil if none needs one.
func callbackOf(guards []guard) *callback {
	c := new(callback)
	for _, g := range guards {
		if l, ok := g.(*login); ok {
			c.logins = append(c.logins, l)
		}
	}
	if c.logins == nil {
		return nil
	}
	return c
}

// reserved says whether the path is one of the load balancer's own.
func (c *callback) reserved(path []byte) bool {
	const prefix = "/oauth2/"
	if len(path) <= len(prefix) || string(path[:len(prefix)]) != prefix {
		return false
	}
	return string(path) == oidc.CallbackPath || len(path) > len(oidc.KeysPath) && string(path[:len(oidc.KeysPath)]) == oidc.KeysPath
}

func (*callback) action() string { return "authenticate" }

// check implements guard.
func (c *callback) check(q *inquiry) ruling {
	path := string(q.request.Path.Of(q.head))
	if path == oidc.CallbackPath {
		return ruling{} // the provider is to be asked
	}
	// A load balancer has one key, for all its logins.
	if keys := c.logins[0].keys; strings.TrimPrefix(path, oidc.KeysPath) == keys.ID {
		return ruling{verdict: refused, status: 200, text: keys.PEM}
	}
	return ruling{verdict: refused, status: 404}
}

// ask implements guard: the client has a code of its provider's, or what has kept the
// provider from giving it one (RFC 6749 §4.1.2).
func (c *callback) ask(ctx context.Context, q *inquiry) ruling {
	l := c.logins[0] // for what is none's
	said, err := url.ParseQuery(string(q.request.Query.Of(q.head)))
	if err != nil || len(said["state"]) != 1 || said.Get("state") == "" {
		return l.fail(oidc.MissingState)
	}
	i := slices.IndexFunc(c.logins, func(l *login) bool { return l.rule.Issued([]byte(said.Get("state"))) })
	if i < 0 {
		return l.fail(oidc.InvalidState)
	}
	return c.logins[i].finish(ctx, q, said)
}

// finish has a client's login come to its end.
func (l *login) finish(ctx context.Context, q *inquiry, said url.Values) ruling {
	var cookies credentials
	cookies.read(q, l.cookies)
	authority := authorityOf(q)
	state, err := l.rule.OpenState([]byte(said.Get("state")), []byte(authority), cookies.nonce, q.now)
	switch {
	case errors.Is(err, oidc.ErrNonce) && cookies.nonce == nil:
		return l.fail(oidc.MissingNonce)
	case errors.Is(err, oidc.ErrNonce):
		return l.fail(oidc.InvalidNonce)
	case err != nil:
		return l.fail(oidc.InvalidState)
	case said.Has("iss") && said.Get("iss") != l.config.Issuer: // somebody else has answered (RFC 9207 §2.4)
		return l.fail(oidc.InvalidState)
	case said.Get("error") == "access_denied":
		return l.fail(oidc.MissingCode)
	case said.Has("error"):
		d := l.fail(oidc.MissingCode)
		d.status = 561
		return d
	case len(said["code"]) != 1 || said.Get("code") == "":
		return l.fail(oidc.MissingCode)
	}
	begun := time.Now()
	s, err := l.provider.Login(ctx, provider.Code{
		Code: said.Get("code"), RedirectURI: oidc.RedirectURI(authority), Nonce: state.Nonce(), Verifier: state.Verifier(),
	}, q.now)
	took := max(time.Since(begun), 1)
	if err != nil {
		l.tell(q, "login failed", err)
		d := l.fail(reasonOf(err))
		d.took = took
		return d
	}
	lines, err := l.rule.AppendCookies(nil, s, cookies.had(), wantsSameSite(q.head, q.request), q.now)
	if err != nil {
		return l.fail(oidc.TooLarge)
	}
	return ruling{
		verdict: refused, status: 302, location: []byte("https://" + state.Authority + state.Target), set: lines,
		counter: meter.AuthSuccesses, took: took,
	}
}
