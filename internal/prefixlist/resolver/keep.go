package resolver

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

const (
	// pace is the least time between two rounds of Run: what changes meanwhile is
	// one change. The first after a rest is seen at once.
	pace = time.Second

	// againEvery is how often Run looks again at what it couldn't do.
	againEvery = 10 * time.Second

	// forgetEvery is how often Run looks for versions that are due to go.
	forgetEvery = time.Hour
)

// How long versions are kept: the newest ones always, others for a while, and
// those that targets name as long as they do. So does the service; but it says
// nothing of how many may be young, which here are bounded.
const (
	newestVersions = 10
	versionsFor    = 7 * 24 * time.Hour
	keptVersions   = 60 // but for those that targets name: all must go in one transaction
)

// Run makes versions as what the rules select changes, brings them to the
// targets, and forgets old ones, until ctx ends. Several servers may run it at
// once.
func (s *Service) Run(ctx context.Context) {
	k := &keeper{s: s, again: map[string]bool{}, sub: s.store.Subscribe(append(s.opts.Changes.Collections(), s.own()...)...)}
	defer k.sub.Close()
	again, forget := time.NewTicker(againEvery), time.NewTicker(forgetEvery)
	defer again.Stop()
	defer forget.Stop()
	for {
		k.round(ctx)
		select {
		case <-time.After(pace):
		case <-ctx.Done():
			return
		}
		select {
		case <-k.sub.C:
		case <-again.C:
		case <-forget.C:
			k.forget(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (s *Service) own() []string {
	return []string{s.resolvers.Name(), s.targets.Name(), s.opts.Lists.Collection()}
}

// keeper is Run's memory.
type keeper struct {
	s     *Service
	sub   *store.Subscription
	again map[string]bool // resolvers that something went wrong with
}

func (k *keeper) round(ctx context.Context) {
	for _, id := range k.due() {
		if err := k.s.look(ctx, id); err != nil && ctx.Err() == nil {
			k.s.opts.Log.Error("prefix list resolver", "resolver", id, "error", err)
			k.again[id] = true
		}
	}
}

// due returns the resolvers that there is a reason to look at.
func (k *keeper) due() []string {
	keys, all := k.sub.Take()
	snap := k.s.store.Snapshot()
	ids := k.again
	k.again = map[string]bool{}
	accounts := map[string]bool{}
	for _, key := range keys {
		switch key.Collection {
		case k.s.resolvers.Name():
			ids[key.Key] = true
		case k.s.targets.Name():
			if t, ok := k.s.targets.Get(snap, key.Key); ok {
				ids[t.ResolverID] = true
			}
		case k.s.opts.Lists.Collection():
			for _, t := range k.s.targetsByList.Each(snap, key.Key) {
				ids[t.ResolverID] = true
			}
		default:
			account, ok := k.s.opts.Changes.Account(snap, key)
			accounts[account] = true
			all = all || !ok
		}
	}
	for account := range accounts {
		for id := range k.s.resolversByAccount.Each(snap, account) {
			ids[id] = true
		}
	}
	if all {
		for id := range k.s.resolvers.All(snap) {
			ids[id] = true
		}
	}
	due := make([]string, 0, len(ids))
	for id := range ids {
		due = append(due, id)
	}
	slices.Sort(due)
	return due
}

// look makes a version of a resolver if its rules select something else than its
// last one has, and brings what there is to its targets.
func (s *Service) look(ctx context.Context, id string) error {
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		res, ok := s.resolvers.Get(tx, id)
		if !ok {
			return nil
		}
		// What the rules read isn't guarded: should it change, it is looked at again.
		cidrs, ok := s.selected(tx.Snapshot(), res)
		next := res
		if next.Status, next.StatusMessage = Success, ""; !ok {
			next.Status, next.StatusMessage = Failure, fmt.Sprintf("The rules select more than %d CIDRs.", maxCIDRs)
		}
		last, _ := s.versions.Get(tx, versionKey(id, res.Version))
		if ok && (res.Version == 0 || !slices.Equal(last.CIDRs, cidrs)) {
			next.Version++
			now := time.Now().UTC().Round(0)
			s.versions.Put(tx, versionKey(id, next.Version), Version{ResolverID: id, Number: next.Version, CIDRs: cidrs, Created: now})
			s.forget(tx, next, now)
		}
		if next.Version != res.Version || next.Status != res.Status || next.StatusMessage != res.StatusMessage {
			s.resolvers.Put(tx, id, next)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("make a version: %w", err)
	}
	for target := range s.targetsByResolver.Each(s.store.Snapshot(), id) {
		if err := s.sync(ctx, target); err != nil {
			return err
		}
	}
	return nil
}

// forget deletes versions of a resolver, which tx has read, that needn't be kept.
// The newest may be one that tx makes.
func (s *Service) forget(tx *store.Tx, res Resolver, now time.Time) {
	named := map[int64]bool{}
	for _, t := range s.targetsByResolver.Each(tx, res.ID) {
		named[t.Desired] = true
	}
	var older []Version // than the newest, by number, but for those that are named
	for _, v := range s.Versions(tx, res) {
		if !named[v.Number] && v.Number < res.Version {
			older = append(older, v)
		}
	}
	for n, v := range older {
		tooMany := len(older)-n >= keptVersions
		if v.Number <= res.Version-newestVersions && (tooMany || now.Sub(v.Created) > versionsFor) {
			s.versions.Delete(tx, versionKey(res.ID, v.Number))
		}
	}
}

// forget deletes the versions of all resolvers that needn't be kept any more.
func (k *keeper) forget(ctx context.Context) {
	for id := range k.s.resolvers.All(k.s.store.Snapshot()) {
		err := k.s.store.Update(ctx, func(tx *store.Tx) error {
			if res, ok := k.s.resolvers.Get(tx, id); ok {
				k.s.forget(tx, res, time.Now())
			}
			return nil
		})
		if err != nil && ctx.Err() == nil {
			k.s.opts.Log.Error("prefix list resolver: forget versions", "resolver", id, "error", err)
		}
	}
}
