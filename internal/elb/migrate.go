package elb

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/store"
)

// ModifyIPPool is ELBv2 ModifyIpPools: exactly one of its members is given.
type ModifyIPPool struct {
	Account, Region, ARN string
	PoolID               string // the pool to draw from
	Remove               bool   // draw from the provider's
	Time                 time.Time
}

// ModifyIPPool has a load balancer draw its addresses from another pool. It gets
// a new generation of nodes, which takes over when all of it serves; the nodes
// before it serve on until their connections have ended. The pool that it has
// already is no change.
func (s *Service) ModifyIPPool(ctx context.Context, m ModifyIPPool) (LoadBalancer, error) {
	if (m.PoolID != "") == m.Remove {
		return LoadBalancer{}, fail(Invalid, "Specify either an IPAM pool or the IPAM pools to remove")
	}
	var b LoadBalancer
	err := s.store.Update(ctx, func(tx *store.Tx) (err error) {
		if b, err = s.LoadBalancer(tx, m.Account, m.Region, m.ARN); err != nil {
			return err
		}
		if b.PoolID == m.PoolID {
			return nil
		}
		if err := s.checkPool(tx, m.Account, m.Region, m.PoolID, b.Scheme); err != nil {
			return err
		}
		// The new nodes need private addresses beside those of the old ones.
		if _, _, err := s.checkSubnets(tx, b.Account, b.Region, b.Scheme, b.subnets()); err != nil {
			return err
		}
		s.migrate(tx, &b, m.PoolID, m.Time)
		return nil
	})
	return b, err
}

// migrate gives a load balancer a new generation, which draws from the pool.
func (s *Service) migrate(tx *store.Tx, b *LoadBalancer, toPool string, now time.Time) {
	b.Generations = max(b.Generations, b.Generation) + 1
	m := Migration{From: b.Generation, To: b.Generations, FromPool: b.PoolID, ToPool: toPool, Began: now}
	m.FromBlock = b.Block
	if old := b.Migration; old.underWay() && old.Moved.IsZero() {
		m.From, m.FromPool, m.FromBlock = old.From, old.FromPool, old.FromBlock // the set that the other never took over from
	}
	if b.Block != nil {
		s.setBlock(tx, b, nil, now) // it is of the pool that is left
	}
	b.Generation, b.PoolID, b.Migration = m.To, m.ToPool, &m
	s.balancers.Put(tx, b.ARN, *b)
	s.opts.Events.Put(tx, with(b.about(event.MigrationBegun, now, "%s moves from addresses of %s to addresses of %s, which come up first", b.Name, source(m.FromPool), source(m.ToPool)),
		"from", m.FromPool, "to", m.ToPool))
}

// underWay says whether both sets may be there.
func (m *Migration) underWay() bool { return m != nil && m.Ended.IsZero() }

// subnets returns the ids of the load balancer's subnets, in order.
func (b LoadBalancer) subnets() []string {
	ids := make([]string, 0, len(b.Zones))
	for _, z := range b.Zones {
		ids = append(ids, z.SubnetID)
	}
	return ids
}

// zoneNames returns the load balancer's zones and subnets, for people.
func (b LoadBalancer) zoneNames() string {
	var names []string
	for _, z := range b.Zones {
		names = append(names, z.Zone+" ("+z.SubnetID+")")
	}
	return strings.Join(names, ", ")
}

// SetSubnets replaces the subnets that a load balancer has nodes in (ELBv2
// SetSubnets). A zone that it leaves goes out of DNS when those that stay and
// come serve.
func (s *Service) SetSubnets(ctx context.Context, account, region, arn string, subnets []string, now time.Time) (LoadBalancer, error) {
	var b LoadBalancer
	err := s.store.Update(ctx, func(tx *store.Tx) (err error) {
		if b, err = s.LoadBalancer(tx, account, region, arn); err != nil {
			return err
		}
		vpc, zones, err := s.checkSubnets(tx, account, region, b.Scheme, subnets, b.subnets()...)
		if err != nil {
			return err
		}
		if vpc != b.VPCID {
			return fail(InvalidConfiguration, "All subnets must belong to the same VPC: '%s'", b.VPCID)
		}
		if slices.Equal(zones, b.Zones) {
			return nil
		}
		before := b.zoneNames()
		b.Zones = zones
		s.balancers.Put(tx, b.ARN, b)
		s.opts.Events.Put(tx, with(b.about(event.ZonesChanged, now, "%s moves from %s to %s: its subnets were set", b.Name, before, b.zoneNames()),
			"from", before, "to", b.zoneNames()))
		s.network.Use(tx, b.subnets(), nil)
		return nil
	})
	return b, err
}
