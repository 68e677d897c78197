package status

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/tree"
)

// Pools is all pools of an installation, as JSON on the ops address.
type Pools struct {
	Pools []Pool `json:"pools"`
}

// Pool is one address pool; counts are decimal, for IPv6's sake.
type Pool struct {
	ID          string `json:"id"`
	Source      string `json:"source,omitempty"` // the pool that it is a child of
	Scope       string `json:"scope,omitempty"`  // id
	ScopeType   string `json:"scope_type"`
	Description string `json:"description,omitempty"`
	Account     string `json:"account"`
	Locale      string `json:"locale"`
	Family      string `json:"family"`
	Provider    bool   `json:"provider"` // the installation's own, which load balancers fall back to
	CIDRs       []CIDR `json:"cidrs"`

	Total   string  `json:"total"`
	Taken   string  `json:"taken"`
	Share   float64 `json:"share"`   // taken of total, 0 to 1
	Pooled  float64 `json:"pooled"`  // of total, in child pools' hands
	Cooling int     `json:"cooling"` // blocks that are released and not free yet
}

// CIDR is one of a pool's CIDRs.
type CIDR struct {
	CIDR       netip.Prefix `json:"cidr"`
	State      string       `json:"state"`
	UsableFrom time.Time    `json:"usable_from,omitzero"` // the end of its notice period
}

// Title names the pool for people.
func (p Pool) Title() string {
	if p.Description != "" {
		return p.ID + " (" + p.Description + ")"
	}
	return p.ID
}

// Ranges lists the pool's CIDRs, with what there is to say of them beyond that
// they are there.
func (p Pool) Ranges(now time.Time) string {
	words := make([]string, 0, len(p.CIDRs))
	for _, c := range p.CIDRs {
		word := c.CIDR.String()
		switch {
		case c.State != "provisioned":
			word += " " + warn.Render(c.State)
		case c.UsableFrom.After(now):
			word += " " + warn.Render("usable from "+c.UsableFrom.UTC().Format(time.DateTime))
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

// barCells is the width of a bar.
const barCells = 20

// Render returns the pools as a tree for a terminal: by account and scope, each
// pool below the one that it gets its CIDRs from.
func (r Pools) Render() string {
	type scope struct{ account, id, kind string }
	var scopes []scope
	roots := map[scope][]Pool{}
	children := map[string][]Pool{}
	known := map[string]bool{}
	for _, p := range r.Pools {
		known[p.ID] = true
	}
	for _, p := range r.Pools {
		if known[p.Source] {
			children[p.Source] = append(children[p.Source], p)
			continue
		}
		at := scope{p.Account, p.Scope, p.ScopeType}
		if !slices.Contains(scopes, at) {
			scopes = append(scopes, at)
		}
		roots[at] = append(roots[at], p)
	}
	var grow func(p Pool) any
	grow = func(p Pool) any {
		if len(children[p.ID]) == 0 {
			return p.line()
		}
		t := tree.Root(p.line())
		for _, c := range children[p.ID] {
			t.Child(grow(c))
		}
		return t
	}
	var b strings.Builder
	for _, at := range scopes {
		head := fmt.Sprintf("account %s, %s scope %s", at.account, at.kind, at.id)
		switch {
		case at.id != "":
		case roots[at][0].Provider:
			head = "provider"
		default: // EC2's own, which are in no scope
			head = fmt.Sprintf("account %s, public IPv4 pools", at.account)
		}
		t := tree.Root(strong.Render(head)).EnumeratorStyle(faint.PaddingRight(1))
		for _, p := range roots[at] {
			t.Child(grow(p))
		}
		b.WriteString(t.String() + "\n\n")
	}
	b.WriteString(resourceStyle.Render("█") + " held by resources   " + pooledStyle.Render("▓") + " given to child pools   ░ free\n")
	return b.String()
}

var (
	resourceStyle = lipgloss.NewStyle().Foreground(lipgloss.Cyan)
	pooledStyle   = lipgloss.NewStyle().Foreground(lipgloss.Magenta)
)

// line is what the tree shows of a pool.
func (p Pool) line() string {
	pooled := cells(p.Pooled, barCells)
	held := min(cells(p.Share-p.Pooled, barCells), barCells-pooled)
	bar := resourceStyle.Render(strings.Repeat("█", held)) + pooledStyle.Render(strings.Repeat("▓", pooled)) +
		faint.Render(strings.Repeat("░", barCells-held-pooled))
	use := fmt.Sprintf("%s  %s of %s", bar, short(p.Taken), short(p.Total))
	if p.Cooling > 0 {
		use += fmt.Sprintf(", %d cooling", p.Cooling)
	}
	ranges := p.Ranges(time.Now())
	if ranges == "" {
		ranges = faint.Render("no CIDR")
	}
	return fmt.Sprintf("%s  %s, %s\n%s  %s", strong.Render(p.Title()), p.Family, p.Locale, use, ranges)
}
