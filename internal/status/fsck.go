package status

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Fsck is what a sweep over all records found, as JSON on the ops address.
type Fsck struct {
	At       time.Time `json:"at"`
	Revision int64     `json:"revision"` // of the store
	Took     string    `json:"took"`

	// What was looked at.
	Pools      int `json:"pools"`
	CIDRs      int `json:"cidrs"`
	Held       int `json:"held"` // allocations, as the next two
	Cooling    int `json:"cooling"`
	Staged     int `json:"staged"`
	Interfaces int `json:"interfaces"`
	Addresses  int `json:"addresses"`
	Nodes      int `json:"nodes"`
	Counters   int `json:"counters"`

	NotChecked map[string]int `json:"not_checked,omitempty"` // allocations by kind of holder that this server doesn't know
	Findings   []Finding      `json:"findings"`
	More       int            `json:"more,omitempty"` // findings that aren't listed
	Repaired   int            `json:"repaired"`
	Left       int            `json:"left"` // findings that there are now
}

// Finding is one thing that doesn't fit.
type Finding struct {
	Kind      string    `json:"kind"`
	Invariant string    `json:"invariant"`
	Where     string    `json:"where"`
	What      string    `json:"what"`
	Repair    string    `json:"repair,omitempty"` // what a repair does
	Since     time.Time `json:"since"`
	Outcome   string    `json:"outcome,omitempty"` // of a repair
}

// Render returns the report as text for a terminal.
func (f Fsck) Render() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d pools with %d CIDRs and %d allocations (%d cooling, %d staged), %d addresses, %d interfaces, %d nodes, %d counters; revision %d, %s\n",
		f.Pools, f.CIDRs, f.Held+f.Cooling+f.Staged, f.Cooling, f.Staged, f.Addresses, f.Interfaces, f.Nodes, f.Counters, f.Revision, f.Took)
	for _, kind := range slices.Sorted(maps.Keys(f.NotChecked)) {
		fmt.Fprintf(&b, "%s %d allocations for holders of the kind %q\n", warn.Render("not checked:"), f.NotChecked[kind], kind)
	}
	for _, x := range f.Findings {
		fmt.Fprintf(&b, "\n%s %s\n  %s (%s)\n", warn.Render(x.Kind), strong.Render(x.Where), x.What, x.Invariant)
		switch {
		case x.Outcome != "":
			fmt.Fprintf(&b, "  %s\n", x.Outcome)
		case x.Repair != "":
			fmt.Fprintf(&b, "  --repair would %s\n", x.Repair)
		default:
			b.WriteString("  to be decided by people\n")
		}
	}
	if f.More > 0 {
		fmt.Fprintf(&b, "\nand %d more\n", f.More)
	}
	switch {
	case f.Left > 0:
		fmt.Fprintf(&b, "\n%s\n", warn.Render(fmt.Sprintf("%d left", f.Left)))
	case f.Repaired > 0:
		b.WriteString("\n" + good.Render("everything fits again") + "\n")
	default:
		b.WriteString(good.Render("everything fits") + "\n")
	}
	return b.String()
}
