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

// maxPoolDepth is how many pools may be above each other, the pool among them
// (IPAM quotas).
const maxPoolDepth = 10

// CreatePool is a request for a pool. Absent values are "" and nil.
type CreatePool struct {
	ID              string
	Account, Region string // Region is where the call was made
	ScopeID         string
	SourcePoolID    string
	Locale          string
	Family          Family
	Description     string
	AutoImport      bool
	Advertisable    *bool
	MinNetmask      *int
	MaxNetmask      *int
	DefaultNetmask  *int
	AllocationTags  []AllocationTag
	AWSService      string
	PublicSource    PublicSource
	Source          *SourceResource // nil for none, or for the source pool's
	Tags            []tags.Tag
	Token           idempotency.Token
	Time            time.Time
}

// CreatePool makes an empty pool (CreateIpamPool).
func (s *Service) CreatePool(ctx context.Context, req CreatePool, dryRun func() error) (Pool, error) {
	var p Pool
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		prior, found, err := repeated(tx, s, req.Token, s.pools)
		if p = prior; found || err != nil {
			return err
		}
		scope, ok := s.scopes.Get(tx, req.ScopeID)
		if !ok || scope.Account != req.Account || scope.Region != req.Region {
			return &NotFoundError{NounScope, req.ScopeID}
		}
		i, _ := s.ipams.Get(tx, scope.IPAMID)
		var parent *Pool
		if req.SourcePoolID != "" {
			found, ok := s.pools.Get(tx, req.SourcePoolID)
			if !ok || !found.managed() || found.Account != req.Account {
				return poolNotFound(req.SourcePoolID)
			}
			parent = &found
		}
		if p, err = plan(req, i, scope, parent); err != nil {
			return err
		}
		if err := s.checkSource(tx, p); err != nil {
			return err
		}
		if scope.PoolCount >= s.opts.Quotas.PoolsPerScope {
			return refuse(OverLimit, "You've reached the limit for pools in ipam-scope '%s'. You are limited to %d.", scope.ID, s.opts.Quotas.PoolsPerScope)
		}
		if err := check(dryRun); err != nil {
			return err
		}
		scope.PoolCount++
		s.scopes.Put(tx, scope.ID, scope)
		s.pools.Put(tx, p.ID, p)
		s.ledgers.Put(tx, p.ID, Ledger{})
		s.tokens.Remember(tx, req.Token, p.ID)
		return s.tag(tx, p.Account, p.Region, p.ID, "ipam-pool", req.Tags)
	})
	if err != nil {
		return Pool{}, fmt.Errorf("create pool in scope %s: %w", req.ScopeID, err)
	}
	return p, nil
}

// plan returns the pool that a request describes, or what is wrong with it.
func plan(req CreatePool, i IPAM, scope Scope, parent *Pool) (Pool, error) {
	p := Pool{
		ID: req.ID, ScopeID: scope.ID, ScopeType: scope.Type, IPAMID: i.ID, Account: req.Account, Region: scope.Region,
		SourcePoolID: req.SourcePoolID, Depth: 1, Locale: req.Locale, Family: req.Family,
		Description: req.Description, AutoImport: req.AutoImport, Advertisable: req.Advertisable,
		MinNetmask: req.MinNetmask, MaxNetmask: req.MaxNetmask, DefaultNetmask: req.DefaultNetmask,
		AllocationTags: req.AllocationTags, AWSService: req.AWSService, PublicSource: req.PublicSource,
		Source: req.Source, State: CreateComplete, Created: req.Time,
	}
	if i.State != CreateComplete {
		return p, refuse(WrongState, "The ipam '%s' is being deleted.", i.ID)
	}
	if scope.Type == Private {
		if err := i.needsAdvanced("Pools in a private scope require"); err != nil {
			return p, err
		}
	}
	if parent != nil {
		if err := p.descend(*parent); err != nil {
			return p, err
		}
	}
	if scope.Type == Public && p.PublicSource == "" && p.Source == nil {
		p.PublicSource = BYOIP
	}
	if p.Locale == "" {
		p.Locale = NoLocale
	}
	for _, rule := range []func(Pool, IPAM) error{checkPlanning, checkLocale, checkPublic, checkNetmasks} {
		if err := rule(p, i); err != nil {
			return p, err
		}
	}
	return p, nil
}

// descend makes p a child of parent, of which it inherits what it doesn't say.
func (p *Pool) descend(parent Pool) error {
	switch {
	case parent.State != CreateComplete:
		return refuse(WrongState, "The ipam-pool '%s' is being deleted.", parent.ID)
	case parent.ScopeID != p.ScopeID:
		return refuse(InvalidCombination, "The source ipam-pool '%s' must be in the same scope as the pool.", parent.ID)
	case parent.Family != p.Family:
		return refuse(InvalidCombination, "The source ipam-pool '%s' must have the same address family as the pool.", parent.ID)
	case parent.Depth >= maxPoolDepth:
		return refuse(OverLimit, "You've reached the limit for pool depth. You are limited to %d.", maxPoolDepth)
	}
	p.Depth = parent.Depth + 1
	if parent.Locale != NoLocale {
		if p.Locale == "" {
			p.Locale = parent.Locale
		}
		if p.Locale != parent.Locale {
			return refuse(InvalidValue, "The locale '%s' does not match the locale '%s' of the source ipam-pool.", p.Locale, parent.Locale)
		}
	}
	if p.PublicSource == "" {
		p.PublicSource = parent.PublicSource
	}
	if p.PublicSource != parent.PublicSource {
		return refuse(InvalidCombination, "The public IP source must match that of the source ipam-pool.")
	}
	if p.AWSService == "" {
		p.AWSService = parent.AWSService
	}
	return p.inheritSource(parent)
}

var errImportWithoutLocale = refuse(InvalidCombination, "AutoImport requires a locale.")

func checkLocale(p Pool, i IPAM) error {
	switch {
	case p.Locale == NoLocale:
		if p.AutoImport {
			return errImportWithoutLocale
		}
	case p.Locale == GlobalLocale:
		if p.ScopeType != Public || p.AWSService != GlobalServices {
			return refuse(InvalidCombination, "The locale 'Global' requires a public scope and the AwsService 'global-services'.")
		}
	case !slices.Contains(i.OperatingRegions, p.Locale):
		return refuse(InvalidValue, "The locale '%s' is not an operating region of the ipam '%s'.", p.Locale, i.ID)
	case p.Locale != i.Region:
		return i.needsAdvanced("A locale other than the home region requires")
	}
	return nil
}

func checkPublic(p Pool, _ IPAM) error {
	if p.Advertisable != nil && (p.Family != IPv6 || p.PublicSource != BYOIP) {
		return refuse(InvalidCombination, "The request can only contain PubliclyAdvertisable if the AddressFamily is IPv6 and PublicIpSource is byoip.")
	}
	if p.ScopeType == Private {
		switch {
		case p.AWSService != "":
			return refuse(InvalidCombination, "The request can only contain AwsService if the scope is public.")
		case p.PublicSource != "":
			return refuse(InvalidCombination, "The request can only contain PublicIpSource if the scope is public.")
		}
	}
	if p.PublicSource == Amazon && (p.Locale == NoLocale || p.Locale == GlobalLocale) {
		return refuse(InvalidCombination, "A pool whose PublicIpSource is amazon must have a region as its locale.")
	}
	return nil
}

func checkNetmasks(p Pool, _ IPAM) error {
	for _, n := range []struct {
		name string
		bits *int
	}{
		{"AllocationMinNetmaskLength", p.MinNetmask},
		{"AllocationMaxNetmaskLength", p.MaxNetmask},
		{"AllocationDefaultNetmaskLength", p.DefaultNetmask},
	} {
		if n.bits != nil && (*n.bits < 0 || *n.bits > p.Family.Bits()) {
			return refuse(InvalidValue, "The %s must be between 0 and %d.", n.name, p.Family.Bits())
		}
	}
	if p.MinNetmask != nil && p.MaxNetmask != nil && *p.MinNetmask > *p.MaxNetmask {
		return refuse(InvalidCombination, "The AllocationMinNetmaskLength must not be greater than the AllocationMaxNetmaskLength.")
	}
	if p.DefaultNetmask != nil && !p.allows(*p.DefaultNetmask) {
		return refuse(InvalidCombination, "The AllocationDefaultNetmaskLength must be between the minimum and the maximum netmask length.")
	}
	return nil
}

// allows says whether the pool's rules let a resource have a block of the length.
func (p Pool) allows(bits int) bool {
	return (p.MinNetmask == nil || bits >= *p.MinNetmask) && (p.MaxNetmask == nil || bits <= *p.MaxNetmask)
}

// DeletePool deletes an empty pool; with cascade also its CIDRs, allocations and
// child pools, but only in a private scope or for a resource planning pool
// (DeleteIpamPool).
func (s *Service) DeletePool(ctx context.Context, account, region, id string, cascade bool, dryRun func() error) (Pool, error) {
	var p Pool
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		var err error
		if p, err = s.homePool(tx, account, region, id); err != nil {
			return err
		}
		if cascade && p.ScopeType == Public && p.Source == nil {
			return refuse(InvalidCombination, "Cascade is not supported for pools in a public scope without a source resource.")
		}
		if p.State == DeleteInProgress {
			return refuse(WrongState, "The ipam-pool '%s' is being deleted.", id)
		}
		s.ledgers.Get(tx, id) // guards what follows
		if !cascade {
			if err := s.checkEmpty(tx.Snapshot(), p); err != nil {
				return err
			}
		}
		if err := check(dryRun); err != nil {
			return err
		}
		if !cascade {
			s.removePool(tx, p)
			return nil
		}
		s.beginDeletion(tx, p)
		return nil
	})
	if err != nil {
		return Pool{}, fmt.Errorf("delete pool %s: %w", id, err)
	}
	if err := s.finishPool(ctx, id); err != nil {
		// The deletion is decided; the sweep carries it on.
		s.opts.Log.Warn("ipam: a deletion goes on later", "pool", id, "error", err)
	}
	return p, nil
}

func (s *Service) checkEmpty(r store.Snapshot, p Pool) error {
	for _, c := range s.cidrsByPool.Each(r, p.ID) {
		if c.State != FailedProvision {
			return refuse(Dependency, "The specified action is not valid for %s. There are one or more pool cidrs provisioned in the pool.", p.ID)
		}
	}
	if s.poolsBySource.Has(r, p.ID) {
		return refuse(Dependency, "The specified action is not valid for %s. There are one or more pools that have it as their source.", p.ID)
	}
	return nil
}

// beginDeletion marks a pool, from when on nothing is allocated in it or
// provisioned to it, and no pool made below it.
func (s *Service) beginDeletion(tx *store.Tx, p Pool) {
	l, _ := s.ledgers.Get(tx, p.ID)
	l.Seq++
	s.ledgers.Put(tx, p.ID, l)
	p.State = DeleteInProgress
	s.pools.Put(tx, p.ID, p)
}

// deletionChunk is how many allocations one transaction deletes, with their
// tags, and writes the history of.
const deletionChunk = store.MaxTxnOps / 3

// vacatedChunk is how many CIDRs one transaction takes from a pool: each has a
// record, its block in the source pool, and a line of the history.
const vacatedChunk = store.MaxTxnOps / 4

// deletePools deletes pools whose source, or whose IPAM, is being deleted, with
// all that is in them.
func (s *Service) deletePools(ctx context.Context, pools []Pool) error {
	// A mark is two records. The pools are marked before any of them is gone, so
	// that who looks sees that all are going.
	for rest := pools; len(rest) > 0; {
		n := min(len(rest), store.MaxTxnOps/2)
		err := s.store.Update(ctx, func(tx *store.Tx) error {
			for _, p := range rest[:n] {
				if p, ok := s.pools.Get(tx, p.ID); ok && p.State != DeleteInProgress {
					s.beginDeletion(tx, p)
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("mark %d pools: %w", n, err)
		}
		rest = rest[n:]
	}
	for _, p := range pools {
		if err := s.finishPool(ctx, p.ID); err != nil {
			return err
		}
	}
	return nil
}

// finishPool ends what beginDeletion has begun, the pool's children first. It
// may be repeated.
func (s *Service) finishPool(ctx context.Context, id string) error {
	snap := s.store.Snapshot()
	p, ok := s.pools.Get(snap, id)
	if !ok || p.State != DeleteInProgress {
		return nil
	}
	var children []Pool
	for _, c := range s.poolsBySource.Each(snap, id) {
		children = append(children, c)
	}
	if err := s.deletePools(ctx, children); err != nil {
		return err
	}
	for more := true; more; {
		err := s.store.Update(ctx, func(tx *store.Tx) error {
			n := 0
			for key, a := range s.allocationsIn(tx.Snapshot(), id, "") {
				if n++; n > deletionChunk {
					break
				}
				s.ended(tx, a, time.Now())
				s.allocs.Delete(tx, key)
				s.tags.Clear(tx, a.ID)
			}
			more = n > deletionChunk
			return nil
		})
		if err != nil {
			return fmt.Errorf("delete the allocations of pool %s: %w", id, err)
		}
	}
	for more := true; more; {
		err := s.store.Update(ctx, func(tx *store.Tx) error {
			more = false
			p, ok := s.pools.Get(tx, id)
			if !ok {
				return nil
			}
			n := 0
			for _, c := range s.cidrsByPool.Each(tx, id) {
				if c.State == FailedProvision {
					continue
				}
				if n++; n > vacatedChunk {
					more = true
					return nil
				}
				if err := s.vacate(tx, p, c); err != nil {
					return err
				}
			}
			s.removePool(tx, p)
			return nil
		})
		if err != nil {
			return fmt.Errorf("delete pool %s: %w", id, err)
		}
	}
	return nil
}

// removePool deletes a pool that has no CIDRs but such as failed.
func (s *Service) removePool(tx *store.Tx, p Pool) {
	for key := range s.cidrsByPool.Each(tx, p.ID) {
		s.cidrs.Delete(tx, key)
	}
	scope, _ := s.scopes.Get(tx, p.ScopeID)
	scope.PoolCount--
	s.scopes.Put(tx, scope.ID, scope)
	s.ledgers.Delete(tx, p.ID)
	s.pools.Delete(tx, p.ID)
	s.tags.Clear(tx, p.ID)
}

// homePool returns a pool for a call that belongs to its IPAM's owner and home
// region. The pool is guarded.
func (s *Service) homePool(r store.Reader, account, region, id string) (Pool, error) {
	p, ok := s.pools.Get(r, id)
	if !ok || !p.managed() || p.Account != account || p.Region != region {
		return Pool{}, poolNotFound(id)
	}
	return p, nil
}
