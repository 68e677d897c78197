package balance

import (
	"math"
	"slices"
	"sync/atomic"
)

// tournament finds the target with the fewest requests under way, and of several
// the one whose turn was longest ago: exactly, in one step, for the price of a few
// in each request's beginning and end, of which there are as many as the binary
// logarithm of the number of targets.
//
// It is a tree. Each target is a leaf, and each node above has the better one of
// the two below. A target that stands otherwise than before has the matches on its
// way up played again, up to where neither it has won nor anything has changed.
// What makes that right without a lock: whoever writes into a node looks again at
// what is below afterwards, and who changes what is below looks at the node after
// that. So, of a write that was late and a change, the one that is last sees the
// other. While changes are under way a winner may be one of a moment ago.
type tournament struct {
	targets []*Target       // leaf n is the node len(targets)+n
	winners []atomic.Uint32 // by node: leaves; the first is no node, the second the root
	all     atomic.Bool     // targets that aren't eligible take part
	entered bool            // guarded by roster.mu
	left    bool            // likewise
}

// place is where a target is in a tournament.
type place struct {
	tournament *tournament
	leaf       int
}

func newTournament(targets []*Target, open []int) *tournament {
	t := &tournament{winners: make([]atomic.Uint32, len(open))}
	for _, i := range open {
		t.targets = append(t.targets, targets[i])
	}
	return t
}

// enter has the targets play from now on; with all also those that aren't
// eligible. roster.mu is held.
func (t *tournament) enter(all bool) {
	if t.entered && t.all.Load() == all {
		return
	}
	t.all.Store(all)
	if !t.entered && !t.left {
		t.entered = true
		for leaf, target := range t.targets {
			target.setPlaces(func(p []place) []place { return append(p, place{t, leaf}) })
		}
	}
	for node := len(t.targets) - 1; node > 0; node-- {
		t.match(node)
	}
}

// leave has the targets play no more. roster.mu is held.
func (t *tournament) leave() {
	if t.left = true; !t.entered {
		return
	}
	for _, target := range t.targets {
		target.setPlaces(func(p []place) []place {
			return slices.DeleteFunc(p, func(at place) bool { return at.tournament == t })
		})
	}
}

// setPlaces changes the places of a target, which others may be going through.
// roster.mu is held.
func (t *Target) setPlaces(change func([]place) []place) {
	var places []place
	if old := t.places.Load(); old != nil {
		places = slices.Clone(*old)
	}
	if places = change(places); len(places) == 0 {
		t.places.Store(nil)
		return
	}
	t.places.Store(&places)
}

// winner returns the leaf that is to get the next request.
func (t *tournament) winner() int { return int(t.at(1)) }

// at returns the leaf that is at a node.
func (t *tournament) at(node int) uint32 {
	if leaf := node - len(t.targets); leaf >= 0 {
		return uint32(leaf)
	}
	return t.winners[node].Load()
}

// play plays a leaf's matches.
func (t *tournament) play(leaf int) {
	for node := (leaf + len(t.targets)) / 2; node > 0; node /= 2 {
		if winner, changed := t.match(node); !changed && int(winner) != leaf {
			return
		}
	}
}

// match plays the match at a node until its winner stands.
func (t *tournament) match(node int) (winner uint32, changed bool) {
	for {
		before := t.winners[node].Load()
		winner = t.better(t.at(2*node), t.at(2*node+1))
		if winner == before {
			return winner, changed
		}
		changed = true
		t.winners[node].CompareAndSwap(before, winner)
	}
}

// better returns the leaf that has less to do, or had less to do lately.
func (t *tournament) better(a, b uint32) uint32 {
	x, y := t.targets[a], t.targets[b]
	m, n := t.load(x), t.load(y)
	if m < n || m == n && x.turn.Load() <= y.turn.Load() {
		return a
	}
	return b
}

func (t *tournament) load(x *Target) int64 {
	if !x.eligible.Load() && !t.all.Load() {
		return math.MaxInt64
	}
	return x.inFlight.Load()
}
