package bench

import (
	"fmt"
	"strings"
	"time"
)

// mark is something that happened at a time.
type mark struct {
	at   time.Duration
	text string
}

// timeline is a migration as a picture: requests, connections to either set, and
// what DNS names, one above the other, over time.
type timeline struct {
	moments     []moment
	marks       []mark
	connections int
}

// The picture's measures.
const (
	chartWidth  = 860
	chartLeft   = 64
	chartRight  = 20
	chartTop    = 92
	panelHeight = 120
	panelGap    = 34
	bandHeight  = 18
)

// style has colours for light and dark surroundings.
const style = `<style>
text { font: 12px system-ui, sans-serif; fill: #1f2933 }
.title { font-size: 15px; font-weight: 600 }
.dim { fill: #667 }
.axis { stroke: #c3c9d1; stroke-width: 1 }
.mark { stroke: #667; stroke-width: 1; stroke-dasharray: 3 3 }
.rate { fill: none; stroke: #2f6fde; stroke-width: 2 }
.former { fill: #e0913a } .next { fill: #2f9e77 }
@media (prefers-color-scheme: dark) {
text { fill: #e6e9ee } .dim { fill: #9aa4b2 } .axis { stroke: #3b4450 } .mark { stroke: #9aa4b2 }
.rate { stroke: #7aa7ff } .former { fill: #e8a65b } .next { fill: #47b78f } }
</style>
`

func (t timeline) span() time.Duration { return t.moments[len(t.moments)-1].at }

func (t timeline) x(at time.Duration) float64 {
	return chartLeft + (chartWidth-chartLeft-chartRight)*float64(at)/float64(t.span())
}

// svg draws the picture.
func (t timeline) svg() string {
	var s strings.Builder
	rate, conns := chartTop, chartTop+panelHeight+panelGap
	band := conns + panelHeight + panelGap
	height := band + bandHeight + 46
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="Timeline of a migration">`+"\n%s", chartWidth, height, style)
	last := t.moments[len(t.moments)-1]
	fmt.Fprintf(&s, `<text class="title" x="%d" y="24">A load balancer moves to another pool: %d requests, %d failed</text>`+"\n", chartLeft, last.asked, last.failed)

	t.panel(&s, rate, "requests/s", t.topRate())
	fmt.Fprintf(&s, `<polyline class="rate" points="%s"/>`+"\n", t.rates(rate))
	t.panel(&s, conns, "connections", float64(t.connections))
	t.areas(&s, conns)
	t.band(&s, band)
	t.seconds(&s, band+bandHeight)
	t.drawMarks(&s, band+bandHeight)
	s.WriteString("</svg>\n")
	return s.String()
}

// panel draws a panel's frame, from 0 to most.
func (t timeline) panel(s *strings.Builder, top int, name string, most float64) {
	bottom := top + panelHeight
	fmt.Fprintf(s, `<line class="axis" x1="%d" y1="%d" x2="%d" y2="%d"/><line class="axis" x1="%d" y1="%d" x2="%d" y2="%d"/>`+"\n",
		chartLeft, bottom, chartWidth-chartRight, bottom, chartLeft, top, chartLeft, bottom)
	fmt.Fprintf(s, `<text class="dim" x="%d" y="%d">%s</text><text class="dim" x="%d" y="%d" text-anchor="end">%.0f</text><text class="dim" x="%d" y="%d" text-anchor="end">0</text>`+"\n",
		chartLeft+6, top-6, name, chartLeft-8, top+9, most, chartLeft-8, bottom)
}

// smooth is over how many samples a rate is taken.
const smooth = 4

func (t timeline) rateAt(i int) float64 {
	j := max(0, i-smooth)
	a, b := t.moments[j], t.moments[i]
	if i == j {
		return 0
	}
	return float64(b.asked-a.asked) / (b.at - a.at).Seconds()
}

func (t timeline) topRate() float64 {
	top := 0.0
	for i := range t.moments {
		top = max(top, t.rateAt(i))
	}
	return float64(int(top/500+1) * 500)
}

func (t timeline) rates(top int) string {
	var points []string
	most := t.topRate()
	for i, m := range t.moments {
		if i >= smooth {
			points = append(points, fmt.Sprintf("%.1f,%.1f", t.x(m.at), float64(top+panelHeight)-panelHeight*t.rateAt(i)/most))
		}
	}
	return strings.Join(points, " ")
}

// areas draws the connections of both sets, the one on the other.
func (t timeline) areas(s *strings.Builder, top int) {
	bottom := float64(top + panelHeight)
	y := func(n int64) float64 { return bottom - panelHeight*float64(n)/float64(t.connections) }
	var former, next, back []string
	for _, m := range t.moments {
		former = append(former, fmt.Sprintf("%.1f,%.1f", t.x(m.at), y(m.former)))
		next = append(next, fmt.Sprintf("%.1f,%.1f", t.x(m.at), y(m.former+m.next)))
	}
	for i := len(t.moments) - 1; i >= 0; i-- {
		back = append(back, fmt.Sprintf("%.1f,%.1f", t.x(t.moments[i].at), y(t.moments[i].former)))
	}
	floor := fmt.Sprintf(" %.1f,%.1f %.1f,%.1f", t.x(t.span()), bottom, t.x(t.moments[0].at), bottom)
	fmt.Fprintf(s, `<polygon class="former" points="%s"/><polygon class="next" points="%s"/>`+"\n", strings.Join(former, " ")+floor, strings.Join(next, " ")+" "+strings.Join(back, " "))
}

// band draws what DNS names.
func (t timeline) band(s *strings.Builder, top int) {
	fmt.Fprintf(s, `<text class="dim" x="%d" y="%d">DNS names</text>`+"\n", chartLeft+6, top-6)
	for i := 0; i < len(t.moments); {
		j := i
		for j < len(t.moments) && t.moments[j].names == t.moments[i].names {
			j++
		}
		from, to := t.x(t.moments[i].at), t.x(t.moments[min(j, len(t.moments)-1)].at)
		if i == 0 {
			from = chartLeft
		}
		label := map[string]string{"former": "the old set", "next": "the new set"}[t.moments[i].names]
		fmt.Fprintf(s, `<rect class="%s" x="%.1f" y="%d" width="%.1f" height="%d"/>`+"\n", t.moments[i].names, from, top, to-from, bandHeight)
		if to-from > 90 {
			fmt.Fprintf(s, `<text x="%.1f" y="%d" style="fill:#fff">%s</text>`+"\n", from+8, top+13, label)
		}
		i = j
	}
}

// seconds draws the axis of time.
func (t timeline) seconds(s *strings.Builder, top int) {
	for at := time.Duration(0); at <= t.span(); at += 10 * time.Second {
		fmt.Fprintf(s, `<line class="axis" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/><text class="dim" x="%.1f" y="%d" text-anchor="middle">%d s</text>`+"\n",
			t.x(at), top+4, t.x(at), top+10, t.x(at), top+24, int(at.Seconds()))
	}
}

// drawMarks draws what happened, in the order of time, each text a line below the
// one before it where they would meet.
func (t timeline) drawMarks(s *strings.Builder, bottom int) {
	for i, m := range t.marks {
		x, y := t.x(m.at), 46+14*(i%3)
		anchor, dx := "start", 4.0
		if x > chartWidth*0.7 {
			anchor, dx = "end", -4.0
		}
		fmt.Fprintf(s, `<line class="mark" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/><text x="%.1f" y="%d" text-anchor="%s">%s</text>`+"\n", x, y-9, x, bottom, x+dx, y, anchor, m.text)
	}
}
