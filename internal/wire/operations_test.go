package wire_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/shapes/acm"
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

// jsonShapes are the services of the JSON protocol.
var jsonShapes = []shapesOf{
	{acmSpec, "acm", "acm", [][2]any{
		{acm.AddTagsToCertificateInput{}, acm.AddTagsToCertificateOutput{}},
		{acm.DeleteCertificateInput{}, acm.DeleteCertificateOutput{}},
		{acm.DescribeCertificateInput{}, acm.DescribeCertificateOutput{}},
		{acm.GetCertificateInput{}, acm.GetCertificateOutput{}},
		{acm.ImportCertificateInput{}, acm.ImportCertificateOutput{}},
		{acm.ListCertificatesInput{}, acm.ListCertificatesOutput{}},
		{acm.ListTagsForCertificateInput{}, acm.ListTagsForCertificateOutput{}},
		{acm.RemoveTagsFromCertificateInput{}, acm.RemoveTagsFromCertificateOutput{}},
		{acm.RenewCertificateInput{}, acm.RenewCertificateOutput{}},
		{acm.RequestCertificateInput{}, acm.RequestCertificateOutput{}},
	}},
}

// allShapes are the services of the protocols that send forms.
var allShapes = []shapesOf{
	{ec2Spec, "ec2", "ec2", [][2]any{
		{ec2.AdvertiseByoipCidrInput{}, ec2.AdvertiseByoipCidrOutput{}},
		{ec2.AllocateAddressInput{}, ec2.AllocateAddressOutput{}},
		{ec2.AllocateIpamPoolCidrInput{}, ec2.AllocateIpamPoolCidrOutput{}},
		{ec2.AssignIpv6AddressesInput{}, ec2.AssignIpv6AddressesOutput{}},
		{ec2.AssignPrivateIpAddressesInput{}, ec2.AssignPrivateIpAddressesOutput{}},
		{ec2.AssociateAddressInput{}, ec2.AssociateAddressOutput{}},
		{ec2.AssociateDhcpOptionsInput{}, ec2.AssociateDhcpOptionsOutput{}},
		{ec2.AssociateIpamResourceDiscoveryInput{}, ec2.AssociateIpamResourceDiscoveryOutput{}},
		{ec2.AssociateRouteTableInput{}, ec2.AssociateRouteTableOutput{}},
		{ec2.AssociateSubnetCidrBlockInput{}, ec2.AssociateSubnetCidrBlockOutput{}},
		{ec2.AssociateVpcCidrBlockInput{}, ec2.AssociateVpcCidrBlockOutput{}},
		{ec2.AttachInternetGatewayInput{}, ec2.AttachInternetGatewayOutput{}},
		{ec2.AttachNetworkInterfaceInput{}, ec2.AttachNetworkInterfaceOutput{}},
		{ec2.AuthorizeSecurityGroupEgressInput{}, ec2.AuthorizeSecurityGroupEgressOutput{}},
		{ec2.AuthorizeSecurityGroupIngressInput{}, ec2.AuthorizeSecurityGroupIngressOutput{}},
		{ec2.CreateDefaultSubnetInput{}, ec2.CreateDefaultSubnetOutput{}},
		{ec2.CreateDefaultVpcInput{}, ec2.CreateDefaultVpcOutput{}},
		{ec2.CreateInternetGatewayInput{}, ec2.CreateInternetGatewayOutput{}},
		{ec2.CreateIpamInput{}, ec2.CreateIpamOutput{}},
		{ec2.CreateIpamExternalResourceVerificationTokenInput{}, ec2.CreateIpamExternalResourceVerificationTokenOutput{}},
		{ec2.CreateIpamPolicyInput{}, ec2.CreateIpamPolicyOutput{}},
		{ec2.CreateIpamPoolInput{}, ec2.CreateIpamPoolOutput{}},
		{ec2.CreateIpamPrefixListResolverInput{}, ec2.CreateIpamPrefixListResolverOutput{}},
		{ec2.CreateIpamPrefixListResolverTargetInput{}, ec2.CreateIpamPrefixListResolverTargetOutput{}},
		{ec2.CreateIpamResourceDiscoveryInput{}, ec2.CreateIpamResourceDiscoveryOutput{}},
		{ec2.CreateIpamScopeInput{}, ec2.CreateIpamScopeOutput{}},
		{ec2.CreateManagedPrefixListInput{}, ec2.CreateManagedPrefixListOutput{}},
		{ec2.CreateNetworkInterfaceInput{}, ec2.CreateNetworkInterfaceOutput{}},
		{ec2.CreatePublicIpv4PoolInput{}, ec2.CreatePublicIpv4PoolOutput{}},
		{ec2.CreateRouteInput{}, ec2.CreateRouteOutput{}},
		{ec2.CreateRouteTableInput{}, ec2.CreateRouteTableOutput{}},
		{ec2.CreateSecurityGroupInput{}, ec2.CreateSecurityGroupOutput{}},
		{ec2.CreateSubnetInput{}, ec2.CreateSubnetOutput{}},
		{ec2.CreateTagsInput{}, ec2.CreateTagsOutput{}},
		{ec2.CreateVpcInput{}, ec2.CreateVpcOutput{}},
		{ec2.DeleteInternetGatewayInput{}, ec2.DeleteInternetGatewayOutput{}},
		{ec2.DeleteIpamInput{}, ec2.DeleteIpamOutput{}},
		{ec2.DeleteIpamExternalResourceVerificationTokenInput{}, ec2.DeleteIpamExternalResourceVerificationTokenOutput{}},
		{ec2.DeleteIpamPolicyInput{}, ec2.DeleteIpamPolicyOutput{}},
		{ec2.DeleteIpamPoolInput{}, ec2.DeleteIpamPoolOutput{}},
		{ec2.DeleteIpamPrefixListResolverInput{}, ec2.DeleteIpamPrefixListResolverOutput{}},
		{ec2.DeleteIpamPrefixListResolverTargetInput{}, ec2.DeleteIpamPrefixListResolverTargetOutput{}},
		{ec2.DeleteIpamResourceDiscoveryInput{}, ec2.DeleteIpamResourceDiscoveryOutput{}},
		{ec2.DeleteIpamScopeInput{}, ec2.DeleteIpamScopeOutput{}},
		{ec2.DeleteManagedPrefixListInput{}, ec2.DeleteManagedPrefixListOutput{}},
		{ec2.DeleteNetworkInterfaceInput{}, ec2.DeleteNetworkInterfaceOutput{}},
		{ec2.DeletePublicIpv4PoolInput{}, ec2.DeletePublicIpv4PoolOutput{}},
		{ec2.DeleteRouteInput{}, ec2.DeleteRouteOutput{}},
		{ec2.DeleteRouteTableInput{}, ec2.DeleteRouteTableOutput{}},
		{ec2.DeleteSecurityGroupInput{}, ec2.DeleteSecurityGroupOutput{}},
		{ec2.DeleteSubnetInput{}, ec2.DeleteSubnetOutput{}},
		{ec2.DeleteTagsInput{}, ec2.DeleteTagsOutput{}},
		{ec2.DeleteVpcInput{}, ec2.DeleteVpcOutput{}},
		{ec2.DeprovisionByoipCidrInput{}, ec2.DeprovisionByoipCidrOutput{}},
		{ec2.DeprovisionIpamPoolCidrInput{}, ec2.DeprovisionIpamPoolCidrOutput{}},
		{ec2.DeprovisionPublicIpv4PoolCidrInput{}, ec2.DeprovisionPublicIpv4PoolCidrOutput{}},
		{ec2.DescribeAccountAttributesInput{}, ec2.DescribeAccountAttributesOutput{}},
		{ec2.DescribeAddressesInput{}, ec2.DescribeAddressesOutput{}},
		{ec2.DescribeAddressesAttributeInput{}, ec2.DescribeAddressesAttributeOutput{}},
		{ec2.DescribeAvailabilityZonesInput{}, ec2.DescribeAvailabilityZonesOutput{}},
		{ec2.DescribeByoipCidrsInput{}, ec2.DescribeByoipCidrsOutput{}},
		{ec2.DescribeDhcpOptionsInput{}, ec2.DescribeDhcpOptionsOutput{}},
		{ec2.DescribeInstancesInput{}, ec2.DescribeInstancesOutput{}},
		{ec2.DescribeInstanceStatusInput{}, ec2.DescribeInstanceStatusOutput{}},
		{ec2.DescribeInternetGatewaysInput{}, ec2.DescribeInternetGatewaysOutput{}},
		{ec2.DescribeIpamExternalResourceVerificationTokensInput{}, ec2.DescribeIpamExternalResourceVerificationTokensOutput{}},
		{ec2.DescribeIpamPoliciesInput{}, ec2.DescribeIpamPoliciesOutput{}},
		{ec2.DescribeIpamPoolAllocationsInput{}, ec2.DescribeIpamPoolAllocationsOutput{}},
		{ec2.DescribeIpamPoolsInput{}, ec2.DescribeIpamPoolsOutput{}},
		{ec2.DescribeIpamPrefixListResolverTargetsInput{}, ec2.DescribeIpamPrefixListResolverTargetsOutput{}},
		{ec2.DescribeIpamPrefixListResolversInput{}, ec2.DescribeIpamPrefixListResolversOutput{}},
		{ec2.DescribeIpamResourceDiscoveriesInput{}, ec2.DescribeIpamResourceDiscoveriesOutput{}},
		{ec2.DescribeIpamResourceDiscoveryAssociationsInput{}, ec2.DescribeIpamResourceDiscoveryAssociationsOutput{}},
		{ec2.DescribeIpamScopesInput{}, ec2.DescribeIpamScopesOutput{}},
		{ec2.DescribeIpamsInput{}, ec2.DescribeIpamsOutput{}},
		{ec2.DescribeManagedPrefixListsInput{}, ec2.DescribeManagedPrefixListsOutput{}},
		{ec2.DescribeNetworkAclsInput{}, ec2.DescribeNetworkAclsOutput{}},
		{ec2.DescribeNetworkInterfaceAttributeInput{}, ec2.DescribeNetworkInterfaceAttributeOutput{}},
		{ec2.DescribeNetworkInterfacesInput{}, ec2.DescribeNetworkInterfacesOutput{}},
		{ec2.DescribePrefixListsInput{}, ec2.DescribePrefixListsOutput{}},
		{ec2.DescribePublicIpv4PoolsInput{}, ec2.DescribePublicIpv4PoolsOutput{}},
		{ec2.DescribeRegionsInput{}, ec2.DescribeRegionsOutput{}},
		{ec2.DescribeRouteTablesInput{}, ec2.DescribeRouteTablesOutput{}},
		{ec2.DescribeSecurityGroupRulesInput{}, ec2.DescribeSecurityGroupRulesOutput{}},
		{ec2.DescribeSecurityGroupsInput{}, ec2.DescribeSecurityGroupsOutput{}},
		{ec2.DescribeSubnetsInput{}, ec2.DescribeSubnetsOutput{}},
		{ec2.DescribeTagsInput{}, ec2.DescribeTagsOutput{}},
		{ec2.DescribeVpcAttributeInput{}, ec2.DescribeVpcAttributeOutput{}},
		{ec2.DescribeVpcClassicLinkInput{}, ec2.DescribeVpcClassicLinkOutput{}},
		{ec2.DescribeVpcClassicLinkDnsSupportInput{}, ec2.DescribeVpcClassicLinkDnsSupportOutput{}},
		{ec2.DescribeVpcsInput{}, ec2.DescribeVpcsOutput{}},
		{ec2.DetachInternetGatewayInput{}, ec2.DetachInternetGatewayOutput{}},
		{ec2.DetachNetworkInterfaceInput{}, ec2.DetachNetworkInterfaceOutput{}},
		{ec2.DisableIpamPolicyInput{}, ec2.DisableIpamPolicyOutput{}},
		{ec2.DisassociateAddressInput{}, ec2.DisassociateAddressOutput{}},
		{ec2.DisassociateIpamResourceDiscoveryInput{}, ec2.DisassociateIpamResourceDiscoveryOutput{}},
		{ec2.DisassociateRouteTableInput{}, ec2.DisassociateRouteTableOutput{}},
		{ec2.DisassociateSubnetCidrBlockInput{}, ec2.DisassociateSubnetCidrBlockOutput{}},
		{ec2.DisassociateVpcCidrBlockInput{}, ec2.DisassociateVpcCidrBlockOutput{}},
		{ec2.EnableIpamPolicyInput{}, ec2.EnableIpamPolicyOutput{}},
		{ec2.GetEnabledIpamPolicyInput{}, ec2.GetEnabledIpamPolicyOutput{}},
		{ec2.GetIpamAddressHistoryInput{}, ec2.GetIpamAddressHistoryOutput{}},
		{ec2.GetIpamDiscoveredAccountsInput{}, ec2.GetIpamDiscoveredAccountsOutput{}},
		{ec2.GetIpamDiscoveredPublicAddressesInput{}, ec2.GetIpamDiscoveredPublicAddressesOutput{}},
		{ec2.GetIpamDiscoveredResourceCidrsInput{}, ec2.GetIpamDiscoveredResourceCidrsOutput{}},
		{ec2.GetIpamPolicyAllocationRulesInput{}, ec2.GetIpamPolicyAllocationRulesOutput{}},
		{ec2.GetIpamPolicyOrganizationTargetsInput{}, ec2.GetIpamPolicyOrganizationTargetsOutput{}},
		{ec2.GetIpamPoolAllocationsInput{}, ec2.GetIpamPoolAllocationsOutput{}},
		{ec2.GetIpamPoolCidrsInput{}, ec2.GetIpamPoolCidrsOutput{}},
		{ec2.GetIpamPrefixListResolverRulesInput{}, ec2.GetIpamPrefixListResolverRulesOutput{}},
		{ec2.GetIpamPrefixListResolverVersionEntriesInput{}, ec2.GetIpamPrefixListResolverVersionEntriesOutput{}},
		{ec2.GetIpamPrefixListResolverVersionsInput{}, ec2.GetIpamPrefixListResolverVersionsOutput{}},
		{ec2.GetIpamResourceCidrsInput{}, ec2.GetIpamResourceCidrsOutput{}},
		{ec2.GetManagedPrefixListAssociationsInput{}, ec2.GetManagedPrefixListAssociationsOutput{}},
		{ec2.GetManagedPrefixListEntriesInput{}, ec2.GetManagedPrefixListEntriesOutput{}},
		{ec2.ModifyIpamInput{}, ec2.ModifyIpamOutput{}},
		{ec2.ModifyIpamPolicyAllocationRulesInput{}, ec2.ModifyIpamPolicyAllocationRulesOutput{}},
		{ec2.ModifyIpamPoolInput{}, ec2.ModifyIpamPoolOutput{}},
		{ec2.ModifyIpamPoolAllocationInput{}, ec2.ModifyIpamPoolAllocationOutput{}},
		{ec2.ModifyIpamPrefixListResolverInput{}, ec2.ModifyIpamPrefixListResolverOutput{}},
		{ec2.ModifyIpamPrefixListResolverTargetInput{}, ec2.ModifyIpamPrefixListResolverTargetOutput{}},
		{ec2.ModifyIpamResourceCidrInput{}, ec2.ModifyIpamResourceCidrOutput{}},
		{ec2.ModifyIpamResourceDiscoveryInput{}, ec2.ModifyIpamResourceDiscoveryOutput{}},
		{ec2.ModifyIpamScopeInput{}, ec2.ModifyIpamScopeOutput{}},
		{ec2.ModifyManagedPrefixListInput{}, ec2.ModifyManagedPrefixListOutput{}},
		{ec2.ModifyNetworkInterfaceAttributeInput{}, ec2.ModifyNetworkInterfaceAttributeOutput{}},
		{ec2.ModifySecurityGroupRulesInput{}, ec2.ModifySecurityGroupRulesOutput{}},
		{ec2.ModifySubnetAttributeInput{}, ec2.ModifySubnetAttributeOutput{}},
		{ec2.ModifyVpcAttributeInput{}, ec2.ModifyVpcAttributeOutput{}},
		{ec2.MoveByoipCidrToIpamInput{}, ec2.MoveByoipCidrToIpamOutput{}},
		{ec2.ProvisionByoipCidrInput{}, ec2.ProvisionByoipCidrOutput{}},
		{ec2.ProvisionIpamPoolCidrInput{}, ec2.ProvisionIpamPoolCidrOutput{}},
		{ec2.ProvisionPublicIpv4PoolCidrInput{}, ec2.ProvisionPublicIpv4PoolCidrOutput{}},
		{ec2.ReleaseAddressInput{}, ec2.ReleaseAddressOutput{}},
		{ec2.ReleaseIpamPoolAllocationInput{}, ec2.ReleaseIpamPoolAllocationOutput{}},
		{ec2.ReplaceRouteInput{}, ec2.ReplaceRouteOutput{}},
		{ec2.ReplaceRouteTableAssociationInput{}, ec2.ReplaceRouteTableAssociationOutput{}},
		{ec2.ResetNetworkInterfaceAttributeInput{}, ec2.ResetNetworkInterfaceAttributeOutput{}},
		{ec2.RestoreManagedPrefixListVersionInput{}, ec2.RestoreManagedPrefixListVersionOutput{}},
		{ec2.RevokeSecurityGroupEgressInput{}, ec2.RevokeSecurityGroupEgressOutput{}},
		{ec2.RevokeSecurityGroupIngressInput{}, ec2.RevokeSecurityGroupIngressOutput{}},
		{ec2.UnassignIpv6AddressesInput{}, ec2.UnassignIpv6AddressesOutput{}},
		{ec2.UnassignPrivateIpAddressesInput{}, ec2.UnassignPrivateIpAddressesOutput{}},
		{ec2.UpdateSecurityGroupRuleDescriptionsEgressInput{}, ec2.UpdateSecurityGroupRuleDescriptionsEgressOutput{}},
		{ec2.UpdateSecurityGroupRuleDescriptionsIngressInput{}, ec2.UpdateSecurityGroupRuleDescriptionsIngressOutput{}},
		{ec2.WithdrawByoipCidrInput{}, ec2.WithdrawByoipCidrOutput{}},
	}},
	{elbSpec, "elbv2", "elasticloadbalancingv2", [][2]any{
		{elbv2.AddListenerCertificatesInput{}, elbv2.AddListenerCertificatesOutput{}},
		{elbv2.DescribeListenerCertificatesInput{}, elbv2.DescribeListenerCertificatesOutput{}},
		{elbv2.DescribeSSLPoliciesInput{}, elbv2.DescribeSSLPoliciesOutput{}},
		{elbv2.CreateTrustStoreInput{}, elbv2.CreateTrustStoreOutput{}},
		{elbv2.ModifyTrustStoreInput{}, elbv2.ModifyTrustStoreOutput{}},
		{elbv2.DescribeTrustStoresInput{}, elbv2.DescribeTrustStoresOutput{}},
		{elbv2.DeleteTrustStoreInput{}, elbv2.DeleteTrustStoreOutput{}},
		{elbv2.AddTrustStoreRevocationsInput{}, elbv2.AddTrustStoreRevocationsOutput{}},
		{elbv2.RemoveTrustStoreRevocationsInput{}, elbv2.RemoveTrustStoreRevocationsOutput{}},
		{elbv2.DescribeTrustStoreRevocationsInput{}, elbv2.DescribeTrustStoreRevocationsOutput{}},
		{elbv2.DescribeTrustStoreAssociationsInput{}, elbv2.DescribeTrustStoreAssociationsOutput{}},
		{elbv2.GetTrustStoreCaCertificatesBundleInput{}, elbv2.GetTrustStoreCaCertificatesBundleOutput{}},
		{elbv2.GetTrustStoreRevocationContentInput{}, elbv2.GetTrustStoreRevocationContentOutput{}},
		{elbv2.RemoveListenerCertificatesInput{}, elbv2.RemoveListenerCertificatesOutput{}},
		{elbv2.AddTagsInput{}, elbv2.AddTagsOutput{}},
		{elbv2.CreateListenerInput{}, elbv2.CreateListenerOutput{}},
		{elbv2.CreateLoadBalancerInput{}, elbv2.CreateLoadBalancerOutput{}},
		{elbv2.CreateRuleInput{}, elbv2.CreateRuleOutput{}},
		{elbv2.CreateTargetGroupInput{}, elbv2.CreateTargetGroupOutput{}},
		{elbv2.DeleteListenerInput{}, elbv2.DeleteListenerOutput{}},
		{elbv2.DeleteLoadBalancerInput{}, elbv2.DeleteLoadBalancerOutput{}},
		{elbv2.DeleteRuleInput{}, elbv2.DeleteRuleOutput{}},
		{elbv2.DeleteSharedTrustStoreAssociationInput{}, elbv2.DeleteSharedTrustStoreAssociationOutput{}},
		{elbv2.DeleteTargetGroupInput{}, elbv2.DeleteTargetGroupOutput{}},
		{elbv2.DeregisterTargetsInput{}, elbv2.DeregisterTargetsOutput{}},
		{elbv2.DescribeAccountLimitsInput{}, elbv2.DescribeAccountLimitsOutput{}},
		{elbv2.DescribeCapacityReservationInput{}, elbv2.DescribeCapacityReservationOutput{}},
		{elbv2.DescribeListenerAttributesInput{}, elbv2.DescribeListenerAttributesOutput{}},
		{elbv2.DescribeListenersInput{}, elbv2.DescribeListenersOutput{}},
		{elbv2.DescribeLoadBalancerAttributesInput{}, elbv2.DescribeLoadBalancerAttributesOutput{}},
		{elbv2.DescribeLoadBalancersInput{}, elbv2.DescribeLoadBalancersOutput{}},
		{elbv2.DescribeRulesInput{}, elbv2.DescribeRulesOutput{}},
		{elbv2.DescribeTagsInput{}, elbv2.DescribeTagsOutput{}},
		{elbv2.DescribeTargetGroupAttributesInput{}, elbv2.DescribeTargetGroupAttributesOutput{}},
		{elbv2.DescribeTargetGroupsInput{}, elbv2.DescribeTargetGroupsOutput{}},
		{elbv2.DescribeTargetHealthInput{}, elbv2.DescribeTargetHealthOutput{}},
		{elbv2.GetResourcePolicyInput{}, elbv2.GetResourcePolicyOutput{}},
		{elbv2.ModifyCapacityReservationInput{}, elbv2.ModifyCapacityReservationOutput{}},
		{elbv2.ModifyIpPoolsInput{}, elbv2.ModifyIpPoolsOutput{}},
		{elbv2.ModifyListenerInput{}, elbv2.ModifyListenerOutput{}},
		{elbv2.ModifyListenerAttributesInput{}, elbv2.ModifyListenerAttributesOutput{}},
		{elbv2.ModifyLoadBalancerAttributesInput{}, elbv2.ModifyLoadBalancerAttributesOutput{}},
		{elbv2.ModifyRuleInput{}, elbv2.ModifyRuleOutput{}},
		{elbv2.ModifyTargetGroupInput{}, elbv2.ModifyTargetGroupOutput{}},
		{elbv2.ModifyTargetGroupAttributesInput{}, elbv2.ModifyTargetGroupAttributesOutput{}},
		{elbv2.RegisterTargetsInput{}, elbv2.RegisterTargetsOutput{}},
		{elbv2.RemoveTagsInput{}, elbv2.RemoveTagsOutput{}},
		{elbv2.SetIpAddressTypeInput{}, elbv2.SetIpAddressTypeOutput{}},
		{elbv2.SetRulePrioritiesInput{}, elbv2.SetRulePrioritiesOutput{}},
		{elbv2.SetSecurityGroupsInput{}, elbv2.SetSecurityGroupsOutput{}},
		{elbv2.SetSubnetsInput{}, elbv2.SetSubnetsOutput{}},
	}},
	{stsSpec, "sts", "sts", [][2]any{
		{sts.GetCallerIdentityInput{}, sts.GetCallerIdentityOutput{}},
	}},
}

func actionOf(op [2]any) string {
	return strings.TrimSuffix(reflect.TypeOf(op[0]).Name(), "Input")
}

func TestTheCodecIsHeldAgainstEveryOperation(t *testing.T) {
	for _, s := range slices.Concat(allShapes, jsonShapes) {
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
