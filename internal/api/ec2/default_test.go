package ec2_test

import (
	"testing"

	"github.com/fairlead/fairlead/internal/shapes/ec2"
)

func TestADefaultSubnetComesBackOnRequest(t *testing.T) {
	w := newWorld(t)
	of := func(zone string) ec2.Subnet {
		return do[ec2.DescribeSubnetsOutput](t, w, "DescribeSubnets", &ec2.DescribeSubnetsInput{Filters: append(filter("default-for-az", "true"), filter("availability-zone", zone)...)}).Subnets[0]
	}
	w.wantCode(t, "DefaultSubnetAlreadyExistsInAvailabilityZone", "CreateDefaultSubnet", "AvailabilityZone", "us-east-1b")
	w.wantCode(t, "InvalidParameterValue", "CreateDefaultSubnet", "AvailabilityZone", "us-east-1z")
	w.wantCode(t, "MissingParameter", "CreateDefaultSubnet")
	old := of("us-east-1b")
	do[ec2.DeleteSubnetOutput](t, w, "DeleteSubnet", &ec2.DeleteSubnetInput{SubnetId: old.SubnetId})
	w.wantCode(t, "DryRunOperation", "CreateDefaultSubnet", "AvailabilityZone", "us-east-1b", "DryRun", "true")
	again := do[ec2.CreateDefaultSubnetOutput](t, w, "CreateDefaultSubnet", &ec2.CreateDefaultSubnetInput{AvailabilityZone: new("us-east-1b")}).Subnet
	if *again.CidrBlock != *old.CidrBlock || !*again.DefaultForAz || !*again.MapPublicIpOnLaunch || *again.SubnetId == *old.SubnetId {
		t.Errorf("got %+v, want the lowest free /20, %s", again, *old.CidrBlock)
	}
	v := *old.VpcId
	for _, n := range do[ec2.DescribeSubnetsOutput](t, w, "DescribeSubnets", &ec2.DescribeSubnetsInput{}).Subnets {
		do[ec2.DeleteSubnetOutput](t, w, "DeleteSubnet", &ec2.DeleteSubnetInput{SubnetId: n.SubnetId})
	}
	igw := do[ec2.DescribeInternetGatewaysOutput](t, w, "DescribeInternetGateways", &ec2.DescribeInternetGatewaysInput{}).InternetGateways[0].InternetGatewayId
	do[ec2.DetachInternetGatewayOutput](t, w, "DetachInternetGateway", &ec2.DetachInternetGatewayInput{InternetGatewayId: igw, VpcId: &v})
	do[ec2.DeleteVpcOutput](t, w, "DeleteVpc", &ec2.DeleteVpcInput{VpcId: &v})
	w.wantCode(t, "DefaultVpcDoesNotExist", "CreateDefaultSubnet", "AvailabilityZone", "us-east-1b")
}
