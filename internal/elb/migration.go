package elb

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/store"
)

// MigrationState says how far a migration has come.
type MigrationState string

// A migration's life. The first two may be cancelled.
const (
	MigrationPreparing MigrationState = "preparing" // the new set comes up; DNS names the old one
	MigrationDraining  MigrationState = "draining"  // DNS names the new set; connections on the old one end
	MigrationReturning MigrationState = "returning" // cancelled: DNS is to name the old set; the new one goes
	MigrationCompleted MigrationState = "completed"
	MigrationCancelled MigrationState = "cancelled"
)

// State returns how far the migration has come.
func (m Migration) State() MigrationState {
	switch {
	case !m.Ended.IsZero() && !m.Cancelled.IsZero():
		return MigrationCancelled
	case !m.Ended.IsZero():
		return MigrationCompleted
	case !m.Cancelled.IsZero():
		return MigrationReturning
	case !m.Moved.IsZero():
		return MigrationDraining
	}
	return MigrationPreparing
}

// MigrationView is what is seen of a load balancer's last migration.
type MigrationView struct {
	LoadBalancer LoadBalancer
	Migration    Migration
	Old, New     []MigratingNode // in the order of the zones; Old has those of sets before it, too
	EndsBy       time.Time       // when the last node that goes is closed at the latest; zero: not known yet, or over
	Obstacle     string          // why it can't be cancelled; "" if it can
}

// MigratingNode is a node of one of the two sets.
type MigratingNode struct {
	Node
	OffPool     bool
	InDNS       bool
	Known       bool // its host has reported about it
	Connections int  // from clients, if Known
	EndsBy      time.Time
}

// Migration returns what is seen of a load balancer's last migration; false if
// it never had one.
func (s *Service) Migration(r store.Reader, account, region, arn string) (MigrationView, bool, error) {
	b, err := s.LoadBalancer(r, account, region, arn)
	if err != nil || b.Migration == nil {
		return MigrationView{LoadBalancer: b}, false, err
	}
	v := MigrationView{LoadBalancer: b, Migration: *b.Migration}
	keepAlive := seconds(b.Attributes["client_keep_alive.seconds"], 3600)
	for _, n := range s.nodesByLB.Each(r, arn) {
		x := MigratingNode{Node: n, OffPool: b.offPool(n), InDNS: n.Phase == NodeInService && !n.Withdrawn}
		if st, ok := s.NodeStatus(n); ok {
			x.Known, x.Connections = true, st.OpenConnections
		}
		if !b.wants(n) {
			x.EndsBy = n.endsBy(s.opts.DNSTTL, keepAlive)
			if x.EndsBy.After(v.EndsBy) {
				v.EndsBy = x.EndsBy
			}
		}
		if n.Generation == v.Migration.To {
			v.New = append(v.New, x)
		} else {
			v.Old = append(v.Old, x)
		}
	}
	for _, set := range [][]MigratingNode{v.Old, v.New} {
		slices.SortFunc(set, func(a, b MigratingNode) int {
			return cmp.Or(strings.Compare(a.Zone, b.Zone), cmp.Compare(a.Generation, b.Generation), strings.Compare(a.ID, b.ID))
		})
	}
	if _, err := s.wayBack(r, b); err != nil {
		v.Obstacle = err.Message
	}
	return v, true, nil
}

// endsBy returns when a node that goes is closed at the latest; see planRetirement
// and planEnd. Zero while it waits for others to serve.
func (n Node) endsBy(ttl, keepAlive time.Duration) time.Time {
	end := ttl + dnsDelay + drainLimit
	switch n.Phase {
	case NodeRetiring:
		return n.Since.Add(ttl + dnsDelay + keepAlive + end)
	case NodeDraining:
		return n.Since.Add(end)
	case NodeProvisioning, NodeStarting, NodeInService, NodeClosed:
	}
	return time.Time{}
}

// CancelMigration has a load balancer go back to the addresses that it is about
// to leave, as long as all of them are there and no connection of theirs is being
// ended. Once is as good as twice.
func (s *Service) CancelMigration(ctx context.Context, account, region, arn string, now time.Time) (LoadBalancer, error) {
	var b LoadBalancer
	err := s.store.Update(ctx, func(tx *store.Tx) (err error) {
		if b, err = s.LoadBalancer(tx, account, region, arn); err != nil {
			return err
		}
		if b.Migration != nil && !b.Migration.Cancelled.IsZero() {
			return nil
		}
		old, obstacle := s.wayBack(tx, b)
		if obstacle != nil {
			return obstacle
		}
		for _, id := range old {
			// Guarded: whoever retires one meanwhile makes this transaction look again.
			if n, ok := s.nodes.Get(tx, id); !ok || !n.lives() {
				return store.ErrConflict
			}
		}
		m := *b.Migration
		m.Cancelled = now
		if b.Block != nil {
			s.setBlock(tx, &b, nil, now) // of the pool that it doesn't go to after all
		}
		b.restoreBlock(&m)
		b.Generation, b.PoolID, b.AddressType, b.Migration = m.From, m.FromPool, cmp.Or(m.FromType, b.AddressType), &m
		s.balancers.Put(tx, arn, b)
		s.opts.Events.Put(tx, with(b.about(event.MigrationCancelled, now, "%s stays on its %s, or returns to them: its migration was cancelled", b.Name, addresses(m.FromType, m.FromPool)),
			"from", m.ToPool, "to", m.FromPool))
		return nil
	})
	return b, err
}

// lives says whether a node can be in DNS again as it is.
func (n Node) lives() bool { return n.Phase == NodeInService || n.Phase == NodeRetiring }

// wayBack returns the nodes that a cancelled migration returns to, one for each
// zone, or why there is no way back.
func (s *Service) wayBack(r store.Reader, b LoadBalancer) ([]string, *Error) {
	no := func(format string, args ...any) ([]string, *Error) {
		return nil, &Error{OperationNotPermitted, "The migration cannot be cancelled: " + fmt.Sprintf(format, args...)}
	}
	m := b.Migration
	switch {
	case m == nil:
		return no("load balancer '%s' has none.", b.Name)
	case !m.Cancelled.IsZero():
		return no("it has been cancelled already.")
	case !m.Ended.IsZero():
		return no("it ended at %s, and its old addresses were given back. ModifyIpPools moves the load balancer to others.", m.Ended.UTC().Format(time.RFC3339))
	}
	if m.FromType == typeIPv4 {
		if g := s.ipv6GroupOf(r, b); g != "" {
			return no("the load balancer forwards to target group '%s', whose IP address type is 'ipv6', and its own would be 'ipv4'.", g)
		}
	}
	byZone := map[ZoneSubnet]Node{}
	for _, n := range s.nodesByLB.Each(r, b.ARN) {
		if n.Generation == m.From {
			byZone[ZoneSubnet{n.Zone, n.SubnetID}] = n
		}
	}
	var ids []string
	for _, z := range b.Zones {
		n, ok := byZone[z]
		switch {
		case !ok:
			return no("its old address in %s was given back, or was never there. ModifyIpPools moves the load balancer to others.", z.Zone)
		case !n.lives():
			return no("its old address %s in %s is being given back. ModifyIpPools moves the load balancer to others.", n.Address(), z.Zone)
		}
		ids = append(ids, n.ID)
	}
	return ids, nil
}

// moved records that DNS names another set since this transaction.
func (c *Controller) moved(tx *store.Tx, b LoadBalancer, addresses []string) {
	if !b.Migration.underWay() || len(addresses) == 0 {
		return
	}
	if b.Generation == b.Migration.To && b.Migration.Moved.IsZero() {
		m := *b.Migration
		m.Moved = c.now()
		b.Migration = &m
		c.s.balancers.Put(tx, b.ARN, b)
	}
	list := strings.Join(addresses, ", ")
	c.s.opts.Events.Put(tx, with(b.about(event.MigrationMoved, c.now(), "DNS names %s for %s, and no other address", list, b.Name), "addresses", list))
}

// endMigration records that one set of nodes is left, and serves. The nodes need
// no guard: they are made for what the load balancer's record says.
func (c *Controller) endMigration(ctx context.Context, b LoadBalancer) error {
	return c.s.store.Update(ctx, func(tx *store.Tx) error {
		cur, ok := c.s.balancers.Get(tx, b.ARN)
		if !ok || cur.Deleted || cur.Generation != b.Generation || !cur.Migration.underWay() {
			return nil
		}
		for _, n := range c.s.nodesByLB.Each(tx, b.ARN) {
			if !cur.wants(n) {
				return nil
			}
		}
		m := *cur.Migration
		m.Ended = c.now()
		cur.Migration = &m
		c.s.balancers.Put(tx, b.ARN, cur)
		c.s.opts.Events.Put(tx, with(cur.about(event.MigrationEnded, c.now(), "the migration of %s is %s: the other addresses have been given back", cur.Name, m.State()),
			"outcome", string(m.State())))
		return nil
	})
}

// wanted says whether the node is one that its load balancer is to have, and
// guards that.
func (c *Controller) wanted(tx *store.Tx, n Node) bool {
	b, ok := c.s.balancers.Get(tx, n.LoadBalancerARN)
	return ok && !b.Deleted && b.wants(n)
}
