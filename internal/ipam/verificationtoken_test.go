package ipam_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
)

func tokenRequest(i ipam.IPAM, change ...func(*ipam.CreateToken)) ipam.CreateToken {
	req := ipam.CreateToken{
		ID: ids.EC2("ipam-ext-res-ver-token"), IPAMID: i.ID, Account: account, Region: home, Name: "12345678", Value: "a-value", Time: t0,
	}
	for _, c := range change {
		c(&req)
	}
	return req
}

func (w *world) tokenIDs() (ids []string) {
	for id := range w.Tokens(w.store.Snapshot(), account, home, "") {
		ids = append(ids, id)
	}
	return ids
}

// S7.
func TestAVerificationTokenLivesForThreeDays(t *testing.T) {
	w := single(t)
	i := w.ipam()
	tok := must(w.CreateToken(t.Context(), tokenRequest(i, func(r *ipam.CreateToken) {
		r.Tags = []tags.Tag{{Key: "for", Value: "lab"}}
		r.Token = idempotency.Token{Account: account, Region: home, Action: "Create", Client: "once", Fingerprint: "a", Time: t0}
	}), nil))(t)
	if tok.Expired(t0.Add(72*time.Hour-1)) || !tok.Expired(t0.Add(72*time.Hour)) {
		t.Errorf("got NotAfter %v, want 72 h after %v", tok.NotAfter, t0)
	}
	again := must(w.CreateToken(t.Context(), tokenRequest(i, func(r *ipam.CreateToken) {
		r.Token = idempotency.Token{Account: account, Region: home, Action: "Create", Client: "once", Fingerprint: "a", Time: t0}
	}), nil))(t)
	if again.ID != tok.ID {
		t.Errorf("repeated: got %s, want %s", again.ID, tok.ID)
	}
	if got := w.tags.Of(w.store.Snapshot(), tok.ID); len(got) != 1 {
		t.Errorf("tags: got %v", got)
	}
	if _, ok := w.Token(w.store.Snapshot(), "444455556666", home, tok.ID); ok {
		t.Error("I8: another account sees the token")
	}
	_, err := w.DeleteToken(t.Context(), "444455556666", home, tok.ID, nil)
	wantAbsent(t, err, ipam.NounToken)
	must(w.DeleteToken(t.Context(), account, home, tok.ID, nil))(t)
	_, err = w.DeleteToken(t.Context(), account, home, tok.ID, nil)
	wantAbsent(t, err, ipam.NounToken)
	if got := w.tags.Of(w.store.Snapshot(), tok.ID); len(got) != 0 {
		t.Errorf("its tags remain: %v", got)
	}
	_, err = w.CreateToken(t.Context(), tokenRequest(ipam.IPAM{ID: "ipam-0"}), nil)
	wantAbsent(t, err, ipam.NounIPAM)
}

func wantAbsent(t *testing.T, err error, noun ipam.Noun) {
	t.Helper()
	var e *ipam.NotFoundError
	if !errors.As(err, &e) || e.Noun != noun {
		t.Errorf("got %v, want that there is no such %s", err, noun)
	}
}

func TestAnIPAMHasAHundredTokensWhichGoWithIt(t *testing.T) {
	w := single(t)
	i := w.ipam()
	for n := range 100 {
		must(w.CreateToken(t.Context(), tokenRequest(i, func(r *ipam.CreateToken) {
			r.Tags = []tags.Tag{{Key: "n", Value: fmt.Sprint(n)}}
		}), nil))(t)
	}
	_, err := w.CreateToken(t.Context(), tokenRequest(i), nil)
	refused(t, err, ipam.OverLimit, "You are limited to 100.")
	all := w.tokenIDs()
	must(w.DeleteToken(t.Context(), account, home, all[0], nil))(t)
	must(w.CreateToken(t.Context(), tokenRequest(i), nil))(t)

	must(w.DeleteIPAM(t.Context(), account, home, i.ID, false, nil))(t)
	if got := w.tokenIDs(); len(got) != 0 {
		t.Errorf("%d tokens outlive their IPAM", len(got))
	}
	if got := w.tags.Of(w.store.Snapshot(), all[1]); len(got) != 0 {
		t.Errorf("a token's tags outlive it: %v", got)
	}
	w.ipam() // there is none left
}

// asked is a verifier that remembers what it was asked, and answers with err.
type asked struct {
	claims []ipam.Claim
	err    error
}

func (a *asked) verify(_ context.Context, c ipam.Claim) error {
	a.claims = append(a.claims, c)
	return a.err
}

// S7.
func TestATokenIsTheProofOfACIDR(t *testing.T) {
	v := new(asked)
	w := single(t, func(o *ipam.Options) { o.VerifyBYOIP = v.verify })
	i := w.ipam()
	p := w.pool(i.PublicScopeID)
	tok := must(w.CreateToken(t.Context(), tokenRequest(i), nil))(t)
	req := provisionRequest(p.ID, "198.18.0.0/24")
	req.Method = ipam.DNSToken

	_, err := w.ProvisionCIDR(t.Context(), req, nil)
	refused(t, err, ipam.InvalidCombination, "IpamExternalResourceVerificationTokenId")
	req.TokenID = "ipam-ext-res-ver-token-0"
	_, err = w.ProvisionCIDR(t.Context(), req, nil)
	wantAbsent(t, err, ipam.NounToken)
	req.TokenID, req.Time = tok.ID, tok.NotAfter
	_, err = w.ProvisionCIDR(t.Context(), req, nil)
	refused(t, err, ipam.InvalidValue, "expired at 2026-01-05T03:04:05Z")
	bad := req
	bad.Method = "by-handshake"
	_, err = w.ProvisionCIDR(t.Context(), bad, nil)
	refused(t, err, ipam.InvalidValue, "by-handshake")
	if len(v.claims) != 0 {
		t.Fatalf("asked about %+v, before there is a claim", v.claims)
	}

	req.Time = t0
	req.Token = idempotency.Token{Account: account, Region: home, Action: "Provision", Client: "once", Fingerprint: "a", Time: t0}
	for range 2 { // a repeated call isn't verified again
		if c := must(w.ProvisionCIDR(t.Context(), req, nil))(t); c.State != ipam.Provisioned {
			t.Errorf("got %+v", c)
		}
	}
	want := ipam.Claim{Account: account, CIDR: req.CIDR, Method: ipam.DNSToken, TokenName: tok.Name, TokenValue: tok.Value, Time: t0}
	if len(v.claims) != 1 || v.claims[0] != want {
		t.Errorf("got %+v, want %+v once", v.claims, want)
	}
	child := w.pool(i.PublicScopeID, func(r *ipam.CreatePool) { r.SourcePoolID = p.ID })
	w.provision(child.ID, "198.18.0.0/28")
	if len(v.claims) != 1 {
		t.Error("a child pool's CIDR needs no proof")
	}
}

// As at AWS: what the request can't show of itself fails later, in the CIDR's
// state.
func TestACIDRWithoutProofFailsToBeProvisioned(t *testing.T) {
	v := &asked{err: fmt.Errorf("look up: %w", &ipam.UnprovenError{Reason: "There is no TXT record."})}
	w := single(t, func(o *ipam.Options) { o.VerifyBYOIP = v.verify })
	i := w.ipam()
	p := w.pool(i.PublicScopeID)
	req := provisionRequest(p.ID, "198.18.0.0/24")
	req.Authorization = &ipam.Authorization{Message: "m", Signature: "s"}
	c := must(w.ProvisionCIDR(t.Context(), req, nil))(t)
	if c.State != ipam.FailedProvision || c.FailureCode != "" || c.FailureMessage != "There is no TXT record." {
		t.Errorf("got %+v, want that it failed for want of a record", c)
	}
	v.err = nil
	req.ID = ids.New("ipam-pool-cidr-", 33)
	if c := must(w.ProvisionCIDR(t.Context(), req, nil))(t); c.State != ipam.Provisioned {
		t.Errorf("once there is one: got %+v", c)
	}
}

// A deletion that a crash interrupts is carried on, tokens and all.
func TestTheSweepDeletesTheTokensOfAnIPAM(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &faulty{Engine: memstore.New()}
		w := open(t, e)
		i := w.ipam()
		must(w.CreateToken(t.Context(), tokenRequest(i), nil))(t)
		synctest.Wait() // the sweep that a start begins with is over
		n := 0
		e.each = func() {
			if n++; n == 2 { // the deletion's second step
				e.before.Store(true)
			}
		}
		if _, err := w.DeleteIPAM(t.Context(), account, home, i.ID, false, nil); err != nil {
			t.Fatal(err)
		}
		if len(w.tokenIDs()) != 1 {
			t.Fatal("the commit that deletes the token didn't fail")
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if len(w.tokenIDs()) != 0 {
			t.Error("the token remains")
		}
	})
}
