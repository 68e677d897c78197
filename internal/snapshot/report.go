package snapshot

import (
	"cmp"
	"net/netip"
	"slices"
)

// Report is what a host observes: all of it, or what differs from what it
// reported before.
type Report struct {
	Version  int `json:"version"`
	Host     string
	Revision int64 // of the assignment that the report is about; 0 before the first

	// Partial: what isn't named is as the host's last report had it.
	Partial bool `json:",omitempty"`

	Nodes   []NodeStatus   // by ID
	Targets []TargetStatus // by target group, address, port

	// Of a partial report: what the host has no more.
	GoneNodes   []string    `json:",omitempty"` // IDs
	GoneTargets []TargetKey `json:",omitempty"`
}

// TargetKey names a target of a target group.
type TargetKey struct {
	TargetGroupARN string
	Addr           netip.AddrPort
}

// Compare orders keys as reports list targets.
func (k TargetKey) Compare(o TargetKey) int {
	return cmp.Or(cmp.Compare(k.TargetGroupARN, o.TargetGroupARN), k.Addr.Compare(o.Addr))
}

// NodeStatus is one node as its host sees it.
type NodeStatus struct {
	NodeID string
	Phase  NodePhase // what it does now

	// Ready: the address is attached and every listener that could be opened is
	// open, in the present process. Only a ready node's address goes into DNS (I4).
	Ready bool

	// Bound is the address that the host really listens on: the node's own, or
	// the shadow address that the loopback driver serves it on.
	Bound netip.Addr

	OpenConnections int              // from clients, idle ones included
	Listeners       []ListenerStatus // by port
	Error           string           // why it isn't ready, with the remedy; "" when it is
}

// ListenerStatus is one port of a node.
type ListenerStatus struct {
	ARN   string
	Port  uint16
	Error string // why the port isn't open, with the remedy; "" when it is
}

// TargetState is ELBv2's TargetHealth.State, as far as a node can know it.
type TargetState string

// The states of DescribeTargetHealth that come from probing.
const (
	TargetInitial     TargetState = "initial"
	TargetHealthy     TargetState = "healthy"
	TargetUnhealthy   TargetState = "unhealthy"
	TargetDraining    TargetState = "draining"
	TargetUnavailable TargetState = "unavailable" // health checks are off
)

// TargetStatus is one target's health as a host sees it.
type TargetStatus struct {
	TargetGroupARN string
	Addr           netip.Addr
	Port           uint16
	State          TargetState
	Reason         string // ELBv2 TargetHealth.Reason, "" when healthy
	Description    string // ELBv2 TargetHealth.Description
	InFlight       int    // requests under way to it

	Anomalous bool `json:",omitempty"` // requests fail at it markedly more often than at its peers
	Mitigated bool `json:",omitempty"` // it gets fewer for it
}

// Key names the target.
func (t TargetStatus) Key() TargetKey {
	return TargetKey{t.TargetGroupARN, netip.AddrPortFrom(t.Addr, t.Port)}
}

// Equal says whether two observations of a node are the same.
func (n NodeStatus) Equal(o NodeStatus) bool {
	return n.NodeID == o.NodeID && n.Phase == o.Phase && n.Ready == o.Ready && n.Bound == o.Bound &&
		n.OpenConnections == o.OpenConnections && n.Error == o.Error && slices.Equal(n.Listeners, o.Listeners)
}
