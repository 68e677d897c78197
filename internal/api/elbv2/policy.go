package elbv2

import (
	"context"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/shapes/elbv2"
	"github.com/fairlead/fairlead/internal/wire"
)

// getResourcePolicy answers that there is none: nothing is shared between accounts
// by a policy of the resource's own.
func (a *API) getResourcePolicy(_ context.Context, c *wire.Call, in *elbv2.GetResourcePolicyInput) (*elbv2.GetResourcePolicyOutput, error) {
	if _, err := a.elb.TagsOf(a.store.Snapshot(), c.Account, c.Region, *in.ResourceArn); err != nil {
		return nil, apierr.New("ResourceNotFound", "The resource '%s' does not exist", *in.ResourceArn)
	}
	return nil, apierr.New("ResourceNotFound", "The resource '%s' has no resource policy", *in.ResourceArn)
}
