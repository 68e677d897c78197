package elb

import (
	"cmp"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// observed is all that a plan for one load balancer depends on.
type observed struct {
	balancer LoadBalancer
	nodes    []observedNode
	now      time.Time
}

// observedNode is a node, its interface, and what its host says of it.
type observedNode struct {
	Node
	iface      Interface // zero: none yet
	status     snapshot.NodeStatus
	heard      bool // the host has reported since the start; its silence before says nothing
	reported   bool // status is known: the host's last report has the node
	hostClosed bool // the host has acknowledged an assignment without the node, and reports it no more
}

// serving says whether the host says that the node serves.
func (n observedNode) serving() bool { return n.reported && n.status.Ready }

// action is what a step does.
type action string

// The steps, each one durable transaction, each harmless when repeated.
const (
	createNodes     action = "create-nodes"     // records for zones that have none
	createInterface action = "create-interface" // with a private address
	assignAddress   action = "assign-address"   // a public address
	place           action = "place"            // give the nodes to their host
	serve           action = "serve"            // in service: into DNS
	suspend         action = "suspend"          // its host says that it doesn't serve: out of DNS
	rebind          action = "rebind"           // its host listens on another address than recorded
	activate        action = "activate"         // the load balancer
	drain           action = "drain"            // out of DNS, still serving
	closeNode       action = "close"            // its host is to stop it
	release         action = "release"          // interface and addresses, then the record
	remove          action = "remove"           // the load balancer's last records
)

// step is one step; which of the members it needs depends on the action.
type step struct {
	action action
	nodes  []string // IDs
	zones  []ZoneSubnet
}

// dnsDelay is how long a change may take to reach the DNS server: until then
// resolvers may still be told the address, and keep it for a TTL.
const dnsDelay = time.Second

// drainLimit bounds how long a deleted load balancer's node waits for its
// connections to end once no resolver knows its address any more.
const drainLimit = 5 * time.Minute

// plan returns the steps that lead from what is observed to what is desired, to
// be taken in order, and how soon to look again though nothing changes (0: not
// needed). It plans only what can be decided now; the next plan goes on.
func plan(o observed, ttl time.Duration) (steps []step, again time.Duration) {
	order := map[string]int{}
	for i, z := range o.balancer.Zones {
		order[z.Zone] = i
	}
	slices.SortFunc(o.nodes, func(a, b observedNode) int {
		return cmp.Or(cmp.Compare(order[a.Zone], order[b.Zone]), cmp.Compare(a.ID, b.ID))
	})
	if o.balancer.Deleted {
		return planRemoval(o, ttl)
	}
	return planPresence(o), 0
}

// planPresence leads to one node in service per zone. Addresses are drawn in the
// order of the zones: the lowest free address of a pool goes to the first.
func planPresence(o observed) (steps []step) {
	var missing []ZoneSubnet
	for _, z := range o.balancer.Zones {
		if !slices.ContainsFunc(o.nodes, func(n observedNode) bool { return n.Zone == z.Zone }) {
			missing = append(missing, z)
		}
	}
	if missing != nil {
		return []step{{action: createNodes, zones: missing}}
	}

	var placeable []string
	inService := 0
	for _, n := range o.nodes {
		switch n.Phase {
		case NodeProvisioning:
			if n.iface.ID == "" {
				steps = append(steps, step{action: createInterface, nodes: []string{n.ID}})
			}
			if o.balancer.Scheme == InternetFacing && !n.iface.Public.IsValid() {
				steps = append(steps, step{action: assignAddress, nodes: []string{n.ID}})
			}
			placeable = append(placeable, n.ID)
		case NodeStarting:
			if n.serving() {
				steps = append(steps, step{action: serve, nodes: []string{n.ID}})
				inService++
			}
		case NodeInService:
			switch {
			case n.heard && !n.serving():
				steps = append(steps, step{action: suspend, nodes: []string{n.ID}})
			case n.reported && n.status.Bound != n.Bound:
				steps = append(steps, step{action: rebind, nodes: []string{n.ID}})
				inService++
			default:
				inService++
			}
		}
	}
	if placeable != nil {
		steps = append(steps, step{action: place, nodes: placeable})
	}
	if o.balancer.State == Provisioning && inService == len(o.balancer.Zones) {
		steps = append(steps, step{action: activate})
	}
	return steps
}

// planRemoval leads to nothing: nodes leave DNS, serve on for a TTL and until
// their connections end (I4), are closed, and only then are their addresses
// given back (I3).
func planRemoval(o observed, ttl time.Duration) (steps []step, again time.Duration) {
	if len(o.nodes) == 0 {
		return []step{{action: remove}}, 0
	}
	look := func(d time.Duration) {
		if again == 0 || d < again {
			again = d
		}
	}
	for _, n := range o.nodes {
		is := func(a action) { steps = append(steps, step{action: a, nodes: []string{n.ID}}) }
		switch n.Phase {
		case NodeProvisioning, NodeStarting:
			is(closeNode) // it was never in DNS, or isn't any more
		case NodeInService:
			is(drain)
		case NodeDraining:
			age, gone := o.now.Sub(n.Since), ttl+dnsDelay
			idle := n.heard && (!n.reported || n.status.OpenConnections == 0)
			switch {
			case age < gone:
				look(gone - age)
			case idle || age >= gone+drainLimit:
				is(closeNode)
			default:
				look(gone + drainLimit - age)
			}
		case NodeClosed:
			if n.hostClosed {
				is(release)
			}
		}
	}
	return steps, again
}
