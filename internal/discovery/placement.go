package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/history"
	"github.com/fairlead/fairlead/internal/store"
)

// ModifyResourceCIDR is a request to watch or ignore a CIDR, or to move it to
// another scope.
type ModifyResourceCIDR struct {
	Account, Region    string // Region is where the call was made: the IPAM's home
	ResourceID         string
	ResourceRegion     string
	CIDR               netip.Prefix
	ScopeID            string // where it is now
	DestinationScopeID string // "": it stays
	Monitored          bool   // false: ignored, its allocation returned, not imported again
	Time               time.Time
}

// ModifyResourceCIDR changes what an IPAM makes of a VPC's CIDR; its subnets go
// along. Only in private scopes can a CIDR be ignored or moved. A CIDR that a
// pool has given moves when its allocation is released
// (ModifyIpamResourceCidr).
func (s *Service) ModifyResourceCIDR(ctx context.Context, req ModifyResourceCIDR, dryRun func() error) (ResourceCIDR, error) {
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		sc, err := s.ScopeIn(tx, req.Account, req.Region, req.ScopeID)
		if err != nil {
			return err
		}
		i, _ := s.opts.Managers.IPAM(tx, req.Account, sc.IPAMID)
		s.bump(tx, i)
		base := tx.Snapshot()
		c, err := s.find(base, i, req)
		if err != nil {
			return err
		}
		if err := s.checkModification(tx, req, sc, c); err != nil {
			return err
		}
		if err := check(dryRun); err != nil {
			return err
		}
		if c.Type != VPC {
			return nil // it is watched, as it was
		}
		if err := s.opts.Networks.Hold(tx, req.Account, req.ResourceRegion, c.ID); err != nil {
			return fmt.Errorf("hold %s: %w", c.ID, err)
		}
		return s.put(tx, i, req, c)
	})
	if err != nil {
		return ResourceCIDR{}, fmt.Errorf("modify resource %s: %w", req.ResourceID, err)
	}
	snap := s.store.Snapshot()
	i, _ := s.opts.Managers.IPAMIn(snap, req.Account, req.Region)
	c, err := s.find(snap, i, req)
	var gone *CallError
	if errors.As(err, &gone) { // deleted since
		return ResourceCIDR{}, err
	}
	return c, err
}

// find returns the CIDR that a request names, as it is now.
func (s *Service) find(r store.Snapshot, i IPAM, req ModifyResourceCIDR) (ResourceCIDR, error) {
	v := s.View(r, i)
	for _, res := range s.opts.Networks.Of(r, req.Account, req.ResourceRegion, req.ResourceID) {
		if res.CIDR == req.CIDR && res.Type != ENI && v.watches(req.ResourceRegion) {
			return v.Judge(res), nil
		}
	}
	return ResourceCIDR{}, refuse(InvalidValue, "The resource '%s' with the CIDR '%s' was not found in region '%s'.", req.ResourceID, req.CIDR, req.ResourceRegion)
}

func (s *Service) checkModification(r store.Reader, req ModifyResourceCIDR, sc Scope, c ResourceCIDR) error {
	switch {
	case c.ScopeID != sc.ID:
		return refuse(InvalidValue, "The CIDR '%s' of '%s' is not in ipam-scope '%s'.", c.CIDR, c.ID, sc.ID)
	case req.Monitored && req.DestinationScopeID == "":
		return nil
	case sc.Public:
		return refuse(InvalidValue, "Resources in a public scope can't be ignored or moved.")
	case c.Type != VPC:
		return refuse(InvalidValue, "Only the CIDRs of VPCs can be ignored or moved; those of their subnets go along.")
	case !req.Monitored && req.DestinationScopeID != "":
		return refuse(InvalidCombination, "The request can only contain DestinationIpamScopeId if Monitored is true.")
	case !req.Monitored:
		return nil
	}
	to, ok := s.opts.Managers.Scope(r, req.Account, req.DestinationScopeID)
	switch {
	case !ok:
		return &NotFoundError{NounScope, req.DestinationScopeID}
	case to.Public || to.IPAMID != sc.IPAMID:
		return refuse(InvalidValue, "The ipam-scope '%s' is not a private scope of the same ipam.", to.ID)
	}
	return nil
}

// put writes what a request decides.
func (s *Service) put(tx *store.Tx, i IPAM, req ModifyResourceCIDR, c ResourceCIDR) error {
	key := placementKey(i.ID, c.ID, c.CIDR)
	p, placed := s.placements.Get(tx, key)
	if !placed {
		p = placement{IPAMID: i.ID, VPCID: c.ID, CIDR: c.CIDR, ScopeID: c.ScopeID}
	}
	p.Ignored = !req.Monitored
	if req.DestinationScopeID != "" && req.DestinationScopeID != c.ScopeID {
		if c.PoolID == "" {
			s.moved(tx, c, p.Since, req.Time)
		}
		p.ScopeID, p.Since = req.DestinationScopeID, req.Time
	}
	s.placements.Put(tx, key, p)
	if req.Monitored {
		return nil
	}
	return s.opts.Pools.Return(tx, c.ID, c.CIDR, i.ID, req.Time)
}

// moved writes that a CIDR has left a scope, where it has been since it came to
// be or since it was moved there.
func (s *Service) moved(tx *store.Tx, c ResourceCIDR, since, now time.Time) {
	rec := c.record()
	if since.After(rec.Start) {
		rec.Start = since
	}
	rec.Seen = []history.Sighting{c.sighting()}
	rec.End = now.UTC().Round(0)
	s.opts.History.Close(tx, rec)
}
