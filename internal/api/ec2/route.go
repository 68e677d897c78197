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

// otherTargets are the parameters for destinations and targets that no route has here.
var otherTargets = []string{
	"CarrierGatewayId", "CoreNetworkArn", "DestinationPrefixListId", "EgressOnlyInternetGatewayId", "InstanceId", "LocalGatewayId",
	"NatGatewayId", "NetworkInterfaceId", "OdbNetworkArn", "TransitGatewayId", "VpcEndpointId", "VpcPeeringConnectionId",
}

func (a *API) createRoute(ctx context.Context, c *wire.Call, in *ec2.CreateRouteInput) (*ec2.CreateRouteOutput, error) {
	if err := refuseUnserved(c, otherTargets...); err != nil {
		return nil, err
	}
	destination, err := routeDestination(in.DestinationCidrBlock, in.DestinationIpv6CidrBlock)
	if err != nil {
		return nil, err
	}
	if in.GatewayId == nil {
		return nil, missing("GatewayId")
	}
	err = a.vpc(c).CreateRoute(ctx, c.Account, c.Region, *in.RouteTableId, vpc.Route{Destination: destination, GatewayID: *in.GatewayId})
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
	destination, err := routeDestination(in.DestinationCidrBlock, in.DestinationIpv6CidrBlock)
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
	err = a.vpc(c).ReplaceRoute(ctx, c.Account, c.Region, *in.RouteTableId, vpc.Route{Destination: destination, GatewayID: value(in.GatewayId), Local: local})
	return &ec2.ReplaceRouteOutput{}, routeRefusal(err)
}

func (a *API) deleteRoute(ctx context.Context, c *wire.Call, in *ec2.DeleteRouteInput) (*ec2.DeleteRouteOutput, error) {
	if err := refuseUnserved(c, "DestinationPrefixListId"); err != nil {
		return nil, err
	}
	destination, err := routeDestination(in.DestinationCidrBlock, in.DestinationIpv6CidrBlock)
	if err != nil {
		return nil, err
	}
	return &ec2.DeleteRouteOutput{}, a.vpc(c).DeleteRoute(ctx, c.Account, c.Region, *in.RouteTableId, destination)
}

// routeDestination reads a route's one destination.
func routeDestination(v4, v6 *string) (netip.Prefix, error) {
	switch {
	case v4 != nil && v6 != nil:
		return netip.Prefix{}, apierr.New("InvalidParameterCombination", "The parameters DestinationCidrBlock and DestinationIpv6CidrBlock cannot be used together")
	case v4 != nil:
		return familyCIDR(*v4, "destinationCidrBlock", netip.Addr.Is4)
	case v6 != nil:
		return familyCIDR(*v6, "destinationIpv6CidrBlock", netip.Addr.Is6)
	}
	return netip.Prefix{}, missing("destinationCidrBlock or destinationIpv6CidrBlock")
}

// familyCIDR reads a CIDR of one address family.
func familyCIDR(text, name string, is func(netip.Addr) bool) (netip.Prefix, error) {
	p, err := parseCIDR(text, name)
	if err == nil && !is(p.Addr()) {
		err = invalid(text, name, "The CIDR block is of the other address family.")
	}
	return p, err
}
