package elb

import (
	"maps"
	"net/netip"
	"slices"
	"sync"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// Observations is what hosts last reported. It is not durable: after a restart
// of the control plane hosts report anew, and until then nothing is concluded
// from their silence.
type Observations struct {
	mu    sync.RWMutex // guards the following
	hosts map[string]*hostView
}

// hostView is one host's last report, for lookups.
type hostView struct {
	revision int64 // of the assignment that it is about
	nodes    map[string]snapshot.NodeStatus
	targets  map[targetKey]snapshot.TargetStatus
}

type targetKey struct {
	group string // ARN
	at    netip.AddrPort
}

func newObservations() *Observations { return &Observations{hosts: map[string]*hostView{}} }

// record takes a report and returns the IDs of the nodes of which it tells
// something new, the view that it makes, and the one before, nil if there was none.
func (o *Observations) record(r *snapshot.Report) (news []string, before, v *hostView) {
	v = &hostView{
		revision: r.Revision,
		nodes:    make(map[string]snapshot.NodeStatus, len(r.Nodes)),
		targets:  make(map[targetKey]snapshot.TargetStatus, len(r.Targets)),
	}
	for _, n := range r.Nodes {
		v.nodes[n.NodeID] = n
	}
	for _, t := range r.Targets {
		v.targets[targetKey{t.TargetGroupARN, netip.AddrPortFrom(t.Addr, t.Port)}] = t
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	old := o.hosts[r.Host]
	o.hosts[r.Host] = v
	for id, n := range v.nodes {
		if old == nil || matters(old.nodes[id], n) {
			news = append(news, id)
		}
	}
	if old != nil {
		for id := range old.nodes {
			if _, still := v.nodes[id]; !still {
				news = append(news, id)
			}
		}
	}
	return news, old, v
}

// matters says whether the controller may decide differently after the change.
func matters(a, b snapshot.NodeStatus) bool {
	return a.Ready != b.Ready || a.Phase != b.Phase || a.Bound != b.Bound || (a.OpenConnections == 0) != (b.OpenConnections == 0)
}

// node returns what the host last said of the node.
func (o *Observations) node(host, id string) (snapshot.NodeStatus, bool) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	v := o.hosts[host]
	if v == nil {
		return snapshot.NodeStatus{}, false
	}
	n, ok := v.nodes[id]
	return n, ok
}

// heard says whether the host has reported since the start.
func (o *Observations) heard(host string) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.hosts[host] != nil
}

// acknowledged returns the revision of the assignment that the host last
// reported about; 0 if it has not reported.
func (o *Observations) acknowledged(host string) int64 {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if v := o.hosts[host]; v != nil {
		return v.revision
	}
	return 0
}

// target returns what hosts know of the target; where they differ, the first
// host by name is believed.
func (o *Observations) target(group string, at netip.AddrPort) (snapshot.TargetStatus, bool) {
	key := targetKey{group, at}
	o.mu.RLock()
	defer o.mu.RUnlock()
	for _, host := range slices.Sorted(maps.Keys(o.hosts)) {
		if st, ok := o.hosts[host].targets[key]; ok {
			return st, true
		}
	}
	return snapshot.TargetStatus{}, false
}

// NodeStatus returns what the node's host last said of it.
func (s *Service) NodeStatus(n Node) (snapshot.NodeStatus, bool) { return s.health.node(n.Host, n.ID) }
