package elb

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store"
)

// Projector turns records into the assignment of one host, again whenever
// records change. It keeps the parts of the assignment and makes anew only
// those that a change touches.
type Projector struct {
	s    *Service
	host string
	log  *slog.Logger

	// The following belong to Run's goroutine.
	balancers        map[string]balancerPart          // by ARN
	users            map[string]map[string]bool       // target group ARN → ARNs of the load balancers whose part names it
	groups           map[string]*snapshot.TargetGroup // by ARN, those that have users
	certificates     map[string]*snapshot.Certificate // by ARN, those that listeners name
	owners           map[string]string                // IDs of nodes in parts → ARNs of their load balancers
	certificateUsers map[string]int                   // ARN → how many load balancers' parts name it
	trustStores      trustProjection
	fresh            []string // nodes that were closed since the last assignment
	pending          changes  // since the last assignment

	out chan *snapshot.Assignment // holds the newest that wasn't taken

	mu   sync.Mutex // guards the following
	sent *snapshot.Assignment
	// closing has the nodes in NodeClosed, each with the revision of the first
	// assignment that was made knowing so. No assignment from that one on has the
	// node: it never leaves that phase but to vanish.
	closing map[string]int64
}

// balancerPart is what one load balancer contributes.
type balancerPart struct {
	balancer     *snapshot.LoadBalancer // nil without nodes
	nodes        []*snapshot.Node
	groups       []string
	zones        []string
	certificates map[string]bool // ARNs; nil for none
	trustStores  map[string]bool // likewise
	closed       []string        // IDs of nodes that the host is to have closed
}

// changes are what differs from the last assignment, by ARN or ID; nil is gone.
type changes struct {
	balancers    map[string]*snapshot.LoadBalancer
	nodes        map[string]*snapshot.Node
	groups       map[string]*snapshot.TargetGroup
	certificates map[string]*snapshot.Certificate
	trustStores  map[string]*snapshot.TrustStore
}

func noChanges() changes {
	return changes{map[string]*snapshot.LoadBalancer{}, map[string]*snapshot.Node{}, map[string]*snapshot.TargetGroup{}, map[string]*snapshot.Certificate{}, map[string]*snapshot.TrustStore{}}
}

// NewProjector returns the projector for a host.
func (s *Service) NewProjector(host string, log *slog.Logger) *Projector {
	return &Projector{s: s, host: host, log: log,
		balancers: map[string]balancerPart{}, users: map[string]map[string]bool{}, groups: map[string]*snapshot.TargetGroup{},
		certificates: map[string]*snapshot.Certificate{}, certificateUsers: map[string]int{}, trustStores: newTrustProjection(s.opts.TrustStores), owners: map[string]string{}, pending: noChanges(), closing: map[string]int64{}, out: make(chan *snapshot.Assignment, 1)}
}

// Assignments returns the channel on which the host gets its assignments, each
// whole. One that wasn't taken before the next is ready is dropped.
func (p *Projector) Assignments() <-chan *snapshot.Assignment { return p.out }

// Run projects until ctx ends.
func (p *Projector) Run(ctx context.Context) {
	sub := p.s.store.Subscribe(p.collections()...)
	defer sub.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case <-sub.C:
		}
		keys, all := sub.Take() // before the snapshot, which then shows all that it tells of
		snap := p.s.store.Snapshot()
		if p.update(snap, keys, all) || p.sent == nil {
			p.send(snap.Revision())
		}
	}
}

// update brings the parts up to date and says whether any differs.
func (p *Projector) update(r store.Snapshot, keys []store.Key, all bool) (changed bool) {
	balancers, groups, certificates, trustStores := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, k := range keys {
		switch k.Collection {
		case p.s.balancers.Name():
			balancers[k.Key] = true
		case p.s.groups.Name(), p.s.targets.Name(): // both by the group's ARN
			groups[k.Key] = true
		case p.s.nodes.Name(), p.s.listeners.Name(), p.s.rules.Name():
			balancers[p.balancerOf(r, k)] = true
		case p.trustStores.collection():
			trustStores[k.Key] = true
		default: // of other rooms
			if d := p.s.opts.Instances; d == nil || k.Collection != d.Collection() {
				certificates[k.Key] = true
				continue
			}
			for arn := range p.s.targetsByInstance.Each(r, p.s.opts.Instances.ID(k.Key)) {
				groups[arn] = true
			}
		}
	}
	if all {
		for arn := range p.s.balancers.All(r) {
			balancers[arn] = true
		}
		for arn := range p.balancers {
			balancers[arn] = true
		}
		for arn := range p.groups {
			groups[arn] = true
		}
		for arn := range p.certificates {
			certificates[arn] = true
		}
		for arn := range p.trustStores.parts {
			trustStores[arn] = true
		}
	}
	for arn := range balancers {
		part, here := p.part(r, arn)
		old, was := p.balancers[arn]
		if here == was && reflect.DeepEqual(part, old) {
			continue
		}
		part.share(old)
		changed = true
		p.replace(arn, old, part, here)
		for _, g := range slices.Concat(part.groups, old.groups) {
			groups[g] = true
		}
		maps.Copy(certificates, old.certificates)
		maps.Copy(certificates, part.certificates)
		maps.Copy(trustStores, old.trustStores)
		maps.Copy(trustStores, part.trustStores)
	}
	changed = p.updateCertificates(r, certificates) || changed
	changed = p.trustStores.update(r, trustStores, p.pending.trustStores) || changed
	for arn := range groups {
		old, was := p.groups[arn]
		if len(p.users[arn]) == 0 {
			if was {
				delete(p.groups, arn)
				p.pending.groups[arn] = nil
				changed = true
			}
			continue
		}
		if next := p.group(r, arn); !was || !reflect.DeepEqual(old, next) {
			p.groups[arn] = next
			p.pending.groups[arn] = next
			changed = true
		}
	}
	return changed
}

// replace puts a load balancer's part in place of the old one, or takes it out.
func (p *Projector) replace(arn string, old, part balancerPart, here bool) {
	for _, g := range old.groups {
		if delete(p.users[g], arn); len(p.users[g]) == 0 {
			delete(p.users, g)
		}
	}
	for _, g := range part.groups {
		if p.users[g] == nil {
			p.users[g] = map[string]bool{}
		}
		p.users[g][arn] = true
	}
	p.useCertificates(old.certificates, part.certificates)
	p.trustStores.use(old.trustStores, part.trustStores)
	if here {
		p.balancers[arn] = part
	} else {
		delete(p.balancers, arn)
	}
	for _, n := range old.nodes {
		p.pending.nodes[n.ID] = nil
		delete(p.owners, n.ID)
	}
	for _, id := range old.closed {
		delete(p.owners, id)
	}
	for _, n := range part.nodes {
		p.pending.nodes[n.ID] = n
		p.owners[n.ID] = arn
	}
	for _, id := range part.closed {
		p.owners[id] = arn
	}
	p.pending.balancers[arn] = part.balancer
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range old.closed {
		if !slices.Contains(part.closed, id) {
			delete(p.closing, id)
		}
	}
	for _, id := range part.closed {
		if !slices.Contains(old.closed, id) {
			p.fresh = append(p.fresh, id)
		}
	}
}

// balancerOf returns the load balancer that a node's, listener's or rule's record
// belongs to. A deleted node's is looked for in what was projected before; a
// deleted listener's or rule's is in its ARN.
func (p *Projector) balancerOf(r store.Snapshot, k store.Key) string {
	if k.Collection != p.s.nodes.Name() {
		parts := strings.Split(k.Key, "/") // …:listener/app/NAME/HEX/…
		if len(parts) < 4 {
			return ""
		}
		head, _, _ := strings.Cut(parts[0], ":listener")
		return head + ":loadbalancer/" + strings.Join(parts[1:4], "/")
	}
	if n, ok := p.s.nodes.Get(r, k.Key); ok {
		return n.LoadBalancerARN
	}
	return p.owners[k.Key]
}

// share takes over what is the same in a former part, so that assignments share it.
func (b *balancerPart) share(old balancerPart) {
	if reflect.DeepEqual(b.balancer, old.balancer) {
		b.balancer = old.balancer
	}
	for i, n := range b.nodes {
		j := slices.IndexFunc(old.nodes, func(o *snapshot.Node) bool { return *o == *n })
		if j >= 0 {
			b.nodes[i] = old.nodes[j]
		}
	}
}

// part makes one load balancer's contribution; false if it has no node here.
func (p *Projector) part(r store.Snapshot, arn string) (balancerPart, bool) {
	b, ok := p.s.balancers.Get(r, arn)
	if !ok {
		return balancerPart{}, false
	}
	var part balancerPart
	for _, n := range p.s.nodesByLB.Each(r, arn) {
		if n.Host != p.host {
			continue
		}
		phase := snapshot.NodeServing
		switch n.Phase {
		case NodeProvisioning:
			continue
		case NodeClosed:
			part.closed = append(part.closed, n.ID)
			if n.IPv6.Phase != "" {
				part.closed = append(part.closed, n.onHost())
			}
			continue
		case NodeDraining:
			phase = snapshot.NodeDraining
		case NodeStarting, NodeInService, NodeRetiring:
		}
		part.nodes = append(part.nodes, &snapshot.Node{ID: n.ID, LoadBalancerARN: arn, Zone: n.Zone, Public: n.Public, Private: n.Private, Phase: phase})
		switch n.IPv6.Phase {
		case NodeStarting, NodeInService, NodeRetiring, NodeDraining:
			part.nodes = append(part.nodes, n.secondOnHost(b.Scheme, phase))
		case NodeClosed:
			part.closed = append(part.closed, n.onHost())
		case NodeProvisioning: // it is never
		}
	}
	if part.nodes == nil {
		return part, part.closed != nil
	}
	for _, z := range b.Zones {
		part.zones = append(part.zones, z.Zone)
	}
	part.balancer = &snapshot.LoadBalancer{
		ARN: arn, Name: b.Name, ID: b.ID, DNSName: strings.ToLower(b.DNSName),
		IdleTimeout:     seconds(b.Attributes["idle_timeout.timeout_seconds"], 60),
		ClientKeepAlive: seconds(b.Attributes["client_keep_alive.seconds"], 3600),
		CookieKey:       b.CookieKey,
		RequestHeaders:  projectRequestHeaders(b.Attributes),

		Desync:             projectDesync(b.Attributes["routing.http.desync_mitigation_mode"]),
		DropInvalidHeaders: b.Attributes["routing.http.drop_invalid_header_fields.enabled"] == "true",
		Logs:               projectLogs(b.Attributes),
	}
	for _, l := range p.s.listenersByLB.Each(r, arn) {
		out := snapshot.Listener{ARN: l.ARN, Port: l.Port, Protocol: snapshot.Protocol(l.Protocol), TLS: projectTLS(l.TLS), ResponseHeaders: projectResponseHeaders(l.Attributes)}
		if l.TLS != nil {
			out.HeaderNames = projectHeaderNames(l.Attributes)
			out.TLS.HTTP1Only = b.Attributes["routing.http2.enabled"] == "false"
		}
		for _, c := range l.TLS.all() {
			if part.certificates == nil {
				part.certificates = map[string]bool{}
			}
			part.certificates[c] = true
		}
		if l.TLS != nil && l.TLS.Mutual != nil && l.TLS.Mutual.TrustStore != "" {
			if part.trustStores == nil {
				part.trustStores = map[string]bool{}
			}
			part.trustStores[l.TLS.Mutual.TrustStore] = true
		}
		for _, rule := range p.s.rulesByListener.Each(r, l.ARN) {
			out.Rules = append(out.Rules, p.s.projectRule(rule))
			for _, g := range groupsOf(rule.Actions) {
				if !slices.Contains(part.groups, g) {
					part.groups = append(part.groups, g)
				}
			}
		}
		slices.SortFunc(out.Rules, func(a, b snapshot.Rule) int {
			return cmp.Compare(cmp.Or(a.Priority, 1<<30), cmp.Or(b.Priority, 1<<30)) // 0, the default, last
		})
		part.balancer.Listeners = append(part.balancer.Listeners, out)
	}
	slices.SortFunc(part.balancer.Listeners, func(a, b snapshot.Listener) int { return cmp.Compare(a.Port, b.Port) })
	return part, true
}

func seconds(attribute string, otherwise int) time.Duration {
	n, err := strconv.Atoi(attribute)
	if err != nil {
		n = otherwise
	}
	return time.Duration(n) * time.Second
}

func (s *Service) projectRule(rule Rule) snapshot.Rule {
	out := snapshot.Rule{ARN: rule.ARN, Priority: rule.Priority}
	for _, t := range rule.Transforms {
		out.Transforms = append(out.Transforms, snapshot.Transform{Type: snapshot.TransformType(t.Type), Regex: t.Regex, Replace: t.Replace})
	}
	for _, c := range rule.Conditions {
		out.Conditions = append(out.Conditions, snapshot.Condition{Field: snapshot.ConditionField(c.Field), Header: c.Header, Keys: c.Keys, Values: c.Values, Regex: c.Regex})
	}
	for _, a := range rule.Actions {
		act := snapshot.Action{Type: snapshot.ActionType(a.Type), OIDC: s.projectAuthentication(a)}
		if act.OIDC != nil {
			act.Type = snapshot.ActionAuthenticateOIDC // a user pool is a provider like others
		}
		if a.Forward != nil {
			act.Forward = new(snapshot.Forward)
			if a.Forward.StickinessEnabled {
				act.Forward.Stickiness = a.Forward.StickinessDuration
			}
			for _, g := range a.Forward.TargetGroups {
				act.Forward.TargetGroups = append(act.Forward.TargetGroups, snapshot.WeightedTargetGroup{ARN: g.ARN, Weight: g.Weight})
			}
		}
		if d := a.Redirect; d != nil {
			act.Redirect = (*snapshot.Redirect)(d)
		}
		if f := a.FixedResponse; f != nil {
			act.FixedResponse = &snapshot.FixedResponse{StatusCode: f.StatusCode, ContentType: f.ContentType, Body: f.Body}
		}
		if v := a.JWT; v != nil {
			act.JWT = projectJWT(v)
		}
		out.Actions = append(out.Actions, act)
	}
	return out
}

// group makes the target group that parts name. One whose record is gone, as
// while the load balancer that used it drains, is a group without targets: a
// host refuses an assignment whose rules lead nowhere, and so would carry no
// change of any load balancer.
func (p *Projector) group(r store.Snapshot, arn string) *snapshot.TargetGroup {
	g, ok := p.s.groups.Get(r, arn)
	if !ok {
		return &snapshot.TargetGroup{ARN: arn, Protocol: snapshot.HTTP}
	}
	out := &snapshot.TargetGroup{
		ARN: g.ARN, Protocol: snapshot.Protocol(g.Protocol), ProtocolVersion: projectVersion(g.ProtocolVersion), DeregistrationDelay: g.DeregistrationDelay(),
		HealthCheck: snapshot.HealthCheck{
			Enabled: true, Protocol: snapshot.Protocol(g.HealthCheck.Protocol), Port: g.HealthCheck.Port, Path: g.HealthCheck.Path,
			Interval: g.HealthCheck.Interval, Timeout: g.HealthCheck.Timeout,
			HealthyThreshold: g.HealthCheck.HealthyThreshold, UnhealthyThreshold: g.HealthCheck.UnhealthyThreshold, Matcher: g.HealthCheck.Matcher,
		},
		Balancing: projectBalancing(g), Stickiness: projectStickiness(g),
	}
	var zones []string
	hybrid := false
	for user := range p.users[arn] {
		zones = append(zones, p.balancers[user].zones...)
		hybrid = hybrid || forwardsHybrid(p.balancers[user].balancer, arn)
	}
	out.TLS = projectTargetTLS(g, hybrid)
	regs, _ := p.s.targets.Get(r, g.ARN)
	for _, t := range regs.Targets {
		if !t.enabled(zones) || !p.s.running(r, g, t) {
			continue
		}
		out.Targets = append(out.Targets, snapshot.Target{Addr: t.Addr, Port: t.Port, Zone: t.Zone, Draining: !t.DrainUntil.IsZero()})
	}
	return out
}

// projectVersion leaves out the usual one.
func projectVersion(v string) snapshot.ProtocolVersion {
	if v == versionHTTP1 {
		return ""
	}
	return snapshot.ProtocolVersion(v)
}

// send offers the assignment that the parts make, in place of one not yet taken.
// Lists in which nothing changes are the last one's.
func (p *Projector) send(revision int64) {
	last := p.sent // written by this goroutine alone
	if last == nil {
		last = new(snapshot.Assignment)
	}
	a := &snapshot.Assignment{
		Version: snapshot.Version, Revision: revision, Host: p.host,
		LoadBalancers: merged(last.LoadBalancers, func(b *snapshot.LoadBalancer) string { return b.ARN }, p.pending.balancers),
		TargetGroups:  merged(last.TargetGroups, func(g *snapshot.TargetGroup) string { return g.ARN }, p.pending.groups),
		Nodes:         merged(last.Nodes, func(n *snapshot.Node) string { return n.ID }, p.pending.nodes),
		Certificates:  merged(last.Certificates, func(c *snapshot.Certificate) string { return c.ARN }, p.pending.certificates),
		TrustStores:   merged(last.TrustStores, func(s *snapshot.TrustStore) string { return s.ARN }, p.pending.trustStores),
	}
	p.pending = noChanges()
	p.mu.Lock()
	p.sent = a
	for _, id := range p.fresh {
		p.closing[id] = revision
	}
	p.fresh = nil
	p.mu.Unlock()
	select {
	case <-p.out:
	default:
	}
	p.out <- a // only Run sends, and it has just made room
}

// merged returns a sorted list with the changes made, the list itself unchanged.
func merged[T any](list []*T, key func(*T) string, changes map[string]*T) []*T {
	if len(changes) == 0 {
		return list
	}
	out := make([]*T, 0, len(list)+len(changes))
	for _, k := range slices.Sorted(maps.Keys(changes)) {
		i := sort.Search(len(list), func(i int) bool { return key(list[i]) >= k })
		out = append(out, list[:i]...)
		list = list[i:]
		if len(list) > 0 && key(list[0]) == k {
			list = list[1:]
		}
		if v := changes[k]; v != nil {
			out = append(out, v)
		}
	}
	return append(out, list...)
}

// closed says whether the host is known to have closed a node in NodeClosed: it
// has acted on an assignment that was made knowing of the phase, and reports no
// such node. An assignment that merely lacks the node could be from before the
// node was placed, with one that has it under way.
func (p *Projector) closed(nodeID string) bool {
	p.mu.Lock()
	since, ok := p.closing[nodeID]
	p.mu.Unlock()
	return ok && p.s.health.acknowledged(p.host) >= since && !p.reported(nodeID)
}

// absent says whether the host is known not to carry a node that has no record:
// it has acted on the newest assignment, which can't have the node, and reports
// no such node.
func (p *Projector) absent(nodeID string) bool {
	p.mu.Lock()
	sent := p.sent
	p.mu.Unlock()
	if sent == nil || p.s.health.acknowledged(p.host) < sent.Revision || p.reported(nodeID) {
		return false
	}
	_, there := slices.BinarySearchFunc(sent.Nodes, nodeID, func(n *snapshot.Node, id string) int { return strings.Compare(n.ID, id) })
	return !there
}

func (p *Projector) reported(nodeID string) bool {
	_, ok := p.s.health.node(p.host, nodeID)
	return ok
}
