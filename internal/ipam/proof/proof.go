package proof

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Method says how control of a CIDR is proven (EC2 VerificationMethod).
type Method string

// The methods.
const (
	RemarksX509 Method = "remarks-x509" // a signature; the certificate is in the registry's remarks of the range
	DNSToken    Method = "dns-token"    // a TXT record under each of the range's reverse names
)

// Claim is an account's word that a CIDR is its own, with the proof that it brings.
type Claim struct {
	Account string
	CIDR    netip.Prefix // masked
	Method  Method
	Time    time.Time // of the claim

	Message, Signature    string // RemarksX509: as they came
	TokenName, TokenValue string // DNSToken: of the account's own token, which is valid
}

// Verifier says whether a claim's proof holds.
type Verifier interface {
	// Verify returns nil for a proof that holds, a *ClaimError for a claim that is
	// wrong by itself, and an *UnprovenError if it is in order and the world outside
	// doesn't bear it out. Another error is the installation's own fault.
	Verify(ctx context.Context, c Claim) error
}

// ClaimError says what is wrong with a claim. Reason is for who made it.
type ClaimError struct{ Reason string }

func (e *ClaimError) Error() string { return e.Reason }

func mistaken(format string, args ...any) error {
	return &ClaimError{fmt.Sprintf(format, args...)}
}

// UnprovenError says what is missing outside: the same claim may hold later.
// Reason is for who made it, and Cause, which may be nil, for the operator.
type UnprovenError struct {
	Reason string
	Cause  error
}

func (e *UnprovenError) Error() string { return e.Reason }

// Unwrap returns the cause.
func (e *UnprovenError) Unwrap() error { return e.Cause }

func unproven(cause error, format string, args ...any) error {
	return &UnprovenError{fmt.Sprintf(format, args...), cause}
}

// Methods verifies a claim by the method that it names, if that is one of these.
type Methods map[Method]Verifier

// Verify implements Verifier.
func (m Methods) Verify(ctx context.Context, c Claim) error {
	v, ok := m[c.Method]
	if !ok {
		var accepted []string
		for _, name := range slices.Sorted(maps.Keys(m)) {
			accepted = append(accepted, string(name))
		}
		return mistaken("this installation verifies by %s, not by %q", strings.Join(accepted, " or "), c.Method)
	}
	return v.Verify(ctx, c)
}
