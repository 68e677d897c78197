package status_test

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/status"
)

// A node that serves and isn't in DNS says why.
func TestAWithdrawnNodeForPeople(t *testing.T) {
	const why = "out of DNS: too few of its zone's targets are healthy"
	for _, withdrawn := range []bool{false, true} {
		lb := status.LoadBalancer{Name: "shop", State: "active", Nodes: []status.Node{{Zone: "local-1a", Phase: "in-service", Withdrawn: withdrawn}}}
		if text := lb.Render(); !strings.Contains(text, "in-service") || strings.Contains(text, why) != withdrawn {
			t.Errorf("withdrawn %t:\n%s", withdrawn, text)
		}
	}
}
