package elb

import (
	"cmp"
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
		if err := s.checkAddressType(tx, m.Account, m.Region, b.AddressType, b.Scheme, m.PoolID, b.subnets()); err != nil {
			return err
		}
		// The new nodes need private addresses beside those of the old ones.
		if _, _, err := s.checkSubnets(tx, b.Account, b.Region, b.Scheme, b.subnets()); err != nil {
			return err
		}
		s.migrate(tx, &b, m.PoolID, b.AddressType, m.Time)
		return nil
	})
	return b, err
}

// migrate gives a load balancer a new generation, which draws from the pool, and
// has addresses of the type.
func (s *Service) migrate(tx *store.Tx, b *LoadBalancer, toPool, toType string, now time.Time) {
	b.Generations = max(b.Generations, b.Generation) + 1
	m := Migration{From: b.Generation, To: b.Generations, FromPool: b.PoolID, ToPool: toPool, FromType: b.AddressType, ToType: toType, Began: now}
	m.FromBlock = b.Block
	if old := b.Migration; old.underWay() && old.Moved.IsZero() {
		// The set that the other never took over from.
		m.From, m.FromPool, m.FromBlock = old.From, old.FromPool, old.FromBlock
		m.FromType = cmp.Or(old.FromType, m.FromType)
	}
	if m.FromType == m.ToType {
		m.FromType, m.ToType = "", ""
	}
	if b.Block != nil {
		s.setBlock(tx, b, nil, now) // it is of the pool that is left
	}
	b.Generation, b.PoolID, b.AddressType, b.Migration = m.To, m.ToPool, toType, &m
	s.balancers.Put(tx, b.ARN, *b)
	s.opts.Events.Put(tx, with(b.about(event.MigrationBegun, now, "%s moves from %s to %s, which come up first", b.Name, addresses(m.FromType, m.FromPool), addresses(m.ToType, m.ToPool)),
		"from", m.FromPool, "to", m.ToPool, "from-type", m.FromType, "to-type", m.ToType))
}

// addresses names a set of addresses, by its type if that is "" by its pool alone.
func addresses(addressType, pool string) string {
	switch addressType {
	case "":
		return "addresses of " + source(pool)
	case typeWithoutPublicIPv4:
		return "addresses of the type " + addressType
	}
	return "addresses of the type " + addressType + " of " + source(pool)
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

// SetSubnets is ELBv2 SetSubnets.
type SetSubnets struct {
	Account, Region, ARN string
	Subnets              []string // all that the load balancer is to have nodes in
	AddressType          string   // "": as it is
	Time                 time.Time
}

// SetSubnets replaces the subnets that a load balancer has nodes in. A zone that it
// leaves goes out of DNS when those that stay and come serve.
func (s *Service) SetSubnets(ctx context.Context, c SetSubnets) (LoadBalancer, error) {
	var b LoadBalancer
	err := s.store.Update(ctx, func(tx *store.Tx) (err error) {
		if b, err = s.LoadBalancer(tx, c.Account, c.Region, c.ARN); err != nil {
			return err
		}
		vpc, zones, err := s.checkSubnets(tx, c.Account, c.Region, b.Scheme, c.Subnets, b.subnets()...)
		if err != nil {
			return err
		}
		if vpc != b.VPCID {
			return fail(InvalidConfiguration, "All subnets must belong to the same VPC: '%s'", b.VPCID)
		}
		if !slices.Equal(zones, b.Zones) {
			before := b.zoneNames()
			b.Zones = zones
			s.balancers.Put(tx, b.ARN, b)
			s.opts.Events.Put(tx, with(b.about(event.ZonesChanged, c.Time, "%s moves from %s to %s: its subnets were set", b.Name, before, b.zoneNames()),
				"from", before, "to", b.zoneNames()))
			s.network.Use(tx, b.subnets(), nil)
		}
		return s.changeAddressType(tx, &b, cmp.Or(c.AddressType, b.AddressType), c.Time)
	})
	return b, err
}
