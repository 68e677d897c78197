package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fairlead/fairlead/internal/testkit"
)

// S1, I3, I4: three zones draw .144, .145 and .146 in the order of the subnets;
// IPAM says who has them, the name says them, traffic flows, and deletion gives
// them back.
func TestS1DrawFromAPool(t *testing.T) {
	w := clients(t, testkit.Start(t, testkit.Config(t)))
	w.network()
	pool := w.pool("127.192.2.144/29")
	group := w.targetGroup("web", testkit.StartTarget(t, "one", nil), testkit.StartTarget(t, "two", nil))
	made, err := w.create("shop", pool, aws.NopRetryer{})
	if err != nil || made.LoadBalancers[0].State.Code != "provisioning" {
		t.Errorf("reply: got %+v, %v, want a load balancer in state provisioning", made, err)
	}
	lb := w.balancer("shop", pool) // the same call again, which answers the same load balancer
	port := testkit.FreePort(t)
	w.listener(lb, port, group)

	byZone, pools := w.zoneAddresses(lb)
	want := map[string]string{"local-1a": "127.192.2.144", "local-1b": "127.192.2.145", "local-1c": "127.192.2.146"}
	if diff := cmp.Diff(want, byZone); diff != "" {
		t.Errorf("addresses by zone (-want +got):\n%s", diff)
	}
	held := w.holders(pool)
	for _, a := range want {
		if pools[a] != pool {
			t.Errorf("%s: DescribeAddresses says pool %q, want %q", a, pools[a], pool)
		}
		if !strings.HasPrefix(held[a+"/32"], "eip eipalloc-") {
			t.Errorf("%s: IPAM says it is held by %q, want an eip", a, held[a+"/32"])
		}
	}
	if len(held) != 3 {
		t.Errorf("the pool has %d allocations, want 3: %v", len(held), held)
	}
	answer := addrs("127.192.2.144", "127.192.2.145", "127.192.2.146")
	if diff := cmp.Diff(answer, sortAddrs(w.Resolve(t, *lb.DNSName)), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("DNS (-want +got):\n%s", diff)
	}
	for _, a := range answer {
		seen := map[string]bool{}
		testkit.Eventually(t, "both targets answer through "+a.String(), func() error {
			status, body, err := w.get(lb, a, port, "/")
			if err != nil || status != 200 {
				return fmt.Errorf("got %d %q, %v", status, body, err)
			}
			if !strings.Contains(body, " from 127.0.0.1") {
				t.Errorf("X-Forwarded-For is missing: %q", body)
			}
			seen[strings.Fields(body)[0]] = true
			if !seen["one"] || !seen["two"] {
				return fmt.Errorf("only %v so far", seen)
			}
			return nil
		})
	}

	// A client that names no host is asking for the load balancer.
	if got := w.raw(answer[0], port, "GET / HTTP/1.0\r\n\r\n"); !strings.Contains(got, " for "+strings.ToLower(*lb.DNSName)+" from ") {
		t.Errorf("HTTP/1.0 without Host: got %q", got)
	}

	_, dimension, _ := strings.Cut(*lb.LoadBalancerArn, "loadbalancer/")
	_, groupDimension, _ := strings.Cut(group, ":targetgroup/")
	for zone := range want {
		name := fmt.Sprintf(`fairlead_lb_target_responses_total{class="2xx",load_balancer=%q,target_group="targetgroup/%s",zone=%q} `, dimension, groupDimension, zone)
		if metrics := w.metrics(); !strings.Contains(metrics, name) {
			t.Errorf("metrics lack %s", name)
		}
	}

	if _, err := w.elb.DeleteLoadBalancer(t.Context(), &elb.DeleteLoadBalancerInput{LoadBalancerArn: lb.LoadBalancerArn}); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the name is gone", func() error {
		if got := w.Resolve(t, *lb.DNSName); got != nil {
			return fmt.Errorf("it still says %v", got)
		}
		return nil
	})
	testkit.Eventually(t, "everything is given back", func() error {
		if held := w.holders(pool); len(held) > 0 {
			return fmt.Errorf("the pool has %v", held)
		}
		out, err := w.ec2.DescribeNetworkInterfaces(t.Context(), &ec2.DescribeNetworkInterfacesInput{})
		if err != nil || len(out.NetworkInterfaces) > 0 {
			return fmt.Errorf("%d interfaces are left, %v", len(out.NetworkInterfaces), err)
		}
		return nil
	})
}

// S2, I6: six of eight addresses are taken; two zones draw from the pool, the
// third from the provider's, and the load balancer is up all the same.
func TestS2FallBack(t *testing.T) {
	w := clients(t, testkit.Start(t, testkit.Config(t)))
	w.network()
	pool := w.pool("127.192.2.144/29")
	for range 6 {
		if _, err := w.ec2.AllocateIpamPoolCidr(t.Context(), &ec2.AllocateIpamPoolCidrInput{IpamPoolId: &pool, NetmaskLength: aws.Int32(32)}); err != nil {
			t.Fatal(err)
		}
	}
	lb := w.balancer("shop", pool)
	byZone, pools := w.zoneAddresses(lb)
	want := map[string]string{"local-1a": "127.192.2.150", "local-1b": "127.192.2.151", "local-1c": "127.64.0.0"}
	if diff := cmp.Diff(want, byZone); diff != "" {
		t.Errorf("addresses by zone (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"127.192.2.150": pool, "127.192.2.151": pool, "127.64.0.0": "amazon"}, pools); diff != "" {
		t.Errorf("source of each address (-want +got):\n%s", diff)
	}
	if held := w.holders(pool); len(held) != 8 {
		t.Errorf("the pool has %d allocations, want 8: %v", len(held), held)
	}
	if diff := cmp.Diff(addrs("127.64.0.0", "127.192.2.150", "127.192.2.151"), sortAddrs(w.Resolve(t, *lb.DNSName)), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("DNS (-want +got):\n%s", diff)
	}
}
