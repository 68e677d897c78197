package server

import (
	"testing"

	"github.com/fairlead/fairlead/internal/api/elbv2"
	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	elbshapes "github.com/fairlead/fairlead/internal/shapes/elbv2"
)

// A load balancer's subnets and security groups stay from its creation on,
// though no node of it has an interface yet.
func TestWhatALoadBalancerIsInStays(t *testing.T) {
	for _, c := range []struct {
		name   string
		group  bool // is what is deleted; else a subnet
		middle bool // the deletion comes between the creation's decision and commit
		turned bool // the creation comes between the deletion's
	}{
		{"a subnet", false, false, false},
		{"a security group", true, false, false},
		{"a subnet, deleted in between", false, true, false},
		{"a security group, deleted in between", true, true, false},
		{"a subnet, with the creation in between", false, true, true},
		{"a security group, with the creation in between", true, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPair(t, 0)
			p.must(t, "AttachInternetGateway", &shapes.AttachInternetGatewayInput{InternetGatewayId: &p.gateway, VpcId: &p.vpc}, nil)
			var second shapes.CreateSubnetOutput
			p.must(t, "CreateSubnet", &shapes.CreateSubnetInput{VpcId: &p.vpc, CidrBlock: new("10.0.1.0/24"), AvailabilityZone: new("local-1b")}, &second)
			var group shapes.CreateSecurityGroupOutput
			p.must(t, "CreateSecurityGroup", &shapes.CreateSecurityGroupInput{VpcId: &p.vpc, GroupName: new("web"), Description: new("web")}, &group)
			var made elbshapes.CreateLoadBalancerOutput
			create := func(server int) (string, error) {
				return p.callOf(elbv2.Spec, server, "CreateLoadBalancer", &elbshapes.CreateLoadBalancerInput{
					Name: new("shop"), Subnets: []string{p.subnet, *second.Subnet.SubnetId}, SecurityGroups: []string{*group.GroupId},
				}, &made)
			}
			remove := func(server int) (string, error) {
				if c.group {
					return p.call(server, "DeleteSecurityGroup", &shapes.DeleteSecurityGroupInput{GroupId: group.GroupId}, nil)
				}
				return p.call(server, "DeleteSubnet", &shapes.DeleteSubnetInput{SubnetId: second.Subnet.SubnetId}, nil)
			}
			absent := map[bool]string{true: "InvalidSecurityGroup", false: "SubnetNotFound"}[c.group]
			switch {
			case c.turned:
				p.interrupt = func() {
					if _, err := create(1); err != nil {
						t.Error(err)
					}
				}
			case c.middle:
				p.interrupt = func() {
					if _, err := remove(1); err != nil {
						t.Error(err)
					}
				}
				if code, err := create(0); code != absent {
					t.Errorf("the creation: got %v, want %s", err, absent)
				}
				return
			default:
				if _, err := create(0); err != nil {
					t.Fatal(err)
				}
			}
			if code, err := remove(0); code != "DependencyViolation" {
				t.Errorf("the deletion: got %v, want DependencyViolation", err)
			}
			arn := made.LoadBalancers[0].LoadBalancerArn
			if _, err := p.callOf(elbv2.Spec, 0, "DeleteLoadBalancer", &elbshapes.DeleteLoadBalancerInput{LoadBalancerArn: arn}, nil); err != nil {
				t.Fatal(err)
			}
			if _, err := remove(0); err != nil {
				t.Errorf("after the load balancer's end: got %v", err)
			}
		})
	}
}
