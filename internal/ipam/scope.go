package ipam

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// maxScopes is how many scopes an IPAM may have, its two default ones among
// them (IPAM quotas).
const maxScopes = 5

// Infoblox is the only type of external authority (EC2 IpamScopeExternalAuthorityType).
const Infoblox = "infoblox"

// CreateScope is a request for a private scope: every other one comes with its IPAM.
type CreateScope struct {
	ID              string
	Account, Region string // Region is where the call was made
	IPAMID          string
	Description     string
	Authority       *ExternalAuthority
	Tags            []tags.Tag
	Token           idempotency.Token
	Time            time.Time
}

// CreateScope makes a private scope (CreateIpamScope).
func (s *Service) CreateScope(ctx context.Context, req CreateScope, dryRun func() error) (Scope, error) {
	sc := Scope{
		ID: req.ID, IPAMID: req.IPAMID, Account: req.Account, Region: req.Region, Type: Private,
		Description: req.Description, Authority: req.Authority,
	}
	made := sc
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		prior, found, err := repeated(tx, s, req.Token, s.scopes)
		if made = prior; found || err != nil {
			return err
		}
		made = sc
		i, err := s.homeIPAM(tx, req.Account, req.Region, req.IPAMID)
		if err != nil {
			return err
		}
		if err := i.needsAdvanced("Scopes beside the default ones require"); err != nil {
			return err
		}
		if err := checkAuthority(sc, i); err != nil {
			return err
		}
		if have := 2 + i.ExtraScopes; have >= maxScopes {
			return refuse(OverLimit, "You've reached the limit for scopes in ipam '%s'. You have created %d scopes and you are limited to %d.", i.ID, have, maxScopes)
		}
		if err := check(dryRun); err != nil {
			return err
		}
		i.ExtraScopes++
		s.ipams.Put(tx, i.ID, i)
		s.scopes.Put(tx, sc.ID, sc)
		s.tokens.Remember(tx, req.Token, sc.ID)
		return s.tag(tx, sc.Account, sc.Region, sc.ID, "ipam-scope", req.Tags)
	})
	if err != nil {
		return Scope{}, fmt.Errorf("create scope in ipam %s: %w", req.IPAMID, err)
	}
	return made, nil
}

var infobloxIdentifier = regexp.MustCompile(`^[^.\s]+\.identity\.account\.[^.\s]+\.[^.\s]+$`)

// checkAuthority checks a scope's external authority, if it has one.
func checkAuthority(sc Scope, i IPAM) error {
	switch a := sc.Authority; {
	case a == nil:
		return nil
	case sc.Type != Private:
		return refuse(InvalidCombination, "The request can only contain ExternalAuthorityConfiguration if the scope is private.")
	case a.Type != Infoblox:
		return refuse(InvalidValue, "The external authority type '%s' is not valid. It must be %s.", a.Type, Infoblox)
	case !infobloxIdentifier.MatchString(a.Identifier):
		return refuse(InvalidValue, "The external resource identifier '%s' is not valid. It must have the form <version>.identity.account.<entity_realm>.<entity_id>.", a.Identifier)
	}
	return i.needsAdvanced("External authorities require")
}

// ModifyScope is a change of a scope. What is nil stays as it is.
type ModifyScope struct {
	ID, Account, Region string
	Description         *string
	Authority           *ExternalAuthority
	RemoveAuthority     bool
}

// ModifyScope changes a scope (ModifyIpamScope).
func (s *Service) ModifyScope(ctx context.Context, req ModifyScope, dryRun func() error) (Scope, error) {
	var sc Scope
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		var i IPAM
		var err error
		if sc, i, err = s.homeScope(tx, req.Account, req.Region, req.ID); err != nil {
			return err
		}
		if req.Authority != nil {
			if req.RemoveAuthority {
				return refuse(InvalidCombination, "The request can't contain both ExternalAuthorityConfiguration and RemoveExternalAuthorityConfiguration.")
			}
			sc.Authority = req.Authority
			if err := checkAuthority(sc, i); err != nil {
				return err
			}
		}
		if req.RemoveAuthority {
			sc.Authority = nil
		}
		if err := check(dryRun); err != nil {
			return err
		}
		set(&sc.Description, req.Description)
		sc.Modified = true
		s.scopes.Put(tx, sc.ID, sc)
		return nil
	})
	if err != nil {
		return Scope{}, fmt.Errorf("modify scope %s: %w", req.ID, err)
	}
	return sc, nil
}

// DeleteScope deletes a scope that came with no IPAM and has no pools
// (DeleteIpamScope).
func (s *Service) DeleteScope(ctx context.Context, account, region, id string, dryRun func() error) (Scope, error) {
	var sc Scope
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		var i IPAM
		var err error
		if sc, i, err = s.homeScope(tx, account, region, id); err != nil {
			return err
		}
		switch {
		case sc.Default:
			return refuse(InvalidValue, "The ipam-scope '%s' is a default scope. It is deleted with its ipam.", id)
		case sc.PoolCount > 0:
			return refuse(Dependency, "The specified action is not valid for %s. There are one or more pools in the scope.", id)
		}
		if err := check(dryRun); err != nil {
			return err
		}
		i.ExtraScopes--
		s.ipams.Put(tx, i.ID, i)
		s.removeScope(tx, sc)
		return nil
	})
	if err != nil {
		return Scope{}, fmt.Errorf("delete scope %s: %w", id, err)
	}
	return sc, nil
}

func (s *Service) removeScope(tx *store.Tx, sc Scope) {
	s.scopes.Delete(tx, sc.ID)
	s.domains.Delete(tx, sc.ID) // a private one's; public CIDRs share another
	s.tags.Clear(tx, sc.ID)
}

// homeScope returns the scope that a call to its home region changes, and its
// IPAM. Both are guarded.
func (s *Service) homeScope(tx *store.Tx, account, region, id string) (Scope, IPAM, error) {
	sc, ok := s.scopes.Get(tx, id)
	if !ok || sc.Account != account || sc.Region != region {
		return Scope{}, IPAM{}, &NotFoundError{NounScope, id}
	}
	i, err := s.homeIPAM(tx, account, region, sc.IPAMID)
	return sc, i, err
}

// scopesOf returns an IPAM's scopes, by id. From a Tx each is guarded; their set
// is by the IPAM, which counts them.
func (s *Service) scopesOf(r store.Reader, i IPAM) []Scope {
	var all []Scope
	for id := range s.scopesByOwner.Each(r, owner(i.Account, i.Region)) {
		if sc, ok := s.scopes.Get(r, id); ok && sc.IPAMID == i.ID {
			all = append(all, sc)
		}
	}
	return all
}
