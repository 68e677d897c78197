package forecast_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/internal/ipam/forecast"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// past makes a change at the beginning of each day up to now.
func past(deltas ...float64) []forecast.Change {
	var cs []forecast.Change
	for i, d := range deltas {
		if d != 0 {
			cs = append(cs, forecast.Change{Time: now.AddDate(0, 0, i-len(deltas)), Delta: d})
		}
	}
	return cs
}

func repeat(n int, deltas ...float64) (all []float64) {
	for range n {
		all = append(all, deltas...)
	}
	return all
}

// B6.
func TestWhenAPoolWillBeExhausted(t *testing.T) {
	const never = -1
	days := func(at time.Time) float64 {
		if at.IsZero() {
			return never
		}
		return math.Round(at.Sub(now).Hours()/24*10) / 10
	}
	for name, c := range map[string]struct {
		past                    []forecast.Change
		free                    float64
		empty, earliest, latest float64
		confidence              forecast.Confidence
	}{
		"nothing has ever happened":                {nil, 100, never, never, never, forecast.None},
		"it began today":                           {past(5), 100, never, never, never, forecast.None},
		"the same every day":                       {past(repeat(14, 5)...), 100, 20, 20, 20, forecast.Fair},
		"the same every day, for three days":       {past(5, 5, 5), 100, 20, 20, 20, forecast.Low},
		"now more, now less":                       {past(repeat(10, 4, 6)...), 100, 20, 18.6, 21.6, forecast.Fair},
		"a few large steps":                        {past(repeat(2, 0, 0, 40, 0, 0, 0, 30)...), 200, 17.1, 10, 59.5, forecast.Low},
		"up and down around nothing":               {past(repeat(7, 9, -8)...), 100, 200, 22.8, never, forecast.None},
		"it shrinks":                               {past(repeat(14, -5)...), 100, never, never, never, forecast.None},
		"it is exhausted":                          {past(repeat(14, 5)...), 0, 0, 0, 0, forecast.Fair},
		"only the window counts":                   {past(append(repeat(30, 1000), repeat(28, 5)...)...), 100, 20, 20, 20, forecast.Fair},
		"quiet days since count, too":              {past(append([]float64{50}, repeat(9, 0)...)...), 100, 20, 7.6, never, forecast.None},
		"the whole of IPv6 lasts, but not ever so": {past(repeat(14, 5)...), math.Ldexp(1, 120), 36500, 36500, 36500, forecast.Fair},
	} {
		t.Run(name, func(t *testing.T) {
			f := forecast.Make(c.past, c.free, now)
			if days(f.Exhausted) != c.empty || days(f.Earliest) != c.earliest || days(f.Latest) != c.latest || f.Confidence != c.confidence {
				t.Errorf("got %v days (%v to %v), %s\nwant %v (%v to %v), %s\nof %+v",
					days(f.Exhausted), days(f.Earliest), days(f.Latest), f.Confidence, c.empty, c.earliest, c.latest, c.confidence, f)
			}
		})
	}
}

// Whatever the past, the range holds its middle and lies ahead.
func TestARangeHoldsItsMiddle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var cs []forecast.Change
		for range rapid.IntRange(0, 50).Draw(t, "changes") {
			cs = append(cs, forecast.Change{
				Time:  now.Add(-time.Duration(rapid.IntRange(-100, 2000).Draw(t, "hours ago")) * time.Hour),
				Delta: float64(rapid.IntRange(-256, 256).Draw(t, "delta")),
			})
		}
		f := forecast.Make(cs, float64(rapid.IntRange(-1, 1<<24).Draw(t, "free")), now)
		switch {
		case f.Exhausted.IsZero():
			if !f.Earliest.IsZero() || !f.Latest.IsZero() || f.Confidence != forecast.None {
				t.Fatalf("got %+v, want nothing of a forecast that is none", f)
			}
		case f.Earliest.Before(now) || f.Exhausted.Before(f.Earliest) || !f.Latest.IsZero() && f.Latest.Before(f.Exhausted):
			t.Fatalf("got %+v, want now, earliest, exhausted and latest in order", f)
		}
	})
}
