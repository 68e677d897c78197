package bench

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	ec2shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	elbshapes "github.com/fairlead/fairlead/internal/shapes/elbv2"
	"github.com/fairlead/fairlead/internal/testkit"
)

var chart = flag.String("chart", "", "draw the migration's timeline into this file")

// Of the migration: how many connections ask how often, and how long a connection
// lives (client_keep_alive.seconds, whose least value it is).
const (
	movingConns   = 100
	movingRate    = 10 // of each connection, a second
	movingLife    = 60 * time.Second
	movingSamples = 250 * time.Millisecond
	movingSpread  = 20 * time.Second // over which the connections begin
	movingBegins  = 25 * time.Second
)

// moment is what is seen at one time of a migration.
type moment struct {
	at              time.Duration
	asked, failed   int64 // so far
	former, next    int64 // connections to the one set and to the other
	names           string
	formerAddresses int // of the former pool, in use
}

// BenchmarkMigration moves a load balancer from one pool to another under a
// thousand requests a second on a hundred kept connections, and counts what fails.
func BenchmarkMigration(b *testing.B) {
	for b.Loop() {
		m := &migration{b: b, w: newWorld(b)}
		m.run()
		if *chart != "" {
			if err := os.WriteFile(*chart, []byte(m.timeline().svg()), 0o644); err != nil { //nolint:gosec // a picture for everybody
				b.Fatal(err)
			}
		}
	}
}

type migration struct {
	b    *testing.B
	w    *world
	name string // in DNS
	port uint16

	former        netip.Prefix
	asked, failed atomic.Int64
	resets        atomic.Int64
	open          [2]atomic.Int64 // connections: to the former set, to the next
	moments       []moment
	marks         []mark
}

func (m *migration) run() {
	b, w := m.b, m.w
	target := testkit.StartTarget(b, "web", nil)
	m.port = testkit.FreePort(b)
	m.former = netip.MustParsePrefix("127.193.0.0/29")
	from, to := m.pool(m.former.String()), m.pool("127.193.0.8/29")
	var lb elbshapes.CreateLoadBalancerOutput
	w.do(w.elb, "CreateLoadBalancer", &elbshapes.CreateLoadBalancerInput{Name: new("moving"), Subnets: w.subs, IpamPools: &elbshapes.IpamPools{Ipv4IpamPoolId: &from}}, &lb)
	arn := lb.LoadBalancers[0].LoadBalancerArn
	m.name = *lb.LoadBalancers[0].DNSName
	w.do(w.elb, "ModifyLoadBalancerAttributes", &elbshapes.ModifyLoadBalancerAttributesInput{LoadBalancerArn: arn, Attributes: []elbshapes.LoadBalancerAttribute{
		{Key: new("client_keep_alive.seconds"), Value: new(strconv.Itoa(int(movingLife / time.Second)))}}}, &elbshapes.ModifyLoadBalancerAttributesOutput{})
	var g elbshapes.CreateTargetGroupOutput
	w.do(w.elb, "CreateTargetGroup", &elbshapes.CreateTargetGroupInput{Name: new("web"), Protocol: "HTTP", Port: new(int32(80)), VpcId: &w.vpc, TargetType: "ip"}, &g)
	group := g.TargetGroups[0].TargetGroupArn
	w.do(w.elb, "RegisterTargets", &elbshapes.RegisterTargetsInput{TargetGroupArn: group, Targets: []elbshapes.TargetDescription{
		{Id: new(target.Addr.Addr().String()), Port: new(int32(target.Addr.Port()))}}}, &elbshapes.RegisterTargetsOutput{})
	w.do(w.elb, "CreateListener", &elbshapes.CreateListenerInput{LoadBalancerArn: arn, Protocol: "HTTP", Port: new(int32(m.port)),
		DefaultActions: []elbshapes.Action{{Type: "forward", TargetGroupArn: group}}}, &elbshapes.CreateListenerOutput{})
	w.first200(m.name, m.port)

	ctx, stop := context.WithCancel(b.Context())
	var clients sync.WaitGroup
	for i := range movingConns {
		clients.Go(func() { m.ask(ctx, i) })
	}
	begin := time.Now()
	tick := time.NewTicker(movingSamples)
	defer tick.Stop()
	moved := false
	for range tick.C {
		now := time.Since(begin)
		if !moved && now >= movingBegins {
			moved = true
			m.mark(now, "ModifyIpPools")
			w.do(w.elb, "ModifyIpPools", &elbshapes.ModifyIpPoolsInput{LoadBalancerArn: arn, IpamPools: &elbshapes.IpamPools{Ipv4IpamPoolId: &to}}, &elbshapes.ModifyIpPoolsOutput{})
		}
		held := m.held(from)
		m.see(now, held)
		if held == 0 {
			m.mark(now, "addresses given back")
		}
		if held == 0 || now > 2*movingLife {
			break
		}
	}
	for range 8 { // what comes after
		<-tick.C
		m.see(time.Since(begin), 0)
	}
	stop()
	clients.Wait()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(m.asked.Load()), "requests")
	b.ReportMetric(float64(m.asked.Load())/time.Since(begin).Seconds(), "requests/s")
	b.ReportMetric(float64(m.failed.Load()), "failed")
	b.ReportMetric(float64(m.resets.Load()), "resets")
	if m.failed.Load() > 0 {
		b.Errorf("%d requests failed", m.failed.Load())
	}
}

// pool makes a public pool of one CIDR.
func (m *migration) pool(cidr string) string {
	w := m.w
	var all ec2shapes.DescribeIpamsOutput
	w.do(w.net, "DescribeIpams", &ec2shapes.DescribeIpamsInput{}, &all)
	var pool ec2shapes.CreateIpamPoolOutput
	w.do(w.net, "CreateIpamPool", &ec2shapes.CreateIpamPoolInput{IpamScopeId: all.Ipams[0].PublicDefaultScopeId, AddressFamily: "ipv4", Locale: &w.p.Region, AwsService: "ec2", PublicIpSource: "byoip"}, &pool)
	w.do(w.net, "ProvisionIpamPoolCidr", &ec2shapes.ProvisionIpamPoolCidrInput{IpamPoolId: pool.IpamPool.IpamPoolId, Cidr: &cidr}, &ec2shapes.ProvisionIpamPoolCidrOutput{})
	return *pool.IpamPool.IpamPoolId
}

// held returns how many addresses of a pool are in use.
func (m *migration) held(pool string) int {
	var out ec2shapes.GetIpamPoolAllocationsOutput
	m.w.do(m.w.net, "GetIpamPoolAllocations", &ec2shapes.GetIpamPoolAllocationsInput{IpamPoolId: &pool}, &out)
	return len(out.IpamPoolAllocations)
}

// ask is one client: on one connection for as long as the server keeps it, then on
// the next, where DNS leads.
func (m *migration) ask(ctx context.Context, i int) {
	late := time.NewTimer(movingSpread * time.Duration(i) / movingConns)
	defer late.Stop()
	select {
	case <-ctx.Done():
		return
	case <-late.C:
	}
	pace := time.NewTicker(time.Second / movingRate)
	defer pace.Stop()
	var conn net.Conn
	var in *bufio.Reader
	set := 0
	end := func() {
		if conn != nil {
			_ = conn.Close()
			m.open[set].Add(-1)
			conn = nil
		}
	}
	defer end()
	request := fmt.Appendf(nil, "GET /%d HTTP/1.1\r\nHost: %s\r\n\r\n", i, m.name)
	for {
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
		if conn == nil {
			addrs := m.w.p.Resolve(m.b, m.name)
			at := addrs[i%len(addrs)]
			var err error
			if conn, err = net.Dial("tcp", netip.AddrPortFrom(at, m.port).String()); err != nil {
				m.fail(err)
				continue
			}
			in = bufio.NewReader(conn)
			if set = 1; m.former.Contains(at) {
				set = 0
			}
			m.open[set].Add(1)
		}
		m.asked.Add(1)
		over, err := exchange(conn, in, request)
		if err != nil {
			m.fail(err)
		}
		if over || err != nil {
			end()
		}
	}
}

// exchange sends a request and reads the response; over says that it is the
// connection's last.
func exchange(conn net.Conn, in *bufio.Reader, request []byte) (over bool, err error) {
	if _, err := conn.Write(request); err != nil {
		return true, err
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return true, err
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return true, err
	}
	if resp.StatusCode != http.StatusOK {
		return true, errors.New(resp.Status)
	}
	return resp.Close, nil
}

func (m *migration) fail(err error) {
	if m.failed.Add(1) < 5 {
		m.b.Errorf("a request failed: %v", err)
	}
	if errors.Is(err, syscall.ECONNRESET) {
		m.resets.Add(1)
	}
}

// see notes what there is now.
func (m *migration) see(now time.Duration, held int) {
	addrs := m.w.p.Resolve(m.b, m.name)
	names := "next"
	if len(addrs) > 0 && m.former.Contains(addrs[0]) {
		names = "former"
	}
	if n := len(m.moments); n > 0 && m.moments[n-1].names != names {
		m.mark(now, "DNS names the new set")
	}
	s := moment{at: now, asked: m.asked.Load(), failed: m.failed.Load(), former: m.open[0].Load(), next: m.open[1].Load(), names: names, formerAddresses: held}
	if n := len(m.moments); n > 0 && m.moments[n-1].former > 0 && s.former == 0 {
		m.mark(now, "last old connection ended")
	}
	m.moments = append(m.moments, s)
}

func (m *migration) mark(now time.Duration, text string) { m.marks = append(m.marks, mark{now, text}) }

// timeline is what is drawn of it.
func (m *migration) timeline() timeline {
	return timeline{moments: m.moments, marks: m.marks, connections: movingConns}
}
