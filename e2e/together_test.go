package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/gorilla/websocket"
	"google.golang.org/grpc"
	grpccredentials "google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/fairlead/fairlead/internal/testkit"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// I9, with all that a load balancer speaks: while clients of HTTP/1.1, HTTP/2, gRPC and
// WebSocket go on at a steady pace, its rules change, its certificates are renewed and
// swapped, targets are replaced, and it moves to a pool of addresses and back. Of what
// the clients ask nothing fails.
func TestAllProtocolsTogetherSurviveARollingChange(t *testing.T) {
	s := newShop(t)
	ctx, stop := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	counts := map[string]*atomic.Int64{}
	for name, v := range map[string]func(context.Context) error{
		"HTTP/1.1":         s.asking("/", false),
		"HTTP/2":           s.asking("/", true),
		"HTTP/2 to HTTP/2": s.asking("/h2/", true),
		"gRPC":             s.calling(),
		"WebSocket":        s.talking(),
	} {
		n := new(atomic.Int64)
		counts[name] = n
		asking.Go(func() {
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for ctx.Err() == nil {
				if err := v(t.Context()); err != nil {
					t.Errorf("%s, after %d that were answered: %v", name, n.Load(), err)
					return
				}
				n.Add(1)
				<-tick.C
			}
		})
	}
	for round, end := 0, time.Now().Add(soak(t, 8*time.Second)); time.Now().Before(end) && !t.Failed(); round++ {
		s.changeRules()
		s.changeCertificates(round)
		s.changeTargets()
		if round%4 == 0 { // addresses rest when they were left, and tunnels stay on them
			s.move(round / 4)
		}
	}
	stop()
	asking.Wait()
	for name, n := range counts {
		t.Logf("%-16s %5d", name, n.Load())
		if n.Load() < 100 {
			t.Errorf("%s: only %d were asked meanwhile", name, n.Load())
		}
	}
}

// soak is how long something goes on: FAIRLEAD_SOAK, or as long as is said.
func soak(t *testing.T, otherwise time.Duration) time.Duration {
	text := os.Getenv("FAIRLEAD_SOAK")
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("FAIRLEAD_SOAK: %v", err)
	}
	return d
}

// shop is a load balancer with an HTTPS listener, and a target group of each protocol
// version.
type shop struct {
	*world
	acm          *acm.Client
	root         *issuer.Issuer
	certificates [2]string // ARNs
	pool         string
	lb           elbtypes.LoadBalancer
	port         uint16
	listener     string // ARN
	groups       []string
	targets      []func() *testkit.Target // start one, beside groups
	present      []*testkit.Target        // the one that a group has
	dialled      atomic.Int64
}

func newShop(t *testing.T) *shop {
	w := clients(t, testkit.Start(t, testkit.Config(t)))
	w.network()
	s := &shop{world: w, root: issuer.New(t, "Root"), pool: w.pool("127.192.47.0/24"), port: testkit.FreePort(t)}
	s.acm = acm.New(acm.Options{Region: w.Region, BaseEndpoint: &w.API, Credentials: credentials.NewStaticCredentialsProvider(w.Key.ID, w.Key.Secret, "")})
	for i := range s.certificates {
		s.certificates[i] = s.certify(nil)
	}
	for _, g := range []struct {
		version string
		target  func() *testkit.Target
	}{{"HTTP1", s.startWeb}, {"HTTP2", s.startHTTP2}, {"GRPC", s.startCalled}} {
		out, err := w.elb.CreateTargetGroup(t.Context(), &elb.CreateTargetGroupInput{
			Name: aws.String("to-" + g.version), Protocol: elbtypes.ProtocolEnumHttp, ProtocolVersion: aws.String(g.version), Port: aws.Int32(80),
			VpcId: &w.vpc, TargetType: elbtypes.TargetTypeEnumIp, HealthCheckIntervalSeconds: aws.Int32(5),
		})
		if err != nil {
			t.Fatal(err)
		}
		s.groups, s.targets, s.present = append(s.groups, *out.TargetGroups[0].TargetGroupArn), append(s.targets, g.target), append(s.present, g.target())
	}
	s.lb = w.balancer("together", "")
	out, err := w.elb.CreateListener(t.Context(), &elb.CreateListenerInput{
		LoadBalancerArn: s.lb.LoadBalancerArn, Protocol: elbtypes.ProtocolEnumHttps, Port: aws.Int32(int32(s.port)),
		Certificates: []elbtypes.Certificate{{CertificateArn: &s.certificates[0]}}, DefaultActions: s.forwardTo(0),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.listener = *out.Listeners[0].ListenerArn
	s.rule(100, "/h2/*", 1)
	s.rule(101, "/grpc.health.v1.Health/*", 2)
	for i, target := range s.present {
		w.register(s.groups[i], target)
		s.healthy(i, target)
	}
	first := s.asking("/h2/", true)
	testkit.Eventually(t, "the first answer", func() error { return first(t.Context()) })
	return s
}

func (s *shop) forwardTo(group int) []elbtypes.Action {
	return []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, TargetGroupArn: &s.groups[group]}}
}

// rule has requests for the paths go to a target group, and returns its ARN.
func (s *shop) rule(priority int32, path string, group int) string {
	s.Helper()
	out, err := s.elb.CreateRule(s.Context(), &elb.CreateRuleInput{
		ListenerArn: &s.listener, Priority: &priority, Actions: s.forwardTo(group),
		Conditions: []elbtypes.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{path}}},
	})
	if err != nil {
		s.Fatal(err)
	}
	return *out.Rules[0].RuleArn
}

// certify imports a new certificate, in the place of an older one if there is one.
func (s *shop) certify(arn *string) string {
	s.Helper()
	p := s.root.Issue("shop.example")
	out, err := s.acm.ImportCertificate(s.Context(), &acm.ImportCertificateInput{CertificateArn: arn, Certificate: p.Certificate, PrivateKey: p.Key})
	if err != nil {
		s.Fatal(err)
	}
	return *out.CertificateArn
}

// healthy waits until a target of the group is.
func (s *shop) healthy(group int, target *testkit.Target) {
	s.Helper()
	testkit.Eventually(s, "a healthy target", func() error {
		out, err := s.elb.DescribeTargetHealth(s.Context(), &elb.DescribeTargetHealthInput{TargetGroupArn: &s.groups[group]})
		if err != nil {
			return err
		}
		for _, d := range out.TargetHealthDescriptions {
			if *d.Target.Port == int32(target.Addr.Port()) {
				if d.TargetHealth.State == elbtypes.TargetHealthStateEnumHealthy {
					return nil
				}
				return fmt.Errorf("group %d: %s %s", group, d.TargetHealth.State, d.TargetHealth.Reason)
			}
		}
		return errors.New("it isn't there")
	})
}

// startWeb starts a target that speaks HTTP/1.1 and WebSocket, on which it says again
// what it hears.
func (s *shop) startWeb() *testkit.Target {
	return testkit.StartTarget(s, "web", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !websocket.IsWebSocketUpgrade(r) {
			_, _ = io.WriteString(w, "web")
			return
		}
		c, err := new(websocket.Upgrader).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for {
			kind, said, err := c.ReadMessage()
			if err != nil || c.WriteMessage(kind, said) != nil {
				return
			}
		}
	}))
}

// startHTTP2 starts a target that speaks HTTP/2 in the clear.
func (s *shop) startHTTP2() *testkit.Target {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "web") }))
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	s.Cleanup(srv.Close)
	return &testkit.Target{Addr: netip.MustParseAddrPort(srv.Listener.Addr().String())}
}

// startCalled starts a server of gRPC.
func (s *shop) startCalled() *testkit.Target {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	srv := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(srv, health.NewServer())
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(l) // ends with Stop
	}()
	s.Cleanup(func() { srv.Stop(); <-served })
	return &testkit.Target{Addr: netip.MustParseAddrPort(l.Addr().String())}
}

// dial connects to where DNS leads.
func (s *shop) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	at := s.Resolve(s, *s.lb.DNSName)
	if len(at) == 0 {
		return nil, errors.New("DNS knows no address")
	}
	return new(net.Dialer).DialContext(ctx, "tcp", netip.AddrPortFrom(at[int(s.dialled.Add(1))%len(at)], s.port).String())
}

func (s *shop) trusting() *tls.Config {
	return &tls.Config{RootCAs: s.root.Pool(), ServerName: "shop.example"}
}

// asking is a client of HTTP, on one connection as long as that lasts.
func (s *shop) asking(path string, http2 bool) func(context.Context) error {
	tr := &http.Transport{TLSClientConfig: s.trusting(), DialContext: s.dial, ForceAttemptHTTP2: http2, MaxIdleConnsPerHost: 1}
	s.Cleanup(tr.CloseIdleConnections)
	c := &http.Client{Transport: tr, Timeout: 10 * time.Second}
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://shop.example"+path, nil)
		if err != nil {
			return err
		}
		resp, err := c.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 200 || string(b) != "web" || (resp.ProtoMajor == 2) != http2 {
			return fmt.Errorf("%s %s %q, %w", resp.Proto, resp.Status, b, err)
		}
		return nil
	}
}

// calling is a client of gRPC.
func (s *shop) calling() func(context.Context) error {
	conn, err := grpc.NewClient("passthrough:///shop.example", grpc.WithTransportCredentials(grpccredentials.NewTLS(s.trusting())),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return s.dial(ctx, "", "") }))
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = conn.Close() })
	c := grpc_health_v1.NewHealthClient(conn)
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		_, err := c.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		return err
	}
}

// talking is a client of WebSocket, on one tunnel.
func (s *shop) talking() func(context.Context) error {
	d := websocket.Dialer{TLSClientConfig: s.trusting(), NetDialContext: s.dial}
	c, resp, err := d.DialContext(s.Context(), "wss://shop.example/", nil)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	s.Cleanup(func() { _ = c.Close() })
	n := 0
	return func(context.Context) error {
		n++
		say := fmt.Sprint("hello ", n)
		if err := c.WriteMessage(websocket.TextMessage, []byte(say)); err != nil {
			return err
		}
		if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			return err
		}
		if _, heard, err := c.ReadMessage(); err != nil || string(heard) != say {
			return fmt.Errorf("heard %q, %w", heard, err)
		}
		return nil
	}
}

// changeRules has rules come, change and go.
func (s *shop) changeRules() {
	s.Helper()
	for i := range int32(5) {
		arn := s.rule(i+1, fmt.Sprintf("/other-%d/*", i), 0)
		if _, err := s.elb.ModifyRule(s.Context(), &elb.ModifyRuleInput{RuleArn: &arn, Actions: s.forwardTo(1)}); err != nil {
			s.Fatal(err)
		}
		if _, err := s.elb.DeleteRule(s.Context(), &elb.DeleteRuleInput{RuleArn: &arn}); err != nil {
			s.Fatal(err)
		}
	}
}

// changeCertificates has the listener show another certificate, and the other one
// renewed.
func (s *shop) changeCertificates(round int) {
	s.Helper()
	in := &elb.ModifyListenerInput{ListenerArn: &s.listener, Certificates: []elbtypes.Certificate{{CertificateArn: &s.certificates[(round+1)%2]}}}
	if _, err := s.elb.ModifyListener(s.Context(), in); err != nil {
		s.Fatal(err)
	}
	for i := range s.certificates {
		s.certify(&s.certificates[i])
	}
}

// changeTargets replaces each target.
func (s *shop) changeTargets() {
	s.Helper()
	for i, group := range s.groups {
		next := s.targets[i]()
		s.register(group, next)
		s.healthy(i, next)
		was := s.present[i].Addr
		if _, err := s.elb.DeregisterTargets(s.Context(), &elb.DeregisterTargetsInput{TargetGroupArn: &group,
			Targets: []elbtypes.TargetDescription{{Id: aws.String(was.Addr().String()), Port: aws.Int32(int32(was.Port()))}}}); err != nil {
			s.Fatal(err)
		}
		s.present[i] = next
	}
}

// move has the load balancer draw its addresses from the pool, or no more.
func (s *shop) move(turn int) {
	s.Helper()
	in := &elb.ModifyIpPoolsInput{LoadBalancerArn: s.lb.LoadBalancerArn}
	if turn%2 == 0 {
		in.IpamPools = &elbtypes.IpamPools{Ipv4IpamPoolId: &s.pool}
	} else {
		in.RemoveIpamPools = []elbtypes.RemoveIpamPoolEnum{elbtypes.RemoveIpamPoolEnumIpv4}
	}
	if _, err := s.elb.ModifyIpPools(s.Context(), in); err != nil {
		s.Fatal(err)
	}
	pooled := netip.MustParsePrefix("127.192.47.0/24")
	testkit.Eventually(s, "the move", func() error {
		at := s.Resolve(s, *s.lb.DNSName)
		if len(at) != 3 || slices.ContainsFunc(at, func(a netip.Addr) bool { return pooled.Contains(a) != (turn%2 == 0) }) {
			return fmt.Errorf("at %v", at)
		}
		return nil
	})
}
