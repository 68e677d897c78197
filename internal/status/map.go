package status

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
)

// Map is who holds what in a pool, as JSON on the ops address.
type Map struct {
	Pool        string `json:"pool"`
	Description string `json:"description,omitempty"`
	Account     string `json:"account"`
	Parts       []Part `json:"parts"` // of the pool, in order of address
}

// Part is a prefix in equal cells.
type Part struct {
	Within netip.Prefix `json:"within"`
	Cells  []Cell       `json:"cells"`
	Blocks []Block      `json:"blocks"` // the first of those in it
	More   int          `json:"more"`   // how many others there are
}

// Cell is one of the equal parts of a prefix.
type Cell struct {
	CIDR    netip.Prefix `json:"cidr"`
	Outside bool         `json:"outside,omitempty"` // not the pool's
	Taken   float64      `json:"taken"`             // share, 0 to 1
	Cooling float64      `json:"cooling,omitempty"` // share released and not free yet
	Type    string       `json:"type,omitempty"`    // of the holders, "" for none or several
	Blocks  int          `json:"blocks"`
}

// Block is one allocation.
type Block struct {
	CIDR        netip.Prefix `json:"cidr"`
	ID          string       `json:"id"`
	Type        string       `json:"type"`
	Resource    string       `json:"resource,omitempty"`
	Account     string       `json:"account"`
	Description string       `json:"description,omitempty"`
	Since       time.Time    `json:"since"`
	FreeAt      time.Time    `json:"free_at,omitzero"` // released, and free from then on
}

// rowCells is how many cells a line of a map has.
const rowCells = 64

// MapCells is how many cells fit on a screen.
const MapCells = 16 * rowCells

// signs are what a cell shows that one type of holder has whole.
var signs = []struct {
	holder string
	sign   string
	style  lipgloss.Style
}{
	{"eip", "e", lipgloss.NewStyle().Foreground(lipgloss.Cyan)},
	{"ipam-pool", "p", lipgloss.NewStyle().Foreground(lipgloss.Magenta)},
	{"vpc", "v", lipgloss.NewStyle().Foreground(lipgloss.Blue)},
	{"subnet", "s", lipgloss.NewStyle().Foreground(lipgloss.Green)},
	{"ec2-public-ipv4-pool", "i", lipgloss.NewStyle().Foreground(lipgloss.Yellow)},
	{"custom", "c", lipgloss.NewStyle()},
}

const (
	signFree    = "·"
	signOutside = " "
	signCooling = "~"
	signMixed   = "█"
	signsPartly = "▁▂▃▄▅▆▇"
)

// Render returns the map as text for a terminal.
func (m Map) Render() string {
	var b strings.Builder
	head := strong.Render(m.Pool)
	if m.Description != "" {
		head += " (" + m.Description + ")"
	}
	fmt.Fprintf(&b, "%s of account %s\n", head, m.Account)
	if len(m.Parts) == 0 {
		b.WriteString(faint.Render("no CIDR is provisioned") + "\n")
	}
	for _, p := range m.Parts {
		b.WriteString("\n" + p.render())
	}
	b.WriteString(m.legend())
	return b.String()
}

func (p Part) render() string {
	var b strings.Builder
	size := ""
	if len(p.Cells) > 1 {
		size = faint.Render(fmt.Sprintf("  a cell is a /%d", p.Cells[0].CIDR.Bits()))
	}
	fmt.Fprintf(&b, "%s%s\n", strong.Render(p.Within.String()), size)
	width := 0
	for row := range slices.Chunk(p.Cells, rowCells) {
		width = max(width, len(row[0].CIDR.Addr().String()))
	}
	for row := range slices.Chunk(p.Cells, rowCells) {
		fmt.Fprintf(&b, "%s  ", faint.Render(fmt.Sprintf("%-*s", width, row[0].CIDR.Addr())))
		for _, c := range row {
			b.WriteString(c.sign())
		}
		b.WriteString("\n")
	}
	if len(p.Blocks) == 0 {
		return b.String()
	}
	t := plain().Headers("CIDR", "TYPE", "HOLDER", "ACCOUNT", "SINCE", "")
	for _, x := range p.Blocks {
		note := x.Description
		if !x.FreeAt.IsZero() {
			note = strings.TrimSpace("released, free at " + x.FreeAt.UTC().Format(time.RFC3339) + " " + note)
		}
		holder := x.Resource
		if holder == "" {
			holder = "-"
		}
		t.Row(x.CIDR.String(), x.Type, holder, x.Account, x.Since.UTC().Format(time.DateTime), note)
	}
	b.WriteString(t.String() + "\n")
	if p.More > 0 {
		b.WriteString(faint.Render(fmt.Sprintf("and %d more; name a smaller prefix to see them", p.More)) + "\n")
	}
	return b.String()
}

func (c Cell) sign() string {
	switch {
	case c.Outside:
		return signOutside
	case c.Taken == 0:
		return faint.Render(signFree)
	case c.Cooling == 1:
		return faint.Render(signCooling)
	}
	text, style := signMixed, lipgloss.NewStyle()
	for _, s := range signs {
		if s.holder == c.Type {
			text, style = s.sign, s.style
		}
	}
	if c.Taken < 1 {
		steps := []rune(signsPartly)
		text = string(steps[min(int(c.Taken*float64(len(steps))), len(steps)-1)])
	}
	return style.Render(text)
}

// legend explains the signs that the map has.
func (m Map) legend() string {
	types := map[string]bool{}
	partly, mixed, cooling := false, false, false
	for _, p := range m.Parts {
		for _, c := range p.Cells {
			partly = partly || c.Taken > 0 && c.Taken < 1
			mixed = mixed || c.Taken == 1 && c.Type == ""
			cooling = cooling || c.Cooling == 1
			if c.Taken == 1 && c.Cooling < 1 {
				types[c.Type] = true
			}
		}
	}
	words := []string{signFree + " free"}
	for _, s := range signs {
		if types[s.holder] {
			words = append(words, s.style.Render(s.sign)+" "+s.holder)
		}
	}
	for _, w := range []struct {
		used bool
		text string
	}{{mixed, signMixed + " several types"}, {partly, signsPartly + " taken in part"}, {cooling, signCooling + " released, not free yet"}} {
		if w.used {
			words = append(words, w.text)
		}
	}
	return "\n" + strings.Join(words, "   ") + "\n"
}
