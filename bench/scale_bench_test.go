package bench

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	ec2shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/testkit"
	"github.com/fairlead/fairlead/internal/wire"
)

// BenchmarkRestartWithAMillion is the start of a server on a million allocations
// and 100,000 pools, until it is ready, and its memory then.
func BenchmarkRestartWithAMillion(b *testing.B) {
	in := newInstallation(b, 0.999, manyPools)
	var p *testkit.Process
	var total time.Duration
	n := 0
	for b.Loop() {
		if p != nil {
			p.Kill()
		}
		begin := time.Now()
		p = testkit.StartProcessWith(b, in.dir, settings)
		total += time.Since(begin)
		n++
	}
	b.ReportMetric(total.Seconds()/float64(n), "s/ready")
	b.ReportMetric(float64(cpuTicks(b, p.PID()))/100, "CPU-s/ready")
	b.ReportMetric(rssMiB(b, p.PID()), "MiB-RSS-ready")
	c := clientOf(p)
	begin := time.Now()
	must(b, c, "AllocateIpamPoolCidr", &ec2shapes.AllocateIpamPoolCidrInput{IpamPoolId: &in.large, NetmaskLength: new(int32(blockBits))}, &ec2shapes.AllocateIpamPoolCidrOutput{})
	b.ReportMetric(float64(time.Since(begin).Microseconds())/1000, "ms/first-allocation")
	for _, path := range []string{"/status", "/metrics", "/fsck"} {
		begin := time.Now()
		before := cpuTicks(b, p.PID())
		resp, err := http.Get(p.Ops + path)
		if err != nil {
			b.Fatal(err)
		}
		size, _ := io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		b.Logf("%s: %v, %.2f CPU-s, %d bytes", path, time.Since(begin), float64(cpuTicks(b, p.PID())-before)/100, size)
	}
	b.ReportMetric(rssMiB(b, p.PID()), "MiB-RSS-later")
	b.ReportMetric(memoryMiB(b, p.PID(), "VmHWM"), "MiB-RSS-peak")
	b.ReportMetric(memoryMiB(b, p.PID(), "RssFile"), "MiB-of-it-files")
}

// BenchmarkPages is pages of the describes over the same, one after the other
// and from the start again at the end.
func BenchmarkPages(b *testing.B) {
	in := newInstallation(b, 0.999, manyPools)
	c := timed(testkit.StartProcessWith(b, in.dir, settings))
	filter := func(name, value string) []ec2shapes.Filter {
		return []ec2shapes.Filter{{Name: &name, Values: []string{value}}}
	}
	for name, filters := range map[string][]ec2shapes.Filter{
		"no filter":       nil,
		"of a locale":     filter("locale", region),
		"of a name":       filter("description", "tenant 77777"),
		"like a name":     filter("description", "*77777"),
		"that nobody has": filter("description", "nobody"),
		"of a tag":        filter("tag:Name", "nobody"),
		"of an id":        filter("ipam-pool-id", in.large),
	} {
		b.Run("pools "+name, func(b *testing.B) {
			var token *string
			c.took = nil
			for b.Loop() {
				var out ec2shapes.DescribeIpamPoolsOutput
				must(b, &c.Client, "DescribeIpamPools", &ec2shapes.DescribeIpamPoolsInput{Filters: filters, MaxResults: new(int32(1000)), NextToken: token}, &out)
				token = out.NextToken
			}
			c.report(b)
		})
	}
	for name, filters := range map[string][]ec2shapes.Filter{
		"no filter":       nil,
		"of a type":       filter("resource-type", "eip"),
		"that nobody has": filter("resource-owner", "nobody"),
		"of a tag":        filter("tag:Name", "nobody"),
		"of a CIDR":       filter("cidr", "10.1.0.0/28"),
		"of a resource":   filter("resource-id", "vpc-0123456789abcdef0"),
	} {
		b.Run("allocations "+name, func(b *testing.B) {
			var token *string
			c.took = nil
			for b.Loop() {
				var out ec2shapes.GetIpamPoolAllocationsOutput
				must(b, &c.Client, "GetIpamPoolAllocations", &ec2shapes.GetIpamPoolAllocationsInput{IpamPoolId: &in.large, Filters: filters, MaxResults: new(int32(1000)), NextToken: token}, &out)
				token = out.NextToken
			}
			c.report(b)
		})
	}
}

// BenchmarkNextAllocation is one client's allocations, one after the other,
// through HTTP, by how full the pool is.
func BenchmarkNextAllocation(b *testing.B) {
	for _, share := range []float64{0.01, 0.5, 0.999} {
		in := newInstallation(b, share, 0)
		b.Run(fmt.Sprintf("%g%%", share*100), func(b *testing.B) {
			c := timed(testkit.StartProcessWith(b, in.dir, settings))
			allocate := func() string {
				var out ec2shapes.AllocateIpamPoolCidrOutput
				must(b, &c.Client, "AllocateIpamPoolCidr", &ec2shapes.AllocateIpamPoolCidrInput{IpamPoolId: &in.large, NetmaskLength: new(int32(blockBits))}, &out)
				return *out.IpamPoolAllocation.IpamPoolAllocationId
			}
			allocate()
			b.ReportMetric(milliseconds(c.took[0]), "ms-first")
			c.took = nil
			for b.Loop() {
				allocate()
			}
			c.report(b)
		})
	}
}

// timedClient notes how long each request takes, from the first byte sent to the
// last of the reply read, without what the client then makes of it.
type timedClient struct {
	wire.Client
	took []time.Duration
}

func timed(p *testkit.Process) *timedClient {
	c := &timedClient{Client: *clientOf(p)}
	c.HTTP = &http.Client{Transport: c}
	return c
}

// RoundTrip implements http.RoundTripper.
func (c *timedClient) RoundTrip(r *http.Request) (*http.Response, error) {
	begin := time.Now()
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	c.took = append(c.took, time.Since(begin))
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, err
}

// report tells the median and the 99th percentile of what requests took.
func (c *timedClient) report(b *testing.B) {
	slices.Sort(c.took)
	b.ReportMetric(milliseconds(c.took[len(c.took)/2]), "ms-p50")
	b.ReportMetric(milliseconds(c.took[len(c.took)*99/100]), "ms-p99")
	b.ReportMetric(0, "ns/op")
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
