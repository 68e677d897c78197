package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/testkit"
)

// A load balancer of AWS's defaults, its targets being machines of the inventory,
// moves into a pool: with fairlead and the AWS CLI.
func TestInstancesAndANewPoolWithTheAWSCLI(t *testing.T) {
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("SKIPPED: aws is not installed, so the story isn't told with the real client")
	}
	s := testkit.StartProcess(t, filepath.Join(t.TempDir(), "data")).Server
	c := cli{t, s}
	fairlead := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(testkit.Program(t), append(args, "--data-dir", s.Dir)...).CombinedOutput()
		if err != nil {
			t.Fatalf("fairlead %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	target := testkit.StartTarget(t, "till", nil)
	vpc := c.aws("ec2 describe-vpcs --filters Name=is-default,Values=true --query Vpcs[0].VpcId")
	subnets := strings.Fields(c.aws("ec2 describe-subnets --filters Name=vpc-id,Values=%s --query Subnets[].SubnetId", vpc))

	id := fairlead("instances", "add", "--private-ip", target.Addr.Addr().String(), "--subnet", subnets[0], "--tag", "Name=till")
	if got := fairlead("instances"); !strings.Contains(got, id) || !strings.Contains(got, "till") {
		t.Errorf("the inventory shows\n%s\nwithout %s", got, id)
	}
	if got, want := c.aws("ec2 describe-instances --filters Name=tag:Name,Values=till --query Reservations[].Instances[].[InstanceId,State.Name,VpcId,SubnetId]"), id+"\trunning\t"+vpc+"\t"+subnets[0]; got != want {
		t.Errorf("instances: got %q, want %q", got, want)
	}
	group := c.aws("elbv2 create-target-group --name web --protocol HTTP --port %d --vpc-id %s --health-check-interval-seconds 5 --query TargetGroups[0].TargetGroupArn", target.Addr.Port(), vpc)
	c.aws("elbv2 register-targets --target-group-arn %s --targets Id=%s", group, id)

	arn := c.aws("elbv2 create-load-balancer --type application --name shop --ip-address-type ipv4 --subnets %s --scheme internet-facing --query LoadBalancers[0].LoadBalancerArn", strings.Join(subnets, " "))
	port := testkit.FreePort(t)
	c.aws("elbv2 create-listener --load-balancer-arn %s --protocol HTTP --port %d --default-actions Type=forward,TargetGroupArn=%s", arn, port, group)
	c.aws("elbv2 wait load-balancer-available --load-balancer-arns %s", arn)
	c.aws("elbv2 wait target-in-service --target-group-arn %s --targets Id=%s", group, id)
	name := c.aws("elbv2 describe-load-balancers --load-balancer-arns %s --query LoadBalancers[0].DNSName", arn)
	answers := func(prefix string) func() error {
		return func() error {
			for _, a := range s.Resolve(t, name) {
				if !strings.HasPrefix(a.String(), prefix) {
					return fmt.Errorf("DNS has %v", a)
				}
				resp, err := http.Get(fmt.Sprintf("http://%v:%d/", a, port))
				if err != nil {
					return err
				}
				body, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || !strings.HasPrefix(string(body), "till") {
					return fmt.Errorf("%v answers %d %q, %v", a, resp.StatusCode, body, err)
				}
			}
			return nil
		}
	}
	testkit.Eventually(t, "the instance answers through the provider's addresses", answers("127.64."))

	scope := c.aws("ec2 create-ipam --operating-regions RegionName=local-1 --query Ipam.PublicDefaultScopeId")
	pool := c.aws("ec2 create-ipam-pool --ipam-scope-id %s --address-family ipv4 --locale local-1 --aws-service ec2 --public-ip-source byoip --query IpamPool.IpamPoolId", scope)
	c.aws("ec2 provision-ipam-pool-cidr --ipam-pool-id %s --cidr 127.192.7.0/29", pool)
	if got := c.aws("elbv2 modify-ip-pools --load-balancer-arn %s --ipam-pools Ipv4IpamPoolId=%s --query IpamPools.Ipv4IpamPoolId", arn, pool); got != pool {
		t.Errorf("modify-ip-pools: got %s, want %s", got, pool)
	}
	testkit.Eventually(t, "and through the pool's", answers("127.192.7."))

	fairlead("instances", "remove", id)
	if got := c.aws("elbv2 describe-target-health --target-group-arn %s --query TargetHealthDescriptions[].[Target.Id,TargetHealth.State,TargetHealth.Reason]", group); got != id+"\tunused\tTarget.InvalidState" {
		t.Errorf("health of an instance that is gone: got %q", got)
	}
}
