package prefixlist

import (
	"iter"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// Users is what refers to prefix lists: security groups, by their rules, and
// route tables.
type Users interface {
	// Of yields the ids of what refers to a list, in order, from one on.
	Of(r store.Reader, listID, from string) iter.Seq[string]

	// Full yields the ids of those that couldn't have the list in them with that
	// many entries, by their quotas.
	Full(r store.Snapshot, listID string, maxEntries int) iter.Seq[string]
}

// Quotas are the most there may be of each thing.
type Quotas struct {
	Lists    int // per account and region
	Entries  int // that a list may be made for
	Versions int // of a list that are kept; the oldest goes when there is another
}

// DefaultQuotas are Amazon VPC's published defaults, but for Versions: of those
// it keeps a thousand, which here would be some 50 MB for a list of a thousand
// entries.
var DefaultQuotas = Quotas{Lists: 100, Entries: 1000, Versions: 50}

// maxEntriesPerCall is how many entries a call may add, and how many remove (EC2
// ModifyManagedPrefixList).
const maxEntriesPerCall = 100

// Options are what the room is joined to.
type Options struct {
	Users  Users
	Quotas Quotas // the zero value stands for DefaultQuotas
}

// Service changes and reads prefix lists.
//
// A method that takes dryRun calls it once everything has been checked and
// before anything is written; its error ends the call (EC2 DryRun). It may be
// nil, and may be called several times.
type Service struct {
	store  *store.Store
	tags   *tags.Service
	tokens *idempotency.Service
	opts   Options

	lists        *store.Collection[List]
	listsByOwner *store.Index[List]
	versions     *store.Collection[version] // by list and number
	censuses     *store.Collection[census]  // by account/region
}

// New declares the room's collections in st, before its Start.
func New(st *store.Store, tg *tags.Service, tokens *idempotency.Service, o Options) *Service {
	if o.Quotas == (Quotas{}) {
		o.Quotas = DefaultQuotas
	}
	s := &Service{store: st, tags: tg, tokens: tokens, opts: o}
	s.lists = store.NewCollection[List](st, "prefixlist.list", 1)
	s.listsByOwner = s.lists.Index(func(l List) []string { return []string{owner(l.Account, l.Region)} })
	s.versions = store.NewCollection[version](st, "prefixlist.version", 1)
	s.censuses = store.NewCollection[census](st, "prefixlist.census", 1)
	return s
}

func check(dryRun func() error) error {
	if dryRun == nil {
		return nil
	}
	return dryRun()
}

// Hold has tx fail if, before it commits, one of an account's lists in a region
// is deleted or changes its size; and has those fail for which tx is too late.
// Whoever makes a reference to a list calls it, and whoever adds to what has one.
func (s *Service) Hold(tx *store.Tx, account, region string) {
	s.count(tx, account, region, 0)
}

// count writes an account's census with so many lists more.
func (s *Service) count(tx *store.Tx, account, region string, lists int) census {
	c, _ := s.censuses.Get(tx, owner(account, region))
	c.Lists += lists
	c.Uses++
	s.censuses.Put(tx, owner(account, region), c)
	return c
}

// List returns an account's list in a region. From a Tx it is guarded.
func (s *Service) List(r store.Reader, account, region, id string) (List, bool) {
	l, ok := s.lists.Get(r, id)
	return l, ok && l.Account == account && l.Region == region
}

// Lists yields an account's lists in a region by id, from the given one on.
func (s *Service) Lists(r store.Reader, account, region, from string) iter.Seq2[string, List] {
	return s.listsByOwner.From(r, owner(account, region), from)
}

// Entries returns what a list is, by CIDR, or was in a version; false for one
// that never was or isn't kept any more.
func (s *Service) Entries(r store.Reader, l List, number int64) ([]Entry, bool) {
	v, ok := s.versions.Get(r, versionKey(l.ID, number))
	return v.Entries, ok
}

// Users yields the ids of what refers to a list, in order, from one on.
func (s *Service) Users(r store.Reader, l List, from string) iter.Seq[string] {
	if s.opts.Users == nil {
		return func(func(string) bool) {}
	}
	return s.opts.Users.Of(r, l.ID, from)
}

func (s *Service) list(r store.Reader, account, region, id string) (List, error) {
	l, ok := s.List(r, account, region, id)
	if !ok {
		return List{}, &NotFoundError{id}
	}
	return l, nil
}
