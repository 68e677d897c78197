package ec2

import (
	"context"
	"errors"
	"iter"
	"net/netip"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/vpc"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerAddresses(svc *wire.Service) {
	network(a, svc, "AllocateAddress", a.allocateAddress)
	network(a, svc, "ReleaseAddress", a.releaseAddress)
	network(a, svc, "DescribeAddresses", a.describeAddresses)
	network(a, svc, "DescribeAddressesAttribute", a.describeAddressesAttribute)
	a.registerAssociations(svc)
}

const (
	// providerPool is the name that EC2 shows for addresses that come from no pool
	// of the customer's.
	providerPool = "amazon"

	// publicPoolPrefix begins the ids of public IPv4 pools (EC2 CreatePublicIpv4Pool).
	publicPoolPrefix = "ipv4pool-ec2-"
)

func (a *API) allocateAddress(ctx context.Context, c *wire.Call, in *ec2.AllocateAddressInput) (*ec2.AllocateAddressOutput, error) {
	if err := refuseUnserved(c, "CustomerOwnedIpv4Pool"); err != nil {
		return nil, err
	}
	if in.Domain != "" && in.Domain != ec2.DomainTypeVpc {
		return nil, invalid(in.Domain, "domain", "Addresses are for use in VPCs: vpc.")
	}
	if g := value(in.NetworkBorderGroup); g != "" && g != c.Region {
		return nil, invalid(g, "networkBorderGroup", "The region's only network border group is "+c.Region+".")
	}
	spec := vpc.ElasticIPSpec{ID: ids.EC2("eipalloc"), Account: c.Account, Region: c.Region, Provider: value(in.PublicIpv4Pool) == providerPool, Time: c.Now}
	var err error
	if spec.PoolID, err = a.poolOfAddresses(c, in); err != nil {
		return nil, err
	}
	if in.Address != nil {
		if spec.Public, err = parseAddress(*in.Address, "address"); err != nil {
			return nil, err
		}
	}
	if spec.Tags, err = specifiedTags(in.TagSpecifications, string(vpc.KindAddress)); err != nil {
		return nil, err
	}
	ad, err := a.vpc(c).AllocateAddress(ctx, spec)
	switch {
	case err == nil:
	case errors.Is(err, ipam.ErrNotAllowed): // which an empty pool isn't
		return nil, ipamRefusal(err)
	case errors.Is(err, vpc.ErrPoolExhausted): // without a pool, the last one tried is the provider's
		return nil, dryPool(c, spec.PoolID)
	case errors.Is(err, vpc.ErrPoolNotFound) && strings.HasPrefix(spec.PoolID, publicPoolPrefix):
		return nil, noPublicPool(spec.PoolID)
	default:
		return nil, err
	}
	return &ec2.AllocateAddressOutput{
		AllocationId: new(ad.ID), PublicIp: new(ad.Public.String()), PublicIpv4Pool: new(shownPool(ad)),
		NetworkBorderGroup: new(ad.Region), Domain: ec2.DomainTypeVpc,
	}, nil
}

// poolOfAddresses returns the id of the pool that a call allocates from, "" for
// the provider's.
func (a *API) poolOfAddresses(c *wire.Call, in *ec2.AllocateAddressInput) (string, error) {
	managed, public := value(in.IpamPoolId), value(in.PublicIpv4Pool)
	switch {
	case managed != "" && public != "":
		return "", apierr.New("InvalidParameterCombination", "The parameters IpamPoolId and PublicIpv4Pool cannot be used together")
	case managed != "":
		return managed, a.givesAddresses(c, managed)
	case public == "" || public == providerPool:
		return "", nil
	case !strings.HasPrefix(public, publicPoolPrefix):
		return "", noPublicPool(public)
	}
	return public, nil
}

// givesAddresses refuses an IPAM pool that elastic IPs of the region can't come
// out of. What it looks at never changes.
func (a *API) givesAddresses(c *wire.Call, id string) error {
	p, err := a.IPAM.LocalPool(a.Store.Snapshot(), c.Account, c.Region, id)
	switch {
	case err != nil:
		return err
	case p.Locale != c.Region:
		return invalid(id, "ipamPoolId", "The pool's locale must be this region, "+c.Region+".")
	case p.ScopeType != ipam.Public || p.Family != ipam.IPv4 || p.AWSService != ipam.ServiceEC2:
		return invalid(id, "ipamPoolId", "Elastic IP addresses come from IPv4 pools of a public scope whose AWS service is "+ipam.ServiceEC2+".")
	}
	return nil
}

func noPublicPool(id string) error {
	return apierr.New("InvalidPublicIpv4PoolID.NotFound", "The public IPv4 pool ID '%s' does not exist", id)
}

func dryPool(c *wire.Call, pool string) error {
	if pool == "" {
		return apierr.New("InsufficientAddressCapacity", "The provider's pool of the region %s has no free address. Allocate from a pool of your own, or ask the operator for more.", c.Region)
	}
	return apierr.New("InsufficientAddressCapacity", "The pool '%s' has no free address. Provision another CIDR to it, or release an address.", pool)
}

func parseAddress(text, parameter string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(text)
	if err != nil || !addr.Is4() {
		return netip.Addr{}, invalid(text, parameter, "This is not a valid IPv4 address.")
	}
	return addr, nil
}

func (a *API) releaseAddress(ctx context.Context, c *wire.Call, in *ec2.ReleaseAddressInput) (*ec2.ReleaseAddressOutput, error) {
	id, public := value(in.AllocationId), value(in.PublicIp)
	switch {
	case id != "" && public != "":
		return nil, apierr.New("InvalidParameterCombination", "You may specify public IP or allocation id, but not both in the same call")
	case public != "":
		return nil, apierr.New("InvalidParameterValue", "You must specify an allocation id when releasing a VPC elastic IP address")
	case id == "":
		return nil, missing("AllocationId")
	}
	if g := value(in.NetworkBorderGroup); g != "" && g != c.Region {
		return nil, apierr.New("InvalidAddress.NotFound", "Address '%s' not found in the network border group '%s'.", id, g)
	}
	return &ec2.ReleaseAddressOutput{}, a.vpc(c).ReleaseAddress(ctx, c.Account, c.Region, id)
}

func (a *API) describeAddresses(_ context.Context, c *wire.Call, in *ec2.DescribeAddressesInput) (*ec2.DescribeAddressesOutput, error) {
	snap := a.Store.Snapshot()
	wanted := slices.Clone(in.AllocationIds)
	for _, text := range in.PublicIps {
		ad, err := a.addressByPublic(snap, c, text)
		if err != nil {
			return nil, err
		}
		wanted = append(wanted, ad.ID)
	}
	items, _, err := list(c, query{IDs: wanted, Filters: in.Filters}, a.addressSource(snap, c))
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeAddressesOutput{Addresses: []ec2.Address{}}
	for _, ad := range items {
		out.Addresses = append(out.Addresses, a.renderAddress(snap, ad))
	}
	return out, nil
}

func (a *API) addressSource(r store.Reader, c *wire.Call) source[vpc.Address] {
	return source[vpc.Address]{
		from: func(key string) iter.Seq2[string, vpc.Address] {
			return a.VPC.Addresses(r, c.Account, c.Region, key)
		},
		get:    func(id string) (vpc.Address, bool) { return a.VPC.Address(r, c.Account, c.Region, id) },
		absent: func(id string) error { return &vpc.NotFoundError{Kind: vpc.KindAddress, ID: id} },
		attribute: func(ad vpc.Address, name string) ([]string, bool) {
			return a.addressAttribute(r, ad, name)
		},
	}
}

// addressByPublic finds the address that a call names by its value.
func (a *API) addressByPublic(r store.Reader, c *wire.Call, text string) (vpc.Address, error) {
	public, err := parseAddress(text, "publicIp")
	if err != nil {
		return vpc.Address{}, err
	}
	ad, ok := a.VPC.AddressByPublic(r, c.Account, c.Region, public)
	if !ok {
		return vpc.Address{}, apierr.New("InvalidAddress.NotFound", "Address '%s' not found.", text)
	}
	return ad, nil
}

func (a *API) addressAttribute(r store.Reader, ad vpc.Address, name string) ([]string, bool) {
	shown := renderAssociated(ad)
	switch name {
	case "allocation-id":
		return some(ad.ID), true
	case "association-id":
		return some(value(shown.AssociationId)), true
	case "domain":
		return some(string(ec2.DomainTypeVpc)), true
	case "network-border-group":
		return some(ad.Region), true
	case "network-interface-id":
		return some(value(shown.NetworkInterfaceId)), true
	case "network-interface-owner-id":
		return some(value(shown.NetworkInterfaceOwnerId)), true
	case "private-ip-address":
		return some(value(shown.PrivateIpAddress)), true
	case "public-ip":
		return some(ad.Public.String()), true
	case "instance-id":
		return nil, true
	}
	return tagAttribute(a.Tags.Of(r, ad.ID), name)
}

// shownPool is what EC2 calls the pool that an address came from.
func shownPool(ad vpc.Address) string {
	if ad.PoolID == "" {
		return providerPool
	}
	return ad.PoolID
}

func (a *API) renderAddress(r store.Reader, ad vpc.Address) ec2.Address {
	out := renderAssociated(ad)
	out.AllocationId, out.PublicIp, out.Domain = new(ad.ID), new(ad.Public.String()), ec2.DomainTypeVpc
	out.NetworkBorderGroup, out.PublicIpv4Pool = new(ad.Region), new(shownPool(ad))
	out.Tags = renderTags(a.Tags.Of(r, ad.ID))
	if service := ad.ServiceManaged(); service != "" {
		out.ServiceManaged = ec2.ServiceManaged(service)
		i, _ := a.VPC.Interface(r, ad.Account, ad.Region, ad.InterfaceID)
		out.SubnetId = unlessEmpty(i.SubnetID)
	}
	return out
}

// renderAssociated shows of an address what it is associated with.
func renderAssociated(ad vpc.Address) ec2.Address {
	if !ad.Associated() {
		return ec2.Address{}
	}
	return ec2.Address{
		AssociationId: new(ad.AssociationID), NetworkInterfaceId: new(ad.InterfaceID), NetworkInterfaceOwnerId: new(ad.Account),
		PrivateIpAddress: new(ad.Private.String()),
	}
}

// describeAddressesAttribute tells of addresses' reverse DNS names, which none
// has here.
func (a *API) describeAddressesAttribute(_ context.Context, c *wire.Call, in *ec2.DescribeAddressesAttributeInput) (*ec2.DescribeAddressesAttributeOutput, error) {
	if in.Attribute != "" && in.Attribute != ec2.AddressAttributeNameDomainName {
		return nil, invalid(in.Attribute, "attribute", "The only attribute is "+string(ec2.AddressAttributeNameDomainName)+".")
	}
	items, next, err := list(c, query{IDs: in.AllocationIds, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: 1, Max: 1000}, a.addressSource(a.Store.Snapshot(), c))
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeAddressesAttributeOutput{Addresses: []ec2.AddressAttribute{}, NextToken: next}
	for _, ad := range items {
		out.Addresses = append(out.Addresses, ec2.AddressAttribute{AllocationId: new(ad.ID), PublicIp: new(ad.Public.String())})
	}
	return out, nil
}
