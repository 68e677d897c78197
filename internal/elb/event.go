package elb

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store"
)

// about begins an event about a load balancer.
func (b LoadBalancer) about(k event.Kind, now time.Time, format string, args ...any) event.Event {
	return event.Event{Time: now, Kind: k, Account: b.Account, Region: b.Region, Resource: b.ARN, Message: fmt.Sprintf(format, args...)}
}

// with adds details, key by value; empty ones are left out.
func with(e event.Event, details ...string) event.Event {
	e.Details = maps.Clone(e.Details)
	if e.Details == nil {
		e.Details = map[string]string{}
	}
	for i := 0; i+1 < len(details); i += 2 {
		if details[i+1] != "" {
			e.Details[details[i]] = details[i+1]
		}
	}
	return e
}

// offPool says whether a node's public address is from another pool than the one
// that its load balancer names.
func (b LoadBalancer) offPool(n Node) bool {
	return b.PoolID != "" && n.Public.Is4() && n.PoolID != b.PoolID
}

// ofNode begins an event about one of a load balancer's nodes.
func (b LoadBalancer) ofNode(n Node, k event.Kind, now time.Time, format string, args ...any) event.Event {
	e := with(b.about(k, now, format, args...), "node", n.ID, "zone", n.Zone, "private", text(n.Private), "address", text(n.Public), "pool", n.PoolID)
	e.OffPool = b.offPool(n)
	return e
}

func text(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// source names a pool for people.
func source(pool string) string { return cmp.Or(pool, "the provider's pool") }

// origin names, for people, where the node's address goes back to.
func (n Node) origin() string {
	if !n.Public.Is4() {
		return n.SubnetID
	}
	return source(n.PoolID)
}

// drawn tells that a node has its addresses.
func (b LoadBalancer) drawn(n Node, now time.Time) event.Event {
	switch {
	case !n.Public.IsValid():
		return b.ofNode(n, event.AddressDrawn, now, "%s in %s has the private address %s", b.Name, n.Zone, n.Private)
	case b.offPool(n):
		return b.ofNode(n, event.AddressDrawn, now, "%s in %s has %s from %s, not from %s: that gave none", b.Name, n.Zone, n.Public, source(n.PoolID), b.PoolID)
	}
	return b.ofNode(n, event.AddressDrawn, now, "%s in %s has %s from %s", b.Name, n.Zone, n.Public, source(n.PoolID))
}

// phases are how a node's change to a phase is told.
var phases = map[NodePhase]struct {
	kind event.Kind
	text string
}{
	NodeStarting:  {event.NodeSuspended, "is out of DNS: its host says that it doesn't serve"},
	NodeInService: {event.NodeInService, "is in DNS: its host says that it serves"},
	NodeRetiring:  {event.NodeRetiring, "is out of DNS and serves on: others have taken over"},
	NodeDraining:  {event.NodeDraining, "is out of DNS, and its connections end with the response that is due"},
	NodeClosed:    {event.NodeClosed, "is to be closed by its host"},
}

// entered tells that a node has come to its present phase. why may be "".
func (s *Service) entered(tx *store.Tx, b LoadBalancer, n Node, why string) {
	p, ok := phases[n.Phase]
	if !ok {
		return
	}
	e := b.ofNode(n, p.kind, n.Since, "%s in %s (%s) %s", b.Name, n.Zone, n.Address(), p.text)
	if why != "" {
		e.Message += ", because " + why
	}
	s.opts.Events.Put(tx, e)
}

// tellReport tells what of a host's report is new to people: listeners that were
// opened or couldn't be, and targets whose health has changed. Of a host that
// reports for the first time only what is wrong is news.
func (s *Service) tellReport(r store.Snapshot, news reportNews, at time.Time) {
	if s.opts.Events == nil {
		return
	}
	slices.SortFunc(news.nodes, func(a, b said[snapshot.NodeStatus]) int { return cmp.Compare(a.now.NodeID, b.now.NodeID) })
	for _, n := range news.nodes {
		old := map[string]snapshot.ListenerStatus{}
		for _, l := range n.before.Listeners {
			old[l.ARN] = l
		}
		for _, l := range n.now.Listeners {
			was, open := old[l.ARN]
			if open && was.Error == l.Error && was.Port == l.Port || news.first && l.Error == "" {
				continue
			}
			s.tellListener(r, n.now.NodeID, l, at)
		}
	}
	if !news.first {
		s.tellTargets(r, news.targets, at)
	}
}

func (s *Service) tellListener(r store.Snapshot, nodeID string, l snapshot.ListenerStatus, at time.Time) {
	n, ok := s.spokenOf(r, nodeID)
	if !ok {
		return
	}
	b, ok := s.balancers.Get(r, n.LoadBalancerARN)
	if !ok {
		return
	}
	where := netip.AddrPortFrom(n.Address(), l.Port)
	e := b.ofNode(n, event.ListenerBound, at, "%s accepts connections on %s", b.Name, where)
	if l.Error != "" {
		e = b.ofNode(n, event.ListenerFailed, at, "%s can't accept connections on %s: %s", b.Name, where, l.Error)
	}
	s.opts.Events.Tell(with(e, "listener", l.ARN, "port", strconv.Itoa(int(l.Port))))
}

// healthChange is what targets of one group have in common whose health changed.
type healthChange struct {
	group         string
	state, before snapshot.TargetState
	reason        string
}

// toldTargets is how many targets one event names.
const toldTargets = 10

// tellTargets tells of targets whose health has changed, those together that a
// rack takes with it.
func (s *Service) tellTargets(r store.Snapshot, news []said[snapshot.TargetStatus], at time.Time) {
	changed := map[healthChange][]netip.AddrPort{}
	for _, t := range news {
		before := t.before.State
		if !t.known { // its first probe was quicker than the report
			before = snapshot.TargetInitial
		}
		if t.now.State != before {
			key := t.now.Key()
			c := healthChange{key.TargetGroupARN, t.now.State, before, t.now.Reason}
			changed[c] = append(changed[c], key.Addr)
		}
	}
	for _, c := range slices.SortedFunc(maps.Keys(changed), func(a, b healthChange) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.state, b.state), cmp.Compare(a.before, b.before), cmp.Compare(a.reason, b.reason))
	}) {
		g, ok := s.groups.Get(r, c.group)
		if !ok {
			continue
		}
		targets := changed[c]
		slices.SortFunc(targets, netip.AddrPort.Compare)
		var names []string
		for _, a := range targets[:min(len(targets), toldTargets)] {
			names = append(names, a.String())
		}
		list := strings.Join(names, ", ")
		if more := len(targets) - len(names); more > 0 {
			list += fmt.Sprintf(" and %d more", more)
		}
		verb := "is"
		if len(targets) > 1 {
			verb = "are"
		}
		message := fmt.Sprintf("%s of %s %s %s, was %s", list, g.Name, verb, c.state, c.before)
		if c.reason != "" {
			message += ": " + c.reason
		}
		s.opts.Events.Tell(with(event.Event{Time: at, Kind: event.TargetHealth, Account: g.Account, Region: g.Region, Resource: g.ARN, Message: message},
			"state", string(c.state), "reason", c.reason, "targets", list))
	}
}
