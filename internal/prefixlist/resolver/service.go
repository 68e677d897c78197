package resolver

import (
	"iter"
	"log/slog"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/prefixlist"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// Limits (IPAM quotas).
const (
	maxResolvers = 10   // of an IPAM
	maxTargets   = 50   // of a resolver
	maxRules     = 100  // of a resolver
	maxCIDRs     = 1000 // of a version
)

// Options are what the room is joined to.
type Options struct {
	Lists    *prefixlist.Service
	Managers Managers
	Networks Networks
	Changes  Changes
	IsRegion func(string) bool // there is such a region
	Log      *slog.Logger
}

// Service changes and reads resolvers and their targets.
//
// A method that takes dryRun calls it once everything has been checked and
// before anything is written; its error ends the call (EC2 DryRun). It may be
// nil, and may be called several times.
type Service struct {
	store  *store.Store
	tags   *tags.Service
	tokens *idempotency.Service
	opts   Options

	resolvers          *store.Collection[Resolver]
	resolversByOwner   *store.Index[Resolver]
	resolversByAccount *store.Index[Resolver]
	versions           *store.Collection[Version] // by resolver and number
	versionsByResolver *store.Index[Version]
	targets            *store.Collection[Target]
	targetsByOwner     *store.Index[Target]
	targetsByResolver  *store.Index[Target]
	targetsByList      *store.Index[Target]
	censuses           *store.Collection[census] // by IPAM
}

// New declares the room's collections in st, before its Start.
func New(st *store.Store, tg *tags.Service, tokens *idempotency.Service, o Options) *Service {
	s := &Service{store: st, tags: tg, tokens: tokens, opts: o}
	s.resolvers = store.NewCollection[Resolver](st, "prefixlist.resolver", 1)
	s.resolversByOwner = s.resolvers.Index(func(r Resolver) []string { return []string{owner(r.Account, r.Region)} })
	s.resolversByAccount = s.resolvers.Index(func(r Resolver) []string { return []string{r.Account} })
	s.versions = store.NewCollection[Version](st, "prefixlist.resolver-version", 1)
	s.versionsByResolver = s.versions.Index(func(v Version) []string { return []string{v.ResolverID} })
	s.targets = store.NewCollection[Target](st, "prefixlist.resolver-target", 1)
	s.targetsByOwner = s.targets.Index(func(t Target) []string { return []string{owner(t.Account, t.Region)} })
	s.targetsByResolver = s.targets.Index(func(t Target) []string { return []string{t.ResolverID} })
	s.targetsByList = s.targets.Index(func(t Target) []string { return []string{t.ListID} })
	s.censuses = store.NewCollection[census](st, "prefixlist.resolver-census", 1)
	return s
}

func check(dryRun func() error) error {
	if dryRun == nil {
		return nil
	}
	return dryRun()
}

// Count returns how many resolvers an IPAM has. From a Tx it is guarded.
func (s *Service) Count(r store.Reader, ipamID string) int {
	c, _ := s.censuses.Get(r, ipamID)
	return c.Resolvers
}

// Gone forgets an IPAM that has no resolvers, as a part of the transaction that
// deletes it.
func (s *Service) Gone(tx *store.Tx, ipamID string) { s.censuses.Delete(tx, ipamID) }

// Resolver returns a resolver that an account names in the home region of its IPAM.
func (s *Service) Resolver(r store.Reader, account, region, id string) (Resolver, bool) {
	res, ok := s.resolvers.Get(r, id)
	return res, ok && res.Account == account && res.Region == region
}

func (s *Service) resolver(r store.Reader, account, region, id string) (Resolver, error) {
	res, ok := s.Resolver(r, account, region, id)
	if !ok {
		return Resolver{}, &NotFoundError{NounResolver, id}
	}
	return res, nil
}

// Resolvers yields those of an account in a region, by id, from one on.
func (s *Service) Resolvers(r store.Reader, account, region, from string) iter.Seq2[string, Resolver] {
	return s.resolversByOwner.From(r, owner(account, region), from)
}

// Version returns one of a resolver's versions, if it is kept.
func (s *Service) Version(r store.Reader, res Resolver, number int64) (Version, bool) {
	return s.versions.Get(r, versionKey(res.ID, number))
}

// Versions yields those of a resolver that are kept, by number.
func (s *Service) Versions(r store.Reader, res Resolver) iter.Seq2[string, Version] {
	return s.versionsByResolver.Each(r, res.ID)
}

// Target returns a target that an account names in the region of its resolver.
func (s *Service) Target(r store.Reader, account, region, id string) (Target, bool) {
	t, ok := s.targets.Get(r, id)
	return t, ok && t.Account == account && t.Region == region
}

func (s *Service) target(r store.Reader, account, region, id string) (Target, error) {
	t, ok := s.Target(r, account, region, id)
	if !ok {
		return Target{}, &NotFoundError{NounTarget, id}
	}
	return t, nil
}

// Targets yields those of an account in a region, by id, from one on.
func (s *Service) Targets(r store.Reader, account, region, from string) iter.Seq2[string, Target] {
	return s.targetsByOwner.From(r, owner(account, region), from)
}
