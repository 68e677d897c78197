package balance

import "time"

// whole is the share of a target that has all of it, and leastShare what a target
// begins with that starts slowly.
const (
	whole      = 1 << 16
	leastShare = whole / 100
)

// slow is the slow start of the targets of a choice.
type slow struct {
	begun    []time.Time // beside choice.targets; zero: before all others
	eldest   time.Time   // the first of them: nobody has a larger share than this one
	last     time.Time
	duration time.Duration
}

// slow returns how the targets of a choice start; nil if none does any more.
// roster.mu is held.
func (s *Set) slow(c *choice) *slow {
	out := &slow{duration: s.roster.slowStart}
	if out.duration == 0 {
		return nil
	}
	for n, i := range c.targets {
		t := s.targets[i].ramp
		out.begun = append(out.begun, t)
		if n == 0 || t.Before(out.eldest) {
			out.eldest = t
		}
		if t.After(out.last) {
			out.last = t
		}
	}
	if out.last.IsZero() {
		return nil
	}
	return out
}

// share returns what a target gets that began so long ago: linear in time.
func (s *slow) share(age time.Duration) uint64 {
	if age >= s.duration {
		return whole
	}
	return max(leastShare, uint64(max(0, age))*whole/uint64(s.duration))
}

// rotate is round robin. A target that starts slowly is passed over when its turn
// comes, until the shares of its turns add up to a request. The eldest, which is
// one with its whole share unless there is none, never is: so a round finds one,
// and on average less than a hundred steps do.
func (g *Group) rotate(c *choice, now time.Time) int {
	n := uint64(len(c.targets))
	if c.slow == nil || now.Sub(c.slow.last) >= c.slow.duration {
		return c.targets[(g.cursor.Add(1)-1)%n]
	}
	most := c.slow.share(now.Sub(c.slow.eldest))
	for {
		at := (g.cursor.Add(1) - 1) % n
		share := c.slow.share(now.Sub(c.slow.begun[at]))
		if share >= most {
			return c.targets[at]
		}
		step := share * whole / most
		if due := g.targets[c.targets[at]].share.Add(step); due/whole != (due-step)/whole {
			return c.targets[at]
		}
	}
}
