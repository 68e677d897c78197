package elbv2_test

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/api/elbv2"
	"github.com/fairlead/fairlead/internal/testkit/wirefixture"
)

// modelled are the codes that the model (ELBv2 2015-12-01) gives each operation.
var modelled = map[string]string{
	"AddListenerCertificates":           "CertificateNotFound ListenerNotFound TooManyCertificates",
	"AddTags":                           "DuplicateTagKeys ListenerNotFound LoadBalancerNotFound RuleNotFound TargetGroupNotFound TooManyTags TrustStoreNotFound",
	"AddTrustStoreRevocations":          "InvalidRevocationContent RevocationContentNotFound TooManyTrustStoreRevocationEntries TrustStoreNotFound",
	"CreateListener":                    "ALPNPolicyNotFound CertificateNotFound DuplicateListener IncompatibleProtocols InvalidConfigurationRequest InvalidLoadBalancerAction LoadBalancerNotFound SSLPolicyNotFound TargetGroupAssociationLimit TargetGroupNotFound TooManyActions TooManyCertificates TooManyListeners TooManyRegistrationsForTargetId TooManyTags TooManyTargets TooManyUniqueTargetGroupsPerLoadBalancer TrustStoreNotFound TrustStoreNotReady UnsupportedProtocol",
	"CreateLoadBalancer":                "AllocationIdNotFound AvailabilityZoneNotSupported DuplicateLoadBalancerName DuplicateTagKeys InvalidConfigurationRequest InvalidScheme InvalidSecurityGroup InvalidSubnet OperationNotPermitted ResourceInUse SubnetNotFound TooManyLoadBalancers TooManyTags",
	"CreateRule":                        "IncompatibleProtocols InvalidConfigurationRequest InvalidLoadBalancerAction ListenerNotFound PriorityInUse TargetGroupAssociationLimit TargetGroupNotFound TooManyActions TooManyRegistrationsForTargetId TooManyRules TooManyTags TooManyTargetGroups TooManyTargets TooManyUniqueTargetGroupsPerLoadBalancer UnsupportedProtocol",
	"CreateTargetGroup":                 "DuplicateTargetGroupName InvalidConfigurationRequest TooManyTags TooManyTargetGroups",
	"CreateTrustStore":                  "CaCertificatesBundleNotFound DuplicateTagKeys DuplicateTrustStoreName InvalidCaCertificatesBundle TooManyTags TooManyTrustStores",
	"DeleteListener":                    "ListenerNotFound ResourceInUse",
	"DeleteLoadBalancer":                "LoadBalancerNotFound OperationNotPermitted ResourceInUse",
	"DeleteRule":                        "OperationNotPermitted RuleNotFound",
	"DeleteSharedTrustStoreAssociation": "AssociationNotFound DeleteAssociationSameAccount TrustStoreNotFound",
	"DeleteTargetGroup":                 "ResourceInUse",
	"DeleteTrustStore":                  "TrustStoreInUse TrustStoreNotFound",
	"DeregisterTargets":                 "InvalidTarget TargetGroupNotFound",
	"DescribeCapacityReservation":       "LoadBalancerNotFound",
	"DescribeListenerAttributes":        "ListenerNotFound",
	"DescribeListenerCertificates":      "ListenerNotFound",
	"DescribeListeners":                 "ListenerNotFound LoadBalancerNotFound UnsupportedProtocol",
	"DescribeLoadBalancerAttributes":    "LoadBalancerNotFound",
	"DescribeLoadBalancers":             "LoadBalancerNotFound",
	"DescribeRules":                     "ListenerNotFound RuleNotFound UnsupportedProtocol",
	"DescribeSSLPolicies":               "SSLPolicyNotFound",
	"DescribeTags":                      "ListenerNotFound LoadBalancerNotFound RuleNotFound TargetGroupNotFound TrustStoreNotFound",
	"DescribeTargetGroupAttributes":     "TargetGroupNotFound",
	"DescribeTargetGroups":              "LoadBalancerNotFound TargetGroupNotFound",
	"DescribeTargetHealth":              "HealthUnavailable InvalidTarget TargetGroupNotFound",
	"DescribeTrustStoreAssociations":    "TrustStoreNotFound",
	"DescribeTrustStoreRevocations":     "RevocationIdNotFound TrustStoreNotFound",
	"DescribeTrustStores":               "TrustStoreNotFound",
	"GetResourcePolicy":                 "ResourceNotFound",
	"GetTrustStoreCaCertificatesBundle": "TrustStoreNotFound",
	"GetTrustStoreRevocationContent":    "RevocationIdNotFound TrustStoreNotFound",
	"ModifyCapacityReservation":         "CapacityDecreaseRequestLimitExceeded CapacityReservationPending CapacityUnitsLimitExceeded InsufficientCapacity InvalidConfigurationRequest LoadBalancerNotFound OperationNotPermitted PriorRequestNotComplete",
	"ModifyIpPools":                     "LoadBalancerNotFound",
	"ModifyListener":                    "ALPNPolicyNotFound CertificateNotFound DuplicateListener IncompatibleProtocols InvalidConfigurationRequest InvalidLoadBalancerAction ListenerNotFound SSLPolicyNotFound TargetGroupAssociationLimit TargetGroupNotFound TooManyActions TooManyCertificates TooManyListeners TooManyRegistrationsForTargetId TooManyTargets TooManyUniqueTargetGroupsPerLoadBalancer TrustStoreNotFound TrustStoreNotReady UnsupportedProtocol",
	"ModifyListenerAttributes":          "InvalidConfigurationRequest ListenerNotFound",
	"ModifyLoadBalancerAttributes":      "InvalidConfigurationRequest LoadBalancerNotFound",
	"ModifyRule":                        "IncompatibleProtocols InvalidLoadBalancerAction OperationNotPermitted RuleNotFound TargetGroupAssociationLimit TargetGroupNotFound TooManyActions TooManyRegistrationsForTargetId TooManyTargets TooManyUniqueTargetGroupsPerLoadBalancer UnsupportedProtocol",
	"ModifyTargetGroup":                 "InvalidConfigurationRequest TargetGroupNotFound",
	"ModifyTargetGroupAttributes":       "InvalidConfigurationRequest TargetGroupNotFound",
	"ModifyTrustStore":                  "CaCertificatesBundleNotFound InvalidCaCertificatesBundle TrustStoreNotFound",
	"RegisterTargets":                   "InvalidTarget TargetGroupNotFound TooManyRegistrationsForTargetId TooManyTargets",
	"RemoveListenerCertificates":        "ListenerNotFound OperationNotPermitted",
	"RemoveTags":                        "ListenerNotFound LoadBalancerNotFound RuleNotFound TargetGroupNotFound TooManyTags TrustStoreNotFound",
	"RemoveTrustStoreRevocations":       "RevocationIdNotFound TrustStoreNotFound",
	"SetIpAddressType":                  "InvalidConfigurationRequest InvalidSubnet LoadBalancerNotFound",
	"SetRulePriorities":                 "OperationNotPermitted PriorityInUse RuleNotFound",
	"SetSecurityGroups":                 "InvalidConfigurationRequest InvalidSecurityGroup LoadBalancerNotFound",
	"SetSubnets":                        "AllocationIdNotFound AvailabilityZoneNotSupported CapacityReservationPending InvalidConfigurationRequest InvalidSubnet LoadBalancerNotFound SubnetNotFound",
}

// unanswered says why a code, or one of an operation, has no fixture.
var unanswered = map[string]string{
	"ALPNPolicyNotFound":              "ALPN policies are of network load balancers: ValidationError",
	"AllocationIdNotFound":            "elastic IPs are of network load balancers: ValidationError",
	"AvailabilityZoneNotSupported":    "every zone here is served",
	"CapacityReservationPending":      "no change of subnets waits for a reservation",
	"HealthUnavailable":               "the server that answers knows the health",
	"IncompatibleProtocols":           "the protocols served go with each other",
	"InsufficientCapacity":            "nodes are processes: there is always capacity",
	"InvalidScheme":                   "a scheme that isn't one breaks the model: ValidationError",
	"PriorRequestNotComplete":         "a reservation is provisioned at once",
	"Throttling":                      "two calls at the same time are not one request",
	"TooManyActions":                  "a second routing action is InvalidLoadBalancerAction",
	"TooManyRegistrationsForTargetId": "the quota isn't held here",
	"TrustStoreNotReady":              "a trust store is ready when it is made",
	"UnsupportedProtocol":             "protocols of network load balancers: ValidationError",

	"CreateListener TooManyCertificates":              "a default certificate doesn't count",
	"CreateListener TooManyTargets":                   "targets count by target group",
	"CreateLoadBalancer OperationNotPermitted":        "no caller is refused what another may do",
	"CreateLoadBalancer ResourceInUse":                "nothing that it is made of is used once",
	"CreateRule TooManyTargets":                       "targets count by target group",
	"DeleteListener ResourceInUse":                    "nothing else uses a listener",
	"DeleteLoadBalancer LoadBalancerNotFound":         "what isn't there is deleted",
	"DeleteLoadBalancer ResourceInUse":                "nothing else uses a load balancer",
	"DeregisterTargets InvalidTarget":                 "what isn't registered is gone",
	"ModifyCapacityReservation OperationNotPermitted": "no caller is refused what another may do",
	"ModifyListener TooManyCertificates":              "a default certificate doesn't count",
	"ModifyListener TooManyListeners":                 "none is added",
	"ModifyListener TooManyTargets":                   "targets count by target group",
	"ModifyRule TooManyTargets":                       "targets count by target group",
	"ModifyTargetGroup InvalidConfigurationRequest":   "what doesn't go together is ValidationError",
	"RemoveTags TooManyTags":                          "none is added",
}

// Every code of the model has a fixture of each operation that may answer it, and
// every code that the server knows has one at all.
func TestEveryCodeHasAFixture(t *testing.T) {
	shown := wirefixture.Codes(t, fixtures)
	want := func(action, code string) {
		t.Helper()
		reason := cmp.Or(unanswered[code], unanswered[action+" "+code])
		is := slices.Contains(shown[code], action) || action == "" && shown[code] != nil
		switch {
		case !is && reason == "":
			t.Errorf("no fixture shows %s %s", action, code)
		case is && reason != "":
			t.Errorf("a fixture shows %s %s, which is said not to be answered: %s", action, code, reason)
		}
	}
	for action, codes := range modelled {
		for code := range strings.FieldsSeq(codes) {
			want(action, code)
		}
	}
	for _, code := range slices.Sorted(maps.Keys(elbv2.Codes())) {
		want("", code)
	}
}
