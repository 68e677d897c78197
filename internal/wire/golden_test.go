package wire_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/shapes/elbv2"
	"github.com/fairlead/fairlead/internal/shapes/sts"
	"github.com/fairlead/fairlead/internal/wire"
)

var update = flag.Bool("update", false, "rewrite the responses in testdata")

// goldenServer answers with what its requests name, at a fixed time.
func goldenServer(t *testing.T) *httptest.Server {
	t.Helper()
	now := time.Date(2026, 11, 22, 6, 5, 0, 120e6, time.UTC)
	e, l, s := wire.NewService(ec2Spec), wire.NewService(elbSpec), wire.NewService(stsSpec)
	wire.Handle(e, "CreateIpamPool", func(_ context.Context, c *wire.Call, in *ec2.CreateIpamPoolInput) (*ec2.CreateIpamPoolOutput, error) {
		if err := c.CheckDryRun(); err != nil {
			return nil, err
		}
		return &ec2.CreateIpamPoolOutput{IpamPool: &ec2.IpamPool{
			IpamPoolId: new("ipam-pool-0123456789abcdef0"), OwnerId: &c.Account, IpamScopeArn: in.IpamScopeId, AddressFamily: in.AddressFamily,
			Locale: in.Locale, AutoImport: in.AutoImport, AllocationMinNetmaskLength: in.AllocationMinNetmaskLength, Description: in.Description,
			Tags: []ec2.Tag{}, AllocationResourceTags: []ec2.IpamResourceTag{{Key: new("team"), Value: new("")}},
		}}, nil
	})
	wire.Handle(e, "DescribeNetworkInterfaces", func(_ context.Context, c *wire.Call, _ *ec2.DescribeNetworkInterfacesInput) (*ec2.DescribeNetworkInterfacesOutput, error) {
		return &ec2.DescribeNetworkInterfacesOutput{NetworkInterfaces: []ec2.NetworkInterface{
			{NetworkInterfaceId: new("eni-1"), Attachment: &ec2.NetworkInterfaceAttachment{AttachTime: &c.Now, DeviceIndex: new(int32(0)), DeleteOnTermination: new(false)}},
			{NetworkInterfaceId: new("eni-2"), Groups: []ec2.GroupIdentifier{{GroupId: new("sg-1")}, {GroupId: new("sg-2")}}},
		}}, nil
	})
	wire.Handle(e, "AttachInternetGateway", func(context.Context, *wire.Call, *ec2.AttachInternetGatewayInput) (*ec2.AttachInternetGatewayOutput, error) {
		return &ec2.AttachInternetGatewayOutput{}, nil
	})
	wire.Handle(l, "ModifyIpPools", func(_ context.Context, _ *wire.Call, in *elbv2.ModifyIpPoolsInput) (*elbv2.ModifyIpPoolsOutput, error) {
		if *in.LoadBalancerArn == "arn:gone" {
			return nil, apierr.New("LoadBalancerNotFound", "One or more load balancers not found")
		}
		return &elbv2.ModifyIpPoolsOutput{IpamPools: in.IpamPools}, nil
	})
	wire.Handle(l, "AddTags", func(context.Context, *wire.Call, *elbv2.AddTagsInput) (*elbv2.AddTagsOutput, error) {
		return &elbv2.AddTagsOutput{}, nil
	})
	wire.Handle(l, "CreateListener", func(_ context.Context, _ *wire.Call, in *elbv2.CreateListenerInput) (*elbv2.CreateListenerOutput, error) {
		return &elbv2.CreateListenerOutput{Listeners: []elbv2.Listener{{
			LoadBalancerArn: in.LoadBalancerArn, Port: in.Port, Protocol: in.Protocol, DefaultActions: in.DefaultActions, Certificates: in.Certificates,
		}}}, nil
	})
	wire.Handle(s, "GetCallerIdentity", func(_ context.Context, c *wire.Call, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
		return &sts.GetCallerIdentityOutput{Account: &c.Account, Arn: &c.Principal, UserId: &c.Account}, nil
	})
	h := httptest.NewServer(wire.NewServer(wire.Config{
		Dev: true, DevRegion: "local-1", Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
	}, e, l, s))
	t.Cleanup(h.Close)
	return h
}

var (
	uuidText = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	between  = regexp.MustCompile(`>\s+<`)
)

// Each file of testdata/<service>/<Action> is a comment that says where the
// expectation comes from, a request's parameters one to a line, and the response.
// White space between elements doesn't count.
func TestEnvelopesAreAsTheServicesWriteThem(t *testing.T) {
	h := goldenServer(t)
	files, err := filepath.Glob("testdata/*/*/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(file, "testdata/"), ".txtar"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			comment, rest, _ := strings.Cut(string(raw), "-- request --\n")
			request, response, found := strings.Cut(rest, "-- response ")
			if comment == "" || !found {
				t.Fatal("want a comment, a request and a response")
			}
			want := "-- response " + response
			resp, err := http.Post(h.URL, "application/x-www-form-urlencoded", strings.NewReader(strings.ReplaceAll(strings.TrimSpace(request), "\n", "&")))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintf("-- response %d --\n%s\n", resp.StatusCode, uuidText.ReplaceAll(body, []byte("REQUEST-ID")))
			if *update {
				if err := os.WriteFile(file, []byte(comment+"-- request --\n"+request+strings.ReplaceAll(got, "><", ">\n<")), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			flat := func(s string) string { return strings.ReplaceAll(between.ReplaceAllString(s, "><"), "><", ">\n<") }
			if diff := cmp.Diff(flat(want), flat(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
