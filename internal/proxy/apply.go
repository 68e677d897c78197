package proxy

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/fairlead/fairlead/internal/proxy/balance"
	"github.com/fairlead/fairlead/internal/proxy/meter"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// errClosed is returned by Apply after Close.
var errClosed = errors.New("proxy: closed")

// Bound tells where a node listens; false for one without an address, which is
// not carried.
type Bound func(nodeID string) (netip.Addr, bool)

// Apply makes the proxy carry an assignment in place of the former one. It looks
// at what differs between the two, and leaves all else alone: the assignment of a
// host with ten thousand load balancers costs what the one that changed costs.
//
// It applies wholly or, with an error, not at all. Listeners that stay keep
// their sockets and connections; requests under way go on by the former rules.
// Listeners that are gone stop accepting, finish what is under way and close. A
// port that can't be opened is not an error: it is told in Status, and tried
// again by Retry.
func (p *Proxy) Apply(a *snapshot.Assignment, bound Bound) error {
	p.applying.Lock()
	defer p.applying.Unlock()
	changes, err := a.Since(p.applied)
	if err == nil {
		err = p.carry(changes, nil, bound)
	}
	if err != nil {
		return fmt.Errorf("apply assignment %d: %w", a.Revision, err)
	}
	p.applied = a
	return nil
}

// Retry tries again what couldn't be done for some nodes: those that had no
// address, ports that couldn't be opened, certificates that couldn't be read.
func (p *Proxy) Retry(bound Bound) error {
	p.applying.Lock()
	defer p.applying.Unlock()
	var changes snapshot.Changes
	for _, arn := range slices.Sorted(maps.Keys(p.certificates)) {
		if c := p.certificates[arn]; c.err != nil {
			changes.Certificates = append(changes.Certificates, snapshot.Change[snapshot.Certificate]{Old: c.from, New: c.from})
		}
	}
	if err := p.carry(changes, slices.Collect(maps.Values(p.failing)), bound); err != nil {
		return fmt.Errorf("apply again: %w", err)
	}
	return nil
}

// carry puts changes into effect, and plans the load balancers named beside them
// anew. p.applying is held.
func (p *Proxy) carry(changes snapshot.Changes, balancers []string, bound Bound) error {
	pl, err := p.plan(changes, balancers, bound)
	if err != nil {
		return err
	}
	if err := p.swapNodes(pl); err != nil {
		return err
	}
	p.swapBalancers(pl)
	p.planned.Add(uint64(len(pl.balancers)))
	for id := range pl.nodes {
		p.changed(id)
	}
	return nil
}

// swapNodes makes the nodes what the plan says, and the endpoints.
func (p *Proxy) swapNodes(pl *plan) error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return errClosed
	}
	var gone []*port
	for id, next := range pl.nodes {
		n := p.nodes[id]
		if n == nil {
			continue
		}
		// A node that is gone, or is bound elsewhere now, is closed as a whole.
		if next == nil || next.bound != n.bound {
			gone = append(gone, n.retire()...)
			p.checks.drop(n)
			delete(p.nodes, id)
			p.closing = append(p.closing, n)
			continue
		}
		for number, port := range n.ports {
			if next.tables[number] == nil && port != nil {
				gone = append(gone, port)
				n.former = append(n.former, port)
				delete(n.ports, number)
			}
		}
	}
	p.mu.Unlock()
	for _, port := range gone { // before anything new is bound in its place
		port.close()
	}

	// New sockets before anything else, so that a node's ports are all open when
	// it is told to be ready. No request sees them before start.
	opened := map[*nodePlan]map[uint16]*port{}
	for id, np := range pl.nodes {
		if np != nil {
			opened[np] = p.open(id, np)
		}
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	for id, np := range pl.nodes {
		if np != nil {
			p.swapNode(id, np, opened[np])
		}
	}
	p.swapGroups(pl)
	p.budget.nodes.Store(int64(len(p.nodes)))
	return nil
}

// open opens the ports of a node that aren't open yet. It returns them, nil for
// those that failed, and notes why in the plan.
func (p *Proxy) open(id string, np *nodePlan) map[uint16]*port {
	p.mu.Lock()
	np.node = p.nodes[id]
	if np.node == nil {
		np.node = &node{id: id, bound: np.bound, zone: np.zone, balancer: np.balancer, ports: map[uint16]*port{}, meter: meter.New(p.threads())}
	}
	var missing []uint16
	for number := range np.tables {
		if np.node.ports[number] == nil {
			missing = append(missing, number)
		}
	}
	p.mu.Unlock()
	out := map[uint16]*port{}
	for _, number := range missing {
		port, err := p.openPort(np.node, number, np.tables[number])
		out[number] = port
		if err != nil {
			i := slices.IndexFunc(np.states, func(s snapshot.ListenerStatus) bool { return s.Port == number })
			np.states[i].Error = err.Error()
		}
	}
	return out
}

// swapNode gives a node its plan and the ports that were opened. p.mu is held.
func (p *Proxy) swapNode(id string, np *nodePlan, opened map[uint16]*port) {
	n := np.node
	p.nodes[id] = n
	p.checks.drop(n)
	n.phase, n.states, n.cursors, n.logs = np.phase, np.states, np.cursors, np.logs
	n.groups.Store(&np.meters)
	p.checks.add(n)
	draining := np.phase == snapshot.NodeDraining
	begins := !n.draining.Swap(draining) && draining
	for number, t := range np.tables {
		if port := n.ports[number]; port != nil {
			port.table.Store(t)
			if begins {
				port.drain()
			}
		}
	}
	for number := range n.ports {
		if np.tables[number] == nil {
			delete(n.ports, number)
		}
	}
	for number, port := range opened {
		n.ports[number] = port
		if port != nil {
			port.start()
		}
	}
}

// swapGroups takes over the target groups of a plan. p.mu is held.
func (p *Proxy) swapGroups(pl *plan) {
	for arn, next := range pl.groups {
		old := p.groups[arn]
		if next == nil {
			delete(p.groups, arn)
		} else {
			p.groups[arn] = next
			p.registry.Configure(arn, next.config)
		}
		if old == nil {
			continue
		}
		for _, s := range old.sets {
			s.Retire()
		}
		for _, e := range old.endpoints {
			if next.has(e) {
				continue
			}
			// A target that its target group doesn't have any more has had its
			// deregistration delay: what is still under way to it is cut. With
			// a target group that is gone altogether it is finished.
			stays := next.names(e.key.Addr)
			e.retire(next != nil && !stays)
			if !stays {
				p.leaving = append(p.leaving, e.key.Key)
			}
		}
	}
	p.forgetTargets()
}

// forgetTargets forgets the targets that have left and have no requests under way
// any more. p.mu is held.
func (p *Proxy) forgetTargets() {
	p.leaving = slices.DeleteFunc(p.leaving, func(k balance.Key) bool {
		return p.groups[k.Group].names(k.Addr) || p.registry.Forget(k)
	})
}

// swapBalancers takes over what the next plan begins from. p.applying is held.
func (p *Proxy) swapBalancers(pl *plan) {
	for arn, c := range pl.certificates {
		if c == nil {
			delete(p.certificates, arn)
		} else {
			p.certificates[arn] = c
		}
	}
	for arn, t := range pl.trusts {
		if t == nil {
			delete(p.trusts, arn)
		} else {
			p.trusts[arn] = t
		}
	}
	for arn, next := range pl.balancers {
		old := p.balancers[arn]
		for user := range old.uses() {
			if delete(p.users[user], arn); len(p.users[user]) == 0 {
				delete(p.users, user)
			}
		}
		for used := range next.uses() {
			if p.users[used] == nil {
				p.users[used] = map[string]bool{}
			}
			p.users[used][arn] = true
		}
		if next == nil {
			delete(p.balancers, arn)
		} else {
			p.balancers[arn] = next
		}
	}
	for id, np := range pl.nodes {
		delete(p.failing, id)
		if np != nil && slices.ContainsFunc(np.states, func(s snapshot.ListenerStatus) bool { return s.Error != "" }) {
			p.failing[id] = np.balancer
		}
	}
	maps.Copy(p.failing, pl.unbound)
}
