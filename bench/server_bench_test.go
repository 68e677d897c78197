package bench

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/api/ec2"
	"github.com/fairlead/fairlead/internal/api/elbv2"
	ec2shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	elbshapes "github.com/fairlead/fairlead/internal/shapes/elbv2"
	"github.com/fairlead/fairlead/internal/testkit"
	"github.com/fairlead/fairlead/internal/wire"
)

// world is a server process with clients.
type world struct {
	b    *testing.B
	p    *testkit.Process
	net  *wire.Client
	elb  *wire.Client
	vpc  string
	subs []string
	pool string
}

func newWorld(b *testing.B) *world {
	p := testkit.StartProcess(b, filepath.Join(b.TempDir(), "data"))
	w := &world{b: b, p: p, net: apiClient(p, ec2.Spec), elb: apiClient(p, elbv2.Spec)}
	w.network("10.0.0.0/16", "10.0.%d.0/24", 1)
	return w
}

// network makes a VPC with a subnet in each of three zones, so far apart in their
// third byte, and a pool of public addresses.
func (w *world) network(cidr, subnet string, apart int) {
	w.b.Helper()
	var vpc ec2shapes.CreateVpcOutput
	w.do(w.net, "CreateVpc", &ec2shapes.CreateVpcInput{CidrBlock: &cidr}, &vpc)
	w.vpc = *vpc.Vpc.VpcId
	for i, zone := range []string{"a", "b", "c"} {
		var s ec2shapes.CreateSubnetOutput
		w.do(w.net, "CreateSubnet", &ec2shapes.CreateSubnetInput{VpcId: &w.vpc, CidrBlock: new(fmt.Sprintf(subnet, i*apart)), AvailabilityZone: new(w.p.Region + zone)}, &s)
		w.subs = append(w.subs, *s.Subnet.SubnetId)
	}
	var g ec2shapes.CreateInternetGatewayOutput
	w.do(w.net, "CreateInternetGateway", &ec2shapes.CreateInternetGatewayInput{}, &g)
	w.do(w.net, "AttachInternetGateway", &ec2shapes.AttachInternetGatewayInput{InternetGatewayId: g.InternetGateway.InternetGatewayId, VpcId: &w.vpc}, &ec2shapes.AttachInternetGatewayOutput{})
	var i ec2shapes.CreateIpamOutput
	w.do(w.net, "CreateIpam", &ec2shapes.CreateIpamInput{}, &i)
	var pool ec2shapes.CreateIpamPoolOutput
	w.do(w.net, "CreateIpamPool", &ec2shapes.CreateIpamPoolInput{IpamScopeId: i.Ipam.PublicDefaultScopeId, AddressFamily: "ipv4", Locale: &w.p.Region, AwsService: "ec2", PublicIpSource: "byoip"}, &pool)
	w.pool = *pool.IpamPool.IpamPoolId
	w.do(w.net, "ProvisionIpamPoolCidr", &ec2shapes.ProvisionIpamPoolCidrInput{IpamPoolId: &w.pool, Cidr: new("127.192.0.0/16")}, &ec2shapes.ProvisionIpamPoolCidrOutput{})
}

func (w *world) do(c *wire.Client, action string, in, out any) {
	w.b.Helper()
	if err := c.Do(w.b.Context(), action, in, out); err != nil {
		w.b.Fatalf("%s: %v", action, err)
	}
}

// From the call of create-load-balancer to the first 200 through its name: the
// load balancer, a target group with a target and a listener are made, the name
// is resolved and asked until it answers.
func BenchmarkCreateToFirst200(b *testing.B) {
	w := newWorld(b)
	target := testkit.StartTarget(b, "web", nil)
	port := testkit.FreePort(b)
	n := 0
	for b.Loop() {
		n++
		name := "lb-" + strconv.Itoa(n)
		var lb elbshapes.CreateLoadBalancerOutput
		w.do(w.elb, "CreateLoadBalancer", &elbshapes.CreateLoadBalancerInput{Name: &name, Subnets: w.subs, IpamPools: &elbshapes.IpamPools{Ipv4IpamPoolId: &w.pool}}, &lb)
		var g elbshapes.CreateTargetGroupOutput
		w.do(w.elb, "CreateTargetGroup", &elbshapes.CreateTargetGroupInput{Name: &name, Protocol: "HTTP", Port: new(int32(80)), VpcId: &w.vpc, TargetType: "ip"}, &g)
		arn := g.TargetGroups[0].TargetGroupArn
		w.do(w.elb, "RegisterTargets", &elbshapes.RegisterTargetsInput{TargetGroupArn: arn, Targets: []elbshapes.TargetDescription{{Id: new(target.Addr.Addr().String()), Port: new(int32(target.Addr.Port()))}}}, &elbshapes.RegisterTargetsOutput{})
		w.do(w.elb, "CreateListener", &elbshapes.CreateListenerInput{LoadBalancerArn: lb.LoadBalancers[0].LoadBalancerArn, Protocol: "HTTP", Port: new(int32(port)),
			DefaultActions: []elbshapes.Action{{Type: "forward", TargetGroupArn: arn}}}, &elbshapes.CreateListenerOutput{})
		w.first200(*lb.LoadBalancers[0].DNSName, port)
		b.StopTimer()
		w.do(w.elb, "DeleteLoadBalancer", &elbshapes.DeleteLoadBalancerInput{LoadBalancerArn: lb.LoadBalancers[0].LoadBalancerArn}, &elbshapes.DeleteLoadBalancerOutput{})
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(n), "ms/first-200")
}

func (w *world) first200(name string, port uint16) {
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		for _, a := range w.p.Resolve(w.b, name) {
			if get(netip.AddrPortFrom(a, port)) == http.StatusOK {
				return
			}
		}
		time.Sleep(time.Millisecond)
	}
	w.b.Fatalf("%s doesn't answer 200 after 10 s", name)
}

func get(at netip.AddrPort) int {
	tr := &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: time.Second}).DialContext}
	resp, err := (&http.Client{Transport: tr, Timeout: 2 * time.Second}).Get("http://" + at.String() + "/")
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// From the start of the process on an empty data directory until it is ready,
// and what it costs idle.
func BenchmarkStartAndIdle(b *testing.B) {
	testkit.Program(b) // built before the clock runs
	n, total := 0, time.Duration(0)
	var p *testkit.Process
	for b.Loop() {
		begin := time.Now()
		if p != nil {
			p.Kill()
		}
		p = testkit.StartProcess(b, filepath.Join(b.TempDir(), strconv.Itoa(n), "data"))
		total += time.Since(begin)
		n++
	}
	b.ReportMetric(float64(total.Milliseconds())/float64(n), "ms/start")
	const idle = 5 * time.Second
	before := cpuTicks(b, p.PID())
	ctx, cancel := context.WithTimeout(b.Context(), idle)
	<-ctx.Done()
	cancel()
	b.ReportMetric(float64(cpuTicks(b, p.PID())-before)/idle.Seconds(), "%CPU-idle") // a tick is 1 % of a second
	b.ReportMetric(rssMiB(b, p.PID()), "MiB-RSS")
}

// cpuTicks returns the CPU time that a process has used, in hundredths of a second.
func cpuTicks(b *testing.B, pid int) int {
	n, err := ticksOf(pid, 2)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// ticksOf returns the sum of the first so many of a process's times: user,
// system, and those of its children that have ended.
func ticksOf(pid, times int) (int, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	sum := 0
	for _, f := range fields[11 : 11+times] {
		n, err := strconv.Atoi(f)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

func rssMiB(b *testing.B, pid int) float64 { return memoryMiB(b, pid, "VmRSS") }

// memoryMiB returns one of the sizes that /proc/PID/status tells of.
func memoryMiB(b *testing.B, pid int, name string) float64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), name+":")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		b.Fatalf("%s of process %d: %v", name, pid, err)
	}
	return float64(kib) / 1024
}
