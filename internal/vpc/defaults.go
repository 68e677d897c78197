package vpc

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// A default VPC and its subnets, one a zone (Amazon VPC, default VPC components).
var defaultCIDR = netip.MustParsePrefix("172.31.0.0/16")

const defaultSubnetLength = 20

// EnsureDefault makes the default VPC that every account begins with in a
// region. It does nothing, cheaply, if there has ever been one: who deletes
// theirs doesn't get it back unasked.
func (s *Service) EnsureDefault(ctx context.Context, account, region string, now time.Time) error {
	if s.begun(s.store.Snapshot(), account, region) {
		return nil
	}
	return s.update(ctx, func(tx *store.Tx) error {
		if s.begun(tx, account, region) {
			return nil
		}
		_, err := s.addDefaultVPC(tx, account, region, now)
		return err
	})
}

func (s *Service) begun(r store.Reader, account, region string) bool {
	reg, _ := s.regions.Get(r, owner(account, region))
	return reg.Generation > 0
}

// CreateDefaultVPC makes a default VPC for an account that has deleted its own.
func (s *Service) CreateDefaultVPC(ctx context.Context, account, region string, now time.Time) (v VPC, err error) {
	err = s.update(ctx, func(tx *store.Tx) error {
		if _, ok := s.DefaultVPC(tx, account, region); ok {
			return fail(DefaultExists, KindVPC, "A Default VPC already exists for this account in this region.")
		}
		v, err = s.addDefaultVPC(tx, account, region, now)
		return err
	})
	return v, err
}

// addDefaultVPC writes a default VPC that reaches the internet: a subnet a
// zone, and a gateway that the main route table leads to.
func (s *Service) addDefaultVPC(tx *store.Tx, account, reg string, now time.Time) (VPC, error) {
	r, _ := s.regions.Get(tx, owner(account, reg))
	generation := r.Generation + 1
	v := VPC{
		ID:      derived("vpc", "default", account, reg, strconv.Itoa(generation)),
		Account: account, Region: reg,
		CIDR: defaultCIDR, Default: true, Tenancy: "default", Created: now,
		DNSSupport: true, DNSHostnames: true,
	}
	if err := s.addVPC(tx, v); err != nil {
		return VPC{}, err
	}
	r, _ = s.regions.Get(tx, owner(account, reg))
	r.Generation, r.DefaultVPC, r.Since = generation, v.ID, now
	s.regions.Put(tx, owner(account, reg), r)

	zones := s.opts.Zones(reg)
	if len(zones) > 1<<(defaultSubnetLength-defaultCIDR.Bits()) {
		return VPC{}, errors.New("default VPC: region " + reg + " has more zones than the VPC has room for subnets")
	}
	for i, zone := range zones {
		n := Subnet{
			ID:      derived("subnet", v.ID, zone),
			Account: account, Region: reg, VPCID: v.ID, Zone: zone,
			CIDR:             netip.PrefixFrom(addressAt(defaultCIDR, i<<(32-defaultSubnetLength)), defaultSubnetLength),
			DefaultForZone:   true,
			MapPublicAddress: true,
			Created:          now,
		}
		s.subnets.Put(tx, n.ID, n)
	}

	g := Gateway{ID: derived("igw", v.ID), Account: account, Region: reg, VPCID: v.ID}
	s.gateways.Put(tx, g.ID, g)
	t, _ := s.tables.Get(tx, v.ownTableID())
	t.Routes = []Route{{Destination: anyIPv4, GatewayID: g.ID}}
	s.tables.Put(tx, t.ID, t)
	return v, nil
}

// CreateDefaultSubnet gives the default VPC a default subnet in a zone where it
// has none: the lowest /20 that is free (EC2 CreateDefaultSubnet).
func (s *Service) CreateDefaultSubnet(ctx context.Context, account, region, id, zone string) (n Subnet, err error) {
	err = s.update(ctx, func(tx *store.Tx) error {
		v, ok := s.DefaultVPC(tx, account, region)
		if !ok {
			return fail(NoDefaultVPC, KindVPC, "No default VPC exists for this account in this region.")
		}
		if zones := s.opts.Zones(region); !slices.Contains(zones, zone) {
			return noZone(zone, zones)
		}
		var taken []netip.Prefix
		for _, o := range s.subnetsByVPC.Each(tx, v.ID) {
			if o.DefaultForZone && o.Zone == zone {
				return fail(DefaultSubnetExists, KindSubnet, "'%s' is already the default subnet in %s.", o.ID, zone)
			}
			taken = append(taken, o.CIDR)
		}
		for i := range 1 << (defaultSubnetLength - v.CIDR.Bits()) {
			p := netip.PrefixFrom(addressAt(v.CIDR, i<<(32-defaultSubnetLength)), defaultSubnetLength)
			if slices.ContainsFunc(taken, p.Overlaps) {
				continue
			}
			n = Subnet{
				ID: id, Account: account, Region: region, VPCID: v.ID, Zone: zone,
				CIDR: p, DefaultForZone: true, MapPublicAddress: true,
			}
			return s.addSubnet(tx, &n)
		}
		return fail(SubnetConflict, KindSubnet, "The default VPC has no free /%d for another default subnet.", defaultSubnetLength)
	})
	return n, err
}
