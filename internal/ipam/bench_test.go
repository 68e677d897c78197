package ipam_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store"
)

// Durable allocations in one pool, on embedded etcd, acknowledged one by one.

func BenchmarkAllocateSequential(b *testing.B) { benchmarkDraw(b, 1, 1) }

func BenchmarkAllocate64(b *testing.B) { benchmarkDraw(b, 64, 1) }

// The same callers over several pools, whose commits overlap freely. This is
// what it could bring at most to begin a pool's next commit before the last has
// ended.
func BenchmarkAllocate64InSeveralPools(b *testing.B) {
	for _, pools := range []int{2, 4} {
		b.Run(fmt.Sprint(pools), func(b *testing.B) { benchmarkDraw(b, 64, pools) })
	}
}

func benchmarkDraw(b *testing.B, goroutines, pools int) {
	w := open(b, openEtcd(b), quotas(ipam.Quotas{AllocationsPerPool: 1 << 40}))
	i := w.ipam()
	var ps []ipam.Pool
	for n := range pools {
		p := w.pool(i.PrivateScopeID)
		w.provision(p.ID, fmt.Sprintf("%d.0.0.0/8", 10+n))
		ps = append(ps, p)
	}
	h := ipam.Holder{Type: ipam.EIP, ResourceID: ids.EC2("eipalloc"), Account: account, Region: home}
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	before, cpu := w.store.Snapshot().Revision(), cpuTime(b)
	b.ResetTimer()
	for n := range goroutines {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				want := ipam.Want{PoolID: ps[n%pools].ID, NetmaskLength: new(32), Holder: h, Time: time.Now()}
				if _, err := w.Draw(b.Context(), want, func(*store.Tx, ipam.Allocation) error { return nil }); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N), "µs-CPU/allocation")
	b.ReportMetric(float64(b.N)/float64(w.store.Snapshot().Revision()-before), "allocations/commit")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "allocations/s")
}

// cpuTime is what this process has used of the processors.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
