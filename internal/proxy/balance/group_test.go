package balance_test

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead/internal/proxy/balance"
)

func key(port uint16) balance.Key {
	return balance.Key{Group: "tg", Addr: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), port)}
}

// world is a group of targets; those named in draining drain.
func world(n int, draining ...int) (*balance.Registry, []*balance.Target, *balance.Group) {
	r := balance.NewRegistry()
	targets := make([]*balance.Target, n)
	drain := make([]bool, n)
	for i := range targets {
		targets[i] = r.Target(key(uint16(i)))
	}
	for _, i := range draining {
		drain[i] = true
	}
	return r, targets, balance.NewGroup(r, targets, drain, new(atomic.Uint64))
}

func picks(g *balance.Group, n int) []int {
	var out []int
	for range n {
		out = append(out, g.Pick())
	}
	return out
}

func TestRoundRobinGoesOverWhatMayGetRequests(t *testing.T) {
	tests := []struct {
		name              string
		targets           int
		healthy, draining []int
		want              []int
	}{
		{"all are healthy", 3, []int{0, 1, 2}, nil, []int{0, 1, 2, 0, 1, 2}},
		{"one isn't", 3, []int{0, 2}, nil, []int{0, 2, 0, 2, 0, 2}},
		{"none is: fails open", 3, nil, nil, []int{0, 1, 2, 0, 1, 2}},
		{"a draining one gets none, healthy or not", 3, []int{0, 1, 2}, []int{1}, []int{0, 2, 0, 2, 0, 2}},
		{"only draining ones are healthy: fails open to the others", 3, []int{1}, []int{1}, []int{0, 2, 0, 2, 0, 2}},
		{"all drain", 2, []int{0, 1}, []int{0, 1}, []int{-1, -1, -1, -1, -1, -1}},
		{"none is registered", 0, nil, nil, []int{-1, -1, -1, -1, -1, -1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, targets, g := world(tt.targets, tt.draining...)
			for _, i := range tt.healthy {
				targets[i].SetEligible(true)
			}
			if got := picks(g, 6); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestHealthCountsFromTheNextRequestOn(t *testing.T) {
	_, targets, g := world(2)
	targets[0].SetEligible(true)
	targets[1].SetEligible(true)
	picks(g, 2)
	targets[0].SetEligible(false)
	if got := picks(g, 2); !slices.Equal(got, []int{1, 1}) {
		t.Errorf("after 0 became unhealthy: %v", got)
	}
	targets[0].SetEligible(true)
	if got := picks(g, 2); !slices.Contains(got, 0) {
		t.Errorf("after 0 became healthy again: %v", got)
	}
}

func TestATargetIsRememberedUntilItsLastRequestEnds(t *testing.T) {
	r, targets, _ := world(2)
	targets[0].Begin()
	if r.Forget(key(0)) || r.Lookup(key(0)) == nil {
		t.Error("a target with a request under way was forgotten")
	}
	if !r.Forget(key(1)) || r.Lookup(key(1)) != nil {
		t.Error("a target that nothing names is remembered")
	}
	targets[0].End()
	if !r.Forget(key(0)) || r.Lookup(key(0)) != nil {
		t.Error("a target is remembered after its last request")
	}
}

func TestPickIsFairUnderConcurrency(t *testing.T) {
	_, targets, g := world(4)
	for _, target := range targets {
		target.SetEligible(true)
	}
	var mu sync.Mutex
	counts := make([]int, 4)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			mine := make([]int, 4)
			for range 1000 {
				mine[g.Pick()]++
			}
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
