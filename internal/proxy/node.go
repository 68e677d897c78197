package proxy

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fairlead/fairlead/internal/proxy/meter"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// node is one node of a load balancer on its bound address. Its fields are
// guarded by Proxy.mu unless said otherwise.
type node struct {
	id       string
	bound    netip.Addr
	zone     string
	balancer string // ARN
	phase    snapshot.NodePhase

	ports   map[uint16]*port // of the assignment; nil where it couldn't be opened
	states  []snapshot.ListenerStatus
	former  []*port                   // removed, perhaps with connections left
	cursors map[string]*atomic.Uint64 // places of round robin, by ARN of target group or rule; guarded by Proxy.applying

	meter  *meter.Meter
	logs   *logs                                   // nil: nothing is logged
	groups atomic.Pointer[map[string]*meter.Meter] // of target groups, by ARN; never changes

	draining atomic.Bool    // phase, for readers without the lock
	open     atomic.Int64   // client connections
	conns    sync.WaitGroup // their goroutines
}

// openPorts returns the ports that listen. Proxy.mu is held.
func (n *node) openPorts() []*port {
	var out []*port
	for _, p := range n.ports {
		if p != nil {
			out = append(out, p)
		}
	}
	return out
}

// status says how the node fares. Proxy.mu is held.
func (n *node) status() snapshot.NodeStatus {
	s := snapshot.NodeStatus{
		NodeID:          n.id,
		Phase:           n.phase,
		Ready:           len(n.states) == 0 || len(n.openPorts()) > 0,
		Bound:           n.bound,
		OpenConnections: int(n.open.Load()),
		Listeners:       slices.Clone(n.states),
	}
	if !s.Ready {
		s.Error = "no listener could be opened: " + n.states[0].Error
	}
	return s
}

// closingStatus is status for a node that was removed: it is reported until its
// last socket is closed, so that nobody gets its address before (I3).
func (n *node) closingStatus() snapshot.NodeStatus {
	return snapshot.NodeStatus{
		NodeID:          n.id,
		Phase:           snapshot.NodeDraining,
		Bound:           n.bound,
		OpenConnections: int(n.open.Load()),
		Error:           "removed; requests under way are being finished",
	}
}

// retire moves the ports of the assignment to the former ones, and returns them
// to be closed. Proxy.mu is held.
func (n *node) retire() []*port {
	ports := n.openPorts()
	n.ports, n.states = map[uint16]*port{}, nil
	n.former = append(n.former, ports...)
	return ports
}
