package vpc

import "fmt"

// Kind is a kind of resource, in the words of EC2's tag specifications.
type Kind string

// The kinds of this room.
const (
	KindVPC              Kind = "vpc"
	KindSubnet           Kind = "subnet"
	KindGateway          Kind = "internet-gateway"
	KindRouteTable       Kind = "route-table"
	KindRoute            Kind = "route"
	KindSecurityGroup    Kind = "security-group"
	KindSecurityRule     Kind = "security-group-rule"
	KindInterface        Kind = "network-interface"
	KindAddress          Kind = "elastic-ip"
	KindNetworkACL       Kind = "network-acl"
	KindTableAssociation Kind = "route-table-association"
	KindCIDRBlock        Kind = "vpc-cidr-block-association"
	KindSubnetCIDRBlock  Kind = "subnet-cidr-block-association"
	KindDHCPOptions      Kind = "dhcp-options"
	KindAssociation      Kind = "elastic-ip-association"
	KindPrivateAddress   Kind = "private-ip-address"
	KindPrefixList       Kind = "prefix-list" // another room's
)

// NotFoundError says that the caller has no such resource.
type NotFoundError struct {
	Kind Kind
	ID   string
}

func (e *NotFoundError) Error() string { return fmt.Sprintf("%s %s does not exist", e.Kind, e.ID) }

// Fault says what was wrong with a call.
type Fault int

// The faults.
const (
	_                  Fault = iota
	InvalidValue             // a value that can't be, for a reason that the message tells
	InvalidVPCRange          // a VPC's CIDR
	InvalidSubnetRange       // a subnet's CIDR, by itself or within its VPC
	SubnetConflict           // with another subnet of the VPC
	NoFreeAddress            // in a subnet
	Dependency               // other resources need this one
	LimitExceeded            // of Kind
	AlreadyAssociated        // with something else
	NotAttached              // a gateway to this VPC
	RouteExists              // to the destination
	RouteNotFound            // to the destination
	GroupExists              // a security group's name in its VPC
	GroupReserved            // a security group's name
	GroupUndeletable         // a VPC's default security group
	RuleExists               // in the security group
	RuleNotFound             // in the security group
	DefaultExists            // a default VPC
	NoDefault                // VPC, where the call names none

	NoDefaultVPC        // for what only a default VPC has
	DefaultSubnetExists // in the zone
	NoCapacity          // of the region's own addresses
	NotPermitted        // on what stays as it is, or a service manages
	AddressInUse        // by an interface
)

// Error is a call's fault.
type Error struct {
	Fault   Fault
	Kind    Kind   // of the resource that it is about, if one matters
	Message string // for the caller
}

func (e *Error) Error() string { return e.Message }

// Is lets errors.Is find a fault by a template: &Error{Fault: f}.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Message == "" && t.Fault == e.Fault && (t.Kind == "" || t.Kind == e.Kind)
}

func fail(f Fault, k Kind, format string, args ...any) error {
	return &Error{Fault: f, Kind: k, Message: fmt.Sprintf(format, args...)}
}

func limit(k Kind, things string) error {
	return fail(LimitExceeded, k, "The maximum number of %s has been reached.", things)
}

func dependency(k Kind, noun, id string) error {
	return fail(Dependency, k, "The %s '%s' has dependencies and cannot be deleted.", noun, id)
}

// ErrSubnetFull says that a subnet has no free address.
var ErrSubnetFull error = &Error{Fault: NoFreeAddress}
