package balance

import (
	"maps"
	"net/netip"
	"sync"
	"time"
)

// Key names a target of a target group.
type Key struct {
	Group string // the target group's ARN
	Addr  netip.AddrPort
}

// Registry holds what outlives assignments.
type Registry struct {
	mu      sync.Mutex // guards the following; taken before a roster's
	rosters map[string]*roster
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry { return &Registry{rosters: map[string]*roster{}} }

func (r *Registry) roster(group string) *roster {
	o := r.rosters[group]
	if o == nil {
		o = &roster{targets: map[netip.AddrPort]*Target{}}
		r.rosters[group] = o
	}
	return o
}

// Target returns the target's entry, a new one that isn't eligible if there is
// none. A new one that is among the first of its group, registered before there was
// any to compare with, has no slow start when it gets healthy.
func (r *Registry) Target(k Key, first bool) *Target {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.roster(k.Group)
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.targets[k.Addr]
	if t == nil {
		t = &Target{roster: o, first: first}
		t.weight.Store(whole)
		o.targets[k.Addr] = t
	}
	return t
}

// Lookup returns the target's entry, nil if there is none.
func (r *Registry) Lookup(k Key) *Target {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.rosters[k.Group]
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.targets[k.Addr]
}

// Forget takes the entry of a target that no assignment names any more out, and
// says whether it is out: one with requests under way stays, so that the target,
// should it come back, is known to have them.
func (r *Registry) Forget(k Key) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.rosters[k.Group]
	if o == nil {
		return true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if t := o.targets[k.Addr]; t != nil && t.InFlight() > 0 {
		return false
	}
	if delete(o.targets, k.Addr); len(o.targets) == 0 {
		delete(r.rosters, k.Group)
	}
	return true
}

// Configure says how the targets that a group has are treated from now on, between
// the requests: their slow start, and what follows from anomalies.
func (r *Registry) Configure(group string, c Config) {
	r.mu.Lock()
	o := r.rosters[group]
	r.mu.Unlock()
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mitigates = c.Mitigation && c.Algorithm == WeightedRandom
	if o.slowStart == c.SlowStart {
		return
	}
	o.slowStart = c.SlowStart
	if c.SlowStart == 0 {
		for _, t := range o.targets {
			t.ramp = time.Time{}
		}
	}
	o.epoch.Add(1)
}

// Observe looks at how requests have ended since it last did, at every group; it is
// to be called each ObserveInterval. It returns the targets of which Anomalous or
// Mitigated say otherwise now.
func (r *Registry) Observe() (changed []Key) {
	r.mu.Lock()
	rosters := maps.Clone(r.rosters)
	r.mu.Unlock()
	for group, o := range rosters {
		for _, at := range o.observe() {
			changed = append(changed, Key{group, at})
		}
	}
	return changed
}
