package balance

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// Key names a target of a target group.
type Key struct {
	Group string // the target group's ARN
	Addr  netip.AddrPort
}

// Target is what is known of one target, whatever assignment names it.
type Target struct {
	registry *Registry
	eligible atomic.Bool
	inFlight atomic.Int64
}

// Eligible says whether the target may get requests: it is healthy, or not
// checked at all.
func (t *Target) Eligible() bool { return t.eligible.Load() }

// SetEligible says whether the target may get requests.
func (t *Target) SetEligible(eligible bool) {
	if t.eligible.Swap(eligible) != eligible {
		t.registry.epoch.Add(1)
	}
}

// Begin and End count a request under way.
func (t *Target) Begin() { t.inFlight.Add(1) }

// End ends what Begin began.
func (t *Target) End() { t.inFlight.Add(-1) }

// InFlight returns how many requests are under way.
func (t *Target) InFlight() int { return int(t.inFlight.Load()) }

// Registry holds what outlives assignments.
type Registry struct {
	epoch atomic.Uint64 // changes with the eligibility of any target

	mu      sync.Mutex // guards the following
	targets map[Key]*Target
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{targets: map[Key]*Target{}}
}

// Target returns the target's entry, a new one that isn't eligible if there is none.
func (r *Registry) Target(k Key) *Target {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.targets[k]
	if t == nil {
		t = &Target{registry: r}
		r.targets[k] = t
	}
	return t
}

// Lookup returns the target's entry, nil if there is none.
func (r *Registry) Lookup(k Key) *Target {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.targets[k]
}

// Forget takes the entry of a target that no assignment names any more out, and
// says whether it is out: one with requests under way stays, so that the target,
// should it come back, is known to have them.
func (r *Registry) Forget(k Key) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.targets[k]; t != nil && t.InFlight() > 0 {
		return false
	}
	delete(r.targets, k)
	return true
}
