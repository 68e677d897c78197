package status_test

import (
	"testing"

	"charm.land/lipgloss/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/status"
)

func TestAReportOfFsckSaysWhatWhereAndWhatNext(t *testing.T) {
	for _, c := range []struct {
		name string
		in   status.Fsck
		want string
	}{
		{"nothing found", status.Fsck{Pools: 2, CIDRs: 3, Held: 4, Cooling: 1, Addresses: 5, Interfaces: 6, Nodes: 7, Counters: 8, Revision: 9, Took: "1ms"},
			"2 pools with 3 CIDRs and 5 allocations (1 cooling, 0 staged), 5 addresses, 6 interfaces, 7 nodes, 8 counters; revision 9, 1ms\neverything fits\n"},
		{"before a repair", status.Fsck{
			NotChecked: map[string]int{"anycast-ip-list": 2}, More: 1, Left: 3,
			Findings: []status.Finding{
				{Kind: "orphan", Invariant: "I2", Where: "pool p, 192.0.2.1/32", What: "nobody has it", Repair: "release the allocation"},
				{Kind: "overlap", Invariant: "I1", Where: "pool p, 192.0.2.2/32", What: "two have it"},
			},
		}, `0 pools with 0 CIDRs and 0 allocations (0 cooling, 0 staged), 0 addresses, 0 interfaces, 0 nodes, 0 counters; revision 0, 
not checked: 2 allocations for holders of the kind "anycast-ip-list"

orphan pool p, 192.0.2.1/32
  nobody has it (I2)
  --repair would release the allocation

overlap pool p, 192.0.2.2/32
  two have it (I1)
  to be decided by people

and 1 more

3 left
`},
		{"after a repair", status.Fsck{Repaired: 1, Findings: []status.Finding{{Kind: "ledger", Invariant: "I1", Where: "pool p", What: "it lags", Outcome: "repaired"}}},
			`0 pools with 0 CIDRs and 0 allocations (0 cooling, 0 staged), 0 addresses, 0 interfaces, 0 nodes, 0 counters; revision 0, 

ledger pool p
  it lags (I1)
  repaired

everything fits again
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, lipgloss.Sprint(c.in.Render())); diff != "" {
				t.Error(diff)
			}
		})
	}
}
