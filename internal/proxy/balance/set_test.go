package balance_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/proxy/balance"
)

var one = balance.Threshold{Count: 1}

func TestWhoMayGetRequests(t *testing.T) {
	tests := []struct {
		name              string
		targets           int
		healthy, draining []int
		threshold         balance.Threshold
		want              []int
		open              bool
	}{
		{"all are healthy", 3, []int{0, 1, 2}, nil, one, []int{0, 1, 2}, false},
		{"one isn't", 3, []int{0, 2}, nil, one, []int{0, 2}, false},
		{"none is: fails open", 3, nil, nil, one, []int{0, 1, 2}, true},
		{"none is, and none need be: fails open", 3, nil, nil, balance.Threshold{}, []int{0, 1, 2}, true},
		{"a draining one gets none, healthy or not", 3, []int{0, 1, 2}, []int{1}, one, []int{0, 2}, false},
		{"only draining ones are healthy: fails open to the others", 3, []int{1}, []int{1}, one, []int{0, 2}, true},
		{"all drain", 2, []int{0, 1}, []int{0, 1}, one, []int{-1}, false},
		{"none is registered", 0, nil, nil, one, []int{-1}, false},
		{"as many are healthy as must be", 4, []int{0, 1}, nil, balance.Threshold{Count: 2}, []int{0, 1}, false},
		{"fewer are healthy than must be", 4, []int{0, 1}, nil, balance.Threshold{Count: 3}, []int{0, 1, 2, 3}, true},
		{"more must be healthy than there are", 2, []int{0}, nil, balance.Threshold{Count: 5}, []int{0, 1}, true},
		{"the percentage is met", 4, []int{1, 3}, nil, balance.Threshold{Count: 1, Percent: 50}, []int{1, 3}, false},
		{"the percentage is missed by a fraction", 3, []int{1}, nil, balance.Threshold{Count: 1, Percent: 34}, []int{0, 1, 2}, true},
		{"the percentage counts without those that drain", 4, []int{1, 2}, []int{3}, balance.Threshold{Count: 1, Percent: 66}, []int{1, 2}, false},
		{"the count is met, the percentage isn't", 4, []int{1}, nil, balance.Threshold{Count: 1, Percent: 50}, []int{0, 1, 2, 3}, true},
	}
	for _, algorithm := range []balance.Algorithm{balance.RoundRobin, balance.LeastOutstanding, balance.WeightedRandom} {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				w := newWorld(tt.targets, balance.Config{Algorithm: algorithm, Healthy: tt.threshold})
				for _, i := range tt.draining {
					w.usable[i] = false
				}
				w.apply()
				w.Pick(start) // before anything is known
				for _, i := range tt.healthy {
					w.targets[i].SetEligible(true, start)
				}
				seen := map[int]bool{}
				for range 100 {
					i := w.Pick(start)
					if seen[i] = true; i >= 0 {
						w.targets[i].Begin()
						if accepts := w.Accepts(i); !accepts {
							t.Errorf("a client of target %d can't stay there", i)
						}
					}
				}
				for i := range w.targets {
					if w.Accepts(i) != slices.Contains(tt.want, i) {
						t.Errorf("clients of target %d may stay: %t", i, w.Accepts(i))
					}
				}
				var got []int
				for i := -1; i < tt.targets; i++ {
					if seen[i] {
						got = append(got, i)
					}
				}
				if !slices.Equal(got, tt.want) || w.FailsOpen() != tt.open || w.Empty() != (tt.want[0] < 0) {
					t.Errorf("algorithm %d: requests go to %v, fails open %t, empty %t; want %v, %t", algorithm, got, w.FailsOpen(), w.Empty(), tt.want, tt.open)
				}
			})
		}
	}
}

func TestHealthCountsFromTheNextRequestOn(t *testing.T) {
	for _, algorithm := range []balance.Algorithm{balance.RoundRobin, balance.LeastOutstanding, balance.WeightedRandom} {
		w := healthyWorld(2, balance.Config{Algorithm: algorithm, Healthy: one})
		w.picks(2, start)
		w.targets[0].SetEligible(false, start)
		w.targets[1].Begin() // it is busier, and yet the only one
		if got := w.picks(2, start); !slices.Equal(got, []int{1, 1}) {
			t.Errorf("algorithm %d, after 0 became unhealthy: %v", algorithm, got)
		}
		w.targets[0].SetEligible(true, start)
		if got := w.picks(40, start); !slices.Contains(got, 0) {
			t.Errorf("algorithm %d, after 0 became healthy again: %v", algorithm, got)
		}
	}
}

func TestATargetIsRememberedUntilItsLastRequestEnds(t *testing.T) {
	w := newWorld(2, balance.Config{})
	w.targets[0].Begin()
	if w.registry.Forget(key(0)) || w.registry.Lookup(key(0)) == nil {
		t.Error("a target with a request under way was forgotten")
	}
	if !w.registry.Forget(key(1)) || w.registry.Lookup(key(1)) != nil {
		t.Error("a target that nothing names is remembered")
	}
	w.targets[0].End()
	if !w.registry.Forget(key(0)) || w.registry.Lookup(key(0)) != nil || !w.registry.Forget(key(0)) {
		t.Error("a target is remembered after its last request")
	}
}

func TestRoundRobinIsFairUnderConcurrency(t *testing.T) {
	w := healthyWorld(4, balance.Config{Healthy: one})
	var mu sync.Mutex
	counts := make([]int, 4)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			mine := w.counts(1000, start)
			mu.Lock()
			defer mu.Unlock()
			for i, n := range mine {
				counts[i] += n
			}
		})
	}
	wg.Wait()
	if !slices.Equal(counts, []int{2000, 2000, 2000, 2000}) {
		t.Errorf("got %v, want 2000 each", counts)
	}
}

func TestRoundRobinGoesOnWhereItWas(t *testing.T) {
	w := healthyWorld(3, balance.Config{Healthy: one})
	w.picks(4, start)
	w.apply()
	if got := w.picks(4, start); !slices.Equal(got, []int{1, 2, 0, 1}) {
		t.Errorf("after another assignment: %v, want it to go on with 1", got)
	}
}
