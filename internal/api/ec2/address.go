package ec2

import (
	"context"
	"iter"
	"net/netip"
	"slices"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/vpc"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerAddresses(svc *wire.Service) {
	network(a, svc, "DescribeAddresses", a.describeAddresses)
}

// providerPool is the name that EC2 shows for addresses that come from no pool
// of the customer's.
const providerPool = "amazon"

func (a *API) describeAddresses(_ context.Context, c *wire.Call, in *ec2.DescribeAddressesInput) (*ec2.DescribeAddressesOutput, error) {
	snap := a.Store.Snapshot()
	wanted := slices.Clone(in.AllocationIds)
	for _, text := range in.PublicIps {
		public, err := netip.ParseAddr(text)
		if err != nil {
			return nil, invalid(text, "publicIp", "This is not a valid IP address.")
		}
		ad, ok := a.VPC.AddressByPublic(snap, c.Account, c.Region, public)
		if !ok {
			return nil, apierr.New("InvalidAddress.NotFound", "Address '%s' not found.", text)
		}
		wanted = append(wanted, ad.ID)
	}
	items, _, err := list(c, query{IDs: wanted, Filters: in.Filters}, source[vpc.Address]{
		from: func(key string) iter.Seq2[string, vpc.Address] {
			return a.VPC.Addresses(snap, c.Account, c.Region, key)
		},
		get:    func(id string) (vpc.Address, bool) { return a.VPC.Address(snap, c.Account, c.Region, id) },
		absent: func(id string) error { return &vpc.NotFoundError{Kind: vpc.KindAddress, ID: id} },
		attribute: func(ad vpc.Address, name string) ([]string, bool) {
			return a.addressAttribute(snap, ad, name)
		},
	})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeAddressesOutput{Addresses: []ec2.Address{}}
	for _, ad := range items {
		out.Addresses = append(out.Addresses, a.renderAddress(snap, ad))
	}
	return out, nil
}

func (a *API) addressAttribute(r store.Reader, ad vpc.Address, name string) ([]string, bool) {
	switch name {
	case "allocation-id":
		return some(ad.ID), true
	case "association-id":
		return some(ad.AssociationID()), true
	case "domain":
		return some(string(ec2.DomainTypeVpc)), true
	case "network-border-group":
		return some(ad.Region), true
	case "network-interface-id":
		return some(ad.InterfaceID), true
	case "network-interface-owner-id":
		return some(ad.Account), true
	case "private-ip-address":
		return some(ad.Private.String()), true
	case "public-ip":
		return some(ad.Public.String()), true
	case "instance-id":
		return nil, true
	}
	return tagAttribute(a.Tags.Of(r, ad.ID), name)
}

func (a *API) renderAddress(r store.Reader, ad vpc.Address) ec2.Address {
	pool := ad.PoolID
	if pool == "" {
		pool = providerPool
	}
	i, _ := a.VPC.Interface(r, ad.Account, ad.Region, ad.InterfaceID)
	return ec2.Address{
		AllocationId: new(ad.ID), PublicIp: new(ad.Public.String()), Domain: ec2.DomainTypeVpc,
		NetworkBorderGroup: new(ad.Region), PublicIpv4Pool: new(pool), ServiceManaged: vpc.ServiceManaged,
		AssociationId: new(ad.AssociationID()), NetworkInterfaceId: new(ad.InterfaceID), NetworkInterfaceOwnerId: new(ad.Account),
		PrivateIpAddress: new(ad.Private.String()), SubnetId: unlessEmpty(i.SubnetID),
		Tags: renderTags(a.Tags.Of(r, ad.ID)),
	}
}
