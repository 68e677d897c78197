package truststore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/arn"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// DefaultQuota is how many trust stores an account may have in a region (ELBv2
// quota).
const DefaultQuota = 20

// TagType is the kind of trust stores among what has tags.
const TagType = "truststore"

// Object is where a content is found.
type Object struct{ Bucket, Key, Version string }

// ErrNoObject is what Options.Fetch answers for an object that isn't there.
var ErrNoObject = errors.New("no such object")

// Options are what the room needs from outside.
type Options struct {
	// Fetch returns an object of at most limit bytes, or ErrNoObject.
	Fetch func(ctx context.Context, o Object, limit int64) ([]byte, error)

	// InUseBy returns the ARNs of what uses a trust store; nil: nothing does.
	InUseBy func(r store.Reader, arn string) []string

	Quota int // trust stores per account and region; 0: DefaultQuota
}

// Service keeps trust stores.
type Service struct {
	store *store.Store
	tags  *tags.Service
	opts  Options

	stores  *store.Collection[TrustStore]
	byOwner *store.Index[TrustStore]  // account/region
	names   *store.Collection[string] // account/region/name → ARN
	owners  *store.Collection[stamp]  // by account/region: stands for the set of its trust stores
	uses    *store.Collection[stamp]  // by ARN: stands for the set of what uses it
	parts   *store.Collection[part]   // of contents

	trust readLists
}

// stamp is a record that stands for a set: who changes the set writes it.
type stamp struct{ N uint64 }

func bump(tx *store.Tx, c *store.Collection[stamp], key string) {
	s, _ := c.Get(tx, key)
	s.N++
	c.Put(tx, key, s)
}

// New declares the room's collections in st.
func New(st *store.Store, tg *tags.Service, opts Options) *Service {
	if opts.Quota == 0 {
		opts.Quota = DefaultQuota
	}
	s := &Service{store: st, tags: tg, opts: opts}
	s.stores = store.NewCollection[TrustStore](st, "truststore.store", 1)
	s.byOwner = s.stores.Index(func(t TrustStore) []string { return []string{owner(t.Account, t.Region)} })
	s.names = store.NewCollection[string](st, "truststore.name", 1)
	s.owners = store.NewCollection[stamp](st, "truststore.owner", 1)
	s.uses = store.NewCollection[stamp](st, "truststore.use", 1)
	s.parts = store.NewCollection[part](st, "truststore.part", 1)
	return s
}

func owner(account, region string) string { return account + "/" + region }

var wellNamed = regexp.MustCompile(`^([a-zA-Z0-9]+-)*[a-zA-Z0-9]+$`)

// Create is ELBv2 CreateTrustStore.
type Create struct {
	Account, Region, Name string
	Bundle                Object
	Tags                  []tags.Tag
	Time                  time.Time
}

// Create makes a trust store of the bundle that an object has.
func (s *Service) Create(ctx context.Context, c Create) (TrustStore, error) {
	if len(c.Name) > 32 || !wellNamed.MatchString(c.Name) {
		return TrustStore{}, fail(Invalid, "Trust store name '%s' must have 1 to 32 letters, digits and single hyphens between them", c.Name)
	}
	t := TrustStore{
		ARN:  arn.New("elasticloadbalancing", c.Region, c.Account, "truststore/"+c.Name+"/"+ids.New("", 16)).String(),
		Name: c.Name, Account: c.Account, Region: c.Region,
	}
	err := s.room(s.store.Snapshot(), c) // before anything is fetched and kept
	if err != nil {
		return TrustStore{}, err
	}
	if t.Bundle, t.Certificates, err = s.takeBundle(ctx, c.Bundle, c.Time); err != nil {
		return TrustStore{}, err
	}
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		key := owner(c.Account, c.Region)
		bump(tx, s.owners, key)
		if err := s.room(tx, c); err != nil {
			return err
		}
		s.names.Put(tx, key+"/"+c.Name, t.ARN)
		s.stores.Put(tx, t.ARN, t)
		if len(c.Tags) == 0 {
			return nil
		}
		err := s.tags.Put(tx, tags.Set{Account: c.Account, Region: c.Region, Resource: t.ARN, Type: TagType, Tags: c.Tags})
		if errors.Is(err, tags.ErrTooMany) {
			return fail(TooManyTags, "The maximum number of tags on a resource is %d", tags.Max)
		}
		return err
	})
	return t, err
}

// room refuses a trust store whose name is taken, or that is one too many.
func (s *Service) room(r store.Reader, c Create) error {
	key := owner(c.Account, c.Region)
	if _, taken := s.names.Get(r, key+"/"+c.Name); taken {
		return fail(Duplicate, "A trust store with the same name '%s' exists", c.Name)
	}
	if s.byOwner.Count(r, key) >= s.opts.Quota {
		return fail(TooMany, "You have reached the maximum number of trust stores: %d", s.opts.Quota)
	}
	return nil
}

// takeBundle keeps the bundle that an object has.
func (s *Service) takeBundle(ctx context.Context, o Object, now time.Time) (content string, certificates int, err error) {
	b, err := s.opts.Fetch(ctx, o, maxBundleSize)
	if errors.Is(err, ErrNoObject) {
		return "", 0, fail(BundleNotFound, "The CA certificates bundle '%s' was not found in the bucket '%s'", o.Key, o.Bucket)
	}
	if err != nil {
		return "", 0, fail(InvalidBundle, "The CA certificates bundle could not be read: %v", err)
	}
	if certificates, err = checkBundle(b); err != nil {
		return "", 0, err
	}
	content, err = s.keep(ctx, b, now)
	return content, certificates, err
}

// keep writes a content, which is nobody's yet.
func (s *Service) keep(ctx context.Context, b []byte, now time.Time) (content string, err error) {
	content = ids.New("", 32)
	n := 0
	for piece := range slices.Chunk(b, partSize) {
		err := s.store.Update(ctx, func(tx *store.Tx) error {
			s.parts.Put(tx, partKey(content, n), part{Data: piece, Made: now.UTC()})
			return nil
		})
		if err != nil {
			return "", fmt.Errorf("keep a content of %d bytes: %w", len(b), err)
		}
		n++
	}
	return content, nil
}

func (s *Service) partsOf(r store.Reader, content string) iter.Seq2[string, part] {
	return func(yield func(string, part) bool) {
		for key, p := range s.parts.From(r, content+"/") {
			if !strings.HasPrefix(key, content+"/") || !yield(key, p) {
				return
			}
		}
	}
}

// Content returns a content in parts; none if it isn't kept (any more).
func (s *Service) Content(r store.Reader, content string) (parts [][]byte) {
	for _, p := range s.partsOf(r, content) {
		parts = append(parts, p.Data)
	}
	return parts
}

// TrustStore returns an account's trust store. From a Tx it is guarded.
func (s *Service) TrustStore(r store.Reader, account, region, at string) (TrustStore, error) {
	t, ok := s.stores.Get(r, at)
	if !ok || t.Account != account || t.Region != region {
		return TrustStore{}, fail(NotFound, "Trust store '%s' not found", at)
	}
	return t, nil
}

// ByName returns an account's trust store by name.
func (s *Service) ByName(r store.Reader, account, region, name string) (TrustStore, error) {
	at, ok := s.names.Get(r, owner(account, region)+"/"+name)
	if !ok {
		return TrustStore{}, fail(NotFound, "Trust store '%s' not found", name)
	}
	return s.TrustStore(r, account, region, at)
}

// TrustStores yields an account's trust stores in a region by ARN, from the given
// one on.
func (s *Service) TrustStores(r store.Reader, account, region, from string) iter.Seq2[string, TrustStore] {
	return s.byOwner.From(r, owner(account, region), from)
}

// Modify puts another bundle in the place of the one that there is, which is
// Sweep's to delete.
func (s *Service) Modify(ctx context.Context, account, region, at string, o Object, now time.Time) (TrustStore, error) {
	if _, err := s.TrustStore(s.store.Snapshot(), account, region, at); err != nil {
		return TrustStore{}, err
	}
	content, certificates, err := s.takeBundle(ctx, o, now)
	if err != nil {
		return TrustStore{}, err
	}
	return s.change(ctx, account, region, at, func(t *TrustStore) error {
		t.Bundle, t.Certificates = content, certificates
		return nil
	})
}

func (s *Service) change(ctx context.Context, account, region, at string, f func(t *TrustStore) error) (t TrustStore, err error) {
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		var err error
		if t, err = s.TrustStore(tx, account, region, at); err != nil {
			return err
		}
		if err := f(&t); err != nil {
			return err
		}
		s.stores.Put(tx, at, t)
		return nil
	})
	return t, err
}

// InUseBy returns the ARNs of what uses a trust store.
func (s *Service) InUseBy(r store.Reader, at string) []string {
	if s.opts.InUseBy == nil {
		return nil
	}
	return s.opts.InUseBy(r, at)
}

// Use has a trust store stay from tx on, as long as Options.InUseBy names a user.
func (s *Service) Use(tx *store.Tx, at string) { bump(tx, s.uses, at) }

// Delete removes a trust store, unless it is in use. Its contents are Sweep's.
func (s *Service) Delete(ctx context.Context, account, region, at string) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		t, err := s.TrustStore(tx, account, region, at)
		if err != nil {
			return err
		}
		_, used := s.uses.Get(tx, at) // guards what InUseBy says
		if len(s.InUseBy(tx, at)) > 0 {
			return fail(InUse, "Trust store '%s' is currently in use by a listener", at)
		}
		if used {
			s.uses.Delete(tx, at)
		}
		bump(tx, s.owners, owner(account, region))
		s.stores.Delete(tx, at)
		s.names.Delete(tx, owner(account, region)+"/"+t.Name)
		s.tags.Clear(tx, at)
		return nil
	})
}

// unnamedFor is how long a content that no record names is kept: it may be one
// that is just being added.
const unnamedFor = time.Hour

// Sweep deletes contents that no trust store has.
func (s *Service) Sweep(ctx context.Context, now time.Time) error {
	snap := s.store.Snapshot()
	named := map[string]bool{}
	for _, t := range s.stores.All(snap) {
		named[t.Bundle] = true
		for _, r := range t.Revocations {
			named[r.Content] = true
		}
	}
	for key, p := range s.parts.All(snap) {
		content, _, _ := strings.Cut(key, "/")
		if named[content] || now.Sub(p.Made) < unnamedFor {
			continue
		}
		err := s.store.Update(ctx, func(tx *store.Tx) error {
			s.parts.Delete(tx, key)
			return nil
		})
		if err != nil {
			return fmt.Errorf("delete a content of no trust store: %w", err)
		}
	}
	return nil
}
