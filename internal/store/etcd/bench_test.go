package etcd_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/etcd"
)

// allocation is a record of the usual size: about 270 bytes as JSON.
type allocation struct {
	Account, Region string
	Pool            string
	ID              string
	CIDR            string
	Owner           string
	Description     string
	Seq             uint64
	Created         time.Time
}

func makeAllocation(i int) allocation {
	return allocation{
		Account: "111122223333", Region: "eu-central-1",
		Pool:    fmt.Sprintf("ipam-pool-%017x", i/1000),
		ID:      fmt.Sprintf("ipam-pool-alloc-%032x", i),
		CIDR:    fmt.Sprintf("10.%d.%d.%d/32", i>>16&255, i>>8&255, i&255),
		Owner:   fmt.Sprintf("eipalloc-%017x", i),
		Seq:     uint64(i),
		Created: time.Unix(1_700_000_000+int64(i), 0).UTC(),
	}
}

// bed is a store over an embedded member, with a collection that has two
// indexes, as rooms' collections do.
type bed struct {
	engine *etcd.Engine
	store  *store.Store
	allocs *store.Collection[allocation]
}

func newBed(b testing.TB, dir string) *bed {
	b.Helper()
	e, err := etcd.Open(context.Background(), etcd.Options{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	return &bed{engine: e}
}

func (bd *bed) start(b testing.TB) *bed {
	b.Helper()
	bd.store = store.New(bd.engine, "/fairlead", slog.New(slog.DiscardHandler))
	bd.allocs = store.NewCollection[allocation](bd.store, "allocations", 1)
	bd.allocs.Index(func(a allocation) []string { return []string{a.Pool} })
	bd.allocs.Index(func(a allocation) []string { return []string{a.Account + "/" + a.Region} })
	if err := bd.store.Start(context.Background()); err != nil {
		b.Fatal(err)
	}
	return bd
}

func (bd *bed) close(b testing.TB) {
	bd.store.Close()
	if err := bd.engine.Close(); err != nil {
		b.Error(err)
	}
}

// fill writes records first to first+n-1, many at once.
func (bd *bed) fill(b testing.TB, first, n int) {
	b.Helper()
	for i := first; i < first+n; i += 100 {
		err := bd.store.Update(context.Background(), func(tx *store.Tx) error {
			for j := i; j < min(i+100, first+n); j++ {
				a := makeAllocation(j)
				bd.allocs.Put(tx, a.ID, a)
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUpdate is durable commits through Store, over 20,000 records that
// are there already: by one caller, by 64, and of many records each.
func BenchmarkUpdate(b *testing.B) {
	const there = 20_000
	one := func(bd *bed, i int) error {
		a := makeAllocation(there + i)
		return bd.store.Update(context.Background(), func(tx *store.Tx) error {
			bd.allocs.Put(tx, a.ID, a)
			return nil
		})
	}
	b.Run("sequential", func(b *testing.B) {
		bd := newBed(b, b.TempDir()).start(b)
		defer bd.close(b)
		bd.fill(b, 0, there)
		for i := 0; b.Loop(); i++ {
			if err := one(bd, i); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
	})
	b.Run("64 callers", func(b *testing.B) {
		bd := newBed(b, b.TempDir()).start(b)
		defer bd.close(b)
		bd.fill(b, 0, there)
		var next atomic.Int64
		b.SetParallelism(32)
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := one(bd, int(next.Add(1))); err != nil {
					b.Error(err)
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
	})
	b.Run("4 callers grouping by 64", func(b *testing.B) {
		const group = 64
		bd := newBed(b, b.TempDir()).start(b)
		defer bd.close(b)
		bd.fill(b, 0, there)
		var next atomic.Int64
		b.SetParallelism(2)
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				bd.fill(b, there+int(next.Add(group)), group)
			}
		})
		b.ReportMetric(float64(b.N*group)/b.Elapsed().Seconds(), "puts/s")
	})
	for _, group := range []int{40, 64, 100} {
		b.Run("grouped by "+strconv.Itoa(group), func(b *testing.B) {
			bd := newBed(b, b.TempDir()).start(b)
			defer bd.close(b)
			bd.fill(b, 0, there)
			records := make([]allocation, group)
			next := there
			for b.Loop() {
				for i := range records {
					records[i] = makeAllocation(next)
					next++
				}
				if err := bd.store.Update(context.Background(), func(tx *store.Tx) error {
					for _, a := range records {
						bd.allocs.Put(tx, a.ID, a)
					}
					return nil
				}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*group)/b.Elapsed().Seconds(), "puts/s")
		})
	}
}

// BenchmarkCommit is the engine alone.
func BenchmarkCommit(b *testing.B) {
	for _, group := range []int{1, 64} {
		b.Run("of "+strconv.Itoa(group), func(b *testing.B) {
			bd := newBed(b, b.TempDir())
			defer bd.engine.Close()
			value := make([]byte, 300)
			next := 0
			for b.Loop() {
				var t store.Txn
				for range group {
					key := fmt.Sprintf("/fairlead/allocations/ipam-pool-alloc-%032x", next)
					next++
					t.Guards = append(t.Guards, store.Guard{Key: key})
					t.Ops = append(t.Ops, store.Op{Key: key, Value: value})
				}
				if r, err := bd.engine.Commit(context.Background(), t); err != nil || !r.Committed {
					b.Fatal(r, err)
				}
			}
			b.ReportMetric(float64(b.N*group)/b.Elapsed().Seconds(), "puts/s")
		})
	}
}

// BenchmarkStart is opening a directory with 200,000 records, or as many as
// FAIRLEAD_BENCH_RECORDS says, to the first possible read.
func BenchmarkStart(b *testing.B) {
	records := 200_000
	if n, err := strconv.Atoi(os.Getenv("FAIRLEAD_BENCH_RECORDS")); err == nil {
		records = n
	}
	dir := b.TempDir()
	bd := newBed(b, dir).start(b)
	bd.fill(b, 0, records)
	bd.close(b)
	for b.Loop() {
		t0 := time.Now()
		bd := newBed(b, dir)
		opened := time.Since(t0)
		bd.start(b)
		b.ReportMetric(opened.Seconds(), "open-s")
		b.ReportMetric((time.Since(t0) - opened).Seconds(), "load-s")
		if got := bd.allocs.Len(bd.store.Snapshot()); got != records {
			b.Fatalf("got %d records, want %d", got, records)
		}
		bd.close(b)
	}
}
