package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/api/ec2"
	"github.com/fairlead/fairlead/internal/api/elbv2"
	ec2shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	elbshapes "github.com/fairlead/fairlead/internal/shapes/elbv2"
	"github.com/fairlead/fairlead/internal/testkit"
	"github.com/fairlead/fairlead/internal/wire"
)

// BenchmarkConcurrentCreates is 50 load balancers that are asked for at once,
// until all are active: every zone has a node in service.
func BenchmarkConcurrentCreates(b *testing.B) {
	const many = 50
	w := newWorld(b)
	var total time.Duration
	rounds := 0
	for b.Loop() {
		rounds++
		arns := make([]*string, many)
		begin := time.Now()
		var callers sync.WaitGroup
		for n := range many {
			callers.Go(func() {
				var lb elbshapes.CreateLoadBalancerOutput
				in := elbshapes.CreateLoadBalancerInput{Name: new(fmt.Sprintf("lb-%d-%d", rounds, n)), Subnets: w.subs, IpamPools: &elbshapes.IpamPools{Ipv4IpamPoolId: &w.pool}}
				if err := w.elb.Do(b.Context(), "CreateLoadBalancer", &in, &lb); err != nil {
					b.Error(err)
					return
				}
				arns[n] = lb.LoadBalancers[0].LoadBalancerArn
			})
		}
		callers.Wait()
		for active := 0; active < many && !b.Failed(); {
			var out elbshapes.DescribeLoadBalancersOutput
			w.do(w.elb, "DescribeLoadBalancers", &elbshapes.DescribeLoadBalancersInput{}, &out)
			active = 0
			for _, lb := range out.LoadBalancers {
				if lb.State.Code == "active" {
					active++
				}
			}
		}
		total += time.Since(begin)
		for _, arn := range arns {
			w.do(w.elb, "DeleteLoadBalancer", &elbshapes.DeleteLoadBalancerInput{LoadBalancerArn: arn}, &elbshapes.DeleteLoadBalancerOutput{})
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(total.Seconds()/float64(rounds), "s/50-active")
}

// rival is a server of the same API with the same load balancers in it.
type rival struct {
	name  string
	pid   int
	elb   *wire.Client
	rules []string
	calls map[string][]float64 // by what was called, a second, by round
	cpu   map[string][]float64 // µs for one
}

// Of the comparison with moto.
const (
	rivalLBs     = 20
	rivalClients = 8
	rivalTurn    = 3 * time.Second // of each kind of call in each round
)

// BenchmarkAgainstMoto is API calls a second by 8 connections: pages of 20 load
// balancers, and changes of a rule. The requests are signed beforehand and the
// replies not decoded, so that the two cores are the servers'. In each round both
// have their turn one after the other. Rounds are -benchtime Nx.
func BenchmarkAgainstMoto(b *testing.B) {
	p := testkit.StartProcess(b, b.TempDir()+"/data")
	us := newRival(b, "fairlead", p.PID(), wire.Client{Endpoint: p.API, Region: "us-east-1", AccessKeyID: p.Key.ID, Secret: p.Key.Secret}, p.Region)
	rivals := []*rival{us, startMoto(b)}
	for b.Loop() {
		for _, r := range rivals {
			r.turn(b, "describe", r.record(b, "DescribeLoadBalancers", &elbshapes.DescribeLoadBalancersInput{}))
			var changes []request
			for n := range 512 {
				changes = append(changes, r.record(b, "ModifyRule", &elbshapes.ModifyRuleInput{
					RuleArn:    &r.rules[n%len(r.rules)],
					Conditions: []elbshapes.RuleCondition{{Field: new("path-pattern"), Values: []string{"/" + strconv.Itoa(n)}}},
				}))
			}
			r.turn(b, "modify", changes...)
		}
	}
	b.ReportMetric(0, "ns/op")
	for _, kind := range []string{"describe", "modify"} {
		var ratios []float64
		for i := range rivals[0].calls[kind] {
			ratios = append(ratios, rivals[0].calls[kind][i]/rivals[1].calls[kind][i])
		}
		b.ReportMetric(median(ratios), kind+"/moto")
		for _, r := range rivals {
			b.Logf("%s %s by round: %.0f/s; µs CPU for one: %.0f", r.name, kind, r.calls[kind], r.cpu[kind])
			b.ReportMetric(median(r.calls[kind]), r.name+"-"+kind+"/s")
			b.ReportMetric(median(r.cpu[kind]), r.name+"-"+kind+"-µs-CPU")
		}
		b.Logf("%s against moto: %.1f to %.1f", kind, slices.Min(ratios), slices.Max(ratios))
	}
}

// startMoto starts moto's server, with an account like ours in it.
func startMoto(b *testing.B) *rival {
	b.Helper()
	program, err := exec.LookPath("moto_server")
	if err != nil {
		b.Skip("moto_server isn't installed")
	}
	port := testkit.FreePort(b)
	cmd := exec.Command(program, "-H", "127.0.0.1", "-p", strconv.Itoa(int(port)))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it starts another process of itself
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port)))
	testkit.Eventually(b, "moto answers", func() error {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			err = conn.Close()
		}
		return err
	})
	return newRival(b, "moto", cmd.Process.Pid, wire.Client{Endpoint: "http://" + addr, AccessKeyID: "k", Secret: "s"}, "us-east-1")
}

func newRival(b *testing.B, name string, pid int, client wire.Client, region string) *rival {
	b.Helper()
	client.Region = region
	network, balancing := client, client
	network.Spec, balancing.Spec = ec2.Spec, elbv2.Spec
	r := &rival{name: name, pid: pid, elb: &balancing, calls: map[string][]float64{}, cpu: map[string][]float64{}}
	do := func(c *wire.Client, action string, in, out any) {
		b.Helper()
		if err := c.Do(b.Context(), action, in, out); err != nil {
			b.Fatalf("%s: %s: %v", name, action, err)
		}
	}
	var vpc ec2shapes.CreateVpcOutput
	do(&network, "CreateVpc", &ec2shapes.CreateVpcInput{CidrBlock: new("10.0.0.0/16")}, &vpc)
	var subnets []string
	for i, zone := range []string{"a", "b"} {
		var s ec2shapes.CreateSubnetOutput
		do(&network, "CreateSubnet", &ec2shapes.CreateSubnetInput{VpcId: vpc.Vpc.VpcId, CidrBlock: new(fmt.Sprintf("10.0.%d.0/24", i)), AvailabilityZone: new(region + zone)}, &s)
		subnets = append(subnets, *s.Subnet.SubnetId)
	}
	var g ec2shapes.CreateInternetGatewayOutput
	do(&network, "CreateInternetGateway", &ec2shapes.CreateInternetGatewayInput{}, &g)
	do(&network, "AttachInternetGateway", &ec2shapes.AttachInternetGatewayInput{InternetGatewayId: g.InternetGateway.InternetGatewayId, VpcId: vpc.Vpc.VpcId}, &ec2shapes.AttachInternetGatewayOutput{})
	port := int32(testkit.FreePort(b))
	for n := range rivalLBs {
		var lb elbshapes.CreateLoadBalancerOutput
		do(r.elb, "CreateLoadBalancer", &elbshapes.CreateLoadBalancerInput{Name: new("lb-" + strconv.Itoa(n)), Subnets: subnets}, &lb)
		answer := []elbshapes.Action{{Type: "fixed-response", FixedResponseConfig: &elbshapes.FixedResponseActionConfig{StatusCode: new("404"), ContentType: new("text/plain"), MessageBody: new("no")}}}
		var l elbshapes.CreateListenerOutput
		do(r.elb, "CreateListener", &elbshapes.CreateListenerInput{LoadBalancerArn: lb.LoadBalancers[0].LoadBalancerArn, Protocol: "HTTP", Port: &port, DefaultActions: answer}, &l)
		var rule elbshapes.CreateRuleOutput
		do(r.elb, "CreateRule", &elbshapes.CreateRuleInput{
			ListenerArn: l.Listeners[0].ListenerArn, Priority: new(int32(1)), Actions: answer,
			Conditions: []elbshapes.RuleCondition{{Field: new("path-pattern"), Values: []string{"/x"}}},
		}, &rule)
		r.rules = append(r.rules, *rule.Rules[0].RuleArn)
	}
	return r
}

// request is a signed request as it is sent.
type request []byte

// recorder keeps what it is to send.
type recorder struct{ sent bytes.Buffer }

var errRecorded = errors.New("recorded")

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Write(&r.sent); err != nil {
		return nil, err
	}
	return nil, errRecorded
}

// record returns the request of a call.
func (r *rival) record(b *testing.B, action string, in any) request {
	b.Helper()
	var out recorder
	client := *r.elb
	client.HTTP = &http.Client{Transport: &out}
	if err := client.Do(b.Context(), action, in, &struct{}{}); !errors.Is(err, errRecorded) {
		b.Fatal(err)
	}
	return out.sent.Bytes()
}

// turn makes calls for a while and notes how many.
func (r *rival) turn(b *testing.B, kind string, requests ...request) {
	b.Helper()
	before, begin := r.ticks(b), time.Now()
	var made atomic.Int64
	var clients sync.WaitGroup
	for range rivalClients {
		clients.Go(func() {
			c := caller{addr: strings.TrimPrefix(r.elb.Endpoint, "http://")}
			defer c.close()
			for time.Since(begin) < rivalTurn {
				if err := c.call(requests[int(made.Add(1))%len(requests)]); err != nil {
					b.Errorf("%s: %v", r.name, err)
					return
				}
			}
		})
	}
	clients.Wait()
	n := float64(made.Load())
	r.calls[kind] = append(r.calls[kind], n/time.Since(begin).Seconds())
	r.cpu[kind] = append(r.cpu[kind], float64(r.ticks(b)-before)*10_000/n)
}

// caller sends requests on one connection, as long as the server keeps it.
type caller struct {
	addr string
	conn net.Conn
	in   *bufio.Reader
}

func (c *caller) call(r request) error {
	if c.conn == nil {
		conn, err := net.Dial("tcp", c.addr)
		if err != nil {
			return err
		}
		c.conn, c.in = conn, bufio.NewReader(conn)
	}
	if _, err := c.conn.Write(r); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	if resp.Close {
		c.close()
	}
	return nil
}

func (c *caller) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

func (r *rival) ticks(b *testing.B) int {
	n, err := ticksOf(r.pid, 4)
	if err != nil {
		b.Fatal(err)
	}
	return n
}
