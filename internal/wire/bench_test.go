package wire_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/wire"
)

// The largest page of the describes that people watch.
func BenchmarkEncodeAThousandAllocations(b *testing.B) {
	var out ec2.GetIpamPoolAllocationsOutput
	for i := range 1000 {
		out.IpamPoolAllocations = append(out.IpamPoolAllocations, ec2.IpamPoolAllocation{
			Cidr: new(fmt.Sprintf("192.0.2.%d/32", i%256)), IpamPoolAllocationId: new(fmt.Sprintf("ipam-pool-alloc-%017x", i)),
			Description: new("load balancer shop"), ResourceId: new("eni-0123456789abcdef0"), ResourceOwner: new("111122223333"), ResourceRegion: new("local-1"),
			ResourceType: "eip",
		})
	}
	b.ReportAllocs()
	for b.Loop() {
		b.SetBytes(int64(len(wire.EncodeReply(ec2Spec, "GetIpamPoolAllocations", "id", &out))))
	}
}

func BenchmarkDecodeCreateIpamPool(b *testing.B) {
	form := url.Values{
		"IpamScopeId": {"ipam-scope-1"}, "AddressFamily": {"ipv4"}, "Locale": {"local-1"}, "AutoImport": {"false"}, "AllocationMinNetmaskLength": {"28"},
		"TagSpecification.1.ResourceType": {"ipam-pool"}, "TagSpecification.1.Tag.1.Key": {"Name"}, "TagSpecification.1.Tag.1.Value": {"public"},
	}
	b.ReportAllocs()
	for b.Loop() {
		var in ec2.CreateIpamPoolInput
		if err := wire.DecodeForm(wire.EC2Query, form, &in); err != nil {
			b.Fatal(err)
		}
	}
}

// All that a small signed request costs this room.
func BenchmarkServeASignedRequest(b *testing.B) {
	now := time.Now()
	svc := wire.NewService(ec2Spec)
	wire.Handle(svc, "CreateVpc", func(context.Context, *wire.Call, *ec2.CreateVpcInput) (*ec2.CreateVpcOutput, error) {
		return &ec2.CreateVpcOutput{}, nil
	})
	srv := wire.NewServer(wire.Config{Keys: keys{}, Regions: func(string) bool { return true }, Log: slog.New(slog.DiscardHandler)}, svc)
	body := createVpc().Encode()
	signed := signedPost(b, "http://fairlead.example", "ec2", body, now)
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "http://fairlead.example/", strings.NewReader(body))
		r.Header = signed.Header
		w := httptest.NewRecorder()
		if srv.ServeHTTP(w, r); w.Code != http.StatusOK {
			b.Fatalf("got %d %s", w.Code, w.Body)
		}
	}
}
