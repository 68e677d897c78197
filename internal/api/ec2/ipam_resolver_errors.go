package ec2

import (
	"errors"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/prefixlist/resolver"
)

// resolverAbsences are code and message for what the caller doesn't have.
var resolverAbsences = map[resolver.Noun]struct{ code, format string }{
	resolver.NounResolver: {"InvalidIpamPrefixListResolverId.NotFound", "The ipam-prefix-list-resolver ID '%s' does not exist"},
	resolver.NounTarget:   {"InvalidIpamPrefixListResolverTargetId.NotFound", "The ipam-prefix-list-resolver-target ID '%s' does not exist"},
	resolver.NounIPAM:     ipamAbsences[ipam.NounIPAM],
	resolver.NounScope:    ipamAbsences[ipam.NounScope],
	resolver.NounPool:     ipamAbsences[ipam.NounPool],
}

// resolverRefusal returns what the caller is told of an error of the resolver
// room's; false for another's.
func resolverRefusal(err error) (*apierr.Error, bool) {
	var (
		absent  *resolver.NotFoundError
		mistake *resolver.CallError
	)
	switch {
	case errors.As(err, &absent):
		return apierr.New(resolverAbsences[absent.Noun].code, resolverAbsences[absent.Noun].format, absent.ID), true
	case errors.As(err, &mistake):
		// The room's reasons are EC2's codes.
		return apierr.New(string(mistake.Reason), "%s", mistake.Text), true
	}
	return nil, false
}
