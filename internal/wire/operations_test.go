package wire_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/shapes/elbv2"
	"github.com/fairlead/fairlead/internal/shapes/sts"
	"github.com/fairlead/fairlead/internal/wire"
)

// shapesOf is a service with the shapes of all its operations, which the tests of
// the codec go through.
type shapesOf struct {
	spec       wire.ServiceSpec
	pkg        string   // of the shapes
	module     string   // of the SDK
	operations [][2]any // input, output
}

var allShapes = []shapesOf{
	{ec2Spec, "ec2", "ec2", [][2]any{
		{ec2.AllocateIpamPoolCidrInput{}, ec2.AllocateIpamPoolCidrOutput{}},
		{ec2.AssociateRouteTableInput{}, ec2.AssociateRouteTableOutput{}},
		{ec2.AttachInternetGatewayInput{}, ec2.AttachInternetGatewayOutput{}},
		{ec2.AuthorizeSecurityGroupEgressInput{}, ec2.AuthorizeSecurityGroupEgressOutput{}},
		{ec2.AuthorizeSecurityGroupIngressInput{}, ec2.AuthorizeSecurityGroupIngressOutput{}},
		{ec2.CreateDefaultVpcInput{}, ec2.CreateDefaultVpcOutput{}},
		{ec2.CreateInternetGatewayInput{}, ec2.CreateInternetGatewayOutput{}},
		{ec2.CreateIpamInput{}, ec2.CreateIpamOutput{}},
		{ec2.CreateIpamPoolInput{}, ec2.CreateIpamPoolOutput{}},
		{ec2.CreateRouteInput{}, ec2.CreateRouteOutput{}},
		{ec2.CreateRouteTableInput{}, ec2.CreateRouteTableOutput{}},
		{ec2.CreateSecurityGroupInput{}, ec2.CreateSecurityGroupOutput{}},
		{ec2.CreateSubnetInput{}, ec2.CreateSubnetOutput{}},
		{ec2.CreateTagsInput{}, ec2.CreateTagsOutput{}},
		{ec2.CreateVpcInput{}, ec2.CreateVpcOutput{}},
		{ec2.DeleteInternetGatewayInput{}, ec2.DeleteInternetGatewayOutput{}},
		{ec2.DeleteIpamInput{}, ec2.DeleteIpamOutput{}},
		{ec2.DeleteIpamPoolInput{}, ec2.DeleteIpamPoolOutput{}},
		{ec2.DeleteRouteInput{}, ec2.DeleteRouteOutput{}},
		{ec2.DeleteRouteTableInput{}, ec2.DeleteRouteTableOutput{}},
		{ec2.DeleteSecurityGroupInput{}, ec2.DeleteSecurityGroupOutput{}},
		{ec2.DeleteSubnetInput{}, ec2.DeleteSubnetOutput{}},
		{ec2.DeleteTagsInput{}, ec2.DeleteTagsOutput{}},
		{ec2.DeleteVpcInput{}, ec2.DeleteVpcOutput{}},
		{ec2.DeprovisionIpamPoolCidrInput{}, ec2.DeprovisionIpamPoolCidrOutput{}},
		{ec2.DescribeAccountAttributesInput{}, ec2.DescribeAccountAttributesOutput{}},
		{ec2.DescribeAddressesInput{}, ec2.DescribeAddressesOutput{}},
		{ec2.DescribeAvailabilityZonesInput{}, ec2.DescribeAvailabilityZonesOutput{}},
		{ec2.DescribeInstancesInput{}, ec2.DescribeInstancesOutput{}},
		{ec2.DescribeInternetGatewaysInput{}, ec2.DescribeInternetGatewaysOutput{}},
		{ec2.DescribeIpamPoolsInput{}, ec2.DescribeIpamPoolsOutput{}},
		{ec2.DescribeIpamScopesInput{}, ec2.DescribeIpamScopesOutput{}},
		{ec2.DescribeIpamsInput{}, ec2.DescribeIpamsOutput{}},
		{ec2.DescribeNetworkAclsInput{}, ec2.DescribeNetworkAclsOutput{}},
		{ec2.DescribeNetworkInterfacesInput{}, ec2.DescribeNetworkInterfacesOutput{}},
		{ec2.DescribeRegionsInput{}, ec2.DescribeRegionsOutput{}},
		{ec2.DescribeRouteTablesInput{}, ec2.DescribeRouteTablesOutput{}},
		{ec2.DescribeSecurityGroupsInput{}, ec2.DescribeSecurityGroupsOutput{}},
		{ec2.DescribeSubnetsInput{}, ec2.DescribeSubnetsOutput{}},
		{ec2.DescribeTagsInput{}, ec2.DescribeTagsOutput{}},
		{ec2.DescribeVpcAttributeInput{}, ec2.DescribeVpcAttributeOutput{}},
		{ec2.DescribeVpcsInput{}, ec2.DescribeVpcsOutput{}},
		{ec2.DetachInternetGatewayInput{}, ec2.DetachInternetGatewayOutput{}},
		{ec2.DisassociateRouteTableInput{}, ec2.DisassociateRouteTableOutput{}},
		{ec2.GetIpamPoolAllocationsInput{}, ec2.GetIpamPoolAllocationsOutput{}},
		{ec2.GetIpamPoolCidrsInput{}, ec2.GetIpamPoolCidrsOutput{}},
		{ec2.ModifySubnetAttributeInput{}, ec2.ModifySubnetAttributeOutput{}},
		{ec2.ModifyVpcAttributeInput{}, ec2.ModifyVpcAttributeOutput{}},
		{ec2.ProvisionIpamPoolCidrInput{}, ec2.ProvisionIpamPoolCidrOutput{}},
		{ec2.ReleaseIpamPoolAllocationInput{}, ec2.ReleaseIpamPoolAllocationOutput{}},
		{ec2.RevokeSecurityGroupEgressInput{}, ec2.RevokeSecurityGroupEgressOutput{}},
		{ec2.RevokeSecurityGroupIngressInput{}, ec2.RevokeSecurityGroupIngressOutput{}},
	}},
	{elbSpec, "elbv2", "elasticloadbalancingv2", [][2]any{
		{elbv2.AddTagsInput{}, elbv2.AddTagsOutput{}},
		{elbv2.CreateListenerInput{}, elbv2.CreateListenerOutput{}},
		{elbv2.CreateLoadBalancerInput{}, elbv2.CreateLoadBalancerOutput{}},
		{elbv2.CreateTargetGroupInput{}, elbv2.CreateTargetGroupOutput{}},
		{elbv2.DeleteListenerInput{}, elbv2.DeleteListenerOutput{}},
		{elbv2.DeleteLoadBalancerInput{}, elbv2.DeleteLoadBalancerOutput{}},
		{elbv2.DeleteTargetGroupInput{}, elbv2.DeleteTargetGroupOutput{}},
		{elbv2.DeregisterTargetsInput{}, elbv2.DeregisterTargetsOutput{}},
		{elbv2.DescribeAccountLimitsInput{}, elbv2.DescribeAccountLimitsOutput{}},
		{elbv2.DescribeListenerAttributesInput{}, elbv2.DescribeListenerAttributesOutput{}},
		{elbv2.DescribeListenersInput{}, elbv2.DescribeListenersOutput{}},
		{elbv2.DescribeLoadBalancerAttributesInput{}, elbv2.DescribeLoadBalancerAttributesOutput{}},
		{elbv2.DescribeLoadBalancersInput{}, elbv2.DescribeLoadBalancersOutput{}},
		{elbv2.DescribeRulesInput{}, elbv2.DescribeRulesOutput{}},
		{elbv2.DescribeTagsInput{}, elbv2.DescribeTagsOutput{}},
		{elbv2.DescribeTargetGroupAttributesInput{}, elbv2.DescribeTargetGroupAttributesOutput{}},
		{elbv2.DescribeTargetGroupsInput{}, elbv2.DescribeTargetGroupsOutput{}},
		{elbv2.DescribeTargetHealthInput{}, elbv2.DescribeTargetHealthOutput{}},
		{elbv2.ModifyIpPoolsInput{}, elbv2.ModifyIpPoolsOutput{}},
		{elbv2.RegisterTargetsInput{}, elbv2.RegisterTargetsOutput{}},
		{elbv2.RemoveTagsInput{}, elbv2.RemoveTagsOutput{}},
	}},
	{stsSpec, "sts", "sts", [][2]any{
		{sts.GetCallerIdentityInput{}, sts.GetCallerIdentityOutput{}},
	}},
}

func actionOf(op [2]any) string {
	return strings.TrimSuffix(reflect.TypeOf(op[0]).Name(), "Input")
}

func TestTheCodecIsHeldAgainstEveryOperation(t *testing.T) {
	for _, s := range allShapes {
		text, err := os.ReadFile(filepath.Join("..", "shapes", s.pkg, "zz_shapes.go"))
		if err != nil {
			t.Fatal(err)
		}
		listed := map[string]bool{}
		for _, op := range s.operations {
			listed[actionOf(op)] = true
		}
		for _, m := range regexp.MustCompile(`type (\w+)Output struct`).FindAllStringSubmatch(string(text), -1) {
			if !listed[m[1]] {
				t.Errorf("%s %s isn't in allShapes", s.pkg, m[1])
			}
		}
	}
}
