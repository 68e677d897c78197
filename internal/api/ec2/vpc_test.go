package ec2_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/shapes/ec2"
)

func tagged(kind ec2.ResourceType, name string) []ec2.TagSpecification {
	return []ec2.TagSpecification{{ResourceType: kind, Tags: []ec2.Tag{{Key: new("Name"), Value: new(name)}}}}
}

func filter(name string, values ...string) []ec2.Filter {
	return []ec2.Filter{{Name: &name, Values: values}}
}

// A network is built and taken down as Terraform does it.
func TestBuildANetworkAndTakeItDown(t *testing.T) {
	w := newWorld(t)
	v := do[ec2.CreateVpcOutput](t, w, "CreateVpc", &ec2.CreateVpcInput{CidrBlock: new("10.0.0.0/16"), TagSpecifications: tagged("vpc", "shop")}).Vpc
	if v.State != "pending" || *v.CidrBlock != "10.0.0.0/16" || len(v.Tags) != 1 || *v.OwnerId != account {
		t.Errorf("CreateVpc: got %+v", v)
	}
	do[ec2.ModifyVpcAttributeOutput](t, w, "ModifyVpcAttribute", &ec2.ModifyVpcAttributeInput{VpcId: v.VpcId, EnableDnsHostnames: &ec2.AttributeBooleanValue{Value: new(true)}})
	at := do[ec2.DescribeVpcAttributeOutput](t, w, "DescribeVpcAttribute", &ec2.DescribeVpcAttributeInput{VpcId: v.VpcId, Attribute: "enableDnsHostnames"})
	if at.EnableDnsHostnames == nil || !*at.EnableDnsHostnames.Value || at.EnableDnsSupport != nil {
		t.Errorf("DescribeVpcAttribute: got %+v", at)
	}

	var subnets []string
	for i, zone := range []string{"us-east-1a", "us-east-1b"} {
		n := do[ec2.CreateSubnetOutput](t, w, "CreateSubnet", &ec2.CreateSubnetInput{
			VpcId: v.VpcId, CidrBlock: new(fmt.Sprintf("10.0.%d.0/27", i)), AvailabilityZone: &zone, TagSpecifications: tagged("subnet", zone),
		}).Subnet
		if *n.AvailableIpAddressCount != 27 || *n.AvailabilityZone != zone || *n.AvailabilityZoneId != fmt.Sprintf("use1-az%d", i+1) ||
			*n.SubnetArn != "arn:aws:ec2:us-east-1:"+account+":subnet/"+*n.SubnetId {
			t.Errorf("CreateSubnet: got %+v", n)
		}
		subnets = append(subnets, *n.SubnetId)
	}

	igw := do[ec2.CreateInternetGatewayOutput](t, w, "CreateInternetGateway", &ec2.CreateInternetGatewayInput{}).InternetGateway
	do[ec2.AttachInternetGatewayOutput](t, w, "AttachInternetGateway", &ec2.AttachInternetGatewayInput{InternetGatewayId: igw.InternetGatewayId, VpcId: v.VpcId})
	got := do[ec2.DescribeInternetGatewaysOutput](t, w, "DescribeInternetGateways", &ec2.DescribeInternetGatewaysInput{Filters: filter("attachment.vpc-id", *v.VpcId)})
	if len(got.InternetGateways) != 1 || got.InternetGateways[0].Attachments[0].State != "available" {
		t.Errorf("DescribeInternetGateways: got %+v", got)
	}

	table := do[ec2.CreateRouteTableOutput](t, w, "CreateRouteTable", &ec2.CreateRouteTableInput{VpcId: v.VpcId}).RouteTable
	do[ec2.CreateRouteOutput](t, w, "CreateRoute", &ec2.CreateRouteInput{RouteTableId: table.RouteTableId, DestinationCidrBlock: new("0.0.0.0/0"), GatewayId: igw.InternetGatewayId})
	as := do[ec2.AssociateRouteTableOutput](t, w, "AssociateRouteTable", &ec2.AssociateRouteTableInput{RouteTableId: table.RouteTableId, SubnetId: &subnets[0]})
	tables := do[ec2.DescribeRouteTablesOutput](t, w, "DescribeRouteTables", &ec2.DescribeRouteTablesInput{Filters: filter("association.subnet-id", subnets[0])})
	if len(tables.RouteTables) != 1 || *tables.RouteTables[0].RouteTableId != *table.RouteTableId {
		t.Fatalf("DescribeRouteTables: got %+v", tables)
	}
	var routes []string
	for _, r := range tables.RouteTables[0].Routes {
		routes = append(routes, fmt.Sprintf("%s %s %s %s", *r.DestinationCidrBlock, *r.GatewayId, r.State, r.Origin))
	}
	want := []string{"10.0.0.0/16 local active CreateRouteTable", "0.0.0.0/0 " + *igw.InternetGatewayId + " active CreateRoute"}
	if !slices.Equal(routes, want) {
		t.Errorf("routes: got %q, want %q", routes, want)
	}
	if main := do[ec2.DescribeRouteTablesOutput](t, w, "DescribeRouteTables", &ec2.DescribeRouteTablesInput{
		Filters: append(filter("association.main", "true"), filter("vpc-id", *v.VpcId)...),
	}); len(main.RouteTables) != 1 || *main.RouteTables[0].RouteTableId == *table.RouteTableId {
		t.Errorf("main table: got %+v", main)
	}
	acl := do[ec2.DescribeNetworkAclsOutput](t, w, "DescribeNetworkAcls", &ec2.DescribeNetworkAclsInput{
		Filters: append(filter("default", "true"), filter("vpc-id", *v.VpcId)...),
	})
	if len(acl.NetworkAcls) != 1 || len(acl.NetworkAcls[0].Associations) != 2 || len(acl.NetworkAcls[0].Entries) != 4 {
		t.Errorf("network ACLs: got %+v", acl)
	}

	w.wantCode(t, "DependencyViolation", "DeleteVpc", "VpcId", *v.VpcId)
	w.wantCode(t, "DependencyViolation", "DeleteInternetGateway", "InternetGatewayId", *igw.InternetGatewayId)
	w.wantCode(t, "DependencyViolation", "DeleteRouteTable", "RouteTableId", *table.RouteTableId)
	do[ec2.DisassociateRouteTableOutput](t, w, "DisassociateRouteTable", &ec2.DisassociateRouteTableInput{AssociationId: as.AssociationId})
	do[ec2.DeleteRouteOutput](t, w, "DeleteRoute", &ec2.DeleteRouteInput{RouteTableId: table.RouteTableId, DestinationCidrBlock: new("0.0.0.0/0")})
	do[ec2.DeleteRouteTableOutput](t, w, "DeleteRouteTable", &ec2.DeleteRouteTableInput{RouteTableId: table.RouteTableId})
	do[ec2.DetachInternetGatewayOutput](t, w, "DetachInternetGateway", &ec2.DetachInternetGatewayInput{InternetGatewayId: igw.InternetGatewayId, VpcId: v.VpcId})
	do[ec2.DeleteInternetGatewayOutput](t, w, "DeleteInternetGateway", &ec2.DeleteInternetGatewayInput{InternetGatewayId: igw.InternetGatewayId})
	for _, id := range subnets {
		do[ec2.DeleteSubnetOutput](t, w, "DeleteSubnet", &ec2.DeleteSubnetInput{SubnetId: &id})
	}
	do[ec2.DeleteVpcOutput](t, w, "DeleteVpc", &ec2.DeleteVpcInput{VpcId: v.VpcId})
	w.wantCode(t, "InvalidVpcID.NotFound", "DescribeVpcs", "VpcId.1", *v.VpcId)
}

func TestAnAccountSeesItsDefaultVPCAndNobodyElses(t *testing.T) {
	w := newWorld(t)
	mine := do[ec2.DescribeVpcsOutput](t, w, "DescribeVpcs", &ec2.DescribeVpcsInput{Filters: filter("is-default", "true")})
	if len(mine.Vpcs) != 1 || *mine.Vpcs[0].CidrBlock != "172.31.0.0/16" {
		t.Fatalf("got %+v, want the default VPC", mine)
	}
	subnets := do[ec2.DescribeSubnetsOutput](t, w, "DescribeSubnets", &ec2.DescribeSubnetsInput{Filters: filter("default-for-az", "true")})
	if len(subnets.Subnets) != 3 {
		t.Errorf("default subnets: got %d, want 3", len(subnets.Subnets))
	}
	var theirs ec2.DescribeVpcsOutput
	if err := w.client(stranger).Do(t.Context(), "DescribeVpcs", &ec2.DescribeVpcsInput{}, &theirs); err != nil {
		t.Fatal(err)
	}
	if len(theirs.Vpcs) != 1 || *theirs.Vpcs[0].VpcId == *mine.Vpcs[0].VpcId {
		t.Errorf("another account: got %+v, want a default VPC of its own (I8)", theirs)
	}
	err := w.client(stranger).Do(t.Context(), "DeleteVpc", &ec2.DeleteVpcInput{VpcId: mine.Vpcs[0].VpcId}, &ec2.DeleteVpcOutput{})
	if codeOf(err) != "InvalidVpcID.NotFound" {
		t.Errorf("another account deletes it: got %v (I8)", err)
	}
}

func TestADryRunChangesNothing(t *testing.T) {
	w := newWorld(t)
	count := func() int {
		return len(do[ec2.DescribeVpcsOutput](t, w, "DescribeVpcs", &ec2.DescribeVpcsInput{}).Vpcs)
	}
	before := count()
	status, body := w.send(t, account, "CreateVpc", "CidrBlock", "10.0.0.0/16", "DryRun", "true")
	if status != 412 || !strings.Contains(body, "<Code>DryRunOperation</Code>") {
		t.Errorf("got %d %s, want 412 DryRunOperation", status, body)
	}
	w.wantCode(t, "InvalidVpcRange", "CreateVpc", "CidrBlock", "10.0.0.0/8", "DryRun", "true")
	w.wantCode(t, "InvalidVpcID.NotFound", "DeleteVpc", "VpcId", "vpc-00000000000000000", "DryRun", "true")
	w.wantCode(t, "DryRunOperation", "DescribeVpcs", "DryRun", "true")
	if n := count(); n != before {
		t.Errorf("VPCs: got %d, want %d", n, before)
	}
}

func TestRefusals(t *testing.T) {
	// I10. Codes: EC2 API, Error codes; the specification of addressing, appendix B.
	w := newWorld(t)
	v := *do[ec2.DescribeVpcsOutput](t, w, "DescribeVpcs", &ec2.DescribeVpcsInput{}).Vpcs[0].VpcId
	tables := do[ec2.DescribeRouteTablesOutput](t, w, "DescribeRouteTables", &ec2.DescribeRouteTablesInput{})
	rtb := *tables.RouteTables[0].RouteTableId
	igw := *do[ec2.DescribeInternetGatewaysOutput](t, w, "DescribeInternetGateways", &ec2.DescribeInternetGatewaysInput{}).InternetGateways[0].InternetGatewayId
	sg := *do[ec2.DescribeSecurityGroupsOutput](t, w, "DescribeSecurityGroups", &ec2.DescribeSecurityGroupsInput{}).SecurityGroups[0].GroupId
	for _, c := range []struct {
		name, code, action string
		params             []string
	}{
		{"a VPC without a CIDR", "MissingParameter", "CreateVpc", nil},
		{"a VPC with half a CIDR", "InvalidParameterValue", "CreateVpc", []string{"CidrBlock", "10.0.0.0"}},
		{"a VPC too large", "InvalidVpcRange", "CreateVpc", []string{"CidrBlock", "10.0.0.0/15"}},
		{"a VPC on a host", "InvalidParameterValue", "CreateVpc", []string{"CidrBlock", "10.0.0.0/16", "InstanceTenancy", "host"}},
		{"a VPC from a pool of the other kind", "InvalidVpcRange", "CreateVpc", []string{"Ipv4IpamPoolId", "ipam-pool-1"}},
		{"a VPC with tags of a subnet", "InvalidParameterValue", "CreateVpc", []string{"CidrBlock", "10.0.0.0/16", "TagSpecification.1.ResourceType", "subnet", "TagSpecification.1.Tag.1.Key", "a"}},
		{"a tag key of ours", "InvalidTagKey.Malformed", "CreateVpc", []string{"CidrBlock", "10.0.0.0/16", "TagSpecification.1.ResourceType", "vpc", "TagSpecification.1.Tag.1.Key", "aws:a"}},
		{"a second default VPC", "DefaultVpcAlreadyExists", "CreateDefaultVpc", nil},
		{"attributes two at a time", "InvalidParameterCombination", "ModifyVpcAttribute", []string{"VpcId", v, "EnableDnsSupport.Value", "true", "EnableDnsHostnames.Value", "true"}},
		{"a subnet elsewhere", "InvalidSubnet.Range", "CreateSubnet", []string{"VpcId", v, "CidrBlock", "10.0.0.0/24"}},
		{"a subnet on another", "InvalidSubnet.Conflict", "CreateSubnet", []string{"VpcId", v, "CidrBlock", "172.31.0.0/24"}},
		{"a subnet in no zone", "InvalidParameterValue", "CreateSubnet", []string{"VpcId", v, "CidrBlock", "172.31.64.0/24", "AvailabilityZone", "us-east-1z"}},
		{"a subnet in no zone by id", "InvalidParameterValue", "CreateSubnet", []string{"VpcId", v, "CidrBlock", "172.31.64.0/24", "AvailabilityZoneId", "use1-az9"}},
		{"no such subnet", "InvalidSubnetID.NotFound", "DeleteSubnet", []string{"SubnetId", "subnet-0123456789abcdef0"}},
		{"a second gateway", "Resource.AlreadyAssociated", "AttachInternetGateway", []string{"VpcId", v, "InternetGatewayId", igw}},
		{"no such gateway", "InvalidInternetGatewayID.NotFound", "AttachInternetGateway", []string{"VpcId", v, "InternetGatewayId", "igw-1"}},
		{"a route to no gateway", "InvalidGatewayID.NotFound", "CreateRoute", []string{"RouteTableId", rtb, "DestinationCidrBlock", "192.0.2.0/24", "GatewayId", "igw-1"}},
		{"a route that exists otherwise", "RouteAlreadyExists", "CreateRoute", []string{"RouteTableId", rtb, "DestinationCidrBlock", "172.31.0.0/16", "GatewayId", igw}},
		{"a route of two families", "InvalidParameterCombination", "CreateRoute", []string{"RouteTableId", rtb, "DestinationCidrBlock", "0.0.0.0/0", "DestinationIpv6CidrBlock", "::/0", "GatewayId", igw}},
		{"a route of the other family", "InvalidParameterValue", "CreateRoute", []string{"RouteTableId", rtb, "DestinationCidrBlock", "::/0", "GatewayId", igw}},
		{"a route through a NAT gateway", "UnsupportedOperation", "CreateRoute", []string{"RouteTableId", rtb, "DestinationCidrBlock", "0.0.0.0/0", "NatGatewayId", "nat-1"}},
		{"a route that isn't", "InvalidRoute.NotFound", "DeleteRoute", []string{"RouteTableId", rtb, "DestinationCidrBlock", "192.0.2.0/24"}},
		{"no such association", "InvalidAssociationID.NotFound", "DisassociateRouteTable", []string{"AssociationId", "rtbassoc-1"}},
		{"a group like an id", "InvalidParameterValue", "CreateSecurityGroup", []string{"GroupName", "sg-web", "GroupDescription", "d", "VpcId", v}},
		{"a group with a strange name", "InvalidParameterValue", "CreateSecurityGroup", []string{"GroupName", "wéb", "GroupDescription", "d", "VpcId", v}},
		{"the reserved group", "InvalidGroup.Reserved", "CreateSecurityGroup", []string{"GroupName", "default", "GroupDescription", "d", "VpcId", v}},
		{"a group without description", "MissingParameter", "CreateSecurityGroup", []string{"GroupName", "web", "VpcId", v}},
		{"the default group's deletion", "CannotDelete", "DeleteSecurityGroup", []string{"GroupId", sg}},
		{"a malformed group", "InvalidGroupId.Malformed", "DeleteSecurityGroup", []string{"GroupId", "web"}},
		{"no such group", "InvalidGroup.NotFound", "DeleteSecurityGroup", []string{"GroupName", "web"}},
		{"a rule of no protocol", "InvalidParameterValue", "AuthorizeSecurityGroupIngress", []string{"GroupId", sg, "IpProtocol", "tcpp", "CidrIp", "0.0.0.0/0"}},
		{"a rule with no peer", "InvalidPermission.Malformed", "AuthorizeSecurityGroupIngress", []string{"GroupId", sg, "IpProtocol", "-1"}},
		{"a rule with a bad peer", "InvalidParameterValue", "AuthorizeSecurityGroupIngress", []string{"GroupId", sg, "IpProtocol", "-1", "CidrIp", "everyone"}},
		{"no rule", "MissingParameter", "RevokeSecurityGroupIngress", []string{"GroupId", sg}},
		{"a rule that isn't", "InvalidPermission.NotFound", "RevokeSecurityGroupIngress", []string{"GroupId", sg, "IpProtocol", "-1", "CidrIp", "192.0.2.0/24"}},
		{"no such rule id", "InvalidSecurityGroupRuleId.NotFound", "RevokeSecurityGroupIngress", []string{"GroupId", sg, "SecurityGroupRuleId.1", "sgr-1"}},
		{"no such interface", "InvalidNetworkInterfaceID.NotFound", "DescribeNetworkInterfaces", []string{"NetworkInterfaceId.1", "eni-1"}},
		{"no such address", "InvalidAddress.NotFound", "DescribeAddresses", []string{"PublicIp.1", "192.0.2.1"}},
		{"no such allocation", "InvalidAllocationID.NotFound", "DescribeAddresses", []string{"AllocationId.1", "eipalloc-1"}},
		{"no such network ACL", "InvalidNetworkAclID.NotFound", "DescribeNetworkAcls", []string{"NetworkAclId.1", "acl-1"}},
		{"no such instance", "InvalidInstanceID.NotFound", "DescribeInstances", []string{"InstanceId.1", "i-0123456789abcdef0"}},
		{"an instance id that is none", "InvalidInstanceID.Malformed", "DescribeInstances", []string{"InstanceId.1", "web"}},
		{"no such region", "InvalidParameterValue", "DescribeRegions", []string{"RegionName.1", "mars-1"}},
		{"no such zone", "InvalidParameterValue", "DescribeAvailabilityZones", []string{"ZoneName.1", "us-east-1z"}},
		{"tags on nothing", "InvalidID", "CreateTags", []string{"ResourceId.1", "vpc-00000000000000000", "Tag.1.Key", "a", "Tag.1.Value", "b"}},
		{"an unknown filter", "InvalidParameterValue", "DescribeAddresses", []string{"Filter.1.Name", "colour", "Filter.1.Value.1", "red"}},
		{"a filter without value", "InvalidParameterValue", "DescribeVpcs", []string{"Filter.1.Name", "vpc-id"}},
		{"a page too small", "InvalidParameterValue", "DescribeSubnets", []string{"MaxResults", "4"}},
		{"a page too large", "InvalidParameterValue", "DescribeRouteTables", []string{"MaxResults", "101"}},
		{"pages of ids", "InvalidParameterCombination", "DescribeVpcs", []string{"VpcId.1", v, "MaxResults", "5"}},
		{"a page token of nobody's", "InvalidNextToken", "DescribeSubnets", []string{"NextToken", "abc"}},
	} {
		t.Run(c.name, func(t *testing.T) { w.wantCode(t, c.code, c.action, c.params...) })
	}
}

func TestSubnetsComeInPages(t *testing.T) {
	w := newWorld(t)
	v := do[ec2.CreateVpcOutput](t, w, "CreateVpc", &ec2.CreateVpcInput{CidrBlock: new("10.0.0.0/16")}).Vpc
	for i := range 14 {
		do[ec2.CreateSubnetOutput](t, w, "CreateSubnet", &ec2.CreateSubnetInput{VpcId: v.VpcId, CidrBlock: new(fmt.Sprintf("10.0.%d.0/24", i))})
	}
	for name, filters := range map[string][]ec2.Filter{"all": nil, "of one VPC": filter("vpc-id", *v.VpcId)} {
		var got []string
		in := ec2.DescribeSubnetsInput{MaxResults: new(int32(5)), Filters: filters}
		for {
			out := do[ec2.DescribeSubnetsOutput](t, w, "DescribeSubnets", &in)
			if len(out.Subnets) > 5 {
				t.Fatalf("%s: a page of %d", name, len(out.Subnets))
			}
			for _, n := range out.Subnets {
				got = append(got, *n.SubnetId)
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
		want := 14
		if filters == nil {
			want += 3 // the default VPC's
		}
		if slices.Sort(got); len(slices.Compact(got)) != want {
			t.Errorf("%s: got %d subnets, want %d, each once", name, len(got), want)
		}
	}
}

func TestFilters(t *testing.T) {
	w := newWorld(t)
	v := do[ec2.CreateVpcOutput](t, w, "CreateVpc", &ec2.CreateVpcInput{CidrBlock: new("10.7.0.0/16"), TagSpecifications: tagged("vpc", "shop-1")}).Vpc
	for _, c := range []struct {
		filters []ec2.Filter
		found   bool
	}{
		{filter("cidr", "10.7.0.0/16"), true},
		{filter("cidr-block-association.cidr-block", "10.7.*"), true},
		{filter("tag:Name", "shop-?"), true},
		{filter("tag:Name", "other", "shop-1"), true},
		{filter("tag:name", "shop-1"), false},
		{filter("tag-key", "Name"), true},
		{filter("is-default", "false"), true},
		{filter("is-default", "true"), false},
		{append(filter("tag-key", "Name"), filter("state", "pending")...), false},
		{filter("vpc-id", *v.VpcId), true},
		{filter("ipv6-cidr-block-association.ipv6-cidr-block", "*"), false},
	} {
		out := do[ec2.DescribeVpcsOutput](t, w, "DescribeVpcs", &ec2.DescribeVpcsInput{Filters: c.filters})
		found := slices.ContainsFunc(out.Vpcs, func(o ec2.Vpc) bool { return *o.VpcId == *v.VpcId })
		if found != c.found {
			t.Errorf("%s=%v: found %v, want %v", *c.filters[0].Name, c.filters[0].Values, found, c.found)
		}
	}
}

func TestRegionsAndZones(t *testing.T) {
	w := newWorld(t)
	regions := do[ec2.DescribeRegionsOutput](t, w, "DescribeRegions", &ec2.DescribeRegionsInput{})
	if len(regions.Regions) != 2 || *regions.Regions[0].RegionName != region {
		t.Errorf("regions: got %+v", regions)
	}
	zones := do[ec2.DescribeAvailabilityZonesOutput](t, w, "DescribeAvailabilityZones", &ec2.DescribeAvailabilityZonesInput{})
	var got []string
	for _, z := range zones.AvailabilityZones {
		got = append(got, *z.ZoneName+" "+*z.ZoneId+" "+string(z.State))
	}
	if want := []string{"us-east-1a use1-az1 available", "us-east-1b use1-az2 available", "us-east-1c use1-az3 available"}; !slices.Equal(got, want) {
		t.Errorf("zones: got %q, want %q", got, want)
	}
	one := do[ec2.DescribeAvailabilityZonesOutput](t, w, "DescribeAvailabilityZones", &ec2.DescribeAvailabilityZonesInput{ZoneIds: []string{"use1-az2"}})
	if len(one.AvailabilityZones) != 1 || *one.AvailabilityZones[0].ZoneName != "us-east-1b" {
		t.Errorf("zone by id: got %+v", one)
	}
	attributes := do[ec2.DescribeAccountAttributesOutput](t, w, "DescribeAccountAttributes", &ec2.DescribeAccountAttributesInput{AttributeNames: []ec2.AccountAttributeName{"default-vpc"}})
	if len(attributes.AccountAttributes) != 1 || !strings.HasPrefix(*attributes.AccountAttributes[0].AttributeValues[0].AttributeValue, "vpc-") {
		t.Errorf("account attributes: got %+v", attributes)
	}
	if n := len(do[ec2.DescribeInstancesOutput](t, w, "DescribeInstances", &ec2.DescribeInstancesInput{Filters: filter("instance-state-name", "running")}).Reservations); n != 0 {
		t.Errorf("instances: got %d", n)
	}
}
