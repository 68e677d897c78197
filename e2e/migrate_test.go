package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/fairlead/fairlead/internal/testkit"
)

// S4: a running load balancer moves to addresses of a pool, and back. Clients go
// on, each over the connection that it has for as long as the server keeps it,
// and then where DNS leads; none of their requests fails.
func TestAMigrationDropsNoRequest(t *testing.T) {
	w := clients(t, testkit.Start(t, testkit.Config(t)))
	w.network()
	pool := w.pool("127.192.14.0/29")
	group := w.targetGroup("web", testkit.StartTarget(t, "web", nil))
	lb := w.balancer("moving", "")
	port := testkit.FreePort(t)
	w.listener(lb, port, group)
	inPool := netip.MustParsePrefix("127.192.14.0/29")
	in := func(a netip.Addr) bool { return inPool.Contains(a) }
	testkit.Eventually(t, "the first answer", func() error {
		for _, a := range w.Resolve(t, *lb.DNSName) {
			if status, body, err := w.get(lb, a, port, "/"); err != nil || status != 200 {
				return fmt.Errorf("got %d %q, %v", status, body, err)
			}
		}
		return nil
	})

	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	var asked, dialled atomic.Int64
	for range 6 {
		done.Go(func() {
			tr := &http.Transport{MaxIdleConnsPerHost: 1, DialContext: func(ctx context.Context, n, _ string) (net.Conn, error) {
				at := w.Resolve(t, *lb.DNSName)
				return (&net.Dialer{}).DialContext(ctx, n, netip.AddrPortFrom(at[int(dialled.Add(1))%len(at)], port).String())
			}}
			defer tr.CloseIdleConnections()
			client := &http.Client{Transport: tr, Timeout: 10 * time.Second}
			for ctx.Err() == nil {
				resp, err := client.Get(fmt.Sprintf("http://%s:%d/", *lb.DNSName, port))
				if err != nil {
					t.Errorf("request %d: %v", asked.Load(), err)
					return
				}
				_, err = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if err != nil || resp.StatusCode != 200 {
					t.Errorf("request %d: got %d, %v", asked.Load(), resp.StatusCode, err)
					return
				}
				asked.Add(1)
			}
		})
	}

	before := len(w.holders(pool))
	move := func(what string, in *elb.ModifyIpPoolsInput, arrived func(netip.Addr) bool) {
		t.Helper()
		in.LoadBalancerArn = lb.LoadBalancerArn
		if _, err := w.elb.ModifyIpPools(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, what, func() error {
			at := w.Resolve(t, *lb.DNSName)
			here := len(slices.DeleteFunc(slices.Clone(at), arrived))
			if here != 0 && here != len(at) {
				t.Errorf("I4: %s: DNS names %v, want the one set or the other", what, at)
			}
			if here != 0 || len(at) == 0 {
				return fmt.Errorf("DNS names %v", at)
			}
			return nil
		})
	}
	move("into the pool", &elb.ModifyIpPoolsInput{IpamPools: &elbtypes.IpamPools{Ipv4IpamPoolId: &pool}}, in)
	if got := len(w.holders(pool)) - before; got != 3 {
		t.Errorf("got %d addresses of the pool in use, want one for each zone", got)
	}
	shown, err := w.elb.DescribeLoadBalancers(t.Context(), &elb.DescribeLoadBalancersInput{LoadBalancerArns: []string{*lb.LoadBalancerArn}})
	if err != nil || *shown.LoadBalancers[0].IpamPools.Ipv4IpamPoolId != pool || shown.LoadBalancers[0].State.Code != elbtypes.LoadBalancerStateEnumActive {
		t.Errorf("got %+v, %v, want an active load balancer with the pool", shown.LoadBalancers, err)
	}
	move("out of it", &elb.ModifyIpPoolsInput{RemoveIpamPools: []elbtypes.RemoveIpamPoolEnum{elbtypes.RemoveIpamPoolEnumIpv4}}, func(a netip.Addr) bool { return !in(a) })
	stop()
	done.Wait()
	t.Logf("%d requests over %d connections", asked.Load(), dialled.Load())
	if asked.Load() == 0 {
		t.Error("no request was made")
	}
	// Their connections over, the addresses of both former sets go back.
	testkit.Eventually(t, "the pool is free again", func() error {
		if held := w.holders(pool); len(held) != 0 {
			var who []string
			for a, h := range held {
				who = append(who, a+" "+h)
			}
			return fmt.Errorf("held: %s", strings.Join(who, ", "))
		}
		return nil
	})
}
