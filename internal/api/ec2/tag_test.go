package ec2_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/fairlead/fairlead/internal/shapes/ec2"
)

func tagRows(t *testing.T, w *world, filters ...ec2.Filter) []string {
	t.Helper()
	var rows []string
	in := ec2.DescribeTagsInput{Filters: filters, MaxResults: new(int32(5))}
	for {
		out := do[ec2.DescribeTagsOutput](t, w, "DescribeTags", &in)
		for _, tg := range out.Tags {
			rows = append(rows, fmt.Sprintf("%s %s=%s", tg.ResourceType, *tg.Key, *tg.Value))
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			slices.Sort(rows)
			return rows
		}
	}
}

func TestTagEveryKindOfResource(t *testing.T) {
	w := newWorld(t)
	eni, address := w.node(t, "node-1", "")
	acl := do[ec2.DescribeNetworkAclsOutput](t, w, "DescribeNetworkAcls", &ec2.DescribeNetworkAclsInput{}).NetworkAcls[0]
	table := do[ec2.DescribeRouteTablesOutput](t, w, "DescribeRouteTables", &ec2.DescribeRouteTablesInput{}).RouteTables[0]
	igw := do[ec2.DescribeInternetGatewaysOutput](t, w, "DescribeInternetGateways", &ec2.DescribeInternetGatewaysInput{}).InternetGateways[0]
	manager := do[ec2.CreateIpamOutput](t, w, "CreateIpam", &ec2.CreateIpamInput{}).Ipam
	resources := []string{
		eni.ID, eni.VPCID, eni.SubnetID, eni.SecurityGroups[0], address.ID,
		*acl.NetworkAclId, *table.RouteTableId, *igw.InternetGatewayId, *manager.IpamId, *manager.PublicDefaultScopeId,
	}
	do[ec2.CreateTagsOutput](t, w, "CreateTags", &ec2.CreateTagsInput{Resources: resources, Tags: []ec2.Tag{{Key: new("team"), Value: new("edge")}}})
	want := []string{
		"elastic-ip team=edge", "internet-gateway team=edge", "ipam team=edge", "ipam-scope team=edge", "network-acl team=edge",
		"network-interface team=edge", "route-table team=edge", "security-group team=edge", "subnet team=edge", "vpc team=edge",
	}
	if got := tagRows(t, w); !slices.Equal(got, want) {
		t.Errorf("tags: got %q, want %q", got, want)
	}
	vpcs := do[ec2.DescribeVpcsOutput](t, w, "DescribeVpcs", &ec2.DescribeVpcsInput{Filters: filter("tag:team", "edge")})
	if len(vpcs.Vpcs) != 1 || *vpcs.Vpcs[0].VpcId != eni.VPCID {
		t.Errorf("VPCs by tag: got %+v", vpcs)
	}
	if got := tagRows(t, w, filter("resource-type", "subnet")...); len(got) != 1 {
		t.Errorf("by type: got %q", got)
	}
	if got := tagRows(t, w, filter("tag:team", "core")...); len(got) != 0 {
		t.Errorf("by another value: got %q", got)
	}

	remove := func(tags ...ec2.Tag) {
		do[ec2.DeleteTagsOutput](t, w, "DeleteTags", &ec2.DeleteTagsInput{Resources: resources, Tags: tags})
	}
	remove(ec2.Tag{Key: new("team"), Value: new("core")}) // another value: stays
	if got := tagRows(t, w); len(got) != len(want) {
		t.Errorf("after removing another value: got %q", got)
	}
	remove(ec2.Tag{Key: new("team")})
	if got := tagRows(t, w); len(got) != 0 {
		t.Errorf("after removing the key: got %q", got)
	}
}

func TestTagsOfManyResourcesAndManyTags(t *testing.T) {
	w := newWorld(t)
	v := do[ec2.CreateVpcOutput](t, w, "CreateVpc", &ec2.CreateVpcInput{CidrBlock: new("10.0.0.0/16")}).Vpc
	in := ec2.CreateTagsInput{Resources: []string{*v.VpcId}}
	for i := range 70 { // more than one transaction holds
		n := do[ec2.CreateSubnetOutput](t, w, "CreateSubnet", &ec2.CreateSubnetInput{VpcId: v.VpcId, CidrBlock: new(fmt.Sprintf("10.0.%d.0/24", i))}).Subnet
		in.Resources = append(in.Resources, *n.SubnetId)
	}
	for i := range 50 {
		in.Tags = append(in.Tags, ec2.Tag{Key: new(fmt.Sprint("key-", i)), Value: new("")})
	}
	do[ec2.CreateTagsOutput](t, w, "CreateTags", &in)
	if got := len(tagRows(t, w)); got != 71*50 {
		t.Errorf("tags: got %d, want %d", got, 71*50)
	}
	w.wantCode(t, "TagLimitExceeded", "CreateTags", "ResourceId.1", *v.VpcId, "Tag.1.Key", "one more", "Tag.1.Value", "")
	w.wantCode(t, "InvalidID", "CreateTags", "ResourceId.1", *v.VpcId, "ResourceId.2", "subnet-0123456789abcdef0", "Tag.1.Key", "key-0", "Tag.1.Value", "x")
	if got := tagRows(t, w, filter("value", "x")...); len(got) != 0 {
		t.Errorf("a refused call changed %q (I10)", got)
	}
	err := w.client(stranger).Do(t.Context(), "CreateTags", &ec2.CreateTagsInput{Resources: []string{*v.VpcId}, Tags: in.Tags[:1]}, &ec2.CreateTagsOutput{})
	if codeOf(err) != "InvalidID" {
		t.Errorf("another account tags it: got %v (I8)", err)
	}
}

func TestATagThatAsksForSomethingMustMakeSense(t *testing.T) {
	w := newWorld(t)
	manager := do[ec2.CreateIpamOutput](t, w, "CreateIpam", &ec2.CreateIpamInput{}).Ipam
	w.wantCode(t, "InvalidParameterValue", "CreateIpamPool", "IpamScopeId", *manager.PrivateDefaultScopeId, "AddressFamily", "ipv4",
		"TagSpecification.1.ResourceType", "ipam-pool", "TagSpecification.1.Tag.1.Key", "fairlead:refill-below", "TagSpecification.1.Tag.1.Value", "0")
	w.wantCode(t, "InvalidParameterValue", "CreateTags", "ResourceId.1", *manager.IpamId, "Tag.1.Key", "fairlead:refil", "Tag.1.Value", "1")
	if rows := tagRows(t, w); len(rows) != 0 {
		t.Errorf("got the tags %q, want none", rows)
	}
}
