package ipam

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// VerificationMethod says how control of a CIDR is proven.
type VerificationMethod string

// The methods (EC2 VerificationMethod).
const (
	RemarksX509 VerificationMethod = "remarks-x509" // ProvisionIpamPoolCidr's default
	DNSToken    VerificationMethod = "dns-token"
)

// Claim is an account's word that a CIDR is its own, with the proof that it
// brings: a signed message (EC2 CidrAuthorizationContext) or a verification
// token, which is valid.
type Claim struct {
	Account               string
	CIDR                  netip.Prefix
	Method                VerificationMethod
	Message, Signature    string // RemarksX509
	TokenName, TokenValue string // DNSToken
	Time                  time.Time
}

// ClaimError says what is wrong with a claim by itself.
type ClaimError struct{ Reason string }

func (e *ClaimError) Error() string { return e.Reason }

// UnprovenError says that a claim is in order, and that what is found outside
// doesn't bear it out, at least not yet.
type UnprovenError struct{ Reason string }

func (e *UnprovenError) Error() string { return e.Reason }

// proofOf is what a request brings as a proof for its CIDR.
type proofOf struct {
	account, region string
	cidr            netip.Prefix
	method          VerificationMethod
	authorization   *Authorization
	tokenID         string
	time            time.Time
}

// Authorization is a message and its signature (EC2 CidrAuthorizationContext).
type Authorization struct{ Message, Signature string }

// verify asks for the proof that a CIDR from outside is the account's. A mistake
// in the request, which the caller can see and mend, is an error. For a proof
// that the outside lacks AWS has the call succeed and the CIDR fail a while
// later; so unproven is the reason that the CIDR fails for.
func (s *Service) verify(ctx context.Context, r store.Reader, p proofOf) (unproven string, err error) {
	if s.opts.VerifyBYOIP == nil {
		return "", nil
	}
	c := Claim{Account: p.account, CIDR: p.cidr, Method: p.method, Time: p.time}
	switch p.method {
	case RemarksX509, "":
		c.Method = RemarksX509
		if p.authorization == nil {
			return "", refuse(InvalidCombination, "The request must contain a CIDR Authorization Context for a CIDR that is brought to a public pool, or a verification token.")
		}
		c.Message, c.Signature = p.authorization.Message, p.authorization.Signature
	case DNSToken:
		t, err := s.validToken(r, p)
		if err != nil {
			return "", err
		}
		c.TokenName, c.TokenValue = t.Name, t.Value
	default:
		return "", refuse(InvalidValue, "The VerificationMethod '%s' is not one of %s and %s.", p.method, RemarksX509, DNSToken)
	}
	err = s.opts.VerifyBYOIP(ctx, c)
	var mistake *ClaimError
	var missing *UnprovenError
	switch {
	case err == nil:
		return "", nil
	case errors.As(err, &mistake):
		return "", refuse(InvalidValue, "The proof of control of the CIDR '%s' is not valid: %s.", p.cidr, mistake.Reason)
	case errors.As(err, &missing):
		return missing.Reason, nil
	}
	return "", fmt.Errorf("verify control of %s: %w", p.cidr, err)
}

func (s *Service) validToken(r store.Reader, p proofOf) (VerificationToken, error) {
	if p.tokenID == "" {
		return VerificationToken{}, refuse(InvalidCombination, "The request must contain an IpamExternalResourceVerificationTokenId for the VerificationMethod %s.", DNSToken)
	}
	t, ok := s.Token(r, p.account, p.region, p.tokenID)
	switch {
	case !ok:
		return t, &NotFoundError{NounToken, p.tokenID}
	case t.Expired(p.time):
		return t, refuse(InvalidValue, "The verification token '%s' expired at %s. Create another one.", t.ID, t.NotAfter.Format(time.RFC3339))
	}
	return t, nil
}
