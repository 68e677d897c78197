package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/testkit"
)

// Elastic IPs and interfaces as a person has them, command by command, with the
// AWS CLI: out of a pool, onto an interface, back; then a contiguous block whole
// and in order. What was answered survives a kill (I5).
func TestElasticIPsWithTheAWSCLI(t *testing.T) {
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("SKIPPED: the AWS CLI is not installed, so the story isn't told with the real client")
	}
	dir := filepath.Join(t.TempDir(), "data")
	p := testkit.StartProcess(t, dir)
	c := cli{t, p.Server}
	refused := func(code, format string, args ...any) {
		t.Helper()
		command := fmt.Sprintf(format, args...)
		if _, err := c.run(strings.Fields(command)...); err == nil || !strings.Contains(err.Error(), "("+code+")") {
			t.Errorf("aws %s: got %v, want %s", command, err, code)
		}
	}
	want := func(want, format string, args ...any) {
		t.Helper()
		if got := c.aws(format, args...); got != want {
			t.Errorf("aws %s: got %q, want %q", fmt.Sprintf(format, args...), got, want)
		}
	}

	scope := c.aws("ec2 create-ipam --operating-regions RegionName=local-1 --query Ipam.PublicDefaultScopeId")
	pool := c.aws("ec2 create-ipam-pool --ipam-scope-id %s --address-family ipv4 --locale local-1 --aws-service ec2 --public-ip-source byoip --query IpamPool.IpamPoolId", scope)
	c.aws("ec2 provision-ipam-pool-cidr --ipam-pool-id %s --cidr 192.0.2.144/30", pool)
	vpc := c.aws("ec2 create-vpc --cidr-block 10.0.0.0/16 --query Vpc.VpcId")
	subnet := c.aws("ec2 create-subnet --vpc-id %s --cidr-block 10.0.0.0/24 --query Subnet.SubnetId", vpc)

	// An address of the pool, and an interface with a second private address.
	allocation := c.aws("ec2 allocate-address --ipam-pool-id %s --query AllocationId", pool)
	want("192.0.2.144\t"+pool+"\tvpc\tlocal-1", "ec2 describe-addresses --allocation-ids %s --query Addresses[0].[PublicIp,PublicIpv4Pool,Domain,NetworkBorderGroup]", allocation)
	eni := c.aws("ec2 create-network-interface --subnet-id %s --secondary-private-ip-address-count 1 --description uplink --query NetworkInterface.NetworkInterfaceId", subnet)
	want("10.0.0.4\t10.0.0.5", "ec2 describe-network-interfaces --network-interface-ids %s --query NetworkInterfaces[0].PrivateIpAddresses[].PrivateIpAddress", eni)
	want("249", "ec2 describe-subnets --subnet-ids %s --query Subnets[0].AvailableIpAddressCount", subnet)

	refused("Gateway.NotAttached", "ec2 associate-address --allocation-id %s --network-interface-id %s", allocation, eni)
	igw := c.aws("ec2 create-internet-gateway --query InternetGateway.InternetGatewayId")
	c.aws("ec2 attach-internet-gateway --internet-gateway-id %s --vpc-id %s", igw, vpc)
	association := c.aws("ec2 associate-address --allocation-id %s --network-interface-id %s --private-ip-address 10.0.0.5 --query AssociationId", allocation, eni)
	want(association, "ec2 associate-address --allocation-id %s --network-interface-id %s --private-ip-address 10.0.0.5 --query AssociationId", allocation, eni)
	want("192.0.2.144\t"+allocation, "ec2 describe-network-interfaces --network-interface-ids %s --query NetworkInterfaces[0].PrivateIpAddresses[1].Association.[PublicIp,AllocationId]", eni)

	// What depends on it stays.
	refused("InvalidIPAddress.InUse", "ec2 release-address --allocation-id %s", allocation)
	refused("DependencyViolation", "ec2 detach-internet-gateway --internet-gateway-id %s --vpc-id %s", igw, vpc)
	refused("DependencyViolation", "ec2 delete-subnet --subnet-id %s", subnet)
	refused("InvalidInstanceID.NotFound", "ec2 associate-address --allocation-id %s --instance-id i-0123456789abcdef0", allocation)

	// A kill loses nothing of it.
	p.Kill()
	c.s = testkit.StartProcess(t, dir).Server
	want(association+"\t10.0.0.5", "ec2 describe-addresses --filters Name=association-id,Values=eipassoc-* --query Addresses[].[AssociationId,PrivateIpAddress]")
	want("192.0.2.144/32\teip\t"+allocation, "ec2 get-ipam-pool-allocations --ipam-pool-id %s --query IpamPoolAllocations[].[Cidr,ResourceType,ResourceId]", pool)

	// The rest of the pool, and what an empty one says.
	want("192.0.2.147", "ec2 allocate-address --ipam-pool-id %s --address 192.0.2.147 --query PublicIp", pool)
	want("192.0.2.145", "ec2 allocate-address --address 192.0.2.145 --query PublicIp")
	want("192.0.2.146", "ec2 allocate-address --ipam-pool-id %s --tag-specifications ResourceType=elastic-ip,Tags=[{Key=team,Value=edge}] --query PublicIp", pool)
	refused("InsufficientAddressCapacity", "ec2 allocate-address --ipam-pool-id %s", pool)
	want("192.0.2.146", "ec2 describe-addresses --filters Name=tag:team,Values=edge --query Addresses[].PublicIp")

	// Back: the second address goes from the interface, and the elastic IP with it.
	c.aws("ec2 unassign-private-ip-addresses --network-interface-id %s --private-ip-addresses 10.0.0.5", eni)
	c.aws("ec2 disassociate-address --association-id %s", association) // has ended, and is no error
	c.aws("ec2 release-address --allocation-id %s", allocation)
	want("192.0.2.144", "ec2 allocate-address --ipam-pool-id %s --query PublicIp", pool)
	c.aws("ec2 delete-network-interface --network-interface-id %s", eni)
	want("251", "ec2 describe-subnets --subnet-ids %s --query Subnets[0].AvailableIpAddressCount", subnet)
	c.aws("ec2 detach-internet-gateway --internet-gateway-id %s --vpc-id %s", igw, vpc)
	c.aws("ec2 delete-subnet --subnet-id %s", subnet)

	// A contiguous block of the provider's: eight addresses, in order.
	contiguous := c.aws("ec2 create-ipam-pool --ipam-scope-id %s --address-family ipv4 --locale local-1 --aws-service ec2 --public-ip-source amazon --query IpamPool.IpamPoolId", scope)
	c.aws("ec2 provision-ipam-pool-cidr --ipam-pool-id %s --netmask-length 29", contiguous)
	want("127.65.0.0/29\tprovisioned", "ec2 get-ipam-pool-cidrs --ipam-pool-id %s --query IpamPoolCidrs[].[Cidr,State]", contiguous)
	for n := range 8 {
		want(fmt.Sprintf("127.65.0.%d\t%s", n, contiguous), "ec2 allocate-address --ipam-pool-id %s --query [PublicIp,PublicIpv4Pool]", contiguous)
	}
	refused("InsufficientAddressCapacity", "ec2 allocate-address --ipam-pool-id %s", contiguous)
	c.aws("ec2 deprovision-ipam-pool-cidr --ipam-pool-id %s --cidr 127.65.0.0/29", contiguous)
	want("failed-deprovision", "ec2 get-ipam-pool-cidrs --ipam-pool-id %s --query IpamPoolCidrs[].State", contiguous)
}
