package ipam

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

const (
	// maxTokens is how many verification tokens an IPAM may have (IPAM quota).
	// Those that have expired count until they are deleted.
	maxTokens = 100

	// tokenLife is how long a token is good for (EC2
	// CreateIpamExternalResourceVerificationToken).
	tokenLife = 72 * time.Hour

	tokenTag = "ipam-external-resource-verification-token"
)

// VerificationToken is a random value that an account puts into a CIDR's
// reverse DNS to prove that it controls the CIDR. It serves for any number of
// CIDRs.
type VerificationToken struct {
	ID              string
	IPAMID          string
	Account, Region string // Region is the IPAM's home
	Name            string // the label that the TXT record is under: 8 digits
	Value           string // the record's text
	Created         time.Time
	NotAfter        time.Time
}

// Expired says whether the token is no longer good.
func (t VerificationToken) Expired(now time.Time) bool { return !now.Before(t.NotAfter) }

// CreateToken is a request for a verification token. Name and Value are random.
type CreateToken struct {
	ID, IPAMID      string
	Account, Region string
	Name, Value     string
	Tags            []tags.Tag
	Token           idempotency.Token
	Time            time.Time
}

// CreateToken makes a verification token (CreateIpamExternalResourceVerificationToken).
func (s *Service) CreateToken(ctx context.Context, req CreateToken, dryRun func() error) (VerificationToken, error) {
	t := VerificationToken{
		ID: req.ID, IPAMID: req.IPAMID, Account: req.Account, Region: req.Region, Name: req.Name, Value: req.Value,
		Created: req.Time, NotAfter: req.Time.Add(tokenLife),
	}
	made := t
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		if prior, found, err := repeated(tx, s, req.Token, s.verifications); found || err != nil {
			made = prior
			return err
		}
		made = t
		i, ok := s.ipams.Get(tx, req.IPAMID)
		switch {
		case !ok || i.Account != req.Account || i.Region != req.Region:
			return &NotFoundError{NounIPAM, req.IPAMID}
		case i.State != CreateComplete:
			return refuse(WrongState, "The ipam '%s' is being deleted.", i.ID)
		case i.Tokens >= maxTokens:
			return refuse(OverLimit, "You've reached the limit for verification tokens in ipam '%s'. You are limited to %d.", i.ID, maxTokens)
		}
		if err := check(dryRun); err != nil {
			return err
		}
		i.Tokens++
		s.ipams.Put(tx, i.ID, i)
		s.verifications.Put(tx, t.ID, t)
		s.tokens.Remember(tx, req.Token, t.ID)
		return s.tag(tx, t.Account, t.Region, t.ID, tokenTag, req.Tags)
	})
	if err != nil {
		return VerificationToken{}, fmt.Errorf("create verification token of %s: %w", req.IPAMID, err)
	}
	return made, nil
}

// DeleteToken deletes a verification token. What it has proven stays proven
// (DeleteIpamExternalResourceVerificationToken).
func (s *Service) DeleteToken(ctx context.Context, account, region, id string, dryRun func() error) (VerificationToken, error) {
	var t VerificationToken
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		var ok bool
		if t, ok = s.Token(tx, account, region, id); !ok {
			return &NotFoundError{NounToken, id}
		}
		if err := check(dryRun); err != nil {
			return err
		}
		s.removeToken(tx, t)
		return nil
	})
	if err != nil {
		return VerificationToken{}, fmt.Errorf("delete verification token %s: %w", id, err)
	}
	return t, nil
}

func (s *Service) removeToken(tx *store.Tx, t VerificationToken) {
	if i, ok := s.ipams.Get(tx, t.IPAMID); ok {
		i.Tokens--
		s.ipams.Put(tx, i.ID, i)
	}
	s.verifications.Delete(tx, t.ID)
	s.tags.Clear(tx, t.ID)
}

// Tokens yields an account's verification tokens in their home region, by id,
// from the id on.
func (s *Service) Tokens(r store.Reader, account, region, from string) iter.Seq2[string, VerificationToken] {
	return s.verificationsByOwner.From(r, owner(account, region), from)
}

// Token returns the verification token that an account names in its home region.
func (s *Service) Token(r store.Reader, account, region, id string) (VerificationToken, bool) {
	t, ok := s.verifications.Get(r, id)
	return t, ok && t.Account == account && t.Region == region
}

// removeTokens deletes all tokens of an IPAM that is being deleted, which makes
// no new ones.
func (s *Service) removeTokens(ctx context.Context, i IPAM) error {
	for more := true; more; {
		err := s.store.Update(ctx, func(tx *store.Tx) error {
			n := 0
			for _, t := range s.Tokens(tx, i.Account, i.Region, "") {
				if t.IPAMID != i.ID {
					continue
				}
				if n++; n > deletionChunk/2 {
					break
				}
				if t, ok := s.verifications.Get(tx, t.ID); ok {
					s.removeToken(tx, t)
				}
			}
			more = n > deletionChunk/2
			return nil
		})
		if err != nil {
			return fmt.Errorf("delete the verification tokens of %s: %w", i.ID, err)
		}
	}
	return nil
}
