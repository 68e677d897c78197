package ec2_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/vpc"
)

// node gives a load balancer node an interface in the first default subnet, and
// a public address.
func (w *world) node(t *testing.T, name, pool string) (vpc.Interface, vpc.Address) {
	t.Helper()
	subnet := do[ec2.DescribeSubnetsOutput](t, w, "DescribeSubnets", &ec2.DescribeSubnetsInput{Filters: filter("availability-zone", "us-east-1a")}).Subnets[0]
	at := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	i, err := w.vpc.CreateServiceInterface(t.Context(), vpc.InterfaceSpec{
		Account: account, Region: region, SubnetID: *subnet.SubnetId, Description: "ELB app/shop/0123456789abcdef", Owner: name, Time: at,
	})
	if err != nil {
		t.Fatal(err)
	}
	a, err := w.vpc.AssignServiceAddress(t.Context(), vpc.AddressSpec{InterfaceID: i.ID, PoolID: pool, Time: at})
	if err != nil {
		t.Fatal(err)
	}
	return i, a
}

func TestALoadBalancerNodeAsSeenFromEC2(t *testing.T) {
	w := newWorld(t)
	eni, address := w.node(t, "node-1", "ipam-pool-0123456789abcdef0")
	_, body := w.send(t, account, "DescribeNetworkInterfaces", "Filter.1.Name", "description", "Filter.1.Value.1", "ELB app/shop/*")
	for _, want := range []string{
		"<networkInterfaceId>" + eni.ID + "</networkInterfaceId>",
		"<requesterId>amazon-elb</requesterId>", "<requesterManaged>true</requesterManaged>", "<managed>false</managed>",
		"<instanceOwnerId>amazon-elb</instanceOwnerId>", "<deviceIndex>1</deviceIndex>", "<deleteOnTermination>false</deleteOnTermination>",
		"<interfaceType>interface</interfaceType>", "<status>in-use</status>", "<sourceDestCheck>true</sourceDestCheck>",
		"<ownerId>" + account + "</ownerId>", "<privateIpAddress>172.31.0.4</privateIpAddress>", "<publicIp>192.0.2.144</publicIp>",
		"<allocationId>" + address.ID + "</allocationId>", "<ipOwnerId>" + account + "</ipOwnerId>", "<primary>true</primary>",
		"<groupName>default</groupName>", "<description>ELB app/shop/0123456789abcdef</description>",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("DescribeNetworkInterfaces lacks %s:\n%s", want, body)
		}
	}
	if strings.Contains(body, "instanceId") {
		t.Error("a node's interface names an instance")
	}

	_, body = w.send(t, account, "DescribeAddresses")
	for _, want := range []string{
		"<serviceManaged>alb</serviceManaged>", "<publicIpv4Pool>ipam-pool-0123456789abcdef0</publicIpv4Pool>", "<domain>vpc</domain>",
		"<networkBorderGroup>us-east-1</networkBorderGroup>", "<networkInterfaceId>" + eni.ID + "</networkInterfaceId>",
		"<networkInterfaceOwnerId>" + account + "</networkInterfaceOwnerId>", "<privateIpAddress>172.31.0.4</privateIpAddress>",
		"<associationId>eipassoc-", "<subnetId>" + eni.SubnetID + "</subnetId>", "<tagSet",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("DescribeAddresses lacks %s:\n%s", want, body)
		}
	}
	w.wantCode(t, "DependencyViolation", "DeleteSubnet", "SubnetId", eni.SubnetID)
	igw := do[ec2.DescribeInternetGatewaysOutput](t, w, "DescribeInternetGateways", &ec2.DescribeInternetGatewaysInput{}).InternetGateways[0]
	_, body = w.send(t, account, "DetachInternetGateway", "InternetGatewayId", *igw.InternetGatewayId, "VpcId", eni.VPCID)
	if want := "Network " + eni.VPCID + " has some mapped public address(es)."; !strings.Contains(body, want) {
		t.Errorf("detach: got %s, want %s", body, want)
	}
}

func TestAnAddressOfTheProviderSaysSo(t *testing.T) {
	w := newWorld(t)
	_, address := w.node(t, "node-1", "")
	out := do[ec2.DescribeAddressesOutput](t, w, "DescribeAddresses", &ec2.DescribeAddressesInput{PublicIps: []string{"192.0.2.144"}})
	if len(out.Addresses) != 1 || *out.Addresses[0].PublicIpv4Pool != "amazon" || *out.Addresses[0].AllocationId != address.ID {
		t.Errorf("got %+v", out)
	}
	enis := do[ec2.DescribeNetworkInterfacesOutput](t, w, "DescribeNetworkInterfaces", &ec2.DescribeNetworkInterfacesInput{Filters: filter("association.public-ip", "192.0.2.144")})
	if len(enis.NetworkInterfaces) != 1 || *enis.NetworkInterfaces[0].Association.IpOwnerId != "amazon-elb" {
		t.Errorf("got %+v", enis)
	}
}

func TestFiltersOfInterfacesAndAddresses(t *testing.T) {
	w := newWorld(t)
	eni, address := w.node(t, "node-1", "")
	for name, found := range map[string]bool{
		"availability-zone=us-east-1a": true, "group-name=default": true, "group-id=" + eni.SecurityGroups[0]: true,
		"addresses.private-ip-address=172.31.0.4": true, "addresses.association.public-ip=192.0.2.144": true,
		"association.allocation-id=" + address.ID: true, "association.ip-owner-id=amazon-elb": true, "requester-id=amazon-elb": true,
		"attachment.instance-id=*": false, "status=available": false, "subnet-id=" + eni.SubnetID: true, "vpc-id=" + eni.VPCID: true,
		"mac-address=06:*": true, "requester-managed=true": true, "tag-key=*": false,
	} {
		key, val, _ := strings.Cut(name, "=")
		out := do[ec2.DescribeNetworkInterfacesOutput](t, w, "DescribeNetworkInterfaces", &ec2.DescribeNetworkInterfacesInput{Filters: filter(key, val)})
		if (len(out.NetworkInterfaces) == 1) != found {
			t.Errorf("interfaces by %s: found %v, want %v", name, len(out.NetworkInterfaces) == 1, found)
		}
	}
	for name, found := range map[string]bool{
		"allocation-id=" + address.ID: true, "association-id=eipassoc-*": true, "domain=vpc": true, "network-border-group=us-east-1": true,
		"network-interface-id=" + eni.ID: true, "network-interface-owner-id=" + account: true, "private-ip-address=172.31.0.4": true,
		"public-ip=192.0.2.144": true, "public-ip=192.0.2.1": false, "instance-id=*": false,
	} {
		key, val, _ := strings.Cut(name, "=")
		out := do[ec2.DescribeAddressesOutput](t, w, "DescribeAddresses", &ec2.DescribeAddressesInput{Filters: filter(key, val)})
		if (len(out.Addresses) == 1) != found {
			t.Errorf("addresses by %s: found %v, want %v", name, len(out.Addresses) == 1, found)
		}
	}
}
