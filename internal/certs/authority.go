package certs

import (
	"context"
	"crypto"
	"errors"
	"fmt"
)

// Authority is who issues certificates: an ACME CA.
type Authority interface {
	// Proven says whether all domains' records are found, their markers in them, so
	// that it is worth while to place an order. Nothing is asked of the authority.
	Proven(ctx context.Context, domains []Domain) (bool, error)

	// Issue places an order and returns the certificate in PEM, followed by what
	// certifies it. Errors: a *Refusal, ErrOrdering, and others, after which a later
	// order may succeed.
	Issue(ctx context.Context, o Order) ([]byte, error)
}

// Domain is what an authority must see before it issues for a name of it.
type Domain struct {
	Name   string // without the trailing dot
	Record string // where the authority looks for TXT records, without the trailing dot
	Marker string // one that is always there
}

// Order asks an authority for a certificate.
type Order struct {
	ARN     string // of the certificate: one order of it at a time
	Account string // whose it is; authorities take two accounts for strangers
	Names   []string
	Key     crypto.Signer
	Domains []Domain

	// Show has a value appear at a domain's record, and Hide ends that. Until it is
	// in DNS may take a moment.
	Show, Hide func(ctx context.Context, domain, value string) error
}

// ErrOrdering says that another server has an order of the certificate under way.
var ErrOrdering = errors.New("the certificate is being ordered already")

// Refusal is an authority's last word: no order of these names would succeed.
type Refusal struct {
	Reason FailureReason
	Err    error
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("refused by the authority (%s): %v", r.Reason, r.Err)
}

// Unwrap returns what the authority said.
func (r *Refusal) Unwrap() error { return r.Err }
