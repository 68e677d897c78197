package ec2

import (
	"context"
	"iter"

	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/vpc"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerGateways(svc *wire.Service) {
	network(a, svc, "CreateInternetGateway", a.createGateway)
	network(a, svc, "DescribeInternetGateways", a.describeGateways)
	network(a, svc, "DeleteInternetGateway", a.deleteGateway)
	network(a, svc, "AttachInternetGateway", a.attachGateway)
	network(a, svc, "DetachInternetGateway", a.detachGateway)
}

// gatewayAttached is the state of a gateway's attachment, which alone of all
// attachments isn't called "attached".
const gatewayAttached ec2.AttachmentStatus = "available"

func (a *API) createGateway(ctx context.Context, c *wire.Call, in *ec2.CreateInternetGatewayInput) (*ec2.CreateInternetGatewayOutput, error) {
	tg, err := specifiedTags(in.TagSpecifications, string(vpc.KindGateway))
	if err != nil {
		return nil, err
	}
	g, err := a.vpc(c).CreateGateway(ctx, vpc.GatewaySpec{ID: ids.EC2("igw"), Account: c.Account, Region: c.Region, Tags: tg})
	if err != nil {
		return nil, err
	}
	out := a.renderGateway(a.Store.Snapshot(), g)
	return &ec2.CreateInternetGatewayOutput{InternetGateway: &out}, nil
}

func (a *API) describeGateways(_ context.Context, c *wire.Call, in *ec2.DescribeInternetGatewaysInput) (*ec2.DescribeInternetGatewaysOutput, error) {
	snap := a.Store.Snapshot()
	items, next, err := list(c, query{IDs: in.InternetGatewayIds, Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: 5, Max: 1000},
		source[vpc.Gateway]{
			from: func(key string) iter.Seq2[string, vpc.Gateway] {
				return a.VPC.Gateways(snap, c.Account, c.Region, key)
			},
			get:    func(id string) (vpc.Gateway, bool) { return a.VPC.Gateway(snap, c.Account, c.Region, id) },
			absent: func(id string) error { return &vpc.NotFoundError{Kind: vpc.KindGateway, ID: id} },
			attribute: func(g vpc.Gateway, name string) ([]string, bool) {
				return a.gatewayAttribute(snap, g, name)
			},
		})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeInternetGatewaysOutput{InternetGateways: []ec2.InternetGateway{}, NextToken: next}
	for _, g := range items {
		out.InternetGateways = append(out.InternetGateways, a.renderGateway(snap, g))
	}
	return out, nil
}

func (a *API) gatewayAttribute(r store.Reader, g vpc.Gateway, name string) ([]string, bool) {
	switch name {
	case "attachment.state":
		if g.VPCID == "" {
			return nil, true
		}
		return some(string(gatewayAttached)), true
	case "attachment.vpc-id":
		return some(g.VPCID), true
	case "internet-gateway-id":
		return some(g.ID), true
	case "owner-id":
		return some(g.Account), true
	}
	return tagAttribute(a.Tags.Of(r, g.ID), name)
}

func (a *API) renderGateway(r store.Reader, g vpc.Gateway) ec2.InternetGateway {
	out := ec2.InternetGateway{
		InternetGatewayId: new(g.ID), OwnerId: new(g.Account),
		Attachments: []ec2.InternetGatewayAttachment{}, Tags: renderTags(a.Tags.Of(r, g.ID)),
	}
	if g.VPCID != "" {
		out.Attachments = append(out.Attachments, ec2.InternetGatewayAttachment{State: gatewayAttached, VpcId: new(g.VPCID)})
	}
	return out
}

func (a *API) deleteGateway(ctx context.Context, c *wire.Call, in *ec2.DeleteInternetGatewayInput) (*ec2.DeleteInternetGatewayOutput, error) {
	return &ec2.DeleteInternetGatewayOutput{}, a.vpc(c).DeleteGateway(ctx, c.Account, c.Region, *in.InternetGatewayId)
}

func (a *API) attachGateway(ctx context.Context, c *wire.Call, in *ec2.AttachInternetGatewayInput) (*ec2.AttachInternetGatewayOutput, error) {
	return &ec2.AttachInternetGatewayOutput{}, a.vpc(c).AttachGateway(ctx, c.Account, c.Region, *in.InternetGatewayId, *in.VpcId)
}

func (a *API) detachGateway(ctx context.Context, c *wire.Call, in *ec2.DetachInternetGatewayInput) (*ec2.DetachInternetGatewayOutput, error) {
	return &ec2.DetachInternetGatewayOutput{}, a.vpc(c).DetachGateway(ctx, c.Account, c.Region, *in.InternetGatewayId, *in.VpcId)
}
