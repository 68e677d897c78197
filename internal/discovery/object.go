package discovery

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// Quotas (IPAM quotas).
const (
	maxRegions      = 50 // that a call may name
	maxAssociations = 5  // of an IPAM, the default one included
)

// Discovery is a resource discovery: the regions in which an account's
// resources are looked for. Each IPAM comes with a default one, which looks
// where the IPAM operates. That one has no record, unless it has been changed.
type Discovery struct {
	ID               string
	Account, Region  string   // Region is its home
	Description      string   `json:",omitempty"`
	OperatingRegions []string // sorted; the home region is one
	Default          bool     `json:"-"` // an IPAM's; as of reading
	Made             bool     // by CreateDiscovery: it outlives an IPAM that uses it as its default
	Modified         bool     `json:",omitempty"`
}

// CreateDiscovery is a request for a resource discovery.
type CreateDiscovery struct {
	ID, Account, Region string
	Description         string
	OperatingRegions    []string
	Tags                []tags.Tag
	Token               idempotency.Token
}

// CreateDiscovery makes an account's resource discovery in a region, of which it
// has one in each; that of an IPAM counts (CreateIpamResourceDiscovery).
func (s *Service) CreateDiscovery(ctx context.Context, req CreateDiscovery, dryRun func() error) (Discovery, error) {
	if err := s.checkRegions(req.OperatingRegions); err != nil {
		return Discovery{}, fmt.Errorf("create resource discovery: %w", err)
	}
	d := Discovery{
		ID: req.ID, Account: req.Account, Region: req.Region, Description: req.Description, Made: true,
		OperatingRegions: union(req.OperatingRegions, []string{req.Region}),
	}
	made := d
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		made = d
		if id, found, err := s.tokens.Find(tx, req.Token); err != nil {
			return err
		} else if found {
			if prior, ok := s.discovery(tx, req.Account, req.Region, id); ok {
				made = prior
				return nil
			}
		}
		home := owner(d.Account, d.Region)
		_, taken := s.homes.Get(tx, home)
		if _, hasIPAM := s.opts.Managers.IPAMIn(tx, d.Account, d.Region); taken || hasIPAM {
			return refuse(OverLimit, "You've reached the limit for ipam-resource-discoveries. You have created 1 ipam-resource-discoveries and you are limited to 1.")
		}
		if err := check(dryRun); err != nil {
			return err
		}
		s.homes.Put(tx, home, d.ID)
		s.discoveries.Put(tx, d.ID, d)
		s.tokens.Remember(tx, req.Token, d.ID)
		return s.tag(tx, d.Account, d.Region, d.ID, NounDiscovery, req.Tags)
	})
	if err != nil {
		return Discovery{}, fmt.Errorf("create resource discovery: %w", err)
	}
	return made, nil
}

func (s *Service) checkRegions(names []string) error {
	if len(names) > maxRegions {
		return refuse(InvalidValue, "The request can contain at most %d operating regions.", maxRegions)
	}
	for _, r := range names {
		if !s.opts.IsRegion(r) {
			return refuse(InvalidValue, "The operating region '%s' is not a valid region.", r)
		}
	}
	return nil
}

func (s *Service) tag(tx *store.Tx, account, region, id string, n Noun, tg []tags.Tag) error {
	if len(tg) == 0 {
		return nil
	}
	return s.tags.Put(tx, tags.Set{Account: account, Region: region, Resource: id, Type: string(n), Tags: tg})
}

// union returns the elements of both, sorted, each once.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// DiscoveryChange is what ModifyDiscovery changes.
type DiscoveryChange struct {
	Description               *string // nil: as it is
	AddRegions, RemoveRegions []string
}

// ModifyDiscovery changes a resource discovery. A default one looks where its
// IPAM operates, which is changed there (ModifyIpamResourceDiscovery).
func (s *Service) ModifyDiscovery(ctx context.Context, account, region, id string, c DiscoveryChange, dryRun func() error) (Discovery, error) {
	var d Discovery
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		var ok bool
		if d, ok = s.discovery(tx, account, region, id); !ok {
			return &NotFoundError{NounDiscovery, id}
		}
		if err := s.checkRegions(slices.Concat(c.AddRegions, c.RemoveRegions)); err != nil {
			return err
		}
		if c.Description == nil && len(c.AddRegions)+len(c.RemoveRegions) == 0 {
			return refuse(InvalidCombination, "The request must contain a modification to the ipam resource discovery")
		}
		if d.Default && len(c.AddRegions)+len(c.RemoveRegions) > 0 {
			return refuse(InvalidValue, "The resource discovery '%s' is the default one of an IPAM and has that one's operating regions. Modify the IPAM.", id)
		}
		if slices.Contains(c.RemoveRegions, region) {
			return refuse(InvalidValue, "The home region '%s' can't be removed from the operating regions.", region)
		}
		regions := slices.DeleteFunc(union(d.OperatingRegions, c.AddRegions), func(r string) bool { return slices.Contains(c.RemoveRegions, r) })
		if len(regions) > maxRegions {
			return refuse(InvalidValue, "A resource discovery can have at most %d operating regions.", maxRegions)
		}
		if err := check(dryRun); err != nil {
			return err
		}
		if c.Description != nil {
			d.Description = *c.Description
		}
		d.OperatingRegions, d.Modified = regions, true
		s.discoveries.Put(tx, id, d)
		return nil
	})
	if err != nil {
		return Discovery{}, fmt.Errorf("modify resource discovery %s: %w", id, err)
	}
	return d, nil
}

// DeleteDiscovery deletes a resource discovery. Associations with it stay, and
// find nothing any more (DeleteIpamResourceDiscovery).
func (s *Service) DeleteDiscovery(ctx context.Context, account, region, id string, dryRun func() error) (Discovery, error) {
	var d Discovery
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		var ok bool
		if d, ok = s.discovery(tx, account, region, id); !ok {
			return &NotFoundError{NounDiscovery, id}
		}
		if d.Default {
			return refuse(Dependency, "The resource discovery '%s' is the default one of an IPAM and goes with it.", id)
		}
		if err := check(dryRun); err != nil {
			return err
		}
		s.homes.Delete(tx, owner(account, region))
		s.discoveries.Delete(tx, id)
		s.tags.Clear(tx, id)
		return nil
	})
	if err != nil {
		return Discovery{}, fmt.Errorf("delete resource discovery %s: %w", id, err)
	}
	return d, nil
}

// Discovery returns a resource discovery of an account's in a region. From a Tx
// it is guarded.
func (s *Service) Discovery(r store.Reader, account, region, id string) (Discovery, bool) {
	return s.discovery(r, account, region, id)
}

func (s *Service) discovery(r store.Reader, account, region, id string) (Discovery, bool) {
	d, ok := s.discoveries.Get(r, id)
	i, hasIPAM := s.opts.Managers.IPAMIn(r, account, region)
	if hasIPAM && i.DiscoveryID == id {
		d.ID, d.Account, d.Region, d.Default = id, account, region, true
		d.OperatingRegions = union(d.OperatingRegions, i.OperatingRegions)
		if !d.Made {
			d.OperatingRegions = i.OperatingRegions
		}
		return d, true
	}
	// One that was modified as a default one ends with its IPAM.
	return d, ok && d.Made && d.Account == account && d.Region == region
}

// Discoveries returns an account's resource discoveries in a region, of which
// there is one at most.
func (s *Service) Discoveries(r store.Reader, account, region string) []Discovery {
	id, _ := s.homes.Get(r, owner(account, region))
	if i, ok := s.opts.Managers.IPAMIn(r, account, region); ok {
		id = i.DiscoveryID
	}
	d, ok := s.discovery(r, account, region, id)
	if !ok {
		return nil
	}
	return []Discovery{d}
}

// Existing returns the id of the resource discovery that an account has made in
// a region, which becomes the default one of an IPAM that is made there; "" if
// there is none. From a Tx it is guarded.
func (s *Service) Existing(r store.Reader, account, region string) string {
	id, _ := s.homes.Get(r, owner(account, region))
	return id
}

// Gone deletes what an IPAM brought along, as a part of the transaction that
// deletes the IPAM.
func (s *Service) Gone(tx *store.Tx, i IPAM) {
	s.guards.Get(tx, i.ID) // whoever associates at the same time writes it
	if d, ok := s.discoveries.Get(tx, i.DiscoveryID); !ok || !d.Made {
		s.discoveries.Delete(tx, i.DiscoveryID)
		s.tags.Clear(tx, i.DiscoveryID)
	}
	s.tags.Clear(tx, i.AssociationID)
	for id := range s.associationsByIPAM.Each(tx, i.ID) {
		s.associations.Delete(tx, id)
		s.tags.Clear(tx, id)
	}
}

// Account is what a resource discovery found out about an account.
type Account struct {
	ID, Region string
	Time       time.Time // of the last discovery, which never fails: the records are ours
}

// Accounts returns whose resources a discovery looks for in one of its regions
// (GetIpamDiscoveredAccounts).
func (s *Service) Accounts(r store.Reader, account, home, id, region string, now time.Time) ([]Account, error) {
	if _, err := s.watched(r, account, home, id, region); err != nil {
		return nil, err
	}
	return []Account{{ID: account, Region: region, Time: now}}, nil
}

// watched returns a discovery if it looks into a region.
func (s *Service) watched(r store.Reader, account, home, id, region string) (Discovery, error) {
	d, ok := s.discovery(r, account, home, id)
	if !ok {
		return d, &NotFoundError{NounDiscovery, id}
	}
	if !slices.Contains(d.OperatingRegions, region) {
		return d, refuse(InvalidValue, "The region '%s' is not an operating region of the resource discovery '%s'.", region, id)
	}
	return d, nil
}
