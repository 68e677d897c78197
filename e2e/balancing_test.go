package e2e

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/fairlead/fairlead/internal/testkit"
)

// attributes sets attributes of a target group; keys and values alternate.
func (w *world) attributes(group string, pairs ...string) {
	w.Helper()
	in := &elb.ModifyTargetGroupAttributesInput{TargetGroupArn: &group}
	for i := 0; i < len(pairs); i += 2 {
		in.Attributes = append(in.Attributes, elbtypes.TargetGroupAttribute{Key: &pairs[i], Value: &pairs[i+1]})
	}
	if _, err := w.elb.ModifyTargetGroupAttributes(w.Context(), in); err != nil {
		w.Fatal(err)
	}
}

// ask sends a request with a cookie, and returns who answered and the value of
// AWSALB.
func (w *world) ask(at netip.Addr, port uint16, cookie string) (who, set string) {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), http.MethodGet, fmt.Sprintf("http://%s/", netip.AddrPortFrom(at, port)), nil)
	if err != nil {
		w.Fatal(err)
	}
	if cookie != "" {
		r.AddCookie(&http.Cookie{Name: "AWSALB", Value: cookie})
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		w.Fatal(err)
	}
	_ = resp.Body.Close()
	for _, c := range resp.Cookies() {
		if c.Name == "AWSALB" {
			set = c.Value
		}
	}
	return resp.Header.Get("X-Target"), set
}

// How a target group chooses, and keeps its clients, can be set while it serves.
func TestTargetGroupsChooseAsTheyAreTold(t *testing.T) {
	s := testkit.Start(t, testkit.Config(t))
	w := clients(t, s)
	w.network()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	targets := map[string]*testkit.Target{}
	for _, name := range []string{"one", "two", "three", "failing"} {
		targets[name] = testkit.StartTarget(t, name, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("X-Target", name)
			if name == "failing" && r.UserAgent() != "ELB-HealthChecker/2.0" {
				rw.WriteHeader(http.StatusInternalServerError)
			}
		}))
	}
	group := w.targetGroup("web", targets["one"], targets["two"], targets["three"], targets["failing"])
	lb := w.balancer("choosing", w.pool("127.192.46.0/28"))
	port := testkit.FreePort(t)
	w.listener(lb, port, group)
	nodes := w.Resolve(t, *lb.DNSName)

	w.attributes(group, "stickiness.enabled", "true")
	cookie, who := "", ""
	testkit.Eventually(t, "a response of a target that is well has a cookie", func() error {
		if who, cookie = w.ask(nodes[0], port, ""); cookie == "" || who == "failing" {
			return fmt.Errorf("from %q, with the cookie %q", who, cookie)
		}
		return nil
	})
	for _, at := range nodes { // which have not told each other
		for range 5 {
			if again, renewed := w.ask(at, port, cookie); again != who || renewed == "" {
				t.Errorf("a client of %s went to %s at the node %s, renewed %t", who, again, at, renewed != "")
			}
		}
	}
	left := targets[who].Addr
	if _, err := w.elb.DeregisterTargets(t.Context(), &elb.DeregisterTargetsInput{TargetGroupArn: &group, Targets: []elbtypes.TargetDescription{
		{Id: new(left.Addr().String()), Port: new(int32(left.Port()))}}}); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the client moves", func() error {
		next, moved := w.ask(nodes[1], port, cookie)
		if next == who {
			return fmt.Errorf("it is at %s", next)
		}
		if there, _ := w.ask(nodes[2], port, moved); there != next {
			t.Errorf("it moved to %s, and then was at %s", next, there)
		}
		return nil
	})

	w.attributes(group, "stickiness.enabled", "false", "load_balancing.algorithm.type", "weighted_random", "load_balancing.algorithm.anomaly_mitigation", "on")
	testkit.Eventually(t, "the target that fails is found", func() error {
		for range 50 {
			w.ask(nodes[0], port, "")
		}
		out, err := w.elb.DescribeTargetHealth(t.Context(), &elb.DescribeTargetHealthInput{TargetGroupArn: &group, Include: []elbtypes.DescribeTargetHealthInputIncludeEnum{elbtypes.DescribeTargetHealthInputIncludeEnumAll}})
		if err != nil {
			return err
		}
		for _, d := range out.TargetHealthDescriptions {
			if failing := *d.Target.Port == int32(targets["failing"].Addr.Port()); failing != (d.AnomalyDetection.MitigationInEffect == elbtypes.MitigationInEffectEnumYes) ||
				failing != (d.AnomalyDetection.Result == elbtypes.AnomalyResultEnumAnomalous) {
				return fmt.Errorf("target %d: %+v", *d.Target.Port, *d.AnomalyDetection)
			}
		}
		return nil
	})
}
