package status_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/status"
)

func TestAMapShowsEachKindOfCell(t *testing.T) {
	cell := func(n byte, c status.Cell) status.Cell {
		c.CIDR = netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, 144 + n}), 32)
		return c
	}
	m := status.Map{Pool: "ipam-pool-1", Description: "edge", Account: "111122223333", Parts: []status.Part{{
		Within: netip.MustParsePrefix("192.0.2.144/29"),
		Cells: []status.Cell{
			cell(0, status.Cell{Taken: 1, Type: "eip", Blocks: 1}),
			cell(1, status.Cell{Taken: 1, Type: "vpc", Blocks: 1}),
			cell(2, status.Cell{Taken: 1, Blocks: 2}),
			cell(3, status.Cell{Taken: 0.001, Type: "eip", Blocks: 1}),
			cell(4, status.Cell{Taken: 0.999, Type: "eip", Blocks: 9}),
			cell(5, status.Cell{Taken: 1, Cooling: 1, Type: "eip", Blocks: 1}),
			cell(6, status.Cell{}),
			cell(7, status.Cell{Outside: true}),
		},
		Blocks: []status.Block{
			{CIDR: netip.MustParsePrefix("192.0.2.144/32"), Type: "eip", Resource: "eipalloc-1", Account: "111122223333", Since: time.Unix(0, 0)},
			{CIDR: netip.MustParsePrefix("192.0.2.149/32"), Type: "custom", Account: "111122223333", Description: "was ours", Since: time.Unix(0, 0), FreeAt: time.Unix(60, 0)},
		},
		More: 3,
	}}}
	want := `ipam-pool-1 (edge) of account 111122223333

192.0.2.144/29  a cell is a /32
192.0.2.144  ev█▁▇~·
CIDR             TYPE     HOLDER       ACCOUNT        SINCE
192.0.2.144/32   eip      eipalloc-1   111122223333   1970-01-01 00:00:00
192.0.2.149/32   custom   -            111122223333   1970-01-01 00:00:00   released, free at 1970-01-01T00:01:00Z was ours
and 3 more; name a smaller prefix to see them

· free   e eip   v vpc   █ several types   ▁▂▃▄▅▆▇ taken in part   ~ released, not free yet
`
	if diff := cmp.Diff(want, plainText(t, m.Render())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
