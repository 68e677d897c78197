package ec2_test

import (
	"fmt"
	"testing"

	"github.com/fairlead/fairlead/internal/shapes/ec2"
)

func TestSubnetAttributesAreKept(t *testing.T) {
	w := newWorld(t)
	v := do[ec2.CreateVpcOutput](t, w, "CreateVpc", &ec2.CreateVpcInput{CidrBlock: new("10.0.0.0/16")}).Vpc.VpcId
	id := *do[ec2.CreateSubnetOutput](t, w, "CreateSubnet", &ec2.CreateSubnetInput{VpcId: v, CidrBlock: new("10.0.0.0/24")}).Subnet.SubnetId
	yes := &ec2.AttributeBooleanValue{Value: new(true)}
	for _, in := range []ec2.ModifySubnetAttributeInput{
		{MapPublicIpOnLaunch: yes}, {EnableDns64: yes}, {EnableResourceNameDnsARecordOnLaunch: yes}, {EnableResourceNameDnsAAAARecordOnLaunch: yes},
		{PrivateDnsHostnameTypeOnLaunch: ec2.HostnameTypeResourceName}, {MapCustomerOwnedIpOnLaunch: &ec2.AttributeBooleanValue{Value: new(false)}},
	} {
		in.SubnetId = &id
		do[ec2.ModifySubnetAttributeOutput](t, w, "ModifySubnetAttribute", &in)
	}
	n := do[ec2.DescribeSubnetsOutput](t, w, "DescribeSubnets", &ec2.DescribeSubnetsInput{Filters: append(filter("enable-dns64", "true"),
		append(filter("private-dns-name-options-on-launch.hostname-type", "resource-name"), filter("private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record", "true")...)...)}).Subnets[0]
	o := n.PrivateDnsNameOptionsOnLaunch
	if got := fmt.Sprint(*n.SubnetId == id, *n.MapPublicIpOnLaunch, *n.EnableDns64, *o.EnableResourceNameDnsARecord, *o.EnableResourceNameDnsAAAARecord, " ", o.HostnameType); got != "true true true true true resource-name" {
		t.Errorf("got %s", got)
	}
	for name, c := range map[string]struct {
		code   string
		params []string
	}{
		"IPv6 where there is none":     {"InvalidParameterValue", []string{"AssignIpv6AddressOnCreation.Value", "true"}},
		"addresses of a customer's":    {"UnsupportedOperation", []string{"MapCustomerOwnedIpOnLaunch.Value", "true"}},
		"a customer's pool":            {"UnsupportedOperation", []string{"CustomerOwnedIpv4Pool", "ipv4pool-coip-1"}},
		"two at a time":                {"InvalidParameterCombination", []string{"EnableDns64.Value", "true", "MapPublicIpOnLaunch.Value", "true"}},
		"nothing":                      {"MissingParameter", nil},
		"a strange type of host names": {"InvalidParameterValue", []string{"PrivateDnsHostnameTypeOnLaunch", "pet"}},
	} {
		t.Run(name, func(t *testing.T) {
			w.wantCode(t, c.code, "ModifySubnetAttribute", append([]string{"SubnetId", id}, c.params...)...)
		})
	}
	for name, c := range map[string]struct {
		code, action string
		params       []string
	}{
		"IPv6 alone":                       {"UnsupportedOperation", "CreateSubnet", []string{"VpcId", *v, "Ipv6Native", "true"}},
		"no CIDR":                          {"MissingParameter", "CreateSubnet", []string{"VpcId", *v}},
		"an IPv6 CIDR that the VPC hasn't": {"InvalidSubnet.Range", "CreateSubnet", []string{"VpcId", *v, "CidrBlock", "10.0.1.0/24", "Ipv6CidrBlock", "2001:db8::/64"}},
		"IPv6 in the place of IPv4":        {"InvalidParameterValue", "CreateSubnet", []string{"VpcId", *v, "CidrBlock", "2001:db8::/64"}},
		"nothing to associate":             {"MissingParameter", "AssociateSubnetCidrBlock", []string{"SubnetId", id}},
		"no subnet":                        {"InvalidSubnetID.NotFound", "AssociateSubnetCidrBlock", []string{"SubnetId", "subnet-0123456789abcdef0", "Ipv6CidrBlock", "2001:db8::/64"}},
		"no association":                   {"InvalidSubnetCidrBlockAssociationID.NotFound", "DisassociateSubnetCidrBlock", []string{"AssociationId", "subnet-cidr-assoc-1"}},
	} {
		t.Run(name, func(t *testing.T) { w.wantCode(t, c.code, c.action, c.params...) })
	}
}
