package e2e

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/fairlead/fairlead/internal/testkit"
)

// I1 to I5, S4: the process is killed before and after each of the controller's
// steps of a migration. The next one serves at once where the former one did, and
// brings the migration to its end: DNS names the new set alone, each of it answers,
// and the former addresses are free.
func TestWalksThroughAMigrationKilledAtEachStep(t *testing.T) {
	long(t)
	target := testkit.StartTarget(t, "web", nil)
	for _, step := range []string{"create-nodes", "create-interface", "assign-address", "place", "take-over", "close", "release", "end-migration"} {
		for _, when := range []string{"before", "after"} {
			t.Run(step+" "+when, func(t *testing.T) { killedMigration(t, target, "elb."+step+"."+when) })
		}
	}
}

func killedMigration(t *testing.T, target *testkit.Target, at string) {
	former, next := netip.MustParsePrefix("127.192.32.0/29"), netip.MustParsePrefix("127.192.32.8/29")
	dir := filepath.Join(t.TempDir(), "data")
	p := testkit.StartProcess(t, dir)
	w := clients(t, p.Server)
	w.network()
	from, to := w.pool(former.String()), w.pool(next.String())
	lb := w.balancer("moving", from)
	port := testkit.FreePort(t)
	w.listener(lb, port, w.targetGroup("web", target))
	answered := func(in netip.Prefix) error {
		addrs := w.Resolve(t, *lb.DNSName)
		if len(addrs) != 3 || slices.ContainsFunc(addrs, func(a netip.Addr) bool { return !in.Contains(a) }) {
			return fmt.Errorf("DNS names %v, want three of %s", addrs, in)
		}
		for _, a := range addrs {
			if status, body, err := w.get(lb, a, port, "/"); err != nil || status != 200 {
				return fmt.Errorf("%s: got %d %q, %v", a, status, body, err)
			}
		}
		return nil
	}
	testkit.Eventually(t, "the first answers", func() error { return answered(former) })
	p.Kill()

	start := func(env ...string) {
		vpc, subnets := w.vpc, w.subnets
		p = testkit.StartProcess(t, dir, env...)
		w = clients(t, p.Server)
		w.vpc, w.subnets = vpc, subnets
	}
	start("FAIRLEAD_FAILPOINT=" + at)
	_, _ = w.elb.ModifyIpPools(t.Context(), &elb.ModifyIpPoolsInput{LoadBalancerArn: lb.LoadBalancerArn, IpamPools: &elbtypes.IpamPools{Ipv4IpamPoolId: &to}},
		func(o *elb.Options) { o.Retryer = aws.NopRetryer{} }) // the process may die before it can answer
	p.Wait(t)

	start()
	addrs := w.Resolve(t, *lb.DNSName)
	in := func(p netip.Prefix) bool { return p.Contains(addrs[0]) }
	if len(addrs) != 3 || !in(former) && !in(next) || slices.ContainsFunc(addrs, func(a netip.Addr) bool { return former.Contains(a) != in(former) }) {
		t.Errorf("I4: once ready, DNS names %v, want the one set or the other", addrs)
	}
	testkit.Eventually(t, "the new set answers", func() error { return answered(next) })
	testkit.Eventually(t, "the former addresses are free", func() error {
		if held := w.holders(from); len(held) != 0 {
			return fmt.Errorf("held: %v", held)
		}
		return nil
	})
	if held := w.holders(to); len(held) != 3 {
		t.Errorf("I2: the new pool has %v, want three addresses", held)
	}
	out, err := w.ec2.DescribeNetworkInterfaces(t.Context(), &ec2.DescribeNetworkInterfacesInput{})
	if err != nil || len(out.NetworkInterfaces) != 3 {
		t.Errorf("I2: got %d interfaces, %v, want three", len(out.NetworkInterfaces), err)
	}
}
