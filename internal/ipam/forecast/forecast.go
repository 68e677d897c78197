// Package forecast tells when a pool will be exhausted, from how its use has changed,
// and how sure that is. It is arithmetic: no clock, no store.
//
// The method is meant to be checked by hand. The past is cut into days, the net
// growth of each day is taken for one draw of the same lottery, and the growth
// per day to come is the mean of those draws, give or take its standard error.
// That suits pools that fill by many small decisions. A pool that fills by a few
// large ones gets a wide range, which says so.
//
// Start reading at Make.
package forecast

import (
	"math"
	"slices"
	"time"
)

// Change is a moment at which the use of a pool changed.
type Change struct {
	Time  time.Time
	Delta float64 // addresses; negative for a release
}

// Window is how far back changes matter: long enough for weekly rhythms, short
// enough to follow a change of habits.
const Window = 28 * 24 * time.Hour

const day = 24 * time.Hour

// Confidence is how much a forecast is worth.
type Confidence string

// The confidences.
const (
	None Confidence = "none" // too little past, or no growth that stands out from its own noise
	Low  Confidence = "low"  // less than a week of past, or the range is wider than its middle
	Fair Confidence = "fair"
)

// Forecast says when a pool is exhausted.
type Forecast struct {
	Days   int     // of past that it rests on
	Growth float64 // addresses a day, the mean
	Error  float64 // standard error of Growth

	// Exhausted is when the pool is exhausted at that growth, Earliest and Latest
	// bound it: nine times in ten, if the days to come are like those past. Zero: never,
	// as far as one can tell.
	Exhausted, Earliest, Latest time.Time
	Confidence                  Confidence
}

// spread is how many standard errors lie on each side of the mean in nine cases
// of ten (normal distribution, two-sided).
const spread = 1.645

// Make forecasts from a pool's changes up to now, in any order, and the addresses
// that are free now.
func Make(changes []Change, free float64, now time.Time) Forecast {
	f := Forecast{Confidence: None}
	growth := daily(changes, now)
	if f.Days = len(growth); f.Days < 2 {
		return f
	}
	n := float64(f.Days)
	for _, g := range growth {
		f.Growth += g / n
	}
	squares := 0.0
	for _, g := range growth {
		squares += (g - f.Growth) * (g - f.Growth)
	}
	f.Error = math.Sqrt(squares / (n - 1) / n)
	if free <= 0 {
		f.Exhausted, f.Earliest, f.Latest, f.Confidence = now, now, now, Fair
		return f
	}
	if f.Growth <= 0 {
		return f
	}
	f.Exhausted = after(now, free/f.Growth)
	f.Earliest = after(now, free/(f.Growth+spread*f.Error))
	slowest := f.Growth - spread*f.Error
	if slowest <= 0 {
		return f // it may as well never be: Latest stays open
	}
	f.Latest = after(now, free/slowest)
	f.Confidence = Fair
	if f.Days < 7 || f.Latest.Sub(f.Earliest) > f.Exhausted.Sub(now) {
		f.Confidence = Low
	}
	return f
}

// farDays is beyond what anybody plans for; a time.Duration ends at 292 years.
const farDays = 100 * 365

func after(now time.Time, days float64) time.Time {
	return now.Add(time.Duration(min(days, farDays) * float64(day)))
}

// daily returns the net growth of each whole day up to now, oldest first, from
// the day of the first change on, within the window.
func daily(changes []Change, now time.Time) []float64 {
	if len(changes) == 0 {
		return nil
	}
	first := slices.MinFunc(changes, func(a, b Change) int { return a.Time.Compare(b.Time) }).Time
	days := int(min(now.Sub(first), Window) / day)
	if days < 1 {
		return nil
	}
	growth := make([]float64, days)
	begin := now.Add(-time.Duration(days) * day)
	for _, c := range changes {
		if c.Time.Before(begin) || c.Time.After(now) {
			continue
		}
		n := min(int(c.Time.Sub(begin)/day), days-1)
		growth[n] += c.Delta
	}
	return growth
}
