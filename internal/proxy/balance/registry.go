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

// CursorKey names a place of round robin: one node's, in a target group or among
// the target groups of a rule.
type CursorKey struct {
	Node string // its ID
	ARN  string // of the target group or the rule
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
	cursors map[CursorKey]*atomic.Uint64
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{targets: map[Key]*Target{}, cursors: map[CursorKey]*atomic.Uint64{}}
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

// Cursor returns the counter of a place of round robin.
func (r *Registry) Cursor(k CursorKey) *atomic.Uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.cursors[k]
	if c == nil {
		c = new(atomic.Uint64)
		r.cursors[k] = c
	}
	return c
}

// Retain forgets the targets and cursors that no assignment names any more. A
// target with requests under way is kept until the next call.
func (r *Registry) Retain(targets func(Key) bool, cursors func(CursorKey) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, t := range r.targets {
		if !targets(k) && t.InFlight() == 0 {
			delete(r.targets, k)
		}
	}
	for k := range r.cursors {
		if !cursors(k) {
			delete(r.cursors, k)
		}
	}
}
