package resolver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/prefixlist"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// CreateTarget is a request for a target.
type CreateTarget struct {
	ID, Account, Region string // Region is the resolver's
	ResolverID          string
	ListID, ListRegion  string
	Track               bool
	Desired             *int64 // nil: the newest version, whether or not it is tracked
	Tags                []tags.Tag
	Token               idempotency.Token
	Time                time.Time
}

// CreateTarget puts a prefix list into a resolver's hands
// (CreateIpamPrefixListResolverTarget).
func (s *Service) CreateTarget(ctx context.Context, req CreateTarget, dryRun func() error) (Target, error) {
	var t Target
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		if id, found, err := s.tokens.Find(tx, req.Token); err != nil {
			return err
		} else if found {
			if t, found = s.Target(tx, req.Account, req.Region, id); found {
				return nil
			}
		}
		res, err := s.resolver(tx, req.Account, req.Region, req.ResolverID)
		if err != nil {
			return err
		}
		if !s.opts.IsRegion(req.ListRegion) {
			return refuse(InvalidValue, "The prefix list region '%s' is not a valid region.", req.ListRegion)
		}
		if res.Targets >= maxTargets {
			return refuse(OverLimit, "You've reached the limit for targets of ipam-prefix-list-resolver '%s'. You are limited to %d.", res.ID, maxTargets)
		}
		t = Target{
			ID: req.ID, ResolverID: res.ID, Account: req.Account, Region: req.Region, ListID: req.ListID, ListRegion: req.ListRegion,
			State: SyncInProgress, Created: req.Time,
		}
		if err := s.aim(tx, res, &t, req.Track, req.Desired); err != nil {
			return err
		}
		if _, err := s.opts.Lists.Bind(tx, req.Account, req.ListRegion, req.ListID, t.ID, res.Family.ofList()); err != nil {
			return err
		}
		if err := check(dryRun); err != nil {
			return err
		}
		s.targets.Put(tx, t.ID, t)
		s.changeTargets(tx, res, +1)
		s.tokens.Remember(tx, req.Token, t.ID)
		return s.tag(tx, t.Account, t.Region, t.ID, NounTarget, req.Tags)
	})
	if err != nil {
		return Target{}, fmt.Errorf("create target of prefix list resolver %s: %w", req.ResolverID, err)
	}
	return t, nil
}

// changeTargets writes the record that stands for a resolver's targets, and for
// the versions that they name.
func (s *Service) changeTargets(tx *store.Tx, res Resolver, by int) {
	res.Targets += by
	s.resolvers.Put(tx, res.ID, res)
}

// aim gives a target the version that it is to have.
func (s *Service) aim(tx *store.Tx, res Resolver, t *Target, track bool, desired *int64) error {
	t.Track, t.Desired = track, 0
	switch {
	case track && desired != nil:
		return refuse(InvalidCombination, "The request can only contain DesiredVersion if TrackLatestVersion is false.")
	case track:
	case desired == nil:
		t.Desired = max(res.Version, 1) // there will be a first one
	default:
		if _, ok := s.versions.Get(tx, versionKey(res.ID, *desired)); !ok {
			return refuse(InvalidValue, "The ipam-prefix-list-resolver '%s' has no version %d, or not any more.", res.ID, *desired)
		}
		t.Desired = *desired
	}
	return nil
}

// ModifyTarget is a request to give a target another version. What is nil stays
// as it is; but a version ends that the newest is tracked.
type ModifyTarget struct {
	ID, Account, Region string
	Track               *bool
	Desired             *int64
	Token               idempotency.Token
}

// ModifyTarget changes a target (ModifyIpamPrefixListResolverTarget).
func (s *Service) ModifyTarget(ctx context.Context, req ModifyTarget, dryRun func() error) (Target, error) {
	var t Target
	err := s.store.Update(ctx, func(tx *store.Tx) (err error) {
		if t, err = s.target(tx, req.Account, req.Region, req.ID); err != nil {
			return err
		}
		if _, found, err := s.tokens.Find(tx, req.Token); err != nil || found {
			return err
		}
		if req.Track == nil && req.Desired == nil {
			return refuse(InvalidCombination, "The request must contain a modification to the ipam prefix list resolver target")
		}
		res, err := s.resolver(tx, t.Account, t.Region, t.ResolverID)
		if err != nil {
			return err
		}
		if err := s.aim(tx, res, &t, req.Track != nil && *req.Track, req.Desired); err != nil {
			return err
		}
		if err := check(dryRun); err != nil {
			return err
		}
		t.State, t.StateMessage = SyncInProgress, ""
		s.targets.Put(tx, t.ID, t)
		s.changeTargets(tx, res, 0)
		s.tokens.Remember(tx, req.Token, t.ID)
		return nil
	})
	if err != nil {
		return Target{}, fmt.Errorf("modify prefix list resolver target %s: %w", req.ID, err)
	}
	return t, nil
}

// DeleteTarget gives the list back into its owner's hands, with the entries that
// it has (DeleteIpamPrefixListResolverTarget).
func (s *Service) DeleteTarget(ctx context.Context, account, region, id string, dryRun func() error) (Target, error) {
	var t Target
	err := s.store.Update(ctx, func(tx *store.Tx) (err error) {
		if t, err = s.target(tx, account, region, id); err != nil {
			return err
		}
		res, err := s.resolver(tx, account, region, t.ResolverID)
		if err != nil {
			return err
		}
		if err := check(dryRun); err != nil {
			return err
		}
		s.opts.Lists.Unbind(tx, t.ListID, t.ID)
		s.targets.Delete(tx, id)
		s.changeTargets(tx, res, -1)
		s.tags.Clear(tx, id)
		return nil
	})
	if err != nil {
		return Target{}, fmt.Errorf("delete prefix list resolver target %s: %w", id, err)
	}
	return t, nil
}

// sync has a target's list hold the version that the target is to have.
func (s *Service) sync(ctx context.Context, id string) error {
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		t, ok := s.targets.Get(tx, id)
		if !ok {
			return nil
		}
		next := t
		if err := s.follow(tx, &next); err != nil {
			return err
		}
		if next != t {
			s.targets.Put(tx, id, next)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("sync target %s: %w", id, err)
	}
	return nil
}

func (s *Service) follow(tx *store.Tx, t *Target) error {
	res, _ := s.resolvers.Get(tx, t.ResolverID)
	wanted := t.Desired
	if t.Track {
		wanted = res.Version
	}
	v, ok := s.versions.Get(tx, versionKey(t.ResolverID, wanted))
	if !ok {
		return nil // the first one, which is yet to be made
	}
	l, bound := s.opts.Lists.Bound(tx, t.ListID, t.ID)
	switch {
	case !bound:
		t.State, t.StateMessage = SyncFailed, fmt.Sprintf("The prefix list '%s' does not exist any more.", t.ListID)
		return nil
	case !l.Sync:
		t.StateMessage = fmt.Sprintf("IpamPrefixListResolverSyncEnabled is false for the prefix list '%s', which is left as it is.", t.ListID)
		return nil
	}
	if !s.opts.Lists.Holds(tx, l, v.CIDRs) {
		var refused *prefixlist.CallError
		switch err := s.opts.Lists.Replace(tx, l, v.CIDRs); {
		case errors.As(err, &refused):
			t.State, t.StateMessage = SyncFailed, refused.Text
			return nil
		case err != nil:
			return err
		}
	}
	t.Synced, t.State, t.StateMessage = wanted, SyncComplete, ""
	return nil
}
