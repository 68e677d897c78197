package server_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/api/ec2"
	"github.com/fairlead/fairlead/internal/apierr"
	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/testkit"
	"github.com/fairlead/fairlead/internal/wire"
)

// caller calls EC2 as the root account does.
type caller struct {
	*testing.T
	wire.Client
}

func ec2Caller(t *testing.T, s *testkit.Server) caller {
	return caller{t, wire.Client{Endpoint: s.API, Spec: ec2.Spec, Region: s.Region, AccessKeyID: s.Key.ID, Secret: s.Key.Secret}}
}

// call calls an action, which must succeed.
func call[Out any](c caller, action string, in any) *Out {
	c.Helper()
	out := new(Out)
	if err := c.Do(c.Context(), action, in, out); err != nil {
		c.Fatalf("%s: %v", action, err)
	}
	return out
}

// privatePool makes an IPAM and a pool for the VPCs of the region.
func (c caller) privatePool(cidr string, change ...func(*shapes.CreateIpamPoolInput)) string {
	c.Helper()
	scope := call[shapes.CreateIpamOutput](c, "CreateIpam", &shapes.CreateIpamInput{}).Ipam.PrivateDefaultScopeId
	return c.pool(*scope, cidr, change...)
}

func (c caller) pool(scope, cidr string, change ...func(*shapes.CreateIpamPoolInput)) string {
	c.Helper()
	in := &shapes.CreateIpamPoolInput{IpamScopeId: &scope, AddressFamily: shapes.AddressFamilyIpv4, Locale: new(c.Region)}
	for _, f := range change {
		f(in)
	}
	id := *call[shapes.CreateIpamPoolOutput](c, "CreateIpamPool", in).IpamPool.IpamPoolId
	call[shapes.ProvisionIpamPoolCidrOutput](c, "ProvisionIpamPoolCidr", &shapes.ProvisionIpamPoolCidrInput{IpamPoolId: &id, Cidr: &cidr})
	return id
}

// allocations returns what a pool has given, and to what.
func (c caller) allocations(pool string) []string {
	c.Helper()
	got := []string{}
	for _, a := range call[shapes.GetIpamPoolAllocationsOutput](c, "GetIpamPoolAllocations", &shapes.GetIpamPoolAllocationsInput{IpamPoolId: &pool}).IpamPoolAllocations {
		got = append(got, fmt.Sprint(*a.Cidr, " ", a.ResourceType, " ", *a.ResourceId))
	}
	slices.Sort(got)
	return got
}

func (c caller) wantAllocations(pool string, want ...string) {
	c.Helper()
	if got := c.allocations(pool); !slices.Equal(got, want) {
		c.Errorf("I2: the pool has %q, want %q", got, want)
	}
}

// A VPC's CIDRs come out of a pool, are shown there as its own, and go back with it.
func TestAVPCOutOfAPool(t *testing.T) {
	s := testkit.Start(t, testkit.Config(t))
	c := ec2Caller(t, s)
	pool := c.privatePool("10.32.0.0/12")

	v := *call[shapes.CreateVpcOutput](c, "CreateVpc", &shapes.CreateVpcInput{
		Ipv4IpamPoolId: &pool, Ipv4NetmaskLength: new(int32(16)), AmazonProvidedIpv6CidrBlock: new(true),
	}).Vpc
	if len(v.Ipv6CidrBlockAssociationSet) != 1 || *v.CidrBlock != "10.32.0.0/16" {
		t.Fatalf("got %+v", v)
	}
	six := v.Ipv6CidrBlockAssociationSet[0]
	if got := fmt.Sprint(*six.Ipv6CidrBlock, " ", *six.Ipv6Pool, " ", *six.NetworkBorderGroup, " ", six.IpSource, " ", six.Ipv6AddressAttribute, " ", six.Ipv6CidrBlockState.State); got != "fdfa:1ead::/56 Amazon local-1 amazon public associating" {
		t.Errorf("IPv6: got %s", got)
	}
	second := call[shapes.AssociateVpcCidrBlockOutput](c, "AssociateVpcCidrBlock", &shapes.AssociateVpcCidrBlockInput{
		VpcId: v.VpcId, Ipv4IpamPoolId: &pool, Ipv4NetmaskLength: new(int32(20)),
	}).CidrBlockAssociation
	if second == nil || *second.CidrBlock != "10.33.0.0/20" || second.CidrBlockState.State != "associating" {
		t.Fatalf("got %+v", second)
	}
	c.wantAllocations(pool, "10.32.0.0/16 vpc "+*v.VpcId, "10.33.0.0/20 vpc "+*v.VpcId)

	found := call[shapes.DescribeVpcsOutput](c, "DescribeVpcs", &shapes.DescribeVpcsInput{Filters: []shapes.Filter{
		{Name: new("cidr-block-association.association-id"), Values: []string{*second.AssociationId}},
		{Name: new("ipv6-cidr-block-association.ipv6-cidr-block"), Values: []string{"fdfa:1ead::*"}},
		{Name: new("cidr-block-association.state"), Values: []string{"associated"}},
	}}).Vpcs
	if len(found) != 1 || *found[0].VpcId != *v.VpcId || len(found[0].CidrBlockAssociationSet) != 2 || *found[0].CidrBlock != "10.32.0.0/16" {
		t.Errorf("described: %+v", found)
	}

	subnet := call[shapes.CreateSubnetOutput](c, "CreateSubnet", &shapes.CreateSubnetInput{
		VpcId: v.VpcId, CidrBlock: new("10.33.1.0/24"), Ipv6CidrBlock: new("fdfa:1ead:0:a::/64"),
	}).Subnet
	if got := fmt.Sprint(*subnet.AvailableIpAddressCount, " ", subnet.Ipv6CidrBlockAssociationSet[0].IpSource); got != "251 amazon" {
		t.Errorf("subnet: got %s", got)
	}
	for _, refused := range []string{*second.AssociationId, *six.AssociationId} {
		c.wantRefusal("DependencyViolation", "DisassociateVpcCidrBlock", &shapes.DisassociateVpcCidrBlockInput{AssociationId: &refused})
	}
	call[shapes.DisassociateSubnetCidrBlockOutput](c, "DisassociateSubnetCidrBlock", &shapes.DisassociateSubnetCidrBlockInput{AssociationId: subnet.Ipv6CidrBlockAssociationSet[0].AssociationId})
	gone := call[shapes.DisassociateVpcCidrBlockOutput](c, "DisassociateVpcCidrBlock", &shapes.DisassociateVpcCidrBlockInput{AssociationId: six.AssociationId})
	if gone.Ipv6CidrBlockAssociation == nil || *gone.VpcId != *v.VpcId || gone.Ipv6CidrBlockAssociation.Ipv6CidrBlockState.State != "disassociating" {
		t.Errorf("disassociated: %+v", gone)
	}
	again := call[shapes.AssociateVpcCidrBlockOutput](c, "AssociateVpcCidrBlock", &shapes.AssociateVpcCidrBlockInput{VpcId: v.VpcId, AmazonProvidedIpv6CidrBlock: new(true)})
	if again.Ipv6CidrBlockAssociation == nil || *again.Ipv6CidrBlockAssociation.Ipv6CidrBlock != "fdfa:1ead::/56" {
		t.Errorf("I3: the region's own block again: %+v", again)
	}
	call[shapes.AssociateSubnetCidrBlockOutput](c, "AssociateSubnetCidrBlock", &shapes.AssociateSubnetCidrBlockInput{SubnetId: subnet.SubnetId, Ipv6CidrBlock: new("fdfa:1ead:0:b::/64")})

	call[shapes.DeleteSubnetOutput](c, "DeleteSubnet", &shapes.DeleteSubnetInput{SubnetId: subnet.SubnetId})
	call[shapes.DeleteVpcOutput](c, "DeleteVpc", &shapes.DeleteVpcInput{VpcId: v.VpcId})
	c.wantAllocations(pool)
}

func TestWhatAVPCMayNotHaveOutOfAPool(t *testing.T) {
	// I10, I2. Codes: the specification of addressing, appendix B.
	s := testkit.Start(t, testkit.Config(t))
	c := ec2Caller(t, s)
	pool := c.privatePool("10.32.0.0/14")
	scope := *call[shapes.DescribeIpamsOutput](c, "DescribeIpams", &shapes.DescribeIpamsInput{}).Ipams[0].PrivateDefaultScopeId
	tagged := c.pool(scope, "10.48.0.0/16", func(in *shapes.CreateIpamPoolInput) {
		in.AllocationResourceTags = []shapes.RequestIpamResourceTag{{Key: new("env"), Value: new("test")}}
		in.AllocationMinNetmaskLength, in.AllocationDefaultNetmaskLength = new(int32(20)), new(int32(24))
	})
	v := *call[shapes.CreateVpcOutput](c, "CreateVpc", &shapes.CreateVpcInput{CidrBlock: new("10.0.0.0/16")}).Vpc.VpcId

	for _, tc := range []struct {
		name, code string
		in         any
	}{
		{"a pool that isn't", "InvalidIpamPoolId.NotFound", &shapes.CreateVpcInput{Ipv4IpamPoolId: new("ipam-pool-00000000000000000"), Ipv4NetmaskLength: new(int32(16))}},
		{"more than the pool has", "InvalidParameterValue", &shapes.CreateVpcInput{Ipv4IpamPoolId: &pool, Ipv4NetmaskLength: new(int32(8))}},
		{"more than a VPC may have", "InvalidVpcRange", &shapes.CreateVpcInput{Ipv4IpamPoolId: &pool, Ipv4NetmaskLength: new(int32(15))}},
		{"less than a VPC may have", "InvalidVpcRange", &shapes.CreateVpcInput{Ipv4IpamPoolId: &pool, Ipv4NetmaskLength: new(int32(32))}},
		{"neither CIDR nor length, and no default", "InvalidParameterCombination", &shapes.CreateVpcInput{Ipv4IpamPoolId: &pool}},
		{"CIDR and length", "InvalidParameterCombination", &shapes.CreateVpcInput{Ipv4IpamPoolId: &pool, Ipv4NetmaskLength: new(int32(16)), CidrBlock: new("10.32.0.0/16")}},
		{"a length without a pool", "InvalidParameterCombination", &shapes.CreateVpcInput{Ipv4NetmaskLength: new(int32(16))}},
		{"a CIDR that the pool hasn't", "InvalidParameterValue", &shapes.CreateVpcInput{Ipv4IpamPoolId: &pool, CidrBlock: new("10.99.0.0/16")}},
		{"a VPC without the pool's tags", "InvalidParameterValue", &shapes.CreateVpcInput{Ipv4IpamPoolId: &tagged}},
		{"another VPC's CIDR without the pool's tags", "InvalidParameterValue", &shapes.AssociateVpcCidrBlockInput{VpcId: &v, Ipv4IpamPoolId: &tagged}},
		{"an IPv4 pool for IPv6", "InvalidParameterValue", &shapes.CreateVpcInput{CidrBlock: new("10.1.0.0/16"), Ipv6IpamPoolId: &pool, Ipv6NetmaskLength: new(int32(56))}},
		{"an IPv4 pool's IPv4 for IPv6", "InvalidVpcRange", &shapes.AssociateVpcCidrBlockInput{VpcId: &v, Ipv6IpamPoolId: &pool, Ipv6NetmaskLength: new(int32(24))}},
		{"an IPv6 CIDR without a pool", "InvalidParameterCombination", &shapes.CreateVpcInput{CidrBlock: new("10.1.0.0/16"), Ipv6CidrBlock: new("2001:db8::/56")}},
		{"two sources of IPv6", "InvalidParameterCombination", &shapes.CreateVpcInput{CidrBlock: new("10.1.0.0/16"), AmazonProvidedIpv6CidrBlock: new(true), Ipv6IpamPoolId: &pool}},
		{"a border group without a block", "InvalidParameterCombination", &shapes.CreateVpcInput{CidrBlock: new("10.1.0.0/16"), Ipv6CidrBlockNetworkBorderGroup: new("local-1")}},
		{"a border group elsewhere", "InvalidParameterValue", &shapes.CreateVpcInput{CidrBlock: new("10.1.0.0/16"), AmazonProvidedIpv6CidrBlock: new(true), Ipv6CidrBlockNetworkBorderGroup: new("mars-1")}},
		{"both families at once", "InvalidParameterCombination", &shapes.AssociateVpcCidrBlockInput{VpcId: &v, CidrBlock: new("10.1.0.0/16"), AmazonProvidedIpv6CidrBlock: new(true)}},
		{"nothing to associate", "MissingParameter", &shapes.AssociateVpcCidrBlockInput{VpcId: &v}},
		{"an overlap", "InvalidVpcRange", &shapes.AssociateVpcCidrBlockInput{VpcId: &v, CidrBlock: new("10.0.1.0/24")}},
		{"a VPC that isn't", "InvalidVpcID.NotFound", &shapes.AssociateVpcCidrBlockInput{VpcId: new("vpc-00000000000000000"), Ipv4IpamPoolId: &pool, Ipv4NetmaskLength: new(int32(16))}},
		{"an association that isn't", "InvalidVpcCidrBlockAssociationID.NotFound", &shapes.DisassociateVpcCidrBlockInput{AssociationId: new("vpc-cidr-assoc-00000000000000000")}},
		{"a dry run", "DryRunOperation", &shapes.CreateVpcInput{Ipv4IpamPoolId: &pool, Ipv4NetmaskLength: new(int32(16)), AmazonProvidedIpv6CidrBlock: new(true), DryRun: new(true)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := c
			c.T = t
			c.wantRefusal(tc.code, actionOf(tc.in), tc.in)
			c.wantAllocations(pool)
			c.wantAllocations(tagged)
		})
	}
	// With what it asks for, the pool gives its default length.
	call[shapes.CreateVpcOutput](c, "CreateVpc", &shapes.CreateVpcInput{
		Ipv4IpamPoolId: &tagged, TagSpecifications: []shapes.TagSpecification{{ResourceType: "vpc", Tags: []shapes.Tag{{Key: new("env"), Value: new("test")}}}},
	})
	if got := c.allocations(tagged); len(got) != 1 || !strings.HasPrefix(got[0], "10.48.0.0/24 vpc vpc-") {
		t.Errorf("got %v", got)
	}
}

// actionOf returns the action whose input in is.
func actionOf(in any) string {
	name := fmt.Sprintf("%T", in)
	return strings.TrimSuffix(name[strings.LastIndexByte(name, '.')+1:], "Input")
}

func (c caller) wantRefusal(code, action string, in any) {
	c.Helper()
	var refused *apierr.Error
	if err := c.Do(c.Context(), action, in, &struct{}{}); !errors.As(err, &refused) || refused.Code != code {
		c.Errorf("%s: got %v, want %s", action, err, code)
	}
}

func TestVPCsThatDrawAtOnceKeepTheQuota(t *testing.T) {
	// The pool's writer has several draws in one transaction.
	s := testkit.Start(t, testkit.Config(t))
	c := ec2Caller(t, s)
	pool := c.privatePool("10.32.0.0/12")
	errs := make([]error, 12)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			errs[i] = c.Do(t.Context(), "CreateVpc", &shapes.CreateVpcInput{
				Ipv4IpamPoolId: &pool, Ipv4NetmaskLength: new(int32(16)), AmazonProvidedIpv6CidrBlock: new(true),
			}, &shapes.CreateVpcOutput{})
		})
	}
	wg.Wait()
	made := 0
	for _, err := range errs {
		var refused *apierr.Error
		switch {
		case err == nil:
			made++
		case !errors.As(err, &refused) || refused.Code != "VpcLimitExceeded":
			t.Errorf("got %v, want VpcLimitExceeded", err)
		}
	}
	if made != 4 || len(c.allocations(pool)) != made { // the default VPC is the fifth
		t.Errorf("I2: made %d VPCs, the pool has %v; want 4", made, c.allocations(pool))
	}
}
