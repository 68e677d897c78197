package balance_test

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/balance"
)

var start = time.Unix(1700000000, 0)

func key(port int) balance.Key {
	return balance.Key{Group: "tg", Addr: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(port))}
}

// world is a target group and one node's view of it.
type world struct {
	registry *balance.Registry
	config   balance.Config
	targets  []*balance.Target
	usable   []bool
	cursor   atomic.Uint64
	*balance.Group
}

// newWorld returns a group of n targets, of which none is healthy yet.
func newWorld(n int, c balance.Config) *world {
	w := &world{registry: balance.NewRegistry(), config: c}
	for i := range n {
		w.targets, w.usable = append(w.targets, w.registry.Target(key(i), true)), append(w.usable, true)
	}
	w.apply()
	return w
}

// healthyWorld returns a group of n healthy targets.
func healthyWorld(n int, c balance.Config) *world {
	w := newWorld(n, c)
	for _, t := range w.targets {
		t.SetEligible(true, start)
	}
	return w
}

// apply makes a set of the targets as they are now.
func (w *world) apply() {
	w.registry.Configure("tg", w.config)
	old := w.Group
	w.Group = balance.NewGroup(balance.NewSet(w.targets, w.usable, w.config), &w.cursor)
	if old != nil {
		old.Retire()
	}
}

// register adds a target to those that are there.
func (w *world) register() *balance.Target {
	t := w.registry.Target(key(len(w.targets)), false)
	w.targets, w.usable = append(w.targets, t), append(w.usable, true)
	w.apply()
	return t
}

// picks returns where the next n requests go.
func (w *world) picks(n int, now time.Time) []int {
	var out []int
	for range n {
		out = append(out, w.Pick(now))
	}
	return out
}

// counts returns how many of the next n requests each target gets.
func (w *world) counts(n int, now time.Time) []int {
	out := make([]int, len(w.targets))
	for range n {
		out[w.Pick(now)]++
	}
	return out
}

// near fails unless got is within so much of want.
func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if got < want-within || got > want+within {
		t.Errorf("%s: got %.4f, want %.4f ± %.4f", what, got, want, within)
	}
}
