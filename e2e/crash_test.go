package e2e

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/fairlead/fairlead/internal/testkit"
)

// I1, I2, I5: a kill -9 in the middle of creating ten load balancers. What a call
// confirmed is there, everything converges, and no address is lost or doubled.
func TestKillInTheMiddleOfCreatingTenLoadBalancers(t *testing.T) {
	for _, confirmed := range []int32{1, 4, 9} {
		t.Run(fmt.Sprintf("after %d confirmations", confirmed), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			p := testkit.StartProcess(t, dir)
			w := clients(t, p.Server)
			w.network()
			pool := w.pool("127.192.8.0/27")

			var got sync.Map // name → ARN, of confirmed creations
			var n atomic.Int32
			var wg sync.WaitGroup
			for i := range 10 {
				name := fmt.Sprintf("lb-%d", i)
				wg.Go(func() {
					out, err := w.create(name, pool, aws.NopRetryer{})
					if err == nil {
						got.Store(name, *out.LoadBalancers[0].LoadBalancerArn)
						if n.Add(1) == confirmed {
							p.Kill()
						}
					}
				})
			}
			wg.Wait()

			p = testkit.StartProcess(t, dir)
			next := clients(t, p.Server)
			next.vpc, next.subnets = w.vpc, w.subnets
			w = next
			got.Range(func(name, arn any) bool {
				out, err := w.elb.DescribeLoadBalancers(t.Context(), &elb.DescribeLoadBalancersInput{Names: []string{name.(string)}})
				if err != nil || *out.LoadBalancers[0].LoadBalancerArn != arn {
					t.Errorf("I5: %s was confirmed, and after the restart there is %+v, %v", name, out, err)
				}
				return true
			})
			var all []elbtypes.LoadBalancer
			for i := range 10 {
				all = append(all, w.balancer(fmt.Sprintf("lb-%d", i), pool))
			}
			w.exactlyOneAddressEach(all, pool)

			for _, lb := range all {
				if _, err := w.elb.DeleteLoadBalancer(t.Context(), &elb.DeleteLoadBalancerInput{LoadBalancerArn: lb.LoadBalancerArn}); err != nil {
					t.Fatal(err)
				}
			}
			testkit.Eventually(t, "everything is given back", func() error {
				if held := w.holders(pool); len(held) > 0 {
					return fmt.Errorf("the pool has %v", held)
				}
				return nil
			})
			if err := p.Terminate(t); err != nil {
				t.Errorf("SIGTERM: %v", err)
			}
		})
	}
}

// I1, I2, I5: the process dies at a durable step, and the next one goes on.
func TestKillAtAStep(t *testing.T) {
	for _, at := range []string{
		"elb.create-nodes.after", "elb.create-interface.before:2", "elb.assign-address.before:3", "elb.assign-address.after:1",
		"ipam.commit:2", "ipam.committed:2", "elb.place.before", "elb.serve.after:2", "elb.activate.before",
	} {
		t.Run(at, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			p := testkit.StartProcess(t, dir)
			w := clients(t, p.Server)
			w.network()
			pool := w.pool("127.192.8.0/27")
			p.Kill()

			p = testkit.StartProcess(t, dir, "FAIRLEAD_FAILPOINT="+at)
			again := clients(t, p.Server)
			again.vpc, again.subnets = w.vpc, w.subnets
			_, _ = again.create("shop", pool, aws.NopRetryer{}) // may die before it can answer
			p.Wait(t)

			p = testkit.StartProcess(t, dir)
			again = clients(t, p.Server)
			again.vpc, again.subnets = w.vpc, w.subnets
			lb := again.balancer("shop", pool)
			again.exactlyOneAddressEach([]elbtypes.LoadBalancer{lb}, pool)
			byZone, _ := again.zoneAddresses(lb)
			if want := fmt.Sprint(map[string]string{"local-1a": "127.192.8.0", "local-1b": "127.192.8.1", "local-1c": "127.192.8.2"}); fmt.Sprint(byZone) != want {
				t.Errorf("I3: got %v, want %s", byZone, want)
			}
		})
	}
}

func (w *world) create(name, pool string, retryer aws.Retryer) (*elb.CreateLoadBalancerOutput, error) {
	return w.elb.CreateLoadBalancer(w.Context(), &elb.CreateLoadBalancerInput{Name: &name, Subnets: w.subnets,
		Scheme: elbtypes.LoadBalancerSchemeEnumInternetFacing, IpamPools: &elbtypes.IpamPools{Ipv4IpamPoolId: &pool}},
		func(o *elb.Options) { o.Retryer = retryer })
}

// exactlyOneAddressEach checks that every zone of every load balancer has one
// interface with one address, that all addresses differ, and that IPAM, EC2 and
// DNS agree on them.
func (w *world) exactlyOneAddressEach(all []elbtypes.LoadBalancer, pool string) {
	w.Helper()
	out, err := w.ec2.DescribeNetworkInterfaces(w.Context(), &ec2.DescribeNetworkInterfacesInput{})
	if err != nil {
		w.Fatal(err)
	}
	seen := map[string]string{}
	for _, i := range out.NetworkInterfaces {
		if i.Association == nil {
			w.Errorf("I2: interface %s has no address", *i.NetworkInterfaceId)
			continue
		}
		if other, twice := seen[*i.Association.PublicIp]; twice {
			w.Errorf("I1: %s is on %s and %s", *i.Association.PublicIp, other, *i.NetworkInterfaceId)
		}
		seen[*i.Association.PublicIp] = *i.NetworkInterfaceId
	}
	if want := 3 * len(all); len(seen) != want || len(out.NetworkInterfaces) != want {
		w.Errorf("got %d interfaces with %d addresses, want %d", len(out.NetworkInterfaces), len(seen), want)
	}
	if held := w.holders(pool); len(held) != len(seen) {
		w.Errorf("I2: the pool has %d allocations, want %d", len(held), len(seen))
	}
	for _, lb := range all {
		answer := w.Resolve(w, *lb.DNSName)
		if len(answer) != 3 {
			w.Errorf("%s: DNS answers %v, want three addresses", *lb.LoadBalancerName, answer)
		}
		for _, a := range answer {
			if _, ok := seen[a.String()]; !ok || !netip.MustParsePrefix("127.192.8.0/27").Contains(a) {
				w.Errorf("I4: %s: DNS answers %v, which is on no interface of the pool", *lb.LoadBalancerName, a)
			}
		}
	}
}
