package snapshot

import "time"

// OIDC has clients log in with an OpenID Connect provider (ELBv2
// AuthenticateOidcActionConfig, and AuthenticateCognitoActionConfig by what it comes
// to).
type OIDC struct {
	Issuer                string
	AuthorizationEndpoint string
	TokenEndpoint         string
	UserInfoEndpoint      string
	ClientID              string

	// Secret is the client secret, encrypted for the load balancer's ARN: an assignment
	// is written to disk. Empty: the provider knows the client by its ID alone.
	Secret []byte `json:",omitempty"`

	Cookie          string // what the names of a session's cookies begin with
	Scope           string
	Timeout         time.Duration     // of a session; 1 s to 7 days
	Extra           map[string]string `json:",omitempty"` // parameters of requests to the authorization endpoint
	Unauthenticated Unauthenticated
}

// Unauthenticated is what becomes of requests without a session.
type Unauthenticated string

// The ways of ELBv2 AuthenticateOidcActionConfig.OnUnauthenticatedRequest.
const (
	Authenticate Unauthenticated = "authenticate" // the client is sent to log in
	Deny         Unauthenticated = "deny"         // 401, unless the client had a session
	Allow        Unauthenticated = "allow"        // they go on, with nothing said of a user
)
