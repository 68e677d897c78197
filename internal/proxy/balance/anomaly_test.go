package balance_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fairlead/fairlead/internal/proxy/balance"
)

var random = balance.Config{Algorithm: balance.WeightedRandom, Healthy: one}
var mitigating = balance.Config{Algorithm: balance.WeightedRandom, Mitigation: true, Healthy: one}

// interval has requests end, of which those to each target fail at its rate, and
// the registry look at them.
func (w *world) interval(r *rand.Rand, requests int, rates ...float64) {
	for range requests {
		i := w.Pick(start)
		w.targets[i].Ended(r.Float64() < rates[i%len(rates)])
	}
	w.registry.Observe()
}

func (w *world) anomalous() (n int) {
	for _, t := range w.targets {
		if t.Anomalous() {
			n++
		}
	}
	return n
}

func (w *world) mitigated() (n int) {
	for _, t := range w.targets {
		if t.Mitigated() {
			n++
		}
	}
	return n
}

func TestWhatIsAnAnomaly(t *testing.T) {
	for _, tt := range []struct {
		name      string
		requests  int
		rates     []float64
		anomalous []bool
	}{
		{"nobody fails", 1000, []float64{0, 0, 0}, []bool{false, false, false}},
		{"one fails", 1000, []float64{0, 1, 0}, []bool{false, true, false}},
		{"one fails now and then", 2000, []float64{0.01, 0.01, 0.2}, []bool{false, false, true}},
		{"one fails more often, and hardly so", 40000, []float64{0.01, 0.01, 0.03}, []bool{false, false, false}},
		{"all fail alike", 2000, []float64{0.3, 0.3, 0.3}, []bool{false, false, false}},
		{"all fail", 1000, []float64{1, 1, 1}, []bool{false, false, false}},
		{"two of ten fail", 5000, []float64{1, 0, 0, 0, 0, 1, 0, 0, 0, 0}, []bool{true, false, false, false, false, true, false, false, false, false}},
		{"one of two fails: there are no peers to speak of", 1000, []float64{0, 1}, []bool{false, false}},
		{"one fails of a handful of requests", 12, []float64{0, 1, 0}, []bool{false, false, false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(20) {
				w := healthyWorld(len(tt.rates), random)
				w.interval(rand.New(rand.NewPCG(seed, 1)), tt.requests, tt.rates...)
				for i, target := range w.targets {
					if target.Anomalous() != tt.anomalous[i] || target.Mitigated() {
						t.Errorf("target %d: anomalous %t, mitigated %t, want %t and not mitigated", i, target.Anomalous(), target.Mitigated(), tt.anomalous[i])
					}
				}
			}
		})
	}
}

// Nothing is concluded from a few requests, however they end.
func TestAnAnomalyNeedsTenRequests(t *testing.T) {
	for n, anomalous := range map[int]bool{9: false, 10: true} {
		w := healthyWorld(3, random)
		for range 1000 {
			w.targets[0].Ended(false)
			w.targets[1].Ended(false)
		}
		for range n {
			w.targets[2].Ended(true)
		}
		changed := w.registry.Observe()
		if again := w.registry.Observe(); slices.Contains(changed, key(2)) != anomalous || len(changed) > 1 || len(again) > 0 {
			t.Errorf("%d failures: %v have changed, and then %v", n, changed, again)
		}
		if w.targets[2].Anomalous() != anomalous {
			t.Errorf("%d failures: anomalous %t, want %t", n, !anomalous, anomalous)
		}
	}
}

func TestMitigationTakesAndGivesBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	w := healthyWorld(4, mitigating)
	share := func() float64 { return float64(w.counts(40000, start)[2]) / 10000 }
	near(t, "before", share(), 1, 0.05)
	w.interval(r, 1000, 0, 0, 0.5, 0)
	if !w.targets[2].Anomalous() || !w.targets[2].Mitigated() || w.mitigated() != 1 {
		t.Fatalf("of four targets with one that fails, %d are anomalous and %d mitigated", w.anomalous(), w.mitigated())
	}
	// Half of its weight, and what the others don't take: w / (3 + w) of all.
	near(t, "after an interval", share(), 4*0.5/3.5, 0.04)
	for range 10 {
		w.interval(r, 5000, 0, 0, 0.5, 0)
	}
	near(t, "after many", share(), 4*0.05/3.05, 0.02)
	last := share()
	for n := 1; w.targets[2].Mitigated(); n++ {
		w.interval(r, 5000, 0)
		if now := share(); now < last-0.05 || n > 20 {
			t.Fatalf("%d intervals after it has recovered its share goes from %.3f to %.3f, want it to grow", n, last, now)
		} else {
			last = now
		}
	}
	near(t, "in the end", share(), 1, 0.05)
}

// The others could not take the requests of more.
func TestAtMostHalfOfTheTargetsAreMitigated(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	w := healthyWorld(10, mitigating)
	for n := range 60 {
		rates := make([]float64, 10)
		for i := range rates {
			if (i+n/7)%10 < 3+n%5 { // more and fewer, and others by and by
				rates[i] = 1
			}
		}
		if w.interval(r, 3000, rates...); w.mitigated() > 5 {
			t.Fatalf("interval %d: %d of 10 targets are mitigated", n, w.mitigated())
		}
	}
}

func TestMitigationEnds(t *testing.T) {
	for name, end := range map[string]func(*world){
		"when it is turned off": func(w *world) {
			w.config = random
			w.apply()
		},
		"when the target isn't healthy": func(w *world) { w.targets[0].SetEligible(false, start) },
	} {
		w := healthyWorld(3, mitigating)
		w.interval(rand.New(rand.NewPCG(1, 1)), 1000, 1, 0, 0)
		if w.mitigated() != 1 {
			t.Fatalf("%d targets are mitigated, want one", w.mitigated())
		}
		end(w)
		if w.registry.Observe(); w.mitigated() != 0 {
			t.Errorf("it doesn't end %s", name)
		}
	}
}

func TestWeightedRandomIsEvenByItself(t *testing.T) {
	const n, requests = 20, 200000
	w := healthyWorld(n, random)
	deviation := math.Sqrt(requests * (1.0 / n) * (1 - 1.0/n))
	for _, got := range w.counts(requests, start) {
		near(t, "requests of a target", float64(got), requests/n, 5*deviation)
	}
}
