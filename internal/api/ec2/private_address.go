package ec2

import (
	"context"
	"net/netip"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/vpc"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerPrivateAddresses(svc *wire.Service) {
	network(a, svc, "AssignPrivateIpAddresses", a.assignPrivateAddresses)
	network(a, svc, "UnassignPrivateIpAddresses", a.unassignPrivateAddresses)
}

func (a *API) assignPrivateAddresses(ctx context.Context, c *wire.Call, in *ec2.AssignPrivateIpAddressesInput) (*ec2.AssignPrivateIpAddressesOutput, error) {
	if err := refuseUnserved(c, "Ipv4Prefix", "Ipv4PrefixCount"); err != nil {
		return nil, err
	}
	addrs, err := parseAddresses(in.PrivateIpAddresses)
	if err != nil {
		return nil, err
	}
	spec := vpc.PrivateSpec{
		Account: c.Account, Region: c.Region, InterfaceID: *in.NetworkInterfaceId, Addresses: addrs, Move: value(in.AllowReassignment), Time: c.Now,
	}
	switch n := in.SecondaryPrivateIpAddressCount; {
	case n != nil && len(addrs) > 0:
		return nil, apierr.New("InvalidParameterCombination", "Private IP addresses and a count of them cannot be used together")
	case n != nil:
		if spec.Count, err = readCount(*n, 1); err != nil {
			return nil, err
		}
	case len(addrs) == 0:
		return nil, apierr.New("MissingParameter", "Either private IP addresses or a count of them must be specified")
	}
	assigned, err := a.vpc(c).AssignAddresses(ctx, spec)
	if err != nil {
		return nil, err
	}
	out := &ec2.AssignPrivateIpAddressesOutput{
		NetworkInterfaceId: in.NetworkInterfaceId, AssignedPrivateIpAddresses: []ec2.AssignedPrivateIpAddress{},
	}
	for _, addr := range assigned {
		out.AssignedPrivateIpAddresses = append(out.AssignedPrivateIpAddresses, ec2.AssignedPrivateIpAddress{PrivateIpAddress: new(addr.String())})
	}
	return out, nil
}

func (a *API) unassignPrivateAddresses(ctx context.Context, c *wire.Call, in *ec2.UnassignPrivateIpAddressesInput) (*ec2.UnassignPrivateIpAddressesOutput, error) {
	if err := refuseUnserved(c, "Ipv4Prefix"); err != nil {
		return nil, err
	}
	addrs, err := parseAddresses(in.PrivateIpAddresses)
	if err != nil {
		return nil, err
	}
	if len(addrs) == 0 {
		return nil, missing("PrivateIpAddress")
	}
	return &ec2.UnassignPrivateIpAddressesOutput{}, a.vpc(c).UnassignAddresses(ctx, c.Account, c.Region, *in.NetworkInterfaceId, addrs)
}

// parseAddresses reads the private addresses that a call names, each once.
func parseAddresses(texts []string) ([]netip.Addr, error) {
	var addrs []netip.Addr
	for _, text := range texts {
		addr, err := parseAddress(text, "privateIpAddress")
		if err != nil {
			return nil, err
		}
		addrs = append(addrs, addr)
	}
	return addrs, eachOnce(addrs)
}
