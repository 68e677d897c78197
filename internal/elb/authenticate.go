package elb

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// Session is how a client that has logged in is known again (ELBv2
// AuthenticateOidcActionConfig, AuthenticateCognitoActionConfig).
type Session struct {
	Cookie          string // the name that its cookies' begin with
	Scope           string
	Timeout         time.Duration
	Extra           map[string]string `json:",omitempty"` // parameters of the request to the provider
	Unauthenticated string            // what happens with requests without a session: deny, allow, authenticate
}

// DefaultSession is what the service takes for what isn't given.
var DefaultSession = Session{Cookie: "AWSELBAuthSessionCookie", Scope: "openid", Timeout: 604800 * time.Second, Unauthenticated: "authenticate"}

// AuthenticateOIDC has clients log in with an OpenID Connect provider.
type AuthenticateOIDC struct {
	Issuer, AuthorizationEndpoint, TokenEndpoint, UserInfoEndpoint string
	ClientID                                                       string
	Session                                                        Session

	// Secret is the client secret as the caller gave it, and is not kept; Keep
	// takes the one that the rule has. Sealed is what is kept of it, under the load
	// balancer's ARN.
	Secret string `json:"-"`
	Keep   bool   `json:"-"`
	Sealed []byte
}

// AuthenticateCognito has clients log in with a user pool.
type AuthenticateCognito struct {
	UserPoolARN, ClientID, Domain string
	Session                       Session
}

// JWTValidation lets requests pass that have a valid token.
type JWTValidation struct {
	JWKSEndpoint, Issuer string
	Claims               []JWTClaim `json:",omitempty"`
}

// JWTClaim is a claim that a token must have beside those that are always checked.
type JWTClaim struct {
	Name, Format string
	Values       []string
}

// Limits of the authenticating actions.
const (
	maxExtraParameters = 10
	maxURL             = 256 // of a key set's endpoint, and its issuer
	maxClaims          = 10
	maxClaimValues     = 10
	maxClaimValue      = 256
	maxCookieName      = 64
	maxText            = 2048 // of what the service knows no limit of: a request may have a megabyte
)

var (
	cookieName  = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$") // RFC 6265 §4.1.1
	userPoolARN = regexp.MustCompile(`^arn:[a-z-]+:cognito-idp:[a-z0-9-]+:\d{12}:userpool/.+$`)
)

// checkTexts holds what has no limit of its own to one. It quotes none: one may be
// a secret.
func checkTexts(texts ...string) error {
	for _, t := range texts {
		if len(t) > maxText {
			return fail(InvalidAction, "A value of an action that authenticates is too long; the limit is '%d'", maxText)
		}
	}
	return nil
}

func (s Session) check() error {
	for k, v := range s.Extra {
		if err := checkTexts(k, v); err != nil {
			return err
		}
	}
	if err := checkTexts(s.Scope); err != nil {
		return err
	}
	switch {
	case !cookieName.MatchString(s.Cookie) || len(s.Cookie) > maxCookieName:
		return fail(InvalidAction, "The session cookie name '%s' must be the name of a cookie, of at most %d characters", s.Cookie, maxCookieName)
	case s.Timeout < time.Second || s.Timeout > 604800*time.Second:
		return fail(InvalidAction, "The session timeout '%d' must be between '1-604800' inclusive", int64(s.Timeout/time.Second))
	case !slices.Contains(strings.Fields(s.Scope), "openid"):
		return fail(InvalidAction, "The scope '%s' must contain 'openid'", s.Scope)
	case len(s.Extra) > maxExtraParameters:
		return fail(InvalidAction, "An action can have %d extra parameters for the authentication request at most", maxExtraParameters)
	}
	return nil
}

// checkHTTPS says what is wrong with a URL that a load balancer is to ask.
func checkHTTPS(what, text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.Fragment != "" || u.User != nil {
		return fail(InvalidAction, "The %s '%s' must be a full URL, with the HTTPS protocol, the domain and the path", what, text)
	}
	return nil
}

// checkOIDC checks the action and seals its secret. was are the rule's actions
// before.
func (s *Service) checkOIDC(b LoadBalancer, a *AuthenticateOIDC, was []Action) (*AuthenticateOIDC, error) {
	if a == nil {
		return nil, fail(Invalid, "An 'AuthenticateOidcConfig' must be specified for an action of type 'authenticate-oidc'")
	}
	for _, u := range []struct{ what, text string }{
		{"issuer", a.Issuer}, {"authorization endpoint", a.AuthorizationEndpoint}, {"token endpoint", a.TokenEndpoint}, {"user info endpoint", a.UserInfoEndpoint},
	} {
		if err := checkHTTPS(u.what, u.text); err != nil {
			return nil, err
		}
	}
	if err := checkTexts(a.Issuer, a.AuthorizationEndpoint, a.TokenEndpoint, a.UserInfoEndpoint, a.ClientID, a.Secret); err != nil {
		return nil, err
	}
	if a.ClientID == "" {
		return nil, fail(InvalidAction, "A client ID must be specified for an action of type 'authenticate-oidc'")
	}
	if err := a.Session.check(); err != nil {
		return nil, err
	}
	checked := *a
	i := slices.IndexFunc(was, func(o Action) bool { return o.OIDC != nil })
	switch {
	case a.Keep && a.Secret != "":
		return nil, fail(InvalidAction, "A client secret and 'UseExistingClientSecret' cannot be specified at the same time")
	case a.Keep && i < 0:
		return nil, fail(InvalidAction, "There is no client secret to use again; specify one")
	case a.Keep:
		checked.Sealed = was[i].OIDC.Sealed
	case a.Secret == "":
		return nil, fail(InvalidAction, "A client secret must be specified for an action of type 'authenticate-oidc'")
	case s.opts.Seal == nil:
		return nil, fail(InvalidAction, "This installation cannot keep secrets")
	default:
		checked.Sealed = s.opts.Seal([]byte(a.Secret), b.ARN)
	}
	checked.Secret, checked.Keep = "", false
	return &checked, nil
}

func checkCognito(a *AuthenticateCognito) error {
	switch {
	case a == nil:
		return fail(Invalid, "An 'AuthenticateCognitoConfig' must be specified for an action of type 'authenticate-cognito'")
	case !userPoolARN.MatchString(a.UserPoolARN):
		return fail(InvalidAction, "The user pool ARN '%s' is not valid", a.UserPoolARN)
	case a.ClientID == "" || a.Domain == "":
		return fail(InvalidAction, "A user pool client and a user pool domain must be specified for an action of type 'authenticate-cognito'")
	}
	if err := checkTexts(a.UserPoolARN, a.ClientID, a.Domain); err != nil {
		return err
	}
	return a.Session.check()
}

// checkedClaims are those that a token is always held to.
var checkedClaims = []string{"exp", "iss", "nbf", "iat"}

func checkJWT(a *JWTValidation) error {
	if a == nil {
		return fail(Invalid, "A 'JwtValidationConfig' must be specified for an action of type 'jwt-validation'")
	}
	if err := checkHTTPS("JWKS endpoint", a.JWKSEndpoint); err != nil {
		return err
	}
	switch {
	case len(a.JWKSEndpoint) > maxURL:
		return fail(InvalidAction, "The JWKS endpoint is too long; the limit is '%d'", maxURL)
	case a.Issuer == "" || len(a.Issuer) > maxURL:
		return fail(InvalidAction, "The issuer must have 1 to %d characters", maxURL)
	case len(a.Claims) > maxClaims:
		return fail(InvalidAction, "An action can have %d additional claims at most", maxClaims)
	}
	for _, c := range a.Claims {
		switch {
		case c.Name == "" || len(c.Name) > maxClaimValue || slices.Contains(checkedClaims, c.Name):
			return fail(InvalidAction, "The claim '%s' cannot be an additional one; exp, iss, nbf and iat are always checked", c.Name)
		case len(c.Values) == 0 || len(c.Values) > maxClaimValues:
			return fail(InvalidAction, "The claim '%s' must have 1 to %d values", c.Name, maxClaimValues)
		}
		for _, v := range c.Values {
			if v == "" || len(v) > maxClaimValue || c.Format == "space-separated-values" && strings.Contains(v, " ") {
				return fail(InvalidAction, "The value '%s' of the claim '%s' must have 1 to %d characters, and no space if its format is space-separated-values", v, c.Name, maxClaimValue)
			}
		}
	}
	return nil
}

func projectJWT(a *JWTValidation) *snapshot.JWTValidation {
	out := &snapshot.JWTValidation{JWKSEndpoint: a.JWKSEndpoint, Issuer: a.Issuer}
	for _, c := range a.Claims {
		out.Claims = append(out.Claims, snapshot.JWTClaim(c))
	}
	return out
}
