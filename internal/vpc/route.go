package vpc

import (
	"context"
	"net/netip"
	"slices"

	"github.com/fairlead/fairlead/internal/store"
)

// Route is one destination, unique in its table.
type Route struct {
	Destination  netip.Prefix
	PrefixListID string `json:",omitempty"` // in place of Destination; see Rule.PrefixListID
	Local        bool   // one of the VPC's own CIDRs
	GatewayID    string // else: an internet gateway, which may be gone since
}

// to names the route's destination, as its fault messages do.
func (r Route) to() string {
	if r.PrefixListID != "" {
		return r.PrefixListID
	}
	return r.Destination.String()
}

// made returns the table's routes without local ones, which tables had in their
// records while a VPC had a single CIDR.
func (t RouteTable) made() []Route {
	return slices.DeleteFunc(slices.Clone(t.Routes), func(r Route) bool { return r.Local })
}

// Routes returns a table's routes: the local ones, to the VPC's CIDRs, then
// those that were made, in that order.
func (s *Service) Routes(r store.Reader, t RouteTable) []Route {
	var local []Route
	if v, ok := s.vpcs.Get(r, t.VPCID); ok {
		for _, b := range v.CIDRs() {
			local = append(local, Route{Destination: b.CIDR, Local: true})
		}
	}
	return append(local, t.made()...)
}

// Active says whether a route of the table leads somewhere: its gateway is
// there and attached to the table's VPC.
func (s *Service) Active(r store.Reader, t RouteTable, rt Route) bool {
	if rt.Local {
		return true
	}
	g, ok := s.gateways.Get(r, rt.GatewayID)
	return ok && g.VPCID == t.VPCID
}

// CreateRoute adds a route to an internet gateway. The same one again is no error.
func (s *Service) CreateRoute(ctx context.Context, account, region, tableID string, r Route) error {
	r.Destination = r.Destination.Masked()
	return s.changeRoutes(ctx, account, region, tableID, func(tx *store.Tx, v VPC, t *RouteTable) error {
		if err := s.checkTarget(tx, *t, r); err != nil {
			return err
		}
		if i := t.index(r); i >= 0 {
			if t.Routes[i] == r {
				return nil
			}
			return routeExists(r)
		}
		for _, b := range v.CIDRs() {
			switch {
			case b.CIDR == r.Destination:
				return routeExists(r)
			case within(r.Destination, b.CIDR):
				return fail(InvalidValue, KindRouteTable, "The destination %s lies in the CIDR %s of the VPC, where an internet gateway can't be a route's target.", r.Destination, b.CIDR)
			}
		}
		t.Routes = append(t.Routes, r)
		return s.checkRoutes(tx, *t, r)
	})
}

func routeExists(r Route) error {
	return fail(RouteExists, KindRouteTable, "The route identified by %s already exists.", r.to())
}

// ReplaceRoute gives a route another target. A local route has none but itself.
func (s *Service) ReplaceRoute(ctx context.Context, account, region, tableID string, r Route) error {
	r.Destination = r.Destination.Masked()
	return s.changeRoutes(ctx, account, region, tableID, func(tx *store.Tx, v VPC, t *RouteTable) error {
		local := slices.ContainsFunc(v.CIDRs(), func(b CIDRBlock) bool { return b.CIDR == r.Destination })
		i := t.index(r)
		switch {
		case local && r.Local:
			return nil
		case local:
			return fail(InvalidValue, KindRouteTable, "The local route %s of route table %s can't have an internet gateway as its target.", r.Destination, tableID)
		case i < 0:
			return fail(InvalidValue, KindRouteTable, "There is no route defined for '%s' in the route table. Use CreateRoute instead.", r.to())
		case r.Local:
			return fail(InvalidValue, KindRouteTable, "The route %s of route table %s can't be local: it is to no CIDR of the VPC.", r.to(), tableID)
		}
		if err := s.checkTarget(tx, *t, r); err != nil {
			return err
		}
		t.Routes[i] = r
		return nil
	})
}

// DeleteRoute removes the route to a destination.
func (s *Service) DeleteRoute(ctx context.Context, account, region, tableID string, destination netip.Prefix) error {
	return s.deleteRoute(ctx, account, region, tableID, Route{Destination: destination.Masked()})
}

// DeletePrefixListRoute removes the route to a prefix list.
func (s *Service) DeletePrefixListRoute(ctx context.Context, account, region, tableID, prefixListID string) error {
	return s.deleteRoute(ctx, account, region, tableID, Route{PrefixListID: prefixListID})
}

func (s *Service) deleteRoute(ctx context.Context, account, region, tableID string, r Route) error {
	return s.changeRoutes(ctx, account, region, tableID, func(_ *store.Tx, v VPC, t *RouteTable) error {
		if slices.ContainsFunc(v.CIDRs(), func(b CIDRBlock) bool { return b.CIDR == r.Destination }) {
			return fail(InvalidValue, KindRouteTable, "cannot remove local route %s in route table %s", r.to(), tableID)
		}
		i := t.index(r)
		switch {
		case i < 0 && r.PrefixListID != "":
			return fail(RouteNotFound, KindRouteTable, "no route with destination-prefix-list-id %s in route table %s", r.to(), tableID)
		case i < 0:
			return fail(RouteNotFound, KindRouteTable, "no route with destination-cidr-block %s in route table %s", r.to(), tableID)
		}
		t.Routes = slices.Delete(t.Routes, i, i+1)
		return nil
	})
}

// changeRoutes has f change t.Routes, which are its own and have no local ones.
// The VPC stands for the set of its tables' destinations: a CIDR that is added
// to it must swallow none of them.
func (s *Service) changeRoutes(ctx context.Context, account, region, tableID string, f func(tx *store.Tx, v VPC, t *RouteTable) error) error {
	return s.update(ctx, func(tx *store.Tx) error {
		t, err := s.table(tx, account, region, tableID)
		if err != nil {
			return err
		}
		v, err := s.touchVPC(tx, account, region, t.VPCID)
		if err != nil {
			return err
		}
		t.Routes = t.made()
		if err := f(tx, v, &t); err != nil {
			return err
		}
		s.tables.Put(tx, tableID, t)
		return nil
	})
}

// checkTarget says whether a route of the table can have r's target.
func (s *Service) checkTarget(tx *store.Tx, t RouteTable, r Route) error {
	g, err := s.gateway(tx, t.Account, t.Region, r.GatewayID)
	if err != nil {
		return err
	}
	if g.VPCID != t.VPCID {
		return fail(InvalidValue, KindRouteTable, "route table %s and network gateway %s belong to different networks", t.ID, g.ID)
	}
	return nil
}

// index finds the route with r's destination.
func (t RouteTable) index(r Route) int {
	return slices.IndexFunc(t.Routes, func(o Route) bool { return o.Destination == r.Destination && o.PrefixListID == r.PrefixListID })
}
