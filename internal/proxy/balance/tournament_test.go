package balance_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/proxy/balance"
)

var least = balance.Config{Algorithm: balance.LeastOutstanding, Healthy: one}

// The choice is compared with a walk over all targets, after each step of many.
func TestLeastOutstandingNeverChoosesABusierTarget(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 64, 1000, 4097} {
		t.Run(fmt.Sprint(n, " targets"), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(n), 1))
			w := healthyWorld(n, least)
			w.usable[n-1] = n < 3 // one drains in larger groups
			w.apply()
			var under []*balance.Target
			for step := range 20000 {
				switch roll := r.IntN(100); {
				case roll < 40 && len(under) > 0:
					k := r.IntN(len(under))
					under[k].End()
					under[k] = under[len(under)-1]
					under = under[:len(under)-1]
				case roll == 40:
					w.targets[r.IntN(n)].SetEligible(r.IntN(3) > 0, start)
				case roll == 41 && step%5 == 0:
					w.apply()
				case roll < 45: // a client that stays, say
					k := r.IntN(n)
					w.targets[k].Begin()
					under = append(under, w.targets[k])
				default:
					i := w.Pick(start)
					for k, other := range w.targets {
						if w.Accepts(k) && other.InFlight() < w.targets[i].InFlight() {
							t.Fatalf("step %d: chose target %d with %d requests under way, and %d has %d", step, i, w.targets[i].InFlight(), k, other.InFlight())
						}
					}
					if !w.Accepts(i) {
						t.Fatalf("step %d: chose target %d, which isn't to be chosen", step, i)
					}
					w.targets[i].Begin()
					under = append(under, w.targets[i])
				}
				if n > 500 && step > 4000 {
					break
				}
			}
		})
	}
}

func TestLeastOutstandingGoesRoundAmongEquals(t *testing.T) {
	w := healthyWorld(5, least)
	var got []int
	for range 15 { // each request ends before the next one
		i := w.Pick(start)
		w.targets[i].Begin()
		w.targets[i].End()
		got = append(got, i)
	}
	for round := 0; round < 15; round += 5 {
		if all := slices.Sorted(slices.Values(got[round : round+5])); !slices.Equal(all, []int{0, 1, 2, 3, 4}) {
			t.Errorf("the targets of a round: %v, want each once", got[round:round+5])
		}
	}
}

// A set whose place others have taken is told of nothing: it would cost time with
// each request, and memory for ever.
func TestRetiredSetsAreForgotten(t *testing.T) {
	w := healthyWorld(3, least)
	for range 5 {
		w.Pick(start)
		w.apply()
		w.Pick(start)
	}
	before := w.Group // it is retired before it has chosen
	w.apply()
	before.Pick(start)
	w.Retire()
	w.Pick(start)
	if n := w.targets[0].Places(); n != 0 {
		t.Errorf("a target is in %d tournaments, want none", n)
	}
}

// After any storm of requests, health and assignments the order is right again.
func TestTheTournamentIsRightAfterAStorm(t *testing.T) {
	w := healthyWorld(100, least)
	w.Pick(start)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	group := w.Group
	for seed := range uint64(4) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, 2))
			var under []*balance.Target
			for range 20000 {
				if r.IntN(2) == 0 && len(under) > 0 {
					under[len(under)-1].End()
					under = under[:len(under)-1]
					continue
				}
				target := w.targets[group.Pick(start)]
				target.Begin()
				under = append(under, target)
			}
			for k, target := range under { // an uneven end
				if k%3 > 0 {
					target.End()
				}
			}
		})
	}
	var storms sync.WaitGroup
	storms.Go(func() {
		r := rand.New(rand.NewPCG(9, 9))
		for {
			select {
			case <-stop:
				return
			default:
				w.targets[r.IntN(100)].SetEligible(r.IntN(2) == 0, start)
			}
		}
	})
	wg.Wait()
	close(stop)
	storms.Wait()
	for range 2000 {
		i := w.Pick(start)
		for k, other := range w.targets {
			if w.Accepts(k) && other.InFlight() < w.targets[i].InFlight() {
				t.Fatalf("chose target %d with %d requests under way, and %d has %d", i, w.targets[i].InFlight(), k, other.InFlight())
			}
		}
		w.targets[i].Begin()
	}
}

func BenchmarkPick(b *testing.B) {
	for _, a := range []struct {
		name   string
		config balance.Config
	}{{"round robin", balance.Config{Healthy: one}}, {"least outstanding", least}, {"weighted random", balance.Config{Algorithm: balance.WeightedRandom, Mitigation: true, Healthy: one}}} {
		for _, n := range []int{3, 100, 1000, 5000} {
			b.Run(fmt.Sprintf("%s/%d", a.name, n), func(b *testing.B) {
				w := healthyWorld(n, a.config)
				ring := make([]*balance.Target, 2*n)
				for i := range ring {
					ring[i] = w.targets[w.Pick(start)]
					ring[i].Begin()
				}
				b.ReportAllocs()
				k := 0
				for b.Loop() {
					ring[k].End()
					ring[k] = w.targets[w.Pick(start)]
					ring[k].Begin()
					k = (k + 7) % len(ring)
				}
			})
		}
	}
}
