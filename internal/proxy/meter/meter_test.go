package meter_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/meter"
)

func TestShardsAddUp(t *testing.T) {
	m := meter.New(4)
	var wg sync.WaitGroup
	for thread := range 4 {
		for range 2 { // goroutines of one thread's, too
			wg.Go(func() {
				for range 1000 {
					m.Add(thread, meter.Requests, 1)
					m.Add(thread, meter.Bytes, 10)
					m.Observe(thread, time.Millisecond)
				}
			})
		}
	}
	wg.Wait()
	counts, times := m.Counts(), m.Times()
	if counts[meter.Requests] != 8000 || counts[meter.Bytes] != 80_000 || times.Count != 8000 || times.Sum != 8*time.Second {
		t.Errorf("got %d requests, %d bytes, %d times of %v", counts[meter.Requests], counts[meter.Bytes], times.Count, times.Sum)
	}
}

func TestPercentilesAreRightToAnEighth(t *testing.T) {
	m := meter.New(1)
	var all []time.Duration
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		d := time.Duration(r.ExpFloat64()*float64(20*time.Millisecond)) + time.Microsecond
		all = append(all, d)
		m.Observe(0, d)
	}
	slices.Sort(all)
	times := m.Times()
	for _, p := range []float64{0.001, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[min(int(p*float64(len(all))), len(all)-1)]
		if got := times.Percentile(p); got < want*8/9-time.Microsecond || got > want*9/8+2*time.Microsecond {
			t.Errorf("p%g: got %v, want %v", 100*p, got, want)
		}
	}
	for _, d := range []time.Duration{0, time.Hour, 100 * time.Hour, -time.Second} {
		m.Observe(0, d) // no bucket too few
	}
	if got := m.Times(); got.AtMost(1000*time.Hour) != got.Count {
		t.Errorf("%d of %d at most", got.AtMost(1000*time.Hour), got.Count)
	}
}

func TestResponsesAreCountedByClass(t *testing.T) {
	m := meter.New(1)
	for _, status := range []int{101, 200, 204, 302, 404, 500, 503, 599, 999} {
		m.Target(0, status)
	}
	for _, status := range []int{200, 301, 400, 460, 500, 501, 502, 503, 504, 561} {
		m.ELB(0, status)
	}
	counts := m.Counts()
	want := map[meter.Counter]uint64{
		meter.Target2XX: 2, meter.Target3XX: 1, meter.Target4XX: 1, meter.Target5XX: 3,
		meter.ELB3XX: 1, meter.ELB4XX: 2, meter.ELB5XX: 6, meter.ELB500: 1, meter.ELB502: 1, meter.ELB503: 1, meter.ELB504: 1,
	}
	for c := range meter.Counters {
		if counts[c] != want[c] {
			t.Errorf("%s: got %d, want %d", c, counts[c], want[c])
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	m := meter.New(1)
	b.ReportAllocs()
	for b.Loop() {
		m.Add(0, meter.Requests, 1)
	}
}
