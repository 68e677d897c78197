package status

import (
	"fmt"
	"math/big"
	"strings"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"
)

var (
	strong = lipgloss.NewStyle().Bold(true)
	faint  = lipgloss.NewStyle().Faint(true)
	warn   = lipgloss.NewStyle().Foreground(lipgloss.Yellow)
	good   = lipgloss.NewStyle().Foreground(lipgloss.Green)
)

// Render returns the report as text for a terminal.
func (r Report) Render() string {
	var b strings.Builder
	state := good.Render("ready")
	if !r.Ready {
		state = warn.Render("not ready")
	}
	fmt.Fprintf(&b, "%s %s, %s, up %s\n", strong.Render("fairlead"), r.Version, state, r.At.Sub(r.Since).Round(1e9))
	fmt.Fprintf(&b, "API %s   DNS %s   ops %s   data %s\n", r.API, r.DNS, r.Ops, r.DataDir)
	fmt.Fprintf(&b, "\n%s\n", strong.Render("Pools"))
	t := plain().Headers("POOL", "CIDRS", "TAKEN", "")
	for _, p := range r.Pools {
		t.Row(p.Title(), p.Ranges(r.At), short(p.Taken)+" of "+short(p.Total), Bar(p.Share, barCells))
	}
	b.WriteString(t.String() + "\n\n" + strong.Render("Load balancers") + "\n")
	if len(r.LoadBalancers) == 0 {
		b.WriteString(faint.Render("none yet") + "\n")
	}
	for _, lb := range r.LoadBalancers {
		b.WriteString(lb.Render())
	}
	return b.String()
}

// short returns a count as it fits a line: IPv6 pools have 3e+26 addresses.
func short(n string) string {
	const digits = 15
	if f, ok := new(big.Float).SetString(n); ok && len(n) > digits {
		return f.Text('g', 3)
	}
	return n
}

// Render returns one load balancer as text for a terminal.
func (lb LoadBalancer) Render() string {
	state := lb.State
	if state == "active" {
		state = good.Render(state)
	} else {
		state = warn.Render(state)
	}
	head := strong.Render(lb.Name) + " " + state + "  " + lb.DNSName
	if lb.Reason != "" {
		head += "\n" + warn.Render(lb.Reason)
	}
	t := plain().Headers("ZONE", "PUBLIC ADDRESS", "SOURCE POOL", "STATE")
	for _, n := range lb.Nodes {
		address, source := "-", "-"
		if n.Public.IsValid() {
			address, source = n.Public.String(), "provider's"
			if n.Pool != "" {
				source = n.Pool
			}
		}
		if n.Bound.IsValid() && n.Bound != n.Public && n.Public.IsValid() {
			address += " on " + n.Bound.String()
		}
		if n.OffPool {
			source = warn.Render(source + " (fallback)")
		}
		phase := n.Phase
		if n.Withdrawn {
			phase += ", " + warn.Render("out of DNS: too few of its zone's targets are healthy")
		}
		if n.Error != "" {
			phase += ": " + n.Error
		}
		t.Row(n.Zone, address, source, phase)
		if n.IPv6.IsValid() {
			address := n.IPv6.String()
			if n.IPv6Bound.IsValid() && n.IPv6Bound != n.IPv6 {
				address += " on " + n.IPv6Bound.String()
			}
			t.Row("", address, "its subnet", "")
		}
	}
	return head + "\n" + t.String() + "\n"
}

func plain() *table.Table {
	return table.New().Border(lipgloss.HiddenBorder()).BorderTop(false).BorderBottom(false).BorderLeft(false).BorderRight(false).BorderHeader(false).
		StyleFunc(func(row, _ int) lipgloss.Style {
			if row == table.HeaderRow {
				return faint.PaddingRight(2)
			}
			return lipgloss.NewStyle().PaddingRight(2)
		})
}

// Bar draws a share of width cells.
func Bar(share float64, width int) string {
	full := cells(share, width)
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}

// cells is how many of width a share fills.
func cells(share float64, width int) int {
	full := int(share*float64(width) + 0.5)
	if share > 0 && full == 0 {
		full = 1 // a pool with anything taken doesn't look free
	}
	return min(full, width)
}
