package elbv2

import (
	"context"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/shapes/elbv2"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) setSecurityGroups(ctx context.Context, c *wire.Call, in *elbv2.SetSecurityGroupsInput) (*elbv2.SetSecurityGroupsOutput, error) {
	if in.EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic != "" {
		return nil, invalid("EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic is not supported for application load balancers")
	}
	b, err := a.elb.SetSecurityGroups(ctx, elb.SetSecurityGroups{
		Account: c.Account, Region: c.Region, ARN: *in.LoadBalancerArn, SecurityGroups: in.SecurityGroups, Time: c.Now,
	})
	if err != nil {
		return nil, err
	}
	return &elbv2.SetSecurityGroupsOutput{SecurityGroupIds: append([]string{}, b.SecurityGroups...)}, nil
}
