package ec2

import (
	"context"
	"iter"

	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/vpc"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerRouteTables(svc *wire.Service) {
	network(a, svc, "CreateRouteTable", a.createRouteTable)
	network(a, svc, "DescribeRouteTables", a.describeRouteTables)
	network(a, svc, "DeleteRouteTable", a.deleteRouteTable)
	network(a, svc, "AssociateRouteTable", a.associateRouteTable)
	network(a, svc, "DisassociateRouteTable", a.disassociateRouteTable)
	network(a, svc, "ReplaceRouteTableAssociation", a.replaceRouteTableAssociation)
}

func (a *API) createRouteTable(ctx context.Context, c *wire.Call, in *ec2.CreateRouteTableInput) (*ec2.CreateRouteTableOutput, error) {
	tg, err := specifiedTags(in.TagSpecifications, string(vpc.KindRouteTable))
	if err != nil {
		return nil, err
	}
	tok, err := token(c, in.ClientToken)
	if err != nil {
		return nil, err
	}
	t, err := a.vpc(c).CreateRouteTable(ctx, vpc.RouteTableSpec{
		ID: ids.EC2("rtb"), Account: c.Account, Region: c.Region, VPCID: *in.VpcId, Tags: tg, Token: tok,
	})
	if err != nil {
		return nil, err
	}
	return &ec2.CreateRouteTableOutput{RouteTable: new(a.renderRouteTable(a.Store.Snapshot(), t)), ClientToken: in.ClientToken}, nil
}

func (a *API) describeRouteTables(_ context.Context, c *wire.Call, in *ec2.DescribeRouteTablesInput) (*ec2.DescribeRouteTablesOutput, error) {
	snap := a.Store.Snapshot()
	items, next, err := list(c, query{IDs: in.RouteTableIds, Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: 5, Max: 100},
		source[vpc.RouteTable]{
			from: func(key string) iter.Seq2[string, vpc.RouteTable] {
				return a.VPC.RouteTables(snap, c.Account, c.Region, key)
			},
			get:    func(id string) (vpc.RouteTable, bool) { return a.VPC.RouteTable(snap, c.Account, c.Region, id) },
			absent: func(id string) error { return &vpc.NotFoundError{Kind: vpc.KindRouteTable, ID: id} },
			attribute: func(t vpc.RouteTable, name string) ([]string, bool) {
				return a.routeTableAttribute(snap, t, name)
			},
		})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeRouteTablesOutput{RouteTables: []ec2.RouteTable{}, NextToken: next}
	for _, t := range items {
		out.RouteTables = append(out.RouteTables, a.renderRouteTable(snap, t))
	}
	return out, nil
}

// routeTableAttribute reads the attributes off the rendered table, whose
// associations and routes are put together from several records.
func (a *API) routeTableAttribute(r store.Reader, t vpc.RouteTable, name string) (values []string, known bool) {
	switch name {
	case "owner-id":
		return some(t.Account), true
	case "route-table-id":
		return some(t.ID), true
	case "vpc-id":
		return some(t.VPCID), true
	}
	if values, known = tagAttribute(a.Tags.Of(r, t.ID), name); known {
		return values, true
	}
	rendered := a.renderRouteTable(r, t)
	associations := map[string]func(ec2.RouteTableAssociation) []string{
		"association.gateway-id":                 func(as ec2.RouteTableAssociation) []string { return some(value(as.GatewayId)) },
		"association.main":                       func(as ec2.RouteTableAssociation) []string { return yesNo(value(as.Main)) },
		"association.route-table-association-id": func(as ec2.RouteTableAssociation) []string { return some(value(as.RouteTableAssociationId)) },
		"association.route-table-id":             func(as ec2.RouteTableAssociation) []string { return some(value(as.RouteTableId)) },
		"association.state":                      func(as ec2.RouteTableAssociation) []string { return some(string(as.AssociationState.State)) },
		"association.subnet-id":                  func(as ec2.RouteTableAssociation) []string { return some(value(as.SubnetId)) },
	}
	if of := associations[name]; of != nil {
		for _, as := range rendered.Associations {
			values = append(values, of(as)...)
		}
		return values, true
	}
	routes := map[string]func(ec2.Route) []string{
		"route.destination-cidr-block":      func(rt ec2.Route) []string { return some(value(rt.DestinationCidrBlock)) },
		"route.destination-ipv6-cidr-block": func(rt ec2.Route) []string { return some(value(rt.DestinationIpv6CidrBlock)) },
		"route.destination-prefix-list-id":  func(rt ec2.Route) []string { return some(value(rt.DestinationPrefixListId)) },
		"route.gateway-id":                  func(rt ec2.Route) []string { return some(value(rt.GatewayId)) },
		"route.origin":                      func(rt ec2.Route) []string { return some(string(rt.Origin)) },
		"route.state":                       func(rt ec2.Route) []string { return some(string(rt.State)) },
	}
	if of := routes[name]; of != nil {
		for _, rt := range rendered.Routes {
			values = append(values, of(rt)...)
		}
		return values, true
	}
	switch name { // targets that no route has here
	case "route.egress-only-internet-gateway-id", "route.instance-id",
		"route.nat-gateway-id", "route.transit-gateway-id", "route.vpc-peering-connection-id", "route.carrier-gateway-id":
		return nil, true
	}
	return nil, false
}

func associated() *ec2.RouteTableAssociationState {
	return &ec2.RouteTableAssociationState{State: ec2.RouteTableAssociationStateCodeAssociated}
}

func (a *API) renderRouteTable(r store.Reader, t vpc.RouteTable) ec2.RouteTable {
	out := ec2.RouteTable{
		RouteTableId: new(t.ID), OwnerId: new(t.Account), VpcId: new(t.VPCID),
		Associations: []ec2.RouteTableAssociation{}, PropagatingVgws: []ec2.PropagatingVgw{}, Routes: []ec2.Route{},
		Tags: renderTags(a.Tags.Of(r, t.ID)),
	}
	if t.Main {
		out.Associations = append(out.Associations, ec2.RouteTableAssociation{
			Main: new(true), RouteTableAssociationId: new(t.MainAssociationID()), RouteTableId: new(t.ID), AssociationState: associated(),
		})
	}
	for _, n := range a.VPC.AssociatedSubnets(r, t.ID) {
		out.Associations = append(out.Associations, ec2.RouteTableAssociation{
			Main: new(false), RouteTableAssociationId: new(n.AssociationID), RouteTableId: new(t.ID), SubnetId: new(n.ID), AssociationState: associated(),
		})
	}
	for _, rt := range a.VPC.Routes(r, t) {
		route := ec2.Route{GatewayId: new(rt.GatewayID), Origin: ec2.RouteOriginCreateRoute, State: ec2.RouteStateActive}
		if rt.Local {
			route.GatewayId, route.Origin = new("local"), ec2.RouteOriginCreateRouteTable
		}
		if !a.VPC.Active(r, t, rt) {
			route.State = ec2.RouteStateBlackhole
		}
		switch d := rt.Destination; {
		case rt.PrefixListID != "":
			route.DestinationPrefixListId = new(rt.PrefixListID)
		case d.Addr().Is4():
			route.DestinationCidrBlock = new(d.String())
		default:
			route.DestinationIpv6CidrBlock = new(d.String())
		}
		out.Routes = append(out.Routes, route)
	}
	return out
}

func (a *API) deleteRouteTable(ctx context.Context, c *wire.Call, in *ec2.DeleteRouteTableInput) (*ec2.DeleteRouteTableOutput, error) {
	return &ec2.DeleteRouteTableOutput{}, a.vpc(c).DeleteRouteTable(ctx, c.Account, c.Region, *in.RouteTableId)
}

func (a *API) associateRouteTable(ctx context.Context, c *wire.Call, in *ec2.AssociateRouteTableInput) (*ec2.AssociateRouteTableOutput, error) {
	if err := refuseUnserved(c, "GatewayId", "PublicIpv4Pool"); err != nil {
		return nil, err
	}
	if in.SubnetId == nil {
		return nil, missing("SubnetId")
	}
	id, err := a.vpc(c).AssociateRouteTable(ctx, c.Account, c.Region, *in.RouteTableId, *in.SubnetId, ids.EC2("rtbassoc"))
	if err != nil {
		return nil, err
	}
	return &ec2.AssociateRouteTableOutput{AssociationId: new(id), AssociationState: associated()}, nil
}

func (a *API) disassociateRouteTable(ctx context.Context, c *wire.Call, in *ec2.DisassociateRouteTableInput) (*ec2.DisassociateRouteTableOutput, error) {
	return &ec2.DisassociateRouteTableOutput{}, a.vpc(c).DisassociateRouteTable(ctx, c.Account, c.Region, *in.AssociationId)
}

func (a *API) replaceRouteTableAssociation(ctx context.Context, c *wire.Call, in *ec2.ReplaceRouteTableAssociationInput) (*ec2.ReplaceRouteTableAssociationOutput, error) {
	id, err := a.vpc(c).ReplaceRouteTableAssociation(ctx, c.Account, c.Region, *in.AssociationId, *in.RouteTableId, ids.EC2("rtbassoc"))
	if err != nil {
		return nil, err
	}
	return &ec2.ReplaceRouteTableAssociationOutput{NewAssociationId: new(id), AssociationState: associated()}, nil
}
