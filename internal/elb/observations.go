package elb

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
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

// hostView is what one host last said of all that it has.
type hostView struct {
	revision int64 // of the assignment that it is about
	nodes    map[string]snapshot.NodeStatus
	targets  map[snapshot.TargetKey]snapshot.TargetStatus
}

// reportNews is what a report says otherwise than the host said before.
type reportNews struct {
	first   bool // the host hadn't reported before
	nodes   []said[snapshot.NodeStatus]
	gone    []string // IDs of nodes
	targets []said[snapshot.TargetStatus]
}

// said is what was said of one thing, now and before.
type said[T any] struct {
	now, before T
	known       bool // it was spoken of before
}

// errUnheard is returned for a partial report of a host of which there is no
// former one, as after a restart: the host then sends a whole one.
var errUnheard = errors.New("a whole report is needed first")

func newObservations() *Observations { return &Observations{hosts: map[string]*hostView{}} }

// record takes a report and returns what is new in it.
func (o *Observations) record(r *snapshot.Report) (reportNews, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	old := o.hosts[r.Host]
	if r.Partial && old == nil {
		return reportNews{}, fmt.Errorf("report of host %s: %w", r.Host, errUnheard)
	}
	v := old
	if !r.Partial {
		v = &hostView{
			nodes:   make(map[string]snapshot.NodeStatus, len(r.Nodes)),
			targets: make(map[snapshot.TargetKey]snapshot.TargetStatus, len(r.Targets)),
		}
		o.hosts[r.Host] = v
	}
	v.revision = r.Revision
	news := reportNews{first: old == nil}
	for _, n := range r.Nodes {
		was, known := snapshot.NodeStatus{}, false
		if old != nil {
			was, known = old.nodes[n.NodeID]
		}
		v.nodes[n.NodeID] = n
		news.nodes = append(news.nodes, said[snapshot.NodeStatus]{n, was, known})
	}
	for _, t := range r.Targets {
		was, known := snapshot.TargetStatus{}, false
		if old != nil {
			was, known = old.targets[t.Key()]
		}
		v.targets[t.Key()] = t
		news.targets = append(news.targets, said[snapshot.TargetStatus]{t, was, known})
	}
	for _, id := range r.GoneNodes {
		delete(v.nodes, id)
	}
	for _, k := range r.GoneTargets {
		delete(v.targets, k)
	}
	news.gone = r.GoneNodes
	if old != nil && !r.Partial {
		for id := range old.nodes {
			if _, still := v.nodes[id]; !still {
				news.gone = append(news.gone, id)
			}
		}
	}
	return news, nil
}

// decisive returns the IDs of the nodes about which the controller may decide
// differently now.
func (n reportNews) decisive() []string {
	ids := slices.Clone(n.gone)
	for _, o := range n.nodes {
		if !o.known || matters(o.before, o.now) {
			ids = append(ids, o.now.NodeID)
		}
	}
	return ids
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
	key := snapshot.TargetKey{TargetGroupARN: group, Addr: at}
	o.mu.RLock()
	defer o.mu.RUnlock()
	for _, host := range slices.Sorted(maps.Keys(o.hosts)) {
		if st, ok := o.hosts[host].targets[key]; ok {
			return st, true
		}
	}
	return snapshot.TargetStatus{}, false
}

// NodeStatus returns what the node's host last said of it, its IPv6 address
// included.
func (s *Service) NodeStatus(n Node) (snapshot.NodeStatus, bool) {
	st, ok := s.health.node(n.Host, n.ID)
	if second, too := s.health.node(n.Host, n.onHost()); ok && too {
		st.OpenConnections += second.OpenConnections
		st.Error = strings.TrimSpace(st.Error + " " + second.Error)
		st.Listeners = slices.Concat(st.Listeners, second.Listeners)
	}
	return st, ok
}
