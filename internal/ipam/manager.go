package ipam

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// maxOperatingRegions is the most regions that a call may name (CreateIpam).
const maxOperatingRegions = 50

// CreateIPAM is a request for an IPAM. The ids are for it and for what comes
// with it: its two default scopes, its default resource discovery and the
// association of that.
type CreateIPAM struct {
	ID, PublicScopeID, PrivateScopeID   string
	DiscoveryID, DiscoveryAssociationID string
	Account, Region                     string
	Description                         string
	OperatingRegions                    []string
	Tier                                Tier // "": Advanced
	PrivateGUA                          bool
	MeteredAccount                      string
	Tags                                []tags.Tag
	Token                               idempotency.Token
	Time                                time.Time
}

// CreateIPAM makes an account's IPAM in a region, which is its home. An account
// has one in each region (CreateIpam).
func (s *Service) CreateIPAM(ctx context.Context, req CreateIPAM, dryRun func() error) (IPAM, error) {
	if len(req.OperatingRegions) > maxOperatingRegions {
		return IPAM{}, refuse(InvalidValue, "The request can contain at most %d operating regions.", maxOperatingRegions)
	}
	for _, r := range req.OperatingRegions {
		if !s.opts.IsRegion(r) {
			return IPAM{}, refuse(InvalidValue, "The operating region '%s' is not a valid region.", r)
		}
	}
	i := IPAM{
		ID: req.ID, Account: req.Account, Region: req.Region, Description: req.Description,
		Tier: req.Tier, PrivateGUA: req.PrivateGUA, MeteredAccount: req.MeteredAccount,
		PublicScopeID: req.PublicScopeID, PrivateScopeID: req.PrivateScopeID,
		DiscoveryID: req.DiscoveryID, DiscoveryAssociationID: req.DiscoveryAssociationID,
		State: CreateComplete, Created: req.Time,
	}
	if i.Tier == "" {
		i.Tier = Advanced
	}
	i.OperatingRegions = append([]string{req.Region}, req.OperatingRegions...)
	slices.Sort(i.OperatingRegions)
	i.OperatingRegions = slices.Compact(i.OperatingRegions)

	made := i
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		if prior, found, err := repeated(tx, s, req.Token, s.ipams); found || err != nil {
			made = prior
			return err
		}
		made = i
		home := owner(i.Account, i.Region)
		if _, taken := s.homes.Get(tx, home); taken {
			return refuse(OverLimit, "You've reached the limit for ipams. You have created 1 ipams and you are limited to 1.")
		}
		if err := check(dryRun); err != nil {
			return err
		}
		if s.opts.Companions != nil {
			if id := s.opts.Companions.Existing(tx, i.Account, i.Region); id != "" {
				made.DiscoveryID = id
			}
		}
		s.homes.Put(tx, home, i.ID)
		s.ipams.Put(tx, i.ID, made)
		for _, sc := range []Scope{
			{ID: i.PublicScopeID, Type: Public},
			{ID: i.PrivateScopeID, Type: Private},
		} {
			sc.IPAMID, sc.Account, sc.Region, sc.Default = i.ID, i.Account, i.Region, true
			s.scopes.Put(tx, sc.ID, sc)
		}
		s.tokens.Remember(tx, req.Token, i.ID)
		return s.tag(tx, i.Account, i.Region, i.ID, "ipam", req.Tags)
	})
	if err != nil {
		return IPAM{}, fmt.Errorf("create ipam: %w", err)
	}
	return made, nil
}

// DeleteIPAM deletes an IPAM with its default scopes. cascade takes its private
// pools and its other scopes along; a public pool forbids the deletion either way
// (DeleteIpam).
func (s *Service) DeleteIPAM(ctx context.Context, account, region, id string, cascade bool, dryRun func() error) (IPAM, error) {
	var i IPAM
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		var ok bool
		if i, ok = s.ipams.Get(tx, id); !ok || i.Account != account || i.Region != region {
			return &NotFoundError{NounIPAM, id}
		}
		if i.State == DeleteInProgress {
			return refuse(WrongState, "The ipam '%s' is being deleted.", id)
		}
		pools := map[ScopeType]int{}
		for _, sc := range s.scopesOf(tx, i) {
			pools[sc.Type] += sc.PoolCount
		}
		switch {
		case pools[Public] > 0 && cascade:
			return refuse(Dependency, "The specified action is not valid for %s. There are one or more pools in its public scope.", id)
		case pools[Public]+pools[Private] > 0 && !cascade:
			return refuse(Dependency, "The specified action is not valid for %s. There are one or more pools in the ipam.", id)
		case i.Policies > 0:
			return refuse(Dependency, "The specified action is not valid for %s. There are one or more policies in the ipam.", id)
		case i.ExtraScopes > 0 && !cascade:
			return refuse(Dependency, "The specified action is not valid for %s. There are one or more scopes in the ipam beside its default ones.", id)
		}
		if what := s.obstacle(tx, i); what != "" {
			return refuse(Dependency, "The specified action is not valid for %s. There are one or more %s in the ipam.", id, what)
		}
		if err := check(dryRun); err != nil {
			return err
		}
		if pools[Private] == 0 && i.Tokens == 0 {
			s.removeIPAM(tx, i)
			return nil
		}
		i.State = DeleteInProgress
		s.ipams.Put(tx, id, i)
		return nil
	})
	if err != nil {
		return IPAM{}, fmt.Errorf("delete ipam %s: %w", id, err)
	}
	if err := s.finishIPAM(ctx, id); err != nil {
		// The deletion is decided; the sweep carries it on.
		s.opts.Log.Warn("ipam: a deletion goes on later", "ipam", id, "error", err)
	}
	return i, nil
}

// finishIPAM ends what DeleteIPAM has begun. It may be repeated.
func (s *Service) finishIPAM(ctx context.Context, id string) error {
	snap := s.store.Snapshot()
	i, ok := s.ipams.Get(snap, id)
	if !ok || i.State != DeleteInProgress {
		return nil
	}
	var top []Pool
	for _, sc := range s.scopesOf(snap, i) {
		for _, p := range s.poolsByScope.Each(snap, sc.ID) {
			if p.SourcePoolID == "" { // else it goes with its source
				top = append(top, p)
			}
		}
	}
	if err := s.deletePools(ctx, top); err != nil {
		return err
	}
	if err := s.removeTokens(ctx, i); err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx *store.Tx) error {
		i, ok := s.ipams.Get(tx, id)
		if !ok {
			return nil
		}
		for _, sc := range s.scopesOf(tx, i) {
			if sc.PoolCount > 0 {
				return fmt.Errorf("delete ipam %s: %d pools remain in scope %s", id, sc.PoolCount, sc.ID)
			}
		}
		s.removeIPAM(tx, i)
		return nil
	})
}

func (s *Service) removeIPAM(tx *store.Tx, i IPAM) {
	s.homes.Delete(tx, owner(i.Account, i.Region))
	s.ipams.Delete(tx, i.ID)
	for _, sc := range s.scopesOf(tx, i) {
		s.removeScope(tx, sc)
	}
	s.tags.Clear(tx, i.ID)
	if s.opts.Companions != nil {
		s.opts.Companions.Gone(tx, i)
	}
}

// Companions is who has things that come and go with IPAMs.
type Companions interface {
	// Existing returns the resource discovery that an account has in a region
	// already, which becomes the default one of a new IPAM there, or "".
	Existing(tx *store.Tx, account, region string) (discoveryID string)

	// Obstacle names, in the plural, what else an IPAM has that must go before it,
	// and before its advanced tier; "" for nothing. From a Tx it is guarded.
	Obstacle(r store.Reader, i IPAM) string

	// Gone is told that an IPAM is deleted with tx.
	Gone(tx *store.Tx, i IPAM)
}

func (s *Service) obstacle(r store.Reader, i IPAM) string {
	if s.opts.Companions == nil {
		return ""
	}
	return s.opts.Companions.Obstacle(r, i)
}

// repeated returns what an earlier call with the token made.
func repeated[T any](tx *store.Tx, s *Service, t idempotency.Token, c *store.Collection[T]) (made T, found bool, err error) {
	id, found, err := s.tokens.Find(tx, t)
	if !found || err != nil {
		return made, false, err
	}
	made, found = c.Get(tx, id)
	return made, found, nil
}

// check asks whether to go on: a call that only wanted to know whether it would
// succeed ends with its own error here. nil goes on.
func check(dryRun func() error) error {
	if dryRun == nil {
		return nil
	}
	return dryRun()
}

func (s *Service) tag(tx *store.Tx, account, region, id, kind string, ts []tags.Tag) error {
	if len(ts) == 0 {
		return nil
	}
	return s.tags.Put(tx, tags.Set{Account: account, Region: region, Resource: id, Type: kind, Tags: ts})
}
