package balance

import "math/rand/v2"

// draw is weighted random: any of the targets alike, and again if one that is to
// get less is drawn and doesn't get it. At most half of the targets are (see
// anomaly.go), so a second draw is rare and a tenth all but impossible.
func (g *Group) draw(c *choice) int {
	for {
		i := c.targets[rand.IntN(len(c.targets))]
		w := g.targets[i].weight.Load()
		if w >= whole || !g.config.Mitigation || rand.Uint32N(whole) < w {
			return i
		}
	}
}
