package ipam

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/history"
	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// Options are what the operator decides about address management.
type Options struct {
	// Quarantine is how long a released block stays out of use. 0 frees it at
	// once, which suits addresses that only this host sees.
	Quarantine time.Duration

	// FreeTierQuarantine is the same in pools of IPAMs of the free tier, where it
	// is longer. nil: it isn't.
	FreeTierQuarantine *time.Duration

	// VerifyBYOIP says whether an account has proven that it controls a CIDR that
	// it brings. A *ClaimError is the caller's, who is told its reason; for an
	// *UnprovenError's the CIDR fails to be provisioned. nil believes everyone: a
	// private network has no registry to ask.
	VerifyBYOIP func(ctx context.Context, c Claim) error

	// IsRegion says whether there is such a region.
	IsRegion func(string) bool

	History    *history.Service // keeps what ended; nil: nothing is kept
	Networks   Networks         // what AutoImport imports; nil: nothing
	Companions Companions       // who goes along with IPAMs; nil: nobody
	VPCs       VPCs             // what resource planning pools plan; nil: nothing

	Quotas Quotas

	Events *event.Log // what pools do by themselves; nil: nobody asks
	Log    *slog.Logger
}

// Service changes and reads pools and what is allocated in them.
//
// A method that takes dryRun calls it once everything has been checked and
// before anything is written; its error ends the call (EC2 DryRun). It may be
// nil, and may be called several times.
type Service struct {
	store  *store.Store
	tags   *tags.Service
	tokens *idempotency.Service
	opts   Options

	ipams          *store.Collection[IPAM]
	ipamsByOwner   *store.Index[IPAM]
	ipamsByAccount *store.Index[IPAM]
	ipamsLeaving   *store.Index[IPAM]        // deleting
	homes          *store.Collection[string] // account/region → its one IPAM's id
	scopes         *store.Collection[Scope]
	scopesByOwner  *store.Index[Scope]
	pools          *store.Collection[Pool]
	poolsByOwner   *store.Index[Pool] // account/region: home, and locale if it is another
	poolsByScope   *store.Index[Pool]
	poolsBySource  *store.Index[Pool]
	poolsImporting *store.Index[Pool]        // with AutoImport, by account
	poolsLeaving   *store.Index[Pool]        // deleting
	ledgers        *store.Collection[Ledger] // by pool
	cidrs          *store.Collection[PoolCIDR]
	cidrsByPool    *store.Index[PoolCIDR]
	cidrsLeaving   *store.Index[PoolCIDR] // PendingDeprovision
	cidrsWaiting   *store.Index[PoolCIDR]
	spans          *store.Collection[span]
	domains        *store.Collection[domain] // by routing domain
	allocs         *store.Collection[Allocation]
	allocsByID     *store.Index[Allocation] // held ones
	allocsByUser   *store.Index[Allocation] // held ones, by Holder.ResourceID
	allocsCooling  *store.Index[Allocation]
	allocsTally    *store.Tally[Allocation] // by pool, kind and length, see usage

	policies        *store.Collection[Policy]
	policiesByOwner *store.Index[Policy]
	enabledPolicies *store.Collection[string] // account → the id of the one that decides for it

	imports *store.Collection[Import]
	staged  *store.Collection[stagedBlock] // by import and address

	publicPoolsByOwner *store.Index[Pool]
	cidrsBrought       *store.Index[PoolCIDR] // by account and region
	cidrsAnnounced     *store.Index[PoolCIDR]

	verifications        *store.Collection[VerificationToken]
	verificationsByOwner *store.Index[VerificationToken]

	feed     feed
	refiller refiller // the sweep's

	ctx    context.Context // ends with Run
	cancel context.CancelFunc
	busy   sync.WaitGroup // the writers

	mu      sync.Mutex // guards the following, and the writers' queues
	writers map[string]*writer
	closed  bool
}

// leaving is the one value of the indexes of what the sweep has to end.
const leaving = "leaving"

// announcing is the one value of the index of what networks may know.
const announcing = "announcing"

// New declares the room's collections in st, before its Start.
func New(st *store.Store, tg *tags.Service, tokens *idempotency.Service, opts Options) *Service {
	ctx, cancel := context.WithCancel(context.Background())
	opts.Quotas = opts.Quotas.orDefaults()
	s := &Service{
		store: st, tags: tg, tokens: tokens, opts: opts,
		ctx: ctx, cancel: cancel, writers: map[string]*writer{},
		refiller: refiller{after: map[string]time.Time{}},
	}
	s.ipams = store.NewCollection[IPAM](st, "ipam.ipam", 1)
	s.ipamsByOwner = s.ipams.Index(func(i IPAM) []string { return []string{owner(i.Account, i.Region)} })
	s.ipamsByAccount = s.ipams.Index(func(i IPAM) []string { return []string{i.Account} })
	s.ipamsLeaving = s.ipams.Index(func(i IPAM) []string { return only(i.State == DeleteInProgress, leaving) })
	s.homes = store.NewCollection[string](st, "ipam.home", 1)
	s.scopes = store.NewCollection[Scope](st, "ipam.scope", 1)
	s.scopesByOwner = s.scopes.Index(func(c Scope) []string { return []string{owner(c.Account, c.Region)} })
	s.pools = store.NewCollection[Pool](st, "ipam.pool", 1)
	s.poolsByOwner = s.pools.Index(func(p Pool) []string {
		if !p.managed() {
			return nil
		}
		keys := []string{owner(p.Account, p.Region)}
		if p.Locale != p.Region && p.Locale != NoLocale && p.Locale != GlobalLocale {
			keys = append(keys, owner(p.Account, p.Locale))
		}
		return keys
	})
	s.poolsByScope = s.pools.Index(func(p Pool) []string { return only(p.managed(), p.ScopeID) })
	s.poolsBySource = s.pools.Index(func(p Pool) []string { return only(p.SourcePoolID != "", p.SourcePoolID) })
	s.poolsImporting = s.pools.Index(func(p Pool) []string { return only(p.AutoImport && p.State == CreateComplete, p.Account) })
	s.publicPoolsByOwner = s.pools.Index(func(p Pool) []string { return only(p.PublicIPv4, owner(p.Account, p.Region)) })
	s.poolsLeaving = s.pools.Index(func(p Pool) []string { return only(p.State == DeleteInProgress, leaving) })
	s.ledgers = store.NewCollection[Ledger](st, "ipam.ledger", 1)
	s.cidrs = store.NewCollection[PoolCIDR](st, "ipam.cidr", 1)
	s.cidrsByPool = s.cidrs.Index(func(c PoolCIDR) []string { return []string{c.PoolID} })
	s.cidrsLeaving = s.cidrs.Index(func(c PoolCIDR) []string { return only(c.State == PendingDeprovision, leaving) })
	s.cidrsWaiting = s.cidrs.Index(func(c PoolCIDR) []string { return only(c.Waiting, leaving) })
	s.cidrsBrought = s.cidrs.Index(func(c PoolCIDR) []string {
		if c.Brought == nil || c.State == FailedProvision {
			return nil
		}
		return []string{owner(c.Brought.Account, c.Brought.Region)}
	})
	s.cidrsAnnounced = s.cidrs.Index(func(c PoolCIDR) []string { return only(c.announced(), announcing) })
	s.spans = store.NewCollection[span](st, "ipam.span", 1)
	s.domains = store.NewCollection[domain](st, "ipam.domain", 1)
	s.allocs = store.NewPackedCollection(st, "ipam.allocation", allocationFormat, allocationPacking)
	s.allocsByID = s.allocs.Index(func(a Allocation) []string { return only(a.State == Held, a.ID) })
	s.allocsByUser = s.allocs.Index(func(a Allocation) []string {
		return only(a.State == Held && a.Holder.ResourceID != "", a.Holder.ResourceID)
	})
	s.allocsTally = s.allocs.Tally(tallied)
	s.allocsCooling = s.allocs.Index(func(a Allocation) []string { return only(a.State == Cooling, leaving) })
	s.policies = store.NewCollection[Policy](st, "ipam.policy", 1)
	s.policiesByOwner = s.policies.Index(func(p Policy) []string { return []string{owner(p.Account, p.Region)} })
	s.enabledPolicies = store.NewCollection[string](st, "ipam.policy-enabled", 1)
	s.imports = store.NewCollection[Import](st, "ipam.import", 1)
	s.staged = store.NewCollection[stagedBlock](st, "ipam.staged", 1)
	s.verifications = store.NewCollection[VerificationToken](st, "ipam.verification-token", 1)
	s.verificationsByOwner = s.verifications.Index(func(t VerificationToken) []string { return []string{owner(t.Account, t.Region)} })
	s.feed = newFeed(st, s.allocs.Name())
	return s
}

func only(yes bool, value string) []string {
	if !yes {
		return nil
	}
	return []string{value}
}

func owner(account, region string) string { return account + "/" + region }
