package ipam

import (
	"context"
	"fmt"
	"slices"

	"github.com/fairlead/fairlead/internal/store"
)

// ModifyIPAM is a change of an IPAM. What is nil or "" stays as it is.
type ModifyIPAM struct {
	ID, Account, Region       string
	Description               *string
	AddRegions, RemoveRegions []string
	Tier                      Tier
	PrivateGUA                *bool
	MeteredAccount            string
}

// ModifyIPAM changes an IPAM (ModifyIpam). Its home region stays an operating
// region, and so does one that is a pool's locale. The free tier is refused while
// the IPAM has what only the advanced one has.
func (s *Service) ModifyIPAM(ctx context.Context, req ModifyIPAM, dryRun func() error) (IPAM, error) {
	if err := s.checkRegions(req); err != nil {
		return IPAM{}, fmt.Errorf("modify ipam %s: %w", req.ID, err)
	}
	var i IPAM
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		var err error
		if i, err = s.homeIPAM(tx, req.Account, req.Region, req.ID); err != nil {
			return err
		}
		if i.OperatingRegions, err = s.changedRegions(tx, i, req); err != nil {
			return err
		}
		if req.Tier == Free && i.Tier != Free {
			if err := s.checkDowngrade(tx, i); err != nil {
				return err
			}
		}
		if err := check(dryRun); err != nil {
			return err
		}
		set(&i.Description, req.Description)
		set(&i.PrivateGUA, req.PrivateGUA)
		if req.Tier != "" {
			i.Tier = req.Tier
		}
		if req.MeteredAccount != "" {
			i.MeteredAccount = req.MeteredAccount
		}
		i.Modified = true
		s.ipams.Put(tx, i.ID, i)
		return nil
	})
	if err != nil {
		return IPAM{}, fmt.Errorf("modify ipam %s: %w", req.ID, err)
	}
	return i, nil
}

// set changes what at points to, if there is a new value.
func set[T any](at, v *T) {
	if v != nil {
		*at = *v
	}
}

// checkRegions checks the regions of a request by themselves.
func (s *Service) checkRegions(req ModifyIPAM) error {
	if max(len(req.AddRegions), len(req.RemoveRegions)) > maxOperatingRegions {
		return refuse(InvalidValue, "The request can contain at most %d operating regions.", maxOperatingRegions)
	}
	for _, r := range req.AddRegions {
		switch {
		case !s.opts.IsRegion(r):
			return refuse(InvalidValue, "The operating region '%s' is not a valid region.", r)
		case slices.Contains(req.RemoveRegions, r):
			return refuse(InvalidCombination, "The request can't both add and remove the operating region '%s'.", r)
		}
	}
	return nil
}

// changedRegions returns the operating regions that an IPAM has after the
// request.
func (s *Service) changedRegions(tx *store.Tx, i IPAM, req ModifyIPAM) ([]string, error) {
	for _, r := range req.RemoveRegions {
		switch {
		case r == i.Region:
			return nil, refuse(InvalidValue, "The operating region '%s' is the home region of the ipam '%s' and can't be removed.", r, i.ID)
		case !slices.Contains(i.OperatingRegions, r):
			return nil, refuse(InvalidValue, "The region '%s' is not an operating region of the ipam '%s'.", r, i.ID)
		}
	}
	if len(req.RemoveRegions) > 0 {
		for _, sc := range s.scopesOf(tx, i) {
			for id, p := range s.poolsByScope.Each(tx, sc.ID) {
				if slices.Contains(req.RemoveRegions, p.Locale) {
					return nil, refuse(Dependency, "The operating region '%s' can't be removed. It is the locale of the ipam-pool '%s'.", p.Locale, id)
				}
			}
		}
	}
	regions := slices.Concat(i.OperatingRegions, req.AddRegions)
	slices.Sort(regions)
	regions = slices.Compact(regions)
	return slices.DeleteFunc(regions, func(r string) bool { return slices.Contains(req.RemoveRegions, r) }), nil
}

// homeIPAM returns the IPAM that a call to its home region changes. It is guarded.
func (s *Service) homeIPAM(tx *store.Tx, account, region, id string) (IPAM, error) {
	i, ok := s.ipams.Get(tx, id)
	switch {
	case !ok || i.Account != account || i.Region != region:
		return IPAM{}, &NotFoundError{NounIPAM, id}
	case i.State == DeleteInProgress:
		return IPAM{}, refuse(WrongState, "The ipam '%s' is being deleted.", id)
	}
	return i, nil
}
