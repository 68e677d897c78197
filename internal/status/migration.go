package status

import (
	"fmt"
	"strings"
	"time"
)

// Migration is a load balancer's move to another set of addresses, as people see it.
type Migration struct {
	LoadBalancer string          `json:"load_balancer"`
	ARN          string          `json:"arn"`
	DNSName      string          `json:"dns_name"`
	State        string          `json:"state"` // preparing, draining, returning, completed, cancelled
	FromPool     string          `json:"from_pool,omitempty"`
	ToPool       string          `json:"to_pool,omitempty"`              // "": the provider's
	FromType     string          `json:"from_ip_address_type,omitempty"` // "", as the next: it stays
	ToType       string          `json:"to_ip_address_type,omitempty"`
	Began        time.Time       `json:"began"`
	Moved        time.Time       `json:"moved,omitzero"` // DNS named the new addresses
	Cancelled    time.Time       `json:"cancelled,omitzero"`
	Ended        time.Time       `json:"ended,omitzero"`
	EndsBy       time.Time       `json:"ends_by,omitzero"` // at the latest
	Cancellable  bool            `json:"cancellable"`
	Obstacle     string          `json:"obstacle,omitempty"` // to that
	Old          []MigratingNode `json:"old"`
	New          []MigratingNode `json:"new"`
	At           time.Time       `json:"at"` // of this report
}

// MigratingNode is a node of one of the two sets.
type MigratingNode struct {
	ID          string    `json:"id"`
	Zone        string    `json:"zone"`
	Public      string    `json:"public"`
	IPv6        string    `json:"ipv6,omitempty"`
	Private     string    `json:"private"`
	Pool        string    `json:"pool,omitempty"` // "": the provider's
	OffPool     bool      `json:"off_pool"`
	InDNS       bool      `json:"in_dns"`
	Phase       string    `json:"phase"`
	Connections *int      `json:"open_connections"` // null: the host hasn't said
	EndsBy      time.Time `json:"ends_by,omitzero"`
}

// Over says whether the migration has ended.
func (m Migration) Over() bool { return !m.Ended.IsZero() }

// stories are what a state means.
var stories = map[string]string{
	"preparing": "the new addresses come up, DNS names the old ones",
	"draining":  "DNS names the new addresses alone, connections on the old ones end",
	"returning": "cancelled, DNS names the old addresses as soon as they serve, the new ones go",
	"completed": "the old addresses were given back",
	"cancelled": "the new addresses were given back",
}

// Line returns the migration in a line, without what changes with the time alone.
func (m Migration) Line() string {
	return fmt.Sprintf("%s %s; old: %s; new: %s", m.LoadBalancer, m.State, summary(m.Old), summary(m.New))
}

func summary(nodes []MigratingNode) string {
	if len(nodes) == 0 {
		return "gone"
	}
	named, open := 0, 0
	for _, n := range nodes {
		if n.InDNS {
			named++
		}
		if n.Connections != nil {
			open += *n.Connections
		}
	}
	return fmt.Sprintf("%d of %d in DNS, %d connections", named, len(nodes), open)
}

// Render returns the migration as text for a terminal.
func (m Migration) Render() string {
	var b strings.Builder
	state := good.Render(m.State)
	if !m.Over() {
		state = warn.Render(m.State)
	}
	fmt.Fprintf(&b, "%s %s: %s\n", strong.Render(m.LoadBalancer), state, stories[m.State])
	fmt.Fprintf(&b, "%s\n", faint.Render(fmt.Sprintf("%s   began %s", m.DNSName, moment(m.Began, m.At))))
	for _, x := range []struct {
		what string
		t    time.Time
	}{{"DNS moved", m.Moved}, {"cancelled", m.Cancelled}, {"ended", m.Ended}} {
		if !x.t.IsZero() {
			fmt.Fprintf(&b, "%s %s\n", x.what, moment(x.t, m.At))
		}
	}
	switch {
	case m.Over():
	case !m.EndsBy.IsZero():
		fmt.Fprintf(&b, "time left: at most %s; less when connections end by themselves\n", m.EndsBy.Sub(m.At).Round(time.Second))
	default:
		b.WriteString("time left: not known until the others serve\n")
	}
	for _, set := range []struct {
		name, pool, addressType string
		nodes                   []MigratingNode
	}{{"Old", m.FromPool, m.FromType, m.Old}, {"New", m.ToPool, m.ToType, m.New}} {
		of := poolName(set.pool)
		if set.addressType != "" {
			of += ", " + set.addressType
		}
		fmt.Fprintf(&b, "\n%s addresses, of %s\n", strong.Render(set.name), of)
		if len(set.nodes) == 0 {
			b.WriteString(faint.Render("none") + "\n")
			continue
		}
		t := plain().Headers("ZONE", "PUBLIC ADDRESS", "SOURCE POOL", "DNS", "STATE", "CONNECTIONS")
		for _, n := range set.nodes {
			dns, open, from := "-", "-", poolName(n.Pool)
			if n.InDNS {
				dns = good.Render("yes")
			}
			if n.Connections != nil {
				open = fmt.Sprint(*n.Connections)
			}
			public := n.Public
			if public == "" {
				public, from = "-", "-"
			}
			if n.OffPool {
				from = warn.Render(from + " (fallback)")
			}
			t.Row(n.Zone, public, from, dns, n.Phase, open)
			if n.IPv6 != "" {
				t.Row("", n.IPv6, "its subnet", "", "", "")
			}
		}
		b.WriteString(t.String() + "\n")
	}
	switch {
	case m.Over() || m.State == "returning":
	case m.Cancellable:
		fmt.Fprintf(&b, "\n%s\n", faint.Render("fairlead migration "+m.LoadBalancer+" --cancel returns to the old addresses"))
	default:
		fmt.Fprintf(&b, "\n%s\n", faint.Render(m.Obstacle))
	}
	return b.String()
}

func poolName(pool string) string {
	if pool == "" {
		return "provider's"
	}
	return pool
}

func moment(t, now time.Time) string {
	return fmt.Sprintf("%s (%s ago)", t.UTC().Format(time.RFC3339), now.Sub(t).Round(time.Second))
}
