package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/api/ec2"
	"github.com/fairlead/fairlead/internal/api/elbv2"
	elbshapes "github.com/fairlead/fairlead/internal/shapes/elbv2"
	"github.com/fairlead/fairlead/internal/testkit"
	"github.com/fairlead/fairlead/internal/wire"
)

// Ten thousand load balancers in three zones, a target group of ten targets each.
// Every second one has a listener with nine rules beside its default one: three
// sockets for each of ten thousand would be more than a process may have on many
// machines.
const (
	manyBalancers    = 10_000
	targetsOfEach    = 10
	rulesOfEach      = 9
	balancerPort     = 28081
	balancerSettings = `dns: {ttl: 1s}
quotas:
  elasticloadbalancing: {application-load-balancers: 20000, target-groups: 20000}
`
)

// balancerWorld starts a server with all of them. Where FAIRLEAD_BENCH_DATA names a
// directory, they are kept there.
func balancerWorld(b *testing.B) (dir string) {
	b.Helper()
	dir = filepath.Join(b.TempDir(), "data")
	kept := os.Getenv("FAIRLEAD_BENCH_DATA")
	if kept != "" {
		kept = filepath.Join(kept, fmt.Sprintf("balancers-%d", manyBalancers))
		if _, err := os.Stat(kept); err == nil {
			copyDir(b, kept, dir)
			return dir
		}
	}
	p := testkit.StartProcessWith(b, dir, balancerSettings)
	w := &world{b: b, p: p, net: apiClient(p, ec2.Spec), elb: apiClient(p, elbv2.Spec)}
	w.network("10.0.0.0/16", "10.0.%d.0/18", 64)
	begin := time.Now()
	w.each(manyBalancers, func(ctx context.Context, i int) error { return w.makeBalancer(ctx, i) })
	b.Logf("%d load balancers made through the API in %.0f s", manyBalancers, time.Since(begin).Seconds())
	if err := p.Terminate(b); err != nil {
		b.Fatal(err)
	}
	if kept != "" {
		copyDir(b, dir, kept)
	}
	return dir
}

func apiClient(p *testkit.Process, spec wire.ServiceSpec) *wire.Client {
	return &wire.Client{Endpoint: p.API, Spec: spec, Region: p.Region, AccessKeyID: p.Key.ID, Secret: p.Key.Secret}
}

// each calls do for numbers from 0, sixteen at a time.
func (w *world) each(n int, do func(ctx context.Context, i int) error) {
	w.b.Helper()
	numbers := make(chan int)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for i := range numbers {
				if err := do(w.b.Context(), i); err != nil && !w.b.Failed() {
					w.b.Errorf("number %d: %v", i, err)
				}
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	all.Wait()
	if w.b.Failed() {
		w.b.FailNow()
	}
}

func (w *world) makeBalancer(ctx context.Context, i int) error {
	name := fmt.Sprintf("lb-%05d", i)
	var g elbshapes.CreateTargetGroupOutput
	if err := w.elb.Do(ctx, "CreateTargetGroup", &elbshapes.CreateTargetGroupInput{
		Name: &name, Protocol: "HTTP", Port: new(int32(9)), VpcId: &w.vpc, TargetType: "ip", HealthCheckIntervalSeconds: new(int32(300)), HealthCheckTimeoutSeconds: new(int32(2)),
	}, &g); err != nil {
		return err
	}
	group := g.TargetGroups[0].TargetGroupArn
	register := elbshapes.RegisterTargetsInput{TargetGroupArn: group}
	for n := range targetsOfEach {
		at := i*targetsOfEach + n
		register.Targets = append(register.Targets, elbshapes.TargetDescription{Id: new(fmt.Sprintf("127.%d.%d.%d", 64+at>>16, at>>8&255, at&255))})
	}
	if err := w.elb.Do(ctx, "RegisterTargets", &register, &elbshapes.RegisterTargetsOutput{}); err != nil {
		return err
	}
	var lb elbshapes.CreateLoadBalancerOutput
	if err := w.elb.Do(ctx, "CreateLoadBalancer", &elbshapes.CreateLoadBalancerInput{Name: &name, Subnets: w.subs, IpamPools: &elbshapes.IpamPools{Ipv4IpamPoolId: &w.pool}}, &lb); err != nil {
		return err
	}
	if i%2 == 1 {
		return nil
	}
	forward := []elbshapes.Action{{Type: "forward", TargetGroupArn: group}}
	var l elbshapes.CreateListenerOutput
	if err := w.elb.Do(ctx, "CreateListener", &elbshapes.CreateListenerInput{
		LoadBalancerArn: lb.LoadBalancers[0].LoadBalancerArn, Protocol: "HTTP", Port: new(int32(balancerPort)), DefaultActions: forward}, &l); err != nil {
		return err
	}
	for n := range rulesOfEach {
		if err := w.elb.Do(ctx, "CreateRule", &elbshapes.CreateRuleInput{
			ListenerArn: l.Listeners[0].ListenerArn, Priority: new(int32(n + 1)), Actions: forward,
			Conditions: []elbshapes.RuleCondition{{Field: new("path-pattern"), Values: []string{fmt.Sprintf("/part-%d/*", n)}}},
		}, &elbshapes.CreateRuleOutput{}); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkTenThousand is a server with ten thousand load balancers: its start, its
// memory, a page of a describe, and a change of one of them until its nodes act on
// it.
func BenchmarkTenThousand(b *testing.B) {
	dir := balancerWorld(b)
	begin := time.Now()
	p := testkit.StartProcessWith(b, dir, balancerSettings)
	b.Logf("ready after %.2f s, %.2f CPU-s; %.0f MiB", time.Since(begin).Seconds(), float64(cpuTicks(b, p.PID()))/100, rssMiB(b, p.PID()))
	c := &timedClient{Client: *apiClient(p, elbv2.Spec)}
	c.HTTP = &http.Client{Transport: c}
	settle(b, p)
	b.Logf("quiet after %.0f s; %.0f MiB, at most %.0f MiB", time.Since(begin).Seconds(), rssMiB(b, p.PID()), memoryMiB(b, p.PID(), "VmHWM"))

	var some []elbshapes.LoadBalancer
	b.Run("page of 400", func(b *testing.B) {
		var marker *string
		c.took = nil
		for b.Loop() {
			var out elbshapes.DescribeLoadBalancersOutput
			must(b, &c.Client, "DescribeLoadBalancers", &elbshapes.DescribeLoadBalancersInput{PageSize: new(int32(400)), Marker: marker}, &out)
			some, marker = out.LoadBalancers, out.NextMarker
		}
		c.report(b)
	})
	b.Run("change of one", func(b *testing.B) {
		rule, nodes := lastRule(b, p, &c.Client, some)
		before, n := planned(b, p), 0
		var took []time.Duration
		for b.Loop() {
			n++
			body := strconv.Itoa(n)
			begin := time.Now()
			must(b, &c.Client, "ModifyRule", &elbshapes.ModifyRuleInput{RuleArn: &rule, Actions: []elbshapes.Action{{Type: "fixed-response",
				FixedResponseConfig: &elbshapes.FixedResponseActionConfig{StatusCode: new("200"), ContentType: new("text/plain"), MessageBody: &body}}}}, &elbshapes.ModifyRuleOutput{})
			for _, at := range nodes {
				awaitBody(b, at, body)
			}
			took = append(took, time.Since(begin))
		}
		c.took = took
		c.report(b)
		b.ReportMetric((planned(b, p)-before)/float64(n), "balancers-compiled/change")
	})
	b.Logf("%.0f MiB at the end, at most %.0f MiB", rssMiB(b, p.PID()), memoryMiB(b, p.PID(), "VmHWM"))
}

// settle waits until the server is done with what a start brings: the first probe
// of each target.
func settle(b *testing.B, p *testkit.Process) {
	b.Helper()
	last := cpuTicks(b, p.PID())
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for range 120 {
		<-tick.C
		now := cpuTicks(b, p.PID())
		if now-last < 10 { // a tenth of a CPU
			return
		}
		last = now
	}
	b.Fatal("the server isn't quiet after two minutes")
}

// lastRule returns the ARN of a rule of a load balancer, and where its nodes are
// asked for what it matches.
func lastRule(b *testing.B, p *testkit.Process, c *wire.Client, some []elbshapes.LoadBalancer) (arn string, nodes []string) {
	b.Helper()
	for _, lb := range some {
		var l elbshapes.DescribeListenersOutput
		must(b, c, "DescribeListeners", &elbshapes.DescribeListenersInput{LoadBalancerArn: lb.LoadBalancerArn}, &l)
		if len(l.Listeners) == 0 {
			continue
		}
		var r elbshapes.DescribeRulesOutput
		must(b, c, "DescribeRules", &elbshapes.DescribeRulesInput{ListenerArn: l.Listeners[0].ListenerArn}, &r)
		for _, a := range p.Resolve(b, *lb.DNSName) {
			nodes = append(nodes, fmt.Sprintf("http://%s:%d/part-0/x", a, balancerPort))
		}
		return *r.Rules[0].RuleArn, nodes
	}
	b.Fatal("no load balancer has a listener")
	return "", nil
}

func awaitBody(b *testing.B, url, want string) {
	b.Helper()
	for range 100_000 {
		resp, err := http.Get(url)
		if err != nil {
			b.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err == nil && string(body) == want {
			return
		}
	}
	b.Fatalf("%s never answers %s", url, want)
}

// planned returns how many load balancers the host has compiled.
func planned(b *testing.B, p *testkit.Process) float64 {
	b.Helper()
	resp, err := http.Get(p.Ops + "/metrics")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\nfairlead_node_load_balancers_applied_total ")
	line, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.ParseFloat(line, 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}
