package ec2

import (
	"errors"
	"net/http"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/vpc"
)

// faultCodes are EC2's codes for the vpc room's faults, LimitExceeded aside.
var faultCodes = map[vpc.Fault]string{
	vpc.InvalidValue:       "InvalidParameterValue",
	vpc.InvalidVPCRange:    "InvalidVpcRange",
	vpc.InvalidSubnetRange: "InvalidSubnet.Range",
	vpc.SubnetConflict:     "InvalidSubnet.Conflict",
	vpc.NoFreeAddress:      "InsufficientFreeAddressesInSubnet",
	vpc.Dependency:         "DependencyViolation",
	vpc.AlreadyAssociated:  "Resource.AlreadyAssociated",
	vpc.NotAttached:        "Gateway.NotAttached",
	vpc.RouteExists:        "RouteAlreadyExists",
	vpc.RouteNotFound:      "InvalidRoute.NotFound",
	vpc.GroupExists:        "InvalidGroup.Duplicate",
	vpc.GroupReserved:      "InvalidGroup.Reserved",
	vpc.GroupUndeletable:   "CannotDelete",
	vpc.RuleExists:         "InvalidPermission.Duplicate",
	vpc.RuleNotFound:       "InvalidPermission.NotFound",
	vpc.DefaultExists:      "DefaultVpcAlreadyExists",
	vpc.NoDefault:          "VPCIdNotSpecified",

	vpc.NoDefaultVPC:        "DefaultVpcDoesNotExist",
	vpc.DefaultSubnetExists: "DefaultSubnetAlreadyExistsInAvailabilityZone",
	vpc.NoCapacity:          "InsufficientAddressCapacity",
	vpc.NotPermitted:        "OperationNotPermitted",
	vpc.AddressInUse:        "InvalidIPAddress.InUse",
}

// limitCodes are the codes for vpc.LimitExceeded, by what there would be too many of.
var limitCodes = map[vpc.Kind]string{
	vpc.KindVPC:           "VpcLimitExceeded",
	vpc.KindSubnet:        "SubnetLimitExceeded",
	vpc.KindGateway:       "InternetGatewayLimitExceeded",
	vpc.KindRouteTable:    "RouteTableLimitExceeded",
	vpc.KindRoute:         "RouteLimitExceeded",
	vpc.KindSecurityGroup: "SecurityGroupLimitExceeded",
	vpc.KindSecurityRule:  "RulesPerSecurityGroupLimitExceeded",
	vpc.KindInterface:     "SecurityGroupsPerInterfaceLimitExceeded",

	vpc.KindCIDRBlock:       "CidrLimitExceeded",
	vpc.KindSubnetCIDRBlock: "CidrLimitExceeded",
	vpc.KindAddress:         "AddressLimitExceeded",
	vpc.KindPrivateAddress:  "PrivateIpAddressLimitExceeded",
}

// absences are code and message for a resource that the caller doesn't have.
var absences = map[vpc.Kind]struct{ code, format string }{
	vpc.KindVPC:              {"InvalidVpcID.NotFound", "The vpc ID '%s' does not exist"},
	vpc.KindSubnet:           {"InvalidSubnetID.NotFound", "The subnet ID '%s' does not exist"},
	vpc.KindGateway:          {"InvalidInternetGatewayID.NotFound", "The internetGateway ID '%s' does not exist"},
	vpc.KindRouteTable:       {"InvalidRouteTableID.NotFound", "The routeTable ID '%s' does not exist"},
	vpc.KindTableAssociation: {"InvalidAssociationID.NotFound", "The association ID '%s' does not exist"},
	vpc.KindSecurityGroup:    {"InvalidGroup.NotFound", "The security group '%s' does not exist"},
	vpc.KindSecurityRule:     {"InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '%s' does not exist"},
	vpc.KindInterface:        {"InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '%s' does not exist"},
	vpc.KindAddress:          {"InvalidAllocationID.NotFound", "The allocation ID '%s' does not exist"},
	vpc.KindAssociation:      {"InvalidAssociationID.NotFound", "The association ID '%s' does not exist"},
	vpc.KindNetworkACL:       {"InvalidNetworkAclID.NotFound", "The networkAcl ID '%s' does not exist"},

	vpc.KindCIDRBlock:       {"InvalidVpcCidrBlockAssociationID.NotFound", "The vpc CIDR block association ID '%s' does not exist"},
	vpc.KindSubnetCIDRBlock: {"InvalidSubnetCidrBlockAssociationID.NotFound", "The subnet CIDR block association ID '%s' does not exist"},
	vpc.KindPrefixList:      {"InvalidPrefixListID.NotFound", "The prefix list ID '%s' does not exist"},
	vpc.KindDHCPOptions:     {"InvalidDhcpOptionID.NotFound", "The dhcpOption ID '%s' does not exist"},
}

// refusal returns what the caller is told of an error. One that isn't the
// caller's stays as it is, for the wire to answer without its text.
func refusal(err error) error {
	var (
		ready    *apierr.Error
		fault    *vpc.Error
		notFound *vpc.NotFoundError
		badTag   *tags.RuleError
	)
	switch {
	case errors.As(err, &ready):
		return ready
	case errors.As(err, &notFound):
		return notFoundRefusal(notFound.Kind, notFound.ID)
	case errors.As(err, &fault):
		if fault.Fault == vpc.LimitExceeded {
			return apierr.New(limitCodes[fault.Kind], "%s", fault.Message)
		}
		return apierr.New(faultCodes[fault.Fault], "%s", fault.Message)
	case errors.Is(err, idempotency.ErrMismatch):
		return apierr.New("IdempotentParameterMismatch", "The client token you have provided was already used with other parameters.")
	case errors.As(err, &badTag):
		if badTag.Reserved {
			return apierr.New("InvalidTagKey.Malformed", "%s", badTag.Text)
		}
		return apierr.New("InvalidParameterValue", "%s", badTag.Text)
	case errors.Is(err, tags.ErrTooMany):
		return apierr.New("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
	case errors.Is(err, store.ErrConflict):
		// Clients retry this code by themselves.
		return apierr.New("RequestLimitExceeded", "Request limit exceeded.").WithStatus(http.StatusServiceUnavailable)
	}
	if e, ok := discoveryRefusal(err); ok {
		return e
	}
	if e, ok := prefixListRefusal(err); ok {
		return e
	}
	if e, ok := resolverRefusal(err); ok {
		return e
	}
	return ipamRefusal(err)
}

func notFoundRefusal(k vpc.Kind, id string) *apierr.Error {
	return apierr.New(absences[k].code, absences[k].format, id)
}
