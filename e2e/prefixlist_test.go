package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/testkit"
)

// An allow-list as a person keeps one, with the AWS CLI: a security group names a
// prefix list, a resolver keeps that in step with a pool as it grows, and goes on
// with it after a kill (I5).
func TestAnAllowListWithTheAWSCLI(t *testing.T) {
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("SKIPPED: the AWS CLI is not installed, so the story isn't told with the real client")
	}
	dir := filepath.Join(t.TempDir(), "data")
	p := testkit.StartProcess(t, dir)
	c := cli{t, p.Server}
	eventually := func(want, format string, args ...any) {
		t.Helper()
		var got string
		for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
			if got = c.aws(format, args...); got == want {
				return
			}
		}
		t.Fatalf("aws %s: got %q, want %q", fmt.Sprintf(format, args...), got, want)
	}
	refused := func(code, format string, args ...any) {
		t.Helper()
		command := fmt.Sprintf(format, args...)
		if _, err := c.run(strings.Fields(command)...); err == nil || !strings.Contains(err.Error(), "("+code+")") {
			t.Errorf("aws %s: got %v, want %s", command, err, code)
		}
	}
	const entries = "ec2 get-managed-prefix-list-entries --prefix-list-id %s --query Entries[].Cidr"

	list := c.aws("ec2 create-managed-prefix-list --prefix-list-name partners --address-family IPv4 --max-entries 20 --entries Cidr=198.51.100.0/24,Description=office --query PrefixList.PrefixListId")
	vpc := c.aws("ec2 create-vpc --cidr-block 10.0.0.0/16 --query Vpc.VpcId")
	group := c.aws("ec2 create-security-group --group-name web --description web --vpc-id %s --query GroupId", vpc)
	c.aws("ec2 authorize-security-group-ingress --group-id %s --ip-permissions IpProtocol=tcp,FromPort=443,ToPort=443,PrefixListIds=[{PrefixListId=%s}]", group, list)
	if got := c.aws("ec2 get-managed-prefix-list-associations --prefix-list-id %s --query PrefixListAssociations[].ResourceId", list); got != group {
		t.Errorf("the list is named by %q, want %s", got, group)
	}
	refused("DependencyViolation", "ec2 delete-managed-prefix-list --prefix-list-id %s", list)

	ids := strings.Fields(c.aws("ec2 create-ipam --operating-regions RegionName=local-1 --query Ipam.[IpamId,PublicDefaultScopeId]"))
	pool := c.aws("ec2 create-ipam-pool --ipam-scope-id %s --address-family ipv4 --locale local-1 --aws-service ec2 --public-ip-source byoip --query IpamPool.IpamPoolId", ids[1])
	c.aws("ec2 provision-ipam-pool-cidr --ipam-pool-id %s --cidr 192.0.2.144/29", pool)
	resolver := c.aws("ec2 create-ipam-prefix-list-resolver --ipam-id %s --address-family ipv4 --rules RuleType=ipam-pool-cidr,IpamScopeId=%s,Conditions=[{Operation=equals,IpamPoolId=%s}] --query IpamPrefixListResolver.IpamPrefixListResolverId", ids[0], ids[1], pool)
	target := c.aws("ec2 create-ipam-prefix-list-resolver-target --ipam-prefix-list-resolver-id %s --prefix-list-id %s --prefix-list-region local-1 --track-latest-version --query IpamPrefixListResolverTarget.IpamPrefixListResolverTargetId", resolver, list)
	eventually("192.0.2.144/29", entries, list)
	refused("OperationNotPermitted", "ec2 modify-managed-prefix-list --prefix-list-id %s --current-version 2 --add-entries Cidr=203.0.113.0/24", list)

	c.aws("ec2 provision-ipam-pool-cidr --ipam-pool-id %s --cidr 203.0.113.8/30", pool)
	p.Kill()
	c.s = testkit.StartProcess(t, dir).Server
	eventually("192.0.2.144/29\t203.0.113.8/30", entries, list)
	eventually("sync-complete\t2", "ec2 describe-ipam-prefix-list-resolver-targets --ipam-prefix-list-resolver-target-ids %s --query IpamPrefixListResolverTargets[0].[State,LastSyncedVersion]", target)
	if got := c.aws("ec2 get-managed-prefix-list-entries --prefix-list-id %s --target-version 1 --query Entries[].[Cidr,Description]", list); got != "198.51.100.0/24\toffice" {
		t.Errorf("the first version: got %q", got)
	}

	c.aws("ec2 delete-ipam-prefix-list-resolver-target --ipam-prefix-list-resolver-target-id %s", target)
	c.aws("ec2 delete-ipam-prefix-list-resolver --ipam-prefix-list-resolver-id %s", resolver)
	c.aws("ec2 revoke-security-group-ingress --group-id %s --ip-permissions IpProtocol=tcp,FromPort=443,ToPort=443,PrefixListIds=[{PrefixListId=%s}]", group, list)
	c.aws("ec2 delete-managed-prefix-list --prefix-list-id %s", list)
}
