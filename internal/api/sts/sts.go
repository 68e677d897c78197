// Package sts serves what of STS tells a caller who it is.
package sts

import (
	"context"

	"github.com/fairlead/fairlead/internal/shapes/sts"
	"github.com/fairlead/fairlead/internal/wire"
)

// Spec tells the service from others on the wire.
var Spec = wire.ServiceSpec{Name: "sts", Version: "2011-06-15", Protocol: wire.Query, Namespace: "https://sts.amazonaws.com/doc/2011-06-15/"}

// Service returns the operations that are served.
func Service() *wire.Service {
	svc := wire.NewService(Spec)
	wire.Handle(svc, "GetCallerIdentity", func(_ context.Context, c *wire.Call, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
		// A root user's id is its account's; there are no other users.
		return &sts.GetCallerIdentityOutput{Account: &c.Account, Arn: &c.Principal, UserId: &c.Account}, nil
	})
	return svc
}
