package status_test

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/status"
)

func TestAForecastSaysHowSureItIs(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		f    status.Forecast
		want string
	}{
		"too little past": {status.Forecast{Pool: "p", Free: "8", Days: 1}, "p has 8 addresses free, and too little past for a forecast\n"},
		"a date with its range": {status.Forecast{Pool: "p", Free: "100", Days: 14, Growth: 5, Error: 0.3, At: now, Confidence: "fair",
			Exhausted: now.AddDate(0, 0, 20), Earliest: now.AddDate(0, 0, 18), Latest: now.AddDate(0, 0, 22)},
			"p has 100 addresses free, and took 5.0 a day (± 0.3) in the last 14 days\nIt will be exhausted about 2026-03-21; nine times in ten between 2026-03-19 and 2026-03-23.\nConfidence: fair\n"},
		"perhaps never": {status.Forecast{Pool: "p", Free: "100", Days: 14, Growth: 0.5, Error: 2, At: now, Confidence: "none",
			Exhausted: now.AddDate(0, 0, 200), Earliest: now.AddDate(0, 0, 22)},
			"p has 100 addresses free, and took 0.5 a day (± 2.0) in the last 14 days\nIt will be exhausted about 2026-09-17; nine times in ten between 2026-03-23 and perhaps never.\nConfidence: none\n"},
		"it shrinks": {status.Forecast{Pool: "p", Free: "100", Days: 14, Growth: -5, At: now, Confidence: "none"},
			"p has 100 addresses free, and took -5.0 a day (± 0.0) in the last 14 days\nIt will not be exhausted at that pace.\nConfidence: none\n"},
	} {
		if got := plainText(t, c.f.Render()); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, c.want)
		}
	}
}
