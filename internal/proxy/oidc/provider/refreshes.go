package provider

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/oidc"
)

// Refreshes has a session refreshed once, however many of its requests come at a time.
// What came of it is known for a while: a page's other requests have the former cookies
// still, and a provider that takes back used refresh tokens would end the session over
// them (RFC 9700 §4.14.2).
type Refreshes struct {
	mu      sync.Mutex // guards the following
	flights map[[sha256.Size]byte]*flight
}

// How long what came of a refresh is known, and of how many sessions.
const (
	remembered    = time.Minute
	maxRemembered = 4096
)

// flight is a refresh.
type flight struct {
	done    chan struct{} // closed at its end; guards the following until then
	session *oidc.Session
	err     error

	over time.Time // guarded by Refreshes.mu; zero: it is under way
}

// NewRefreshes returns one that knows of none.
func NewRefreshes() *Refreshes { return &Refreshes{flights: map[[sha256.Size]byte]*flight{}} }

// Do returns what came of the refresh of a session, which it has done if nobody has.
// The error is a *Failed.
func (r *Refreshes) Do(ctx context.Context, p *Provider, s *oidc.Session, now time.Time) (*oidc.Session, error) {
	key := sha256.Sum256([]byte(p.config.Issuer + "\x00" + p.config.ClientID + "\x00" + string(s.ID[:]) + s.RefreshToken))
	r.mu.Lock()
	f := r.flights[key]
	if f != nil && (f.over.IsZero() || now.Sub(f.over) < remembered) {
		r.mu.Unlock()
		select {
		case <-f.done:
			return f.session, f.err
		case <-ctx.Done():
			return nil, &Failed{oidc.TokenTimeout, ctx.Err()}
		}
	}
	if len(r.flights) >= maxRemembered {
		r.forget(now)
	}
	f = &flight{done: make(chan struct{})}
	r.flights[key] = f
	r.mu.Unlock()

	f.err = &Failed{oidc.Unhandled, errors.New("the refresh was abandoned")} // unless it ends
	defer func() {
		close(f.done)
		r.mu.Lock()
		defer r.mu.Unlock()
		f.over = now
		if unasked(f.err) {
			delete(r.flights, key) // the next one may reach the provider
		}
	}()
	f.session, f.err = p.Refresh(ctx, s, now)
	return f.session, f.err
}

// forget makes room: what is over goes, though it could be asked for still.
func (r *Refreshes) forget(now time.Time) {
	for k, f := range r.flights {
		if !f.over.IsZero() && (now.Sub(f.over) >= remembered || len(r.flights) >= maxRemembered) {
			delete(r.flights, k)
		}
	}
}

// unasked says whether a refresh has failed for want of an answer.
func unasked(err error) bool {
	failed, ok := errors.AsType[*Failed](err)
	return ok && failed.Reason.Status() >= 500 && failed.Reason.Status() != 561
}
