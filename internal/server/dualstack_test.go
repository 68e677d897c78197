package server_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"testing"

	"github.com/fairlead/fairlead/internal/api/elbv2"
	"github.com/fairlead/fairlead/internal/apierr"
	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	elbshapes "github.com/fairlead/fairlead/internal/shapes/elbv2"
	"github.com/fairlead/fairlead/internal/testkit"
	"github.com/fairlead/fairlead/internal/wire"
)

// storefront is a server with a load balancer in two subnets that have IPv6.
type storefront struct {
	caller
	elb    caller
	s      *testkit.Server
	pool   string
	subnet shapes.Subnet // the first
	assoc  string        // of its IPv6 block
	lb     elbshapes.LoadBalancer
	port   uint16
}

func newStorefront(t *testing.T) *storefront {
	cfg := testkit.Config(t)
	cfg.Dev = true
	e := &storefront{s: testkit.Start(t, cfg), port: testkit.FreePort(t)}
	e.caller = ec2Caller(t, e.s)
	e.elb = caller{t, wire.Client{Endpoint: e.s.API, Spec: elbv2.Spec, Region: e.s.Region, AccessKeyID: e.s.Key.ID, Secret: e.s.Key.Secret}}
	scope := call[shapes.CreateIpamOutput](e.caller, "CreateIpam", &shapes.CreateIpamInput{}).Ipam.PublicDefaultScopeId
	e.pool = e.caller.pool(*scope, "192.0.2.144/28", func(in *shapes.CreateIpamPoolInput) {
		in.AwsService, in.PublicIpSource = shapes.IpamPoolAwsServiceEc2, shapes.IpamPoolPublicIpSourceByoip
	})
	subnets := call[shapes.DescribeSubnetsOutput](e.caller, "DescribeSubnets", &shapes.DescribeSubnetsInput{}).Subnets[:2]
	six := *call[shapes.AssociateVpcCidrBlockOutput](e.caller, "AssociateVpcCidrBlock", &shapes.AssociateVpcCidrBlockInput{
		VpcId: subnets[0].VpcId, AmazonProvidedIpv6CidrBlock: new(true),
	}).Ipv6CidrBlockAssociation.Ipv6CidrBlock
	base := netip.MustParsePrefix(six).Addr().As16()
	for i, n := range subnets {
		base[7] = byte(i)
		got := call[shapes.AssociateSubnetCidrBlockOutput](e.caller, "AssociateSubnetCidrBlock", &shapes.AssociateSubnetCidrBlockInput{
			SubnetId: n.SubnetId, Ipv6CidrBlock: new(netip.PrefixFrom(netip.AddrFrom16(base), 64).String()),
		}).Ipv6CidrBlockAssociation
		if i == 0 {
			e.assoc = *got.AssociationId
		}
	}
	e.subnet = subnets[0]
	e.lb = call[elbshapes.CreateLoadBalancerOutput](e.elb, "CreateLoadBalancer", &elbshapes.CreateLoadBalancerInput{
		Name: new("shop"), Subnets: []string{*subnets[0].SubnetId, *subnets[1].SubnetId}, IpamPools: &elbshapes.IpamPools{Ipv4IpamPoolId: &e.pool},
	}).LoadBalancers[0]
	call[elbshapes.CreateListenerOutput](e.elb, "CreateListener", &elbshapes.CreateListenerInput{
		LoadBalancerArn: e.lb.LoadBalancerArn, Protocol: elbshapes.ProtocolEnumHttp, Port: new(int32(e.port)),
		DefaultActions: []elbshapes.Action{{Type: elbshapes.ActionTypeEnumFixedResponse, FixedResponseConfig: &elbshapes.FixedResponseActionConfig{StatusCode: new("200")}}},
	})
	return e
}

func (e *storefront) setType(to elbshapes.IpAddressType) {
	e.Helper()
	out := call[elbshapes.SetIpAddressTypeOutput](e.elb, "SetIpAddressType", &elbshapes.SetIpAddressTypeInput{LoadBalancerArn: e.lb.LoadBalancerArn, IpAddressType: to})
	if out.IpAddressType != to {
		e.Errorf("SetIpAddressType: got %s, want %s", out.IpAddressType, to)
	}
}

// once is a client that leaves no connection behind, which a migration waits for.
var once = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// names waits until the load balancer's name has so many A and AAAA records, each of
// which leads to a node that answers.
func (e *storefront) names(four, six int) {
	e.Helper()
	for _, name := range []string{*e.lb.DNSName, "dualstack." + *e.lb.DNSName} {
		testkit.Eventually(e.T, name, func() error {
			a, aaaa := e.s.Resolve(e.T, name), e.s.ResolveIPv6(e.T, name)
			if len(a) != four || len(aaaa) != six {
				return fmt.Errorf("DNS names %v and %v, want %d and %d addresses", a, aaaa, four, six)
			}
			for _, at := range slices.Concat(a, aaaa) {
				resp, err := once.Get("http://" + netip.AddrPortFrom(at, e.port).String())
				if err != nil {
					e.Errorf("%s: %v", at, err)
				} else if _ = resp.Body.Close(); resp.StatusCode != 200 {
					e.Errorf("%s answers %s", at, resp.Status)
				}
			}
			return nil
		})
	}
}

// interfaces are those of the load balancer's nodes.
func (e *storefront) interfaces() []shapes.NetworkInterface {
	e.Helper()
	return call[shapes.DescribeNetworkInterfacesOutput](e.caller, "DescribeNetworkInterfaces", &shapes.DescribeNetworkInterfacesInput{
		Filters: []shapes.Filter{{Name: new("requester-managed"), Values: []string{"true"}}},
	}).NetworkInterfaces
}

// ipv6 waits until so many interfaces are left, of which so many have IPv6 addresses.
func (e *storefront) ipv6(all, six int) {
	e.Helper()
	testkit.Eventually(e.T, "interfaces", func() error {
		found, with := e.interfaces(), 0
		for _, i := range found {
			with += len(i.Ipv6Addresses)
		}
		if len(found) != all || with != six {
			return fmt.Errorf("there are %d, with %d IPv6 addresses; want %d, with %d", len(found), with, all, six)
		}
		return nil
	})
}

// S4, S9: the order in which the AWS Load Balancer Controller changes the address
// type of a load balancer with a pool, and what clients reach meanwhile.
func TestAddressTypesWithAPool(t *testing.T) {
	e := newStorefront(t)
	e.names(2, 0)
	call[elbshapes.ModifyIpPoolsOutput](e.elb, "ModifyIpPools", &elbshapes.ModifyIpPoolsInput{
		LoadBalancerArn: e.lb.LoadBalancerArn, RemoveIpamPools: []elbshapes.RemoveIpamPoolEnum{elbshapes.RemoveIpamPoolEnumIpv4},
	})
	e.setType(elbshapes.IpAddressTypeDualstackWithoutPublicIpv4)
	e.names(0, 2)
	e.ipv6(2, 2)
	e.wantAllocations(e.pool)
	e.setType(elbshapes.IpAddressTypeDualstack)
	call[elbshapes.ModifyIpPoolsOutput](e.elb, "ModifyIpPools", &elbshapes.ModifyIpPoolsInput{
		LoadBalancerArn: e.lb.LoadBalancerArn, IpamPools: &elbshapes.IpamPools{Ipv4IpamPoolId: &e.pool},
	})
	e.names(2, 2)
	e.ipv6(2, 2)
	if got := e.allocations(e.pool); len(got) != 2 {
		t.Errorf("the pool has %q, want two allocations", got)
	}
	lb := call[elbshapes.DescribeLoadBalancersOutput](e.elb, "DescribeLoadBalancers", &elbshapes.DescribeLoadBalancersInput{}).LoadBalancers[0]
	if lb.IpAddressType != elbshapes.IpAddressTypeDualstack || *lb.IpamPools.Ipv4IpamPoolId != e.pool || lb.State.Code != elbshapes.LoadBalancerStateEnumActive {
		t.Errorf("described: %+v", lb)
	}

	// The block that the addresses are of stays until the last has gone back.
	e.wantCode("DependencyViolation", "DisassociateSubnetCidrBlock", &shapes.DisassociateSubnetCidrBlockInput{AssociationId: &e.assoc})
	e.setType(elbshapes.IpAddressTypeIpv4)
	e.names(2, 0)
	e.ipv6(2, 0)
	call[shapes.DisassociateSubnetCidrBlockOutput](e.caller, "DisassociateSubnetCidrBlock", &shapes.DisassociateSubnetCidrBlockInput{AssociationId: &e.assoc})
	err := e.elb.Do(t.Context(), "SetIpAddressType", &elbshapes.SetIpAddressTypeInput{LoadBalancerArn: e.lb.LoadBalancerArn, IpAddressType: elbshapes.IpAddressTypeDualstack}, nil)
	if refused, ok := errors.AsType[*apierr.Error](err); !ok || refused.Code != "InvalidSubnet" {
		t.Errorf("without a block: got %v, want InvalidSubnet", err)
	}
}

// wantCode makes a call that must be refused.
func (e *storefront) wantCode(code, action string, in any) {
	e.Helper()
	err := e.Do(e.Context(), action, in, nil)
	if refused, ok := errors.AsType[*apierr.Error](err); !ok || refused.Code != code {
		e.Errorf("%s: got %v, want %s", action, err, code)
	}
}

// The interfaces of a load balancer's nodes are in its security groups, and none of
// the groups can be deleted while one is in it.
func TestSecurityGroupsOfALoadBalancer(t *testing.T) {
	e := newStorefront(t)
	e.ipv6(2, 0)
	group := call[shapes.CreateSecurityGroupOutput](e.caller, "CreateSecurityGroup", &shapes.CreateSecurityGroupInput{
		GroupName: new("web"), Description: new("web"), VpcId: e.subnet.VpcId,
	}).GroupId
	set := func(group string) {
		t.Helper()
		got := call[elbshapes.SetSecurityGroupsOutput](e.elb, "SetSecurityGroups", &elbshapes.SetSecurityGroupsInput{
			LoadBalancerArn: e.lb.LoadBalancerArn, SecurityGroups: []string{group},
		}).SecurityGroupIds
		if !slices.Equal(got, []string{group}) {
			t.Errorf("SetSecurityGroups: got %v", got)
		}
		testkit.Eventually(t, "interfaces", func() error {
			for _, i := range e.interfaces() {
				if len(i.Groups) != 1 || *i.Groups[0].GroupId != group {
					return fmt.Errorf("%s is in %v, want %s", *i.NetworkInterfaceId, i.Groups, group)
				}
			}
			return nil
		})
	}
	set(*group)
	e.wantCode("DependencyViolation", "DeleteSecurityGroup", &shapes.DeleteSecurityGroupInput{GroupId: group})
	set(e.lb.SecurityGroups[0])
	call[shapes.DeleteSecurityGroupOutput](e.caller, "DeleteSecurityGroup", &shapes.DeleteSecurityGroupInput{GroupId: group})
}
