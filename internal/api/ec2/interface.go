package ec2

import (
	"context"
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/vpc"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerInterfaces(svc *wire.Service) {
	network(a, svc, "CreateNetworkInterface", a.createInterface)
	network(a, svc, "DeleteNetworkInterface", a.deleteInterface)
	network(a, svc, "DescribeNetworkInterfaces", a.describeInterfaces)
	a.registerInterfaceAttributes(svc)
	a.registerPrivateAddresses(svc)
	a.registerAttachments(svc)
}

func (a *API) createInterface(ctx context.Context, c *wire.Call, in *ec2.CreateNetworkInterfaceInput) (*ec2.CreateNetworkInterfaceOutput, error) {
	if err := refuseUnserved(c, "ConnectionTrackingSpecification", "EnablePrimaryIpv6", "Ipv4Prefix", "Ipv4PrefixCount",
		"Ipv6AddressCount", "Ipv6Addresses", "Ipv6Prefix", "Ipv6PrefixCount", "Operator"); err != nil {
		return nil, err
	}
	if t := in.InterfaceType; t != "" { // which has no name for an ordinary one
		return nil, apierr.New("UnsupportedOperation", "The value %s of InterfaceType is not supported by this installation.", t)
	}
	spec := vpc.InterfaceSpec{
		ID: ids.EC2("eni"), Account: c.Account, Region: c.Region, SubnetID: *in.SubnetId,
		Description: value(in.Description), SecurityGroups: in.Groups, Time: c.Now,
	}
	if err := checkInterfaceText(spec.Description, spec.SecurityGroups); err != nil {
		return nil, err
	}
	err := readPrivateAddresses(in, &spec)
	if err != nil {
		return nil, err
	}
	if spec.Tags, err = specifiedTags(in.TagSpecifications, string(vpc.KindInterface)); err != nil {
		return nil, err
	}
	if spec.Token, err = token(c, in.ClientToken); err != nil {
		return nil, err
	}
	i, err := a.vpc(c).CreateInterface(ctx, spec)
	if err != nil {
		return nil, err
	}
	out := a.renderInterface(a.Store.Snapshot(), i)
	out.Status = interfacePending
	return &ec2.CreateNetworkInterfaceOutput{NetworkInterface: &out, ClientToken: in.ClientToken}, nil
}

// interfacePending is the status that EC2 answers a creation with. Its model has
// no name for it.
const interfacePending ec2.NetworkInterfaceStatus = "pending"

// maxInterfaceText is the most characters of an interface's description.
const maxInterfaceText = 255

func checkInterfaceText(description string, groups []string) error {
	if utf8.RuneCountInString(description) > maxInterfaceText {
		return apierr.New("InvalidParameterValue", "The description is longer than %d characters.", maxInterfaceText)
	}
	for _, id := range groups {
		if err := wellFormedGroup(id); err != nil {
			return err
		}
	}
	return nil
}

// readPrivateAddresses reads which addresses a new interface is to have: the
// primary one by itself or as the one in the list that says so, and either
// others in the list or a count of them.
func readPrivateAddresses(in *ec2.CreateNetworkInterfaceInput, spec *vpc.InterfaceSpec) error {
	var err error
	if in.PrivateIpAddress != nil {
		if spec.Private, err = parseAddress(*in.PrivateIpAddress, "privateIpAddress"); err != nil {
			return err
		}
	}
	for _, p := range in.PrivateIpAddresses {
		if value(p.PrivateIpAddress) == "" {
			return missing("PrivateIpAddresses.N.PrivateIpAddress")
		}
		addr, err := parseAddress(*p.PrivateIpAddress, "privateIpAddresses")
		switch {
		case err != nil:
			return err
		case !value(p.Primary):
			spec.Secondary = append(spec.Secondary, addr)
		case spec.Private.IsValid() && spec.Private != addr:
			return apierr.New("InvalidParameterCombination", "Only one private IP address can be designated as primary")
		default:
			spec.Private = addr
		}
	}
	if err := eachOnce(append(slices.Clone(spec.Secondary), spec.Private)); err != nil {
		return err
	}
	if in.SecondaryPrivateIpAddressCount != nil {
		if len(spec.Secondary) > 0 {
			return apierr.New("InvalidParameterCombination", "Secondary private IP addresses and a count of them cannot be used together")
		}
		spec.SecondaryCount, err = readCount(*in.SecondaryPrivateIpAddressCount, 0)
	}
	return err
}

// eachOnce refuses an address that a call names twice.
func eachOnce(addrs []netip.Addr) error {
	for n, addr := range addrs {
		if slices.Contains(addrs[:n], addr) {
			return invalid(addr, "privateIpAddresses", "The address is named twice.")
		}
	}
	return nil
}

func readCount(n int32, least int) (int, error) {
	if int(n) < least {
		return 0, invalid(n, "secondaryPrivateIpAddressCount", "It must be at least "+strconv.Itoa(least)+".")
	}
	return int(n), nil
}

func (a *API) deleteInterface(ctx context.Context, c *wire.Call, in *ec2.DeleteNetworkInterfaceInput) (*ec2.DeleteNetworkInterfaceOutput, error) {
	return &ec2.DeleteNetworkInterfaceOutput{}, a.vpc(c).DeleteInterface(ctx, c.Account, c.Region, *in.NetworkInterfaceId)
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
		for _, p := range i.Addresses() {
			values = append(values, p.Addr.String())
		}
		return values, true
	case "addresses.primary":
		for n := range i.Addresses() {
			values = append(values, yesNo(n == 0)...)
		}
		return values, true
	case "source-dest-check":
		return yesNo(!i.Transit), true
	case "requester-managed":
		return yesNo(i.RequesterManaged()), true
	case "operator.managed":
		return yesNo(false), true
	case "requester-id":
		return some(requester(i)), true
	case "status":
		return some(string(interfaceStatus(i))), true
	case "subnet-id":
		return some(i.SubnetID), true
	case "vpc-id":
		return some(i.VPCID), true
	case "ipv6-addresses.ipv6-address":
		if i.IPv6.Addr.IsValid() {
			values = []string{i.IPv6.Addr.String()}
		}
		return values, true
	case "private-dns-name", "association.public-dns-name",
		"addresses.association.public-dns-name", "operator.principal":
		return nil, true
	}
	if attribute, ok := strings.CutPrefix(name, "attachment."); ok {
		return attachmentAttribute(i, attribute)
	}
	if attribute, ok := strings.CutPrefix(strings.TrimPrefix(name, "addresses."), "association."); ok {
		return a.associationAttribute(r, i, attribute)
	}
	return tagAttribute(a.Tags.Of(r, i.ID), name)
}

// associationAttribute returns an interface's values for what follows
// "association." in a filter's name: one of each of its addresses that is
// associated with a public one.
func (a *API) associationAttribute(r store.Reader, i vpc.Interface, name string) (values []string, known bool) {
	pick := map[string]func(as *ec2.NetworkInterfaceAssociation) *string{
		"allocation-id":  func(as *ec2.NetworkInterfaceAssociation) *string { return as.AllocationId },
		"association-id": func(as *ec2.NetworkInterfaceAssociation) *string { return as.AssociationId },
		"ip-owner-id":    func(as *ec2.NetworkInterfaceAssociation) *string { return as.IpOwnerId },
		"owner-id":       func(as *ec2.NetworkInterfaceAssociation) *string { return as.IpOwnerId },
		"public-ip":      func(as *ec2.NetworkInterfaceAssociation) *string { return as.PublicIp },
	}[name]
	if pick == nil {
		return nil, false
	}
	for _, p := range i.Addresses() {
		if as := a.renderAssociation(r, i, p); as != nil {
			values = append(values, *pick(as))
		}
	}
	return values, true
}

// renderAssociation shows whose the public address of a private one is: the
// account's, allocated or from its pool, or the service's. nil: there is none.
func (a *API) renderAssociation(r store.Reader, i vpc.Interface, p vpc.PrivateAddress) *ec2.NetworkInterfaceAssociation {
	ad, ok := a.VPC.Address(r, i.Account, i.Region, p.AddressID)
	if !ok {
		return nil
	}
	ipOwner := vpc.RequesterID
	if ad.Own || ad.PoolID != "" {
		ipOwner = ad.Account
	}
	return &ec2.NetworkInterfaceAssociation{
		AllocationId: new(ad.ID), AssociationId: new(ad.AssociationID), IpOwnerId: new(ipOwner), PublicIp: new(ad.Public.String()),
	}
}

// requester is who made the interface.
func requester(i vpc.Interface) string {
	if i.RequesterManaged() {
		return vpc.RequesterID
	}
	return i.Account
}

func interfaceStatus(i vpc.Interface) ec2.NetworkInterfaceStatus {
	if i.RequesterManaged() {
		return ec2.NetworkInterfaceStatusInUse
	}
	return ec2.NetworkInterfaceStatusAvailable
}

func (a *API) renderInterface(r store.Reader, i vpc.Interface) ec2.NetworkInterface {
	out := ec2.NetworkInterface{
		NetworkInterfaceId: new(i.ID), OwnerId: new(i.Account), Description: new(i.Description),
		InterfaceType: ec2.NetworkInterfaceTypeInterface, Status: interfaceStatus(i),
		RequesterId: new(requester(i)), RequesterManaged: new(i.RequesterManaged()),
		Operator:        &ec2.OperatorResponse{Managed: new(false)},
		SourceDestCheck: new(!i.Transit), MacAddress: new(i.MAC().String()),
		AvailabilityZone: new(i.Zone), AvailabilityZoneId: new(a.zoneID(i.Region, i.Zone)), SubnetId: new(i.SubnetID), VpcId: new(i.VPCID),
		PrivateIpAddress: new(i.Private.String()), Attachment: renderAttachment(i),
		Groups: a.renderInterfaceGroups(r, i), Ipv6Addresses: []ec2.NetworkInterfaceIpv6Address{},
		TagSet: renderTags(a.Tags.Of(r, i.ID)),
	}
	for n, p := range i.Addresses() {
		private := ec2.NetworkInterfacePrivateIpAddress{
			Primary: new(n == 0), PrivateIpAddress: new(p.Addr.String()), Association: a.renderAssociation(r, i, p),
		}
		out.PrivateIpAddresses = append(out.PrivateIpAddresses, private)
	}
	out.Association = out.PrivateIpAddresses[0].Association
	if six := i.IPv6.Addr; six.IsValid() {
		out.Ipv6Address = new(six.String())
		out.Ipv6Addresses = append(out.Ipv6Addresses, ec2.NetworkInterfaceIpv6Address{Ipv6Address: new(six.String()), IsPrimaryIpv6: new(false)})
	}
	return out
}

func (a *API) renderInterfaceGroups(r store.Reader, i vpc.Interface) []ec2.GroupIdentifier {
	out := []ec2.GroupIdentifier{}
	for _, id := range i.SecurityGroups {
		g, _ := a.VPC.Group(r, id)
		out = append(out, ec2.GroupIdentifier{GroupId: new(id), GroupName: new(g.Name)})
	}
	return out
}
