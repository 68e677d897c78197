package certs

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// MaxNames is how many names a certificate can be requested for (ACM quota
// "Domain names per ACM certificate", which is 10 at first and 100 at most).
const MaxNames = 100

const (
	// validationTime is how long a request waits for its validation (ACM user
	// guide, "DNS validation").
	validationTime = 72 * time.Hour
	// tokenTime is how long an idempotency token holds (ACM RequestCertificate).
	tokenTime = time.Hour
)

// Issuance is what became of a certificate that was requested.
type Issuance struct {
	Status   Status        // PendingValidation, Issued, ValidationTimedOut or Failed
	Reason   FailureReason `json:",omitempty"` // of Failed
	IssuedAt time.Time     `json:",omitzero"`  // for the first time
	Renewal  *Renewal      `json:",omitempty"` // nil: never renewed
}

// validates says whether the certificate has its names' challenges answered.
func (i *Issuance) validates() bool {
	return i != nil && (i.Status == PendingValidation || i.Status == Issued)
}

// FailureReason is ACM's FailureReason.
type FailureReason string

// The reasons that an authority can have here.
const (
	CAAError            FailureReason = "CAA_ERROR"
	DomainNotAllowed    FailureReason = "DOMAIN_NOT_ALLOWED"
	InvalidPublicDomain FailureReason = "INVALID_PUBLIC_DOMAIN"
	OtherReason         FailureReason = "OTHER"
)

// Renewal is how the present or last renewal of a certificate goes.
type Renewal struct {
	Status  RenewalStatus
	Reason  FailureReason `json:",omitempty"` // of RenewalFailed
	Updated time.Time     // when Status became what it is
}

// RenewalStatus is ACM's RenewalStatus.
type RenewalStatus string

// The statuses of a renewal.
const (
	PendingAutoRenewal       RenewalStatus = "PENDING_AUTO_RENEWAL"
	RenewalPendingValidation RenewalStatus = "PENDING_VALIDATION" // a name's record isn't found any more
	RenewalSuccess           RenewalStatus = "SUCCESS"
	RenewalFailed            RenewalStatus = "FAILED"
)

// pending says whether a renewal is to be had at once.
func (r *Renewal) pending() bool {
	return r != nil && (r.Status == PendingAutoRenewal || r.Status == RenewalPendingValidation)
}

// Eligible says whether a certificate is renewed by itself, as ACM does with one
// that is in use.
func (c Certificate) Eligible(inUse bool) bool {
	return inUse && c.Issuance != nil && c.Issuance.Status == Issued
}

// Request is ACM RequestCertificate.
type Request struct {
	Account, Region string
	ID              string   // a random UUID
	Names           []string // the domain first; any case, each perhaps with "*." before
	KeyAlgorithm    string   // "RSA_2048", "EC_prime256v1", "EC_secp384r1"
	Token           string   // IdempotencyToken; "": none
	Tags            []tags.Tag
	Time            time.Time
}

// Request begins a certificate that the authority is to issue once it has seen
// that the names are the account's. A repeated call returns the first one's.
func (s *Service) Request(ctx context.Context, in Request) (Certificate, error) {
	if s.opts.Authority == nil {
		return Certificate{}, fail(Invalid, "RequestCertificate is not served by this installation: no certificate authority is configured. Import a certificate with ImportCertificate.")
	}
	var names []string
	for _, n := range in.Names {
		if n = strings.ToLower(n); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	if err := checkNames(names); err != nil {
		return Certificate{}, err
	}
	// ACM takes a call with other names for another one, and has no error for it.
	token := idempotency.Token{Account: in.Account, Region: in.Region, Action: "RequestCertificate", Time: in.Time}
	if in.Token != "" {
		token.Client = in.Token + "/" + strings.Join(names, ",")
	}
	var made Certificate
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		if at, found, err := s.opts.Tokens.Find(tx, token); err != nil {
			return err
		} else if c, ok := s.certificates.Get(tx, at); found && ok && in.Time.Sub(c.Created) < tokenTime {
			made = c
			return nil
		}
		made = Certificate{
			ARN: s.arn(in.Account, in.Region, in.ID), Account: in.Account, Region: in.Region, Type: AmazonIssued, Created: in.Time, Updated: in.Time,
			Facts:    Facts{Domain: names[0], Names: names, Subject: "CN=" + names[0], KeyAlgorithm: in.KeyAlgorithm},
			Issuance: &Issuance{Status: PendingValidation},
		}
		if err := s.add(tx, made, in.Tags); err != nil {
			return err
		}
		if s.foreign(tx, made) {
			made.Issuance.Status, made.Issuance.Reason = Failed, DomainNotAllowed
		} else {
			s.beginValidation(tx, made)
		}
		s.opts.Tokens.Remember(tx, token, made.ARN)
		s.certificates.Put(tx, made.ARN, made)
		return nil
	})
	return made, err
}

// checkNames refuses names that have the form of a domain name, but can't be had.
func checkNames(names []string) error {
	if len(names) > MaxNames {
		return fail(TooMany, "A certificate can have at most %d domain names; %d are requested.", MaxNames, len(names))
	}
	if d := names[0]; len(d) > 64 {
		return fail(Invalid, "The domain name '%s' is longer than 64 characters. Give it as a subject alternative name, beside a shorter domain name.", d)
	}
	for _, n := range names {
		if !isHost(n) || len(challengeRecord(domainOf(n))) > 253 {
			return fail(Invalid, "'%s' is not a domain name that a certificate can be validated for: each label has at most 63 characters, and the name with '_acme-challenge.' before it 253.", n)
		}
	}
	return nil
}

// Renew is ACM RenewCertificate: it has an issued certificate renewed now.
func (s *Service) Renew(ctx context.Context, account, region, at string, now time.Time) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		c, err := s.Certificate(tx, account, region, at)
		switch {
		case err != nil:
			return err
		case c.Issuance == nil:
			return fail(Invalid, "Certificate %s is not eligible for renewal: it was imported. Import the renewed certificate with ImportCertificate and this ARN.", at)
		case c.Issuance.Status == PendingValidation, c.Issuance.Renewal.pending():
			return fail(InProgress, "The request for certificate %s is in progress.", at)
		case c.Issuance.Status != Issued:
			return fail(Invalid, "Certificate %s is not eligible for renewal: it was never issued. Delete it and request another.", at)
		case s.opts.Authority == nil:
			return fail(Invalid, "RenewCertificate is not served by this installation: no certificate authority is configured any more.")
		}
		s.putRenewal(tx, c, Renewal{Status: PendingAutoRenewal, Updated: now})
		return nil
	})
}

func (s *Service) putRenewal(tx *store.Tx, c Certificate, r Renewal) {
	next := *c.Issuance
	next.Renewal = &r
	c.Issuance = &next
	s.certificates.Put(tx, c.ARN, c)
}
