package status

import (
	"fmt"
	"strings"
	"time"
)

// Forecast is when a pool will be exhausted, as JSON on the ops address.
type Forecast struct {
	Pool       string    `json:"pool"`
	Free       string    `json:"free"`   // addresses, decimal
	Days       int       `json:"days"`   // of past that it rests on
	Growth     float64   `json:"growth"` // addresses a day
	Error      float64   `json:"error"`  // standard error of growth
	At         time.Time `json:"at"`
	Exhausted  time.Time `json:"exhausted,omitzero"` // zero: not as far as one can tell
	Earliest   time.Time `json:"earliest,omitzero"`
	Latest     time.Time `json:"latest,omitzero"` // zero: perhaps never
	Confidence string    `json:"confidence"`      // none, low, fair
}

// Render returns the forecast as text for a terminal.
func (f Forecast) Render() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s has %s addresses free", strong.Render(f.Pool), short(f.Free))
	if f.Days < 2 {
		b.WriteString(", and too little past for a forecast\n")
		return b.String()
	}
	fmt.Fprintf(&b, ", and took %.1f a day (± %.1f) in the last %d days\n", f.Growth, f.Error, f.Days)
	switch {
	case f.Exhausted.IsZero():
		b.WriteString("It will not be exhausted at that pace.\n")
	case !f.Exhausted.After(f.At):
		b.WriteString(warn.Render("It is exhausted.") + "\n")
	default:
		latest := "perhaps never"
		if !f.Latest.IsZero() {
			latest = f.Latest.Format(time.DateOnly)
		}
		fmt.Fprintf(&b, "It will be exhausted about %s; nine times in ten between %s and %s.\n",
			strong.Render(f.Exhausted.Format(time.DateOnly)), f.Earliest.Format(time.DateOnly), latest)
	}
	fmt.Fprintf(&b, "Confidence: %s\n", f.Confidence)
	return b.String()
}
