package vpc

import (
	"context"
	"iter"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// Gateway is an internet gateway.
type Gateway struct {
	ID, Account, Region string
	VPCID               string // that it is attached to; "" for none
}

// GatewaySpec is an internet gateway to be made.
type GatewaySpec struct {
	ID, Account, Region string
	Tags                []tags.Tag
}

// CreateGateway makes an internet gateway, attached to nothing.
func (s *Service) CreateGateway(ctx context.Context, spec GatewaySpec) (Gateway, error) {
	g := Gateway{ID: spec.ID, Account: spec.Account, Region: spec.Region}
	err := s.update(ctx, func(tx *store.Tx) error {
		if err := s.touchRegion(tx, g.Account, g.Region); err != nil {
			return err
		}
		if s.gatewaysByOwner.Count(tx, owner(g.Account, g.Region)) >= s.opts.Quotas.Gateways {
			return limit(KindGateway, "internet gateways")
		}
		s.gateways.Put(tx, g.ID, g)
		return s.setTags(tx, g.Account, g.Region, KindGateway, g.ID, spec.Tags)
	})
	return g, err
}

// DeleteGateway removes an internet gateway that is attached to nothing. Routes
// to it stay, as black holes.
func (s *Service) DeleteGateway(ctx context.Context, account, region, id string) error {
	return s.update(ctx, func(tx *store.Tx) error {
		g, err := s.gateway(tx, account, region, id)
		if err != nil {
			return err
		}
		if g.VPCID != "" {
			return dependency(KindGateway, "internetGateway", id)
		}
		s.gateways.Delete(tx, id)
		s.tags.Clear(tx, id)
		return nil
	})
}

// AttachGateway attaches an internet gateway to a VPC that has none.
func (s *Service) AttachGateway(ctx context.Context, account, region, id, vpcID string) error {
	return s.update(ctx, func(tx *store.Tx) error {
		g, err := s.gateway(tx, account, region, id)
		if err != nil {
			return err
		}
		if _, err := s.touchVPC(tx, account, region, vpcID); err != nil {
			return err
		}
		if g.VPCID != "" {
			return fail(AlreadyAssociated, KindGateway, "resource %s is already attached to network %s", id, g.VPCID)
		}
		if s.HasGateway(tx, vpcID) {
			return fail(AlreadyAssociated, KindGateway, "Network %s already has an internet gateway attached", vpcID)
		}
		g.VPCID = vpcID
		s.gateways.Put(tx, id, g)
		return nil
	})
}

// DetachGateway detaches an internet gateway from a VPC in which no interface
// has a public address. A load balancer's node that draws one in the same moment
// may come after, as it may when no gateway was ever attached.
func (s *Service) DetachGateway(ctx context.Context, account, region, id, vpcID string) error {
	return s.update(ctx, func(tx *store.Tx) error {
		g, err := s.gateway(tx, account, region, id)
		if err != nil {
			return err
		}
		if g.VPCID != vpcID { // which may have gone since it was detached
			return fail(NotAttached, KindGateway, "resource %s is not attached to network %s", id, vpcID)
		}
		if s.addressesByVPC.Has(tx, vpcID) {
			return fail(Dependency, KindGateway,
				"Network %s has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.", vpcID)
		}
		g.VPCID = ""
		s.gateways.Put(tx, id, g)
		return nil
	})
}

// HasGateway says whether a VPC has an internet gateway.
func (s *Service) HasGateway(r store.Reader, vpcID string) bool {
	return s.gatewaysByVPC.Has(r, vpcID)
}

// Gateway returns an internet gateway of the account.
func (s *Service) Gateway(r store.Reader, account, region, id string) (Gateway, bool) {
	g, ok := s.gateways.Get(r, id)
	return g, ok && g.Account == account && g.Region == region
}

// Gateways yields the account's internet gateways by id, from the given one on.
func (s *Service) Gateways(r store.Reader, account, region, from string) iter.Seq2[string, Gateway] {
	return s.gatewaysByOwner.From(r, owner(account, region), from)
}

func (s *Service) gateway(r store.Reader, account, region, id string) (Gateway, error) {
	g, ok := s.Gateway(r, account, region, id)
	if !ok {
		return Gateway{}, &NotFoundError{KindGateway, id}
	}
	return g, nil
}
