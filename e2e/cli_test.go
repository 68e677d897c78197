package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/testkit"
)

// cli runs the AWS CLI against a server, with nothing but the client files that
// the server wrote.
type cli struct {
	*testing.T
	s *testkit.Server
}

func (c cli) run(args ...string) (string, error) {
	cmd := exec.Command("aws", append(args, "--output", "text")...)
	aws := filepath.Join(c.s.Dir, "aws")
	cmd.Env = append(os.Environ(), "AWS_CONFIG_FILE="+filepath.Join(aws, "config"), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(aws, "credentials"),
		"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_PAGER=")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("aws %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

// aws runs a command given as a person types it, and returns what it prints.
func (c cli) aws(format string, args ...any) string {
	c.Helper()
	out, err := c.run(strings.Fields(fmt.Sprintf(format, args...))...)
	if err != nil {
		c.Fatal(err)
	}
	return out
}

// S1 and S2 as a person tells them, command by command, with the AWS CLI, dig and
// curl.
func TestTheStoriesWithTheAWSCLI(t *testing.T) {
	for _, tool := range []string{"aws", "dig", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: %s is not installed, so the story isn't told with the real client", tool)
		}
	}
	s := testkit.StartProcess(t, filepath.Join(t.TempDir(), "data")).Server
	c := cli{t, s}

	if got := c.aws("sts get-caller-identity --query Account"); got != "000000000000" {
		t.Errorf("account: got %s", got)
	}
	vpc := c.aws("ec2 create-vpc --cidr-block 10.0.0.0/16 --query Vpc.VpcId")
	var subnets []string
	for i, zone := range []string{"a", "b", "c"} {
		subnets = append(subnets, c.aws("ec2 create-subnet --vpc-id %s --cidr-block 10.0.%d.0/24 --availability-zone local-1%s --query Subnet.SubnetId", vpc, i, zone))
	}
	igw := c.aws("ec2 create-internet-gateway --query InternetGateway.InternetGatewayId")
	c.aws("ec2 attach-internet-gateway --internet-gateway-id %s --vpc-id %s", igw, vpc)

	scope := c.aws("ec2 create-ipam --operating-regions RegionName=local-1 --query Ipam.PublicDefaultScopeId")
	pool := c.aws("ec2 create-ipam-pool --ipam-scope-id %s --address-family ipv4 --locale local-1 --aws-service ec2 --public-ip-source byoip --query IpamPool.IpamPoolId", scope)
	c.aws("ec2 provision-ipam-pool-cidr --ipam-pool-id %s --cidr 127.192.2.144/29", pool)
	if got := c.aws("ec2 get-ipam-pool-cidrs --ipam-pool-id %s --query IpamPoolCidrs[].[Cidr,State]", pool); got != "127.192.2.144/29\tprovisioned" {
		t.Errorf("pool CIDRs: got %q", got)
	}

	target := testkit.StartTarget(t, "web-1", nil)
	group := c.aws("elbv2 create-target-group --name web --protocol HTTP --port 80 --vpc-id %s --target-type ip --query TargetGroups[0].TargetGroupArn", vpc)
	c.aws("elbv2 register-targets --target-group-arn %s --targets Id=%s,Port=%d", group, target.Addr.Addr(), target.Addr.Port())

	create := func(name string) (arn, dns string) {
		arn = c.aws("elbv2 create-load-balancer --type application --name %s --ip-address-type ipv4 --subnets %s --scheme internet-facing --ipam-pools Ipv4IpamPoolId=%s --query LoadBalancers[0].LoadBalancerArn", name, strings.Join(subnets, " "), pool)
		c.aws("elbv2 wait load-balancer-available --load-balancer-arns %s", arn)
		return arn, c.aws("elbv2 describe-load-balancers --load-balancer-arns %s --query LoadBalancers[0].DNSName", arn)
	}
	dig := func(name string) []string {
		host, port, _ := strings.Cut(s.DNS, ":")
		out, err := exec.Command("dig", "@"+host, "-p", port, name, "+short").Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(out))
	}

	// S1: figure 2.
	arn, name := create("first")
	if got := sorted(dig(name)); got != "127.192.2.144 127.192.2.145 127.192.2.146" {
		t.Errorf("S1: dig: got %s", got)
	}
	port := strconv.Itoa(int(testkit.FreePort(t)))
	c.aws("elbv2 create-listener --load-balancer-arn %s --protocol HTTP --port %s --default-actions Type=forward,TargetGroupArn=%s", arn, port, group)
	for _, address := range dig(name) {
		testkit.Eventually(t, "curl through "+address, func() error {
			out, err := exec.Command("curl", "-sS", "-m", "5", "--resolve", name+":"+port+":"+address, "http://"+name+":"+port+"/").CombinedOutput()
			if err != nil || !strings.HasPrefix(string(out), "web-1 for "+strings.ToLower(name)) {
				return fmt.Errorf("got %q, %v", out, err)
			}
			return nil
		})
	}
	testkit.Eventually(t, "the target is healthy", func() error {
		if got := c.aws("elbv2 describe-target-health --target-group-arn %s --query TargetHealthDescriptions[0].TargetHealth.State", group); got != "healthy" {
			return fmt.Errorf("got %s", got)
		}
		return nil
	})

	// S2: figure 3. Three more addresses are taken, so that two are left.
	for range 3 {
		c.aws("ec2 allocate-ipam-pool-cidr --ipam-pool-id %s --netmask-length 32", pool)
	}
	_, name = create("second")
	if got := sorted(dig(name)); got != "127.192.2.150 127.192.2.151 127.64.0.0" {
		t.Errorf("S2: dig: got %s", got)
	}
	if got := c.aws("ec2 describe-addresses --filters Name=public-ip,Values=127.64.0.0 --query Addresses[].[PublicIpv4Pool,ServiceManaged]"); got != "amazon\talb" {
		t.Errorf("S2: the address of the third zone: got %q", got)
	}

	// S5: a CIDR with addresses in use stays.
	c.aws("ec2 deprovision-ipam-pool-cidr --ipam-pool-id %s --cidr 127.192.2.144/29", pool)
	if got := c.aws("ec2 get-ipam-pool-cidrs --ipam-pool-id %s --query IpamPoolCidrs[].[Cidr,State,FailureReason.Message]", pool); got != "127.192.2.144/29\tfailed-deprovision\tThe CIDR has one or more allocations." {
		t.Errorf("S5: got %q", got)
	}

	// I10: mistakes are refused with the service's codes.
	for _, mistake := range []struct{ command, want string }{
		{"elbv2 create-load-balancer --name one --subnets " + subnets[0], "(ValidationError) when calling the CreateLoadBalancer operation: At least two subnets in two different Availability Zones must be specified"},
		{"elbv2 create-load-balancer --name x --subnets " + strings.Join(subnets, " ") + " --ipam-pools Ipv4IpamPoolId=ipam-pool-0123456789abcdef0", "(InvalidConfigurationRequest)"},
		{"elbv2 describe-load-balancers --names nobody", "(LoadBalancerNotFound)"},
		{"ec2 get-ipam-pool-cidrs --ipam-pool-id ipam-pool-0123456789abcdef0", "(InvalidIpamPoolId.NotFound)"},
		{"ec2 allocate-ipam-pool-cidr --netmask-length 24 --ipam-pool-id " + pool, "(InvalidParameterValue) when calling the AllocateIpamPoolCidr operation: The allocation size is too big for the pool."},
		{"ec2 delete-ipam-pool --ipam-pool-id " + pool, "(DependencyViolation)"},
		{"ec2 delete-subnet --subnet-id " + subnets[0], "(DependencyViolation)"},
		{"ec2 describe-key-pairs", "(InvalidAction)"},
		{"ec2 create-vpc --cidr-block 10.9.0.0/16 --dry-run", "(DryRunOperation)"},
	} {
		if _, err := c.run(strings.Fields(mistake.command)...); err == nil || !strings.Contains(err.Error(), mistake.want) {
			t.Errorf("aws %s: got %v, want %s", mistake.command, err, mistake.want)
		}
	}
	c.aws("elbv2 delete-load-balancer --load-balancer-arn %s", arn)
	c.aws("elbv2 wait load-balancers-deleted --load-balancer-arns %s", arn)
	if resp, err := http.Get(s.Ops + "/livez"); err != nil || resp.StatusCode != 200 {
		t.Errorf("livez: %v, %v", resp, err)
	}
}

func sorted(ss []string) string {
	slices.Sort(ss)
	return strings.Join(ss, " ")
}
