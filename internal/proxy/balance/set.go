package balance

import (
	"sync/atomic"
	"time"
)

// Algorithm is how the target of a request is chosen (ELBv2 attribute
// load_balancing.algorithm.type).
type Algorithm uint8

// The algorithms.
const (
	RoundRobin Algorithm = iota
	LeastOutstanding
	WeightedRandom
)

// Config is how a target group chooses.
type Config struct {
	Algorithm  Algorithm
	Mitigation bool          // WeightedRandom: targets that fail more than others get less
	SlowStart  time.Duration // RoundRobin: how long the share of a target grows that got healthy; 0: not at all

	// Healthy is how much must be healthy for the others to be left out. The zero
	// value is always met, if by nothing.
	Healthy Threshold
}

// Threshold is how many targets of a group must be healthy (ELBv2 attributes
// target_group_health.*.minimum_healthy_targets).
type Threshold struct {
	Count   int // at least; 0: any
	Percent int // of those that are registered, at least; 0: any
}

// Met says whether so many healthy targets are enough.
func (t Threshold) Met(healthy, registered int) bool {
	return healthy >= t.Count && 100*healthy >= t.Percent*registered
}

// Set is the targets of a target group that the nodes of one zone choose from, in
// one assignment.
type Set struct {
	config  Config
	roster  *roster // nil: there are no targets
	targets []*Target
	open    []int // indexes of the targets that can be chosen at all
	usable  []bool
	least   *tournament // LeastOutstanding
	choice  atomic.Pointer[choice]
}

// choice is what a set chooses from while nothing changes. It never changes.
type choice struct {
	epoch    uint64
	targets  []int // indexes of those to choose from
	failOpen bool  // they are all, as too few are healthy
	slow     *slow // nil: all have their whole share
}

// NewSet returns a set of targets of one group. usable says, beside each target,
// that it can be chosen at all: it isn't draining, and the zone may use it.
func NewSet(targets []*Target, usable []bool, c Config) *Set {
	s := &Set{config: c, targets: targets, usable: usable}
	for i, t := range targets {
		s.roster = t.roster
		if usable[i] {
			s.open = append(s.open, i)
		}
	}
	if c.Algorithm == LeastOutstanding && len(s.open) > 0 {
		s.least = newTournament(targets, s.open)
	}
	return s
}

// Retire says that other sets have taken the set's place. It still chooses, for
// requests that had come before, but is told of no request any more.
func (s *Set) Retire() {
	if s.least != nil {
		s.roster.mu.Lock()
		defer s.roster.mu.Unlock()
		s.least.leave()
	}
}

// Empty says that no request can go to the set.
func (s *Set) Empty() bool { return len(s.open) == 0 }

// Accepts says whether a request may go to a target that its client has been at
// before: the target can be chosen, and would be among the choice.
func (s *Set) Accepts(i int) bool {
	return s.usable[i] && (s.targets[i].Eligible() || s.current().failOpen)
}

// FailsOpen says whether requests go to all targets, as too few of them are
// healthy (ELB user guide, "Target group health", unhealthy state routing).
func (s *Set) FailsOpen() bool { return len(s.open) > 0 && s.current().failOpen }

// Group is one node's view of a target group: its place in a set.
type Group struct {
	*Set
	cursor *atomic.Uint64 // round robin's, which outlives the set
}

// NewGroup returns the view of a node that goes round with the cursor.
func NewGroup(s *Set, cursor *atomic.Uint64) *Group { return &Group{s, cursor} }

// Pick returns the index of the target that the next request goes to, -1 if there
// is none: that is, if no target can be chosen at all. With too few healthy ones
// it is any other.
func (g *Group) Pick(now time.Time) int {
	if len(g.open) == 0 {
		return -1
	}
	c := g.current()
	switch {
	case len(c.targets) == 1:
		return c.targets[0]
	case g.config.Algorithm == LeastOutstanding:
		return g.open[g.least.winner()]
	case g.config.Algorithm == WeightedRandom:
		return g.draw(c)
	}
	return g.rotate(c, now)
}

// current returns the choice as of now.
func (s *Set) current() *choice {
	c := s.choice.Load()
	if c == nil || c.epoch != s.roster.epoch.Load() {
		c = s.choose()
	}
	return c
}

// choose looks at every target.
func (s *Set) choose() *choice {
	o := s.roster
	o.mu.Lock()
	defer o.mu.Unlock()
	if c := s.choice.Load(); c != nil && c.epoch == o.epoch.Load() {
		return c // another one was quicker
	}
	c := &choice{epoch: o.epoch.Load()}
	for _, i := range s.open {
		if s.targets[i].Eligible() {
			c.targets = append(c.targets, i)
		}
	}
	if c.failOpen = len(c.targets) == 0 || !s.config.Healthy.Met(len(c.targets), len(s.open)); c.failOpen {
		c.targets = s.open
	}
	if s.least != nil {
		s.least.enter(c.failOpen)
	} else if s.config.Algorithm == RoundRobin {
		c.slow = s.slow(c)
	}
	s.choice.Store(c)
	return c
}
