package ec2

import (
	"errors"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/discovery"
)

// discoveryAbsences are code and message for what the caller doesn't have.
var discoveryAbsences = map[discovery.Noun]struct{ code, format string }{
	discovery.NounIPAM:        {"InvalidIpamId.NotFound", "The ipam ID '%s' does not exist"},
	discovery.NounScope:       {"InvalidIpamScopeId.NotFound", "The ipam-scope ID '%s' does not exist"},
	discovery.NounDiscovery:   {"InvalidIpamResourceDiscoveryId.NotFound", "The ipam-resource-discovery ID '%s' does not exist"},
	discovery.NounAssociation: {"InvalidIpamResourceDiscoveryAssociationId.NotFound", "The ipam-resource-discovery-association ID '%s' does not exist"},
}

// discoveryRefusal returns what the caller is told of an error of the discovery
// room's; false for another's.
func discoveryRefusal(err error) (*apierr.Error, bool) {
	var (
		absent  *discovery.NotFoundError
		mistake *discovery.CallError
	)
	switch {
	case errors.As(err, &absent):
		return apierr.New(discoveryAbsences[absent.Noun].code, discoveryAbsences[absent.Noun].format, absent.ID), true
	case errors.As(err, &mistake):
		// The room's reasons are EC2's codes.
		return apierr.New(string(mistake.Reason), "%s", mistake.Text), true
	}
	return nil, false
}
