package elb

import (
	"context"
	"time"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/store"
)

// The IP address types of load balancers (ELBv2 SetIpAddressType).
const (
	typeIPv4              = "ipv4"
	typeDualStack         = "dualstack"
	typeWithoutPublicIPv4 = "dualstack-without-public-ipv4" // IPv6 for clients; IPv4 only privately
)

// ipv6 says whether the load balancer's nodes have IPv6 addresses.
func (b LoadBalancer) ipv6() bool {
	return b.AddressType == typeDualStack || b.AddressType == typeWithoutPublicIPv4
}

// SetAddressType is ELBv2 SetIpAddressType.
type SetAddressType struct {
	Account, Region, ARN string
	AddressType          string
	Time                 time.Time
}

// SetAddressType changes which addresses clients reach a load balancer on. IPv6
// ones come to its nodes and go from them as they are. For public IPv4 ones to come
// or go it gets a new generation of nodes, as for another pool.
func (s *Service) SetAddressType(ctx context.Context, c SetAddressType) (LoadBalancer, error) {
	var b LoadBalancer
	err := s.store.Update(ctx, func(tx *store.Tx) (err error) {
		if b, err = s.LoadBalancer(tx, c.Account, c.Region, c.ARN); err != nil {
			return err
		}
		return s.changeAddressType(tx, &b, c.AddressType, c.Time)
	})
	return b, err
}

// changeAddressType checks that a load balancer can have the type, and writes it
// with the type. One that it has already is no change.
func (s *Service) changeAddressType(tx *store.Tx, b *LoadBalancer, to string, now time.Time) error {
	if err := s.checkAddressType(tx, b.Account, b.Region, to, b.Scheme, b.PoolID, b.subnets()); err != nil {
		return err
	}
	from := b.AddressType
	switch {
	case from == to:
		return nil
	case to == typeIPv4:
		if g := s.ipv6GroupOf(tx, *b); g != "" {
			return fail(InvalidConfiguration, "The load balancer forwards to target group '%s', whose IP address type is 'ipv6'; the load balancer's cannot be 'ipv4'", g)
		}
	default:
		s.network.Use(tx, b.subnets(), nil)
	}
	if from == typeWithoutPublicIPv4 || to == typeWithoutPublicIPv4 {
		// The new nodes need private addresses beside those of the old ones.
		if _, _, err := s.checkSubnets(tx, b.Account, b.Region, b.Scheme, b.subnets()); err != nil {
			return err
		}
		s.migrate(tx, b, b.PoolID, to, now)
		return nil
	}
	b.AddressType = to
	s.balancers.Put(tx, b.ARN, *b)
	s.opts.Events.Put(tx, with(b.about(event.AddressTypeChanged, now, "%s has the IP address type %s, had %s", b.Name, to, from), "from", from, "to", to))
	return nil
}

// checkAddressType holds the rules of which load balancer may have which type.
func (s *Service) checkAddressType(tx *store.Tx, account, region, addressType string, scheme Scheme, pool string, subnets []string) error {
	switch addressType {
	case typeIPv4:
		return nil
	case typeDualStack:
	case typeWithoutPublicIPv4:
		if scheme != InternetFacing {
			return fail(InvalidConfiguration, "The IP address type '%s' is supported only for internet-facing load balancers", addressType)
		}
		if pool != "" {
			return fail(InvalidConfiguration, "A load balancer with the IP address type '%s' cannot have an IPAM pool; '%s' is to be removed first (ModifyIpPools)", addressType, pool)
		}
	default:
		return fail(Invalid, "IP address type '%s' must be one of '%s, %s, %s'", addressType, typeIPv4, typeDualStack, typeWithoutPublicIPv4)
	}
	for _, id := range subnets {
		if n, ok := s.network.Subnet(tx, account, region, id); ok && !n.IPv6 {
			return fail(InvalidSubnet, "The subnet '%s' has no associated IPv6 CIDR block, which the IP address type '%s' requires", id, addressType)
		}
	}
	return nil
}

// ipv6GroupOf returns a target group of IPv6 targets that the load balancer's rules
// forward to; "" for none. Whoever adds such a rule writes the load balancer.
func (s *Service) ipv6GroupOf(r store.Reader, b LoadBalancer) string {
	for _, rule := range s.rulesByLB.Each(r, b.ARN) {
		for _, arn := range groupsOf(rule.Actions) {
			if g, ok := s.groups.Get(r, arn); ok && g.AddressType == "ipv6" {
				return arn
			}
		}
	}
	return ""
}

// UsesIPv6 says whether a load balancer that isn't deleted needs the IPv6 block of
// a subnet; see Uses.
func (s *Service) UsesIPv6(r store.Reader, subnet string) bool {
	return s.balancersWithIPv6In.Has(r, subnet)
}
