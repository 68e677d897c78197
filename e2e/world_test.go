package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/fairlead/fairlead/internal/testkit"
)

// world is a server with clients of one account.
type world struct {
	*testing.T
	*testkit.Server
	ec2 *ec2.Client
	elb *elb.Client

	vpc     string
	subnets []string
	scope   string // the IPAM's public scope
}

func clients(t *testing.T, s *testkit.Server) *world {
	creds := credentials.NewStaticCredentialsProvider(s.Key.ID, s.Key.Secret, "")
	return &world{T: t, Server: s,
		ec2: ec2.New(ec2.Options{Region: s.Region, BaseEndpoint: &s.API, Credentials: creds}),
		elb: elb.New(elb.Options{Region: s.Region, BaseEndpoint: &s.API, Credentials: creds}),
	}
}

// network makes a VPC with a subnet in each of three zones and an internet gateway.
func (w *world) network() {
	w.Helper()
	ctx := w.Context()
	v, err := w.ec2.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16")})
	if err != nil {
		w.Fatal(err)
	}
	w.vpc = *v.Vpc.VpcId
	for i, zone := range []string{"a", "b", "c"} {
		s, err := w.ec2.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: &w.vpc, CidrBlock: aws.String(fmt.Sprintf("10.0.%d.0/24", i)), AvailabilityZone: aws.String(w.Region + zone)})
		if err != nil {
			w.Fatal(err)
		}
		w.subnets = append(w.subnets, *s.Subnet.SubnetId)
	}
	g, err := w.ec2.CreateInternetGateway(ctx, &ec2.CreateInternetGatewayInput{})
	if err != nil {
		w.Fatal(err)
	}
	if _, err := w.ec2.AttachInternetGateway(ctx, &ec2.AttachInternetGatewayInput{InternetGatewayId: g.InternetGateway.InternetGatewayId, VpcId: &w.vpc}); err != nil {
		w.Fatal(err)
	}
}

// pool makes a public pool of the region with one CIDR of the operator's own.
func (w *world) pool(cidr string) string {
	w.Helper()
	ctx := w.Context()
	if w.scope == "" {
		i, err := w.ec2.CreateIpam(ctx, &ec2.CreateIpamInput{OperatingRegions: []ec2types.AddIpamOperatingRegion{{RegionName: &w.Region}}})
		if err != nil {
			w.Fatal(err)
		}
		w.scope = *i.Ipam.PublicDefaultScopeId
	}
	p, err := w.ec2.CreateIpamPool(ctx, &ec2.CreateIpamPoolInput{
		IpamScopeId: &w.scope, AddressFamily: ec2types.AddressFamilyIpv4, Locale: &w.Region,
		AwsService: ec2types.IpamPoolAwsServiceEc2, PublicIpSource: ec2types.IpamPoolPublicIpSourceByoip,
	})
	if err != nil {
		w.Fatal(err)
	}
	id := *p.IpamPool.IpamPoolId
	w.poolState(id, ec2types.IpamPoolStateCreateComplete)
	if _, err := w.ec2.ProvisionIpamPoolCidr(ctx, &ec2.ProvisionIpamPoolCidrInput{IpamPoolId: &id, Cidr: &cidr}); err != nil {
		w.Fatal(err)
	}
	testkit.Eventually(w, "CIDR provisioned", func() error {
		out, err := w.ec2.GetIpamPoolCidrs(ctx, &ec2.GetIpamPoolCidrsInput{IpamPoolId: &id})
		if err != nil {
			return err
		}
		if len(out.IpamPoolCidrs) != 1 || out.IpamPoolCidrs[0].State != ec2types.IpamPoolCidrStateProvisioned {
			return fmt.Errorf("got %+v", out.IpamPoolCidrs)
		}
		return nil
	})
	return id
}

func (w *world) poolState(id string, want ec2types.IpamPoolState) {
	w.Helper()
	testkit.Eventually(w, "pool "+string(want), func() error {
		out, err := w.ec2.DescribeIpamPools(w.Context(), &ec2.DescribeIpamPoolsInput{IpamPoolIds: []string{id}})
		if err != nil {
			return err
		}
		if got := out.IpamPools[0].State; got != want {
			return fmt.Errorf("got %s", got)
		}
		return nil
	})
}

// targetGroup makes a target group with the targets.
func (w *world) targetGroup(name string, targets ...*testkit.Target) string {
	w.Helper()
	g, err := w.elb.CreateTargetGroup(w.Context(), &elb.CreateTargetGroupInput{
		Name: &name, Protocol: elbtypes.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: &w.vpc, TargetType: elbtypes.TargetTypeEnumIp,
		HealthCheckIntervalSeconds: aws.Int32(5),
	})
	if err != nil {
		w.Fatal(err)
	}
	arn := *g.TargetGroups[0].TargetGroupArn
	w.register(arn, targets...)
	return arn
}

// register adds targets to a target group.
func (w *world) register(group string, targets ...*testkit.Target) {
	w.Helper()
	in := &elb.RegisterTargetsInput{TargetGroupArn: &group}
	for _, t := range targets {
		in.Targets = append(in.Targets, elbtypes.TargetDescription{Id: aws.String(t.Addr.Addr().String()), Port: aws.Int32(int32(t.Addr.Port()))})
	}
	if len(in.Targets) > 0 {
		if _, err := w.elb.RegisterTargets(w.Context(), in); err != nil {
			w.Fatal(err)
		}
	}
}

// balancer makes an internet-facing load balancer in the three zones, and waits
// for it to be active with the SDK's own waiter.
func (w *world) balancer(name, pool string) elbtypes.LoadBalancer {
	w.Helper()
	in := &elb.CreateLoadBalancerInput{Name: &name, Subnets: w.subnets, Scheme: elbtypes.LoadBalancerSchemeEnumInternetFacing,
		Type: elbtypes.LoadBalancerTypeEnumApplication, IpAddressType: elbtypes.IpAddressTypeIpv4}
	if pool != "" {
		in.IpamPools = &elbtypes.IpamPools{Ipv4IpamPoolId: &pool}
	}
	out, err := w.elb.CreateLoadBalancer(w.Context(), in)
	if err != nil {
		w.Fatal(err)
	}
	lb := out.LoadBalancers[0]
	waiter := elb.NewLoadBalancerAvailableWaiter(w.elb, func(o *elb.LoadBalancerAvailableWaiterOptions) {
		o.MinDelay, o.MaxDelay = 10*time.Millisecond, 50*time.Millisecond
	})
	if err := waiter.Wait(w.Context(), &elb.DescribeLoadBalancersInput{LoadBalancerArns: []string{*lb.LoadBalancerArn}}, 15*time.Second); err != nil {
		w.Fatalf("load balancer %s: %v", name, err)
	}
	return lb
}

// listener forwards a port of the load balancer to the target group.
func (w *world) listener(lb elbtypes.LoadBalancer, port uint16, group string) string {
	w.Helper()
	out, err := w.elb.CreateListener(w.Context(), &elb.CreateListenerInput{LoadBalancerArn: lb.LoadBalancerArn, Protocol: elbtypes.ProtocolEnumHttp, Port: aws.Int32(int32(port)),
		DefaultActions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, TargetGroupArn: &group}}})
	if err != nil {
		w.Fatal(err)
	}
	return *out.Listeners[0].ListenerArn
}

// get asks for a URL of the load balancer at one of its addresses.
func (w *world) get(lb elbtypes.LoadBalancer, at netip.Addr, port uint16, path string) (int, string, error) {
	tr := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: time.Second}).DialContext(ctx, network, netip.AddrPortFrom(at, port).String())
	}}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Transport: tr, Timeout: 5 * time.Second}).Get(fmt.Sprintf("http://%s:%d%s", *lb.DNSName, port, path))
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// raw sends bytes and returns all that comes back.
func (w *world) raw(at netip.Addr, port uint16, request string) string {
	w.Helper()
	conn, err := net.DialTimeout("tcp", netip.AddrPortFrom(at, port).String(), time.Second)
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		w.Fatal(err)
	}
	b, err := io.ReadAll(conn)
	if err != nil {
		w.Fatal(err)
	}
	return string(b)
}

// holders returns who has which address of a pool, by address.
func (w *world) holders(pool string) map[string]string {
	w.Helper()
	out := map[string]string{}
	pages := ec2.NewGetIpamPoolAllocationsPaginator(w.ec2, &ec2.GetIpamPoolAllocationsInput{IpamPoolId: &pool})
	for pages.HasMorePages() {
		page, err := pages.NextPage(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		for _, a := range page.IpamPoolAllocations {
			out[*a.Cidr] = string(a.ResourceType) + " " + aws.ToString(a.ResourceId)
		}
	}
	return out
}

func sortAddrs(a []netip.Addr) []netip.Addr {
	return slices.SortedFunc(slices.Values(a), netip.Addr.Compare)
}

func addrs(ss ...string) (out []netip.Addr) {
	for _, s := range ss {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

// zoneAddresses returns the public address of each zone's node, as EC2 shows it,
// and the pool that DescribeAddresses says it is from.
func (w *world) zoneAddresses(lb elbtypes.LoadBalancer) (byZone map[string]string, pools map[string]string) {
	w.Helper()
	id := (*lb.LoadBalancerArn)[strings.Index(*lb.LoadBalancerArn, "loadbalancer/")+len("loadbalancer/"):]
	out, err := w.ec2.DescribeNetworkInterfaces(w.Context(), &ec2.DescribeNetworkInterfacesInput{
		Filters: []ec2types.Filter{{Name: aws.String("description"), Values: []string{"ELB " + id}}}})
	if err != nil {
		w.Fatal(err)
	}
	byZone, pools = map[string]string{}, map[string]string{}
	for _, i := range out.NetworkInterfaces {
		if !aws.ToBool(i.RequesterManaged) || i.Association == nil {
			w.Errorf("interface %s: got %+v, want a requester-managed one with an association", *i.NetworkInterfaceId, i)
			continue
		}
		byZone[*i.AvailabilityZone] = *i.Association.PublicIp
	}
	all, err := w.ec2.DescribeAddresses(w.Context(), &ec2.DescribeAddressesInput{})
	if err != nil {
		w.Fatal(err)
	}
	for _, a := range all.Addresses {
		if a.ServiceManaged != ec2types.ServiceManagedAlb {
			w.Errorf("address %s: service-managed is %q, want alb", *a.PublicIp, a.ServiceManaged)
		}
		pools[*a.PublicIp] = aws.ToString(a.PublicIpv4Pool)
	}
	return byZone, pools
}

// long skips a story that takes minutes, unless such are asked for.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("FAIRLEAD_LONG") == "" {
		t.Skip("SKIPPED: it takes minutes; make stories tells it")
	}
}

// metrics returns what the server counts, as Prometheus reads it.
func (w *world) metrics() string {
	w.Helper()
	resp, err := http.Get(w.Ops + "/metrics")
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return string(b)
}
