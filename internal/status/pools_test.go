package status_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/status"
)

func TestPoolsAreATreeByScope(t *testing.T) {
	soon := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	cidr := func(p, state string) []status.CIDR {
		return []status.CIDR{{CIDR: netip.MustParsePrefix(p), State: state}}
	}
	pools := status.Pools{Pools: []status.Pool{
		{ID: "leaf", Source: "middle", Scope: "s1", ScopeType: "private", Account: "1", Family: "ipv4", Locale: "local-1", Total: "0", Taken: "0",
			CIDRs: []status.CIDR{{CIDR: netip.MustParsePrefix("10.0.0.0/24"), State: "provisioned", UsableFrom: soon}}},
		{ID: "middle", Description: "region", Source: "top", Scope: "s1", ScopeType: "private", Account: "1", Family: "ipv4", Locale: "local-1",
			Total: "65536", Taken: "16896", Share: 0.258, Pooled: 0.004, Cooling: 2, CIDRs: cidr("10.0.0.0/16", "failed-deprovision")},
		{ID: "other", Scope: "s2", ScopeType: "public", Account: "2", Family: "ipv6", Locale: "None", Total: "0", Taken: "0"},
		{ID: "provider", ScopeType: "public", Account: "amazon", Provider: true, Family: "ipv4", Locale: "local-1", Total: "8", Taken: "8", Share: 1, CIDRs: cidr("127.64.0.0/29", "provisioned")},
		{ID: "public", ScopeType: "public", Account: "1", Family: "ipv4", Locale: "local-1", Total: "4", Taken: "1", Share: 0.25, CIDRs: cidr("198.18.0.0/30", "provisioned")},
		{ID: "top", Scope: "s1", ScopeType: "private", Account: "1", Family: "ipv4", Locale: "None", Total: "131072", Taken: "65536", Share: 0.5, Pooled: 0.5, CIDRs: cidr("10.0.0.0/15", "provisioned")},
	}}
	want := `account 2, public scope s2
└── other  ipv6, None
    ░░░░░░░░░░░░░░░░░░░░  0 of 0  no CIDR

provider
└── provider  ipv4, local-1
    ████████████████████  8 of 8  127.64.0.0/29

account 1, public IPv4 pools
└── public  ipv4, local-1
    █████░░░░░░░░░░░░░░░  1 of 4  198.18.0.0/30

account 1, private scope s1
└── top  ipv4, None
    ▓▓▓▓▓▓▓▓▓▓░░░░░░░░░░  65536 of 131072  10.0.0.0/15
    └── middle (region)  ipv4, local-1
        █████▓░░░░░░░░░░░░░░  16896 of 65536, 2 cooling  10.0.0.0/16 failed-deprovision
        └── leaf  ipv4, local-1
            ░░░░░░░░░░░░░░░░░░░░  0 of 0  10.0.0.0/24 usable from ` + soon.Format(time.DateTime) + `

█ held by resources   ▓ given to child pools   ░ free
`
	if diff := cmp.Diff(want, plainText(t, pools.Render())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// plainText is what a file gets of a text for a terminal.
func plainText(t *testing.T, s string) string {
	t.Helper()
	var text strings.Builder
	if _, err := lipgloss.Fprint(&text, s); err != nil { // without colours, as this is no terminal
		t.Fatal(err)
	}
	lines := strings.Split(text.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}
