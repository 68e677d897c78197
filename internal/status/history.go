package status

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// History is who had an address, as JSON on the ops address.
type History struct {
	Address  netip.Addr `json:"address"`
	Holdings []Holding  `json:"holdings"` // what is held now first, then the most recent first
}

// Holding is one block that somebody has or had.
type Holding struct {
	CIDR       netip.Prefix `json:"cidr"`
	Kind       string       `json:"kind"` // type of the resource or of the allocation
	Resource   string       `json:"resource,omitempty"`
	Allocation string       `json:"allocation,omitempty"` // its id in the pool
	Name       string       `json:"name,omitempty"`
	Account    string       `json:"account"`
	Region     string       `json:"region"`
	VPC        string       `json:"vpc,omitempty"`
	Pools      []string     `json:"pools,omitempty"`
	From       time.Time    `json:"from,omitzero"`  // zero: not known
	Until      time.Time    `json:"until,omitzero"` // zero: it is held now
}

// Render returns the history as text for a terminal.
func (h History) Render() string {
	if len(h.Holdings) == 0 {
		return fmt.Sprintf("nobody has had %s\n", h.Address)
	}
	t := plain().Headers("FROM", "UNTIL", "CIDR", "TYPE", "HOLDER", "ACCOUNT", "REGION", "POOL")
	for _, x := range h.Holdings {
		from, until := "not known", good.Render("now")
		if !x.From.IsZero() {
			from = x.From.UTC().Format(time.DateTime)
		}
		if !x.Until.IsZero() {
			until = x.Until.UTC().Format(time.DateTime)
		}
		holder := x.Resource
		if holder == "" {
			holder = x.Allocation
		}
		if x.Name != "" {
			holder += " (" + x.Name + ")"
		}
		t.Row(from, until, x.CIDR.String(), x.Kind, holder, x.Account, x.Region, strings.Join(x.Pools, " "))
	}
	return fmt.Sprintf("%s\n%s\n", strong.Render(h.Address.String()), t)
}
