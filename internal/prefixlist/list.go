package prefixlist

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// TagType is the resource type that lists are tagged as (EC2 TagSpecification).
const TagType = "prefix-list"

// Names of lists (EC2 CreateManagedPrefixList).
const (
	maxName        = 255 // characters
	reservedPrefix = "com.amazonaws"
)

// Create is a request for a list.
type Create struct {
	ID, Account, Region string
	Name                string
	Family              Family
	MaxEntries          int
	Entries             []Entry
	Tags                []tags.Tag
	Token               idempotency.Token
	Time                time.Time
}

// Create makes a list, whose entries are its version 1 (CreateManagedPrefixList).
func (s *Service) Create(ctx context.Context, req Create, dryRun func() error) (List, error) {
	entries, err := s.checkCreate(req)
	if err != nil {
		return List{}, fmt.Errorf("create prefix list: %w", err)
	}
	var l List
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		if id, found, err := s.tokens.Find(tx, req.Token); err != nil {
			return err
		} else if found {
			if l, found = s.List(tx, req.Account, req.Region, id); found {
				return nil
			}
		}
		l = List{
			ID: req.ID, Account: req.Account, Region: req.Region, Name: req.Name, Family: req.Family,
			MaxEntries: req.MaxEntries, Oldest: 1, State: CreateComplete, Created: req.Time,
		}
		if c := s.count(tx, l.Account, l.Region, +1); c.Lists > s.opts.Quotas.Lists {
			return refuse(OverLimit, "You've reached the limit for prefix lists. You are limited to %d in a region.", s.opts.Quotas.Lists)
		}
		if err := s.advance(tx, &l, entries); err != nil {
			return err
		}
		if err := check(dryRun); err != nil {
			return err
		}
		s.lists.Put(tx, l.ID, l)
		s.tokens.Remember(tx, req.Token, l.ID)
		if len(req.Tags) == 0 {
			return nil
		}
		return s.tags.Put(tx, tags.Set{Account: l.Account, Region: l.Region, Resource: l.ID, Type: TagType, Tags: req.Tags})
	})
	if err != nil {
		return List{}, fmt.Errorf("create prefix list: %w", err)
	}
	return l, nil
}

func (s *Service) checkCreate(req Create) ([]Entry, error) {
	if req.Family != IPv4 && req.Family != IPv6 {
		return nil, refuse(InvalidValue, "The address family '%s' is not valid. It must be %s or %s.", req.Family, IPv4, IPv6)
	}
	if err := checkName(req.Name); err != nil {
		return nil, err
	}
	if err := s.checkMaxEntries(req.MaxEntries); err != nil {
		return nil, err
	}
	c, err := change{add: req.Entries}.normal(req.Family)
	if err != nil {
		return nil, err
	}
	return c.apply(nil)
}

func checkName(name string) error {
	switch {
	case name == "" || utf8.RuneCountInString(name) > maxName:
		return refuse(InvalidValue, "The name of a prefix list must have 1 to %d characters.", maxName)
	case strings.HasPrefix(name, reservedPrefix):
		return refuse(InvalidValue, "The name '%s' is not valid: it must not begin with '%s'.", name, reservedPrefix)
	}
	return nil
}

func (s *Service) checkMaxEntries(n int) error {
	if n < 1 || n > s.opts.Quotas.Entries {
		return refuse(InvalidValue, "The maximum number of entries must be between 1 and %d.", s.opts.Quotas.Entries)
	}
	return nil
}

// Modify is a request to change a list. What is nil stays as it is.
type Modify struct {
	ID, Account, Region string
	CurrentVersion      *int64 // that the caller means to change; entries need it
	Name                *string
	MaxEntries          *int // not together with entries
	Add                 []Entry
	Remove              []netip.Prefix
	Sync                *bool // of a list that is bound to a resolver target
}

func (m Modify) entries() change { return change{m.Add, m.Remove} }

func (m Modify) check() error {
	entries := !m.entries().empty()
	switch {
	case entries && m.MaxEntries != nil:
		return refuse(InvalidCombination, "You cannot modify the entries and the maximum entries for the prefix list in the same request.")
	case entries && m.CurrentVersion == nil:
		return refuse(MissingValue, "The request must contain the parameter CurrentVersion to modify the entries.")
	case !entries && m.MaxEntries == nil && m.Name == nil && m.Sync == nil:
		return refuse(InvalidCombination, "The request must contain a modification to the prefix list.")
	case m.Name != nil:
		return checkName(*m.Name)
	}
	return nil
}

// Modify changes a list (ModifyManagedPrefixList). Entries make a new version;
// name and size don't. A size that something that refers to the list couldn't
// have is no error of the call's, but leaves the list as it was, in ModifyFailed.
func (s *Service) Modify(ctx context.Context, req Modify, dryRun func() error) (List, error) {
	var l List
	err := s.store.Update(ctx, func(tx *store.Tx) (err error) {
		if err := req.check(); err != nil {
			return err
		}
		if l, err = s.list(tx, req.Account, req.Region, req.ID); err != nil {
			return err
		}
		before := l
		if err := s.modify(tx, &l, req); err != nil {
			return err
		}
		if err := check(dryRun); err != nil {
			return err
		}
		if l.State == ModifyFailed {
			before.State, before.StateMessage = l.State, l.StateMessage
			l = before
		}
		s.lists.Put(tx, l.ID, l)
		return nil
	})
	if err != nil {
		return List{}, fmt.Errorf("modify prefix list %s: %w", req.ID, err)
	}
	return l, nil
}

func (s *Service) modify(tx *store.Tx, l *List, req Modify) error {
	if req.CurrentVersion != nil && *req.CurrentVersion != l.Version {
		return versionMismatch(*l)
	}
	l.State, l.StateMessage = ModifyComplete, ""
	if req.Name != nil {
		l.Name = *req.Name
	}
	if req.Sync != nil {
		if l.TargetID == "" {
			return refuse(InvalidCombination, "The request can only contain IpamPrefixListResolverSyncEnabled if the prefix list is bound to a target of an IPAM prefix list resolver.")
		}
		l.Sync = *req.Sync
	}
	if req.MaxEntries != nil {
		return s.resize(tx, l, *req.MaxEntries)
	}
	if req.entries().empty() {
		return nil
	}
	if err := l.permit(); err != nil {
		return err
	}
	c, err := req.entries().normal(l.Family)
	if err != nil {
		return err
	}
	now, _ := s.Entries(tx, *l, l.Version)
	next, err := c.apply(now)
	if err != nil {
		return err
	}
	return s.advance(tx, l, next)
}

func versionMismatch(l List) error {
	return refuse(VersionMismatch, "The prefix list has the incorrect version number. The current version of '%s' is %d.", l.ID, l.Version)
}

// permit refuses a change of entries by anyone but the list's resolver target.
func (l List) permit() error {
	if l.TargetID != "" && l.Sync {
		return refuse(NotPermitted, "The entries of the prefix list '%s' come from the IPAM prefix list resolver target '%s'. To modify them yourself, set IpamPrefixListResolverSyncEnabled to false.", l.ID, l.TargetID)
	}
	return nil
}

// maxNamed is how many of those that stand in the way a state message names.
const maxNamed = 10

func (s *Service) resize(tx *store.Tx, l *List, size int) error {
	if err := s.checkMaxEntries(size); err != nil {
		return err
	}
	if now, _ := s.Entries(tx, *l, l.Version); len(now) > size {
		return refuse(TooManyEntries, "The prefix list has %d entries, which is more than %d.", len(now), size)
	}
	s.count(tx, l.Account, l.Region, 0)
	if s.opts.Users != nil && size > l.MaxEntries {
		var full []string
		for id := range s.opts.Users.Full(tx.Snapshot(), l.ID, size) {
			if full = append(full, id); len(full) == maxNamed {
				break
			}
		}
		if full != nil {
			l.State = ModifyFailed
			l.StateMessage = fmt.Sprintf("The following resources do not support %d entries: %s", size, strings.Join(full, ", "))
			return nil
		}
	}
	l.MaxEntries = size
	return nil
}

// Restore is a request to make a list what it was in an earlier version.
type Restore struct {
	ID, Account, Region             string
	CurrentVersion, PreviousVersion int64
}

// Restore gives a list the entries of an earlier version, as a new one
// (RestoreManagedPrefixListVersion).
func (s *Service) Restore(ctx context.Context, req Restore, dryRun func() error) (List, error) {
	var l List
	err := s.store.Update(ctx, func(tx *store.Tx) (err error) {
		if l, err = s.list(tx, req.Account, req.Region, req.ID); err != nil {
			return err
		}
		if req.CurrentVersion != l.Version {
			return versionMismatch(l)
		}
		if err := l.permit(); err != nil {
			return err
		}
		entries, ok := s.Entries(tx, l, req.PreviousVersion)
		if !ok || req.PreviousVersion == l.Version {
			return refuse(InvalidValue, "The version %d of the prefix list '%s' can't be restored. It must be between %d and %d.", req.PreviousVersion, l.ID, l.Oldest, l.Version-1)
		}
		if err := s.advance(tx, &l, entries); err != nil {
			return err
		}
		if err := check(dryRun); err != nil {
			return err
		}
		l.State, l.StateMessage = RestoreComplete, ""
		s.lists.Put(tx, l.ID, l)
		return nil
	})
	if err != nil {
		return List{}, fmt.Errorf("restore prefix list %s: %w", req.ID, err)
	}
	return l, nil
}

// Delete deletes a list that nothing refers to (DeleteManagedPrefixList). The
// resolver target that it is bound to stays, without a list.
func (s *Service) Delete(ctx context.Context, account, region, id string, dryRun func() error) (List, error) {
	var l List
	err := s.store.Update(ctx, func(tx *store.Tx) (err error) {
		if l, err = s.list(tx, account, region, id); err != nil {
			return err
		}
		s.count(tx, account, region, -1)
		for user := range s.Users(tx, l, "") {
			return refuse(Dependency, "The prefix list '%s' is in use by '%s' and can't be deleted.", id, user)
		}
		if err := check(dryRun); err != nil {
			return err
		}
		for v := l.Oldest; v <= l.Version; v++ {
			s.versions.Delete(tx, versionKey(id, v))
		}
		s.lists.Delete(tx, id)
		s.tags.Clear(tx, id)
		return nil
	})
	if err != nil {
		return List{}, fmt.Errorf("delete prefix list %s: %w", id, err)
	}
	return l, nil
}
