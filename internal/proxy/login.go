package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/fairlead/fairlead/internal/proxy/meter"
	"github.com/fairlead/fairlead/internal/proxy/oidc"
	"github.com/fairlead/fairlead/internal/proxy/oidc/provider"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// login is the guard of a rule whose clients log in with a provider: authenticate-oidc.
type login struct {
	proxy           *Proxy
	rule            *oidc.Client
	provider        *provider.Provider
	config          provider.Config // the provider's
	keys            *oidc.Keys
	unauthenticated snapshot.Unauthenticated
	cookies         string // what the names of a session's cookies begin with, up to the digit
	first           string // the name of the first one
}

// newLogin makes the guard of an action. p.applying is held.
func (p *Proxy) newLogin(b *snapshot.LoadBalancer, a *snapshot.OIDC) (*login, error) {
	secret, err := p.openCookieKey(b)
	if err != nil {
		return nil, err
	}
	keys, err := oidc.NewKeys(secret)
	if err != nil {
		return nil, err
	}
	config := provider.Config{Issuer: a.Issuer, TokenEndpoint: a.TokenEndpoint, UserInfoEndpoint: a.UserInfoEndpoint, ClientID: a.ClientID}
	if len(a.Secret) > 0 {
		clear, err := p.openKey(b.ARN, a.Secret)
		if err != nil {
			return nil, fmt.Errorf("client secret for %s: %w", a.Issuer, err)
		}
		config.ClientSecret = string(clear)
	}
	rule, err := oidc.New(oidc.Config{
		LoadBalancer: b.ARN, Issuer: a.Issuer, AuthorizationEndpoint: a.AuthorizationEndpoint, ClientID: a.ClientID, Public: config.ClientSecret == "",
		Cookie: a.Cookie, Scope: a.Scope, Timeout: a.Timeout, Extra: a.Extra,
	}, keys)
	if err != nil {
		return nil, err
	}
	return &login{
		proxy: p, rule: rule, provider: p.providerFor(b, config), config: config, keys: keys,
		unauthenticated: a.Unauthenticated, cookies: a.Cookie + "-", first: a.Cookie + "-0",
	}, nil
}

// providerFor returns what is known of a provider already, from the load balancer's
// rules as they were, or a new one. p.applying is held.
func (p *Proxy) providerFor(b *snapshot.LoadBalancer, c provider.Config) *provider.Provider {
	if old := p.balancers[b.ARN]; old != nil {
		for _, guards := range old.guards {
			for _, g := range guards {
				if l, ok := g.(*login); ok && l.config == c {
					return l.provider
				}
			}
		}
	}
	return provider.New(c, p.providers)
}

// logsIn says whether a rule of the listener has clients log in.
func logsIn(l *snapshot.Listener) bool {
	for _, r := range l.Rules {
		for _, a := range r.Actions {
			if a.Type == snapshot.ActionAuthenticateOIDC {
				return true
			}
		}
	}
	return false
}

// loginFields yields the names of fields that only the load balancer may say: with
// underscores in place of hyphens too, which many a target takes for the same (CGI,
// RFC 3875 §4.1.18).
func loginFields(yield func(string) bool) {
	for _, name := range []string{oidc.AccessTokenField, oidc.IdentityField, oidc.DataField} {
		parts := strings.Split(name, "-")
		for hyphens := range 1 << (len(parts) - 1) {
			var b strings.Builder
			for i, part := range parts {
				b.WriteString(part)
				switch {
				case i == len(parts)-1:
				case hyphens>>i&1 == 0:
					b.WriteByte('-')
				default:
					b.WriteByte('_')
				}
			}
			if !yield(b.String()) {
				return
			}
		}
	}
}

func (*login) action() string { return "authenticate" }

// credentials is what a request's cookies say of its client.
type credentials struct {
	nonce  []byte
	shards [oidc.MaxShards][]byte // of a session
	room   []byte                 // that the session is put together in
}

var credentialsPool = sync.Pool{New: func() any { return new(credentials) }}

// read looks through the request's cookies. Of several with a name the first one
// counts.
func (c *credentials) read(q *inquiry, session string) {
	c.nonce, c.shards = nil, [oidc.MaxShards][]byte{}
	for header := range q.request.Header(q.head, "cookie") {
		for len(header) > 0 {
			var pair []byte
			pair, header, _ = bytes.Cut(header, []byte{';'})
			name, value, _ := bytes.Cut(bytes.TrimSpace(pair), []byte{'='})
			switch {
			case len(name) == len(session)+1 && string(name[:len(session)]) == session:
				if i := int(name[len(session)]) - '0'; 0 <= i && i < len(c.shards) && c.shards[i] == nil {
					c.shards[i] = value
				}
			case c.nonce == nil && string(name) == oidc.NonceCookie:
				c.nonce = value
			}
		}
	}
}

// session returns the text of the session that the client has; nil if it has none, or
// not all of one.
func (c *credentials) session() []byte {
	n := oidc.Shards(c.shards[0])
	if n <= 1 {
		return c.shards[0][:len(c.shards[0])*n]
	}
	c.room = c.room[:0]
	for _, shard := range c.shards[:n] {
		if shard == nil {
			return nil
		}
		c.room = append(c.room, shard...)
	}
	return c.room
}

// had returns how many cookies of a session the client may have.
func (c *credentials) had() int {
	for i := len(c.shards); i > 0; i-- {
		if c.shards[i-1] != nil {
			return i
		}
	}
	return 0
}

// check implements guard: all but sessions whose claims are to be had anew is decided
// without the provider.
func (l *login) check(q *inquiry) ruling {
	c := credentialsPool.Get().(*credentials)
	defer credentialsPool.Put(c)
	c.read(q, l.cookies)
	d, _ := l.decide(q, c)
	return d
}

// ask implements guard.
func (l *login) ask(ctx context.Context, q *inquiry) ruling {
	c := new(credentials)
	c.read(q, l.cookies)
	d, stale := l.decide(q, c)
	if stale == nil {
		return d
	}
	s, err := l.proxy.refreshes.Do(ctx, l.provider, stale, q.now)
	if err != nil {
		l.tell(q, "session not refreshed", err)
		reason := reasonOf(err)
		if reason == oidc.TokenTimeout || reason == oidc.UserInfoTimeout {
			return l.fail(reason) // its claims may still hold, but nobody can say so
		}
		d := l.expired(q, c)
		d.reason, d.counter = string(reason), counterOf(reason)
		return d
	}
	d = l.pass(s, nil, q)
	if d.verdict != passes {
		return d
	}
	if d.set, err = l.rule.AppendCookies(nil, s, c.had(), wantsSameSite(q.head, q.request), q.now); err != nil {
		return l.fail(oidc.TooLarge)
	}
	d.unless, d.counter = l.first, meter.AuthRefreshes
	return d
}

// decide says what becomes of a request, or returns the session that is to be
// refreshed before.
func (l *login) decide(q *inquiry, c *credentials) (d ruling, stale *oidc.Session) {
	if c.shards[0] == nil {
		return l.stranger(q, c), nil
	}
	text := c.session()
	if f := l.proxy.sessions.Get(l.rule, text, q.now); f != nil {
		return ruling{verdict: passes, add: f.Lines}, nil
	}
	s, ok := l.rule.Open(text, q.now)
	switch {
	case !ok:
		d := l.stranger(q, c)
		d.reason, d.counter = string(oidc.InvalidCookie), meter.AuthFailures
		return d, nil
	case l.rule.Expired(s, q.now):
		return l.expired(q, c), nil
	case s.Stale(q.now):
		return ruling{}, s
	}
	return l.pass(s, text, q), nil
}

// pass lets a request of the session on. text is that of its cookies, nil if it has
// none yet.
func (l *login) pass(s *oidc.Session, text []byte, q *inquiry) ruling {
	f, err := l.rule.Fields(s, q.now)
	if err != nil {
		l.tell(q, "session not passed on", err)
		return l.fail(oidc.Unhandled)
	}
	if text != nil {
		l.proxy.sessions.Put(l.rule, text, f, q.now)
	}
	return ruling{verdict: passes, add: f.Lines}
}

// stranger decides about a request whose client hasn't logged in.
func (l *login) stranger(q *inquiry, c *credentials) ruling {
	switch l.unauthenticated {
	case snapshot.Allow:
		return ruling{verdict: passes}
	case snapshot.Deny:
		return ruling{verdict: refused, status: 401}
	case snapshot.Authenticate:
	}
	return l.send(q, c)
}

// expired decides about a request whose client's session is over. With deny too it
// logs in again: it has a page of the application's, which others don't get.
func (l *login) expired(q *inquiry, c *credentials) ruling {
	if l.unauthenticated == snapshot.Allow {
		return ruling{verdict: passes}
	}
	return l.send(q, c)
}

// send sends a client to its provider.
func (l *login) send(q *inquiry, c *credentials) ruling {
	authority := authorityOf(q)
	if authority == "" {
		return l.fail(oidc.MissingHost)
	}
	target := q.request.AppendTarget(nil, q.head)
	if target[0] != '/' { // OPTIONS *
		target = []byte("/")
	}
	location, lines, err := l.rule.Begin([]byte(authority), target, c.nonce, wantsSameSite(q.head, q.request), q.now)
	if errors.Is(err, oidc.ErrTooLong) {
		return ruling{verdict: refused, status: 414}
	}
	return ruling{verdict: refused, status: 302, location: location, set: lines}
}

// authorityOf returns who a request is for, as a browser says it: "" if it doesn't say.
func authorityOf(q *inquiry) string {
	return strings.TrimSuffix(strings.ToLower(string(q.request.Host.Of(q.head))), ":443")
}

// fail refuses a request for a reason.
func (l *login) fail(r oidc.Reason) ruling {
	return ruling{verdict: refused, status: r.Status(), reason: string(r), counter: counterOf(r)}
}

func counterOf(r oidc.Reason) meter.Counter {
	switch r.Class() {
	case oidc.Error:
		return meter.AuthErrors
	case oidc.ClaimsTooLarge:
		return meter.AuthClaimsTooLarge
	case oidc.Failure:
	}
	return meter.AuthFailures
}

// reasonOf returns why a provider didn't vouch for a client.
func reasonOf(err error) oidc.Reason {
	if f, ok := errors.AsType[*provider.Failed](err); ok {
		return f.Reason
	}
	return oidc.Unhandled
}

// tell logs why a login failed: what is wrong with a provider or a rule is known to
// nobody else.
func (l *login) tell(q *inquiry, what string, err error) {
	l.proxy.log.Warn(what, "node", q.node.id, "peer", q.peer, "issuer", l.config.Issuer, "error", err)
}
