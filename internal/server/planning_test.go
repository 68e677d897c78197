package server_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/api/ec2"
	"github.com/fairlead/fairlead/internal/apierr"
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

	// From the pool: the lowest free block, which goes back with the subnet.
	drawn := func(vpc, pool *string) (string, string, error) {
		var out shapes.CreateSubnetOutput
		err := c.Do(t.Context(), "CreateSubnet", &shapes.CreateSubnetInput{VpcId: vpc, Ipv4IpamPoolId: pool, Ipv4NetmaskLength: new(int32(24))}, &out)
		if err != nil {
			return "", "", err
		}
		return *out.Subnet.SubnetId, *out.Subnet.CidrBlock, nil
	}
	third, cidr, err := drawn(net.Vpc.VpcId, id)
	if err != nil || cidr != "10.0.0.0/24" {
		t.Errorf("a subnet of the pool: %s, %v", cidr, err)
	}
	holders("10.0.0.0/24 "+third, "10.0.1.0/24 "+second, "10.0.2.0/24 custom")
	do("DeleteSubnet", &shapes.DeleteSubnetInput{SubnetId: &third}, new(shapes.DeleteSubnetOutput))
	holders("10.0.1.0/24 "+second, "10.0.2.0/24 custom")

	// Pool and VPC must belong together.
	var ordinary shapes.CreateIpamPoolOutput
	do("CreateIpamPool", &shapes.CreateIpamPoolInput{IpamScopeId: manager.Ipam.PrivateDefaultScopeId, AddressFamily: "ipv4", Locale: &s.Region}, &ordinary)
	do("ProvisionIpamPoolCidr", &shapes.ProvisionIpamPoolCidrInput{IpamPoolId: ordinary.IpamPool.IpamPoolId, Cidr: new("10.0.0.0/16")}, new(shapes.ProvisionIpamPoolCidrOutput))
	var other shapes.CreateVpcOutput
	do("CreateVpc", &shapes.CreateVpcInput{CidrBlock: new("10.0.0.0/16")}, &other)
	for _, c := range []struct {
		vpc, pool *string
		text      string
	}{
		{net.Vpc.VpcId, ordinary.IpamPool.IpamPoolId, "IpamPool '" + *ordinary.IpamPool.IpamPoolId + "' is missing a source resource"},
		{other.Vpc.VpcId, id, "serves no subnets of '" + *other.Vpc.VpcId + "'"},
	} {
		var refused *apierr.Error
		if _, _, err := drawn(c.vpc, c.pool); !errors.As(err, &refused) || refused.Code != "InvalidParameterValue" || !strings.Contains(refused.Message, c.text) {
			t.Errorf("got %v, want it refused with %q", err, c.text)
		}
	}
	var refused *apierr.Error
	err = c.Do(t.Context(), "CreateVpc", &shapes.CreateVpcInput{Ipv4IpamPoolId: id, Ipv4NetmaskLength: new(int32(24))}, new(shapes.CreateVpcOutput))
	if !errors.As(err, &refused) || refused.Code != "InvalidParameterValue" {
		t.Errorf("a VPC of a planning pool: %v", err)
	}
}
