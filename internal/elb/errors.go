package elb

import (
	"errors"
	"fmt"
)

// Kind says what was wrong with a call; the API maps it to the service's code.
type Kind string

// The kinds, after the ELBv2 errors that they become.
const (
	Invalid                     Kind = "Invalid"          // a value, or values that don't go together
	InvalidParameter            Kind = "InvalidParameter" // a value that isn't in the form it must have
	InvalidConfiguration        Kind = "InvalidConfiguration"
	InvalidAction               Kind = "InvalidAction"
	InvalidSubnet               Kind = "InvalidSubnet"
	InvalidSecurityGroup        Kind = "InvalidSecurityGroup"
	InvalidTarget               Kind = "InvalidTarget"
	Unsupported                 Kind = "Unsupported"
	SubnetNotFound              Kind = "SubnetNotFound"
	LoadBalancerNotFound        Kind = "LoadBalancerNotFound"
	ListenerNotFound            Kind = "ListenerNotFound"
	RuleNotFound                Kind = "RuleNotFound"
	CertificateNotFound         Kind = "CertificateNotFound"
	SSLPolicyNotFound           Kind = "SSLPolicyNotFound"
	UnsupportedCertificate      Kind = "UnsupportedCertificate"
	TooManyCertificates         Kind = "TooManyCertificates"
	TargetGroupNotFound         Kind = "TargetGroupNotFound"
	DuplicateLoadBalancerName   Kind = "DuplicateLoadBalancerName"
	DuplicateListener           Kind = "DuplicateListener"
	DuplicateTargetGroupName    Kind = "DuplicateTargetGroupName"
	TooManyLoadBalancers        Kind = "TooManyLoadBalancers"
	TooManyListeners            Kind = "TooManyListeners"
	TooManyTargetGroups         Kind = "TooManyTargetGroups"
	TooManyUniqueTargetGroups   Kind = "TooManyUniqueTargetGroups"
	TooManyRules                Kind = "TooManyRules"
	PriorityInUse               Kind = "PriorityInUse"
	TooManyTargets              Kind = "TooManyTargets"
	TooManyTags                 Kind = "TooManyTags"
	TargetGroupAssociationLimit Kind = "TargetGroupAssociationLimit"
	ResourceInUse               Kind = "ResourceInUse"
	OperationNotPermitted       Kind = "OperationNotPermitted"
	TrustStoreNotFound          Kind = "TrustStoreNotFound"
	TooManyUnits                Kind = "TooManyUnits"         // of reserved capacity
	TooManyDecreases            Kind = "TooManyDecreases"     // of reserved capacity
	TooManyRegistrations        Kind = "TooManyRegistrations" // of one target
)

// Error is a call's fault, with the message for the caller.
type Error struct {
	Kind    Kind
	Message string
}

func (e *Error) Error() string { return string(e.Kind) + ": " + e.Message }

func fail(k Kind, format string, args ...any) error {
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...)}
}

// ErrPoolExhausted is what Interfaces.AssignAddress answers when the pool has no
// free address.
var ErrPoolExhausted = errors.New("address pool is exhausted")

// ErrSubnetFull is what Interfaces.Create answers when the subnet has no free
// private address.
var ErrSubnetFull = errors.New("subnet has no free address")

// ErrPoolUnavailable is what Interfaces.AssignAddress answers when the pool is
// gone or no longer shared with the load balancer's account.
var ErrPoolUnavailable = errors.New("address pool is not available")
