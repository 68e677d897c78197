package ec2

import (
	"context"
	"iter"

	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/vpc"
	"github.com/fairlead/fairlead/internal/wire"
)

// ClassicLink, which EC2 has retired, is off for every VPC. Older clients ask.

func (a *API) registerClassicLink(svc *wire.Service) {
	network(a, svc, "DescribeVpcClassicLink", a.describeClassicLink)
	network(a, svc, "DescribeVpcClassicLinkDnsSupport", a.describeClassicLinkDNS)
}

// linked lists VPCs for a call about their ClassicLink.
func (a *API) linked(r store.Reader, c *wire.Call, q query) ([]vpc.VPC, *string, error) {
	return list(c, q, source[vpc.VPC]{
		from:   func(key string) iter.Seq2[string, vpc.VPC] { return a.VPC.VPCs(r, c.Account, c.Region, key) },
		get:    func(id string) (vpc.VPC, bool) { return a.VPC.VPC(r, c.Account, c.Region, id) },
		absent: func(id string) error { return &vpc.NotFoundError{Kind: vpc.KindVPC, ID: id} },
		attribute: func(v vpc.VPC, name string) ([]string, bool) {
			if name == "is-classic-link-enabled" {
				return yesNo(false), true
			}
			return tagAttribute(a.Tags.Of(r, v.ID), name)
		},
	})
}

func (a *API) describeClassicLink(_ context.Context, c *wire.Call, in *ec2.DescribeVpcClassicLinkInput) (*ec2.DescribeVpcClassicLinkOutput, error) {
	snap := a.Store.Snapshot()
	items, _, err := a.linked(snap, c, query{IDs: in.VpcIds, Filters: in.Filters})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeVpcClassicLinkOutput{Vpcs: []ec2.VpcClassicLink{}}
	for _, v := range items {
		out.Vpcs = append(out.Vpcs, ec2.VpcClassicLink{VpcId: new(v.ID), ClassicLinkEnabled: new(false), Tags: renderTags(a.Tags.Of(snap, v.ID))})
	}
	return out, nil
}

func (a *API) describeClassicLinkDNS(_ context.Context, c *wire.Call, in *ec2.DescribeVpcClassicLinkDnsSupportInput) (*ec2.DescribeVpcClassicLinkDnsSupportOutput, error) {
	items, next, err := a.linked(a.Store.Snapshot(), c, query{IDs: in.VpcIds, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: 5, Max: 255})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeVpcClassicLinkDnsSupportOutput{Vpcs: []ec2.ClassicLinkDnsSupport{}, NextToken: next}
	for _, v := range items {
		out.Vpcs = append(out.Vpcs, ec2.ClassicLinkDnsSupport{VpcId: new(v.ID), ClassicLinkDnsSupported: new(false)})
	}
	return out, nil
}
