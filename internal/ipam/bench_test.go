package ipam_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store"
)

// Durable allocations in one pool, on embedded etcd, acknowledged one by one.

func BenchmarkAllocateSequential(b *testing.B) { benchmarkDraw(b, 1) }

func BenchmarkAllocate64(b *testing.B) { benchmarkDraw(b, 64) }

func benchmarkDraw(b *testing.B, goroutines int) {
	w := open(b, openEtcd(b))
	p := w.private("10.0.0.0/8")
	h := ipam.Holder{Type: ipam.EIP, ResourceID: ids.EC2("eipalloc"), Account: account, Region: home}
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	before := w.store.Snapshot().Revision()
	b.ResetTimer()
	for range goroutines {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				_, err := w.Draw(b.Context(), ipam.Want{PoolID: p.ID, NetmaskLength: new(32), Holder: h, Time: time.Now()}, func(*store.Tx, ipam.Allocation) error { return nil })
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/float64(w.store.Snapshot().Revision()-before), "allocations/commit")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "allocations/s")
}
