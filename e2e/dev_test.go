package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/sts"

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
