package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/fairlead/fairlead/internal/testkit"
)

// Attributes about headers hold for the next requests, also on connections that are
// open, of which none is dropped (I9).
func TestAttributesAboutHeadersAreObeyed(t *testing.T) {
	s := testkit.Start(t, testkit.Config(t))
	w := clients(t, s)
	w.network()
	group := w.targetGroup("web", testkit.StartTarget(t, "web", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("X-Frame-Options", "SAMEORIGIN")
		fmt.Fprintf(rw, "%s, %s", r.Host, strings.Join(r.Header.Values("X-Forwarded-For"), "+"))
	})))
	lb := w.balancer("headers", w.pool("127.192.44.0/28"))
	port := testkit.FreePort(t)
	listener := w.listener(lb, port, group)

	var conn net.Conn
	testkit.Eventually(t, "the listener", func() (err error) {
		conn, err = net.Dial("tcp", netip.AddrPortFrom(w.Resolve(t, *lb.DNSName)[0], port).String())
		return err
	})
	defer conn.Close()
	r := bufio.NewReader(conn)
	ask := func() (told string, h http.Header) {
		t.Helper()
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: Shop.example\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b), resp.Header
	}
	client, _, _ := net.SplitHostPort(conn.LocalAddr().String())
	if got, h := ask(); got != fmt.Sprintf("shop.example:%d, 192.0.2.1, %s", port, client) || h.Get("X-Frame-Options") != "SAMEORIGIN" {
		t.Errorf("by default the target is told %q, and the client %v", got, h)
	}

	attribute := func(key, value string) elbtypes.LoadBalancerAttribute {
		return elbtypes.LoadBalancerAttribute{Key: &key, Value: &value}
	}
	if _, err := w.elb.ModifyLoadBalancerAttributes(t.Context(), &elb.ModifyLoadBalancerAttributesInput{LoadBalancerArn: lb.LoadBalancerArn, Attributes: []elbtypes.LoadBalancerAttribute{
		attribute("routing.http.preserve_host_header.enabled", "true"), attribute("routing.http.xff_header_processing.mode", "preserve"),
	}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.elb.ModifyListenerAttributes(t.Context(), &elb.ModifyListenerAttributesInput{ListenerArn: &listener, Attributes: []elbtypes.ListenerAttribute{
		{Key: new("routing.http.response.x_frame_options.header_value"), Value: new("DENY")},
	}}); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the attributes are obeyed", func() error {
		if got, h := ask(); got != "Shop.example, 192.0.2.1" || h.Get("X-Frame-Options") != "DENY" {
			return fmt.Errorf("the target is told %q, and the client %v", got, h)
		}
		return nil
	})
}
