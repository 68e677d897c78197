package main

// service is one SDK module and what is taken from it.
type service struct {
	module     string // path of the Go module
	pkg        string // name of the generated package
	prefix     string // of the module's serializer functions: the protocol; "": the module has schemas
	operations []string
}

// services lists the operations that Fairlead serves or is about to.
var services = []service{
	{
		module: "github.com/aws/aws-sdk-go-v2/service/ec2", pkg: "ec2", prefix: "awsEc2query_",
		operations: []string{
			"AdvertiseByoipCidr", "AllocateAddress", "AllocateIpamPoolCidr", "AssignIpv6Addresses", "AssignPrivateIpAddresses",
			"AssociateAddress", "AssociateDhcpOptions", "AssociateIpamResourceDiscovery", "AssociateRouteTable",
			"AssociateSubnetCidrBlock", "AssociateVpcCidrBlock", "AttachInternetGateway", "AttachNetworkInterface",
			"AuthorizeSecurityGroupEgress", "AuthorizeSecurityGroupIngress", "CreateDefaultSubnet", "CreateDefaultVpc",
			"CreateInternetGateway", "CreateIpam", "CreateIpamExternalResourceVerificationToken", "CreateIpamPolicy",
			"CreateIpamPool", "CreateIpamPrefixListResolver", "CreateIpamPrefixListResolverTarget",
			"CreateIpamResourceDiscovery", "CreateIpamScope", "CreateManagedPrefixList", "CreateNetworkInterface",
			"CreatePublicIpv4Pool", "CreateRoute", "CreateRouteTable", "CreateSecurityGroup", "CreateSubnet", "CreateTags",
			"CreateVpc", "DeleteInternetGateway", "DeleteIpam", "DeleteIpamExternalResourceVerificationToken",
			"DeleteIpamPolicy", "DeleteIpamPool", "DeleteIpamPrefixListResolver", "DeleteIpamPrefixListResolverTarget",
			"DeleteIpamResourceDiscovery", "DeleteIpamScope", "DeleteManagedPrefixList", "DeleteNetworkInterface",
			"DeletePublicIpv4Pool", "DeleteRoute", "DeleteRouteTable", "DeleteSecurityGroup", "DeleteSubnet", "DeleteTags",
			"DeleteVpc", "DeprovisionByoipCidr", "DeprovisionIpamPoolCidr", "DeprovisionPublicIpv4PoolCidr",
			"DescribeAccountAttributes", "DescribeAddresses", "DescribeAddressesAttribute", "DescribeAvailabilityZones",
			"DescribeByoipCidrs", "DescribeDhcpOptions", "DescribeInstanceStatus", "DescribeInstances", "DescribeInternetGateways",
			"DescribeIpamExternalResourceVerificationTokens", "DescribeIpamPolicies", "DescribeIpamPoolAllocations",
			"DescribeIpamPools", "DescribeIpamPrefixListResolverTargets", "DescribeIpamPrefixListResolvers",
			"DescribeIpamResourceDiscoveries", "DescribeIpamResourceDiscoveryAssociations", "DescribeIpamScopes",
			"DescribeIpams", "DescribeManagedPrefixLists", "DescribeNetworkAcls", "DescribeNetworkInterfaceAttribute",
			"DescribeNetworkInterfaces", "DescribePrefixLists", "DescribePublicIpv4Pools", "DescribeRegions",
			"DescribeRouteTables", "DescribeSecurityGroupRules", "DescribeSecurityGroups", "DescribeSubnets", "DescribeTags",
			"DescribeVpcAttribute", "DescribeVpcClassicLink", "DescribeVpcClassicLinkDnsSupport", "DescribeVpcs",
			"DetachInternetGateway", "DetachNetworkInterface", "DisableIpamPolicy", "DisassociateAddress",
			"DisassociateIpamResourceDiscovery", "DisassociateRouteTable", "DisassociateSubnetCidrBlock",
			"DisassociateVpcCidrBlock", "EnableIpamPolicy", "GetEnabledIpamPolicy", "GetIpamAddressHistory",
			"GetIpamDiscoveredAccounts", "GetIpamDiscoveredPublicAddresses", "GetIpamDiscoveredResourceCidrs",
			"GetIpamPolicyAllocationRules", "GetIpamPolicyOrganizationTargets", "GetIpamPoolAllocations", "GetIpamPoolCidrs",
			"GetIpamPrefixListResolverRules", "GetIpamPrefixListResolverVersionEntries", "GetIpamPrefixListResolverVersions",
			"GetIpamResourceCidrs", "GetManagedPrefixListAssociations", "GetManagedPrefixListEntries", "ModifyIpam",
			"ModifyIpamPolicyAllocationRules", "ModifyIpamPool", "ModifyIpamPoolAllocation", "ModifyIpamPrefixListResolver",
			"ModifyIpamPrefixListResolverTarget", "ModifyIpamResourceCidr", "ModifyIpamResourceDiscovery", "ModifyIpamScope",
			"ModifyManagedPrefixList", "ModifyNetworkInterfaceAttribute", "ModifySecurityGroupRules", "ModifySubnetAttribute",
			"ModifyVpcAttribute", "MoveByoipCidrToIpam", "ProvisionByoipCidr", "ProvisionIpamPoolCidr",
			"ProvisionPublicIpv4PoolCidr", "ReleaseAddress", "ReleaseIpamPoolAllocation", "ReplaceRoute",
			"ReplaceRouteTableAssociation", "ResetNetworkInterfaceAttribute", "RestoreManagedPrefixListVersion",
			"RevokeSecurityGroupEgress", "RevokeSecurityGroupIngress", "UnassignIpv6Addresses", "UnassignPrivateIpAddresses",
			"UpdateSecurityGroupRuleDescriptionsEgress", "UpdateSecurityGroupRuleDescriptionsIngress", "WithdrawByoipCidr",
		},
	},
	{
		module: "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2", pkg: "elbv2", prefix: "awsAwsquery_",
		operations: []string{
			"AddListenerCertificates", "AddTags", "AddTrustStoreRevocations", "CreateListener", "CreateLoadBalancer", "CreateRule",
			"CreateTargetGroup", "CreateTrustStore", "DeleteListener", "DeleteLoadBalancer", "DeleteRule", "DeleteSharedTrustStoreAssociation", "DeleteTargetGroup",
			"DeleteTrustStore", "DeregisterTargets", "DescribeAccountLimits", "DescribeCapacityReservation",
			"DescribeListenerAttributes", "DescribeListenerCertificates", "DescribeListeners", "DescribeLoadBalancerAttributes",
			"DescribeLoadBalancers", "DescribeRules", "DescribeSSLPolicies", "DescribeTags", "DescribeTargetGroupAttributes",
			"DescribeTargetGroups", "DescribeTargetHealth", "DescribeTrustStoreAssociations", "DescribeTrustStoreRevocations",
			"DescribeTrustStores", "GetResourcePolicy", "GetTrustStoreCaCertificatesBundle", "GetTrustStoreRevocationContent",
			"ModifyCapacityReservation", "ModifyIpPools", "ModifyListener", "ModifyListenerAttributes",
			"ModifyLoadBalancerAttributes", "ModifyRule", "ModifyTargetGroup", "ModifyTargetGroupAttributes", "ModifyTrustStore",
			"RegisterTargets", "RemoveListenerCertificates", "RemoveTags", "RemoveTrustStoreRevocations", "SetIpAddressType",
			"SetRulePriorities", "SetSecurityGroups", "SetSubnets",
		},
	},
	{
		module: "github.com/aws/aws-sdk-go-v2/service/acm", pkg: "acm",
		operations: []string{
			"AddTagsToCertificate", "DeleteCertificate", "DescribeCertificate", "GetCertificate", "ImportCertificate", "ListCertificates",
			"ListTagsForCertificate", "RemoveTagsFromCertificate", "RenewCertificate", "RequestCertificate",
		},
	},
	{
		module: "github.com/aws/aws-sdk-go-v2/service/sts", pkg: "sts", prefix: "awsAwsquery_",
		operations: []string{"GetCallerIdentity"},
	},
}
