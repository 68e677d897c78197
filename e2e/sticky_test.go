package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/fairlead/fairlead/internal/testkit"
)

// A client that was sent to one of two target groups stays there: at every node,
// and after the server was started anew, as all have the load balancer's key.
func TestAClientStaysWithItsTargetGroup(t *testing.T) {
	cfg := testkit.Config(t)
	s := testkit.Start(t, cfg)
	w := clients(t, s)
	w.network()
	blue := w.targetGroup("blue", testkit.StartTarget(t, "blue", nil))
	green := w.targetGroup("green", testkit.StartTarget(t, "green", nil))
	lb := w.balancer("swap", w.pool("127.192.28.0/28"))
	port := testkit.FreePort(t)
	listener := w.listener(lb, port, blue)
	nodes := w.Resolve(t, *lb.DNSName)

	weigh := func(toBlue, toGreen int32) {
		t.Helper()
		_, err := w.elb.ModifyListener(t.Context(), &elb.ModifyListenerInput{ListenerArn: &listener, DefaultActions: []elbtypes.Action{{
			Type: elbtypes.ActionTypeEnumForward, ForwardConfig: &elbtypes.ForwardActionConfig{
				TargetGroups: []elbtypes.TargetGroupTuple{
					{TargetGroupArn: &blue, Weight: &toBlue}, {TargetGroupArn: &green, Weight: &toGreen},
				},
				TargetGroupStickinessConfig: &elbtypes.TargetGroupStickinessConfig{Enabled: new(true), DurationSeconds: new(int32(600))},
			},
		}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	// ask returns who answers, and the cookie that the response sets.
	ask := func(at netip.Addr, cookie string) (who, set string) {
		t.Helper()
		reply := w.raw(at, port, "GET / HTTP/1.1\r\nHost: a\r\nCookie: "+cookie+"\r\nConnection: close\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(reply)), nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range resp.Cookies() {
			if c.Name == "AWSALBTG" {
				set = c.Name + "=" + c.Value
			}
		}
		who, _, _ = strings.Cut(string(b), " ")
		return who, set
	}
	expect := func(when, cookie, want string) (set string) {
		t.Helper()
		for _, at := range nodes {
			testkit.Eventually(t, when, func() error {
				var who string
				if who, set = ask(at, cookie); who != want || set == "" {
					return fmt.Errorf("%v: got %q and the cookie %q, want %s", at, who, set, want)
				}
				return nil
			})
		}
		return set
	}

	weigh(1, 0)
	cookie := expect("all weight is blue's", "", "blue")
	weigh(0, 1)
	expect("all weight is green's", "", "green")
	cookie = expect("who was sent to blue stays", cookie, "blue")

	s.Stop(t)
	w = clients(t, testkit.Start(t, cfg))
	testkit.Eventually(t, "the nodes are back", func() error {
		if nodes = w.Resolve(t, *lb.DNSName); len(nodes) != 3 {
			return fmt.Errorf("DNS has %v", nodes)
		}
		status, body, err := w.get(lb, nodes[0], port, "/")
		if err != nil || status != 200 {
			return fmt.Errorf("got %d %q, %v", status, body, err)
		}
		return nil
	})
	expect("the server was started anew", cookie, "blue")
	expect("it was, without a cookie", "", "green")
}
