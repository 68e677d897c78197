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
	verdicts map[string]verdict // by zone; nil: all are fine
	room     bool               // away isn't empty, and the pool has room for one of them
}

// observedNode is a node, its interface, and what its host says of it.
type observedNode struct {
	Node
	iface      Interface // zero: none yet
	status     snapshot.NodeStatus
	heard      bool // the host has reported since the start; its silence before says nothing
	reported   bool // status is known: the host's last report has the node
	hostClosed bool // the host has acknowledged an assignment without the node, and reports it no more

	// The same of the IPv6 address. hostClosed is that of both.
	status6                snapshot.NodeStatus
	reported6, hostClosed6 bool
}

// serving says whether the host says that the node serves.
func (n observedNode) serving() bool { return n.reported && n.status.Ready }

// action is what a step does.
type action string

// The steps, each one durable transaction, each harmless when repeated.
const (
	createNodes     action = "create-nodes"        // records for zones that have none
	createInterface action = "create-interface"    // with a private address
	assignAddress   action = "assign-address"      // a public address
	setGroups       action = "set-security-groups" // of an interface
	place           action = "place"               // give the nodes to their host
	serve           action = "serve"               // in service: into DNS
	suspend         action = "suspend"             // its host says that it doesn't serve: out of DNS
	withdraw        action = "withdraw"            // too few of its zone's targets are healthy: out of DNS
	restore         action = "restore"             // and in again
	takeOver        action = "take-over"           // a whole generation serves: into DNS, and those before it out
	retire          action = "retire"              // out of DNS, serving as before
	rebind          action = "rebind"              // its host listens on another address than recorded
	activate        action = "activate"            // the load balancer
	drain           action = "drain"               // out of DNS, still serving
	closeNode       action = "close"               // its host is to stop it
	release         action = "release"             // interface and addresses, then the record
	remove          action = "remove"              // the load balancer's last records
	endMigration    action = "end-migration"       // one set of nodes is left, and serves
	goHome          action = "go-home"             // another node is to take the place of one off the pool
	releaseBlocks   action = "release-blocks"      // that the load balancer has left

	// Those of a node's IPv6 address; what they do is what its namesake does to a node.
	assignIPv6  action = "assign-ipv6" // to the interface
	openIPv6    action = "open-ipv6"   // give it to the host
	serveIPv6   action = "serve-ipv6"
	suspendIPv6 action = "suspend-ipv6"
	retireIPv6  action = "retire-ipv6"
	drainIPv6   action = "drain-ipv6"
	closeIPv6   action = "close-ipv6"
	releaseIPv6 action = "release-ipv6"
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

// drainLimit bounds how long a node that drains waits for its connections to end
// once no resolver knows its address any more.
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
	var current, outdated []observedNode
	for _, n := range o.nodes {
		if o.balancer.wants(n.Node) {
			current = append(current, n)
		} else {
			outdated = append(outdated, n)
		}
	}
	steps, again = planPresence(o.balancer, current, outdated)
	steps = append(planGroups(o), steps...)
	six, later := planIPv6(o, ttl)
	steps, again = append(steps, six...), sooner(again, later)
	retirement, later := planRetirement(o, outdated, ttl)
	steps, again = append(steps, retirement...), sooner(again, later)
	if away := o.balancer.away(o.nodes); len(away) > 0 {
		again = sooner(again, returnEvery)
		if o.room {
			steps = append(steps, step{action: goHome, nodes: []string{away[0].ID}})
		}
	}
	names, later := planNames(o)
	steps, again = append(steps, names...), sooner(again, later)
	if o.leftBlocks() {
		steps = append(steps, step{action: releaseBlocks})
	}
	return steps, again
}

// planGroups leads the interfaces of all nodes into the load balancer's security
// groups.
func planGroups(o observed) (steps []step) {
	for _, n := range o.nodes {
		if n.iface.ID != "" && len(o.balancer.SecurityGroups) > 0 && !sameSet(n.iface.SecurityGroups, o.balancer.SecurityGroups) {
			steps = append(steps, step{action: setGroups, nodes: []string{n.ID}})
		}
	}
	return steps
}

// leftBlocks says whether the load balancer has left blocks of which no node has,
// or is about to have, an address.
func (o observed) leftBlocks() bool {
	if len(o.balancer.Leaving) == 0 {
		return false
	}
	for _, n := range o.nodes {
		for _, k := range o.balancer.Leaving {
			if k.CIDR.Contains(n.iface.Public) || n.Phase == NodeProvisioning {
				return false
			}
		}
	}
	return true
}

// wants says whether the node is one that the load balancer is to have: of its
// present generation, in one of its subnets, and not on its way out for good.
func (b LoadBalancer) wants(n Node) bool {
	return n.Generation == b.Generation && !n.Leaving && n.Phase != NodeDraining && n.Phase != NodeClosed && slices.Contains(b.Zones, ZoneSubnet{n.Zone, n.SubnetID})
}

// sooner returns the shorter of two waits, of which 0 is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// planPresence leads to one current node in service per zone. Addresses are drawn
// in the order of the zones: the lowest free address of a pool goes to the first.
//
// While nodes of an older generation are in service, the new ones wait for each
// other, and then take over in one step, so that DNS names the ones or the
// others and never both.
func planPresence(b LoadBalancer, current, outdated []observedNode) (steps []step, again time.Duration) {
	var missing []ZoneSubnet
	for _, z := range b.Zones {
		if !slices.ContainsFunc(current, func(n observedNode) bool { return n.Zone == z.Zone }) {
			missing = append(missing, z)
		}
	}
	if missing != nil {
		return []step{{action: createNodes, zones: missing}}, 0
	}

	var placeable, ready, retired []string
	inService := 0
	for _, n := range current {
		switch n.Phase {
		case NodeProvisioning:
			if n.iface.ID == "" {
				steps = append(steps, step{action: createInterface, nodes: []string{n.ID}})
			}
			if b.Scheme == InternetFacing && !n.NoPublicIPv4 && !n.iface.Public.IsValid() {
				steps = append(steps, step{action: assignAddress, nodes: []string{n.ID}})
			}
			if b.ipv6() && !n.iface.IPv6.IsValid() {
				steps = append(steps, step{action: assignIPv6, nodes: []string{n.ID}})
			}
			placeable = append(placeable, n.ID)
		case NodeStarting, NodeRetiring: // which a migration that is cancelled returns to
			if n.servingAll() {
				ready = append(ready, n.ID)
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
	generation := func(n observedNode) bool { return n.Phase == NodeInService && n.Generation != b.Generation }
	for _, n := range outdated {
		if n.Phase == NodeInService {
			retired = append(retired, n.ID)
		}
	}
	whole := inService+len(ready) == len(b.Zones)
	switch {
	case !slices.ContainsFunc(outdated, generation): // none to take over from: each serves as soon as it can
		for _, id := range ready {
			steps = append(steps, step{action: serve, nodes: []string{id}})
		}
		if whole && retired != nil {
			steps = append(steps, step{action: retire, nodes: retired}) // of zones that it has left
		}
	case whole:
		steps = append(steps, step{action: takeOver, nodes: slices.Concat(ready, retired)})
	}
	if b.State != Active && whole {
		steps = append(steps, step{action: activate})
	}
	if b.Migration.underWay() && inService == len(b.Zones) && len(outdated) == 0 {
		steps = append(steps, step{action: endMigration})
	}
	return steps, 0
}

// planRetirement leads outdated nodes to nothing. One that was in service goes on
// serving, unnamed by DNS, until no resolver knows it and its connections have
// ended: by themselves for as long as a client may keep one, then with the
// response that is due (I9).
func planRetirement(o observed, outdated []observedNode, ttl time.Duration) (steps []step, again time.Duration) {
	keepAlive := seconds(o.balancer.Attributes["client_keep_alive.seconds"], 3600)
	for _, n := range outdated {
		switch n.Phase {
		case NodeProvisioning, NodeStarting:
			steps = append(steps, step{action: closeNode, nodes: []string{n.ID}}) // it was never in DNS, or isn't any more
		case NodeRetiring:
			age, gone := o.now.Sub(n.Since), ttl+dnsDelay
			switch {
			case age < gone:
				again = sooner(again, gone-age)
			case n.idle():
				steps = append(steps, step{action: closeNode, nodes: []string{n.ID}})
			case age >= gone+keepAlive:
				steps = append(steps, step{action: drain, nodes: []string{n.ID}})
			default:
				again = sooner(again, gone+keepAlive-age)
			}
		case NodeDraining, NodeClosed:
			more, wait := planEnd(o, n, ttl)
			steps, again = append(steps, more...), sooner(again, wait)
		case NodeInService: // until those that are to come serve; see planPresence
		}
	}
	return steps, again
}

// idle says that the node has no connection, as far as its host says.
func (n observedNode) idle() bool {
	return n.heard && (!n.reported || n.status.OpenConnections == 0) && (!n.reported6 || n.status6.OpenConnections == 0)
}

// planRemoval leads to nothing: nodes leave DNS, serve on for a TTL and until
// their connections end (I4), are closed, and only then are their addresses
// given back (I3).
func planRemoval(o observed, ttl time.Duration) (steps []step, again time.Duration) {
	if len(o.nodes) == 0 {
		if len(o.balancer.Leaving) > 0 {
			return []step{{action: releaseBlocks}}, 0 // and then the record that knows of them
		}
		return []step{{action: remove}}, 0
	}
	for _, n := range o.nodes {
		switch n.Phase {
		case NodeProvisioning, NodeStarting:
			steps = append(steps, step{action: closeNode, nodes: []string{n.ID}}) // it was never in DNS, or isn't any more
		case NodeInService, NodeRetiring:
			steps = append(steps, step{action: drain, nodes: []string{n.ID}})
		case NodeDraining, NodeClosed:
			more, wait := planEnd(o, n, ttl)
			steps, again = append(steps, more...), sooner(again, wait)
		}
	}
	return steps, again
}

// planEnd leads a node that drains, or is closed, to nothing.
func planEnd(o observed, n observedNode, ttl time.Duration) (steps []step, again time.Duration) {
	age, gone := o.now.Sub(n.Since), ttl+dnsDelay
	switch {
	case n.Phase == NodeClosed:
		if n.hostClosed {
			return []step{{action: release, nodes: []string{n.ID}}}, 0
		}
	case age < gone:
		return nil, gone - age
	case n.idle() || age >= gone+drainLimit:
		return []step{{action: closeNode, nodes: []string{n.ID}}}, 0
	default:
		return nil, gone + drainLimit - age
	}
	return nil, 0
}
