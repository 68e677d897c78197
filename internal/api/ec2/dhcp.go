package ec2

import (
	"context"
	"iter"

	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/vpc"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerDHCPOptions(svc *wire.Service) {
	network(a, svc, "DescribeDhcpOptions", a.describeDHCPOptions)
	network(a, svc, "AssociateDhcpOptions", a.associateDHCPOptions)
}

// dhcpOptions is what an account's one set of DHCP options in a region says.
// AWS has the names of us-east-1 under another domain than those of all others.
func dhcpOptions(region string) []struct{ key, value string } {
	domain := region + ".compute.internal"
	if region == "us-east-1" {
		domain = "ec2.internal"
	}
	return []struct{ key, value string }{{"domain-name", domain}, {"domain-name-servers", "AmazonProvidedDNS"}}
}

// describeDHCPOptions shows the DHCP options that an account's VPCs begin with,
// which can't be changed: there is no record of them. What is listed is their id.
func (a *API) describeDHCPOptions(_ context.Context, c *wire.Call, in *ec2.DescribeDhcpOptionsInput) (*ec2.DescribeDhcpOptionsOutput, error) {
	snap := a.Store.Snapshot()
	only := vpc.DHCPOptionsID(c.Account, c.Region)
	items, next, err := list(c, query{IDs: in.DhcpOptionsIds, Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: 5, Max: 1000},
		source[string]{
			from: func(key string) iter.Seq2[string, string] {
				return func(yield func(string, string) bool) {
					if only >= key {
						yield(only, only)
					}
				}
			},
			get:    func(id string) (string, bool) { return id, id == only },
			absent: func(id string) error { return &vpc.NotFoundError{Kind: vpc.KindDHCPOptions, ID: id} },
			attribute: func(id, name string) ([]string, bool) {
				return a.dhcpAttribute(snap, c, id, name)
			},
		})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeDhcpOptionsOutput{DhcpOptions: []ec2.DhcpOptions{}, NextToken: next}
	for _, id := range items {
		o := ec2.DhcpOptions{DhcpOptionsId: new(id), OwnerId: new(c.Account), Tags: renderTags(a.Tags.Of(snap, id))}
		for _, kv := range dhcpOptions(c.Region) {
			o.DhcpConfigurations = append(o.DhcpConfigurations, ec2.DhcpConfiguration{Key: new(kv.key), Values: []ec2.AttributeValue{{Value: new(kv.value)}}})
		}
		out.DhcpOptions = append(out.DhcpOptions, o)
	}
	return out, nil
}

func (a *API) dhcpAttribute(r store.Reader, c *wire.Call, id, name string) (values []string, known bool) {
	switch name {
	case "dhcp-options-id":
		return some(id), true
	case "owner-id":
		return some(c.Account), true
	case "key":
		for _, kv := range dhcpOptions(c.Region) {
			values = append(values, kv.key)
		}
		return values, true
	case "value":
		for _, kv := range dhcpOptions(c.Region) {
			values = append(values, kv.value)
		}
		return values, true
	}
	return tagAttribute(a.Tags.Of(r, id), name)
}

func (a *API) associateDHCPOptions(ctx context.Context, c *wire.Call, in *ec2.AssociateDhcpOptionsInput) (*ec2.AssociateDhcpOptionsOutput, error) {
	return &ec2.AssociateDhcpOptionsOutput{}, a.vpc(c).AssociateDHCPOptions(ctx, c.Account, c.Region, *in.VpcId, *in.DhcpOptionsId)
}

func hasDHCPOptions(_ store.Reader, account, region, id string) bool {
	return id == vpc.DHCPOptionsID(account, region)
}
