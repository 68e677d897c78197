package ec2

import (
	"context"

	"github.com/fairlead/fairlead/internal/discovery"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/wire"
)

// window is what a call that looks through resources asks. Unlike a describe it
// always has pages, and one of them may end before it is full (see
// discovery.View.Page).
type window[T any] struct {
	passes func(T) bool
	limit  int
	from   string
}

func look[T any](c *wire.Call, q query, attribute func(T, string) ([]string, bool)) (w window[T], err error) {
	filters, err := checkFilters(q.Filters, attribute)
	if err != nil {
		return w, err
	}
	if w.limit, err = pageSize(q); err != nil {
		return w, err
	}
	if w.limit == 0 {
		w.limit = int(q.Max)
	}
	if w.from, err = wire.From(q.NextToken, "InvalidNextToken"); err != nil {
		return w, err
	}
	w.passes = func(item T) bool {
		ok, _ := wire.Match(filters, func(name string) ([]string, bool) { return attribute(item, name) })
		return ok
	}
	return w, c.CheckDryRun()
}

// nextToken returns the token of the page that begins with a key, nil for none.
func nextToken(key string) *string {
	if key == "" {
		return nil
	}
	return new(wire.Token(key))
}

func (a *API) getIPAMDiscoveredAccounts(_ context.Context, c *wire.Call, in *ec2.GetIpamDiscoveredAccountsInput) (*ec2.GetIpamDiscoveredAccountsOutput, error) {
	found, err := a.Discovery.Accounts(a.Store.Snapshot(), c.Account, c.Region, *in.IpamResourceDiscoveryId, *in.DiscoveryRegion, c.Now)
	if err != nil {
		return nil, err
	}
	items, next, err := list(c, query{Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: minIPAMResults, Max: maxIPAMResults},
		source[ec2.IpamDiscoveredAccount]{
			from: from(found, func(f discovery.Account) (string, ec2.IpamDiscoveredAccount) {
				return f.ID, ec2.IpamDiscoveredAccount{
					AccountId: new(f.ID), DiscoveryRegion: new(f.Region),
					LastAttemptedDiscoveryTime: new(f.Time), LastSuccessfulDiscoveryTime: new(f.Time),
				}
			}),
			attribute: replyAttribute[ec2.IpamDiscoveredAccount],
		})
	if err != nil {
		return nil, err
	}
	return &ec2.GetIpamDiscoveredAccountsOutput{IpamDiscoveredAccounts: items, NextToken: next}, nil
}

func (a *API) getIPAMDiscoveredResourceCIDRs(_ context.Context, c *wire.Call, in *ec2.GetIpamDiscoveredResourceCidrsInput) (*ec2.GetIpamDiscoveredResourceCidrsOutput, error) {
	snap := a.Store.Snapshot()
	render := func(res discovery.Resource) ec2.IpamDiscoveredResourceCidr {
		out := ec2.IpamDiscoveredResourceCidr{
			IpamResourceDiscoveryId: in.IpamResourceDiscoveryId, ResourceRegion: new(res.Region), ResourceId: new(res.ID),
			ResourceOwnerId: new(res.Account), ResourceCidr: new(res.CIDR.String()), ResourceType: ec2.IpamResourceType(res.Type),
			IpSource:     ec2.IpamResourceCidrIpSource(a.Discovery.SourceOf(snap, res)),
			ResourceTags: resourceTags(a.Tags.Of(snap, res.ID)),
			VpcId:        unlessEmpty(res.VPCID), SubnetId: unlessEmpty(res.SubnetID), AvailabilityZoneId: a.resourceZone(res), SampleTime: new(c.Now),
		}
		if res.Type == discovery.ENI {
			out.NetworkInterfaceAttachmentStatus = ec2.IpamNetworkInterfaceAttachmentStatusAvailable
			if res.InUse {
				out.NetworkInterfaceAttachmentStatus = ec2.IpamNetworkInterfaceAttachmentStatusInUse
			}
		}
		return out
	}
	w, err := look(c, query{Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: minIPAMResults, Max: maxIPAMResults},
		func(res discovery.Resource, name string) ([]string, bool) {
			if values, known := tagAttribute(a.Tags.Of(snap, res.ID), name); known {
				return values, true
			}
			return replyAttribute(render(res), name)
		})
	if err != nil {
		return nil, err
	}
	found, next, err := a.Discovery.Discovered(snap, c.Account, c.Region, *in.IpamResourceDiscoveryId, *in.ResourceRegion, w.passes, w.limit, w.from)
	if err != nil {
		return nil, err
	}
	out := &ec2.GetIpamDiscoveredResourceCidrsOutput{IpamDiscoveredResourceCidrs: []ec2.IpamDiscoveredResourceCidr{}, NextToken: nextToken(next)}
	for _, res := range found {
		item := render(res)
		item.IpUsage = usage(res)
		out.IpamDiscoveredResourceCidrs = append(out.IpamDiscoveredResourceCidrs, item)
	}
	return out, nil
}

// resourceZone returns the id of the zone that a resource is in, if it is in one.
func (a *API) resourceZone(res discovery.Resource) *string {
	if res.Zone == "" {
		return nil
	}
	return new(a.zoneID(res.Region, res.Zone))
}

func usage(res discovery.Resource) *float64 {
	if res.Usage == nil {
		return nil
	}
	return new(res.Usage())
}

func resourceTags(tg []tags.Tag) []ec2.IpamResourceTag {
	out := make([]ec2.IpamResourceTag, 0, len(tg))
	for _, t := range tg {
		out = append(out, ec2.IpamResourceTag{Key: new(t.Key), Value: new(t.Value)})
	}
	return out
}

func (a *API) getIPAMDiscoveredPublicAddresses(_ context.Context, c *wire.Call, in *ec2.GetIpamDiscoveredPublicAddressesInput) (*ec2.GetIpamDiscoveredPublicAddressesOutput, error) {
	snap := a.Store.Snapshot()
	render := func(ad discovery.PublicAddress) ec2.IpamDiscoveredPublicAddress {
		tg := []ec2.IpamPublicAddressTag{}
		for _, t := range a.Tags.Of(snap, ad.ID) {
			tg = append(tg, ec2.IpamPublicAddressTag{Key: new(t.Key), Value: new(t.Value)})
		}
		groups := []ec2.IpamPublicAddressSecurityGroup{}
		for _, g := range ad.SecurityGroups {
			groups = append(groups, ec2.IpamPublicAddressSecurityGroup{GroupId: new(g.ID), GroupName: new(g.Name)})
		}
		out := ec2.IpamDiscoveredPublicAddress{
			IpamResourceDiscoveryId: in.IpamResourceDiscoveryId, Address: new(ad.Address.String()), AddressRegion: new(ad.Region),
			AddressOwnerId: new(ad.Account), AddressAllocationId: new(ad.ID), NetworkBorderGroup: new(ad.Region),
			AddressType:       ec2.IpamPublicAddressType(a.Discovery.AddressType(snap, ad)),
			AssociationStatus: ec2.IpamPublicAddressAssociationStatusDisassociated,
			ServiceResource:   unlessEmpty(ad.ServiceResource), VpcId: unlessEmpty(ad.VPCID), SubnetId: unlessEmpty(ad.SubnetID),
			PublicIpv4PoolId: unlessEmpty(ad.PoolID), NetworkInterfaceId: unlessEmpty(ad.InterfaceID),
			NetworkInterfaceDescription: unlessEmpty(ad.InterfaceDescription), SecurityGroups: groups,
			Tags: &ec2.IpamPublicAddressTags{EipTags: tg}, SampleTime: new(c.Now),
		}
		if ad.InterfaceID != "" {
			out.AssociationStatus = ec2.IpamPublicAddressAssociationStatusAssociated
		}
		if ad.ServiceManaged {
			out.Service = "load-balancer"
		}
		return out
	}
	w, err := look(c, query{Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: minIPAMResults, Max: maxIPAMResults},
		func(ad discovery.PublicAddress, name string) ([]string, bool) {
			if values, known := tagAttribute(a.Tags.Of(snap, ad.ID), name); known {
				return values, true
			}
			return replyAttribute(render(ad), name)
		})
	if err != nil {
		return nil, err
	}
	found, next, err := a.Discovery.PublicAddresses(snap, c.Account, c.Region, *in.IpamResourceDiscoveryId, *in.AddressRegion, w.passes, w.limit, w.from)
	if err != nil {
		return nil, err
	}
	out := &ec2.GetIpamDiscoveredPublicAddressesOutput{
		IpamDiscoveredPublicAddresses: []ec2.IpamDiscoveredPublicAddress{}, NextToken: nextToken(next), OldestSampleTime: new(c.Now),
	}
	for _, ad := range found {
		out.IpamDiscoveredPublicAddresses = append(out.IpamDiscoveredPublicAddresses, render(ad))
	}
	return out, nil
}
