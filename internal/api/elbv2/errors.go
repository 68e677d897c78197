package elbv2

import (
	"errors"
	"strings"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/truststore"
)

// codes gives each kind of the room's errors the service's code. Kinds that the
// model has no code for have a generic one that the service answers.
var codes = map[elb.Kind]string{
	elb.Invalid:                     "ValidationError",
	elb.InvalidParameter:            "InvalidParameterValue",
	elb.InvalidConfiguration:        "InvalidConfigurationRequest",
	elb.InvalidAction:               "InvalidLoadBalancerAction",
	elb.InvalidSubnet:               "InvalidSubnet",
	elb.InvalidSecurityGroup:        "InvalidSecurityGroup",
	elb.InvalidTarget:               "InvalidTarget",
	elb.Unsupported:                 "UnsupportedProtocol",
	elb.SubnetNotFound:              "SubnetNotFound",
	elb.LoadBalancerNotFound:        "LoadBalancerNotFound",
	elb.ListenerNotFound:            "ListenerNotFound",
	elb.RuleNotFound:                "RuleNotFound",
	elb.CertificateNotFound:         "CertificateNotFound",
	elb.SSLPolicyNotFound:           "SSLPolicyNotFound",
	elb.UnsupportedCertificate:      "UnsupportedCertificate",
	elb.TooManyCertificates:         "TooManyCertificates",
	elb.TargetGroupNotFound:         "TargetGroupNotFound",
	elb.DuplicateLoadBalancerName:   "DuplicateLoadBalancerName",
	elb.DuplicateListener:           "DuplicateListener",
	elb.DuplicateTargetGroupName:    "DuplicateTargetGroupName",
	elb.TooManyLoadBalancers:        "TooManyLoadBalancers",
	elb.TooManyListeners:            "TooManyListeners",
	elb.TooManyTargetGroups:         "TooManyTargetGroups",
	elb.TooManyUniqueTargetGroups:   "TooManyUniqueTargetGroupsPerLoadBalancer",
	elb.TooManyRules:                "TooManyRules",
	elb.PriorityInUse:               "PriorityInUse",
	elb.TooManyTargets:              "TooManyTargets",
	elb.TooManyTags:                 "TooManyTags",
	elb.TargetGroupAssociationLimit: "TargetGroupAssociationLimit",
	elb.ResourceInUse:               "ResourceInUse",
	elb.OperationNotPermitted:       "OperationNotPermitted",
	elb.TooManyUnits:                "CapacityUnitsLimitExceeded",
	elb.TooManyDecreases:            "CapacityDecreaseRequestLimitExceeded",
	elb.TooManyRegistrations:        "TooManyRegistrationsForTargetId",
	elb.TrustStoreNotFound:          "TrustStoreNotFound",
}

// refusal makes the room's errors the service's. Any other stays as it is, to be
// logged and answered as an internal error.
func refusal(err error) error {
	var e *elb.Error
	var untrusted *truststore.Error
	var own *apierr.Error
	switch {
	case errors.As(err, &own):
		clipped := *own
		clipped.Message = clip(own.Message)
		return &clipped
	case errors.As(err, &untrusted):
		return apierr.New(string(untrusted.Kind), "%s", clip(untrusted.Message))
	case errors.As(err, &e):
		return apierr.New(codes[e.Kind], "%s", clip(e.Message))
	case errors.Is(err, store.ErrTooLarge):
		return invalid("The request changes more than can be changed at once. Name fewer resources at a time.")
	case errors.Is(err, store.ErrConflict):
		return apierr.New("Throttling", "Too many concurrent changes to the same resource. Try again later.")
	}
	return err
}

// clip bounds a message, which may quote a value as long as the request.
func clip(message string) string {
	const most = 4096
	if len(message) <= most {
		return message
	}
	return strings.ToValidUTF8(message[:most], "") + "…"
}

func invalid(format string, args ...any) error {
	return apierr.New("ValidationError", format, args...)
}
