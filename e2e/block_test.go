package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/fairlead/fairlead/internal/testkit"
)

// B7, B2: a block that tags of the creation ask for is what the addresses are
// drawn from; what falls back returns when there is room; all goes at the end.
func TestABlockAndAReturn(t *testing.T) {
	p := testkit.StartProcess(t, filepath.Join(t.TempDir(), "data"))
	w := clients(t, p.Server)
	w.network()
	pool := w.pool("127.192.17.0/29")
	create := func(name string, tags ...string) elbtypes.LoadBalancer {
		t.Helper()
		in := &elb.CreateLoadBalancerInput{Name: &name, Subnets: w.subnets, IpamPools: &elbtypes.IpamPools{Ipv4IpamPoolId: &pool}}
		for i := 0; i < len(tags); i += 2 {
			in.Tags = append(in.Tags, elbtypes.Tag{Key: &tags[i], Value: &tags[i+1]})
		}
		out, err := w.elb.CreateLoadBalancer(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		return out.LoadBalancers[0]
	}
	served := func(what string, lb elbtypes.LoadBalancer, want string) {
		t.Helper()
		testkit.Eventually(t, what, func() error {
			if got := fmt.Sprint(sortAddrs(w.Resolve(t, *lb.DNSName))); got != want {
				return fmt.Errorf("DNS names %s, want %s", got, want)
			}
			return nil
		})
	}
	first := create("first", "fairlead:block", "/30", "fairlead:fallback", "deny")
	served("the block's addresses", first, "[127.192.17.0 127.192.17.1 127.192.17.2]")
	second := create("second", "fairlead:fallback", "return")
	served("the pool's beside the block", second, "[127.192.17.4 127.192.17.5 127.192.17.6]")
	third := create("third", "fairlead:fallback", "return")
	testkit.Eventually(t, "a fallback", func() error {
		if got := sortAddrs(w.Resolve(t, *third.DNSName)); len(got) != 3 || got[2].String() != "127.192.17.7" {
			return fmt.Errorf("DNS names %v", got)
		}
		return nil
	})
	attributes := func() map[string]string {
		t.Helper()
		out, err := w.elb.DescribeLoadBalancerAttributes(t.Context(), &elb.DescribeLoadBalancerAttributesInput{LoadBalancerArn: first.LoadBalancerArn})
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]string{}
		for _, a := range out.Attributes {
			all[*a.Key] = aws.ToString(a.Value)
		}
		return all
	}
	if all := attributes(); all["fairlead.ipam.block"] != "127.192.17.0/30" || all["fairlead.ipam.fallback"] != "deny" {
		t.Errorf("attributes: got %v", all)
	}
	if out, err := w.fairlead("map", pool).Output(); err != nil || !strings.Contains(string(out), "127.192.17.0/30") || !strings.Contains(string(out), "reserved for "+*first.LoadBalancerArn) {
		t.Errorf("the map doesn't show the block: %s, %v", out, err)
	}
	if _, pools := w.zoneAddresses(first); pools["127.192.17.0"] != pool {
		t.Errorf("DescribeAddresses tells the pool %q, want %s", pools["127.192.17.0"], pool)
	}
	if _, err := w.elb.DeleteLoadBalancer(t.Context(), &elb.DeleteLoadBalancerInput{LoadBalancerArn: second.LoadBalancerArn}); err != nil {
		t.Fatal(err)
	}
	// Looked for every ten seconds, one address after the other.
	testkit.Eventually(t, "the second's end", func() error {
		if n := len(w.holders(pool)); n > 3 {
			return fmt.Errorf("%d holders", n)
		}
		return nil
	})
	const home = "[127.192.17.4 127.192.17.5 127.192.17.7]"
	for got, deadline := "", time.Now().Add(time.Minute); got != home; time.Sleep(50 * time.Millisecond) { // between two looks
		if got = fmt.Sprint(sortAddrs(w.Resolve(t, *third.DNSName))); time.Now().After(deadline) {
			t.Fatalf("DNS names %s, want %s", got, home)
		}
	}
	if _, err := w.elb.ModifyLoadBalancerAttributes(t.Context(), &elb.ModifyLoadBalancerAttributesInput{LoadBalancerArn: first.LoadBalancerArn,
		Attributes: []elbtypes.LoadBalancerAttribute{{Key: aws.String("fairlead.ipam.block"), Value: aws.String("")}}}); err != nil {
		t.Fatal(err)
	}
	if got := w.holders(pool)["127.192.17.0/30"]; !strings.HasPrefix(got, "ipam-pool ") {
		t.Errorf("while addresses of it are in use the block is held by %q", got)
	}
	for _, lb := range []elbtypes.LoadBalancer{first, third} {
		if _, err := w.elb.DeleteLoadBalancer(t.Context(), &elb.DeleteLoadBalancerInput{LoadBalancerArn: lb.LoadBalancerArn}); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Eventually(t, "everything is given back", func() error {
		if held := w.holders(pool); len(held) > 0 {
			return fmt.Errorf("held: %v", held)
		}
		return nil
	})
}
