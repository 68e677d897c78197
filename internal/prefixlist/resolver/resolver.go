package resolver

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// Create is a request for a resolver.
type Create struct {
	ID, Account, Region string // Region is where the call was made: the IPAM's home
	IPAMID              string
	Family              Family
	Description         string
	Rules               []Rule
	Tags                []tags.Tag
	Token               idempotency.Token
	Time                time.Time
}

// Create makes a resolver, whose first version Run makes
// (CreateIpamPrefixListResolver).
func (s *Service) Create(ctx context.Context, req Create, dryRun func() error) (Resolver, error) {
	var res Resolver
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		if id, found, err := s.tokens.Find(tx, req.Token); err != nil {
			return err
		} else if found {
			if res, found = s.Resolver(tx, req.Account, req.Region, id); found {
				return nil
			}
		}
		i, ok := s.opts.Managers.IPAM(tx, req.Account, req.IPAMID)
		if !ok || i.Region != req.Region {
			return &NotFoundError{NounIPAM, req.IPAMID}
		}
		if !i.Advanced {
			return refuse(Unsupported, "Prefix list resolvers require the advanced tier.")
		}
		rules, err := s.checkRules(tx.Snapshot(), i, req.Family, req.Rules)
		if err != nil {
			return err
		}
		c, _ := s.censuses.Get(tx, i.ID)
		if c.Resolvers >= maxResolvers {
			return refuse(OverLimit, "You've reached the limit for prefix list resolvers of ipam '%s'. You are limited to %d.", i.ID, maxResolvers)
		}
		if err := check(dryRun); err != nil {
			return err
		}
		c.Resolvers++
		s.censuses.Put(tx, i.ID, c)
		res = Resolver{
			ID: req.ID, IPAMID: i.ID, Account: req.Account, Region: req.Region, Family: req.Family, Description: req.Description,
			Rules: rules, Status: Pending, Created: req.Time,
		}
		s.resolvers.Put(tx, res.ID, res)
		s.tokens.Remember(tx, req.Token, res.ID)
		return s.tag(tx, res.Account, res.Region, res.ID, NounResolver, req.Tags)
	})
	if err != nil {
		return Resolver{}, fmt.Errorf("create prefix list resolver: %w", err)
	}
	return res, nil
}

func (s *Service) tag(tx *store.Tx, account, region, id string, n Noun, tg []tags.Tag) error {
	if len(tg) == 0 {
		return nil
	}
	return s.tags.Put(tx, tags.Set{Account: account, Region: region, Resource: id, Type: string(n), Tags: tg})
}

// Modify is a request to change a resolver. What is nil stays as it is.
type Modify struct {
	ID, Account, Region string
	Description         *string
	Rules               []Rule // in place of all that there are
}

// Modify changes a resolver (ModifyIpamPrefixListResolver).
func (s *Service) Modify(ctx context.Context, req Modify, dryRun func() error) (Resolver, error) {
	var res Resolver
	err := s.store.Update(ctx, func(tx *store.Tx) (err error) {
		if res, err = s.resolver(tx, req.Account, req.Region, req.ID); err != nil {
			return err
		}
		if req.Description == nil && req.Rules == nil {
			return refuse(InvalidCombination, "The request must contain a modification to the ipam prefix list resolver")
		}
		if req.Description != nil {
			res.Description = *req.Description
		}
		if req.Rules != nil {
			i := IPAM{ID: res.IPAMID, Account: res.Account, Region: res.Region}
			if res.Rules, err = s.checkRules(tx.Snapshot(), i, res.Family, req.Rules); err != nil {
				return err
			}
			res.Status, res.StatusMessage = Pending, ""
		}
		if err := check(dryRun); err != nil {
			return err
		}
		res.Modified = true
		s.resolvers.Put(tx, res.ID, res)
		return nil
	})
	if err != nil {
		return Resolver{}, fmt.Errorf("modify prefix list resolver %s: %w", req.ID, err)
	}
	return res, nil
}

// Delete deletes a resolver that has no targets, and its versions
// (DeleteIpamPrefixListResolver).
func (s *Service) Delete(ctx context.Context, account, region, id string, dryRun func() error) (Resolver, error) {
	var res Resolver
	err := s.store.Update(ctx, func(tx *store.Tx) (err error) {
		if res, err = s.resolver(tx, account, region, id); err != nil {
			return err
		}
		if res.Targets > 0 {
			return refuse(Dependency, "The ipam-prefix-list-resolver '%s' has targets, %d in number. Delete them first.", id, res.Targets)
		}
		if err := check(dryRun); err != nil {
			return err
		}
		c, _ := s.censuses.Get(tx, res.IPAMID)
		c.Resolvers--
		s.censuses.Put(tx, res.IPAMID, c)
		for key := range s.versionsByResolver.Each(tx, id) { // no more than keptVersions and a target's each
			s.versions.Delete(tx, key)
		}
		s.resolvers.Delete(tx, id)
		s.tags.Clear(tx, id)
		return nil
	})
	if err != nil {
		return Resolver{}, fmt.Errorf("delete prefix list resolver %s: %w", id, err)
	}
	return res, nil
}
