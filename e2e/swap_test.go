package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/fairlead/fairlead/internal/testkit"
)

// I9: targets come and go, listeners open and close, other load balancers are
// made and deleted, and of the requests that go on meanwhile none fails.
func TestChangesDropNoRequest(t *testing.T) {
	w := clients(t, testkit.Start(t, testkit.Config(t)))
	w.network()
	pool := w.pool("127.192.9.0/27")
	one, two := testkit.StartTarget(t, "one", nil), testkit.StartTarget(t, "two", nil)
	group := w.targetGroup("web", one)
	lb := w.balancer("steady", pool)
	port := testkit.FreePort(t)
	w.listener(lb, port, group)
	at := w.Resolve(t, *lb.DNSName)
	testkit.Eventually(t, "the first answer", func() error {
		for _, a := range at {
			if status, body, err := w.get(lb, a, port, "/"); err != nil || status != 200 {
				return fmt.Errorf("got %d %q, %v", status, body, err)
			}
		}
		return nil
	})

	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	var asked atomic.Int64
	for i := range 6 {
		done.Go(func() {
			// One connection a client, kept for as long as the server keeps it.
			to := netip.AddrPortFrom(at[i%len(at)], port).String()
			tr := &http.Transport{MaxIdleConnsPerHost: 1, DialContext: func(ctx context.Context, n, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, n, to)
			}}
			defer tr.CloseIdleConnections()
			client := &http.Client{Transport: tr, Timeout: 10 * time.Second}
			for ctx.Err() == nil {
				resp, err := client.Get("http://" + to + "/")
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

	description := []elbtypes.TargetDescription{{Id: aws.String(two.Addr.Addr().String()), Port: aws.Int32(int32(two.Addr.Port()))}}
	for i := range 12 {
		if _, err := w.elb.RegisterTargets(t.Context(), &elb.RegisterTargetsInput{TargetGroupArn: &group, Targets: description}); err != nil {
			t.Fatal(err)
		}
		other := w.balancer(fmt.Sprintf("other-%d", i), pool)
		w.listener(other, port, w.targetGroup(fmt.Sprintf("other-%d", i)))
		second := w.listener(lb, testkit.FreePort(t), group)
		if _, err := w.elb.DeregisterTargets(t.Context(), &elb.DeregisterTargetsInput{TargetGroupArn: &group, Targets: description}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.elb.DeleteListener(t.Context(), &elb.DeleteListenerInput{ListenerArn: &second}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.elb.DeleteLoadBalancer(t.Context(), &elb.DeleteLoadBalancerInput{LoadBalancerArn: other.LoadBalancerArn}); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	done.Wait()
	if asked.Load() < 100 {
		t.Errorf("only %d requests were made meanwhile", asked.Load())
	}
	t.Logf("%d requests, none failed", asked.Load())
}
