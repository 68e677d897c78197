// Package idempotency remembers which resource a client token made, so that a
// repeated call returns it instead of making another (EC2 ClientToken).
//
// A room asks Find and calls Remember in the transaction that creates the
// resource. It is safe for concurrent use.
package idempotency

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// Retention is how long a token is remembered. AWS publishes no figure; a day
// outlives every client's retries.
const Retention = 24 * time.Hour

// ErrMismatch says that the token was used before with other parameters
// (IdempotentParameterMismatch).
var ErrMismatch = errors.New("client token was used with other parameters")

// Token is what a call says about its own repetition. The zero Token never
// matches and is never remembered.
type Token struct {
	Account, Region, Action string
	Client                  string    // ClientToken; "" for none
	Fingerprint             string    // of the call's other parameters
	Time                    time.Time // of the call
}

func (t Token) key() string { return t.Account + "/" + t.Region + "/" + t.Action + "/" + t.Client }

type record struct {
	Fingerprint string
	Resource    string
	Time        time.Time
}

// Service stores tokens.
type Service struct {
	store  *store.Store
	tokens *store.Collection[record]
}

// New declares the room's collection in st.
func New(st *store.Store) *Service {
	return &Service{store: st, tokens: store.NewCollection[record](st, "idempotency", 1)}
}

// Find returns the id of the resource that an earlier call with the token made.
// ErrMismatch if that call had other parameters.
func (s *Service) Find(r store.Reader, t Token) (resource string, found bool, err error) {
	if t.Client == "" {
		return "", false, nil
	}
	rec, ok := s.tokens.Get(r, t.key())
	switch {
	case !ok || t.Time.Sub(rec.Time) > Retention:
		return "", false, nil
	case rec.Fingerprint != t.Fingerprint:
		return "", false, ErrMismatch
	}
	return rec.Resource, true, nil
}

// Remember binds the token to the resource that its call made.
func (s *Service) Remember(tx *store.Tx, t Token, resource string) {
	if t.Client != "" {
		s.tokens.Put(tx, t.key(), record{t.Fingerprint, resource, t.Time})
	}
}

// Sweep forgets tokens older than Retention.
func (s *Service) Sweep(ctx context.Context, now time.Time) error {
	var old []string
	for k, rec := range s.tokens.All(s.store.Snapshot()) {
		if now.Sub(rec.Time) > Retention {
			old = append(old, k)
		}
	}
	for len(old) > 0 {
		n := min(len(old), store.MaxTxnOps)
		err := s.store.Update(ctx, func(tx *store.Tx) error {
			for _, k := range old[:n] {
				// Read again: the token may have been used anew meanwhile.
				if rec, ok := s.tokens.Get(tx, k); ok && now.Sub(rec.Time) > Retention {
					s.tokens.Delete(tx, k)
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("forget client tokens: %w", err)
		}
		old = old[n:]
	}
	return nil
}
