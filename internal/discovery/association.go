package discovery

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// Association has an IPAM watch what a resource discovery finds. The default
// one, which comes with the IPAM, has no record.
type Association struct {
	ID              string
	DiscoveryID     string
	DiscoveryRegion string // its home
	IPAMID          string
	Account, Region string // the IPAM's; Region is its home
	Default         bool   `json:"-"`
	Active          bool   `json:"-"` // the discovery is there; as of reading
}

// Associate is a request for an association.
type Associate struct {
	ID, Account, Region string // Region is where the call was made
	IPAMID, DiscoveryID string
	Tags                []tags.Tag
	Token               idempotency.Token
}

// Associate associates a resource discovery with an IPAM
// (AssociateIpamResourceDiscovery).
func (s *Service) Associate(ctx context.Context, req Associate, dryRun func() error) (Association, error) {
	var a Association
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		if id, found, err := s.tokens.Find(tx, req.Token); err != nil {
			return err
		} else if found {
			if prior, ok := s.Association(tx, req.Account, req.Region, id); ok {
				a = prior
				return nil
			}
		}
		i, ok := s.opts.Managers.IPAM(tx, req.Account, req.IPAMID)
		if !ok || i.Region != req.Region {
			return &NotFoundError{NounIPAM, req.IPAMID}
		}
		d, ok := s.anywhere(tx, req.Account, req.DiscoveryID)
		if !ok {
			return &NotFoundError{NounDiscovery, req.DiscoveryID}
		}
		if !i.Advanced {
			return refuse(Unsupported, "Resource discovery associations beside the default one require the advanced tier.")
		}
		all := s.associationsOf(tx, i)
		if slices.ContainsFunc(all, func(a Association) bool { return a.DiscoveryID == d.ID }) {
			return refuse(InvalidValue, "The resource discovery '%s' is already associated with the ipam '%s'.", d.ID, i.ID)
		}
		if len(all) >= maxAssociations {
			return refuse(OverLimit, "You've reached the limit for resource discovery associations of ipam '%s'. You are limited to %d.", i.ID, maxAssociations)
		}
		if err := check(dryRun); err != nil {
			return err
		}
		s.bump(tx, i) // stands for the set of the IPAM's associations, too
		a = Association{ID: req.ID, DiscoveryID: d.ID, DiscoveryRegion: d.Region, IPAMID: i.ID, Account: i.Account, Region: i.Region}
		s.associations.Put(tx, a.ID, a)
		a.Active = true
		s.tokens.Remember(tx, req.Token, a.ID)
		return s.tag(tx, a.Account, a.Region, a.ID, NounAssociation, req.Tags)
	})
	if err != nil {
		return Association{}, fmt.Errorf("associate resource discovery %s: %w", req.DiscoveryID, err)
	}
	return a, nil
}

// bump marks an IPAM's placements and associations changed.
func (s *Service) bump(tx *store.Tx, i IPAM) {
	g, _ := s.guards.Get(tx, i.ID)
	g.Account = i.Account
	g.Seq++
	s.guards.Put(tx, i.ID, g)
}

// Disassociate ends an association (DisassociateIpamResourceDiscovery).
func (s *Service) Disassociate(ctx context.Context, account, region, id string, dryRun func() error) (Association, error) {
	var a Association
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		var ok bool
		if a, ok = s.Association(tx, account, region, id); !ok {
			return &NotFoundError{NounAssociation, id}
		}
		if a.Default {
			return refuse(Dependency, "The resource discovery association '%s' is the default one of the ipam '%s' and goes with it.", id, a.IPAMID)
		}
		if err := check(dryRun); err != nil {
			return err
		}
		s.associations.Delete(tx, id)
		s.tags.Clear(tx, id)
		return nil
	})
	if err != nil {
		return Association{}, fmt.Errorf("disassociate %s: %w", id, err)
	}
	return a, nil
}

// anywhere returns a resource discovery of an account's, in whatever region.
func (s *Service) anywhere(r store.Reader, account, id string) (Discovery, bool) {
	if d, ok := s.discoveries.Get(r, id); ok && d.Account == account {
		return s.discovery(r, account, d.Region, id)
	}
	for i := range s.opts.Managers.IPAMs(r, account) {
		if i.DiscoveryID == id {
			return s.discovery(r, account, i.Region, id)
		}
	}
	return Discovery{}, false
}

// Association returns an association of an IPAM's of an account in its home
// region. One that isn't default is guarded from a Tx.
func (s *Service) Association(r store.Reader, account, region, id string) (Association, bool) {
	i, ok := s.opts.Managers.IPAMIn(r, account, region)
	if !ok {
		return Association{}, false
	}
	if id == i.AssociationID {
		return i.association(), true
	}
	a, ok := s.associations.Get(r, id)
	return s.judged(r, a), ok && a.IPAMID == i.ID
}

// Associations returns those of an account's IPAM in a region, by id.
func (s *Service) Associations(r store.Reader, account, region string) []Association {
	i, ok := s.opts.Managers.IPAMIn(r, account, region)
	if !ok {
		return nil
	}
	return s.associationsOf(r, i)
}

// Associated returns how many associations an IPAM has.
func (s *Service) Associated(r store.Reader, ipamID string) int {
	return 1 + s.associationsByIPAM.Count(r, ipamID)
}

func (s *Service) associationsOf(r store.Reader, i IPAM) []Association {
	all := []Association{i.association()}
	for _, a := range s.associationsByIPAM.Each(r, i.ID) {
		all = append(all, s.judged(r, a))
	}
	slices.SortFunc(all, func(a, b Association) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

func (i IPAM) association() Association {
	return Association{
		ID: i.AssociationID, DiscoveryID: i.DiscoveryID, DiscoveryRegion: i.Region,
		IPAMID: i.ID, Account: i.Account, Region: i.Region, Default: true, Active: true,
	}
}

// judged returns an association with what is known at reading.
func (s *Service) judged(r store.Reader, a Association) Association {
	_, a.Active = s.discovery(r, a.Account, a.DiscoveryRegion, a.DiscoveryID)
	return a
}

// regionsOf returns the regions in which an IPAM watches its account's
// resources: those of its active associations' discoveries, sorted.
func (s *Service) regionsOf(r store.Reader, i IPAM) []string {
	var all []string
	for _, a := range s.associationsOf(r, i) {
		d, _ := s.discovery(r, a.Account, a.DiscoveryRegion, a.DiscoveryID)
		all = union(all, d.OperatingRegions)
	}
	return all
}
