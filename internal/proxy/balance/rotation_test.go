package balance_test

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/balance"
)

var slowly = balance.Config{SlowStart: 100 * time.Second, Healthy: one}

// ELB user guide, "Slow start mode": the share grows linearly.
func TestTheShareOfASlowStartIsLinearInTime(t *testing.T) {
	for _, newcomers := range []int{1, 2, 5} {
		w := healthyWorld(3, slowly)
		for range newcomers {
			w.register().SetEligible(true, start)
		}
		for _, at := range []int{0, 1, 10, 25, 50, 75, 99, 100, 200} {
			const requests = 30000
			share := min(1, max(0.01, float64(at)/100))
			want := requests * share / (3 + share*float64(newcomers))
			counts := w.counts(requests, start.Add(time.Duration(at)*time.Second))
			for i, n := range counts {
				if i < 3 {
					near(t, "an old target", float64(n), want/share, 40)
				} else {
					near(t, "a new target", float64(n), want, 20)
				}
			}
		}
	}
}

func TestWhoStartsSlowly(t *testing.T) {
	later := start.Add(time.Hour)
	// slow says whether the last target gets less than the first.
	slow := func(w *world, at time.Time) bool {
		counts := w.counts(1000, at)
		return counts[len(counts)-1] < counts[0]/2
	}
	t.Run("not the first targets of a group", func(t *testing.T) {
		w := newWorld(3, slowly)
		for i, target := range w.targets { // each found healthy by itself
			target.SetEligible(true, start.Add(time.Duration(i)*time.Second))
		}
		if slow(w, start.Add(3*time.Second)) {
			t.Error("targets registered together into an empty group start slowly")
		}
	})
	t.Run("one that is registered later", func(t *testing.T) {
		w := healthyWorld(3, slowly)
		w.register().SetEligible(true, later)
		if !slow(w, later) || slow(w, later.Add(100*time.Second)) {
			t.Error("it doesn't start slowly, or for too long")
		}
	})
	t.Run("one that recovers, from the beginning", func(t *testing.T) {
		w := healthyWorld(3, slowly)
		w.targets[2].SetEligible(false, later)
		w.targets[2].SetEligible(true, later)
		if !slow(w, later.Add(10*time.Second)) {
			t.Error("it doesn't start slowly")
		}
		w.targets[2].SetEligible(false, later.Add(90*time.Second))
		w.targets[2].SetEligible(true, later.Add(95*time.Second))
		if !slow(w, later.Add(100*time.Second)) {
			t.Error("it goes on where it was")
		}
	})
	t.Run("not where no other has its whole share", func(t *testing.T) {
		w := healthyWorld(2, slowly)
		w.targets[0].SetEligible(false, later)
		w.targets[1].SetEligible(false, later)
		w.targets[1].SetEligible(true, later)
		w.targets[0].SetEligible(true, later.Add(time.Second))
		counts := w.counts(1000, later.Add(time.Second))
		if counts[1] < 900 {
			t.Errorf("the first to recover gets %d of 1000, want nearly all: the second one starts slowly", counts[1])
		}
	})
	t.Run("not one that was slow when all failed, and is the first to recover", func(t *testing.T) {
		w := healthyWorld(1, slowly)
		w.register().SetEligible(true, start)
		w.targets[0].SetEligible(false, start)
		w.targets[1].SetEligible(false, start)
		w.targets[1].SetEligible(true, start.Add(time.Second))
		w.targets[0].SetEligible(true, start.Add(2*time.Second))
		if counts := w.counts(1000, start.Add(2*time.Second)); counts[1] < 900 {
			t.Errorf("it gets %d of 1000, want nearly all: it has its whole share, and the next one starts slowly", counts[1])
		}
	})
	t.Run("not those that are healthy when it is turned on", func(t *testing.T) {
		w := healthyWorld(2, balance.Config{Healthy: one})
		w.register().SetEligible(true, start)
		w.config = slowly
		w.apply()
		if slow(w, start) {
			t.Error("a target that was healthy before starts slowly")
		}
	})
	t.Run("nobody once it is turned off", func(t *testing.T) {
		w := healthyWorld(2, slowly)
		w.register().SetEligible(true, start)
		w.config.SlowStart = 0
		w.apply()
		if slow(w, start) {
			t.Error("a target starts slowly still")
		}
		w.config = slowly
		w.apply()
		if slow(w, start) {
			t.Error("a target starts slowly again")
		}
	})
}

// When those with their whole shares fail, the others share by how long they have
// been there, and none waits for its turn.
func TestSlowStartsAmongEachOther(t *testing.T) {
	w := healthyWorld(1, slowly)
	for range 300 {
		w.register().SetEligible(true, start)
	}
	second := w.register()
	second.SetEligible(true, start.Add(30*time.Second))
	w.targets[0].SetEligible(false, start.Add(30*time.Second))
	const requests = 200000
	counts := w.counts(requests, start.Add(40*time.Second))
	near(t, "40 s old", float64(counts[1]), requests/(300+0.25), 1)
	near(t, "10 s old, of the 40 s that the others are", float64(counts[301]), 0.25*requests/(300+0.25), 1)
}
