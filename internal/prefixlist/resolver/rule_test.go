package resolver_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/fairlead/fairlead/internal/prefixlist/resolver"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// A CIDR is selected if any rule selects it, and a rule selects what all of its
// conditions hold for.
func TestWhatRulesSelect(t *testing.T) {
	cidr := netip.MustParsePrefix
	prod := &tags.Tag{Key: "env", Value: "prod"}
	for name, c := range map[string]struct {
		rules []resolver.Rule
		want  []string
	}{
		"no rules":                     {nil, nil},
		"a static CIDR, masked":        {[]resolver.Rule{static("198.51.100.7/24")}, []string{"198.51.100.0/24"}},
		"all pool CIDRs of the family": {[]resolver.Rule{ofPools()}, []string{"10.0.0.0/16", "10.1.0.0/16", "192.0.2.0/24"}},
		"those of a pool":              {[]resolver.Rule{ofPools(resolver.Condition{Operation: resolver.Equals, PoolID: pool})}, []string{"10.0.0.0/16", "10.1.0.0/16"}},
		"those of the other pools":     {[]resolver.Rule{ofPools(resolver.Condition{Operation: resolver.NotEquals, PoolID: pool})}, []string{"192.0.2.0/24"}},
		"those in a CIDR, which is one": {
			[]resolver.Rule{ofPools(resolver.Condition{Operation: resolver.SubnetOf, CIDR: cidr("10.0.0.0/16")})}, []string{"10.0.0.0/16"},
		},
		"those but one": {
			[]resolver.Rule{ofPools(resolver.Condition{Operation: resolver.NotEquals, CIDR: cidr("10.0.0.0/16")})}, []string{"10.1.0.0/16", "192.0.2.0/24"},
		},
		"none in another scope": {[]resolver.Rule{{Kind: resolver.PoolCIDRs, ScopeID: "ipam-scope-2"}}, nil},
		"resources of a type":   {[]resolver.Rule{ofResources("vpc")}, []string{"10.0.0.0/20", "10.0.16.0/20", "172.16.0.0/16"}},
		"those with a tag":      {[]resolver.Rule{ofResources("vpc", resolver.Condition{Operation: resolver.Equals, Tag: prod})}, []string{"10.0.0.0/20"}},
		"those without it":      {[]resolver.Rule{ofResources("vpc", resolver.Condition{Operation: resolver.NotEquals, Tag: prod})}, []string{"10.0.16.0/20", "172.16.0.0/16"}},
		"those of a region":     {[]resolver.Rule{ofResources("vpc", resolver.Condition{Operation: resolver.Equals, Region: abroad})}, []string{"172.16.0.0/16"}},
		"those of an account":   {[]resolver.Rule{ofResources("vpc", resolver.Condition{Operation: resolver.Equals, Owner: stranger})}, []string{"172.16.0.0/16"}},
		"a certain one":         {[]resolver.Rule{ofResources("vpc", resolver.Condition{Operation: resolver.Equals, ResourceID: "vpc-2"})}, []string{"10.0.16.0/20"}},
		"both of two conditions": {
			[]resolver.Rule{ofResources("vpc", resolver.Condition{Operation: resolver.Equals, Region: home}, resolver.Condition{Operation: resolver.NotEquals, Tag: prod})},
			[]string{"10.0.16.0/20"},
		},
		"either of two rules, what both select once": {
			[]resolver.Rule{static("10.0.0.0/20"), ofResources("vpc", resolver.Condition{Operation: resolver.SubnetOf, CIDR: cidr("10.0.0.0/8")})},
			[]string{"10.0.0.0/20", "10.0.16.0/20"},
		},
		"a type of which there are none": {[]resolver.Rule{ofResources("anycast-ip-list")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.provision(pool, "10.0.0.0/16", "10.1.0.0/16", "2001:db8::/32")
				w.provision("ipam-pool-2", "192.0.2.0/24")
				w.update(func(tx *store.Tx) {
					for _, r := range []resource{
						{resolver.Resource{ID: "vpc-1", Account: account, Region: home, CIDR: cidr("10.0.0.0/20"), Tags: []tags.Tag{*prod}}, scope, "vpc"},
						{resolver.Resource{ID: "vpc-2", Account: account, Region: home, CIDR: cidr("10.0.16.0/20"), Tags: []tags.Tag{{Key: "env", Value: "test"}}}, scope, "vpc"},
						{resolver.Resource{ID: "vpc-3", Account: stranger, Region: abroad, CIDR: cidr("172.16.0.0/16")}, scope, "vpc"},
						{resolver.Resource{ID: "subnet-1", Account: account, Region: home, CIDR: cidr("10.0.0.0/24")}, scope, "subnet"},
					} {
						w.resources.Put(tx, r.ID, r)
					}
				})
				w.selects(w.resolver(c.rules...), 1, c.want...)
			})
		})
	}
}

// I10
func TestWhatRulesCantBe(t *testing.T) {
	equals := func(c resolver.Condition) resolver.Condition { c.Operation = resolver.Equals; return c }
	many := make([]resolver.Rule, 101)
	for n := range many {
		many[n] = static(fmt.Sprintf("10.%d.0.0/16", n))
	}
	six := netip.MustParsePrefix("2001:db8::/32")
	for name, c := range map[string]struct {
		rules []resolver.Rule
		want  string
	}{
		"more than a hundred":               {many, "ResourceLimitExceeded"},
		"static without a CIDR":             {[]resolver.Rule{{Kind: resolver.StaticCIDR}}, "MissingParameter"},
		"static of another family":          {[]resolver.Rule{{Kind: resolver.StaticCIDR, CIDR: six}}, "InvalidParameterValue"},
		"static in a scope":                 {[]resolver.Rule{{Kind: resolver.StaticCIDR, CIDR: six, ScopeID: scope}}, "InvalidParameterCombination"},
		"pools without a scope":             {[]resolver.Rule{{Kind: resolver.PoolCIDRs}}, "MissingParameter"},
		"pools in an unknown scope":         {[]resolver.Rule{{Kind: resolver.PoolCIDRs, ScopeID: "ipam-scope-9"}}, "ipam-scope"},
		"pools of a resource type":          {[]resolver.Rule{{Kind: resolver.PoolCIDRs, ScopeID: scope, Type: "vpc"}}, "InvalidParameterCombination"},
		"pools with a static CIDR":          {[]resolver.Rule{{Kind: resolver.PoolCIDRs, ScopeID: scope, CIDR: six}}, "InvalidParameterCombination"},
		"resources without a type":          {[]resolver.Rule{{Kind: resolver.ResourceCIDR, ScopeID: scope}}, "MissingParameter"},
		"a condition about nothing":         {[]resolver.Rule{ofPools(equals(resolver.Condition{}))}, "InvalidParameterCombination"},
		"a condition about two things":      {[]resolver.Rule{ofResources("vpc", equals(resolver.Condition{Region: home, Owner: account}))}, "InvalidParameterCombination"},
		"a subnet of no CIDR":               {[]resolver.Rule{ofPools(resolver.Condition{Operation: resolver.SubnetOf, PoolID: pool})}, "InvalidParameterCombination"},
		"pools with a resource's condition": {[]resolver.Rule{ofPools(equals(resolver.Condition{Region: home}))}, "InvalidParameterCombination"},
		"resources with a pool's condition": {[]resolver.Rule{ofResources("vpc", equals(resolver.Condition{PoolID: pool}))}, "InvalidParameterCombination"},
		"an unknown pool":                   {[]resolver.Rule{ofPools(equals(resolver.Condition{PoolID: "ipam-pool-9"}))}, "ipam-pool"},
		"a condition of another family":     {[]resolver.Rule{ofPools(equals(resolver.Condition{CIDR: six}))}, "InvalidParameterValue"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				res := w.resolver(static("10.0.0.0/8"))
				w.settle()
				before := w.store.Snapshot().Revision()
				if _, err := w.Create(t.Context(), w.request(c.rules...), nil); reasonOf(err) != c.want {
					t.Errorf("create: got %v, want %s", err, c.want)
				}
				if _, err := w.Modify(t.Context(), resolver.Modify{ID: res.ID, Account: account, Region: home, Rules: c.rules}, nil); reasonOf(err) != c.want {
					t.Errorf("modify: got %v, want %s", err, c.want)
				}
				if w.settle(); w.store.Snapshot().Revision() != before {
					t.Error("something was written")
				}
			})
		})
	}
}
