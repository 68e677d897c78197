package ec2

import (
	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/wire"
)

// unserved are actions that EC2 has and this installation does without, by the
// reason that their callers are told. Others answer InvalidAction.
var unserved = []struct {
	why     string
	actions []string
}{
	{"There is no internet registry to be associated with", []string{
		"CreateIpamInternetRegistryAssociation", "DeleteIpamInternetRegistryAssociation", "DescribeIpamInternetRegistryAssociations",
		"EnableIpamInternetRegistryAssociation", "GetIpamInternetRegistryAssociationAsns", "GetIpamInternetRegistryAssociationCidrs",
	}},
	{"Routing policies are not registered anywhere", []string{
		"BatchModifyIpamRoutingPolicyRegistrations", "CreateIpamRoutingPolicyRegistration", "DeleteIpamRoutingPolicyRegistration",
		"GetIpamRoutingPolicyRegistrationDeltas", "GetIpamRoutingPolicyRegistrations", "ModifyIpamRoutingPolicyRegistration",
	}},
	{"Route origin authorizations are not managed here", []string{
		"GetIpamRouteOriginAuthorizations", "GetIpamRouteProtectionFindings",
	}},
	{"Prefixes are not announced with AS numbers of accounts", []string{
		"AssociateIpamByoasn", "DeprovisionIpamByoasn", "DescribeIpamByoasn", "DisassociateIpamByoasn", "ProvisionIpamByoasn",
	}},
	{"Announced routes are not observed", []string{
		"GetIpamDiscoveredRoutes",
	}},
	{"Accounts do not form organizations", []string{
		"DisableIpamOrganizationAdminAccount", "EnableIpamOrganizationAdminAccount",
	}},
}

func refuseUnservedActions(svc *wire.Service) {
	for _, family := range unserved {
		for _, action := range family.actions {
			wire.Refuse(svc, action, apierr.New("UnsupportedOperation", "The action %s is not supported by this installation. %s.", action, family.why))
		}
	}
}
