package ec2

import (
	"context"
	"iter"
	"strings"

	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/vpc"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerInterfaces(svc *wire.Service) {
	network(a, svc, "DescribeNetworkInterfaces", a.describeInterfaces)
}

func (a *API) describeInterfaces(_ context.Context, c *wire.Call, in *ec2.DescribeNetworkInterfacesInput) (*ec2.DescribeNetworkInterfacesOutput, error) {
	snap := a.Store.Snapshot()
	items, next, err := list(c, query{IDs: in.NetworkInterfaceIds, Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: 5, Max: 1000},
		source[vpc.Interface]{
			from: func(key string) iter.Seq2[string, vpc.Interface] {
				return a.VPC.Interfaces(snap, c.Account, c.Region, key)
			},
			get:    func(id string) (vpc.Interface, bool) { return a.VPC.Interface(snap, c.Account, c.Region, id) },
			absent: func(id string) error { return &vpc.NotFoundError{Kind: vpc.KindInterface, ID: id} },
			attribute: func(i vpc.Interface, name string) ([]string, bool) {
				return a.interfaceAttribute(snap, i, name)
			},
		})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeNetworkInterfacesOutput{NetworkInterfaces: []ec2.NetworkInterface{}, NextToken: next}
	for _, i := range items {
		out.NetworkInterfaces = append(out.NetworkInterfaces, a.renderInterface(snap, i))
	}
	return out, nil
}

func (a *API) interfaceAttribute(r store.Reader, i vpc.Interface, name string) (values []string, known bool) {
	switch name {
	case "availability-zone":
		return some(i.Zone), true
	case "availability-zone-id":
		return some(a.zoneID(i.Region, i.Zone)), true
	case "description":
		return some(i.Description), true
	case "group-id":
		return i.SecurityGroups, true
	case "group-name":
		for _, id := range i.SecurityGroups {
			g, _ := a.VPC.Group(r, id)
			values = append(values, g.Name)
		}
		return values, true
	case "interface-type":
		return some(string(ec2.NetworkInterfaceTypeInterface)), true
	case "mac-address":
		return some(i.MAC().String()), true
	case "network-interface-id":
		return some(i.ID), true
	case "owner-id":
		return some(i.Account), true
	case "private-ip-address", "addresses.private-ip-address":
		return some(i.Private.String()), true
	case "addresses.primary", "requester-managed", "source-dest-check":
		return yesNo(true), true
	case "operator.managed":
		return yesNo(false), true
	case "requester-id":
		return some(vpc.RequesterID), true
	case "status":
		return some(string(ec2.NetworkInterfaceStatusInUse)), true
	case "subnet-id":
		return some(i.SubnetID), true
	case "vpc-id":
		return some(i.VPCID), true
	case "attachment.attachment-id":
		return some(i.AttachmentID()), true
	case "attachment.status":
		return some(string(ec2.AttachmentStatusAttached)), true
	case "attachment.instance-owner-id":
		return some(vpc.RequesterID), true
	case "attachment.device-index":
		return some("1"), true
	case "attachment.delete-on-termination":
		return yesNo(false), true
	case "attachment.instance-id", "attachment.nat-gateway-id", "ipv6-addresses.ipv6-address", "private-dns-name",
		"association.public-dns-name", "addresses.association.public-dns-name", "operator.principal":
		return nil, true
	}
	// An interface has one address, so its association is the interface's.
	if attribute, ok := strings.CutPrefix(strings.TrimPrefix(name, "addresses."), "association."); ok {
		return a.associationAttribute(r, i, attribute)
	}
	return tagAttribute(a.Tags.Of(r, i.ID), name)
}

// associationAttribute returns an interface's values for what follows
// "association." in a filter's name.
func (a *API) associationAttribute(r store.Reader, i vpc.Interface, name string) ([]string, bool) {
	as := ec2.NetworkInterfaceAssociation{}
	if ad, ok := a.VPC.AddressOf(r, i.ID); ok {
		as = *renderAssociation(ad)
	}
	switch name {
	case "allocation-id":
		return some(value(as.AllocationId)), true
	case "association-id":
		return some(value(as.AssociationId)), true
	case "ip-owner-id", "owner-id":
		return some(value(as.IpOwnerId)), true
	case "public-ip":
		return some(value(as.PublicIp)), true
	}
	return nil, false
}

// renderAssociation shows whose an interface's public address is: the
// account's, from its pool, or the service's.
func renderAssociation(ad vpc.Address) *ec2.NetworkInterfaceAssociation {
	ipOwner := vpc.RequesterID
	if ad.PoolID != "" {
		ipOwner = ad.Account
	}
	return &ec2.NetworkInterfaceAssociation{
		AllocationId: new(ad.ID), AssociationId: new(ad.AssociationID()), IpOwnerId: new(ipOwner), PublicIp: new(ad.Public.String()),
	}
}

func (a *API) renderInterface(r store.Reader, i vpc.Interface) ec2.NetworkInterface {
	out := ec2.NetworkInterface{
		NetworkInterfaceId: new(i.ID), OwnerId: new(i.Account), Description: new(i.Description),
		InterfaceType: ec2.NetworkInterfaceTypeInterface, Status: ec2.NetworkInterfaceStatusInUse,
		RequesterId: new(vpc.RequesterID), RequesterManaged: new(true),
		Operator:        &ec2.OperatorResponse{Managed: new(false)},
		SourceDestCheck: new(true), MacAddress: new(i.MAC().String()),
		AvailabilityZone: new(i.Zone), AvailabilityZoneId: new(a.zoneID(i.Region, i.Zone)), SubnetId: new(i.SubnetID), VpcId: new(i.VPCID),
		PrivateIpAddress: new(i.Private.String()),
		Attachment: &ec2.NetworkInterfaceAttachment{
			AttachmentId: new(i.AttachmentID()), AttachTime: new(i.Created), DeleteOnTermination: new(false), DeviceIndex: new(int32(1)),
			InstanceOwnerId: new(vpc.RequesterID), Status: ec2.AttachmentStatusAttached,
		},
		Groups: []ec2.GroupIdentifier{}, Ipv6Addresses: []ec2.NetworkInterfaceIpv6Address{},
		TagSet: renderTags(a.Tags.Of(r, i.ID)),
	}
	for _, id := range i.SecurityGroups {
		g, _ := a.VPC.Group(r, id)
		out.Groups = append(out.Groups, ec2.GroupIdentifier{GroupId: new(id), GroupName: new(g.Name)})
	}
	private := ec2.NetworkInterfacePrivateIpAddress{Primary: new(true), PrivateIpAddress: out.PrivateIpAddress}
	if ad, ok := a.VPC.AddressOf(r, i.ID); ok {
		out.Association = renderAssociation(ad)
		private.Association = out.Association
	}
	out.PrivateIpAddresses = []ec2.NetworkInterfacePrivateIpAddress{private}
	return out
}
