package ec2

import (
	"context"
	"errors"
	"net/netip"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/vpc"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerRoutes(svc *wire.Service) {
	network(a, svc, "CreateRoute", a.createRoute)
	network(a, svc, "ReplaceRoute", a.replaceRoute)
	network(a, svc, "DeleteRoute", a.deleteRoute)
}

// otherTargets are the parameters for targets that no route has here.
var otherTargets = []string{
	"CarrierGatewayId", "CoreNetworkArn", "EgressOnlyInternetGatewayId", "InstanceId", "LocalGatewayId",
	"NatGatewayId", "NetworkInterfaceId", "OdbNetworkArn", "TransitGatewayId", "VpcEndpointId", "VpcPeeringConnectionId",
}

func (a *API) createRoute(ctx context.Context, c *wire.Call, in *ec2.CreateRouteInput) (*ec2.CreateRouteOutput, error) {
	if err := refuseUnserved(c, otherTargets...); err != nil {
		return nil, err
	}
	route, err := routeTo(in.DestinationCidrBlock, in.DestinationIpv6CidrBlock, in.DestinationPrefixListId)
	if err != nil {
		return nil, err
	}
	if in.GatewayId == nil {
		return nil, missing("GatewayId")
	}
	route.GatewayID = *in.GatewayId
	err = a.vpc(c).CreateRoute(ctx, c.Account, c.Region, *in.RouteTableId, route)
	return &ec2.CreateRouteOutput{Return: new(true)}, routeRefusal(err)
}

// routeRefusal names a gateway as a route's target is named, more generally.
func routeRefusal(err error) error {
	if nf, ok := errors.AsType[*vpc.NotFoundError](err); ok && nf.Kind == vpc.KindGateway {
		return apierr.New("InvalidGatewayID.NotFound", "The gateway ID '%s' does not exist", nf.ID)
	}
	return err
}

func (a *API) replaceRoute(ctx context.Context, c *wire.Call, in *ec2.ReplaceRouteInput) (*ec2.ReplaceRouteOutput, error) {
	if err := refuseUnserved(c, otherTargets...); err != nil {
		return nil, err
	}
	route, err := routeTo(in.DestinationCidrBlock, in.DestinationIpv6CidrBlock, in.DestinationPrefixListId)
	if err != nil {
		return nil, err
	}
	local := value(in.LocalTarget)
	switch {
	case in.GatewayId == nil && !local:
		return nil, missing("GatewayId")
	case in.GatewayId != nil && local:
		return nil, apierr.New("InvalidParameterCombination", "The parameters GatewayId and LocalTarget cannot be used together")
	}
	route.GatewayID, route.Local = value(in.GatewayId), local
	err = a.vpc(c).ReplaceRoute(ctx, c.Account, c.Region, *in.RouteTableId, route)
	return &ec2.ReplaceRouteOutput{}, routeRefusal(err)
}

func (a *API) deleteRoute(ctx context.Context, c *wire.Call, in *ec2.DeleteRouteInput) (*ec2.DeleteRouteOutput, error) {
	route, err := routeTo(in.DestinationCidrBlock, in.DestinationIpv6CidrBlock, in.DestinationPrefixListId)
	switch {
	case err != nil:
		return nil, err
	case route.PrefixListID != "":
		return &ec2.DeleteRouteOutput{}, a.vpc(c).DeletePrefixListRoute(ctx, c.Account, c.Region, *in.RouteTableId, route.PrefixListID)
	}
	return &ec2.DeleteRouteOutput{}, a.vpc(c).DeleteRoute(ctx, c.Account, c.Region, *in.RouteTableId, route.Destination)
}

// routeTo reads a route's one destination.
func routeTo(v4, v6, list *string) (r vpc.Route, err error) {
	given := 0
	for _, d := range []*string{v4, v6, list} {
		if d != nil {
			given++
		}
	}
	switch {
	case given > 1:
		return r, apierr.New("InvalidParameterCombination", "Only one of the parameters DestinationCidrBlock, DestinationIpv6CidrBlock and DestinationPrefixListId can be used")
	case v4 != nil:
		r.Destination, err = familyCIDR(*v4, "destinationCidrBlock", netip.Addr.Is4)
	case v6 != nil:
		r.Destination, err = familyCIDR(*v6, "destinationIpv6CidrBlock", netip.Addr.Is6)
	case list != nil:
		r.PrefixListID = *list
	default:
		err = missing("destinationCidrBlock, destinationIpv6CidrBlock or destinationPrefixListId")
	}
	return r, err
}

// familyCIDR reads a CIDR of one address family.
func familyCIDR(text, name string, is func(netip.Addr) bool) (netip.Prefix, error) {
	p, err := parseCIDR(text, name)
	if err == nil && !is(p.Addr()) {
		err = invalid(text, name, "The CIDR block is of the other address family.")
	}
	return p, err
}
