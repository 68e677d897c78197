package oidc

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CallbackPath is where a provider sends clients back to (ELB user guide, "Prepare to
// use an OIDC-compliant IdP").
const CallbackPath = "/oauth2/idpresponse"

// KeysPath is what the paths begin with at which a load balancer serves the public
// half of the key that signs its tokens, by the key's ID.
const KeysPath = "/oauth2/public-keys/"

// NonceCookie is the cookie that a state goes with.
const NonceCookie = "AWSALBAuthNonce"

// Config is an action that has clients log in, as far as it is about them.
type Config struct {
	LoadBalancer          string // ARN
	Issuer                string
	AuthorizationEndpoint string
	ClientID              string
	Public                bool // the client has no secret, and proves with each code that it has asked for it

	Cookie  string // what the names of the session's cookies begin with
	Scope   string
	Timeout time.Duration     // of a session
	Extra   map[string]string // parameters of requests to the provider
}

// realm is what something was sealed for. That of sessions is a load balancer with its key, a
// provider, and the client that the load balancer is to it: actions that agree in these
// share their sessions. That of states is also the cookie that the session is for.
type realm [sha256.Size]byte

func realmOf(parts ...string) (r realm) {
	h := sha256.New()
	for _, part := range parts {
		_, _ = h.Write(appendText(nil, part)) // never fails (hash.Hash)
	}
	h.Sum(r[:0])
	return r
}

// Client is an action's part.
type Client struct {
	config   Config
	keys     *Keys
	realm    realm // of sessions
	states   realm
	endpoint string // of authorization, with all parameters that are the same each time
	header   string // of tokens, up to the time
}

// New compiles a configuration.
func New(c Config, keys *Keys) (*Client, error) {
	out := &Client{
		config: c, keys: keys,
		realm: realmOf(keys.ID, c.LoadBalancer, c.Issuer, c.ClientID), states: realmOf(keys.ID, c.LoadBalancer, c.Issuer, c.ClientID, c.Cookie),
	}
	u, err := url.Parse(c.AuthorizationEndpoint)
	if err != nil || u.Host == "" {
		return nil, errors.New("the authorization endpoint is not a URL")
	}
	// The endpoint's own parameters stay (RFC 6749 §3.1), and ours can't be said by
	// the configured ones.
	q := u.Query()
	for _, k := range slices.Sorted(maps.Keys(c.Extra)) {
		q.Set(k, c.Extra[k])
	}
	q.Set("client_id", c.ClientID)
	q.Set("response_type", "code")
	q.Set("scope", c.Scope)
	for _, k := range []string{"redirect_uri", "state", "nonce", "code_challenge", "code_challenge_method"} {
		q.Del(k)
	}
	u.RawQuery, u.Fragment = q.Encode(), ""
	out.endpoint = u.String()
	if out.header, err = tokenHeader(keys.ID, c); err != nil {
		return nil, err
	}
	return out, nil
}

// RedirectURI returns where the provider sends a client back to that has asked the
// authority.
func RedirectURI(authority string) string { return "https://" + authority + CallbackPath }

// MaxLocation is the longest URL that a client is sent to. What a request asked for is
// carried in it.
const MaxLocation = 8 << 10

// ErrTooLong says that a client can't be sent to its provider: the URL that it has
// asked for makes that of the provider too long.
var ErrTooLong = errors.New("the URL is too long to be asked for again after a login")

// Begin sends a client to its provider. authority and target are what it has asked
// for, and nonce is the NonceCookie that it has, if any. It returns the URL, and the
// lines that its answer has.
//
// A nonce that is there is used again, so that what a browser begins in several
// windows can be ended in each of them; with another salt, so that the provider
// doesn't see the same one.
func (c *Client) Begin(authority, target, nonce []byte, foreign bool, now time.Time) (location, lines []byte, err error) {
	s := State{Made: now, Authority: string(authority), Target: string(target)}
	if n, ok := parseNonce(nonce); ok {
		s.nonce = n
	} else {
		_, _ = rand.Read(s.nonce[:]) // never fails (crypto/rand)
	}
	_, _ = rand.Read(s.salt[:]) // likewise
	var b strings.Builder
	b.WriteString(c.endpoint)
	b.WriteString("&redirect_uri=")
	b.WriteString(url.QueryEscape(RedirectURI(s.Authority)))
	b.WriteString("&nonce=")
	b.WriteString(s.Nonce())
	if c.config.Public {
		sum := sha256.Sum256([]byte(s.Verifier()))
		b.WriteString("&code_challenge_method=S256&code_challenge=") // RFC 7636 §4.2
		b.WriteString(base64.RawURLEncoding.EncodeToString(sum[:]))
	}
	b.WriteString("&state=")
	b.WriteString(c.sealState(&s))
	if b.Len() > MaxLocation {
		return nil, nil, ErrTooLong
	}
	lines = append(lines, "Set-Cookie: "+NonceCookie+"="...)
	lines = base64.RawURLEncoding.AppendEncode(lines, s.nonce[:])
	lines = append(lines, "; Max-Age="...)
	lines = strconv.AppendInt(lines, int64(stateLife/time.Second), 10)
	return []byte(b.String()), appendAttributes(lines, foreign), nil
}

// appendAttributes appends what all our cookies have, and the line's end. foreign says
// that they are to come with requests from pages of other sites too.
func appendAttributes(dst []byte, foreign bool) []byte {
	dst = append(dst, "; Path=/; Secure; HttpOnly"...)
	if foreign {
		dst = append(dst, "; SameSite=None"...)
	}
	return append(dst, "\r\n"...)
}
