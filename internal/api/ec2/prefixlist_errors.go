package ec2

import (
	"errors"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/prefixlist"
	"github.com/fairlead/fairlead/internal/vpc"
)

// prefixListRefusal returns what the caller is told of an error of the
// prefixlist room's; false for another's.
func prefixListRefusal(err error) (*apierr.Error, bool) {
	var (
		absent  *prefixlist.NotFoundError
		mistake *prefixlist.CallError
	)
	switch {
	case errors.As(err, &absent):
		return notFoundRefusal(vpc.KindPrefixList, absent.ID), true
	case errors.As(err, &mistake):
		// The room's reasons are EC2's codes.
		return apierr.New(string(mistake.Reason), "%s", mistake.Text), true
	}
	return nil, false
}
