package proof_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/ipam/proof"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const account = "111122223333"

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// An outcome is how a verification ends.
type outcome int

const (
	proven   outcome = iota
	unproven         // by the world outside
	mistaken         // by itself
	failed           // through no fault of the claim's
)

func (o outcome) String() string { return [...]string{"proven", "unproven", "mistaken", "failed"}[o] }

func outcomeOf(err error) outcome {
	var u *proof.UnprovenError
	var c *proof.ClaimError
	switch {
	case err == nil:
		return proven
	case errors.As(err, &u):
		return unproven
	case errors.As(err, &c):
		return mistaken
	}
	return failed
}

// wantOutcome checks how a verification ended, and that its error has the text.
func wantOutcome(t *testing.T, err error, want outcome, text string) {
	t.Helper()
	if got := outcomeOf(err); got != want || err != nil && !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, %v; want %v with %q", got, err, want, text)
	}
}

func TestAClaimIsVerifiedByTheMethodThatItNames(t *testing.T) {
	m := proof.Methods{proof.DNSToken: proof.NewDNS("127.0.0.1:1", 0)}
	c := proof.Claim{Account: account, CIDR: netip.MustParsePrefix("198.18.0.0/16"), Method: proof.RemarksX509, Time: now}
	wantOutcome(t, m.Verify(t.Context(), c), mistaken, `this installation verifies by dns-token, not by "remarks-x509"`)
	c.Method = proof.DNSToken
	wantOutcome(t, m.Verify(t.Context(), c), mistaken, "no token")
}
