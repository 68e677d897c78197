package balance

import "sync/atomic"

// Group is one node's view of a target group in one assignment.
type Group struct {
	registry *Registry
	targets  []*Target
	open     []int // indexes of the targets that aren't draining
	cursor   *atomic.Uint64
	choice   atomic.Pointer[choice]
}

// choice is the targets to go round while nothing changes.
type choice struct {
	epoch   uint64
	targets []int
}

// NewGroup returns the view of a target group. draining says, beside each
// target, that it gets no new requests.
func NewGroup(r *Registry, targets []*Target, draining []bool, cursor *atomic.Uint64) *Group {
	g := &Group{registry: r, targets: targets, cursor: cursor}
	for i := range targets {
		if !draining[i] {
			g.open = append(g.open, i)
		}
	}
	return g
}

// Empty says that no request can go to the group: Pick gives -1.
func (g *Group) Empty() bool { return len(g.open) == 0 }

// Pick returns the index of the target that the next request goes to: round
// robin over those that are eligible, over all if none is (ALB fails open), but
// never one that is draining. It returns -1 if there is no such target.
func (g *Group) Pick() int {
	if len(g.open) == 0 {
		return -1
	}
	c := g.choice.Load()
	if epoch := g.registry.epoch.Load(); c == nil || c.epoch != epoch {
		c = g.choose(epoch)
		g.choice.Store(c)
	}
	return c.targets[(g.cursor.Add(1)-1)%uint64(len(c.targets))]
}

// choose looks at every target's eligibility. The epoch was read before, so that
// a change meanwhile makes the next Pick look again.
func (g *Group) choose(epoch uint64) *choice {
	c := &choice{epoch: epoch}
	for _, i := range g.open {
		if g.targets[i].Eligible() {
			c.targets = append(c.targets, i)
		}
	}
	if len(c.targets) == 0 {
		c.targets = g.open
	}
	return c
}
