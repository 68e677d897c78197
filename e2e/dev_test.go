package e2e

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/miekg/dns"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/testkit"
)

func dev(t *testing.T) *testkit.Server {
	cfg := testkit.Config(t)
	cfg.Dev = true
	return testkit.Start(t, cfg)
}

// Emulation in CI: any key is accepted, its digits name the account, and what one
// account has another doesn't see (I8).
func TestDevModeNamesTheAccountByTheKey(t *testing.T) {
	s := dev(t)
	for key, want := range map[string]string{"111122223333": "111122223333", "anything": "123456789012"} {
		creds := credentials.NewStaticCredentialsProvider(key, "x", "")
		out, err := sts.New(sts.Options{Region: "local-1", BaseEndpoint: &s.API, Credentials: creds}).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		if err != nil || aws.ToString(out.Account) != want {
			t.Errorf("key %s: got %+v, %v, want account %s", key, out, err, want)
		}
	}
	s.Key = config.AccessKey{ID: "111122223333", Secret: "x"}
	a := clients(t, s)
	a.network()
	s.Key.ID = "444455556666"
	b := clients(t, s)
	out, err := b.ec2.DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{})
	if err != nil || len(out.Vpcs) != 1 || !aws.ToBool(out.Vpcs[0].IsDefault) {
		t.Errorf("the other account sees %+v, %v; want its own default VPC alone", out.Vpcs, err)
	}
	if _, err := b.ec2.DeleteSubnet(t.Context(), &ec2.DeleteSubnetInput{SubnetId: &a.subnets[0]}); err == nil {
		t.Error("another account deleted the subnet")
	}
}

// Any region exists on first use, with zones a to c and a default VPC.
func TestDevModeHasEveryRegion(t *testing.T) {
	s := dev(t)
	s.Region = "eu-west-1"
	w := clients(t, s)
	zones, err := w.ec2.DescribeAvailabilityZones(t.Context(), &ec2.DescribeAvailabilityZonesInput{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, z := range zones.AvailabilityZones {
		names = append(names, *z.ZoneName)
	}
	if fmt.Sprint(names) != "[eu-west-1a eu-west-1b eu-west-1c]" {
		t.Errorf("zones: got %v", names)
	}
	subnets, err := w.ec2.DescribeSubnets(t.Context(), &ec2.DescribeSubnetsInput{})
	if err != nil || len(subnets.Subnets) != 3 {
		t.Fatalf("default subnets: got %d, %v", len(subnets.Subnets), err)
	}
	for _, n := range subnets.Subnets {
		w.subnets = append(w.subnets, *n.SubnetId)
	}
	lb := w.balancer("abroad", "")
	if got := w.Resolve(t, *lb.DNSName); len(got) != 3 {
		t.Errorf("%s: got %v, want three addresses of the region's provider", *lb.DNSName, got)
	}
}

// A reset empties everything, and the next test begins as on a new installation.
func TestResetEmptiesEverything(t *testing.T) {
	s := dev(t)
	for round := range 2 {
		w := clients(t, s)
		w.network()
		pool := w.pool("127.192.2.144/29")
		lb := w.balancer("shop", pool)
		if got := w.Resolve(t, *lb.DNSName); len(got) != 3 || got[0].As4()[0] != 127 {
			t.Errorf("round %d: got %v", round, got)
		}
		begin := time.Now()
		resp, err := http.Post(s.Ops+"/reset", "", nil)
		if err != nil || resp.StatusCode != http.StatusNoContent {
			t.Fatalf("reset: got %+v, %v", resp, err)
		}
		_ = resp.Body.Close()
		t.Logf("reset took %v", time.Since(begin))
		left, err := w.elb.DescribeLoadBalancers(t.Context(), &elb.DescribeLoadBalancersInput{})
		if err != nil || len(left.LoadBalancers) > 0 {
			t.Errorf("after reset: %d load balancers, %v", len(left.LoadBalancers), err)
		}
		ipams, err := w.ec2.DescribeIpams(t.Context(), &ec2.DescribeIpamsInput{})
		if err != nil || len(ipams.Ipams) > 0 {
			t.Errorf("after reset: %d ipams, %v", len(ipams.Ipams), err)
		}
		testkit.Eventually(t, "the name is gone", func() error {
			if got := w.Resolve(t, *lb.DNSName); got != nil {
				return fmt.Errorf("got %v", got)
			}
			return nil
		})
	}
}

// A pool of real addresses works on a laptop: its nodes are served on shadow
// addresses within 127.128.0.0/9, which the name tells, and answers in dev mode.
func TestRealAddressesAreServedOnShadows(t *testing.T) {
	for name, isDev := range map[string]bool{"in dev mode the name leads to the shadow": true, "otherwise to the address": false} {
		t.Run(name, func(t *testing.T) {
			cfg := testkit.Config(t)
			cfg.Dev = isDev
			w := clients(t, testkit.Start(t, cfg))
			w.network()
			pool := w.pool("192.0.2.144/29")
			lb := w.balancer("shop", pool)
			port := testkit.FreePort(t)
			w.listener(lb, port, w.targetGroup("web", testkit.StartTarget(t, "one", nil)))
			byZone, _ := w.zoneAddresses(lb)
			if byZone["local-1a"] != "192.0.2.144" || byZone["local-1c"] != "192.0.2.146" {
				t.Errorf("EC2 shows %v, want the pool's addresses", byZone)
			}
			shadows := w.shadows(*lb.DNSName)
			if len(shadows) != 3 {
				t.Fatalf("TXT tells of %v, want three shadows", shadows)
			}
			for _, a := range w.Resolve(t, *lb.DNSName) {
				bound := a
				if !isDev {
					bound = shadows[a]
				}
				if !netip.MustParsePrefix("127.128.0.0/9").Contains(bound) || netip.MustParsePrefix("192.0.2.144/29").Contains(a) == isDev {
					t.Errorf("A answers %v, on %v", a, bound)
				}
				testkit.Eventually(t, "an answer through "+bound.String(), func() error {
					if status, body, err := w.get(lb, bound, port, "/"); err != nil || status != 200 {
						return fmt.Errorf("got %d %q, %v", status, body, err)
					}
					return nil
				})
			}
		})
	}
}

// shadows returns what the name's TXT records say: the shadow of each address.
func (w *world) shadows(name string) map[netip.Addr]netip.Addr {
	w.Helper()
	m := new(dns.Msg).SetQuestion(dns.Fqdn(strings.ToLower(name)), dns.TypeTXT)
	in, _, err := (&dns.Client{Timeout: 2 * time.Second}).Exchange(m, w.DNS)
	if err != nil {
		w.Fatal(err)
	}
	out := map[netip.Addr]netip.Addr{}
	for _, rr := range in.Answer {
		var address, shadow string
		if _, err := fmt.Sscanf(rr.(*dns.TXT).Txt[0], "fairlead: %s is served on %s", &address, &shadow); err != nil {
			w.Errorf("TXT %q: %v", rr.(*dns.TXT).Txt, err)
			continue
		}
		out[netip.MustParseAddr(address)] = netip.MustParseAddr(shadow)
	}
	return out
}
