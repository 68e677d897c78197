package main

// service is one SDK module and what is taken from it.
type service struct {
	module     string // path of the Go module
	pkg        string // name of the generated package
	prefix     string // of the module's serializer functions: the protocol
	operations []string
}

// services lists the operations that Fairlead serves or is about to.
var services = []service{
	{
		module: "github.com/aws/aws-sdk-go-v2/service/ec2", pkg: "ec2", prefix: "awsEc2query_",
		operations: []string{
			"AllocateIpamPoolCidr", "AssociateRouteTable", "AttachInternetGateway", "AuthorizeSecurityGroupEgress",
			"AuthorizeSecurityGroupIngress", "CreateDefaultVpc", "CreateInternetGateway", "CreateIpam", "CreateIpamPool",
			"CreateRoute", "CreateRouteTable", "CreateSecurityGroup", "CreateSubnet", "CreateTags", "CreateVpc",
			"DeleteInternetGateway", "DeleteIpam", "DeleteIpamPool", "DeleteRoute", "DeleteRouteTable", "DeleteSecurityGroup",
			"DeleteSubnet", "DeleteTags", "DeleteVpc", "DeprovisionIpamPoolCidr", "DescribeAccountAttributes",
			"DescribeAddresses", "DescribeAvailabilityZones", "DescribeInstances", "DescribeInternetGateways",
			"DescribeIpamPools", "DescribeIpamScopes", "DescribeIpams", "DescribeNetworkAcls", "DescribeNetworkInterfaces",
			"DescribeRegions", "DescribeRouteTables", "DescribeSecurityGroups", "DescribeSubnets", "DescribeTags",
			"DescribeVpcAttribute", "DescribeVpcs", "DetachInternetGateway", "DisassociateRouteTable",
			"GetIpamPoolAllocations", "GetIpamPoolCidrs", "ModifySubnetAttribute", "ModifyVpcAttribute",
			"ProvisionIpamPoolCidr", "ReleaseIpamPoolAllocation", "RevokeSecurityGroupEgress", "RevokeSecurityGroupIngress",
		},
	},
	{
		module: "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2", pkg: "elbv2", prefix: "awsAwsquery_",
		operations: []string{
			"AddTags", "CreateListener", "CreateLoadBalancer", "CreateTargetGroup", "DeleteListener", "DeleteLoadBalancer",
			"DeleteTargetGroup", "DeregisterTargets", "DescribeAccountLimits", "DescribeListenerAttributes",
			"DescribeListeners", "DescribeLoadBalancerAttributes", "DescribeLoadBalancers", "DescribeRules", "DescribeTags",
			"DescribeTargetGroupAttributes", "DescribeTargetGroups", "DescribeTargetHealth", "ModifyIpPools", "RegisterTargets", "RemoveTags",
		},
	},
	{
		module: "github.com/aws/aws-sdk-go-v2/service/sts", pkg: "sts", prefix: "awsAwsquery_",
		operations: []string{"GetCallerIdentity"},
	},
}
