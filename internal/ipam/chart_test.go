package ipam_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/ipam"
)

// chart writes a chart as one sign a cell: outside, free, full, in part.
func chart(c ipam.Chart) string {
	signs := make([]byte, 0, len(c.Cells))
	for _, cell := range c.Cells {
		switch {
		case cell.Outside:
			signs = append(signs, ' ')
		case cell.Taken == 0:
			signs = append(signs, '.')
		case cell.Taken == 1:
			signs = append(signs, '#')
		default:
			signs = append(signs, '+')
		}
	}
	return string(signs)
}

// B5.
func TestAChartShowsWhatIsTakenWhere(t *testing.T) {
	w := single(t)
	p := w.private("10.0.0.0/28", "10.0.0.32/27")
	w.allocate(p, exactly("10.0.0.0/30"))
	w.allocate(p, exactly("10.0.0.6/32"))
	w.allocate(p, exactly("10.0.0.32/28"))
	for _, c := range []struct {
		within string
		cells  int
		want   string
		blocks int
	}{
		{"10.0.0.0/26", 16, "#+..    ####....", 3},
		{"10.0.0.0/26", 31, "#+..    ####....", 3},
		{"10.0.0.0/26", 4, "+ #.", 3},
		{"10.0.0.0/26", 1, "+", 3},
		{"10.0.0.4/30", 64, "..#.", 1},
		{"10.0.0.6/32", 64, "#", 1},
		{"10.0.0.36/30", 4, "####", 1}, // inside a block that begins before it
		{"10.0.0.48/28", 2, "..", 0},
		{"192.0.2.0/24", 2, "  ", 0},
	} {
		t.Run(fmt.Sprintf("%s in %d", c.within, c.cells), func(t *testing.T) {
			got := w.Chart(w.store.Snapshot(), p, netip.MustParsePrefix(c.within), c.cells, 10)
			if diff := cmp.Diff(c.want, chart(got)); diff != "" {
				t.Errorf("cells (-want +got):\n%s", diff)
			}
			if len(got.Blocks) != c.blocks || got.More != 0 {
				t.Errorf("got %d blocks and %d more, want %d", len(got.Blocks), got.More, c.blocks)
			}
		})
	}
	part := w.Chart(w.store.Snapshot(), p, netip.MustParsePrefix("10.0.0.0/26"), 4, 1)
	if len(part.Blocks) != 1 || part.More != 2 {
		t.Errorf("got %d blocks and %d more, want the first and 2 more", len(part.Blocks), part.More)
	}
	if cell := part.Cells[0]; cell.Taken != 5.0/16 || cell.Blocks != 2 || cell.Type != ipam.Custom {
		t.Errorf("got %+v, want 5 of 16 taken by 2 custom blocks", cell)
	}
}
