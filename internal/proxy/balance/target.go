package balance

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// roster is what is known of the targets of one target group, whatever assignment
// names them.
type roster struct {
	epoch atomic.Uint64 // changes with what choices are made of
	turns atomic.Uint64 // how often a target has been chosen by least outstanding requests

	mu        sync.Mutex // guards the following, and the fields of targets that say so
	targets   map[netip.AddrPort]*Target
	slowStart time.Duration // 0: none
	mitigates bool
}

// Target is what is known of one target, whatever assignment names it.
type Target struct {
	roster *roster

	inFlight atomic.Int64
	outcomes atomic.Uint64 // requests that have ended, and from failedUnit on those that have failed
	turn     atomic.Uint64 // when it was last chosen, in tournaments
	places   atomic.Pointer[[]place]

	eligible  atomic.Bool
	weight    atomic.Uint32 // of whole, in a random choice
	anomalous atomic.Bool

	// The following are guarded by roster.mu.
	first bool          // it has no slow start, once
	ramp  time.Time     // when its slow start began; zero: it isn't in one
	past  uint64        // outcomes as last observed
	seen  failures      // of late
	share atomic.Uint64 // of a request that is due to it, while it starts slowly; see rotation.go
}

// Eligible says whether the target may get requests: it is healthy, or not
// checked at all.
func (t *Target) Eligible() bool { return t.eligible.Load() }

// SetEligible says whether the target may get requests from now on. One that gets
// eligible starts slowly, if its group does so, where another one has its whole
// share already (ELB user guide, "Slow start mode").
func (t *Target) SetEligible(eligible bool, now time.Time) {
	o := t.roster
	o.mu.Lock()
	defer o.mu.Unlock()
	if t.eligible.Load() == eligible {
		return
	}
	t.ramp = time.Time{}
	if eligible {
		if o.slowStart > 0 && !t.first && o.established(now) {
			t.ramp = now
			t.share.Store(rand.Uint64N(whole)) // so that many that start together don't get their first requests together
		}
		t.first = false
	}
	t.eligible.Store(eligible)
	o.epoch.Add(1)
	t.moved()
}

// established says whether a target has its whole share. o.mu is held.
func (o *roster) established(now time.Time) bool {
	for _, t := range o.targets {
		if t.eligible.Load() && now.Sub(t.ramp) >= o.slowStart {
			return true
		}
	}
	return false
}

// Begin counts a request under way.
func (t *Target) Begin() {
	t.inFlight.Add(1)
	if t.places.Load() != nil {
		t.turn.Store(t.roster.turns.Add(1))
		t.moved()
	}
}

// End ends what Begin began.
func (t *Target) End() {
	t.inFlight.Add(-1)
	t.moved()
}

// moved tells the tournaments that the target is in that it stands otherwise.
func (t *Target) moved() {
	if p := t.places.Load(); p != nil {
		for _, at := range *p {
			at.tournament.play(at.leaf)
		}
	}
}

// InFlight returns how many requests are under way.
func (t *Target) InFlight() int { return int(t.inFlight.Load()) }
