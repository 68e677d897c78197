package certs

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// unprovenError says that a domain's record isn't found yet: no failure, a wait.
type unprovenError struct {
	pause time.Duration
	cause error // why DNS couldn't be asked; nil: it could
}

func (e *unprovenError) Error() string {
	if e.cause != nil {
		return "look for the domains' records: " + e.cause.Error()
	}
	return "a domain's record isn't in DNS yet"
}

// Unwrap returns why DNS couldn't be asked.
func (e *unprovenError) Unwrap() error { return e.cause }

// advance does what is to be done about a certificate now, once.
func (s *Service) advance(ctx context.Context, at string, log *slog.Logger) error {
	now := time.Now().UTC().Round(0)
	r := s.store.Snapshot()
	c, ok := s.certificates.Get(r, at)
	step, from := stepOf(c, ok && len(s.InUseBy(r, at)) > 0)
	switch {
	case step == nothing || now.Before(from):
		return nil
	case step == order && !now.Before(c.Created.Add(validationTime)):
		log.Info("a certificate was not validated in time", "certificate", at, "domain", c.Domain)
		return s.settle(ctx, at, Issuance{Status: ValidationTimedOut})
	case step == renew && !c.Issuance.Renewal.pending():
		if err := s.noteRenewal(ctx, at, Renewal{Status: PendingAutoRenewal, Updated: now}); err != nil {
			return err
		}
	}
	err := s.obtain(ctx, c)
	var refused *Refusal
	var unproven *unprovenError
	switch {
	case errors.As(err, &refused) && step == order:
		log.Warn("a certificate was refused", "certificate", at, "domain", c.Domain, "error", err)
		return s.settle(ctx, at, Issuance{Status: Failed, Reason: refused.Reason})
	case errors.As(err, &refused):
		return errors.Join(err, s.noteRenewal(ctx, at, Renewal{Status: RenewalFailed, Reason: refused.Reason, Updated: now}))
	case errors.As(err, &unproven) && step == renew:
		return errors.Join(err, s.noteRenewal(ctx, at, Renewal{Status: RenewalPendingValidation, Updated: now}))
	case errors.Is(err, errUnwanted):
		return nil
	case err == nil:
		log.Info("a certificate was issued", "certificate", at, "domain", c.Domain)
	}
	return err
}

// obtain gets a certificate's content from the authority.
func (s *Service) obtain(ctx context.Context, c Certificate) error {
	ctx, cancel := context.WithTimeout(ctx, orderTime)
	defer cancel()
	if s.foreign(s.store.Snapshot(), c) {
		return &Refusal{DomainNotAllowed, errors.New("a name of our zone isn't the account's")}
	}
	o := Order{
		ARN: c.ARN, Account: c.Account, Names: c.Names,
		Show: func(ctx context.Context, domain, value string) error {
			return s.show(ctx, c.Account, domain, value, time.Now().UTC().Round(0))
		},
		Hide: func(ctx context.Context, domain, value string) error {
			return s.hide(ctx, c.Account, domain, value, time.Now().UTC().Round(0))
		},
	}
	for _, d := range c.domains() {
		o.Domains = append(o.Domains, Domain{Name: d, Record: challengeRecord(d), Marker: marker(c.Account, d)})
	}
	proven, err := s.opts.Authority.Proven(ctx, o.Domains)
	switch pause := lookAfter(time.Since(c.Created)); {
	case err != nil: // the resolver's trouble, or that of a domain's servers
		return &unprovenError{max(pause, minUnanswered), err}
	case !proven:
		return &unprovenError{pause, nil}
	}
	if o.Key, err = newKey(c.KeyAlgorithm); err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	chain, err := s.opts.Authority.Issue(ctx, o)
	if err != nil {
		return err
	}
	return s.fill(ctx, c, chain, o.Key, time.Now().UTC().Round(0))
}

// newKey makes a private key of an algorithm that a certificate can be requested
// for.
func newKey(algorithm string) (crypto.Signer, error) {
	switch algorithm {
	case "EC_prime256v1":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EC_secp384r1":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	}
	return rsa.GenerateKey(rand.Reader, 2048)
}

// fill puts what was issued into a certificate, which whoever uses it then serves
// with. The names stay as they were requested.
func (s *Service) fill(ctx context.Context, c Certificate, issued []byte, key crypto.Signer, now time.Time) error {
	m, err := materialOf(issued, key)
	if err != nil {
		return err
	}
	leaf, err := parseCertificates(m.Certificate, "certificate")
	if err != nil {
		return fmt.Errorf("read what was issued: %w", err)
	}
	valid := now
	if leaf[0].NotBefore.After(now) { // the authority's clock is ahead of ours
		valid = leaf[0].NotBefore
	}
	content, err := m.read(valid)
	if err != nil {
		return fmt.Errorf("read what was issued: %w", err)
	}
	for _, n := range c.Names {
		if err := leaf[0].VerifyHostname(n); err != nil {
			return fmt.Errorf("what was issued isn't what was ordered: %w", err)
		}
	}
	content.facts.Domain, content.facts.Names = c.Domain, c.Names
	return s.store.Update(ctx, func(tx *store.Tx) error {
		c, ok := s.certificates.Get(tx, c.ARN)
		if !ok || !c.Issuance.validates() {
			return errUnwanted
		}
		next := *c.Issuance
		if next.Status == Issued {
			next.Renewal = &Renewal{Status: RenewalSuccess, Updated: now}
		} else {
			next.Status, next.IssuedAt = Issued, now
		}
		c.Issuance, c.Updated = &next, now
		c.Facts, c.Body, c.Chain = content.facts, content.body, content.chain
		c.Key = s.opts.Sealer.Seal(content.key, c.ARN)
		s.certificates.Put(tx, c.ARN, c)
		return nil
	})
}

// materialOf takes apart what an authority issued.
func materialOf(issued []byte, key crypto.Signer) (Material, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Material{}, fmt.Errorf("encode a key: %w", err)
	}
	m := Material{PrivateKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})}
	first, rest := pem.Decode(issued)
	if first == nil {
		return Material{}, errors.New("what was issued is no certificate")
	}
	m.Certificate, m.Chain = pem.EncodeToMemory(first), bytes.TrimSpace(rest)
	return m, nil
}

// settle ends a request that had no success: nothing is answered for it any more.
func (s *Service) settle(ctx context.Context, at string, outcome Issuance) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		c, ok := s.certificates.Get(tx, at)
		if !ok || c.Issuance.Status != PendingValidation {
			return nil
		}
		c.Issuance = &outcome
		s.endValidation(tx, c)
		s.certificates.Put(tx, at, c)
		return nil
	})
}

// noteRenewal records how a renewal goes, if that is news.
func (s *Service) noteRenewal(ctx context.Context, at string, r Renewal) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		c, ok := s.certificates.Get(tx, at)
		if !ok || c.Issuance.Status != Issued {
			return nil
		}
		if old := c.Issuance.Renewal; old == nil || old.Status != r.Status || old.Reason != r.Reason {
			s.putRenewal(tx, c, r)
		}
		return nil
	})
}
