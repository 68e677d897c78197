package elb

import (
	"cmp"
	"strings"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// Cognito is where user pools are.
type Cognito struct {
	// Endpoint is the URL of a user pool's domain, and Issuer who its tokens are from.
	// "{domain}", "{region}" and "{pool}" stand for those of the action. "": AWS's.
	Endpoint, Issuer string
}

// The URLs of user pools of AWS (Amazon Cognito developer guide, "User pool endpoints").
// A domain of the customer's own has a dot, and stands for itself.
const (
	cognitoEndpoint = "https://{domain}.auth.{region}.amazoncognito.com"
	cognitoOwn      = "https://{domain}"
	cognitoIssuer   = "https://cognito-idp.{region}.amazonaws.com/{pool}"
)

// projectAuthentication makes what a host must know of an action that has clients log
// in; nil for other actions.
func (s *Service) projectAuthentication(a Action) *snapshot.OIDC {
	switch {
	case a.OIDC != nil:
		o := projectSession(a.OIDC.Session)
		o.Issuer, o.AuthorizationEndpoint, o.TokenEndpoint, o.UserInfoEndpoint = a.OIDC.Issuer, a.OIDC.AuthorizationEndpoint, a.OIDC.TokenEndpoint, a.OIDC.UserInfoEndpoint
		o.ClientID, o.Secret = a.OIDC.ClientID, a.OIDC.Sealed
		return o
	case a.Cognito != nil:
		c := a.Cognito
		parts := strings.SplitN(c.UserPoolARN, ":", 6) // arn:aws:cognito-idp:REGION:ACCOUNT:userpool/POOL
		_, pool, _ := strings.Cut(parts[5], "/")
		fill := strings.NewReplacer("{domain}", c.Domain, "{region}", parts[3], "{pool}", pool).Replace
		usual := cognitoEndpoint
		if strings.Contains(c.Domain, ".") {
			usual = cognitoOwn
		}
		endpoint := strings.TrimSuffix(fill(cmp.Or(s.opts.Cognito.Endpoint, usual)), "/")
		o := projectSession(c.Session)
		o.Issuer = fill(cmp.Or(s.opts.Cognito.Issuer, cognitoIssuer))
		o.AuthorizationEndpoint, o.TokenEndpoint, o.UserInfoEndpoint = endpoint+"/oauth2/authorize", endpoint+"/oauth2/token", endpoint+"/oauth2/userInfo"
		o.ClientID = c.ClientID
		return o
	}
	return nil
}

func projectSession(s Session) *snapshot.OIDC {
	return &snapshot.OIDC{Cookie: s.Cookie, Scope: s.Scope, Timeout: s.Timeout, Extra: s.Extra, Unauthenticated: snapshot.Unauthenticated(s.Unauthenticated)}
}
