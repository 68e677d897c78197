package vpc

import (
	"context"
	"iter"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// RouteTable says where a VPC's subnets send what isn't for themselves. Which
// subnets follow it, the subnets know.
type RouteTable struct {
	ID, Account, Region string
	VPCID               string
	Main                bool
	MainAssociation     string  // of a table that became main; "" for one that its VPC came with
	Routes              []Route // those that were made, in that order; see Service.Routes
}

// MainAssociationID names the association of a main table with its VPC.
func (t RouteTable) MainAssociationID() string {
	if t.MainAssociation != "" {
		return t.MainAssociation
	}
	return derived("rtbassoc", t.ID)
}

// RouteTableSpec is a route table to be made.
type RouteTableSpec struct {
	ID, Account, Region string
	VPCID               string
	Tags                []tags.Tag
	Token               idempotency.Token
}

// CreateRouteTable makes a route table with the local route.
func (s *Service) CreateRouteTable(ctx context.Context, spec RouteTableSpec) (t RouteTable, err error) {
	err = s.update(ctx, func(tx *store.Tx) error {
		var again bool
		if t, again, err = found(tx, s, s.tables, spec.Token); again || err != nil {
			return err
		}
		v, err := s.touchVPC(tx, spec.Account, spec.Region, spec.VPCID)
		if err != nil {
			return err
		}
		if s.tablesByVPC.Count(tx, v.ID) >= s.opts.Quotas.RouteTables {
			return limit(KindRouteTable, "route tables")
		}
		t = RouteTable{ID: spec.ID, Account: spec.Account, Region: spec.Region, VPCID: v.ID}
		s.tables.Put(tx, t.ID, t)
		s.idem.Remember(tx, spec.Token, t.ID)
		return s.setTags(tx, t.Account, t.Region, KindRouteTable, t.ID, spec.Tags)
	})
	return t, err
}

// DeleteRouteTable removes a route table that no subnet is associated with.
func (s *Service) DeleteRouteTable(ctx context.Context, account, region, id string) error {
	return s.update(ctx, func(tx *store.Tx) error {
		t, err := s.table(tx, account, region, id)
		if err != nil {
			return err
		}
		if t.Main || s.subnetsByTable.Has(tx, id) {
			return dependency(KindRouteTable, "routeTable", id)
		}
		s.tables.Delete(tx, id)
		s.tags.Clear(tx, id)
		return nil
	})
}

// AssociateRouteTable has a subnet follow a table of its VPC, and returns the
// association: associationID, or the one there was if it followed the table already.
func (s *Service) AssociateRouteTable(ctx context.Context, account, region, tableID, subnetID, associationID string) (id string, err error) {
	err = s.update(ctx, func(tx *store.Tx) error {
		t, err := s.table(tx, account, region, tableID)
		if err != nil {
			return err
		}
		n, err := s.subnet(tx, account, region, subnetID)
		if err != nil {
			return err
		}
		switch {
		case n.RouteTableID == tableID:
			id = n.AssociationID
			return nil
		case n.RouteTableID != "":
			return fail(AlreadyAssociated, KindRouteTable, "the specified association for route table %s conflicts with an existing association", tableID)
		case n.VPCID != t.VPCID:
			return fail(InvalidValue, KindRouteTable, "route table %s and subnet %s belong to different networks", tableID, subnetID)
		}
		n.RouteTableID, n.AssociationID = tableID, associationID
		s.subnets.Put(tx, subnetID, n)
		s.tables.Put(tx, tableID, t) // stands for the set of its subnets
		id = associationID
		return nil
	})
	return id, err
}

// DisassociateRouteTable has a subnet follow its VPC's main table again.
func (s *Service) DisassociateRouteTable(ctx context.Context, account, region, associationID string) error {
	return s.update(ctx, func(tx *store.Tx) error {
		for id := range s.subnetsByAssociation.Each(tx, associationID) {
			n, err := s.subnet(tx, account, region, id)
			if err != nil || n.AssociationID != associationID {
				break
			}
			n.RouteTableID, n.AssociationID = "", ""
			s.subnets.Put(tx, id, n)
			return nil
		}
		for id := range s.tablesByMain.Each(tx, associationID) {
			if _, err := s.table(tx, account, region, id); err == nil {
				return fail(InvalidValue, KindRouteTable, "cannot disassociate the main route table association %s", associationID)
			}
		}
		return &NotFoundError{KindTableAssociation, associationID}
	})
}

// ReplaceRouteTableAssociation has what an association is about, a subnet or a
// VPC whose main table it names, follow another table of its VPC, under a new
// association.
func (s *Service) ReplaceRouteTableAssociation(ctx context.Context, account, region, associationID, tableID, newID string) (id string, err error) {
	err = s.update(ctx, func(tx *store.Tx) error {
		t, err := s.table(tx, account, region, tableID)
		if err != nil {
			return err
		}
		id = newID
		for subnetID := range s.subnetsByAssociation.Each(tx, associationID) {
			n, err := s.subnet(tx, account, region, subnetID)
			switch {
			case err != nil || n.AssociationID != associationID:
			case n.VPCID != t.VPCID:
				return fail(InvalidValue, KindRouteTable, "route table %s and subnet %s belong to different networks", tableID, subnetID)
			case n.RouteTableID == tableID:
				id = associationID
				return nil
			default:
				n.RouteTableID, n.AssociationID = tableID, newID
				s.subnets.Put(tx, subnetID, n)
				s.tables.Put(tx, tableID, t) // stands for the set of its subnets
				return nil
			}
		}
		for mainID := range s.tablesByMain.Each(tx, associationID) {
			main, err := s.table(tx, account, region, mainID)
			switch {
			case err != nil || !main.Main || main.MainAssociationID() != associationID:
			case main.VPCID != t.VPCID:
				return fail(InvalidValue, KindRouteTable, "route table %s and network %s belong to different networks", tableID, main.VPCID)
			case mainID == tableID:
				id = associationID
				return nil
			default:
				main.Main, main.MainAssociation = false, ""
				t.Main, t.MainAssociation = true, newID
				s.tables.Put(tx, mainID, main)
				s.tables.Put(tx, tableID, t)
				return nil
			}
		}
		return &NotFoundError{KindTableAssociation, associationID}
	})
	return id, err
}

// RouteTable returns a route table of the account.
func (s *Service) RouteTable(r store.Reader, account, region, id string) (RouteTable, bool) {
	t, ok := s.tables.Get(r, id)
	return t, ok && t.Account == account && t.Region == region
}

// RouteTables yields the account's route tables by id, from the given one on.
func (s *Service) RouteTables(r store.Reader, account, region, from string) iter.Seq2[string, RouteTable] {
	return s.tablesByOwner.From(r, owner(account, region), from)
}

// AssociatedSubnets yields the subnets that were associated with a table, by id.
func (s *Service) AssociatedSubnets(r store.Reader, tableID string) iter.Seq2[string, Subnet] {
	return s.subnetsByTable.Each(r, tableID)
}

func (s *Service) table(r store.Reader, account, region, id string) (RouteTable, error) {
	t, ok := s.RouteTable(r, account, region, id)
	if !ok {
		return RouteTable{}, &NotFoundError{KindRouteTable, id}
	}
	return t, nil
}
