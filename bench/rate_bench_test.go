package bench

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/ipam"
	ec2shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/etcd"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/testkit"
)

const (
	rateClients = 64
	rateSeconds = 4   // of each contestant in each round
	rateFill    = 0.3 // of the pool before: 314,572 allocations
)

// BenchmarkAgainstPostgres is durable allocations by 64 callers, one commit for
// each: at the ipam room's Go API, through HTTP with SigV4, and in PostgreSQL. In each
// round all have their turn on the same disk, in the other order every second
// time; what counts are the ratios within a round. Rounds are -benchtime Nx.
func BenchmarkAgainstPostgres(b *testing.B) {
	contestants := []*contestant{room(b), overHTTP(b), database(b)}
	for n := 0; b.Loop(); n++ {
		for i := range contestants {
			if n%2 == 1 {
				i = len(contestants) - 1 - i
			}
			contestants[i].turn()
		}
	}
	b.ReportMetric(0, "ns/op")
	pg := contestants[2]
	for _, c := range contestants {
		b.Logf("%s by round: %.0f/s; µs CPU for one: %.0f", c.name, c.rates, c.cpu)
		b.ReportMetric(median(c.rates), c.name+"/s")
		b.ReportMetric(median(c.cpu), c.name+"-µs-CPU")
		if c != pg {
			var ratios []float64
			for i, r := range c.rates {
				ratios = append(ratios, r/pg.rates[i])
			}
			b.ReportMetric(median(ratios), c.name+"/postgres")
			b.Logf("%s against PostgreSQL: %.2f (%.2f to %.2f)", c.name, median(ratios), slices.Min(ratios), slices.Max(ratios))
		}
	}
}

func median(xs []float64) float64 {
	sorted := slices.Sorted(slices.Values(xs))
	return sorted[len(sorted)/2]
}

// contestant allocates as fast as it can.
type contestant struct {
	name     string
	allocate func(d time.Duration) (allocations int)
	ticks    func() int // of the server's CPU, in hundredths of a second
	ops      string     // where the server's profiles are, if it has any

	rates []float64 // allocations a second, by round
	cpu   []float64 // µs of the server's CPU for one
}

func (c *contestant) turn() {
	ticks, begin := c.ticks(), time.Now()
	n := float64(c.allocate(rateSeconds * time.Second))
	c.rates = append(c.rates, n/time.Since(begin).Seconds())
	c.cpu = append(c.cpu, float64(c.ticks()-ticks)*1e4/n)
}

// callers has 64 goroutines do something until the time is over, and returns how
// often they did.
func callers(b *testing.B, d time.Duration, do func(ctx context.Context) error) int {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	var n atomic.Int64
	var all sync.WaitGroup
	for range rateClients {
		all.Go(func() {
			for ctx.Err() == nil {
				// The last ones are let end.
				if err := do(context.WithoutCancel(ctx)); err != nil {
					b.Error(err)
					return
				}
				n.Add(1)
			}
		})
	}
	all.Wait()
	return int(n.Load())
}

// room is the ipam room in this process, whose CPU time is also its callers'.
func room(b *testing.B) *contestant {
	in := newInstallation(b, rateFill, 0)
	log := slog.New(slog.DiscardHandler)
	e, err := etcd.Open(context.Background(), etcd.Options{Dir: filepath.Join(in.dir, "store"), Log: log})
	if err != nil {
		b.Fatal(err)
	}
	st := store.New(e, prefix, log)
	svc := ipam.New(st, tags.New(st), idempotency.New(st), ipam.Options{Log: log, Quotas: ipam.Quotas{AllocationsPerPool: 1 << 40}})
	if err := st.Start(context.Background()); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { svc.Run(ctx) })
	b.Cleanup(func() {
		cancel()
		running.Wait()
		st.Close()
		if err := e.Close(); err != nil {
			b.Error(err)
		}
	})
	return &contestant{name: "room", ticks: func() int { return cpuTicks(b, os.Getpid()) }, allocate: func(d time.Duration) int {
		return callers(b, d, func(ctx context.Context) error {
			now := time.Now().UTC()
			_, err := svc.Allocate(ctx, ipam.Allocate{
				ID: ipam.NewAllocationID(now), Account: rootAccount, Region: region, PoolID: in.large, NetmaskLength: new(blockBits), Time: now,
			}, nil)
			return err
		})
	}}
}

// overHTTP is a server of its own, asked by clients in this process.
func overHTTP(b *testing.B) *contestant {
	in := newInstallation(b, rateFill, 0)
	p := testkit.StartProcessWith(b, in.dir, settings)
	c := clientOf(p)
	c.HTTP = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: rateClients}}
	return &contestant{name: "http", ops: p.Ops, ticks: func() int { return cpuTicks(b, p.PID()) }, allocate: func(d time.Duration) int {
		return callers(b, d, func(ctx context.Context) error {
			return c.Do(ctx, "AllocateIpamPoolCidr", &ec2shapes.AllocateIpamPoolCidrInput{IpamPoolId: &in.large, NetmaskLength: new(int32(blockBits))}, &ec2shapes.AllocateIpamPoolCidrOutput{})
		})
	}}
}

func database(b *testing.B) *contestant {
	share := rateFill
	p := startPostgres(b, int(share*largeBlocks))
	b.Logf("PostgreSQL: %s", strings.TrimSpace(p.sql("show server_version")))
	return &contestant{name: "postgres", ticks: p.cpuTicks, allocate: func(d time.Duration) int {
		return p.allocate(rateClients, int(d.Seconds()))
	}}
}
