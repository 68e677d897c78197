// Package tags keeps the tags of every kind of resource, by resource id (EC2)
// or ARN (ELBv2). A room that creates or deletes a resource sets or deletes its
// tags in the same transaction. What a valid tag is, per service, is the API's
// to check; this room holds the limit of their number.
//
// Start reading at Service. It is safe for concurrent use.
package tags

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/store"
)

// Max is the most tags that one resource may have (EC2 and ELBv2 quota).
const Max = 50

// Reserved begins the keys of tags that ask Fairlead for something.
const Reserved = "fairlead:"

// ErrTooMany says that a resource would have more than Max tags.
var ErrTooMany = errors.New("too many tags")

// Tag is a key, unique within its resource, and a value.
type Tag struct {
	Key   string `json:"k"`
	Value string `json:"v,omitempty"`
}

// Set is the tags of one resource.
type Set struct {
	Account  string
	Region   string // "" for resources that belong to no region
	Resource string // EC2 id or ARN
	Type     string // EC2 resource type ("vpc", "ipam-pool") or ELBv2's ("loadbalancer")
	Tags     []Tag  // by key
}

// Service stores tags.
type Service struct {
	sets      *store.Collection[Set]
	byAccount *store.Index[Set] // account "/" region
	asking    *store.Index[Set] // those with reserved keys, by type
}

// New declares the room's collection in st.
func New(st *store.Store) *Service {
	sets := store.NewCollection[Set](st, "tags", 1)
	return &Service{
		sets:      sets,
		byAccount: sets.Index(func(s Set) []string { return []string{s.Account + "/" + s.Region} }),
		asking: sets.Index(func(s Set) []string {
			if !slices.ContainsFunc(s.Tags, func(t Tag) bool { return strings.HasPrefix(t.Key, Reserved) }) {
				return nil
			}
			return []string{s.Type}
		}),
	}
}

// Put merges set.Tags into the resource's tags; set's other members describe the resource.
func (s *Service) Put(tx *store.Tx, set Set) error {
	old, _ := s.sets.Get(tx, set.Resource)
	merged := slices.Clone(old.Tags)
	for _, t := range set.Tags {
		if i := slices.IndexFunc(merged, func(m Tag) bool { return m.Key == t.Key }); i >= 0 {
			merged[i] = t
		} else {
			merged = append(merged, t)
		}
	}
	if len(merged) > Max {
		return fmt.Errorf("tag %s: %w: the limit is %d", set.Resource, ErrTooMany, Max)
	}
	if len(merged) == 0 {
		return nil
	}
	slices.SortFunc(merged, func(a, b Tag) int { return cmp.Compare(a.Key, b.Key) })
	set.Tags = merged
	s.sets.Put(tx, set.Resource, set)
	return nil
}

// Remove deletes the resource's tags for which drop is true.
func (s *Service) Remove(tx *store.Tx, resource string, drop func(Tag) bool) {
	set, ok := s.sets.Get(tx, resource)
	if !ok {
		return
	}
	set.Tags = slices.DeleteFunc(slices.Clone(set.Tags), drop)
	if len(set.Tags) == 0 {
		s.sets.Delete(tx, resource)
		return
	}
	s.sets.Put(tx, resource, set)
}

// Clear deletes all of the resource's tags, as when the resource is deleted.
func (s *Service) Clear(tx *store.Tx, resource string) {
	if _, ok := s.sets.Get(tx, resource); ok {
		s.sets.Delete(tx, resource)
	}
}

// Of returns the resource's tags, by key.
func (s *Service) Of(r store.Reader, resource string) []Tag {
	set, _ := s.sets.Get(r, resource)
	return set.Tags
}

// Collection names the collection of tags, for subscriptions, and AccountOf says
// whose a resource with tags is.
func (s *Service) Collection() string { return s.sets.Name() }

// AccountOf is Collection's other half; false for a resource without tags.
func (s *Service) AccountOf(r store.Reader, resource string) (account string, ok bool) {
	set, ok := s.sets.Get(r, resource)
	return set.Account, ok
}

// Each yields all tagged resources of an account in a region ("" for those
// without one), by resource, from the given resource on.
func (s *Service) Each(r store.Reader, account, region, from string) iter.Seq2[string, Set] {
	return s.byAccount.From(r, account+"/"+region, from)
}

// WithReserved yields the resources of a type that have tags with reserved keys,
// whoever's they are, by resource.
func (s *Service) WithReserved(r store.Reader, kind string) iter.Seq2[string, Set] {
	return s.asking.Each(r, kind)
}
