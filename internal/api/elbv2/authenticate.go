package elbv2

import (
	"time"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/shapes/elbv2"
)

// readSession fills in what isn't given.
func readSession(cookie, scope *string, timeout *int64, extra map[string]string, unauthenticated string) elb.Session {
	s := elb.DefaultSession
	if cookie != nil {
		s.Cookie = *cookie
	}
	if scope != nil {
		s.Scope = *scope
	}
	if timeout != nil {
		s.Timeout = time.Duration(min(max(*timeout, -1), 1<<30)) * time.Second
	}
	if unauthenticated != "" {
		s.Unauthenticated = unauthenticated
	}
	s.Extra = extra
	return s
}

func readOIDC(cfg *elbv2.AuthenticateOidcActionConfig) *elb.AuthenticateOIDC {
	if cfg == nil {
		return nil
	}
	return &elb.AuthenticateOIDC{
		Issuer: *cfg.Issuer, AuthorizationEndpoint: *cfg.AuthorizationEndpoint, TokenEndpoint: *cfg.TokenEndpoint, UserInfoEndpoint: *cfg.UserInfoEndpoint,
		ClientID: *cfg.ClientId, Secret: value(cfg.ClientSecret), Keep: value(cfg.UseExistingClientSecret),
		Session: readSession(cfg.SessionCookieName, cfg.Scope, cfg.SessionTimeout, cfg.AuthenticationRequestExtraParams, string(cfg.OnUnauthenticatedRequest)),
	}
}

func readCognito(cfg *elbv2.AuthenticateCognitoActionConfig) *elb.AuthenticateCognito {
	if cfg == nil {
		return nil
	}
	return &elb.AuthenticateCognito{
		UserPoolARN: *cfg.UserPoolArn, ClientID: *cfg.UserPoolClientId, Domain: *cfg.UserPoolDomain,
		Session: readSession(cfg.SessionCookieName, cfg.Scope, cfg.SessionTimeout, cfg.AuthenticationRequestExtraParams, string(cfg.OnUnauthenticatedRequest)),
	}
}

func readJWT(cfg *elbv2.JwtValidationActionConfig) *elb.JWTValidation {
	if cfg == nil {
		return nil
	}
	v := &elb.JWTValidation{JWKSEndpoint: *cfg.JwksEndpoint, Issuer: *cfg.Issuer}
	for _, c := range cfg.AdditionalClaims {
		v.Claims = append(v.Claims, elb.JWTClaim{Name: *c.Name, Format: string(c.Format), Values: c.Values})
	}
	return v
}

// renderOIDC leaves the client secret out, as the service does.
func renderOIDC(o *elb.AuthenticateOIDC) *elbv2.AuthenticateOidcActionConfig {
	return &elbv2.AuthenticateOidcActionConfig{
		Issuer: &o.Issuer, AuthorizationEndpoint: &o.AuthorizationEndpoint, TokenEndpoint: &o.TokenEndpoint, UserInfoEndpoint: &o.UserInfoEndpoint, ClientId: &o.ClientID,
		SessionCookieName: &o.Session.Cookie, Scope: &o.Session.Scope, SessionTimeout: new(int64(o.Session.Timeout / time.Second)),
		AuthenticationRequestExtraParams: o.Session.Extra,
		OnUnauthenticatedRequest:         elbv2.AuthenticateOidcActionConditionalBehaviorEnum(o.Session.Unauthenticated),
	}
}

func renderCognito(o *elb.AuthenticateCognito) *elbv2.AuthenticateCognitoActionConfig {
	return &elbv2.AuthenticateCognitoActionConfig{
		UserPoolArn: &o.UserPoolARN, UserPoolClientId: &o.ClientID, UserPoolDomain: &o.Domain,
		SessionCookieName: &o.Session.Cookie, Scope: &o.Session.Scope, SessionTimeout: new(int64(o.Session.Timeout / time.Second)),
		AuthenticationRequestExtraParams: o.Session.Extra,
		OnUnauthenticatedRequest:         elbv2.AuthenticateCognitoActionConditionalBehaviorEnum(o.Session.Unauthenticated),
	}
}

func renderJWT(o *elb.JWTValidation) *elbv2.JwtValidationActionConfig {
	out := &elbv2.JwtValidationActionConfig{JwksEndpoint: &o.JWKSEndpoint, Issuer: &o.Issuer}
	for _, c := range o.Claims {
		out.AdditionalClaims = append(out.AdditionalClaims, elbv2.JwtValidationActionAdditionalClaim{
			Name: &c.Name, Format: elbv2.JwtValidationActionAdditionalClaimFormatEnum(c.Format), Values: c.Values})
	}
	return out
}
