package server_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/fairlead/fairlead/internal/api/ec2"
	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/testkit"
	"github.com/fairlead/fairlead/internal/wire"
)

// I1, I2: in a planning pool a VPC's subnets have what they have, from when the
// VPC's CIDR is provisioned until they are deleted.
func TestAPlanningPoolKnowsItsVPCsSubnets(t *testing.T) {
	s := testkit.Start(t, testkit.Config(t))
	c := wire.Client{Endpoint: s.API, Spec: ec2.Spec, Region: s.Region, AccessKeyID: s.Key.ID, Secret: s.Key.Secret}
	do := func(action string, in, out any) {
		t.Helper()
		if err := c.Do(t.Context(), action, in, out); err != nil {
			t.Fatal(err)
		}
	}
	var manager shapes.CreateIpamOutput
	do("CreateIpam", &shapes.CreateIpamInput{}, &manager)
	var net shapes.CreateVpcOutput
	do("CreateVpc", &shapes.CreateVpcInput{CidrBlock: new("10.0.0.0/16")}, &net)
	subnet := func(cidr string) string {
		t.Helper()
		var out shapes.CreateSubnetOutput
		do("CreateSubnet", &shapes.CreateSubnetInput{VpcId: net.Vpc.VpcId, CidrBlock: &cidr}, &out)
		return *out.Subnet.SubnetId
	}
	first := subnet("10.0.0.0/24")
	var pool shapes.CreateIpamPoolOutput
	do("CreateIpamPool", &shapes.CreateIpamPoolInput{
		IpamScopeId: manager.Ipam.PrivateDefaultScopeId, AddressFamily: "ipv4", Locale: &s.Region,
		SourceResource: &shapes.IpamPoolSourceResourceRequest{
			ResourceId: net.Vpc.VpcId, ResourceType: "vpc", ResourceRegion: &s.Region, ResourceOwner: net.Vpc.OwnerId,
		},
	}, &pool)
	if src := pool.IpamPool.SourceResource; src == nil || *src.ResourceId != *net.Vpc.VpcId {
		t.Errorf("CreateIpamPool: %+v", pool.IpamPool)
	}
	id := pool.IpamPool.IpamPoolId
	do("ProvisionIpamPoolCidr", &shapes.ProvisionIpamPoolCidrInput{IpamPoolId: id, Cidr: new("10.0.0.0/16")}, new(shapes.ProvisionIpamPoolCidrOutput))
	holders := func(want ...string) {
		t.Helper()
		var out shapes.GetIpamPoolAllocationsOutput
		do("GetIpamPoolAllocations", &shapes.GetIpamPoolAllocationsInput{IpamPoolId: id}, &out)
		var got []string
		for _, a := range out.IpamPoolAllocations {
			holder := string(a.ResourceType)
			if a.ResourceId != nil {
				holder = *a.ResourceId
			}
			got = append(got, fmt.Sprint(*a.Cidr, " ", holder))
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	holders("10.0.0.0/24 " + first)
	second := subnet("10.0.1.0/24")
	do("AllocateIpamPoolCidr", &shapes.AllocateIpamPoolCidrInput{IpamPoolId: id, NetmaskLength: new(int32(24))}, new(shapes.AllocateIpamPoolCidrOutput))
	holders("10.0.0.0/24 "+first, "10.0.1.0/24 "+second, "10.0.2.0/24 custom")
	do("DeleteSubnet", &shapes.DeleteSubnetInput{SubnetId: &first}, new(shapes.DeleteSubnetOutput))
	holders("10.0.1.0/24 "+second, "10.0.2.0/24 custom")
}
