package provider

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/fairlead/fairlead/internal/proxy/outbound"
)

// How long a provider's keys are believed, how long it isn't asked again where it has
// none, and how often it is asked about a key that isn't known.
const (
	keysLife    = time.Hour
	absenceLife = 5 * time.Minute
	askAgain    = time.Minute
)

// maxKeys is how large a discovery document, or a set of keys, may be, in bytes.
const maxKeys = 256 << 10

// keySet is the keys that an issuer publishes, if it does.
type keySet struct {
	issuer string
	http   *http.Client

	mu   sync.Mutex // held while the issuer is asked; guards the following
	keys *jose.JSONWebKeySet
	at   time.Time // when it was asked; zero: never
}

// forKey returns the issuer's keys, asking for them if need be; nil if it publishes
// none.
func (s *keySet) forKey(ctx context.Context, id string, now time.Time) *jose.JSONWebKeySet {
	s.mu.Lock()
	defer s.mu.Unlock()
	age := now.Sub(s.at)
	switch {
	case s.at.IsZero():
	case s.keys == nil:
		if age < absenceLife {
			return nil
		}
	case age < askAgain, age < keysLife && (id == "" || slices.ContainsFunc(s.keys.Keys, func(k jose.JSONWebKey) bool { return k.KeyID == id })):
		return s.keys
	}
	s.at = now
	// Keys that were there are not given up for an endpoint that is down: otherwise
	// nobody would look at signatures while it is.
	if keys := s.fetch(ctx); keys != nil {
		s.keys = keys
	}
	return s.keys
}

// fetch asks the issuer (OpenID Connect Discovery §4); nil if it publishes no keys.
func (s *keySet) fetch(ctx context.Context) *jose.JSONWebKeySet {
	var document struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if !s.get(ctx, strings.TrimSuffix(s.issuer, "/")+"/.well-known/openid-configuration", &document) || document.Issuer != s.issuer {
		return nil
	}
	if u, err := url.Parse(document.Keys); err != nil || u.Scheme != "https" {
		return nil
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if !s.get(ctx, document.Keys, &set) {
		return nil
	}
	keys := new(jose.JSONWebKeySet)
	for _, text := range set.Keys {
		var k jose.JSONWebKey
		if json.Unmarshal(text, &k) == nil { // others are of kinds that we don't know (RFC 7517 §5)
			keys.Keys = append(keys.Keys, k)
		}
	}
	if len(keys.Keys) == 0 {
		return nil
	}
	return keys
}

func (s *keySet) get(ctx context.Context, address string, into any) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return false
	}
	resp, err := s.http.Do(req) //nolint:bodyclose // Read does
	if err != nil {
		return false
	}
	b, err := outbound.Read(resp, maxKeys)
	return err == nil && resp.StatusCode == http.StatusOK && json.Unmarshal(b, into) == nil
}
