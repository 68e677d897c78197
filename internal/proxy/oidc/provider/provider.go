package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/proxy/oidc"
	"github.com/fairlead/fairlead/internal/proxy/outbound"
)

// maxAnswer is how large the body of an answer may be, in bytes. What a session can
// hold is less: a larger one tells what was wrong.
const maxAnswer = 64 << 10

// Config is a provider, and who a load balancer is to it.
type Config struct {
	Issuer           string
	TokenEndpoint    string
	UserInfoEndpoint string
	ClientID         string
	ClientSecret     string // "": it has none
}

// Provider is a provider as a client of it sees it.
type Provider struct {
	config Config
	http   *http.Client
	keys   keySet
	body   atomic.Bool // the secret goes into the body
}

// New returns a provider that is asked by the client.
func New(c Config, client *http.Client) *Provider {
	return &Provider{config: c, http: client, keys: keySet{issuer: c.Issuer, http: client}}
}

// Failed says why a login, or the refresh of one, didn't come about. Its Reason says
// what the client is answered.
type Failed struct {
	Reason oidc.Reason
	Err    error
}

func (f *Failed) Error() string { return string(f.Reason) + ": " + f.Err.Error() }

// Unwrap returns the cause.
func (f *Failed) Unwrap() error { return f.Err }

func failed(r oidc.Reason, format string, args ...any) *Failed {
	return &Failed{r, fmt.Errorf(format, args...)}
}

// Code is what a client has come back with, and what was said when it was sent.
type Code struct {
	Code        string
	RedirectURI string
	Nonce       string
	Verifier    string // for a client without a secret
}

// Login returns the session that a code is good for. The error is a *Failed.
func (p *Provider) Login(ctx context.Context, c Code, now time.Time) (*oidc.Session, error) {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {c.Code}, "redirect_uri": {c.RedirectURI}}
	if p.config.ClientSecret == "" {
		form.Set("code_verifier", c.Verifier)
	}
	answer, err := p.tokens(ctx, form)
	if err != nil {
		return nil, err
	}
	if answer.IDToken == "" {
		return nil, failed(oidc.InvalidIDToken, "the token endpoint gave no ID token; is openid in the scope?")
	}
	subject, err := p.verify(ctx, answer.IDToken, &c.Nonce, now)
	if err != nil {
		return nil, &Failed{oidc.InvalidIDToken, err}
	}
	s := oidc.NewSession(now)
	return s, p.fill(ctx, s, answer, subject, now)
}

// Refresh returns a session with new tokens and claims. The former one doesn't count
// any more, if the provider takes back refresh tokens that are used. The error is a
// *Failed; with another reason than TokenTimeout and UserInfoTimeout the client is to
// log in again.
func (p *Provider) Refresh(ctx context.Context, former *oidc.Session, now time.Time) (*oidc.Session, error) {
	answer, err := p.tokens(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {former.RefreshToken}})
	if err != nil {
		return nil, err
	}
	if answer.IDToken != "" { // it needn't be there (OpenID Connect Core §12.2)
		subject, err := p.verify(ctx, answer.IDToken, nil, now)
		if err == nil && subject != former.Subject {
			err = errors.New("it is another subject's")
		}
		if err != nil {
			return nil, &Failed{oidc.InvalidIDToken, err}
		}
	}
	if answer.RefreshToken == "" {
		answer.RefreshToken = former.RefreshToken
	}
	s := &oidc.Session{ID: former.ID, Made: former.Made}
	return s, p.fill(ctx, s, answer, former.Subject, now)
}

// fill puts an answer, and what the user info endpoint says of the subject, into a
// session.
func (p *Provider) fill(ctx context.Context, s *oidc.Session, a tokenAnswer, subject string, now time.Time) error {
	claims, err := p.userInfo(ctx, a.AccessToken, subject)
	if err != nil {
		return err
	}
	if len(claims)+len(a.AccessToken) > oidc.MaxClaims {
		return &Failed{oidc.TooLarge, oidc.ErrTooLarge}
	}
	s.Subject, s.Claims, s.AccessToken, s.RefreshToken = subject, claims, a.AccessToken, a.RefreshToken
	if a.lifetime > 0 {
		s.Refresh = now.Add(a.lifetime)
	}
	return nil
}

// tokenAnswer is a token endpoint's answer (RFC 6749 §5.1).
type tokenAnswer struct {
	AccessToken  string          `json:"access_token"`
	TokenType    string          `json:"token_type"`
	ExpiresIn    json.RawMessage `json:"expires_in"` // a number, but some say it as a string
	IDToken      string          `json:"id_token"`
	RefreshToken string          `json:"refresh_token"`

	lifetime time.Duration // 0: it isn't told
}

// tokens asks the token endpoint. A provider may want the client's secret in a header,
// which every one has to know (RFC 6749 §2.3.1), or in the body, which some are
// configured to want instead: what was right is tried first from then on.
func (p *Provider) tokens(ctx context.Context, form url.Values) (tokenAnswer, error) {
	inBody := p.body.Load()
	a, unknown, err := p.tokensWith(ctx, form, inBody)
	if unknown && p.config.ClientSecret != "" {
		if a, unknown, err = p.tokensWith(ctx, form, !inBody); !unknown {
			p.body.Store(!inBody)
		}
	}
	return a, err
}

// tokensWith asks once. unknown says that the endpoint didn't take us for the client.
func (p *Provider) tokensWith(ctx context.Context, form url.Values, inBody bool) (a tokenAnswer, unknown bool, err error) {
	switch {
	case p.config.ClientSecret == "":
		form.Set("client_id", p.config.ClientID)
	case inBody:
		form.Set("client_id", p.config.ClientID)
		form.Set("client_secret", p.config.ClientSecret)
	default:
		form.Del("client_id")
		form.Del("client_secret")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.config.TokenEndpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return a, false, &Failed{oidc.Unhandled, err}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if p.config.ClientSecret != "" && !inBody {
		req.SetBasicAuth(url.QueryEscape(p.config.ClientID), url.QueryEscape(p.config.ClientSecret))
	}
	status, body, err := p.do(req)
	if errors.Is(err, outbound.ErrTooLong) {
		return a, false, &Failed{oidc.InvalidTokenResponse, err}
	}
	if err != nil {
		return a, false, failed(oidc.TokenTimeout, "ask the token endpoint: %w", err)
	}
	if status/100 != 2 {
		var refusal struct {
			Error string `json:"error"`
		}
		_ = json.Unmarshal(body, &refusal) // if it is none, the status says enough
		err = failed(oidc.TokenRefused, "the token endpoint answered %d %.100q", status, refusal.Error)
		if refusal.Error == "invalid_grant" {
			err = failed(oidc.InvalidGrant, "the provider doesn't know the code, or the refresh token")
		}
		return a, status == http.StatusUnauthorized || refusal.Error == "invalid_client", err
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return a, false, failed(oidc.InvalidTokenResponse, "the token endpoint's answer is not what RFC 6749 §5.1 says")
	}
	switch {
	case !strings.EqualFold(a.TokenType, "Bearer"):
		return a, false, failed(oidc.InvalidTokenResponse, "the token endpoint gave a token of the type %.100q, not of Bearer", a.TokenType)
	case a.AccessToken == "" || !visible(a.AccessToken):
		return a, false, failed(oidc.InvalidTokenResponse, "the token endpoint gave no access token that a header can have")
	}
	if seconds, err := strconv.ParseFloat(strings.Trim(string(a.ExpiresIn), `"`), 64); err == nil && seconds > 0 {
		a.lifetime = time.Duration(min(seconds, oidc.MaxTimeout.Seconds()) * float64(time.Second))
	}
	return a, false, nil
}

// userInfo returns the claims of a subject: a JSON object.
func (p *Provider) userInfo(ctx context.Context, token, subject string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.config.UserInfoEndpoint, nil)
	if err != nil {
		return nil, &Failed{oidc.Unhandled, err}
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	status, body, err := p.do(req)
	switch {
	case errors.Is(err, outbound.ErrTooLong):
		return nil, &Failed{oidc.TooLarge, err}
	case err != nil:
		return nil, failed(oidc.UserInfoTimeout, "ask the user info endpoint: %w", err)
	case status/100 != 2:
		return nil, failed(oidc.UserInfoRefused, "the user info endpoint answered %d", status)
	}
	var claims struct {
		Subject string `json:"sub"`
	}
	var compact bytes.Buffer
	if !utf8.Valid(body) || json.Unmarshal(body, &claims) != nil || json.Compact(&compact, body) != nil {
		return nil, failed(oidc.InvalidUserInfo, "the user info endpoint's answer is not a JSON object")
	}
	// Otherwise somebody could be given another one's claims (OpenID Connect Core §5.3.2).
	if claims.Subject != subject {
		return nil, failed(oidc.InvalidUserInfo, "the user info endpoint told of another subject than the ID token")
	}
	return compact.Bytes(), nil
}

// do asks, and returns the answer's status and body.
func (p *Provider) do(req *http.Request) (status int, body []byte, err error) {
	resp, err := p.http.Do(req) //nolint:bodyclose // Read does
	if err != nil {
		return 0, nil, err
	}
	body, err = outbound.Read(resp, maxAnswer)
	return resp.StatusCode, body, err
}

// visible says whether s can be a field's value: it has nothing but visible ASCII
// characters, with blanks between them.
func visible(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' {
			return false
		}
	}
	return strings.TrimSpace(s) == s
}
